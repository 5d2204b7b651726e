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
        let was_trusted = self.chains.iter().all(|chain| chain.suspended_at.is_none());
        let jumped = self.clock_guard.look(now, was_trusted);
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
        if !is_behind(self.chain(at), head, now.wall) {
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
        let is_ahead = others.any(|(_, chain)| is_behind_head_of(chain, now.wall, now));
        if is_ahead || self.is_disproved(at, head, now) {
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

    /// Whether money that was seen in doubt waits for its true date: until then no poll counts,
    /// or somebody who paid in time would be told that they did not.
    pub(super) fn is_dating_anew(&self, chain: &ChainState) -> bool {
        let unanswered = self.asks.unanswered_since(&chain.spec.name);
        let asked = unanswered.zip(chain.dates_asked_at);
        asked.is_some_and(|(oldest, ours)| oldest <= ours)
    }

    /// Once the clock is trusted: looks again at payments that wait for a time which a clock that
    /// was ahead has told, and asks since when money is there that was seen in doubt.
    pub(super) fn wake_from_future(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if chain.waits_for_future && chain.suspended_at.is_none() {
            let name = chain.spec.name.clone();
            self.store.wake_from_future(&name, now.wall)?;
            let chain = self.chain_mut(at);
            chain.waits_for_future = false;
            let seen: Vec<_> = std::mem::take(&mut chain.seen_in_doubt)
                .into_iter()
                .collect();
            if !seen.is_empty() {
                chain.dates_asked_at = Some(now.wall);
                self.asks.push(&name, Ask::Unconfirmed(seen), now.wall);
            }
        }
        Ok(())
    }

    /// When something was seen that long ago; nothing when the clock is in doubt and nobody knows
    /// how late it may be: only the latest time that it can be may be taken for the true one.
    pub(super) fn seen_at(&self, chain: &ChainState, ago: SpanMs, now: Now) -> Option<UnixMs> {
        let latest = match chain.suspended_at {
            None => now.wall,
            Some(_) => self.latest(now)?,
        };
        Some(latest.minus(ago))
    }

    /// When a block was seen that is told just now. When no clock tells, it is as old as its miner
    /// says.
    pub(super) fn block_seen_at(&self, chain: &ChainState, block: BlockRef, now: Now) -> UnixMs {
        let earliest = clock_guard::earliest(chain.spec.kind, block.time);
        let seen_at = self.seen_at(chain, SpanMs::default(), now);
        seen_at.map_or(block.time, |at| at.max(earliest))
    }

    /// The latest that it may be now, while the clock is in doubt; unknown behind a head.
    fn latest(&self, now: Now) -> Option<UnixMs> {
        let latest = self.clock_guard.latest(now)?;
        let mut chains = self.chains.iter();
        let is_behind = chains.any(|chain| is_behind_head_of(chain, latest, now));
        (!is_behind).then_some(latest)
    }
}

/// Whether a chain's head shows that a wall clock is behind, while its node is not silent.
fn is_behind_head_of(chain: &ChainState, wall: UnixMs, now: Now) -> bool {
    let head = chain.head(now.monotonic_ms);
    head.is_some_and(|head| is_behind(chain, head, wall))
}

/// Whether a head shows that a wall clock is behind.
fn is_behind(chain: &ChainState, head: BlockRef, wall: UnixMs) -> bool {
    !chain.spec.is_local && clock_guard::is_behind(chain.spec.kind, wall, head.time)
}
