//! What contracts moved: blocks are traced behind the cursor, so that nobody who does not need it waits.
//!
//! A block that cannot be traced now is tried again, and does not hold up those after it. Nodes keep the
//! state that tracing needs for some 128 blocks: one that was refused that deep is given up, and said so.

use super::{Follower, Halt, Sink, fetched::Fetched, window::Window};
use crate::{
    chain::{ChainInput, ChainSource, Moves, STATE_BLOCKS, SourceError, TracedBlock},
    domain::{
        block::{BlockRef, Height},
        facts::BlockFacts,
        view::TracedBy,
    },
};
use std::collections::BTreeMap;
use tracing::{debug, warn};

/// How many blocks are asked about at once.
const AT_ONCE: usize = 4;

/// How often a block must be refused before it is given up, where every node says no: one may have been
/// asked too much.
const NOES_MIN: u32 = 3;

/// The same where some do not answer: what a node lacks for a moment it has a minute later.
const REFUSALS_MIN: u32 = 20;

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing awaits its traces any more.
    Done,
    /// Some came, and there are more.
    News,
    /// Nothing came yet.
    UnderWay,
    /// Some cannot be had now.
    Stuck,
}

/// Blocks of our chain whose traces are still to be had, by height.
#[derive(Debug, Default)]
pub(super) struct Untraced {
    blocks: BTreeMap<Height, Pending>,
    /// The lowest block that is known, where further ones below it were not traced.
    lost: Option<BlockRef>,
    /// Whether the watcher was told that a block could not be traced.
    told_problem: bool,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    block: BlockRef,
    /// How often it was refused.
    refusals: u32,
}

impl Untraced {
    /// What a restart knows: up to where blocks were traced.
    pub(super) fn after_restart(window: &Window, traced: Option<Height>) -> Self {
        let mut untraced = Self::default();
        let Some((traced, tip)) = traced.zip(window.tip()) else {
            return untraced;
        };
        let above = window.down_from(tip.id.height);
        untraced.add(above.take_while(|block| block.id.height > traced));
        untraced.lost = window.lowest().filter(|_| traced < window.bottom());
        untraced
    }

    /// Blocks joined our chain, and await their traces.
    pub(super) fn add(&mut self, blocks: impl IntoIterator<Item = BlockRef>) {
        let refusals = 0;
        let pending = blocks
            .into_iter()
            .map(|block| (block.id.height, Pending { block, refusals }));
        self.blocks.extend(pending);
    }

    /// Blocks above `fork` left our chain.
    pub(super) fn rewind(&mut self, fork: Height) {
        drop(self.blocks.split_off(&fork.plus(1)));
    }

    /// Those that were refused least, the oldest first; and of those whose state nodes may have dropped the
    /// newest, whatever else there is: what is below one that is gone is gone too.
    fn next(&self, tip: BlockRef) -> Vec<BlockRef> {
        let is_deep = |pending: &&Pending| lies_deep(&pending.block, tip);
        let (deep, mut fresh): (Vec<&Pending>, Vec<&Pending>) =
            self.blocks.values().partition(is_deep);
        fresh.sort_by_key(|pending| (pending.refusals, pending.block.id.height));
        let deepest_last = deep.iter().rev().copied();
        let wanted = deepest_last.clone().take(1).chain(fresh.iter().copied());
        let first = wanted.chain(deepest_last.skip(1)).take(AT_ONCE);
        let mut blocks: Vec<BlockRef> = first.map(|pending| pending.block).collect();
        blocks.sort_unstable_by_key(|block| block.id.height);
        blocks
    }

    /// Up to where nothing is missing.
    fn up_to(&self, tip: BlockRef) -> Height {
        let lowest = self.blocks.first_key_value();
        lowest.map_or(tip.id.height, |(height, _)| height.minus(1))
    }

    /// Gives up a block, and all below it where its state is gone.
    fn give_up(&mut self, block: &BlockRef, with_all_below: bool) -> Vec<BlockRef> {
        if !with_all_below {
            let gone = self.blocks.remove(&block.id.height);
            return gone.into_iter().map(|pending| pending.block).collect();
        }
        let above = self.blocks.split_off(&block.id.height.plus(1));
        let gone = std::mem::replace(&mut self.blocks, above);
        gone.into_values().map(|pending| pending.block).collect()
    }

    fn refused(&mut self, block: &BlockRef) -> u32 {
        let Some(pending) = self.blocks.get_mut(&block.id.height) else {
            return 0;
        };
        pending.refusals = pending.refusals.saturating_add(1);
        pending.refusals
    }
}

/// Which blocks await their traces.
pub(super) fn awaiting(blocks: &[BlockFacts]) -> Vec<BlockRef> {
    let awaiting = blocks.iter().filter(|facts| facts.awaits_trace);
    awaiting.map(|facts| facts.block).collect()
}

/// What came of some blocks.
#[derive(Default)]
struct Outcome {
    traced: Vec<BlockFacts>,
    given_up: Vec<BlockRef>,
    problem: Option<SourceError>,
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Looks once for what is known by now of blocks that are not traced yet, and hands it on. That a trace
    /// does not come ends no poll: only who waits for it waits.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn trace(&mut self) -> Result<Look, Halt> {
        let Some(tip) = self.window.tip() else {
            return Ok(Look::Done);
        };
        if let Some(lost) = self.untraced.lost.take() {
            let outcome = Outcome {
                given_up: vec![lost],
                ..Outcome::default()
            };
            self.tell_traced(outcome, tip).await?;
        }
        if self.untraced.blocks.is_empty() && self.untraced.told_problem {
            self.tell_traced(Outcome::default(), tip).await?;
        }
        if self.untraced.blocks.is_empty() {
            return Ok(Look::Done);
        }
        let next = self.untraced.next(tip);
        let told = self.source.traces(&next).await;
        if told.is_empty() {
            return Ok(Look::UnderWay);
        }
        let outcome = self.sort_out(told, tip);
        let is_stuck = outcome.problem.is_some();
        self.tell_traced(outcome, tip).await?;
        Ok(if is_stuck {
            Look::Stuck
        } else if self.untraced.blocks.is_empty() {
            Look::Done
        } else {
            Look::News
        })
    }

    /// Whether there is anything to look for.
    pub(super) fn awaits_traces(&self) -> bool {
        self.untraced.lost.is_some()
            || self.untraced.told_problem
            || !self.untraced.blocks.is_empty()
    }

    fn sort_out(&mut self, told: Vec<TracedBlock>, tip: BlockRef) -> Outcome {
        let mut outcome = Outcome::default();
        let nobody_tells = match self.source.traced_by() {
            Some(TracedBy::Balance | TracedBy::Nothing) => true,
            Some(TracedBy::CallTracer | TracedBy::TraceBlock) | None => false,
        };
        for (block, answer) in told {
            let error = match answer {
                Ok(Moves { mut facts, dispute }) => {
                    // One alone tells it, where others should have.
                    let sole = Some(block).filter(|_| facts.awaits_trace);
                    outcome.given_up.extend(sole);
                    // What is disputed may be more; a sole word that was taken is all that will come.
                    facts.awaits_trace = dispute.is_some();
                    outcome.traced.push(facts);
                    dispute
                }
                Err(error) => Some(error),
            };
            let Some(error) = error else {
                self.untraced.blocks.remove(&block.id.height);
                continue;
            };
            let refusals = self.untraced.refused(&block);
            let (chain, height) = (&self.options.chain, block.id.height);
            debug!(%chain, %height, refusals, %error, "a block could not be traced");
            let all_say_no = matches!(error, SourceError::Permanent(_));
            let most = if all_say_no { NOES_MIN } else { REFUSALS_MIN };
            if refusals >= most && (lies_deep(&block, tip) || nobody_tells) {
                let gone = self.untraced.give_up(&block, all_say_no);
                outcome.given_up.extend(gone);
            }
            outcome.problem.get_or_insert(error);
        }
        outcome
    }

    async fn tell_traced(&mut self, outcome: Outcome, tip: BlockRef) -> Result<(), Halt> {
        let is_news = outcome.problem.is_some() || self.untraced.told_problem;
        if outcome.traced.is_empty() && outcome.given_up.is_empty() && !is_news {
            return Ok(());
        }
        self.untraced.told_problem = outcome.problem.is_some();
        if let (Some(first), Some(last)) = (outcome.given_up.first(), outcome.given_up.last()) {
            let (chain, from, to) = (&self.options.chain, first.id.height, last.id.height);
            warn!(%chain, %from, %to, "what contracts moved in some of these blocks is not known for certain");
        }
        self.tell(ChainInput::Traced {
            blocks: outcome.traced,
            to: self.untraced.up_to(tip),
            given_up: outcome.given_up,
            problem: outcome.problem.map(|error| error.to_string()),
        })
        .await
    }

    /// Looks once for what is known by now of past blocks; whether something new is.
    pub(super) async fn trace_past(&mut self, fetched: &mut Fetched) -> bool {
        let Some(tip) = self.window.tip() else {
            return false;
        };
        let mut is_news = false;
        for (block, answer) in self.source.traces(&fetched.next()).await {
            is_news |= fetched.take(block, answer, lies_deep(&block, tip));
        }
        is_news
    }
}

/// Whether a block lies deeper than nodes keep the state.
fn lies_deep(block: &BlockRef, tip: BlockRef) -> bool {
    tip.id.height.minus(block.id.height.0).0 >= STATE_BLOCKS
}
