-- The inbox: gateways append, nothing else. Everything that is well-typed is taken; what it
-- means is judged by the daemon, and every request gets one outcome there.

CREATE TABLE inbox (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  inbox_id TEXT NOT NULL
) STRICT;

CREATE TABLE request (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT UNIQUE NOT NULL,
  kind       TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  body       TEXT NOT NULL DEFAULT '{}',
  actor      TEXT,
  created_at INTEGER NOT NULL
) STRICT;

-- A trigger and no CHECK: INSERT OR IGNORE would pass over a CHECK without a word.
CREATE TRIGGER request_fits BEFORE INSERT ON request
WHEN NEW.request_id IS NULL OR NEW.kind IS NULL OR NEW.payment_id IS NULL
  OR NEW.body IS NULL OR NEW.created_at IS NULL
  OR length(CAST(NEW.request_id AS BLOB)) NOT BETWEEN 1 AND 128
  OR length(CAST(NEW.kind AS BLOB)) > 64
  OR length(CAST(NEW.payment_id AS BLOB)) > 1024
  OR length(CAST(NEW.body AS BLOB)) > 8192
  OR length(CAST(NEW.actor AS BLOB)) > 256
BEGIN
  SELECT RAISE(ABORT, 'a column of the request is missing or too long');
END;

-- Writing a row here is the way to refuse: a failed CHECK stops INSERT and INSERT OR REPLACE
-- with an error, while INSERT OR IGNORE passes over it and is then ignored as it should be.
CREATE TABLE refusal (
  reason TEXT NOT NULL CONSTRAINT request_is_known CHECK (reason IS NULL)
) STRICT;

CREATE TRIGGER request_is_known BEFORE INSERT ON request
WHEN EXISTS (SELECT 1 FROM request WHERE request_id = NEW.request_id OR seq = NEW.seq)
BEGIN
  INSERT INTO refusal (reason) VALUES ('known');
END;

-- Numbers only go up, and never so far that they could run out.
CREATE TRIGGER request_seq_in_range AFTER INSERT ON request
WHEN EXISTS (SELECT 1 FROM request WHERE seq > NEW.seq)
  OR NEW.seq < 1
  OR NEW.seq > 4294967296 + coalesce((SELECT max(seq) FROM request WHERE seq < NEW.seq), 0)
  OR NEW.seq > 4611686018427387904
BEGIN
  SELECT RAISE(ABORT, 'seq is out of range; leave it out');
END;

CREATE TRIGGER request_no_update BEFORE UPDATE ON request
BEGIN
  SELECT RAISE(ABORT, 'requests are append-only');
END;

CREATE TRIGGER request_no_delete BEFORE DELETE ON request
BEGIN
  SELECT RAISE(ABORT, 'requests are append-only');
END;

CREATE TRIGGER inbox_no_insert BEFORE INSERT ON inbox
WHEN EXISTS (SELECT 1 FROM inbox)
BEGIN
  SELECT RAISE(ABORT, 'an inbox has one id');
END;

CREATE TRIGGER inbox_no_update BEFORE UPDATE ON inbox
BEGIN
  SELECT RAISE(ABORT, 'an inbox has one id');
END;

CREATE TRIGGER inbox_no_delete BEFORE DELETE ON inbox
BEGIN
  SELECT RAISE(ABORT, 'an inbox has one id');
END;
