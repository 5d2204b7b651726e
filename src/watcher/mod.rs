//! The one owner of state: facts come in, payments are judged, a step is committed and only then
//! believed.
//!
//! [`Watcher::handle`] is synchronous and may be called again with the same input when a commit
//! failed: nothing in memory changes before the commit. It never talks to a node; what it needs
//! from one it leaves in [`Watcher::next_ask`].

mod absorb;
mod asks;
mod backfill;
mod balances;
mod blocks;
pub mod clock_guard;
mod doubt;
pub mod index;
mod input;
mod judge;
mod mempool;
mod open;
mod ownership;
mod past;
mod plan;
mod polls;
mod progress;
mod reach;
mod registration;
mod reload;
mod requests;
pub mod run;
mod scan_turns;
mod scans;
pub mod stale;
pub mod state;
mod tags;
mod token_events;
mod touched;
mod traces;
mod turns;
mod unconfirmed;
mod undated;
mod unlooked;
mod unproven;
mod untagged;
mod waiting;

pub use input::{Input, Requests};
pub use open::Settings;

use crate::{
    chain::{Ask, ChainInput, SourceError},
    clock::{Clock, Now},
    domain::{asset::ChainName, register::Defaults, view::ChainView},
    health::Health,
    metrics::Metrics,
    store::{Store, StoreError},
};
use asks::Asks;
use clock_guard::ClockGuard;
use index::WatchIndex;
use plan::Plan;
use state::ChainState;
use std::{sync::Arc, time::Instant};
use waiting::WaitingRequests;

/// Owns the database, the watch index and every chain's view.
#[derive(Debug)]
pub struct Watcher {
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    health: Health,
    defaults: Defaults,
    operator_commands: bool,
    chains: Vec<ChainState>,
    index: WatchIndex,
    waiting: WaitingRequests,
    asks: Asks,
    clock_guard: ClockGuard,
    next_key: i64,
    batches: u64,
}

impl Watcher {
    /// Commits what an input changes and takes it over. After an error nothing has changed and
    /// the same input may be given again.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn handle(&mut self, input: &Input) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.look_at_clock(now);
        match input {
            Input::Chain(name, input) => match self.place(name) {
                Some(at) => self.handle_chain(at, input, now),
                None => Ok(()),
            },
            Input::Requests(requests) => self.handle_requests(requests, now),
            Input::InboxTrouble(trouble) => {
                self.health
                    .update(|health| health.inbox.clone_from(trouble));
                Ok(())
            }
            Input::Reload(settings) => self.reload(settings),
            Input::Tick => self.handle_tick(now),
        }
    }

    /// The next question for a chain's follower, oldest first.
    pub fn next_ask(&mut self, chain: &ChainName) -> Option<Ask> {
        self.asks.pop(chain)
    }

    /// Puts back a question that its follower could not take yet.
    pub fn retry_ask(&mut self, chain: &ChainName, ask: Ask) {
        self.asks.put_back(chain, ask);
    }

    /// Whether more payments are due than one portion held: give a [`Input::Tick`] soon.
    #[must_use]
    pub fn has_more_due(&self) -> bool {
        self.chains.iter().any(|chain| chain.more_due)
    }

    /// Ends: a reader can use the database afterwards as before.
    ///
    /// # Errors
    /// When the last checkpoint fails; nothing committed is lost then either.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.close()
    }

    fn handle_chain(&mut self, at: usize, input: &ChainInput, now: Now) -> Result<(), StoreError> {
        self.observe(at, input, now);
        if matches!(input, ChainInput::Polled { .. }) {
            // Before anything is judged by a clock that was in doubt until now.
            self.wake_from_future(at, now)?;
        }
        let began = Instant::now();
        let plan = self.plan(at, input, now)?;
        self.commit(plan)?;
        self.chain_mut(at).past.learn(input);
        self.note_unproven(at, input);
        self.note_balances(at, input);
        if matches!(input, ChainInput::Began { .. } | ChainInput::Advance { .. }) {
            let blocks = u32::try_from(input.joined().len()).unwrap_or(u32::MAX);
            let blocks = blocks.max(1);
            let chain = &self.chain(at).spec.name;
            self.metrics.block_applied(
                chain,
                began.elapsed().checked_div(blocks).unwrap_or_default(),
            );
        }
        if matches!(input, ChainInput::Polled { .. }) {
            self.settle_waiting(now);
            self.tell_untagged(at, now);
            if let Err(error) = self.ask_for_growth(at, now) {
                tracing::warn!(%error, "could not look for claims that wait for a witness");
            }
            if let Err(error) = self.ask_for_balances(at, now) {
                tracing::warn!(%error, "could not look for payments whose balances tell of more");
            }
        }
        if may_need_past(input) {
            self.follow_up(at, now);
        }
        Ok(())
    }

    /// What follows an input that is done. It is tried again at every tick, and its failure must
    /// not make the caller give that input twice.
    fn follow_up(&mut self, at: usize, now: Now) {
        if let Err(error) = self.ask_for_past(at, now) {
            tracing::warn!(%error, "could not look for payments that need past blocks");
        }
    }

    fn settle_waiting(&mut self, now: Now) {
        if let Err(error) = self.handle_waiting(now) {
            tracing::warn!(%error, "could not decide requests that waited");
        }
    }

    /// Takes note of what needs no commit: that the node answered, and what.
    fn observe(&mut self, at: usize, input: &ChainInput, now: Now) {
        if let ChainInput::Status(status) | ChainInput::Polled { status, .. } = input {
            self.doubt_behind_head(at, status.tip, now);
            // Only here, where the chain's row follows: no verdict comes while it says that none does.
            self.dates_may_be_known(&self.chain(at).spec.name.clone());
        }
        if let ChainInput::Polled { status, .. } = input {
            self.trust_by_head(at, status.tip, now);
        }
        let chain = self.chain_mut(at);
        match input {
            ChainInput::Status(status) | ChainInput::Polled { status, .. } => {
                chain.answer = Some((now.monotonic_ms, status.clone()));
                chain.failure = None;
            }
            ChainInput::Failed { error } => {
                chain.failure = Some(error.to_string());
                chain.unserved = Some((now.monotonic_ms, error.to_string()));
                if let SourceError::Permanent(why) = error {
                    chain.stopped = Some(why.clone());
                }
            }
            ChainInput::Traced { problem, .. } => chain.untraceable.clone_from(problem),
            ChainInput::Began { .. }
            | ChainInput::Advance { .. }
            | ChainInput::Mempool(_)
            | ChainInput::Grown { .. }
            | ChainInput::TracedBy(_)
            | ChainInput::Balances { .. }
            | ChainInput::Backfill { .. }
            | ChainInput::BackfillRefused { .. }
            | ChainInput::Spenders { .. }
            | ChainInput::Frozen { .. }
            | ChainInput::Thawed
            | ChainInput::Agreed { .. } => {}
        }
        // An answer alone mends nothing: the node told its tip, but a block may not be readable.
        if matches!(
            input,
            ChainInput::Began { .. } | ChainInput::Advance { .. } | ChainInput::Polled { .. }
        ) {
            chain.stopped = None;
            chain.unserved = None;
        }
    }

    fn plan(&self, at: usize, input: &ChainInput, now: Now) -> Result<Plan, StoreError> {
        match input {
            ChainInput::Status(_) | ChainInput::Failed { .. } => Ok(self.plan_health(at, now)),
            ChainInput::Began { history, first } => self.plan_start(at, history, first, now),
            ChainInput::Advance {
                disconnect_to,
                connected,
            } => self.plan_advance(at, *disconnect_to, connected, now),
            ChainInput::Mempool(news) => self.plan_mempool(at, news, now),
            ChainInput::Polled { began_ms, status } => self.plan_polled(at, *began_ms, status, now),
            ChainInput::Traced {
                blocks,
                to,
                given_up,
                problem: _,
            } => {
                let to = *to;
                let told = traces::Told {
                    blocks,
                    to,
                    given_up,
                };
                self.plan_traced(at, told, now)
            }
            ChainInput::Grown {
                block,
                growth,
                is_last,
            } => {
                let told = traces::Growth {
                    block: *block,
                    of: growth,
                    is_last: *is_last,
                };
                self.plan_grown(at, told, now)
            }
            ChainInput::TracedBy(tracing) => self.plan_tracing(at, *tracing, now),
            ChainInput::Balances { block, told, .. } => self.plan_balances(at, *block, told, now),
            ChainInput::Backfill {
                batch,
                blocks,
                to,
                untraced,
            } => {
                let portion = backfill::Portion {
                    blocks,
                    to: *to,
                    untraced: *untraced,
                };
                self.plan_backfill(at, *batch, portion, now)
            }
            ChainInput::BackfillRefused { batch, message } => {
                self.plan_backfill_refused(at, *batch, message, now)
            }
            ChainInput::Spenders { answers } => self.plan_vanished(at, answers, now),
            ChainInput::Frozen { reason, message } => {
                Ok(self.plan_freeze(at, Some((*reason, message)), now))
            }
            ChainInput::Thawed => Ok(self.plan_freeze(at, None, now)),
            ChainInput::Agreed { block, lost } => {
                self.plan_agreed(at, *block, lost.as_deref(), now)
            }
        }
    }

    /// Time passed: health, due payments, ended watch windows, requests that waited.
    fn handle_tick(&mut self, now: Now) -> Result<(), StoreError> {
        for at in 0..self.chains.len() {
            let mut view = self.chain(at).view.clone();
            Self::settle_view(self.chain(at), &mut view, now);
            let plan = self.plan_due(at, view, now)?;
            self.commit(plan)?;
            self.ask_for_past(at, now)?;
        }
        self.handle_waiting(now)?;
        self.unwatch_ended(now)?;
        self.tell_old_heads(now);
        self.tell_progress(now);
        self.publish(now);
        Ok(())
    }

    /// Why a chain gives no verdicts under a view, if so.
    fn trouble(chain: &ChainState, view: &ChainView, now: Now) -> Option<String> {
        let doubt = match (chain.suspended_at, chain.dates_asked_at) {
            (None, None) => None,
            (Some(_), _) => Some(doubt::WORDS),
            (None, Some(_)) => Some(doubt::DATES),
        };
        let trouble = chain.trouble(view, now.monotonic_ms);
        trouble.or_else(|| doubt.map(str::to_owned))
    }

    fn place(&self, name: &ChainName) -> Option<usize> {
        self.chains
            .iter()
            .position(|chain| chain.spec.name == *name)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "places come from `place` or the list's length"
    )]
    fn chain(&self, at: usize) -> &ChainState {
        &self.chains[at]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "places come from `place` or the list's length"
    )]
    fn chain_mut(&mut self, at: usize) -> &mut ChainState {
        &mut self.chains[at]
    }
}

/// Whether another scan of the past may be due after an input; registrations and time look by themselves.
const fn may_need_past(input: &ChainInput) -> bool {
    match input {
        ChainInput::Began { .. }
        | ChainInput::Polled { .. }
        | ChainInput::Backfill { .. }
        | ChainInput::BackfillRefused { .. } => true,
        ChainInput::Advance { disconnect_to, .. } => disconnect_to.is_some(),
        ChainInput::Status(_)
        | ChainInput::Mempool(_)
        | ChainInput::Traced { .. }
        | ChainInput::TracedBy(_)
        | ChainInput::Grown { .. }
        | ChainInput::Balances { .. }
        | ChainInput::Failed { .. }
        | ChainInput::Spenders { .. }
        | ChainInput::Frozen { .. }
        | ChainInput::Thawed
        | ChainInput::Agreed { .. } => false,
    }
}

#[cfg(test)]
mod tests;
