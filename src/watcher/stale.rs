//! A Bitcoin node whose best block is old: perhaps it is cut off from its network and does not know
//! it. That is told, and nobody is judged by it.

use super::{Watcher, state::ChainState};
use crate::{
    clock::Now,
    domain::{
        block::BlockRef,
        time::{SpanMs, UnixMs},
    },
};
use tracing::{info, warn};

/// Blocks of ten minutes let everybody wait longer than this only once in two months.
const OLD: SpanMs = SpanMs::from_secs(90 * 60);

/// What is to be said of a head of this age where blocks come by themselves.
#[must_use]
pub fn words(head_at: UnixMs, now: UnixMs) -> Option<String> {
    let age_ms = now.0.saturating_sub(head_at.0);
    (age_ms > OLD.0).then(|| {
        let minutes = age_ms.div_euclid(60_000);
        format!("no block for {minutes} minutes: is the node cut off from its network?")
    })
}

impl ChainState {
    /// What an operator should know of it though it gives verdicts.
    #[must_use]
    pub fn remark(&self, now: Now) -> Option<String> {
        let untraced = |why| format!("what contracts moved is not known of some blocks: {why}");
        self.old_head(now)
            .or_else(|| self.unproven.remark())
            .or_else(|| self.untraceable.as_ref().map(untraced))
    }

    /// What is to be said of the age of its node's best block, where blocks come by themselves.
    #[must_use]
    pub fn old_head(&self, now: Now) -> Option<String> {
        let head = self.regular_head(now)?;
        words(head.time, now.wall)
    }

    /// The node's best block, if it is one to expect another after within ten minutes or so.
    fn regular_head(&self, now: Now) -> Option<BlockRef> {
        let is_syncing = self.answer.as_ref().is_some_and(|(_, said)| said.syncing);
        let says_something = self.spec.has_regular_blocks() && !self.doubts_clock() && !is_syncing;
        self.head(now.monotonic_ms).filter(|_| says_something)
    }
}

impl Watcher {
    /// Tells the log when a head has grown old, and when another came.
    pub(super) fn tell_old_heads(&mut self, now: Now) {
        for chain in &mut self.chains {
            let Some(head) = chain.regular_head(now) else {
                continue;
            };
            let words = words(head.time, now.wall);
            match (&words, chain.has_old_head) {
                (Some(words), false) => warn!(chain = %chain.spec.name, "{words}"),
                (None, true) => info!(chain = %chain.spec.name, "blocks come again"),
                (Some(_), true) | (None, false) => {}
            }
            chain.has_old_head = words.is_some();
        }
    }
}
