//! While the machine's clock is in doubt: which chains give no verdicts, until when, and how old
//! what comes meanwhile is. A block is as old as it says. The mempool stands still as it is
//! recorded: whatever date its news got might be wrong, and stay. Once the clock is trusted, what
//! came has the age that the monotonic clock tells.
//!
//! Knows the chains' heads and the [clock guard](super::clock_guard); judges no payment.

use super::{
    Watcher, blocks::transaction, clock_guard, plan::Plan, state::ChainState, touched::Touched,
    undated::Undated,
};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        asset::{ChainKind, ChainName},
        block::BlockRef,
        facts::{BlockFacts, Destination, Fact, TxFacts},
        time::{SpanMs, UnixMs},
        view::ChainView,
    },
    store::StoreError,
};

/// Why a chain gives no verdicts meanwhile.
pub(super) const WORDS: &str = "no block agrees with the wall clock since it was last in doubt: check the machine's time, and the head of every chain's node";

/// Why it gives none after that, for a moment.
pub(super) const DATES: &str =
    "it is being asked since when money is there that came while the wall clock was in doubt";

/// What came in doubt is dated in portions of this size.
const DATED_MAX: usize = 500;

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
            // An answer that comes in doubt is no answer.
            chain.dates_asked_at = None;
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
        let is_ahead = others.any(|(_, chain)| is_behind_head_of(chain, now));
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

    /// What of the arrived pays watched addresses.
    pub(super) fn undated_among(&self, chain: &ChainState, arrived: &[TxFacts]) -> Undated {
        let mut undated = Undated::default();
        for tx in arrived {
            let to = tx.credits.iter().map(|credit| credit.destination);
            for destination in to.filter(|to| self.is_watched(chain, to)) {
                undated.waits(destination, tx.txid, tx.first_seen_ms);
            }
        }
        undated
    }

    /// What in blocks pays watched addresses, where a block's time may be later than anybody saw
    /// it: on Bitcoin its miner may set it ahead.
    pub(super) fn undated_in(
        &self,
        chain: &ChainState,
        blocks: &[BlockFacts],
        now: Now,
    ) -> Undated {
        let mut undated = Undated::default();
        if chain.spec.kind != ChainKind::Bitcoin {
            return undated;
        }
        let may_watch = self.index.may_watch(&chain.spec.name);
        for facts in blocks {
            for credit in facts.credits.tagged(&may_watch) {
                let txid = transaction(facts, credit.tx_index);
                if let Some(txid) = txid.filter(|_| self.is_watched(chain, &credit.destination)) {
                    undated.came(credit.destination, txid, now.monotonic_ms);
                }
            }
        }
        undated
    }

    fn is_watched(&self, chain: &ChainState, destination: &Destination) -> bool {
        let mut owners = self.index.owners(&chain.spec.name, destination);
        owners.next().is_some()
    }

    /// Once the clock is trusted: looks again at payments that wait for a time which a clock that
    /// was ahead has told, dates what came in doubt, and asks for what of it is in the mempool.
    pub(super) fn wake_from_future(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if !chain.waits_for_future || chain.suspended_at.is_some() {
            return Ok(());
        }
        let name = chain.spec.name.clone();
        self.store.wake_from_future(&name, now.wall)?;
        self.date(at, now)?;
        let chain = self.chain_mut(at);
        chain.waits_for_future = false;
        let waiting = std::mem::take(&mut chain.undated).in_mempool();
        if !waiting.is_empty() {
            chain.dates_asked_at = Some(now.wall);
            self.asks.push(&name, Ask::Unconfirmed(waiting), now.wall);
        }
        Ok(())
    }

    /// Dates what came in doubt and is known by now, because a block holds it. Judges nothing yet.
    fn date(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        for portion in self.chain(at).undated.dates(now).chunks(DATED_MAX) {
            let chain = self.chain(at);
            let mut touched = Touched::default();
            for (destination, txid, seen_at) in portion {
                for key in self.index.owners(&chain.spec.name, destination) {
                    let (txid, seen_at) = (*txid, *seen_at);
                    touched.add_credit(key, *destination, Fact::Dated { txid, seen_at });
                }
            }
            let unhealthy = ChainView {
                healthy: false,
                ..chain.view.clone()
            };
            let mut plan = Plan::new(now.wall);
            self.judge(&unhealthy, touched, &mut plan)?;
            self.commit(plan)?;
        }
        Ok(())
    }

    /// Money that came to the mempool in doubt has its date when it is answered what is there:
    /// until then the chain gives no verdicts and no poll counts, or somebody who paid in time
    /// would be told that they did not.
    pub(super) fn dates_may_be_known(&mut self, chain: &ChainName) {
        let oldest = self.asks.unanswered_since(chain);
        if let Some(at) = self.place(chain) {
            let asked_at = &mut self.chain_mut(at).dates_asked_at;
            *asked_at = asked_at.filter(|ours| oldest.is_some_and(|oldest| oldest <= *ours));
        }
    }
}

/// When a block was seen that is told just now; while the clock is in doubt, it is as old as its
/// miner says.
pub(super) fn block_seen_at(chain: &ChainState, block: BlockRef, now: Now) -> UnixMs {
    let earliest = clock_guard::earliest(chain.spec.kind, block.time);
    match chain.suspended_at {
        None => now.wall.max(earliest),
        Some(_) => block.time,
    }
}

/// Whether a chain's head shows that the wall clock is behind, while its node is not silent.
fn is_behind_head_of(chain: &ChainState, now: Now) -> bool {
    let head = chain.head(now.monotonic_ms);
    head.is_some_and(|head| is_behind(chain, head, now))
}

/// Whether a head shows that the wall clock is behind.
fn is_behind(chain: &ChainState, head: BlockRef, now: Now) -> bool {
    !chain.spec.is_local && clock_guard::is_behind(chain.spec.kind, now.wall, head.time)
}
