//! Past blocks for late registrations: one scan at a time and chain, shared by all that wait.

use super::{Watcher, blocks::Disconnected, plan::Plan, state::Batch, touched::Touched};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        block::Height,
        event::{Entry, EventKind},
        facts::{BlockFacts, Fact},
        step::ScanStep,
    },
    store::StoreError,
};

/// A scan that was refused is asked for again after this long: the operator may have mended the
/// node meanwhile.
const REFUSED_RETRY_MS: u64 = 60_000;

impl Watcher {
    /// A portion of the past: the same code as for new blocks, except that the cursor stays.
    pub(super) fn plan_backfill(
        &self,
        at: usize,
        id: u64,
        blocks: &[BlockFacts],
        to: Height,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let Some(batch) = chain.batch.filter(|batch| batch.id == id) else {
            return Ok(plan);
        };
        let mut touched = Touched::default();
        for facts in blocks {
            self.touch_block(
                chain,
                facts,
                &Disconnected::default(),
                now.wall,
                &mut touched,
            )?;
        }
        touched.add_up_to(batch.up_to, &Fact::Scanned { to });
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        self.judge(&view, touched, &mut plan)?;
        let error = Self::trouble(chain, &view, now);
        let scan = ScanStep {
            to,
            up_to: batch.up_to,
        };
        plan.record_chain(view.clone(), error).scan = Some(scan);
        plan.view = Some((at, view));
        if to >= batch.goal {
            plan.batch = Some((at, None));
        }
        Ok(plan)
    }

    /// A scan that cannot be done now; its payments get no verdict until it is.
    pub(super) fn plan_backfill_refused(
        &self,
        at: usize,
        id: u64,
        message: &str,
        now: Now,
    ) -> Plan {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        if chain.batch.is_none_or(|batch| batch.id != id) {
            return plan;
        }
        if chain
            .refused
            .as_ref()
            .is_none_or(|(_, known)| known != message)
        {
            plan.step.entries.push(Entry {
                payment: None,
                kind: EventKind::Attention,
                from: None,
                to: None,
                reason: None,
                data: serde_json::json!({
                    "chain": chain.spec.name, "scan_refused": message,
                }),
                occurred_at: now.wall,
            });
        }
        plan.batch = Some((at, None));
        plan.refused = Some((at, now.monotonic_ms, message.to_owned()));
        plan
    }

    /// Asks for the past that some payments still need, unless a scan is under way.
    pub(super) fn ask_for_past(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        let waits = chain.refused.as_ref().is_some_and(|(since_ms, _)| {
            now.monotonic_ms.saturating_sub(*since_ms) < REFUSED_RETRY_MS
        });
        if chain.batch.is_some() || chain.view.scanned.is_none() || waits {
            return Ok(());
        }
        let Some(scan) = self.store.next_scan(&chain.spec.name)? else {
            return Ok(());
        };
        let batch = Batch {
            id: self.batches.saturating_add(1),
            up_to: scan.up_to,
            goal: scan.goal,
        };
        let ask = Ask::Backfill {
            batch: batch.id,
            from: scan.from,
            to: scan.goal,
        };
        let name = chain.spec.name.clone();
        tracing::info!(chain = %name, from = ?scan.from, to = %scan.goal, "scanning past blocks for late registrations");
        self.batches = batch.id;
        self.asks.push(&name, ask);
        self.chain_mut(at).batch = Some(batch);
        Ok(())
    }
}
