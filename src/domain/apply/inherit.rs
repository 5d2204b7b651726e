//! First-seen times along chains of replacements.

use super::places::replaced_by;
use crate::domain::{
    amount::Amount, assess::money, block::TxId, payment::Payment, time::UnixMs, transfer::Transfer,
};
use std::collections::BTreeMap;

/// What a transaction that was replaced leaves to those after it.
struct Legacy {
    since: UnixMs,
    amount: Amount,
    by: Option<TxId>,
}

/// A replacement is as early as what it replaced, so that bumping a fee after the deadline costs
/// nobody their payment. It must not pay more than was there in time, unless that was enough
/// already: a small transaction in time must not keep an old price open for a large one later.
/// What lies between the two in a chain of replacements does not matter.
pub(super) fn inherit_first_seen(payment: &mut Payment) {
    let legacies = legacies(payment);
    let enough = payment
        .terms
        .amount_expected
        .saturating_sub(payment.terms.allowed_shortfall);
    let mut earliest: BTreeMap<TxId, UnixMs> = BTreeMap::new();
    for legacy in legacies.values() {
        for (heir, amount) in heirs(&legacies, legacy.by) {
            if legacy.amount >= amount.min(enough) {
                let since = earliest.entry(heir).or_insert(legacy.since);
                *since = (*since).min(legacy.since);
            }
        }
    }
    for transfer in &mut payment.transfers {
        if let Some(since) = earliest.get(&transfer.txid) {
            transfer.first_seen_at = transfer.first_seen_at.min(*since);
        }
    }
}

/// Every transaction in the payment's own asset, while any was replaced.
fn legacies(payment: &Payment) -> BTreeMap<TxId, Legacy> {
    let is_replaced = |row: &Transfer| replaced_by(&row.place).is_some();
    if !payment.transfers.iter().any(is_replaced) {
        return BTreeMap::new();
    }
    let money = money::gather(payment);
    let mine = money.iter().filter(|money| money.expected);
    mine.map(|money| {
        let first = money
            .rows
            .first()
            .and_then(|row| payment.transfers.get(*row));
        let by = first.and_then(|row| replaced_by(&row.place));
        let (since, amount) = (money.since, money.amount);
        (money.txid, Legacy { since, amount, by })
    })
    .collect()
}

/// Those that took a transaction's place, one after the other. Every transaction comes at most
/// once, whatever circle the facts make.
fn heirs(
    legacies: &BTreeMap<TxId, Legacy>,
    first: Option<TxId>,
) -> impl Iterator<Item = (TxId, Amount)> {
    let of = |txid: TxId| Some((txid, legacies.get(&txid)?));
    let chain = std::iter::successors(first.and_then(of), move |(_, legacy)| {
        legacy.by.and_then(of)
    });
    chain
        .map(|(txid, legacy)| (txid, legacy.amount))
        .take(legacies.len())
}
