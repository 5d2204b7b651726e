//! A Bitcoin node whose best block is old: perhaps it is cut off from its network and does not know
//! it. That is told, and nobody is judged by it.

use super::{Watcher, state::ChainState};
use crate::{
    clock::Now,
    domain::time::{SpanMs, UnixMs},
};
use tracing::{info, warn};

/// Longer than blocks of ten minutes let anybody wait but once in some months: e^-9 of them.
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
    /// What is to be said of the age of its node's best block, where blocks come by themselves.
    #[must_use]
    pub fn old_head(&self, now: Now) -> Option<String> {
        if !self.spec.has_regular_blocks() || self.doubts_clock() {
            return None;
        }
        words(self.head(now.monotonic_ms)?.time, now.wall)
    }
}

impl Watcher {
    /// Tells the log when a head has grown old, and when another came.
    pub(super) fn tell_old_heads(&mut self, now: Now) {
        for chain in &mut self.chains {
            let words = chain.old_head(now);
            match (&words, chain.has_old_head) {
                (Some(words), false) => warn!(chain = %chain.spec.name, "{words}"),
                (None, true) => info!(chain = %chain.spec.name, "blocks come again"),
                (Some(_), true) | (None, false) => {}
            }
            chain.has_old_head = words.is_some();
        }
    }
}
