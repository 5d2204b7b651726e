//! While the machine's clock is in doubt: which chains give no verdicts, until when, and what time
//! is taken meanwhile.
//!
//! Knows the chains' heads and the [clock guard](super::clock_guard); knows no payment.

use super::{Watcher, clock_guard, state::ChainState};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        block::BlockRef,
        time::{SpanMs, UnixMs},
    },
    store::StoreError,
};

/// Why a chain gives no verdicts meanwhile.
pub(super) const WORDS: &str = "no block agrees with the wall clock since it was last in doubt: check the machine's time, and the head of every chain's node";

impl Watcher {
    /// A wall clock that somebody set is in doubt on every chain.
    pub(super) fn look_at_clock(&mut self, now: Now) {
        let jumped = self.clock_guard.look(now);
        for chain in &mut self.chains {
            // A clock that steps back must not make a poll later than what came after it.
            let polled_at = &mut chain.view.polled_at;
            if polled_at.is_some_and(|at| at > now.wall) {
                *polled_at = Some(now.wall.minus(SpanMs(1)));
            }
        }
        if !jumped {
            return;
        }
        for chain in &mut self.chains {
            chain.suspended_at = Some(chain.view.tip);
            // When that poll began was told by a clock that was wrong then or is now.
            chain.view.polled_at = None;
        }
        self.waiting.read_again(now.wall);
        self.asks.clock_is_set(now.wall);
        tracing::warn!("the wall clock jumped; no verdicts until a chain's head agrees with it");
    }

    /// A head from the future shows that the wall clock is behind, without any jump: it was wrong
    /// from the start, or drifted. There is one clock, so every chain doubts it.
    pub(super) fn doubt_behind_head(&mut self, at: usize, head: BlockRef, now: Now) {
        if !is_behind(self.chain(at), head, now) {
            return;
        }
        if self.chain(at).suspended_at.is_none() {
            let chain = &self.chain(at).spec.name;
            tracing::warn!(%chain, "the wall clock is behind the chain's head; no verdicts until they agree");
        }
        for chain in &mut self.chains {
            chain.suspended_at.get_or_insert(None);
        }
    }

    /// After a full poll: a head that agrees with the wall clock ends the doubt on its chain,
    /// unless another chain's head shows that the clock is behind.
    pub(super) fn trust_by_head(&mut self, at: usize, head: BlockRef, now: Now) {
        let mut others = self
            .chains
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != at);
        let behind = |chain: &ChainState| {
            let head = chain.head(now.monotonic_ms);
            head.is_some_and(|head| is_behind(chain, head, now))
        };
        if others.any(|(_, chain)| behind(chain)) || self.is_disproved(at, head, now) {
            return;
        }
        let chain = self.chain_mut(at);
        let head_is_new = chain.suspended_at != Some(Some(head));
        if head_is_new && clock_guard::agrees(chain.spec.kind, now.wall, head.time) {
            chain.waits_for_future |= chain.suspended_at.is_some();
            chain.suspended_at = None;
        }
        if self.chains.iter().all(|chain| chain.suspended_at.is_none()) {
            self.clock_guard.trust();
        }
    }

    /// Whether a head shows that the clock was right before it was set. Block times of a local
    /// chain, set by hand, show nothing.
    fn is_disproved(&self, at: usize, head: BlockRef, now: Now) -> bool {
        !self.chain(at).spec.is_local && self.clock_guard.was_right(now, head.time)
    }

    /// Whether money that was dated in doubt waits for its true date: until then no poll counts,
    /// or somebody who paid in time would be told that they did not.
    pub(super) fn is_dating_anew(&self, chain: &ChainState) -> bool {
        let unanswered = self.asks.unanswered_since(&chain.spec.name);
        let asked = unanswered.zip(chain.dates_asked_at);
        asked.is_some_and(|(oldest, ours)| oldest <= ours)
    }

    /// Once the clock is trusted: looks again at payments that wait for a time which a clock that
    /// was ahead has told, and asks again when money was seen that was dated in doubt.
    pub(super) fn wake_from_future(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if chain.waits_for_future && chain.suspended_at.is_none() {
            let name = chain.spec.name.clone();
            self.store.wake_from_future(&name, now.wall)?;
            let chain = self.chain_mut(at);
            chain.waits_for_future = false;
            let dated: Vec<_> = std::mem::take(&mut chain.dated_in_doubt)
                .into_iter()
                .collect();
            if !dated.is_empty() {
                chain.dates_asked_at = Some(now.wall);
                self.asks.push(&name, Ask::Unconfirmed(dated), now.wall);
            }
        }
        Ok(())
    }

    /// When something was seen that long ago, by a clock that may be in doubt.
    pub(super) fn seen_at(&self, chain: &ChainState, ago: SpanMs, now: Now) -> UnixMs {
        let is_in_doubt = chain.suspended_at.is_some();
        let now = if is_in_doubt {
            self.latest(now)
        } else {
            now.wall
        };
        now.minus(ago)
    }

    /// When a block was seen that is told just now, by a clock that may be in doubt or behind.
    pub(super) fn block_seen_at(&self, chain: &ChainState, block: BlockRef, now: Now) -> UnixMs {
        let earliest = clock_guard::earliest(chain.spec.kind, block.time);
        self.seen_at(chain, SpanMs::default(), now).max(earliest)
    }

    /// The latest that it may be now, while the clock is in doubt: behind a head, the head's time.
    fn latest(&self, now: Now) -> UnixMs {
        let ahead = |chain: &ChainState| {
            let head = chain.head(now.monotonic_ms);
            head.filter(|head| is_behind(chain, *head, now))
        };
        let heads = self.chains.iter().filter_map(ahead);
        let latest = self.clock_guard.latest(now);
        heads.fold(latest, |latest, head| latest.max(head.time))
    }
}

/// Whether a head shows that the wall clock is behind.
fn is_behind(chain: &ChainState, head: BlockRef, now: Now) -> bool {
    !chain.spec.is_local && clock_guard::is_behind(chain.spec.kind, now.wall, head.time)
}
