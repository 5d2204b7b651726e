//! A payment as JSON, for the journal: the columns of its row, by their public names.
//!
//! Amounts are decimal strings with the asset's full scale, times are milliseconds, hashes look
//! as explorers show them. Knows nothing of why anything changed.

use super::{
    amount::Amount,
    asset::ChainKind,
    block::{BlockRef, TxId},
    payment::Payment,
    status::{Reason, Status},
    time::UnixMs,
    transfer::{Place, Transfer},
    view::ChainView,
};
use serde_json::{Map, Value, json};

/// The columns of `v1_payment` but `version`, `updated_at`, `last_seq` and `metadata`.
#[must_use]
pub fn row(payment: &Payment, view: &ChainView) -> Map<String, Value> {
    let mut shown = asked_for(payment);
    shown.append(&mut judged(payment, view));
    shown
}

fn asked_for(payment: &Payment) -> Map<String, Value> {
    let terms = &payment.terms;
    object(json!({
        "payment_id": payment.id.as_str(),
        "chain": payment.chain.as_str(),
        "asset": terms.asset.as_str(),
        "address": payment.address,
        "amount_expected": amount(payment, terms.amount_expected),
        "allowed_shortfall": amount(payment, terms.allowed_shortfall),
        "policy": terms.policy.as_str(),
        "confirmations_required": terms.confirmations_required,
        "expires_at": terms.expires_at.0,
        "grace_ms": terms.grace.0,
        "late_accept_ms": terms.late_accept.0,
        "created_at": payment.created_at.0,
    }))
}

fn judged(payment: &Payment, view: &ChainView) -> Map<String, Value> {
    let judged = &payment.judged;
    let block = judged.block;
    object(json!({
        "amount_received": amount(payment, judged.received),
        "amount_counted": amount(payment, judged.counted),
        "shortfall": amount(payment, judged.shortfall),
        "surplus": amount(payment, judged.surplus),
        "status": judged.status.as_str(),
        "reason": judged.reason.map(Reason::as_str),
        "flags": judged.flags.to_string(),
        "needs_review": i32::from(judged.needs_review),
        "final": i32::from(judged.is_final),
        "confirmations": block.map_or(0, |block| view.confirmations(block.id.height)),
        "txid": judged.txid.map(|txid| txid_text(payment.kind, txid)),
        "block_height": block.map(|block| block.id.height.0),
        "block_hash": block.map(|block| hash_text(payment.kind, &block)),
        "block_at": block.map(|block| block.time.0),
        "first_seen_at": judged.first_seen_at.map(|at| at.0),
        "confirmed_at": judged.confirmed_at.map(|at| at.0),
        "paid_at": judged.paid_at.map(|at| at.0),
        "closed_at": judged.closed_at.map(|at| at.0),
        "watch_until_at": judged.watch_until_at.map(|at| at.0),
    }))
}

/// Shows another status, reason and finality than the payment has at the end of its step.
pub fn turn(shown: &mut Map<String, Value>, status: Status, reason: Option<Reason>, last: bool) {
    shown.insert("status".to_owned(), status.as_str().into());
    shown.insert("reason".to_owned(), reason.map(Reason::as_str).into());
    shown.insert("final".to_owned(), i32::from(last).into());
}

/// Adds the columns that change with every entry.
pub fn stamp(shown: &mut Map<String, Value>, version: u64, updated_at: UnixMs) {
    shown.insert("version".to_owned(), version.into());
    shown.insert("updated_at".to_owned(), updated_at.0.into());
}

/// The gateway's own object, which only the entry of the registration shows.
#[must_use]
pub fn metadata(payment: &Payment) -> Option<Value> {
    let text = payment.terms.metadata.as_ref()?;
    serde_json::from_str(text).ok()
}

/// A transfer by the columns of `v1_transfer`.
#[must_use]
pub fn transfer(transfer: &Transfer, kind: ChainKind, view: &ChainView) -> Value {
    let block = transfer.place.anchor().map(|anchor| anchor.block);
    json!({
        "txid": txid_text(kind, transfer.txid),
        "position": transfer.position.to_string(),
        "asset": transfer.asset.as_str(),
        "amount": transfer.amount.display(transfer.decimals).to_string(),
        "from_address": transfer.from_address,
        "state": transfer.place.as_str(),
        "disposition": transfer.disposition.as_str(),
        "replaced_by": replaced_by(&transfer.place).map(|txid| txid_text(kind, txid)),
        "first_seen_at": transfer.first_seen_at.0,
        "block_height": block.map(|block| block.id.height.0),
        "block_hash": block.map(|block| hash_text(kind, &block)),
        "block_at": block.map(|block| block.time.0),
        "confirmations": block.map_or(0, |block| view.confirmations(block.id.height)),
    })
}

const fn replaced_by(place: &Place) -> Option<TxId> {
    match place {
        Place::Replaced { by, .. } => Some(*by),
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => None,
    }
}

/// A transaction id as explorers of its chain show it.
#[must_use]
pub fn txid_text(kind: ChainKind, txid: TxId) -> String {
    format!("{}{txid}", kind.hash_prefix())
}

fn hash_text(kind: ChainKind, block: &BlockRef) -> String {
    format!("{}{}", kind.hash_prefix(), block.id.hash)
}

fn amount(payment: &Payment, amount: Amount) -> String {
    amount.display(payment.terms.decimals).to_string()
}

/// `json!` with braces always makes an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
