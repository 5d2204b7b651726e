-- How it is known what contracts move on a chain, and who waits for money where only balances tell it.

ALTER TABLE chain ADD COLUMN tracing TEXT CHECK (
  tracing = 'callTracer' OR tracing = 'trace_block' OR tracing = 'balance' OR tracing = 'none');

CREATE INDEX payment_open ON payment (asset, expires_at)
  WHERE status = 'new' OR status = 'pending' OR status = 'confirming';

DROP VIEW v1_chain;
CREATE VIEW v1_chain AS
SELECT name AS chain, network, tip_height, tip_hash, tip_at, scanned_height, scanned_hash,
       finalized_height, healthy, frozen, error, updated_at, safe_height, tracing
  FROM chain;
