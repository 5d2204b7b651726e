//! A node whose best block is old: perhaps it is cut off from its network, or stands still, and does not know
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

/// Blocks that are found by chance let everybody wait nine times as long as usual only once in two months.
/// Where they come by the clock, that many are not missed in a row while the network is well, and nobody needs to
/// know sooner than this.
const BLOCKS: i64 = 9;
const OLD_MIN: SpanMs = SpanMs::from_secs(5 * 60);

/// What is to be said of a head of this age where blocks come so often.
#[must_use]
pub fn words(head_at: UnixMs, block_time: SpanMs, now: UnixMs) -> Option<String> {
    let age_ms = now.0.saturating_sub(head_at.0);
    let old_ms = block_time.0.saturating_mul(BLOCKS).max(OLD_MIN.0);
    (age_ms > old_ms).then(|| {
        let minutes = age_ms.div_euclid(60_000);
        format!("no block for {minutes} minutes: is the node cut off from its network?")
    })
}

impl ChainState {
    /// What an operator should know of it though it gives verdicts.
    #[must_use]
    pub fn remark(&self, now: Now) -> Option<String> {
        let untraced = |why| format!("what contracts moved is not known of some blocks: {why}");
        let failing = |why| format!("the last poll failed: {why}");
        self.failing(now.monotonic_ms)
            .map(failing)
            .or_else(|| self.old_head(now))
            .or_else(|| self.untagged_remark(now))
            .or_else(|| self.unproven.remark())
            .or_else(|| self.untraceable.as_ref().map(untraced))
            .or_else(|| self.unlooked_remark())
    }

    /// What is to be said of the age of its node's best block, where blocks come by themselves.
    #[must_use]
    pub fn old_head(&self, now: Now) -> Option<String> {
        let (head, block_time) = self.regular_head(now)?;
        words(head.time, block_time, now.wall)
    }

    /// The node's best block, if it is one to expect another after, and how soon.
    fn regular_head(&self, now: Now) -> Option<(BlockRef, SpanMs)> {
        let block_time = self.spec.block_time?;
        let is_syncing = self.answer.as_ref().is_some_and(|(_, said)| said.syncing);
        let head = self.head(now.monotonic_ms)?;
        (!self.doubts_clock() && !is_syncing).then_some((head, block_time))
    }
}

impl Watcher {
    /// Tells the log when a head has grown old, and when another came.
    pub(super) fn tell_old_heads(&mut self, now: Now) {
        for chain in &mut self.chains {
            let Some((head, block_time)) = chain.regular_head(now) else {
                continue;
            };
            let words = words(head.time, block_time, now.wall);
            match (&words, chain.has_old_head) {
                (Some(words), false) => warn!(chain = %chain.spec.name, "{words}"),
                (None, true) => info!(chain = %chain.spec.name, "blocks come again"),
                (Some(_), true) | (None, false) => {}
            }
            chain.has_old_head = words.is_some();
        }
    }
}
