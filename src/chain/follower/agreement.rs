//! How far a quorum of operators holds our chain, and for how long it went no further.

use super::{Follower, Halt, Sink, window::Window};
use crate::{
    chain::{Agreement, ChainInput, ChainSource, STEPS, SourceError, ever_lower},
    domain::block::{BlockId, BlockRef, Height},
};

/// The least time without progress after which the quorum counts as lost: operators are seconds
/// apart, and a node restarts within that.
const PATIENCE_MIN_MS: u64 = 30_000;

/// The same in polls.
const PATIENCE_POLLS: u64 = 10;

/// Blocks that may stand on the last one that others hold: enough to see what comes while they are away,
/// and so few that the way back is always known.
const AHEAD_MAX: u32 = 128;

/// What was agreed on, as the watcher was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Agreed {
    block: Option<BlockRef>,
    /// The highest ever; where it was at the start of this run.
    highest: Height,
    /// When it last went further than ever, or was as far as our chain and anybody's.
    fresh_at_ms: Option<u64>,
    /// Whether the watcher was told that the quorum is lost.
    told_lost: bool,
}

impl Agreed {
    /// What a restart knows: whether the quorum was lost, and how far it ever went. What is agreed on now,
    /// nobody has said yet.
    pub(super) fn after_restart(told_lost: bool, held: Option<Height>) -> Self {
        Self {
            told_lost,
            highest: held.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Our highest block that enough operators hold.
    pub(super) const fn block(&self) -> Option<BlockRef> {
        self.block
    }

    /// How far our chain was ever held.
    pub(super) const fn highest(&self) -> Height {
        self.highest
    }

    /// Blocks above `fork` left our chain. Who held them holds it.
    pub(super) fn rewind(&mut self, fork: BlockRef) {
        if let Some(block) = &mut self.block
            && block.id.height > fork.id.height
        {
            *block = fork;
        }
        self.highest = self.highest.min(fork.id.height);
    }

    /// By how many blocks a chain of this height may grow by what one node alone shows.
    fn room(&self, height: Height) -> u32 {
        self.highest.plus(AHEAD_MAX).minus(height.0).0
    }

    /// Takes an answer about our chain up to `tip`; what the watcher must be told of it.
    fn learn(
        &mut self,
        answer: &Agreement,
        tip: BlockRef,
        now_ms: u64,
        patience_ms: u64,
    ) -> Option<ChainInput> {
        let height = answer.held.map(|block| block.id.height);
        let is_progress = height.is_some_and(|height| height > self.highest);
        // Two of whom one stands still agree on an old block for ever: others who are beyond it show that.
        let is_all = answer.held == Some(tip) && answer.beyond.is_empty();
        let goes_on = is_all || is_progress;
        self.highest = self.highest.max(height.unwrap_or_default());
        let since_ms = self.fresh_at_ms.get_or_insert(now_ms);
        if goes_on {
            *since_ms = now_ms;
        }
        let silent_ms = now_ms.saturating_sub(*since_ms);
        let is_lost =
            answer.split.is_some() || !goes_on && (self.told_lost || silent_ms > patience_ms);
        let is_news = is_lost || is_lost != self.told_lost || answer.held != self.block;
        (self.block, self.told_lost) = (answer.held, is_lost);
        is_news.then(|| ChainInput::Agreed {
            block: self.block,
            lost: is_lost.then(|| in_words(tip, answer)),
        })
    }
}

fn leaves_what_is_held(fork: BlockRef) -> SourceError {
    let height = fork.id.height;
    SourceError::Behind(format!(
        "the node leaves blocks above {height} that a quorum of operators held, for others that none holds"
    ))
}

fn in_words(tip: BlockRef, answer: &Agreement) -> String {
    let (height, hash) = (tip.id.height, tip.id.hash);
    if let Some(split) = &answer.split {
        return split.clone();
    }
    if answer.held == Some(tip) {
        let beyond = answer.beyond.join("; ");
        return format!("too few operators go on from our block {height} {hash}: {beyond}");
    }
    if let Some(BlockId {
        height: top,
        hash: held,
    }) = answer.held.map(|held| held.id)
        && answer.dissent.is_empty()
    {
        return format!(
            "one operator alone shows blocks above {top} {held}, up to ours at {height} {hash}: enough others say that {top} is the last one"
        );
    }
    let dissent = answer.dissent.join("; ");
    format!("too few operators hold our block {height} {hash}: {dissent}")
}

/// Our tip and some blocks below it, ascending.
fn samples(window: &Window) -> Vec<BlockRef> {
    let Some(tip) = window.tip() else {
        return Vec::new();
    };
    let blocks = ever_lower(tip.id.height).map_while(|height| window.get(height));
    let mut samples: Vec<BlockRef> = blocks.collect();
    samples.reverse();
    samples
}

/// Blocks above one that is held and below the next that was asked about, ascending.
fn between(window: &Window, held: BlockRef, asked: &[BlockRef]) -> Vec<BlockRef> {
    let mut above = asked.iter().map(|block| block.id.height);
    let next = above.find(|height| *height > held.id.height);
    let heights = (0..STEPS).map(|step| held.id.height.plus(1 << step));
    let heights = heights.take_while(|height| next.is_some_and(|next| *height < next));
    heights.map_while(|height| window.get(height)).collect()
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// The block up to which others vouch for our chain; all of it where nobody else is asked.
    pub(super) fn vouched_for(&self) -> Option<BlockRef> {
        if self.asks_others() {
            self.agreed.block()
        } else {
            self.window.tip()
        }
    }

    pub(super) const fn asks_others(&self) -> bool {
        self.options.quorum > 1
    }

    /// Whether a quorum holds the tip of the last status.
    pub(super) fn has_agreed_tip(&self) -> bool {
        self.asks_others() && self.source.has_agreed_tip()
    }

    /// Whether that tip is one node's alone, where others should hold it.
    pub(super) fn stands_alone(&self) -> bool {
        self.asks_others() && !self.source.has_agreed_tip()
    }

    /// Asks how far others hold our chain, and tells the watcher what is new.
    pub(super) async fn agree(&mut self, agreed_tip: Option<BlockRef>) -> Result<(), Halt> {
        let Some(tip) = self.window.tip() else {
            return Ok(());
        };
        if !self.asks_others() && !self.agreed.told_lost {
            return Ok(());
        }
        let known =
            agreed_tip.and_then(|tip| self.window.get(tip.id.height).filter(|ours| *ours == tip));
        let answer = match known {
            Some(held) => Agreement {
                beyond: self.source.beyond_agreed(),
                ..Agreement::with_all(&[held])
            },
            None => self.compare(samples(&self.window)).await,
        };
        let poll_ms = u64::try_from(self.options.poll_interval.as_millis()).unwrap_or(u64::MAX);
        let patience_ms = poll_ms.saturating_mul(PATIENCE_POLLS).max(PATIENCE_MIN_MS);
        let now_ms = self.clock.now().monotonic_ms;
        match self.agreed.learn(&answer, tip, now_ms, patience_ms) {
            Some(news) => self.tell(news).await,
            None => Ok(()),
        }
    }

    /// Asks about ever fewer blocks, until it is known whether those who do not hold our tip are behind
    /// or on another branch: the block above the highest that they hold shows it.
    async fn compare(&mut self, samples: Vec<BlockRef>) -> Agreement {
        let mut answer = self.source.agreement(&samples).await;
        let mut asked = samples;
        for _ in 0..STEPS {
            let Some(held) = answer.held else { break };
            let between = between(&self.window, held, &asked);
            if between.is_empty() {
                break;
            }
            let closer = self.source.agreement(&between).await;
            if closer.split.is_some() {
                return closer;
            }
            answer.held = closer.held.or(Some(held));
            asked.extend(between);
            asked.sort_unstable_by_key(|block| block.id.height);
        }
        answer
    }

    /// By how many blocks one node alone may lead our chain further up.
    pub(super) fn room_alone(&self) -> u32 {
        let height = self.window.tip().map_or(Height(0), |tip| tip.id.height);
        if self.asks_others() {
            self.agreed.room(height)
        } else {
            u32::MAX
        }
    }

    /// Refuses to leave blocks that a quorum held for others that it does not hold.
    pub(super) async fn may_leave(
        &mut self,
        fork: BlockRef,
        branch: &[BlockRef],
    ) -> Result<(), SourceError> {
        if !self.asks_others() || self.agreed.highest <= fork.id.height {
            return Ok(());
        }
        let Some(first) = branch.first().copied() else {
            return Err(leaves_what_is_held(fork));
        };
        match self.source.agreement(&[first]).await.held {
            Some(_) => Ok(()),
            None => Err(leaves_what_is_held(fork)),
        }
    }
}

#[cfg(test)]
mod tests;
