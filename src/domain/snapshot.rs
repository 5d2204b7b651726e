//! A payment as JSON, for the journal: the columns of its row, by their public names.
//!
//! Amounts are decimal strings with the asset's full scale, times are milliseconds, hashes look
//! as explorers show them. Knows nothing of why anything changed.

use super::{
    amount::{Amount, Decimal},
    asset::ChainKind,
    block::{BlockRef, TxId},
    flags::Flags,
    payment::Payment,
    status::{Reason, Status},
    time::UnixMs,
    transfer::{Place, Transfer},
    view::ChainView,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json, value::RawValue};
use std::fmt::Display;

/// The columns of `v1_payment` but `last_seq` and `metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row<'a> {
    payment_id: &'a str,
    chain: &'a str,
    asset: &'a str,
    address: &'a str,
    amount_expected: Shown<Decimal>,
    amount_received: Shown<Decimal>,
    amount_counted: Shown<Decimal>,
    shortfall: Shown<Decimal>,
    surplus: Shown<Decimal>,
    allowed_shortfall: Shown<Decimal>,
    policy: &'static str,
    status: &'static str,
    reason: Option<&'static str>,
    flags: Shown<Flags>,
    needs_review: u8,
    r#final: u8,
    confirmations: u32,
    confirmations_required: u32,
    txid: Option<String>,
    block_height: Option<u32>,
    block_hash: Option<String>,
    block_at: Option<i64>,
    first_seen_at: Option<i64>,
    confirmed_at: Option<i64>,
    paid_at: Option<i64>,
    expires_at: i64,
    grace_ms: i64,
    late_accept_ms: i64,
    closed_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    watch_until_at: Option<i64>,
    version: u64,
    depth_rule: &'static str,
}

/// What an entry tells beside the row.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About<'a> {
    /// The gateway's own object, which only the entry of the registration shows: as it was
    /// written, since its numbers may have more digits than we understand.
    Metadata(&'a RawValue),
    /// The request that was carried out.
    Command(Value),
    /// A transfer, see [`transfer`].
    Transfer(Value),
    /// What a person should know, see [`attention`].
    Attention(Value),
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    row: &'a Row<'a>,
    #[serde(flatten)]
    about: Option<About<'a>>,
}

/// A value that stands in JSON as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> Row<'a> {
    /// A payment's row as it is now.
    #[must_use]
    pub fn of(payment: &'a Payment, view: &ChainView) -> Self {
        let (terms, judged) = (&payment.terms, &payment.judged);
        let block = judged.block;
        let amount = |amount: Amount| Shown(amount.display(terms.decimals));
        let at = |at: Option<UnixMs>| at.map(|at| at.0);
        Self {
            payment_id: payment.id.as_str(),
            chain: payment.chain.as_str(),
            asset: terms.asset.as_str(),
            address: &payment.address,
            amount_expected: amount(terms.amount_expected),
            amount_received: amount(judged.received),
            amount_counted: amount(judged.counted),
            shortfall: amount(judged.shortfall),
            surplus: amount(judged.surplus),
            allowed_shortfall: amount(terms.allowed_shortfall),
            policy: terms.policy.as_str(),
            status: judged.status.as_str(),
            reason: judged.reason.map(Reason::as_str),
            flags: Shown(judged.flags),
            needs_review: judged.needs_review.into(),
            r#final: judged.is_final.into(),
            confirmations: block.map_or(0, |block| view.confirmations(block.id.height)),
            confirmations_required: terms.depth.confirmations,
            txid: judged
                .txid
                .filter(TxId::exists)
                .map(|txid| txid_text(payment.kind, txid)),
            block_height: block.map(|block| block.id.height.0),
            block_hash: block.map(|block| hash_text(payment.kind, &block)),
            block_at: block.map(|block| block.time.0),
            first_seen_at: at(judged.first_seen_at),
            confirmed_at: at(judged.confirmed_at),
            paid_at: at(judged.paid_at),
            expires_at: terms.expires_at.0,
            grace_ms: terms.grace.0,
            late_accept_ms: terms.late_accept.0,
            closed_at: at(judged.closed_at),
            created_at: payment.created_at.0,
            updated_at: payment.updated_at.0,
            watch_until_at: at(judged.watch_until_at),
            version: payment.version,
            depth_rule: terms.depth.rule.as_str(),
        }
    }

    /// With another status, reason, finality and time of change than the payment has at the end
    /// of its step.
    #[must_use]
    pub fn amid(self, status: Status, reason: Option<Reason>, last: bool, at: UnixMs) -> Self {
        Self {
            status: status.as_str(),
            reason: reason.map(Reason::as_str),
            r#final: last.into(),
            updated_at: at.0,
            ..self
        }
    }

    /// The text of a JSON object, with what its entry is about. Plain fields always have one; the
    /// journal takes no empty text.
    #[must_use]
    pub fn tell(&self, about: Option<About<'_>>) -> String {
        serde_json::to_string(&Told { row: self, about }).unwrap_or_default()
    }
}

impl<'a> About<'a> {
    /// The metadata of a payment that has some.
    #[must_use]
    pub fn metadata(payment: &'a Payment) -> Option<Self> {
        let text = payment.terms.metadata.as_deref()?;
        serde_json::from_str(text).ok().map(Self::Metadata)
    }
}

/// What a person should know, with a word for programs.
#[must_use]
pub fn attention(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

/// A transfer by the columns of `v1_transfer`.
#[must_use]
pub fn transfer(transfer: &Transfer, kind: ChainKind, view: &ChainView) -> Value {
    let block = transfer.place.anchor().map(|anchor| anchor.block);
    json!({
        "txid": transfer.txid.exists().then(|| txid_text(kind, transfer.txid)),
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
        "evidence": transfer.evidence.as_str(),
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
