//! Dust beyond the rows that an address may fill: one row in place of many.
//!
//! Knows sums of a transaction and the cap; knows nothing of what money means.

use super::places::new_row;
use crate::domain::{
    amount::Amount,
    block::TxId,
    facts::{Credit, Fact},
    payment::Payment,
    transfer::{Anchor, Place, Position, Transfer},
};

/// Rows that one address may fill; further dust goes into one row, so that nobody can fill the
/// database by sending dust.
pub const MAX_ROWS: usize = 1000;

/// Whether a credit is dust beyond the rows that an address may fill.
pub(super) fn is_further_dust(payment: &Payment, credit: &Credit, all: &[Fact]) -> bool {
    let sum = || stored_sum(payment, credit).saturating_add(coming_sum(payment, credit, all));
    payment.transfers.len() >= MAX_ROWS && sum() < credit.dust
}

/// What the credit's whole transaction has brought in its asset.
fn stored_sum(payment: &Payment, credit: &Credit) -> Amount {
    let stored = payment.transfers.iter();
    let stored = stored.filter(|t| t.txid == credit.txid && t.asset == credit.asset);
    stored.fold(Amount::ZERO, |sum, t| sum.saturating_add(t.amount))
}

/// What the same facts bring of the credit's transaction in its asset and no row holds yet.
fn coming_sum(payment: &Payment, credit: &Credit, all: &[Fact]) -> Amount {
    let mut coming: Vec<&Credit> = Vec::new();
    for other in all.iter().filter_map(credit_of) {
        let same = other.txid == credit.txid && other.asset == credit.asset;
        let known = coming.iter().any(|c| c.position == other.position)
            || payment
                .transfers
                .iter()
                .any(|t| t.is(other.txid, &other.position));
        if same && !known {
            coming.push(other);
        }
    }
    let amounts = coming.into_iter().map(|credit| credit.amount);
    amounts.fold(Amount::ZERO, Amount::saturating_add)
}

const fn credit_of(fact: &Fact) -> Option<&Credit> {
    match fact {
        Fact::Mined { credit, .. } | Fact::Seen { credit, .. } => Some(credit),
        Fact::Disconnected { .. }
        | Fact::Evicted { .. }
        | Fact::Replaced { .. }
        | Fact::Conflicted { .. }
        | Fact::Scanned { .. }
        | Fact::ScanRefused { .. } => None,
    }
}

/// Adds a transaction's dust to the one row that holds further dust of its asset. The row
/// remembers the last place in the chain that it holds dust of and takes only later ones, so that
/// the same block seen twice is added once; dust that a reorganisation brings again is not added
/// again.
pub(super) fn aggregate(payment: &mut Payment, credit: &Credit, anchor: Anchor, all: &[Fact]) {
    let amount = coming_sum(payment, credit, all);
    let place = |anchor: &Anchor| (anchor.block.id.height, anchor.tx_index);
    let holds = |t: &&mut Transfer| t.position == Position::Dust && t.asset == credit.asset;
    match payment.transfers.iter_mut().find(holds) {
        Some(row)
            if row
                .place
                .anchor()
                .is_none_or(|last| place(&anchor) > place(last)) =>
        {
            row.amount = row.amount.saturating_add(amount);
            row.place = Place::Block(anchor);
        }
        Some(_) => {}
        None => {
            let mut row = new_row(credit, anchor.block.time, Place::Block(anchor));
            row.amount = amount;
            row.position = Position::Dust;
            row.txid = TxId([0; 32]);
            row.from_address = None;
            row.first_block_at = Some(anchor.block.time);
            payment.transfers.push(row);
        }
    }
}
