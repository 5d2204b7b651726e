//! Past blocks whose traces are still looked for: which are asked about, what came, and when it is given up.
//! Pure: knows no source and no clock.

use crate::{
    chain::{Moves, SourceError},
    domain::{
        block::{BlockRef, Height},
        facts::BlockFacts,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// How long the traces of some past blocks are looked for: as long as operators are waited for, and again.
const PATIENCE_MS: u64 = 120_000;

/// How many past blocks are asked about at once: those at the tip come first.
const AT_ONCE: usize = 2;

/// After so many looks without anything others have their turn.
const LOOKS: u32 = 20;

/// Blocks whose traces are looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Fetched {
    facts: Vec<BlockFacts>,
    /// Since when, on the monotonic clock.
    since_ms: u64,
    /// How often each was looked for.
    looks: BTreeMap<Height, u32>,
    /// What operators tell alike of those of which they tell other things differently.
    undisputed: BTreeMap<Height, BlockFacts>,
    /// Of which nobody tells for certain what contracts moved.
    gone: BTreeSet<Height>,
}

impl Fetched {
    pub(super) fn new(facts: Vec<BlockFacts>, now_ms: u64) -> Self {
        Self {
            facts,
            since_ms: now_ms,
            ..Self::default()
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Whether some are still looked for.
    pub(super) fn awaits_traces(&self) -> bool {
        self.missing().next().is_some()
    }

    /// Whether they were looked for long enough.
    pub(super) const fn is_overdue(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) > PATIENCE_MS
    }

    /// Whom to ask about now.
    pub(super) fn next(&mut self) -> Vec<BlockRef> {
        let looks = |block: &BlockRef| self.looks.get(&block.id.height).copied().unwrap_or(0);
        let mut missing: Vec<BlockRef> = self.missing().collect();
        missing.sort_by_key(|block| (looks(block).div_euclid(LOOKS), block.id.height));
        missing.truncate(AT_ONCE);
        missing.sort_unstable_by_key(|block| block.id.height);
        for block in &missing {
            let looks = self.looks.entry(block.id.height).or_default();
            *looks = looks.saturating_add(1);
        }
        missing
    }

    /// Takes what came of a block; whether that settles it. One that every node refuses is gone once nodes
    /// have dropped its state.
    pub(super) fn take(
        &mut self,
        block: BlockRef,
        answer: Result<Moves, SourceError>,
        is_deep: bool,
    ) -> bool {
        let height = block.id.height;
        let mut all = self.facts.iter_mut();
        let Some(facts) = all.find(|facts| facts.block == block && facts.awaits_trace) else {
            return false;
        };
        match answer {
            // The rest may come yet.
            Ok(moves) if moves.dispute.is_some() => {
                self.undisputed.insert(height, moves.facts);
                false
            }
            Ok(Moves { facts: inner, .. }) => {
                facts.complete(&inner);
                facts.awaits_trace = inner.awaits_trace;
                if inner.awaits_trace {
                    self.gone.insert(height);
                }
                true
            }
            Err(SourceError::Permanent(_)) if is_deep => self.gone.insert(height),
            Err(_) => false,
        }
    }

    /// Goes on without what did not come; the heights.
    pub(super) fn give_up(&mut self) -> Vec<Height> {
        let missing: Vec<Height> = self.missing().map(|block| block.id.height).collect();
        self.gone.extend(&missing);
        missing
    }

    /// The blocks, and whether of some of them it is not known for certain what contracts moved.
    pub(super) fn into_facts(mut self) -> (Vec<BlockFacts>, bool) {
        for facts in &mut self.facts {
            let height = facts.block.id.height;
            let inner = self.undisputed.remove(&height);
            if let Some(inner) = inner.filter(|_| self.gone.contains(&height)) {
                facts.complete(&inner);
                facts.awaits_trace = true;
            }
        }
        (self.facts, !self.gone.is_empty())
    }

    fn missing(&self) -> impl Iterator<Item = BlockRef> {
        let awaiting = self.facts.iter().filter(|facts| facts.awaits_trace);
        let missing = awaiting.map(|facts| facts.block);
        missing.filter(|block| !self.gone.contains(&block.id.height))
    }
}
