//! What contracts moved, by the names under which it is recorded.
//!
//! A move's place among the calls of its transaction is its name, but how the calls between are counted differs
//! from client to client. Who is asked first may change, with a restart even, so the same moves of a transaction
//! may be told again under other numbers. They are matched here as a whole, by who paid how much, before
//! anything else looks at a name: money that is recorded is never recorded again.

use super::pairs;
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    asset::AssetCode,
    block::{BlockHash, TxId},
    facts::{Credit, Fact},
    payment::Payment,
    transfer::Position,
};
use std::{borrow::Cow, collections::BTreeMap};

/// Who moved how much of what.
type Moved<'a> = (&'a AssetCode, Amount, Option<&'a str>);

/// A move by its name.
type Named<'a> = (&'a Position, Moved<'a>);

/// The facts with the moves of contracts under the names that their rows have.
pub(super) fn as_recorded<'a>(payment: &Payment, facts: &'a [Fact]) -> Cow<'a, [Fact]> {
    let mut told: BTreeMap<(TxId, BlockHash), Vec<Named<'_>>> = BTreeMap::new();
    for (credit, block) in facts.iter().filter_map(moved) {
        let money = (&credit.asset, credit.amount, credit.from_address.as_deref());
        let of_tx = told.entry((credit.txid, block)).or_default();
        of_tx.push((&credit.position, money));
    }
    let mut rows: BTreeMap<TxId, Vec<Named<'_>>> = BTreeMap::new();
    for row in payment.transfers.iter().filter(|_| !told.is_empty()) {
        if is_trace(&row.position) {
            let money = (&row.asset, row.amount, row.from_address.as_deref());
            let of_tx = rows.entry(row.txid).or_default();
            of_tx.push((&row.position, money));
        }
    }
    let mut names: BTreeMap<(TxId, BlockHash, Position), Position> = BTreeMap::new();
    for ((txid, block), credits) in told {
        let rows = rows.get(&txid).map_or(&[][..], Vec::as_slice);
        let renamed = pairs::names(&credits, rows).into_iter();
        names.extend(renamed.map(|(told, name)| ((txid, block, told.clone()), name.clone())));
    }
    if names.is_empty() || planted(Bug::RenumberedTwice) {
        return Cow::Borrowed(facts);
    }
    Cow::Owned(facts.iter().map(|fact| rename(fact, &names)).collect())
}

fn rename(fact: &Fact, names: &BTreeMap<(TxId, BlockHash, Position), Position>) -> Fact {
    let mut fact = fact.clone();
    if let Fact::Mined { credit, block, .. } = &mut fact {
        let told = (credit.txid, block.id.hash, credit.position.clone());
        if let Some(name) = names.get(&told) {
            credit.position.clone_from(name);
        }
    }
    fact
}

const fn is_trace(position: &Position) -> bool {
    matches!(position, Position::Trace(_))
}

/// A move of a contract, and the block that it is told of.
fn moved(fact: &Fact) -> Option<(&Credit, BlockHash)> {
    let Fact::Mined { credit, block, .. } = fact else {
        return None;
    };
    is_trace(&credit.position).then_some((credit, block.id.hash))
}
