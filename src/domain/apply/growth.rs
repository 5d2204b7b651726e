//! What a balance grew by, once the transactions are known that brought it: by a scan of the past, or when an
//! endpoint that traces was found. The same money is never there twice, and whoever accepted it accepted it
//! under whatever name.

use super::super::{
    amount::Amount,
    assess::money,
    block::Height,
    payment::Payment,
    transfer::{Anchor, Place, Position, Transfer},
};
use crate::bugs::{Bug, planted};

/// Rows by their numbers, as they were when a person accepted what they hold.
pub(super) type RestsOn = Vec<(usize, Transfer)>;

/// For each row, whether it is money that is known to stand in a block.
pub(super) fn known(payment: &Payment) -> Vec<bool> {
    let rows = payment.transfers.iter();
    rows.map(|row| is_known(payment, row)).collect()
}

fn is_known(payment: &Payment, row: &Transfer) -> bool {
    row.place.anchor().is_some()
        && row.asset == payment.terms.asset
        && !row.is_growth()
        && money::is_vouched_for(row)
}

/// Takes what came to be known since `before` out of what was only known to have grown. A balance that was looked
/// at earlier left it out; one that was looked at before the block of that money, or is compared with a balance after
/// it, has nothing to do with it.
pub(super) fn explain(payment: &mut Payment, before: &[bool], rests_on: &mut RestsOn) {
    if planted(Bug::GrowthTwice) {
        return;
    }
    let all = payment.transfers.iter().enumerate();
    let grown: Vec<usize> = all
        .filter_map(|(row, growth)| grown_at(growth).map(|_| row))
        .collect();
    if grown.is_empty() {
        return;
    }
    for row in 0..payment.transfers.len() {
        let found = payment.transfers.get(row).cloned();
        let is_new = |found: &Transfer| {
            before.get(row).is_none_or(|was_known| !was_known) && is_known(payment, found)
        };
        let Some(found) = found.filter(is_new) else {
            continue;
        };
        let Some(anchor) = found.place.anchor().copied() else {
            continue;
        };
        let mut left = found.amount;
        for growth in grown_with(payment, &grown, row, anchor.block.id.height) {
            if left.is_zero() {
                break;
            }
            left = take_out(payment, growth, (row, anchor), left, rests_on);
        }
    }
}

/// Those of the rows of growth that hold money of a block, recorded before the row that tells of it; the lowest first.
fn grown_with(payment: &Payment, grown: &[usize], row: usize, height: Height) -> Vec<usize> {
    let holds = |growth: &Transfer| {
        let at = grown_at(growth)?;
        let since = payment.history.grown.get(&at).copied().unwrap_or_default();
        (at >= height && since < height).then_some(at)
    };
    let earlier = grown.iter().copied().take_while(|growth| *growth < row);
    let mut holding: Vec<(Height, usize)> = earlier
        .filter_map(|index| Some((holds(payment.transfers.get(index)?)?, index)))
        .collect();
    holding.sort_unstable();
    holding.into_iter().map(|(_, index)| index).collect()
}

/// After which block the balance was looked at that a live row of growth comes from.
fn grown_at(row: &Transfer) -> Option<Height> {
    let is_live = row.is_growth() && row.place.is_live();
    match row.position {
        Position::Balance(at) if is_live => Some(at),
        Position::Balance(_)
        | Position::Output(_)
        | Position::Log(_)
        | Position::Transaction
        | Position::Trace(_)
        | Position::Sum(_)
        | Position::Dust => None,
    }
}

/// Takes known money out of a row of growth, and says how much of it is left. A row of which nothing is left, or
/// less than counts, says what took its place, and keeps its amount.
fn take_out(
    payment: &mut Payment,
    growth: usize,
    (row, anchor): (usize, Anchor),
    left: Amount,
    rests_on: &mut RestsOn,
) -> Amount {
    let dust = payment.terms.dust;
    let Some(by) = payment.transfers.get(row).map(|found| found.txid) else {
        return left;
    };
    let Some(grown) = payment.transfers.get_mut(growth) else {
        return left;
    };
    let rest = grown.amount.saturating_sub(left);
    let left = left.saturating_sub(grown.amount);
    let is_over = rest.is_zero() || rest < dust;
    if is_over {
        let confirmed_in = Some(anchor.block);
        grown.place = Place::Replaced { by, confirmed_in };
    } else {
        grown.amount = rest;
    }
    let grown = grown.clone();
    if let Some(found) = payment.transfers.get_mut(row) {
        // It is the same money, and was seen when the balance grew.
        found.first_seen_at = found.first_seen_at.min(grown.first_seen_at);
    }
    hand_over(payment, growth, &grown, row, rests_on);
    left
}

/// Whoever accepted what the balance grew by accepted the transaction that brought it.
fn hand_over(
    payment: &mut Payment,
    growth: usize,
    grown: &Transfer,
    row: usize,
    rests_on: &mut RestsOn,
) {
    let Some(accepted) = &mut payment.history.accepted else {
        return;
    };
    let of_growth = grown.txid.to_string();
    let Some(found) = payment.transfers.get(row) else {
        return;
    };
    if !accepted.txids.contains(&of_growth) {
        return;
    }
    let txid = found.txid.to_string();
    if !accepted.txids.contains(&txid) {
        accepted.txids.push(txid);
    }
    rests_on.retain(|(known, _)| *known != growth && *known != row);
    rests_on.push((row, found.clone()));
    if grown.place.is_live() {
        rests_on.push((growth, grown.clone()));
    } else {
        accepted.txids.retain(|txid| *txid != of_growth);
    }
}
