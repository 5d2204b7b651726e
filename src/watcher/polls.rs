//! What a poll says of a chain as a whole: health, finality, freezing, deadlines.

use super::{Watcher, plan::Plan, state::ChainState, touched::Touched};
use crate::{
    bugs::{Bug, planted},
    chain::{NodeStatus, says_the_same},
    clock::Now,
    domain::{
        block::BlockRef,
        event::Entry,
        time::{SpanMs, UnixMs},
        view::{ChainView, FreezeReason},
    },
    store::StoreError,
};

impl Watcher {
    /// A full poll is done: finality moves, and deadlines that it covers are judged.
    pub(super) fn plan_polled(
        &self,
        at: usize,
        began_ms: u64,
        status: &NodeStatus,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        if view
            .scanned
            .is_some_and(|cursor| cursor.id == status.tip.id)
        {
            if chain.suspended_at.is_none() && chain.dates_asked_at.is_none() {
                let end = Some(now.wall).filter(|_| planted(Bug::PollFromItsEnd));
                let began_at = end.unwrap_or(now.wall.minus(now.since(began_ms)));
                let unanswered = self.asks.unanswered_since(&chain.spec.name);
                let before = unanswered.map_or(began_at, |since| since.minus(SpanMs(1)));
                view.polled_at = view.polled_at.max(Some(began_at.min(before)));
            }
            settle_tags(&mut view, status);
        }
        self.plan_due(at, view, now)
    }

    /// Judges what is due under a view, and records the chain if it changed.
    pub(super) fn plan_due(
        &self,
        at: usize,
        view: ChainView,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut touched = Touched::default();
        self.touch_due(&view, &mut touched, &mut plan)?;
        self.judge(&view, touched, &mut plan)?;
        Self::record_if_changed(chain, &view, now, &mut plan);
        plan.view = Some((at, view));
        Ok(plan)
    }

    /// The node is silent, or its state changed without a block. A new tip alone is recorded with
    /// the block that follows, so that a block costs one commit; with other news it is recorded at
    /// once, so that nobody takes a chain that became healthy for one that is at its tip.
    pub(super) fn plan_health(&self, at: usize, now: Now) -> Plan {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        let row = ChainView {
            tip: chain.stored.0.tip,
            ..view.clone()
        };
        Self::record_if_changed(chain, &row, now, &mut plan);
        if let Some(step) = &mut plan.step.chain {
            step.view.tip = view.tip;
        }
        plan.view = Some((at, view));
        plan
    }

    /// The chain contradicts a final block, or no longer does.
    pub(super) fn plan_freeze(
        &self,
        at: usize,
        frozen: Option<(FreezeReason, &str)>,
        now: Now,
    ) -> Plan {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        view.frozen = frozen.map(|(reason, _)| reason);
        if view.frozen != chain.view.frozen {
            Self::record_freeze(chain, &view, frozen, now, &mut plan);
        }
        plan.view = Some((at, view));
        plan
    }

    /// Records whether and why a chain is frozen, with an entry of the journal when that is new.
    fn record_freeze(
        chain: &ChainState,
        view: &ChainView,
        frozen: Option<(FreezeReason, &str)>,
        now: Now,
        plan: &mut Plan,
    ) {
        if view.frozen != chain.view.frozen {
            let entry = freeze_entry(chain, frozen, now.wall);
            plan.step.entries.push(entry);
        }
        let error = frozen.map(|(_, message)| message.to_owned());
        let error = error.or_else(|| Self::trouble(chain, view, now));
        plan.record_chain(view.clone(), error);
    }

    /// Enough operators hold our chain up to `agreed`: what waited for that is judged. A lost quorum
    /// freezes the chain, and heals by itself; a freeze for another reason stays.
    pub(super) fn plan_agreed(
        &self,
        at: usize,
        agreed: Option<BlockRef>,
        lost: Option<&str>,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let held = agreed.map(|block| block.id.height);
        let mut view = ChainView {
            agreed,
            held: chain.view.held.max(held),
            ..chain.view.clone()
        };
        view.frozen = match view.frozen {
            None | Some(FreezeReason::Quorum) => lost.map(|_| FreezeReason::Quorum),
            other @ Some(FreezeReason::BelowFinality | FreezeReason::Released) => other,
        };
        Self::settle_view(chain, &mut view, now);
        let mut plan = self.plan_due(at, view.clone(), now)?;
        let is_lost = view.frozen == Some(FreezeReason::Quorum);
        let is_said_otherwise = is_lost && said_otherwise(chain.error.as_deref(), lost);
        if view.frozen != chain.view.frozen || is_said_otherwise {
            Self::record_freeze(chain, &view, view.frozen.zip(lost), now, &mut plan);
        }
        Ok(plan)
    }

    /// Why it gives no verdicts, for its row. A frozen chain keeps saying why it is.
    pub(super) fn row_error(chain: &ChainState, view: &ChainView, now: Now) -> Option<String> {
        match view.frozen {
            Some(_) => chain.error.clone(),
            None => Self::trouble(chain, view, now),
        }
    }

    pub(super) fn record_if_changed(
        chain: &ChainState,
        view: &ChainView,
        now: Now,
        plan: &mut Plan,
    ) {
        let error = Self::row_error(chain, view, now);
        let (stored, stored_error) = &chain.stored;
        let row = ChainView {
            polled_at: stored.polled_at,
            traced: stored.traced.or(view.traced),
            traced_at: stored.traced_at.or(view.traced_at),
            ..view.clone()
        };
        if row != *stored || said_otherwise(stored_error.as_deref(), error.as_deref()) {
            plan.record_chain(view.clone(), error);
        }
    }
}

/// Whether two errors differ in more than their numbers: a row that counts seconds of silence
/// would be written at every look.
fn said_otherwise(before: Option<&str>, after: Option<&str>) -> bool {
    match before.zip(after) {
        Some((before, after)) => !says_the_same(before, after),
        None => before != after,
    }
}

/// Takes over the final and the safe block that the node names; neither ever goes back, and
/// neither is above what is agreed on.
fn settle_tags(view: &mut ChainView, status: &NodeStatus) {
    if view.frozen.is_some() {
        return;
    }
    let agreed = view.agreed_height();
    let finalized = status.finalized.map(|block| block.height).min(agreed);
    view.finalized = view.finalized.max(finalized);
    let safe = status.safe.map(|block| block.height).min(agreed);
    view.safe = view.safe.max(safe);
}

fn freeze_entry(chain: &ChainState, frozen: Option<(FreezeReason, &str)>, at: UnixMs) -> Entry {
    let data = match frozen {
        Some((reason, message)) => serde_json::json!({
            "chain": chain.spec.name, "frozen": reason.as_str(), "message": message,
        }),
        None => serde_json::json!({ "chain": chain.spec.name, "frozen": null }),
    };
    Entry::attention(&data, at)
}
