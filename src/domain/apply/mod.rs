//! From facts about one payment to the step that they cause.
//!
//! Takes the facts, judges, and tells the difference. Knows nothing of other payments and never
//! loads, stores or logs anything.

mod balance;
mod dust;
mod growth;
mod inherit;
mod journal;
mod ledger;
mod pairs;
mod places;
mod renumber;
mod small;

pub use dust::MAX_ROWS;

use super::{
    assess::{self, money},
    evidence::Evidence,
    facts::Fact,
    flags::Flag,
    payment::Payment,
    step::PaymentStep,
    time::UnixMs,
    transfer::{Place, Transfer},
    view::ChainView,
};
use serde_json::{Map, Value};

/// What these facts, in this order, make of a payment; `None` when they change nothing at all.
/// Without facts the payment is judged again, because time or the chain went on.
#[must_use]
pub fn apply(
    payment: &Payment,
    facts: &[Fact],
    view: &ChainView,
    now: UnixMs,
) -> Option<PaymentStep> {
    let mut after = payment.clone();
    let facts = renumber::as_recorded(payment, facts);
    places::take(&mut after, &small::summed_up(payment, &facts));
    after
        .scan
        .settle_goal(view.scanned.map(|cursor| cursor.id.height));
    conclude(payment, after, None, view, now)
}

/// Judges a payment whose facts or history changed, and tells the difference.
pub(super) fn conclude(
    before: &Payment,
    mut after: Payment,
    command: Option<Map<String, Value>>,
    view: &ChainView,
    now: UnixMs,
) -> Option<PaymentStep> {
    let refund_lost = remember_moves(before, &mut after, now);
    let assessment = assess::assess(&after, view, now);
    after.judged = assessment.judgement;
    after.history = assessment.history;
    for (transfer, disposition) in after.transfers.iter_mut().zip(assessment.dispositions) {
        transfer.disposition = disposition;
    }
    let (payment, entries) = journal::write(before, after, command, refund_lost, view, now);
    (payment != *before).then(|| PaymentStep {
        changed: changed(before, &payment),
        payment,
        is_new: false,
        entries,
    })
}

fn changed(before: &Payment, after: &Payment) -> Vec<usize> {
    let differs = |(row, transfer): (usize, &Transfer)| {
        (before.transfers.get(row) != Some(transfer)).then_some(row)
    };
    after
        .transfers
        .iter()
        .enumerate()
        .filter_map(differs)
        .collect()
}

/// Puts into the history what the moves of significant money leave behind: sticking flags, the
/// time of the last money, and whether money left the chain that had been refunded.
fn remember_moves(before: &Payment, after: &mut Payment, now: UnixMs) -> bool {
    let mut left_chain = false;
    let mut history = after.history.clone();
    for money in money::gather(after).iter().filter(|m| m.significant) {
        for row in &money.rows {
            let (was, is) = (before.transfers.get(*row), after.transfers.get(*row));
            let Some(is) = is else { continue };
            let was_in = was.and_then(|t| t.place.anchor()).map(|a| a.block.id);
            let is_in = is.place.anchor().map(|a| a.block.id);
            left_chain |= was_in.is_some() && is_in.is_none();
            history.sticky = history
                .sticky
                .with_if(Flag::Reorged, was_in.is_some() && was_in != is_in)
                .with_if(Flag::Replaced, is_replaced(is))
                .with_if(Flag::Degraded, is_weakly_vouched_for(is));
            if was.map(|t| t.place) != Some(is.place) {
                history.money_at = history.money_at.max(Some(now));
            }
        }
    }
    let is_growth = |row: &Transfer| row.is_growth() && row.place.is_live();
    let has_growth = after.transfers.iter().any(is_growth);
    history.sticky = history.sticky.with_if(Flag::Degraded, has_growth);
    let refund_lost = left_chain && history.refunded.is_some();
    if refund_lost {
        history.reversals = history.reversals.saturating_add(1);
        history.sticky = history.sticky.with(Flag::Reversed);
    }
    after.history = history;
    refund_lost
}

/// Whether less vouches for a transfer, as far as anything does, than independent operators or a hash.
const fn is_weakly_vouched_for(transfer: &Transfer) -> bool {
    let is_weak = match transfer.evidence {
        Evidence::Told | Evidence::Weighed => true,
        Evidence::Doubted
        | Evidence::Grown
        | Evidence::Claimed
        | Evidence::Witnessed
        | Evidence::Proven => false,
    };
    transfer.place.is_live() && is_weak
}

const fn is_replaced(transfer: &Transfer) -> bool {
    match transfer.place {
        Place::Replaced { .. } => true,
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => false,
    }
}
