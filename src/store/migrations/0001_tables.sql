-- Base tables. Only the v1_ views are public; everything here may change in a later schema.
--
-- Amounts are decimal text with the asset's full scale and hashes are text as explorers show
-- them, so that the views need no arithmetic and their columns can be found by index. No amount
-- is ever computed in SQL. Times are milliseconds since 1970 UTC.
--
-- A longer list of allowed words is a chain of OR: for IN, SQLite fills a table of its own whenever
-- it checks a row, which cost a fifth of a registration.

CREATE TABLE meta (
  one              INTEGER PRIMARY KEY CHECK (one = 1),
  database_id      TEXT NOT NULL,
  schema_major     INTEGER NOT NULL,
  schema_minor     INTEGER NOT NULL,
  confirmd_version TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  first_seq        INTEGER NOT NULL
) STRICT;

CREATE TABLE inbox_position (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  inbox_id TEXT NOT NULL,
  seq      INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;

CREATE TABLE chain (
  key              INTEGER PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,
  kind             TEXT NOT NULL CHECK (kind IN ('bitcoin', 'ethereum')),
  network          TEXT NOT NULL,
  tip_height       INTEGER,
  tip_hash         TEXT,
  tip_parent       TEXT,
  tip_at           INTEGER,
  scanned_height   INTEGER,
  scanned_hash     TEXT,
  scanned_parent   TEXT,
  scanned_at       INTEGER,
  finalized_height INTEGER,
  safe_height      INTEGER,
  -- Whether a node ever named a final block: depth stands for none then.
  tagged           INTEGER NOT NULL DEFAULT 0 CHECK (tagged IN (0, 1)),
  agreed_height    INTEGER,
  agreed_hash      TEXT,
  agreed_parent    TEXT,
  agreed_at        INTEGER,
  -- How far enough operators ever held our chain, whatever they hold now.
  held_height      INTEGER,
  traced_height    INTEGER,
  traced_at        INTEGER,
  -- The time of the last block that could not be traced and never will be.
  untraced_at      INTEGER,
  untraced_height  INTEGER,
  -- How it is known what contracts move.
  tracing          TEXT CHECK (
                     tracing = 'callTracer' OR tracing = 'trace_block' OR
                     tracing = 'balance' OR tracing = 'none'),
  frozen           TEXT CHECK (
                    frozen = 'below_finality' OR frozen = 'quorum' OR frozen = 'released'),
  healthy          INTEGER NOT NULL DEFAULT 0 CHECK (healthy IN (0, 1)),
  polled_at        INTEGER,
  error            TEXT,
  updated_at       INTEGER NOT NULL,
  CHECK ((tip_height IS NULL) = (tip_hash IS NULL)),
  CHECK ((scanned_height IS NULL) = (scanned_hash IS NULL))
) STRICT;

-- The last blocks of the followed chain, to find the fork point of a reorg by.
CREATE TABLE recent_block (
  chain_key INTEGER NOT NULL REFERENCES chain (key),
  height    INTEGER NOT NULL CHECK (height >= 0),
  hash      BLOB NOT NULL CHECK (length(hash) = 32),
  parent    BLOB NOT NULL CHECK (length(parent) = 32),
  at        INTEGER NOT NULL,
  PRIMARY KEY (chain_key, height)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER recent_block_is_linked BEFORE INSERT ON recent_block
WHEN EXISTS (SELECT 1 FROM recent_block WHERE chain_key = NEW.chain_key)
 AND NOT EXISTS (SELECT 1 FROM recent_block
                  WHERE chain_key = NEW.chain_key AND height = NEW.height - 1
                    AND hash = NEW.parent)
BEGIN
  SELECT RAISE(ABORT, 'a block follows the one below it');
END;

CREATE TABLE asset (
  code                   TEXT PRIMARY KEY,
  chain_key              INTEGER NOT NULL REFERENCES chain (key),
  contract               TEXT,
  decimals               INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 255),
  confirmations_required INTEGER NOT NULL,
  depth_rule             TEXT NOT NULL CHECK (
                           depth_rule = 'confirmations' OR depth_rule = 'safe' OR
                           depth_rule = 'finalized'),
  dust                   TEXT NOT NULL,
  enabled                INTEGER NOT NULL CHECK (enabled IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Every step that a payment may take.
CREATE TABLE transition (
  from_status TEXT NOT NULL,
  to_status   TEXT NOT NULL,
  PRIMARY KEY (from_status, to_status)
) STRICT, WITHOUT ROWID;

INSERT INTO transition (from_status, to_status) VALUES
  ('new', 'pending'), ('new', 'confirming'), ('new', 'paid'), ('new', 'invalid'),
  ('new', 'expired'), ('new', 'canceled'),
  ('pending', 'new'), ('pending', 'confirming'), ('pending', 'paid'), ('pending', 'invalid'),
  ('pending', 'expired'),
  ('confirming', 'new'), ('confirming', 'pending'), ('confirming', 'paid'),
  ('confirming', 'invalid'), ('confirming', 'expired'),
  ('paid', 'confirming'), ('paid', 'pending'), ('paid', 'invalid'), ('paid', 'refunded'),
  ('invalid', 'new'), ('invalid', 'confirming'), ('invalid', 'pending'), ('invalid', 'paid'),
  ('invalid', 'expired'), ('invalid', 'canceled'), ('invalid', 'refunded'),
  ('expired', 'new'), ('expired', 'invalid'), ('expired', 'paid'),
  ('canceled', 'invalid'), ('canceled', 'paid');

CREATE TABLE payment (
  key                    INTEGER PRIMARY KEY,
  -- Set at registration, fixed for good.
  payment_id             TEXT NOT NULL UNIQUE,
  chain_key              INTEGER NOT NULL REFERENCES chain (key),
  asset                  TEXT NOT NULL REFERENCES asset (code),
  decimals               INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 255),
  address                TEXT NOT NULL,
  destination            BLOB NOT NULL CHECK (length(destination) BETWEEN 1 AND 42),
  amount_expected        TEXT NOT NULL,
  allowed_shortfall      TEXT NOT NULL,
  policy                 TEXT NOT NULL CHECK (policy IN ('single', 'sum')),
  confirmations_required INTEGER NOT NULL CHECK (confirmations_required > 0),
  depth_rule             TEXT NOT NULL CHECK (
                           depth_rule = 'confirmations' OR depth_rule = 'safe' OR
                           depth_rule = 'finalized'),
  dust                   TEXT NOT NULL,
  grace_ms               INTEGER NOT NULL,
  late_accept_ms         INTEGER NOT NULL,
  confirm_timeout_ms     INTEGER NOT NULL,
  watch_after_close_ms   INTEGER NOT NULL,
  metadata               TEXT,
  created_at             INTEGER NOT NULL,
  -- Moved by the journal alone: the row is the fold of its events.
  status                 TEXT NOT NULL CHECK (
                           status = 'new' OR status = 'pending' OR status = 'confirming' OR
                           status = 'paid' OR status = 'invalid' OR status = 'expired' OR
                           status = 'canceled' OR status = 'refunded'),
  version                INTEGER NOT NULL,
  last_seq               INTEGER NOT NULL,
  -- Facts and the last judgement.
  expires_at             INTEGER NOT NULL,
  scan_from_height       INTEGER,
  scan_from_at           INTEGER,
  scanned_to             INTEGER,
  scan_goal              INTEGER,
  scanning               INTEGER GENERATED ALWAYS AS
                           (scan_goal IS NULL OR scanned_to IS NULL OR scanned_to < scan_goal) VIRTUAL,
  history                TEXT NOT NULL,
  -- The last guard refused a change and nobody looked yet: its past waits too.
  held                   INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
  -- Its past cannot be scanned, so it is not scanned with others.
  scan_refused           INTEGER NOT NULL DEFAULT 0 CHECK (scan_refused IN (0, 1)),
  reason                 TEXT CHECK (
                           reason = 'dropped' OR reason = 'reorged' OR reason = 'exact' OR
                           reason = 'within_tolerance' OR reason = 'overpaid' OR
                           reason = 'operator' OR reason = 'underpaid' OR reason = 'split' OR
                           reason = 'wrong_asset' OR reason = 'late' OR reason = 'after_cancel' OR
                           reason = 'double_spent' OR reason = 'confirm_timeout' OR
                           reason = 'deadline' OR reason = 'gateway' OR reason = 'forced'),
  flags                  TEXT NOT NULL,
  needs_review           INTEGER NOT NULL CHECK (needs_review IN (0, 1)),
  is_final               INTEGER NOT NULL CHECK (is_final IN (0, 1)),
  amount_received        TEXT NOT NULL,
  amount_counted         TEXT NOT NULL,
  shortfall              TEXT NOT NULL,
  surplus                TEXT NOT NULL,
  txid                   TEXT,
  block_height           INTEGER,
  block_hash             TEXT,
  block_parent           TEXT,
  block_at               INTEGER,
  first_seen_at          INTEGER,
  confirmed_at           INTEGER,
  paid_at                INTEGER,
  closed_at              INTEGER,
  watch_until_at         INTEGER,
  due_height             INTEGER,
  due_safe_height        INTEGER,
  due_final_height       INTEGER,
  due_traced_height      INTEGER,
  due_at                 INTEGER,
  -- The highest block that what is known of its address's balance comes from.
  looked_height          INTEGER,
  updated_at             INTEGER NOT NULL,
  -- Whether the address belongs to this payment now.
  watching               INTEGER NOT NULL CHECK (watching IN (0, 1)),
  CHECK ((scan_from_height IS NULL) <> (scan_from_at IS NULL)),
  CHECK ((block_height IS NULL) = (block_hash IS NULL))
) STRICT;

-- An address belongs to one payment at a time; covers the list of what is watched.
CREATE UNIQUE INDEX payment_watched ON payment (chain_key, destination) WHERE watching = 1;
-- A payment is watched until it is judged, however long its source was away.
CREATE INDEX payment_watch_until ON payment (chain_key, watch_until_at)
  WHERE watching = 1 AND status <> 'new';
CREATE INDEX payment_due_height ON payment (chain_key, due_height)
  WHERE due_height IS NOT NULL AND scanning = 0;
CREATE INDEX payment_due_safe ON payment (chain_key, due_safe_height)
  WHERE due_safe_height IS NOT NULL AND scanning = 0;
CREATE INDEX payment_due_final ON payment (chain_key, due_final_height)
  WHERE due_final_height IS NOT NULL AND scanning = 0;
CREATE INDEX payment_due_traced ON payment (chain_key, due_traced_height)
  WHERE due_traced_height IS NOT NULL AND scanning = 0;
-- Who waits for money where only balances tell what contracts move.
CREATE INDEX payment_open ON payment (asset, expires_at)
  WHERE status = 'new' OR status = 'pending' OR status = 'confirming';
CREATE INDEX payment_open_round ON payment (asset)
  WHERE status = 'new' OR status = 'pending' OR status = 'confirming';
CREATE INDEX payment_looked ON payment (chain_key, looked_height) WHERE looked_height IS NOT NULL;
CREATE INDEX payment_due_at ON payment (chain_key, due_at)
  WHERE due_at IS NOT NULL AND scanning = 0;
CREATE INDEX payment_scanning ON payment (chain_key) WHERE scanning = 1;
CREATE INDEX payment_status ON payment (status, asset);
CREATE INDEX payment_address ON payment (address);
CREATE INDEX payment_txid ON payment (txid) WHERE txid IS NOT NULL;
CREATE INDEX payment_review ON payment (updated_at) WHERE needs_review = 1;
CREATE INDEX payment_last_seq ON payment (last_seq);

CREATE TRIGGER payment_takes_legal_steps BEFORE UPDATE OF status ON payment
WHEN NEW.status <> OLD.status
 AND NOT EXISTS (SELECT 1 FROM transition
                  WHERE from_status = OLD.status AND to_status = NEW.status)
BEGIN
  SELECT RAISE(ABORT, 'the transition table does not have this step');
END;

CREATE TRIGGER payment_terms_are_fixed BEFORE UPDATE OF
  key, payment_id, chain_key, asset, decimals, address, destination, amount_expected,
  allowed_shortfall, policy, confirmations_required, depth_rule, dust, grace_ms, late_accept_ms,
  confirm_timeout_ms, watch_after_close_ms, created_at ON payment
BEGIN
  SELECT RAISE(ABORT, 'the terms of a payment are fixed');
END;

-- A payment is written once, with its first event folded in: the event is there before it.
CREATE TRIGGER payment_starts_new BEFORE INSERT ON payment
BEGIN
  SELECT RAISE(ABORT, 'a payment starts as new, once')
   WHERE EXISTS (SELECT 1 FROM payment WHERE key = NEW.key)
      OR EXISTS (SELECT 1 FROM payment WHERE payment_id = NEW.payment_id);
  SELECT RAISE(ABORT, 'a payment starts with the event that registers it')
   WHERE NOT EXISTS (SELECT 1 FROM event
                      WHERE seq = NEW.last_seq AND payment_key = NEW.key
                        AND version = 1 AND NEW.version = 1
                        AND to_status = 'new' AND NEW.status = 'new');
END;

CREATE TRIGGER payment_is_kept BEFORE DELETE ON payment
BEGIN
  SELECT RAISE(ABORT, 'payments are never deleted');
END;

CREATE TABLE transfer (
  payment_key     INTEGER NOT NULL REFERENCES payment (key),
  ordinal         INTEGER NOT NULL CHECK (ordinal >= 0),
  chain_key       INTEGER NOT NULL REFERENCES chain (key),
  txid            TEXT,
  position        TEXT NOT NULL,
  asset           TEXT NOT NULL REFERENCES asset (code),
  decimals        INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 255),
  amount          TEXT NOT NULL,
  dust            TEXT NOT NULL,
  from_address    TEXT,
  coinbase        INTEGER NOT NULL CHECK (coinbase IN (0, 1)),
  -- What vouches for it: the block's hash, or operators.
  evidence        TEXT NOT NULL CHECK (
                    evidence = 'doubted' OR evidence = 'grown' OR evidence = 'claimed' OR
                    evidence = 'told' OR evidence = 'weighed' OR evidence = 'witnessed' OR
                    evidence = 'proven'),
  disposition     TEXT NOT NULL CHECK (
                    disposition = 'dust' OR disposition = 'wrong_asset' OR
                    disposition = 'after_cancel' OR disposition = 'late' OR
                    disposition = 'short' OR disposition = 'surplus' OR disposition = 'counted'),
  state           TEXT NOT NULL CHECK (
                    state = 'mempool' OR state = 'confirmed' OR state = 'evicted' OR
                    state = 'replaced' OR state = 'orphaned'),
  -- The block that holds it.
  block_height    INTEGER,
  block_hash      TEXT,
  block_parent    TEXT,
  block_at        INTEGER,
  tx_index        INTEGER,
  -- What took its place, and the block that holds that.
  replaced_by     TEXT,
  conflict_height INTEGER,
  conflict_hash   TEXT,
  conflict_parent TEXT,
  conflict_at     INTEGER,
  first_seen_at   INTEGER NOT NULL,
  first_block_at  INTEGER,
  -- What its transaction spends while it may be replaced: 36 bytes an output.
  inputs          BLOB,
  PRIMARY KEY (payment_key, ordinal),
  CHECK ((state = 'confirmed') = (block_height IS NOT NULL)),
  CHECK ((state = 'replaced') = (replaced_by IS NOT NULL)),
  CHECK (conflict_height IS NULL OR state = 'replaced')
) STRICT, WITHOUT ROWID;

-- A credit is one row of its payment; the row that sums further dust is none. A contract may credit
-- somebody else at the same position when its transaction is executed in another block.
CREATE UNIQUE INDEX transfer_credit ON transfer (chain_key, txid, position, payment_key)
  WHERE txid IS NOT NULL AND position <> 'dust';
CREATE INDEX transfer_txid ON transfer (txid) WHERE txid IS NOT NULL;
CREATE INDEX transfer_anchor ON transfer (chain_key, block_height) WHERE block_height IS NOT NULL;
CREATE INDEX transfer_conflict ON transfer (chain_key, conflict_height)
  WHERE conflict_height IS NOT NULL;
CREATE INDEX transfer_claimed ON transfer (chain_key, block_height) WHERE evidence = 'claimed';
CREATE INDEX transfer_loose ON transfer (chain_key, state)
  WHERE block_height IS NULL AND conflict_height IS NULL;

-- Identity is chain, transaction and position. A contract may credit something else when its
-- transaction is executed in another block, so what was credited is fixed within one block only, and there
-- once it is more than a claim: what was claimed, or what better evidence contradicts, was never credited. The row that
-- sums further dust grows, in its own asset, and what a balance grew by is less once it is known what brought a
-- part of it.
CREATE TRIGGER transfer_keeps_its_identity BEFORE UPDATE ON transfer
WHEN NEW.payment_key IS NOT OLD.payment_key OR NEW.ordinal IS NOT OLD.ordinal
  OR NEW.chain_key IS NOT OLD.chain_key OR NEW.position IS NOT OLD.position
  OR (OLD.position = 'dust' AND NEW.asset IS NOT OLD.asset)
  OR (OLD.position <> 'dust' AND NEW.txid IS NOT OLD.txid)
  OR (OLD.position <> 'dust' AND OLD.block_hash IS NOT NULL AND NEW.block_hash IS OLD.block_hash
      AND NOT (OLD.evidence = 'claimed' OR OLD.evidence = 'doubted'
               OR ((OLD.evidence = 'told' OR OLD.evidence = 'weighed')
                   AND (NEW.evidence = 'witnessed' OR NEW.evidence = 'proven')))
      AND (NEW.asset IS NOT OLD.asset OR NEW.decimals IS NOT OLD.decimals
           OR (NEW.amount IS NOT OLD.amount AND OLD.position NOT LIKE 'balance:%')))
BEGIN
  SELECT RAISE(ABORT, 'a transfer keeps its identity');
END;

-- An address that is used again: what was credited to it stays with the earlier payment.
CREATE TRIGGER transfer_belongs_to_one_payment BEFORE INSERT ON transfer
WHEN EXISTS (SELECT 1
               FROM transfer AS held
               JOIN payment AS holder ON holder.key = held.payment_key
               JOIN payment AS taker ON taker.key = NEW.payment_key
              WHERE held.chain_key = NEW.chain_key AND held.txid = NEW.txid
                AND held.position = NEW.position AND held.position <> 'dust'
                AND held.payment_key <> NEW.payment_key
                AND holder.destination = taker.destination)
BEGIN
  SELECT RAISE(ABORT, 'a credit belongs to one payment');
END;

CREATE TRIGGER transfer_is_kept BEFORE DELETE ON transfer
BEGIN
  SELECT RAISE(ABORT, 'transfers are never deleted');
END;

CREATE TABLE event (
  seq         INTEGER PRIMARY KEY,
  event_id    TEXT NOT NULL CHECK (length(event_id) = 36),
  -- The first event of a payment stands before it; nothing commits without the payment.
  payment_key INTEGER REFERENCES payment (key) DEFERRABLE INITIALLY DEFERRED,
  version     INTEGER,
  kind        TEXT NOT NULL CHECK (
                    kind = 'registered' OR kind = 'status' OR kind = 'transfer' OR
                    kind = 'attention' OR kind = 'reversed' OR kind = 'finalized' OR
                    kind = 'command'),
  from_status TEXT,
  to_status   TEXT,
  reason      TEXT,
  data        TEXT NOT NULL CHECK (data <> ''),
  occurred_at INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  UNIQUE (payment_key, version),
  CHECK ((payment_key IS NULL) = (version IS NULL))
) STRICT;

CREATE TRIGGER event_is_dense BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event)
BEGIN
  SELECT RAISE(ABORT, 'the journal has no holes');
END;

CREATE TRIGGER event_version_is_dense BEFORE INSERT ON event
WHEN NEW.payment_key IS NOT NULL
 AND NEW.version IS NOT coalesce((SELECT version + 1 FROM payment WHERE key = NEW.payment_key), 1)
BEGIN
  SELECT RAISE(ABORT, 'the versions of a payment have no holes');
END;

CREATE TRIGGER event_registers_first BEFORE INSERT ON event
WHEN NEW.version = 1
 AND (NEW.kind <> 'registered' OR NEW.from_status IS NOT NULL OR NEW.to_status IS NOT 'new'
      OR EXISTS (SELECT 1 FROM event WHERE payment_key = NEW.payment_key))
BEGIN
  SELECT RAISE(ABORT, 'the first event of a payment registers it as new');
END;

CREATE TRIGGER event_continues BEFORE INSERT ON event
WHEN NEW.version > 1 AND NEW.to_status IS NOT NULL
 AND NEW.from_status IS NOT (SELECT status FROM payment WHERE key = NEW.payment_key)
BEGIN
  SELECT RAISE(ABORT, 'an event starts from the status that its payment has');
END;

CREATE TRIGGER event_moves_its_payment AFTER INSERT ON event
WHEN NEW.version > 1
BEGIN
  UPDATE payment
     SET status = coalesce(NEW.to_status, status), version = NEW.version, last_seq = NEW.seq
   WHERE key = NEW.payment_key;
END;

CREATE TRIGGER event_is_immutable BEFORE UPDATE ON event
BEGIN
  SELECT RAISE(ABORT, 'the journal is immutable');
END;

CREATE TRIGGER event_is_kept BEFORE DELETE ON event
BEGIN
  SELECT RAISE(ABORT, 'the journal is immutable');
END;

-- What became of every request of the inbox.
CREATE TABLE request (
  request_id TEXT PRIMARY KEY,
  payment_id TEXT NOT NULL,
  kind       TEXT NOT NULL,
  outcome    TEXT NOT NULL CHECK (
                    outcome = 'applied' OR outcome = 'duplicate' OR outcome = 'refused'),
  code       TEXT,
  message    TEXT,
  actor      TEXT,
  note       TEXT,
  event_seq  INTEGER REFERENCES event (seq),
  at         INTEGER NOT NULL
) STRICT;

CREATE INDEX request_payment ON request (payment_id);

CREATE TRIGGER request_has_one_outcome BEFORE INSERT ON request
WHEN EXISTS (SELECT 1 FROM request WHERE request_id = NEW.request_id)
BEGIN
  SELECT RAISE(ABORT, 'a request has one outcome');
END;

CREATE TRIGGER request_is_immutable BEFORE UPDATE ON request
BEGIN
  SELECT RAISE(ABORT, 'outcomes are immutable');
END;

CREATE TRIGGER request_is_kept BEFORE DELETE ON request
BEGIN
  SELECT RAISE(ABORT, 'outcomes are immutable');
END;
