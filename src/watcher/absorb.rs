//! Commit first, believe after: the only place where the watcher's memory changes.

use super::{
    Watcher, balances::looks_at_balances, judge::judged_until, plan::Plan, state::ChainState,
};
use crate::{
    bugs::{Bug, planted},
    clock::Now,
    domain::{
        event::EventKind,
        status::{Reason, Status},
        step::{ChainStep, Outcome, PaymentStep, RequestOutcome, Step},
        time::{SpanMs, UnixMs},
    },
    store::{Kept, StoreError},
};
use std::time::Instant;

/// Addresses whose watch window ended are dropped in portions of this size.
const UNWATCH_MAX: u32 = 1000;

impl Watcher {
    /// Commits a plan's step, then takes the plan over.
    pub(super) fn commit(&mut self, mut plan: Plan) -> Result<(), StoreError> {
        if !plan.step.is_empty() {
            if planted(Bug::BelievedFirst)
                && let Some((at, view)) = &plan.view
            {
                self.chain_mut(*at).view = view.clone();
            }
            let began = Instant::now();
            let committed = self.store.commit(&plan.step)?;
            self.metrics.committed(began.elapsed());
            crate::crash::point("after_commit");
            for kept in committed.kept {
                self.keep(&mut plan.step, &kept);
            }
            self.watch_again(committed.watched_again, plan.step.at);
        }
        self.absorb(plan);
        Ok(())
    }

    /// Takes over a payment whose change was refused, as its row is now: what the step wanted of it
    /// did not happen, but its transfers may stand elsewhere.
    fn keep(&mut self, step: &mut Step, kept: &Kept) {
        tracing::error!(payment = %kept.id, problem = kept.problem.as_str(), "the database refused a change; the payment is on hold");
        self.metrics.transition_refused();
        step.payments
            .retain(|refused| refused.payment.key != kept.key);
        let undone = |outcome: &&mut RequestOutcome| {
            outcome.version.is_some() && outcome.request.payment_id == kept.id.as_str()
        };
        for outcome in step.outcomes.iter_mut().filter(undone) {
            outcome.outcome = Outcome::Refused;
        }
        if let Some(payment) = &kept.payment
            && let Some(at) = self.place(&payment.chain)
        {
            self.chain_mut(at).unconfirmed.absorb(payment);
        }
    }

    fn absorb(&mut self, plan: Plan) {
        for payment in &plan.step.payments {
            self.absorb_payment(payment, plan.step.at);
        }
        self.publish_watched();
        if let Some((at, view)) = plan.view {
            self.chain_mut(at).view = view;
            self.chain_mut(at).more_due = plan.more_due;
        }
        if let Some((at, scans)) = plan.scans {
            *self.chain_mut(at).scans.of_mut(scans.traced) = scans;
        }
        for at in plan.outgrown {
            self.chain_mut(at).scans.end_where(|_| true);
        }
        if let Some(step) = &plan.step.chain {
            self.absorb_chain(step);
        }
        if let Some(waiting) = plan.waiting {
            self.waiting = waiting;
        }
        for (reason, count) in plan.ignored {
            self.metrics.ignored(reason, count);
        }
        for entry in &plan.step.entries {
            tracing::warn!(data = entry.data, "attention");
        }
        self.count_outcomes(&plan.step);
        if let Some((at, more)) = plan.undated {
            self.chain_mut(at).undated.absorb(more);
        }
        if let Some((chain, destinations)) = plan.answered {
            self.asks.answered(&chain, destinations);
        }
        for (chain, ask) in plan.asks {
            self.asks.push(&chain, ask, plan.step.at);
        }
    }

    fn absorb_chain(&mut self, step: &ChainStep) {
        let Some(at) = self.place(&step.view.name) else {
            return;
        };
        if let Some(fork) = step.disconnected_to {
            let old = self
                .chain(at)
                .view
                .scanned
                .map_or(fork, |cursor| cursor.id.height);
            let newest = self
                .chain(at)
                .recent
                .back()
                .map_or(old, |block| block.id.height);
            let depth = newest.0.saturating_sub(fork.0);
            tracing::warn!(chain = %step.view.name, fork = %fork, depth, "blocks left the best chain");
            self.metrics.reorg(&step.view.name, depth);
        }
        let chain = self.chain_mut(at);
        chain.recent.extend(&step.history);
        chain.advance(step.disconnected_to, &step.connected);
        chain.error.clone_from(&step.error);
        chain.stored = (step.view.clone(), step.error.clone());
        if let Some(fork) = step.disconnected_to {
            chain.scans.end_where(|batch| batch.goal > fork);
        }
    }

    fn absorb_payment(&mut self, step: &PaymentStep, at: UnixMs) {
        let payment = &step.payment;
        if step.is_new {
            self.index
                .insert(&payment.chain, &payment.destination, payment.key);
            self.next_key = self.next_key.max(payment.key.0.saturating_add(1));
        }
        if let Some(place) = self.place(&payment.chain) {
            self.chain_mut(place).unconfirmed.absorb(payment);
        }
        for entry in &step.entries {
            match entry.kind {
                EventKind::Status | EventKind::Reversed | EventKind::Registered => {
                    tracing::info!(
                        payment = %payment.id,
                        from = entry.from.map(Status::as_str),
                        to = entry.to.map(Status::as_str),
                        reason = entry.reason.map(Reason::as_str),
                        "{}", entry.kind
                    );
                    let moved = entry.to.filter(|to| entry.from != Some(*to));
                    if let Some(to) = moved {
                        self.metrics
                            .transition(&payment.terms.asset, entry.from, to);
                    }
                    if moved == Some(Status::Paid) {
                        let since = payment.judged.first_seen_at.unwrap_or(at);
                        self.metrics.paid(&payment.terms.asset, at.since(since));
                    }
                }
                EventKind::Attention => {
                    tracing::warn!(payment = %payment.id, "a person should look at this payment");
                }
                EventKind::Transfer | EventKind::Finalized | EventKind::Command => {}
            }
        }
        for transfer in step
            .changed
            .iter()
            .filter_map(|n| payment.transfers.get(*n))
        {
            // Only its first sight: a transfer that moves was detected before.
            let is_first = transfer.first_seen_at == at;
            if let Some(anchor) = transfer.place.anchor().filter(|_| is_first) {
                let delay = SpanMs(at.since(anchor.block.time).0.max(0));
                self.metrics.detected(&payment.terms.asset, delay);
            }
        }
    }

    fn count_outcomes(&self, step: &Step) {
        for outcome in &step.outcomes {
            self.metrics.request(&outcome.request.kind, outcome.outcome);
            // As texts, which a log shows quoted: what a gateway wrote must not look like a line
            // or a field of ours.
            tracing::info!(
                request = outcome.request.request_id.as_str(),
                kind = outcome.request.kind.as_str(),
                payment = outcome.request.payment_id.as_str(),
                outcome = %outcome.outcome,
                code = %outcome.code,
                "request"
            );
        }
    }

    /// Forgets addresses whose watch window ended before the last full poll of their chain: what
    /// came inside the window is recorded by then.
    pub(super) fn unwatch_ended(&mut self, now: Now) -> Result<(), StoreError> {
        for at in 0..self.chains.len() {
            let view = &self.chain(at).view;
            if view.polled_at.is_none() {
                continue;
            }
            let name = view.name.clone();
            let until = judged_until(view).min(now.wall);
            // Whoever was paid by a contract until then is known once that is traced.
            let until = view.traced_at.map_or(until, |traced| traced.min(until));
            for ended in self.store.end_watches(&name, until, UNWATCH_MAX)? {
                self.index
                    .remove(&ended.chain, &ended.destination, ended.payment);
                self.chain_mut(at).unconfirmed.forget(ended.payment);
            }
        }
        Ok(())
    }

    /// Leaves the present state where `/readyz` and `/metrics` find it.
    pub(super) fn publish(&self, now: Now) {
        let chains = self
            .chains
            .iter()
            .map(|chain| (chain.spec.name.clone(), Self::readiness(chain, now)))
            .collect();
        let remark = |chain: &ChainState| Some((chain.spec.name.clone(), chain.remark(now)?));
        let remarks = self.chains.iter().filter_map(remark).collect();
        self.health.update(|health| {
            health.chains = chains;
            health.remarks = remarks;
            health.watcher_ticked_ms = now.monotonic_ms;
        });
        self.metrics.wal_bytes(self.store.wal_bytes());
        self.publish_watched();
        for chain in &self.chains {
            self.metrics.chain(&chain.view);
            if looks_at_balances(&chain.view) {
                let are_told = chain.unlooked.is_none();
                self.metrics.balances_told(&chain.spec.name, are_told);
            }
            self.metrics
                .scan_blocks_left(&chain.spec.name, chain.scan_blocks_left());
        }
    }

    fn readiness(chain: &ChainState, now: Now) -> Option<String> {
        let frozen = chain.view.frozen.map(|reason| format!("frozen: {reason}"));
        frozen.or_else(|| Self::trouble(chain, &chain.view, now))
    }

    fn publish_watched(&self) {
        let watched = u64::try_from(self.index.len()).unwrap_or(u64::MAX);
        self.metrics.watched_addresses(watched);
    }
}
