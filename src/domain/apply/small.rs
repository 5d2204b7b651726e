//! Small credits beyond the rows that an address may fill: one row for those of a transaction in one asset.
//!
//! A contract may pay in thousands of moves that are dust each and money together. Their sum is what is judged,
//! so beyond the cap it is what is recorded, as one credit of that transaction. It is made here, before anything
//! else looks at facts, and of all that a block tells of the transaction at once: told again it is the same
//! credit, and in another block it is what the transaction brings there.

use super::dust;
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    asset::AssetCode,
    block::{BlockHash, TxId},
    facts::{Credit, Fact},
    payment::Payment,
    transfer::{Position, Transfer},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// What one transaction brings in one asset in one block.
type Kind = (TxId, AssetCode, BlockHash);

/// The credits of a kind that no row holds yet.
#[derive(Default)]
struct Coming<'a> {
    known: BTreeSet<&'a Position>,
    /// All of them.
    total: Amount,
    /// Those that are dust each.
    small: Vec<&'a Credit>,
}

/// The facts with the sum of a transaction's small credits in their place, where there are too many rows.
pub(super) fn summed_up<'a>(payment: &Payment, facts: &'a [Fact]) -> Cow<'a, [Fact]> {
    let mut mined_credits = facts.iter().filter_map(mined);
    if !mined_credits.any(|(_, credit)| is_small(payment, credit)) {
        return Cow::Borrowed(facts);
    }
    let rows = payment.transfers.iter();
    let held: BTreeSet<(TxId, &Position)> = rows.map(|row| (row.txid, &row.position)).collect();
    let is_held = |credit: &Credit| {
        held.contains(&(credit.txid, &credit.position)) && !planted(Bug::SmallTwice)
    };
    let mut coming: BTreeMap<Kind, Coming<'_>> = BTreeMap::new();
    for (kind, credit) in facts.iter().filter_map(mined).filter(|(_, c)| !is_held(c)) {
        let of_kind = coming.entry(kind).or_default();
        if of_kind.known.insert(&credit.position) {
            of_kind.total = of_kind.total.saturating_add(credit.amount);
            of_kind
                .small
                .extend(Some(credit).filter(|credit| is_small(payment, credit)));
        }
    }
    let new = coming.values().map(|of_kind| of_kind.known.len());
    let is_full = new.fold(held.len(), usize::saturating_add) > dust::MAX_ROWS;
    let mut sums: BTreeMap<Kind, Option<Credit>> = BTreeMap::new();
    for (kind, of_kind) in coming {
        let is_summed = held.contains(&(kind.0, &Position::Sum(kind.1.clone())));
        if !of_kind.small.is_empty() && (is_summed || is_full && of_kind.is_money(payment)) {
            sums.insert(kind, sum(&of_kind.small));
        }
    }
    if sums.is_empty() {
        return Cow::Borrowed(facts);
    }
    let take = |fact: &Fact| match mined(fact) {
        Some((kind, credit)) if is_small(payment, credit) && !is_held(credit) => {
            match sums.get_mut(&kind) {
                Some(sum) => sum.take().map(|sum| with(fact, sum)),
                None => Some(fact.clone()),
            }
        }
        Some(_) | None => Some(fact.clone()),
    };
    Cow::Owned(facts.iter().filter_map(take).collect())
}

impl Coming<'_> {
    /// Whether several of them are small, and the transaction brings more than dust.
    fn is_money(&self, payment: &Payment) -> bool {
        let [first, _, ..] = self.small.as_slice() else {
            return false;
        };
        let of_kind = |row: &&Transfer| row.txid == first.txid && row.asset == first.asset;
        let rows = payment.transfers.iter().filter(of_kind);
        let total = rows.fold(self.total, |sum, row| sum.saturating_add(row.amount));
        total >= dust::limit(&payment.terms, first)
    }
}

fn is_small(payment: &Payment, credit: &Credit) -> bool {
    credit.position.may_be_summed_up() && credit.amount < dust::limit(&payment.terms, credit)
}

/// All of them as one, worth what vouches for the least of them, from whoever paid each of them.
fn sum(small: &[&Credit]) -> Option<Credit> {
    let (first, rest) = small.split_first()?;
    let mut sum = Credit {
        position: Position::Sum(first.asset.clone()),
        ..(*first).clone()
    };
    for credit in rest {
        sum.amount = sum.amount.saturating_add(credit.amount);
        sum.evidence = sum.evidence.min(credit.evidence);
        sum.in_told_block |= credit.in_told_block;
        sum.from_address = sum
            .from_address
            .filter(|payer| Some(payer) == credit.from_address.as_ref());
    }
    Some(sum)
}

fn with(fact: &Fact, sum: Credit) -> Fact {
    let mut fact = fact.clone();
    if let Fact::Mined { credit, .. } = &mut fact {
        *credit = sum;
    }
    fact
}

fn mined(fact: &Fact) -> Option<(Kind, &Credit)> {
    let Fact::Mined { credit, block, .. } = fact else {
        return None;
    };
    let kind = (credit.txid, credit.asset.clone(), block.id.hash);
    Some((kind, credit))
}
