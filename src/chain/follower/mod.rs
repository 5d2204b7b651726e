//! Walks one chain in order, once for all chains: headers first to the fork point, then
//! disconnect, then connect; the same code live and in catch-up.
//!
//! It owns its source, the recent blocks of our chain and the height below which nothing may
//! change. It knows neither who is watched nor what a chain's blocks look like, and it stores
//! nothing: what it has told the watcher is what it believes.
//!
//! What decides (each is a test):
//! - A block left the best chain only when the node's own path, linked by hash from its new
//!   blocks down to a block of ours, leads around it. Heights decide nothing.
//! - A node with a higher tip is followed. A node with a tip no higher than ours is behind,
//!   unless it knows our tip and says that it is off its best chain.
//! - Blocks are disconnected in the same input that connects what replaces them, and only when
//!   those bodies are here: a missing body never rolls anything back.
//! - Where several operators are asked, only blocks that enough of them hold become final, and no
//!   block that enough of them hold is left.
//! - Nothing at or below the final height changes: the chain freezes instead, until the node is
//!   back or an operator releases it.

mod agreement;
mod asks;
mod backfill;
mod backoff;
mod bell;
mod connect;
mod fetched;
mod finality;
mod fork;
mod freeze;
mod pace;
mod poll;
mod reorg;
mod run;
mod scans;
mod traces;
mod walked;
mod window;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use super::{ChainInput, ChainSource, SourceError};
use crate::{
    clock::Clock,
    domain::{
        asset::ChainName,
        block::{BlockRef, Height},
        view::TracedBy,
    },
};
use std::{future::Future, sync::Arc, time::Duration};

pub use bell::{Bell, Observer, until_stopped};
pub use finality::Finality;
pub use poll::Standing;
pub use run::Signals;
pub use window::{WINDOW_BLOCKS, Window};

/// What is configured about following a chain.
#[derive(Debug, Clone)]
pub struct Options {
    /// The chain's name, for the log.
    pub chain: ChainName,
    /// The time between the beginnings of two polls.
    pub poll_interval: Duration,
    /// Depth beyond which a block is final while the node names no final block; at least 1.
    pub final_depth: u32,
    /// How many past blocks one backfill may scan.
    pub max_rescan: u32,
    /// How many operators must hold a block; 1 asks nobody else.
    pub quorum: u32,
    /// Whether the chain has a mempool, so that a full poll needs a snapshot of it.
    pub has_mempool: bool,
    /// Seeds the jitter of repeated attempts, so that a run can be repeated.
    pub seed: u64,
}

/// Where following resumes: what the store kept of the last run.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Our chain's recent blocks, ascending, the last one being the cursor; empty at the first
    /// start ever. [`WINDOW_BLOCKS`] are enough, and the more the deeper a reorg may have gone
    /// while we were away.
    pub recent: Vec<BlockRef>,
    /// The stored height up to which nothing may change.
    pub finalized: Option<Height>,
    /// Whether the node ever named a final block; depth no longer counts then.
    pub tagged: bool,
    /// Whether the chain was left frozen below finality.
    pub frozen: bool,
    /// Up to where it was traced what contracts moved; `None` where nothing is.
    pub traced: Option<Height>,
    /// How it was known last what contracts move.
    pub traced_by: Option<TracedBy>,
    /// Whether it was left frozen for want of a quorum.
    pub lost_quorum: bool,
    /// The highest block of ours that a quorum ever held.
    pub held: Option<Height>,
    /// Whether an operator released it: one change below finality is then followed.
    pub released: bool,
}

/// Where a follower's inputs go.
pub trait Sink: Send + 'static {
    /// Hands one input on, waiting while the other side is busy.
    ///
    /// # Errors
    /// When nobody listens any more.
    fn deliver(&mut self, input: ChainInput) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// Nobody listens to the follower any more: the daemon is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watcher is gone")]
pub struct Gone;

/// Why a poll ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// The source could not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Nobody listens any more.
    #[error(transparent)]
    Gone(#[from] Gone),
}

/// Follows one chain.
pub struct Follower<S, K> {
    source: S,
    sink: K,
    clock: Arc<dyn Clock>,
    options: Options,
    /// Our chain's recent blocks; changed only after the watcher was told.
    window: Window,
    finality: Finality,
    agreed: agreement::Agreed,
    untraced: traces::Untraced,
    /// What the watcher was told of how contracts' moves are known.
    tracing: Option<TracedBy>,
    frozen: bool,
    released: bool,
    connected: bool,
    /// Whether the last poll found the node where its mempool may be read.
    reads_mempool: bool,
    pace: pace::Pace,
    asks: asks::Asks,
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// A follower that resumes at `start`; it speaks to nobody before its first poll.
    #[must_use]
    pub fn new(source: S, sink: K, clock: Arc<dyn Clock>, options: Options, start: Start) -> Self {
        let window = Window::new(start.recent);
        let agreed = agreement::Agreed::after_restart(start.lost_quorum, start.held);
        let untraced = traces::Untraced::after_restart(&window, start.traced);
        let finality = Finality::new(options.final_depth, start.finalized, start.tagged);
        let mut follower = Self {
            source,
            sink,
            clock,
            options,
            window,
            finality,
            agreed,
            untraced,
            tracing: None,
            frozen: start.frozen,
            released: start.released,
            connected: false,
            reads_mempool: false,
            pace: pace::Pace::new(),
            asks: asks::Asks::default(),
        };
        follower.observe_finality(None);
        follower
    }

    async fn tell(&mut self, input: ChainInput) -> Result<(), Halt> {
        Ok(self.sink.deliver(input).await?)
    }
}
