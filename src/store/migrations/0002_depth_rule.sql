-- What says that money is deep enough: its confirmations, or what a chain's nodes call safe or final.

ALTER TABLE chain ADD COLUMN tagged INTEGER NOT NULL DEFAULT 0 CHECK (tagged IN (0, 1));
-- Whoever named a safe block named final ones.
UPDATE chain SET tagged = 1 WHERE safe_height > 0;

ALTER TABLE asset ADD COLUMN depth_rule TEXT NOT NULL DEFAULT 'confirmations' CHECK (
  depth_rule = 'confirmations' OR depth_rule = 'safe' OR depth_rule = 'finalized');

ALTER TABLE payment ADD COLUMN depth_rule TEXT NOT NULL DEFAULT 'confirmations' CHECK (
  depth_rule = 'confirmations' OR depth_rule = 'safe' OR depth_rule = 'finalized');
ALTER TABLE payment ADD COLUMN due_safe_height INTEGER;

CREATE INDEX payment_due_safe ON payment (chain_key, due_safe_height)
  WHERE due_safe_height IS NOT NULL AND scanning = 0;

DROP TRIGGER payment_terms_are_fixed;
CREATE TRIGGER payment_terms_are_fixed BEFORE UPDATE OF
  key, payment_id, chain_key, asset, decimals, address, destination, amount_expected,
  allowed_shortfall, policy, confirmations_required, depth_rule, dust, grace_ms, late_accept_ms,
  confirm_timeout_ms, watch_after_close_ms, created_at ON payment
BEGIN
  SELECT RAISE(ABORT, 'the terms of a payment are fixed');
END;

DROP VIEW v1_payment;
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

DROP VIEW v1_chain;
CREATE VIEW v1_chain AS
SELECT name AS chain, network, tip_height, tip_hash, tip_at, scanned_height, scanned_hash,
       finalized_height, healthy, frozen, error, updated_at, safe_height
  FROM chain;

DROP VIEW v1_asset;
CREATE VIEW v1_asset AS
SELECT a.code AS asset, c.name AS chain, a.contract, a.decimals, a.confirmations_required,
       a.dust, a.enabled, a.depth_rule
  FROM asset AS a JOIN chain AS c ON c.key = a.chain_key;
