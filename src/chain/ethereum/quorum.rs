//! What enough operators hold. Pure: it counts what endpoints said, each operator once.

use super::endpoint::Holding;
use crate::domain::block::{BlockId, BlockRef, Height};
use std::collections::{BTreeMap, BTreeSet};

/// What one endpoint says, and who runs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote<'a> {
    pub operator: &'a str,
    pub holding: &'a Holding,
}

/// The highest of our blocks that so many operators hold. Who holds a block holds all below it.
pub(super) fn held(ours: &[BlockRef], votes: &[Vote<'_>], quorum: usize) -> Option<BlockRef> {
    let holds = |vote: &Vote<'_>, block: &BlockRef| {
        let top = vote.holding.held.map(|held| held.id.height);
        top.is_some_and(|top| top >= block.id.height)
    };
    let operators = |block: &BlockRef| {
        let holders = votes.iter().filter(|vote| holds(vote, block));
        let names: BTreeSet<&str> = holders.map(|vote| vote.operator).collect();
        names.len()
    };
    let mut from_top = ours.iter().rev();
    from_top.find(|block| operators(block) >= quorum).copied()
}

/// The height that so many operators have: one alone may claim any.
pub(super) fn height(votes: &[Vote<'_>], quorum: usize) -> Option<Height> {
    let mut heads: BTreeMap<&str, Height> = BTreeMap::new();
    for vote in votes {
        let head = heads.entry(vote.operator).or_default();
        *head = vote.holding.head.id.height.max(*head);
    }
    let mut heads: Vec<Height> = heads.into_values().collect();
    heads.sort_unstable_by(|one, other| other.cmp(one));
    heads.get(quorum.saturating_sub(1)).copied()
}

/// The lowest block that so many operators hold in place of one of ours.
pub(super) fn outvoted(votes: &[Vote<'_>], quorum: usize) -> Option<BlockId> {
    let mut others: BTreeMap<(Height, BlockId), BTreeSet<&str>> = BTreeMap::new();
    for vote in votes {
        for other in &vote.holding.others {
            let holders = others.entry((other.height, *other)).or_default();
            holders.insert(vote.operator);
        }
    }
    let enough = others.into_iter().find(|(_, names)| names.len() >= quorum);
    enough.map(|((_, other), _)| other)
}

#[cfg(test)]
mod tests;
