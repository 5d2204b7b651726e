//! First-seen times along chains of replacements.

use super::places::replaced_by;
use crate::domain::{
    amount::Amount, assess::money, block::TxId, facts::OutPoint, payment::Payment, time::UnixMs,
    transfer::Transfer,
};
use std::collections::{BTreeMap, BTreeSet};

/// Longer chains of replacements pass nothing on from end to end: whoever bumps a fee does it a
/// few times, and who makes thousands of transactions must not make each as costly as all.
const LINKS_MAX: usize = 100;

/// What a transaction that was replaced leaves to those after it.
struct Legacy<'a> {
    spends: &'a [OutPoint],
    since: UnixMs,
    first_seen_at: UnixMs,
    amount: Amount,
    by: Option<TxId>,
}

/// A replacement is as early as what it replaced, so that bumping a fee after the deadline costs
/// nobody their payment. It must not pay more than was there in time, unless that was enough
/// already: a small transaction in time must not keep an old price open for a large one later.
/// Nor may it come later than unconfirmed money is waited for. What lies between the two in a
/// chain of replacements does not matter.
pub(super) fn inherit_first_seen(payment: &mut Payment) {
    let legacies = legacies(payment);
    let mut earliest: BTreeMap<TxId, UnixMs> = BTreeMap::new();
    for legacy in legacies.values() {
        for (heir, to) in heirs(&legacies, legacy.by) {
            if may_inherit(payment, to, legacy.since, legacy.amount) {
                let since = earliest.entry(heir).or_insert(legacy.since);
                *since = (*since).min(legacy.since);
            }
        }
    }
    inherit_together(payment, &legacies, &mut earliest);
    for transfer in &mut payment.transfers {
        if let Some(since) = earliest.get(&transfer.txid) {
            transfer.first_seen_at = transfer.first_seen_at.min(*since);
        }
    }
}

/// One transaction that replaces several at once pays what all of them paid, and is as early as
/// the last of them. Those that spend the same output are the same money and count once.
fn inherit_together(
    payment: &Payment,
    legacies: &BTreeMap<TxId, Legacy<'_>>,
    earliest: &mut BTreeMap<TxId, UnixMs>,
) {
    let mut replaced: BTreeMap<TxId, Vec<(UnixMs, &Legacy<'_>)>> = BTreeMap::new();
    for (txid, legacy) in legacies {
        if let Some(by) = legacy.by {
            let inherited = earliest.get(txid).copied().unwrap_or(legacy.since);
            let since = inherited.min(legacy.since);
            replaced.entry(by).or_default().push((since, legacy));
        }
    }
    for (heir, mut all) in replaced {
        let Some(to) = legacies.get(&heir) else {
            continue;
        };
        all.sort_unstable_by_key(|(since, _)| *since);
        let mut sum = Amount::ZERO;
        let mut spent: BTreeSet<OutPoint> = BTreeSet::new();
        for (since, legacy) in all {
            let is_known = |output: &OutPoint| spent.contains(output);
            if legacy.spends.is_empty() || legacy.spends.iter().any(is_known) {
                continue;
            }
            spent.extend(legacy.spends);
            sum = sum.saturating_add(legacy.amount);
            if may_inherit(payment, to, since, sum) {
                let known = earliest.entry(heir).or_insert(since);
                *known = (*known).min(since);
                break;
            }
        }
    }
}

fn may_inherit(payment: &Payment, heir: &Legacy<'_>, since: UnixMs, amount: Amount) -> bool {
    let terms = &payment.terms;
    let enough = terms
        .amount_expected
        .saturating_sub(terms.allowed_shortfall);
    amount >= heir.amount.min(enough) && heir.first_seen_at <= since.plus(terms.confirm_timeout)
}

/// Every transaction in the payment's own asset, while any was replaced.
fn legacies(payment: &Payment) -> BTreeMap<TxId, Legacy<'_>> {
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
        let mut rows = money.rows.iter();
        let spends = rows.find_map(|row| {
            let inputs = &payment.transfers.get(*row)?.inputs;
            (!inputs.is_empty()).then_some(inputs.as_slice())
        });
        let legacy = Legacy {
            spends: spends.unwrap_or_default(),
            since: money.since,
            first_seen_at: money.first_seen_at,
            amount: money.amount,
            by,
        };
        (money.txid, legacy)
    })
    .collect()
}

/// Those that took a transaction's place, one after the other. Every transaction comes at most
/// once, whatever circle the facts make.
fn heirs<'a>(
    legacies: &'a BTreeMap<TxId, Legacy<'a>>,
    first: Option<TxId>,
) -> impl Iterator<Item = (TxId, &'a Legacy<'a>)> {
    let of = |txid: TxId| Some((txid, legacies.get(&txid)?));
    let chain = std::iter::successors(first.and_then(of), move |(_, legacy)| {
        legacy.by.and_then(of)
    });
    chain.take(legacies.len().min(LINKS_MAX))
}
