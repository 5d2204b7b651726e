//! Credits beyond the rows that an address may fill: one row for those of a transaction in one asset.
//!
//! A contract may pay in thousands of moves that are dust each and money together. Their sum is what is judged,
//! so beyond the cap it is what is recorded, as one credit of that transaction. So are those of any size where
//! nobody vouches for them, since whoever claims them pays nothing for it, or where they are too many. It is made
//! here, before anything else looks at facts, and of all that a block tells of the transaction at once: told again
//! it is the same credit, and in another block it is what the transaction brings there.

use super::dust;
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    asset::AssetCode,
    block::{BlockHash, TxId},
    evidence::Evidence,
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
    /// Those that a contract may have any number of.
    many: Vec<&'a Credit>,
}

/// One credit in place of many.
struct Sum {
    /// Until it has taken the place of the first of them.
    credit: Option<Credit>,
    /// Whether it is that of all that a contract may have many of, or else of those that are dust each.
    of_all: bool,
}

/// The facts with the sum of a transaction's credits in their place, where there are too many rows.
pub(super) fn summed_up<'a>(payment: &Payment, facts: &'a [Fact]) -> Cow<'a, [Fact]> {
    let rows = payment.transfers.iter();
    let has_sum = rows.clone().any(|row| row.sums_up(row.txid, &row.asset));
    if !has_sum && payment.transfers.len().saturating_add(facts.len()) <= dust::MAX_ROWS {
        return Cow::Borrowed(facts);
    }
    let held: BTreeSet<(TxId, &Position)> = rows.map(|row| (row.txid, &row.position)).collect();
    let is_held = |credit: &Credit| {
        held.contains(&(credit.txid, &credit.position)) && !planted(Bug::SmallTwice)
    };
    let mut coming: BTreeMap<Kind, Coming<'_>> = BTreeMap::new();
    for (kind, credit) in facts.iter().filter_map(mined).filter(|(_, c)| !is_held(c)) {
        let of_kind = coming.entry(kind).or_default();
        if of_kind.known.insert(&credit.position) {
            of_kind.total = of_kind.total.saturating_add(credit.amount);
            let is_of_many = credit.position.may_be_summed_up();
            of_kind.many.extend(Some(credit).filter(|_| is_of_many));
        }
    }
    let new = coming.values().map(|of_kind| of_kind.known.len());
    let is_full = new.fold(held.len(), usize::saturating_add) > dust::MAX_ROWS;
    let mut sums: BTreeMap<Kind, Sum> = BTreeMap::new();
    for (kind, of_kind) in coming {
        let row = Position::Sum(kind.1.clone());
        let is_summed = held.contains(&(kind.0, &row)) && !planted(Bug::SumTwice);
        let sum = if is_summed {
            // Any of them may be in it already.
            of_kind.sum(payment, true)
        } else if is_full {
            of_kind.new_sum(payment)
        } else {
            None
        };
        sums.extend(sum.map(|sum| (kind, sum)));
    }
    if sums.is_empty() {
        return Cow::Borrowed(facts);
    }
    let take = |fact: &Fact| match mined(fact) {
        Some((kind, credit)) if credit.position.may_be_summed_up() && !is_held(credit) => {
            let sum = sums.get_mut(&kind);
            match sum.filter(|sum| sum.of_all || is_small(payment, credit)) {
                Some(sum) => sum.credit.take().map(|sum| with(fact, sum)),
                None => Some(fact.clone()),
            }
        }
        Some(_) | None => Some(fact.clone()),
    };
    Cow::Owned(facts.iter().filter_map(take).collect())
}

impl Coming<'_> {
    /// Their sum where an address is full, and none of them is in a sum yet: of several that are more than dust.
    fn new_sum(&self, payment: &Payment) -> Option<Sum> {
        let is_claim = |credit: &&Credit| credit.evidence <= Evidence::Claimed;
        let of_all = self.many.iter().all(is_claim) || self.many.len() > dust::MAX_ROWS;
        let of_several = self.parts(payment, of_all).nth(1).is_some();
        (of_several && self.is_money(payment))
            .then(|| self.sum(payment, of_all))
            .flatten()
    }

    /// Those that are dust each, or all.
    fn parts(&self, payment: &Payment, of_all: bool) -> impl Iterator<Item = &Credit> {
        let parts = self.many.iter().copied();
        parts.filter(move |credit| of_all || is_small(payment, credit))
    }

    fn sum(&self, payment: &Payment, of_all: bool) -> Option<Sum> {
        let credit = sum(self.parts(payment, of_all));
        credit.is_some().then_some(Sum { credit, of_all })
    }

    /// Whether the transaction brings more than dust.
    fn is_money(&self, payment: &Payment) -> bool {
        let Some(first) = self.many.first() else {
            return false;
        };
        let of_kind = |row: &&Transfer| row.txid == first.txid && row.asset == first.asset;
        let rows = payment.transfers.iter().filter(of_kind);
        let total = rows.fold(self.total, |sum, row| sum.saturating_add(row.amount));
        total >= dust::limit(&payment.terms, first)
    }
}

fn is_small(payment: &Payment, credit: &Credit) -> bool {
    credit.amount < dust::limit(&payment.terms, credit)
}

/// All of them as one, worth what vouches for the least of them, from whoever paid each of them.
fn sum<'a>(mut credits: impl Iterator<Item = &'a Credit>) -> Option<Credit> {
    let first = credits.next()?;
    let mut sum = Credit {
        position: Position::Sum(first.asset.clone()),
        ..first.clone()
    };
    for credit in credits {
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
