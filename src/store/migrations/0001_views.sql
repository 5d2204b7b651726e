-- The public contract: what gateways, operators and Grafana read. Readable by SQLite 3.37;
-- no aggregates, no window functions. A column is only ever added, at the end.

CREATE VIEW v1_payment AS
SELECT p.payment_id, c.name AS chain, p.asset, p.address,
       p.amount_expected, p.amount_received, p.amount_counted, p.shortfall, p.surplus,
       p.allowed_shortfall, p.policy, p.status, p.reason, p.flags, p.needs_review,
       p.is_final AS final,
       CASE WHEN c.scanned_height >= p.block_height
            THEN c.scanned_height - p.block_height + 1 ELSE 0 END AS confirmations,
       p.confirmations_required, p.txid, p.block_height, p.block_hash, p.block_at,
       p.first_seen_at, p.confirmed_at, p.paid_at, p.expires_at, p.grace_ms, p.late_accept_ms,
       p.closed_at, p.created_at, p.updated_at, p.watch_until_at, p.version, p.last_seq,
       p.metadata, p.depth_rule
  FROM payment AS p JOIN chain AS c ON c.key = p.chain_key;

CREATE VIEW v1_transfer AS
SELECT p.payment_id, c.name AS chain, t.asset, t.txid, t.position, t.amount, t.from_address,
       t.state, t.disposition, t.replaced_by, t.first_seen_at,
       t.block_height, t.block_hash, t.block_at,
       CASE WHEN c.scanned_height >= t.block_height
            THEN c.scanned_height - t.block_height + 1 ELSE 0 END AS confirmations,
       t.evidence
  FROM transfer AS t
  JOIN payment AS p ON p.key = t.payment_key
  JOIN chain AS c ON c.key = t.chain_key;

CREATE VIEW v1_event AS
SELECT e.seq, e.event_id, p.payment_id, e.version, e.kind, e.from_status, e.to_status,
       e.reason, e.data, e.occurred_at, e.recorded_at
  FROM event AS e LEFT JOIN payment AS p ON p.key = e.payment_key;

CREATE VIEW v1_chain AS
SELECT name AS chain, network, tip_height, tip_hash, tip_at, scanned_height, scanned_hash,
       finalized_height, healthy, frozen, error, updated_at, safe_height, tracing
  FROM chain;

CREATE VIEW v1_asset AS
SELECT a.code AS asset, c.name AS chain, a.contract, a.decimals, a.confirmations_required,
       a.dust, a.enabled, a.depth_rule
  FROM asset AS a JOIN chain AS c ON c.key = a.chain_key;

CREATE VIEW v1_request AS
SELECT request_id, payment_id, kind, outcome, code, message, actor, note, event_seq, at
  FROM request;

CREATE VIEW v1_meta AS
SELECT database_id, schema_major, schema_minor, confirmd_version, created_at, first_seq
  FROM meta;
