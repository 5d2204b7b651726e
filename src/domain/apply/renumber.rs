//! What contracts moved, by the names under which it is recorded.
//!
//! A move's place among the calls of its transaction is its name, but how the calls between are counted differs
//! from client to client. Who is asked first may change, with a restart even, so the same moves of a transaction
//! may be told again under other numbers. They are matched here as a whole, by who paid how much, before
//! anything else looks at a name: money that is recorded is never recorded again.

use crate::bugs::{Bug, planted};
use crate::domain::{
    block::{BlockHash, TxId},
    facts::{Credit, Fact},
    payment::Payment,
    transfer::{Position, Transfer},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The facts with the moves of contracts under the names that their rows have.
pub(super) fn as_recorded<'a>(payment: &Payment, facts: &'a [Fact]) -> Cow<'a, [Fact]> {
    let mut told: BTreeMap<(TxId, BlockHash), Vec<&Credit>> = BTreeMap::new();
    for (credit, block) in facts.iter().filter_map(moved) {
        let of_tx = told.entry((credit.txid, block)).or_default();
        if of_tx.iter().all(|known| known.position != credit.position) {
            of_tx.push(credit);
        }
    }
    let mut names: BTreeMap<(TxId, BlockHash, Position), Position> = BTreeMap::new();
    for ((txid, block), credits) in told {
        let rows = payment.transfers.iter();
        let rows = rows.filter(|row| row.txid == txid && is_trace(&row.position));
        let rows: Vec<&Transfer> = rows.collect();
        if rows.is_empty() {
            continue;
        }
        let renamed = renamed(&credits, &rows).into_iter();
        names.extend(renamed.map(|(told, name)| ((txid, block, told), name)));
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

/// What contracts moved in one transaction, each with another name than it was told under.
fn renamed(credits: &[&Credit], rows: &[&Transfer]) -> BTreeMap<Position, Position> {
    // By the name of the row, which move it holds.
    let mut holds: BTreeMap<&Position, &Position> = BTreeMap::new();
    let mut known: BTreeSet<&Position> = BTreeSet::new();
    // Those under their own names first.
    for is_exact in [true, false] {
        for credit in credits {
            let is_free = |row: &&&Transfer| !holds.contains_key(&row.position);
            let fits = |row: &Transfer| !is_exact || row.position == credit.position;
            let mut free = rows.iter().filter(is_free);
            let row = free.find(|row| fits(row) && is_same_money(credit, row));
            if let Some(row) = row.filter(|_| !known.contains(&credit.position)) {
                holds.insert(&row.position, &credit.position);
                known.insert(&credit.position);
            }
        }
    }
    let mut names: BTreeMap<Position, Position> = holds
        .iter()
        .map(|(row, told)| ((*told).clone(), (*row).clone()))
        .collect();
    for credit in credits.iter().filter(|c| !known.contains(&c.position)) {
        // Its own name, or that of the move which has taken it, and so on to one that nobody has.
        let taken = |name: &&Position| holds.get(*name).copied();
        let last = std::iter::successors(Some(&credit.position), taken).last();
        names.extend(last.map(|name| (credit.position.clone(), name.clone())));
    }
    names.retain(|told, name| told != name);
    names
}

fn is_same_money(credit: &Credit, row: &Transfer) -> bool {
    row.asset == credit.asset
        && row.amount == credit.amount
        && row.from_address == credit.from_address
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
