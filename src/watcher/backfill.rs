//! Past blocks for late registrations: one scan at a time and chain, shared by all that wait.
//!
//! A scan that is refused holds up nobody else. It is tried again for fewer payments, until it is
//! known whose past cannot be had; that payment is told so and is left out from then on, and from
//! time to time one such payment is tried again.

use super::{
    Watcher,
    blocks::Disconnected,
    doubt::block_seen_at,
    plan::Plan,
    state::{Batch, ChainState, Covers, Scans},
    touched::Touched,
};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        block::Height,
        facts::{BlockFacts, Fact},
        payment::PaymentKey,
        step::ScanStep,
    },
    store::{ScanBatch, StoreError},
};

/// After this long the next payment whose scan was refused is tried again: the operator may have
/// mended the node meanwhile.
const REFUSED_RETRY_MS: u64 = 60_000;
/// The longest reason that is kept, in characters: what a node says may be long.
const REASON_MAX: usize = 300;

/// A portion of the past that was scanned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portion<'a> {
    /// Consecutive blocks.
    pub blocks: &'a [BlockFacts],
    /// Up to and including this height.
    pub to: Height,
    /// Whether of some of them nobody can tell any more what contracts moved.
    pub untraced: bool,
}

impl Watcher {
    /// A portion of the past: the same code as for new blocks, except that the cursor stays.
    pub(super) fn plan_backfill(
        &self,
        at: usize,
        id: u64,
        portion: Portion<'_>,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let Portion {
            blocks,
            to,
            untraced,
        } = portion;
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let Some(batch) = under_way(chain, id) else {
            return Ok(plan);
        };
        if untraced && let Covers::UpTo { .. } = batch.covers {
            let message = "nobody can tell any more what contracts moved in some of the blocks";
            return self.plan_backfill_refused(at, id, message, now);
        }
        let mut touched = Touched::default();
        for facts in blocks {
            self.touch_block(
                chain,
                facts,
                &Disconnected::default(),
                block_seen_at(chain, facts.block, now),
                &mut touched,
            )?;
        }
        touched.keep_loaded(self.store.load(&touched.unloaded())?);
        touched.leave_to_those_who_look();
        if let (true, Covers::One(key) | Covers::Again(key)) = (untraced, batch.covers) {
            touched.add(key, Fact::Untraced);
        }
        let scan = cover(batch.covers, to, &mut touched);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        self.judge(&view, touched, &mut plan)?;
        let error = Self::row_error(chain, &view, now);
        plan.record_chain(view.clone(), error).scan = scan;
        plan.view = Some((at, view));
        plan.scans = Some((at, after_portion(chain, batch, to)));
        Ok(plan)
    }

    /// A scan that cannot be done now. When it is for several payments it is tried for fewer;
    /// a single one is told, and gets no verdict until its past is scanned.
    pub(super) fn plan_backfill_refused(
        &self,
        at: usize,
        id: u64,
        message: &str,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let Some(batch) = under_way(chain, id) else {
            return Ok(plan);
        };
        let mut scans = Scans {
            under_way: None,
            ..chain.scans
        };
        match batch.covers {
            Covers::UpTo { payments, .. } => {
                scans.limit = payments.div_euclid(2).max(1);
                tracing::info!(chain = %chain.spec.name, payments, reason = message, "a scan of past blocks was refused; trying it for fewer payments");
            }
            Covers::One(key) | Covers::Again(key) => {
                let next_ms = now.monotonic_ms.saturating_add(REFUSED_RETRY_MS);
                scans.refused = Some((key, next_ms));
                let mut touched = Touched::default();
                let why = Some(message.chars().take(REASON_MAX).collect());
                touched.add(key, Fact::ScanRefused { why });
                let mut view = chain.view.clone();
                Self::settle_view(chain, &mut view, now);
                self.judge(&view, touched, &mut plan)?;
            }
        }
        plan.scans = Some((at, scans));
        Ok(plan)
    }

    /// Asks for the past that some payments still need, unless a scan is under way.
    pub(super) fn ask_for_past(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if chain.scans.under_way.is_some() || chain.view.scanned.is_none() {
            return Ok(());
        }
        let next = self.store.next_scan(&chain.spec.name, chain.scans.limit)?;
        let next = match next {
            Some(scan) => Some((covers(&scan), scan)),
            None => self
                .scan_to_retry(chain, now)?
                .map(|scan| (Covers::Again(scan.up_to), scan)),
        };
        let Some((covers, scan)) = next else {
            return Ok(());
        };
        let batch = Batch {
            id: self.batches.saturating_add(1),
            covers,
            from: scan.from,
            done: None,
            goal: scan.goal,
        };
        let ask = Ask::Backfill {
            batch: batch.id,
            from: scan.from,
            to: scan.goal,
            traces: self.needs_traces(covers)?,
        };
        let chain = self.chain(at);
        let name = chain.spec.name.clone();
        tracing::info!(chain = %name, from = %scan.from, to = %scan.goal, payments = scan.payments, "scanning past blocks for late registrations");
        self.batches = batch.id;
        self.asks.push(&name, ask, now.wall);
        self.chain_mut(at).scans.under_way = Some(batch);
        Ok(())
    }

    /// Whether a payment of a scan may be paid by a contract; of several it is not asked.
    fn needs_traces(&self, covers: Covers) -> Result<bool, StoreError> {
        match covers {
            Covers::UpTo { .. } => Ok(true),
            Covers::One(key) | Covers::Again(key) => {
                let payments = self.store.load(&[key])?;
                Ok(payments.iter().any(|payment| payment.history.needs_traces))
            }
        }
    }

    /// One after another, so that each payment whose scan was refused gets its turn.
    fn scan_to_retry(&self, chain: &ChainState, now: Now) -> Result<Option<ScanBatch>, StoreError> {
        let name = &chain.spec.name;
        let first = PaymentKey(i64::MIN);
        let Some((last, next_ms)) = chain.scans.refused else {
            return self.store.refused_scan(name, first);
        };
        if now.monotonic_ms < next_ms {
            return Ok(None);
        }
        match self.store.refused_scan(name, last)? {
            Some(scan) => Ok(Some(scan)),
            None => self.store.refused_scan(name, first),
        }
    }
}

/// The scan under way, if it is the one of this name.
fn under_way(chain: &ChainState, id: u64) -> Option<Batch> {
    chain.scans.under_way.filter(|batch| batch.id == id)
}

const fn covers(scan: &ScanBatch) -> Covers {
    match scan.payments {
        0 | 1 => Covers::One(scan.up_to),
        payments => Covers::UpTo {
            last: scan.up_to,
            payments,
        },
    }
}

/// Tells the payments of a scan that it went on; the store tells those that nothing else touches.
fn cover(covers: Covers, to: Height, touched: &mut Touched) -> Option<ScanStep> {
    let scanned = Fact::Scanned { to };
    match covers {
        Covers::One(key) => {
            touched.add(key, scanned);
            Some(ScanStep { to, up_to: key })
        }
        Covers::Again(key) => {
            touched.add(key, Fact::ScanRefused { why: None });
            touched.add(key, scanned);
            None
        }
        Covers::UpTo { last, .. } => {
            touched.add_up_to(last, &scanned);
            Some(ScanStep { to, up_to: last })
        }
    }
}

/// After a scan that worked more payments may share one again. The time of the next attempt at a
/// refused one stays: when an attempt worked it is over, and the next has its turn at once.
fn after_portion(chain: &ChainState, batch: Batch, to: Height) -> Scans {
    if to < batch.goal {
        let done = Some(to);
        return Scans {
            under_way: Some(Batch { done, ..batch }),
            ..chain.scans
        };
    }
    Scans {
        under_way: None,
        limit: chain.scans.limit.saturating_mul(2),
        refused: chain.scans.refused,
    }
}
