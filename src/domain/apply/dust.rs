//! Dust beyond the rows that an address may fill: one row in place of many.
//!
//! Knows the cap and how that row grows; knows nothing of what money means.

use crate::domain::{
    amount::Amount,
    block::TxId,
    facts::Credit,
    terms::Terms,
    transfer::{Anchor, Place, Position, Transfer},
};

/// Rows that one address may fill; further dust goes into one row, so that nobody can fill the
/// database by sending dust.
pub const MAX_ROWS: usize = 1000;

/// Less than this is dust in a credit's asset. The payment's own limit is the one that it is judged by; a later
/// one may be higher.
pub(super) fn limit(terms: &Terms, credit: &Credit) -> Amount {
    if credit.asset == terms.asset {
        credit.dust.min(terms.dust)
    } else {
        credit.dust
    }
}

/// The row that begins with the dust of one transaction, made of the row of a credit.
pub(super) fn row(credit: Transfer, amount: Amount) -> Transfer {
    Transfer {
        amount,
        position: Position::Dust,
        txid: TxId([0; 32]),
        from_address: None,
        first_block_at: credit.place.anchor().map(|anchor| anchor.block.time),
        ..credit
    }
}

/// Adds the dust of a transaction that stands later in the chain than all that the row holds.
pub(super) fn add(row: &mut Transfer, amount: Amount, anchor: Anchor) {
    let place = |anchor: &Anchor| (anchor.block.id.height, anchor.tx_index);
    let last = row.place.anchor();
    if last.is_none_or(|last| place(&anchor) > place(last)) {
        row.amount = row.amount.saturating_add(amount);
        row.place = Place::Block(anchor);
    }
}
