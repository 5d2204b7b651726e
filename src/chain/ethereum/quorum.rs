//! What enough operators hold. Pure: it counts what endpoints said, each operator once.

use crate::{
    bugs::{Bug, planted},
    domain::block::{BlockId, BlockRef, Height},
};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks on the best chain of one endpoint, and who runs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote<'a> {
    pub operator: &'a str,
    pub blocks: &'a [BlockRef],
}

/// Who counts once: an operator, whatever endpoints it has.
type Voice<'a> = (&'a str, Option<usize>);

/// Who runs the endpoint at this place: where nobody is named, each is its own.
pub(super) fn operator(operators: &[String], at: usize) -> String {
    let named = operators.get(at).cloned();
    named.unwrap_or_else(|| at.to_string())
}

/// The highest block that so many operators hold. They hold all below it, too.
pub(super) fn held(votes: &[Vote<'_>], quorum: usize) -> Option<BlockRef> {
    held_of(votes, quorum, |_| true)
}

/// The same among some blocks.
pub(super) fn held_of(
    votes: &[Vote<'_>],
    quorum: usize,
    is_asked_for: impl Fn(&BlockRef) -> bool,
) -> Option<BlockRef> {
    let mut holders: BTreeMap<(Height, BlockId), (BlockRef, BTreeSet<Voice<'_>>)> = BTreeMap::new();
    for (at, vote) in votes.iter().enumerate() {
        let own = Some(at).filter(|_| planted(Bug::EndpointsCounted));
        for block in vote.blocks.iter().filter(|block| is_asked_for(block)) {
            let key = (block.id.height, block.id);
            let (_, names) = holders
                .entry(key)
                .or_insert_with(|| (*block, BTreeSet::new()));
            names.insert((vote.operator, own));
        }
    }
    let mut from_top = holders.into_values().rev();
    let enough = from_top.find(|(_, names)| names.len() >= quorum);
    enough.map(|(block, _)| block)
}

/// How many operators say something.
pub(super) fn voices(votes: &[Vote<'_>]) -> usize {
    let operators = votes.iter().map(|vote| vote.operator);
    operators.collect::<BTreeSet<_>>().len()
}

/// Two blocks at one height, the highest such, each of which so many operators hold.
pub(super) fn split(votes: &[Vote<'_>], quorum: usize) -> Option<[BlockId; 2]> {
    let mut holders: BTreeMap<(Height, BlockId), BTreeSet<&str>> = BTreeMap::new();
    for vote in votes {
        for BlockRef { id, .. } in vote.blocks {
            holders
                .entry((id.height, *id))
                .or_default()
                .insert(vote.operator);
        }
    }
    let enough = holders
        .into_iter()
        .filter(|(_, names)| names.len() >= quorum);
    let held: Vec<BlockId> = enough.map(|((_, block), _)| block).collect();
    let mut pairs = held.windows(2).rev();
    let pair = pairs.find_map(|pair| match pair {
        [one, other] if one.height == other.height => Some([*one, *other]),
        _ => None,
    });
    pair.filter(|_| !planted(Bug::SplitIgnored))
}

/// The height that so many operators have: one alone may claim any.
pub(super) fn height(votes: &[Vote<'_>], quorum: usize) -> Option<Height> {
    let mut tops: BTreeMap<Voice<'_>, Height> = BTreeMap::new();
    for (at, vote) in votes.iter().enumerate() {
        let own = Some(at).filter(|_| planted(Bug::EndpointsCounted));
        let heights = vote.blocks.iter().map(|block| block.id.height);
        if let Some(highest) = heights.max() {
            let top = tops.entry((vote.operator, own)).or_default();
            *top = highest.max(*top);
        }
    }
    nth_highest(tops.into_values(), quorum)
}

/// The highest of the blocks that as many operators name with these very words, such as a tag.
pub(super) fn named(names: &[(&str, BlockId)], quorum: usize) -> Option<BlockId> {
    let mut voices: BTreeMap<(Height, BlockId), BTreeSet<&str>> = BTreeMap::new();
    for (operator, block) in names {
        let names = voices.entry((block.height, *block)).or_default();
        names.insert(*operator);
    }
    let mut from_top = voices.into_iter().rev();
    let enough = from_top.find(|(_, names)| names.len() >= quorum);
    enough.map(|((_, block), _)| block)
}

/// The height that the blocks named by so many operators reach.
pub(super) fn reached(names: &[(&str, BlockId)], quorum: usize) -> Option<Height> {
    let mut tops: BTreeMap<&str, Height> = BTreeMap::new();
    for (operator, block) in names {
        let top = tops.entry(operator).or_default();
        *top = block.height.max(*top);
    }
    nth_highest(tops.into_values(), quorum)
}

fn nth_highest(heights: impl Iterator<Item = Height>, nth: usize) -> Option<Height> {
    let mut heights: Vec<Height> = heights.collect();
    heights.sort_unstable_by(|one, other| other.cmp(one));
    heights.get(nth.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests;
