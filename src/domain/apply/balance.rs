//! Money of which only is known that a balance grew by it: a row without a transaction.

use super::ledger::Ledger;
use crate::domain::{
    amount::Amount,
    balance::{Balance, Checked, Meaning, meaning},
    block::{BlockRef, Height, TxId},
    evidence::Evidence,
    payment::Payment,
    time::UnixMs,
    transfer::{Anchor, Disposition, Place, Position, Transfer},
};

/// Comes after every transaction of its block.
const LAST: u32 = u32::MAX;

/// The address had so much after this block.
pub(super) fn told(ledger: &mut Ledger<'_>, block: BlockRef, balance: Amount, seen_at: UnixMs) {
    let meaning = meaning(ledger.payment(), block, balance);
    if let Meaning::Grew(growth) = meaning {
        grew(ledger, block, growth, seen_at);
    }
    let Some(known) = &mut ledger.payment().history.balance else {
        return;
    };
    let height = block.id.height;
    match meaning {
        Meaning::Unknown => return,
        Meaning::Base => known.base = Some(balance),
        Meaning::Same | Meaning::Grew(_) => {}
        Meaning::Fell => (known.since, known.base) = (height, Some(balance)),
    }
    let at = block.time;
    if !known.is_checked_to(height) {
        known.checked = Some(Checked { height, at });
    }
}

/// It is to be compared with what it was after this block from here on; never with an earlier one.
pub(super) fn begin(payment: &mut Payment, since: Height) {
    let balance = &mut payment.history.balance;
    if balance.is_none_or(|known| known.since < since) {
        *balance = Some(Balance::since(since));
    }
}

fn grew(ledger: &mut Ledger<'_>, block: BlockRef, growth: Amount, seen_at: UnixMs) {
    let payment = ledger.payment();
    if !payment.is_watched_at(seen_at.min(block.time)) {
        return;
    }
    if let Some(known) = payment.history.balance {
        payment.history.grown.insert(block.id.height, known.since);
    }
    let position = Position::Balance(block.id.height);
    let tx_index = LAST;
    let place = Place::Block(Anchor { block, tx_index });
    let mut rows = payment.transfers.iter_mut();
    if let Some(row) = rows.find(|row| row.position == position) {
        // Another block was at this height before.
        if !row.place.is_live() {
            if row.was_shown_by_one_alone() {
                row.first_seen_at = seen_at;
            }
            (row.place, row.amount) = (place, growth);
        }
        return;
    }
    let terms = &payment.terms;
    let row = Transfer {
        txid: TxId::of_balance(block.id.height),
        position,
        asset: terms.asset.clone(),
        decimals: terms.decimals,
        amount: growth,
        dust: terms.dust,
        from_address: None,
        coinbase: false,
        evidence: Evidence::Grown,
        place,
        disposition: Disposition::Dust,
        first_seen_at: seen_at,
        first_block_at: None,
        inputs: Vec::new(),
    };
    ledger.add(row);
}
