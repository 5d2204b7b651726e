//! Past blocks for late registrations: shared by those who lack about the same, and in turns.
//!
//! A scan that is refused holds up nobody else. It is tried again for fewer payments, until it is
//! known whose past cannot be had; that payment is told so and is left out from then on, and from
//! time to time one such payment is tried again.

use super::{
    Watcher,
    blocks::Disconnected,
    doubt::block_seen_at,
    plan::Plan,
    scan_turns::{self, FAIR_EVERY, ScanBatch, TURN_BLOCKS},
    scans::{Batch, Covers, Scans},
    state::ChainState,
    touched::Touched,
};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        block::Height,
        facts::{BlockFacts, Fact},
        payment::{Payment, PaymentKey},
        step::ScanStep,
    },
    store::{StoreError, Unscanned},
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
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let Some((scans, batch)) = chain.scans.find(id) else {
            return Ok(plan);
        };
        let scan = batch.step(portion.to);
        let mut touched = Touched::default();
        for facts in portion.blocks {
            self.touch_block(
                chain,
                facts,
                &Disconnected::default(),
                block_seen_at(chain, facts.block, now),
                &mut touched,
            )?;
        }
        self.touch_covered(chain, batch.covers, portion, scan, &mut touched)?;
        touched.keep_loaded(self.store.load(&touched.unloaded())?);
        touched.leave_to_those_who_look();
        tell_covered(batch.covers, portion, scan, &mut touched);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        self.judge(&view, touched, &mut plan)?;
        let error = Self::row_error(chain, &view, now);
        plan.record_chain(view.clone(), error).scan = match batch.covers {
            Covers::One(_) | Covers::UpTo { .. } => Some(scan),
            Covers::Again(_) => None,
        };
        plan.view = Some((at, view));
        plan.scans = Some((at, after_portion(chain, scans, batch, portion)));
        Ok(plan)
    }

    /// Those whom a portion concerns whatever it holds: who is scanned alone, and everybody where it is not
    /// known what contracts moved.
    fn touch_covered(
        &self,
        chain: &ChainState,
        covers: Covers,
        portion: Portion<'_>,
        scan: ScanStep,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        match covers {
            Covers::One(key) | Covers::Again(key) => touched.again(key),
            Covers::UpTo { .. } if portion.untraced => {
                for key in self.store.moved_by(&chain.spec.name, scan)? {
                    touched.again(key);
                }
            }
            Covers::UpTo { .. } => {}
        }
        Ok(())
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
        let Some((scans, batch)) = chain.scans.find(id) else {
            return Ok(plan);
        };
        let mut scans = Scans {
            under_way: None,
            ..scans
        };
        match batch.covers {
            Covers::UpTo { payments, .. } => {
                scans.limit = payments.div_euclid(2).max(1);
                // Who has waited longest is the first of whom it is found out.
                scans.turns = FAIR_EVERY.saturating_sub(1);
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

    /// Asks for the past that some payments still need, unless a scan has its turn.
    pub(super) fn ask_for_past(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        for scans in self.chain(at).scans.both() {
            self.ask_for_scan(at, scans, now)?;
        }
        Ok(())
    }

    fn ask_for_scan(&mut self, at: usize, mut scans: Scans, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        let has_its_turn = scans.under_way.is_some_and(|batch| batch.turn_left > 0);
        if has_its_turn || chain.view.scanned.is_none() {
            return Ok(());
        }
        let next = self.next_scan(chain, scans, now)?;
        scans.turns = scans.turns.wrapping_add(1);
        let goes_on =
            |batch: &Batch| next.is_none_or(|(covers, scan)| is_rest_of(batch, covers, scan));
        if let Some(batch) = scans.under_way.filter(goes_on) {
            let turn_left = TURN_BLOCKS;
            scans.under_way = Some(Batch { turn_left, ..batch });
            *self.chain_mut(at).scans.of_mut(scans.traced) = scans;
            return Ok(());
        }
        let Some((covers, scan)) = next else {
            return Ok(());
        };
        let name = chain.spec.name.clone();
        tracing::debug!(chain = %name, from = %scan.from, to = %scan.goal, payments = scan.payments, traces = scans.traced, "scanning past blocks for late registrations");
        let batch = Batch {
            id: self.batches.saturating_add(1),
            covers,
            traced: scans.traced,
            from: scan.from,
            done: None,
            goal: scan.goal,
            turn_left: TURN_BLOCKS,
        };
        let ask = Ask::Backfill {
            batch: batch.id,
            from: scan.from,
            to: scan.goal,
            traces: scans.traced,
        };
        self.batches = batch.id;
        self.asks.push(&name, ask, now.wall);
        scans.under_way = Some(batch);
        *self.chain_mut(at).scans.of_mut(scans.traced) = scans;
        Ok(())
    }

    fn next_scan(
        &self,
        chain: &ChainState,
        scans: Scans,
        now: Now,
    ) -> Result<Option<(Covers, ScanBatch)>, StoreError> {
        let waiting = self.store.unscanned(&chain.spec.name, scans.traced)?;
        let left = |one: &Unscanned| {
            let start = chain.start_of(one.from, one.goal);
            one.goal.plus(1).minus(start.0).0
        };
        if let Some(scan) = scan_turns::next(&waiting, scans.limit, scans.turns, left) {
            return Ok(Some((covers(&scan), scan)));
        }
        if scans.under_way.is_some() {
            return Ok(None);
        }
        let again = self.scan_to_retry(chain, scans, now)?;
        Ok(again.map(|one| (Covers::Again(one.key), ScanBatch::alone(one))))
    }

    /// One after another, so that each payment whose scan was refused gets its turn.
    fn scan_to_retry(
        &self,
        chain: &ChainState,
        scans: Scans,
        now: Now,
    ) -> Result<Option<Unscanned>, StoreError> {
        let (name, traced) = (&chain.spec.name, scans.traced);
        let first = PaymentKey(i64::MIN);
        let Some((last, next_ms)) = scans.refused else {
            return self.store.refused_scan(name, traced, first);
        };
        if now.monotonic_ms < next_ms {
            return Ok(None);
        }
        match self.store.refused_scan(name, traced, last)? {
            Some(scan) => Ok(Some(scan)),
            None => self.store.refused_scan(name, traced, first),
        }
    }
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

/// Whether the next scan is what is left of this one, for the same payments: then it goes on.
fn is_rest_of(batch: &Batch, covers: Covers, scan: ScanBatch) -> bool {
    let is_for_one = |covers| !matches!(covers, Covers::UpTo { .. });
    let is_for_the_same =
        batch.covers.last() == scan.up_to && is_for_one(batch.covers) == is_for_one(covers);
    is_for_the_same && batch.next() == scan.from && batch.goal == scan.goal
}

/// Tells the payments of a scan that it went on; the store tells those that nothing else touches.
fn tell_covered(covers: Covers, portion: Portion<'_>, scan: ScanStep, touched: &mut Touched) {
    let scanned = Fact::Scanned { to: scan.to };
    let is_moved = |payment: &Payment| match covers {
        Covers::One(_) | Covers::UpTo { .. } => scan.moves(payment),
        Covers::Again(key) => payment.key == key,
    };
    if let Covers::Again(key) = covers {
        touched.add(key, Fact::ScanRefused { why: None });
    }
    if portion.untraced {
        let may_lack = |payment: &Payment| {
            let mut untold = portion.blocks.iter().filter(|facts| facts.awaits_trace);
            untold.any(|facts| payment.scan.looks_at(&facts.block, payment.kind))
        };
        touched.add_where(
            |payment| is_moved(payment) && may_lack(payment),
            &Fact::Untraced,
        );
    }
    touched.add_where(is_moved, &scanned);
}

/// After a scan that worked more payments may share one again. The time of the next attempt at a
/// refused one stays: when an attempt worked it is over, and the next has its turn at once.
///
/// One that waited for what contracts moved has had its turn.
fn after_portion(chain: &ChainState, scans: Scans, batch: Batch, portion: Portion<'_>) -> Scans {
    let to = portion.to;
    let blocks = to.plus(1).minus(chain.next_of(&batch).0).0;
    let scans = Scans {
        blocks: scans.blocks.saturating_add(blocks),
        ..scans
    };
    if to < batch.goal {
        let left = batch.turn_left.saturating_sub(blocks);
        let turn_left = if portion.untraced { 0 } else { left };
        let done = Some(to);
        return Scans {
            under_way: Some(Batch {
                done,
                turn_left,
                ..batch
            }),
            ..scans
        };
    }
    Scans {
        under_way: None,
        limit: scans.limit.saturating_mul(2),
        ..scans
    }
}
