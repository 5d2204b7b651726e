//! Scanning the past for late registrations: beside the tip, one request at a time.
//!
//! Traces that do not come are waited for a while, and then the scan goes on without, and says so.

use super::{
    Follower, Halt, Sink,
    fetched::Fetched,
    fork::{self, HEADER_BATCH},
    window::{Window, parent},
};
use crate::{
    bugs::{Bug, planted},
    chain::{ChainInput, ChainSource, SourceError},
    domain::{
        block::{BlockRef, Height},
        facts::BlockFacts,
        payment::ScanFrom,
    },
};
use std::collections::VecDeque;
use tracing::warn;

/// A scan that fails this often in a row, while the tip is followed, is given back as refused:
/// others wait behind it.
const FAILURES_MAX: u32 = 10;

/// How long after a look that found nothing new is looked again.
const TRACES_PAUSE_MS: u64 = 250;

/// One scan of the past.
#[derive(Debug, Clone)]
pub(super) struct Backfill {
    batch: u64,
    from: ScanFrom,
    to: Height,
    stage: Stage,
    /// How often it failed since it last went on.
    failures: u32,
    /// The blocks of our chain to scan, ascending, as far as they are known and not done.
    blocks: VecDeque<BlockRef>,
    /// Whether it matters what contracts moved in them.
    pub(super) traces: bool,
    /// The first of them, whose traces are still looked for.
    fetched: Fetched,
    /// When the next look is, on the monotonic clock, where it waits for one.
    pub(super) next_look_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was looked at yet.
    Waiting,
    /// Walking our chain's headers down to the first block to scan; this one is the lowest yet.
    Walking(BlockRef),
    /// All blocks are known; their bodies are fetched.
    Fetching,
}

/// What one request of work on a backfill came to.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// It went on, and there is more to do.
    More,
    /// It did not go on, and is tried again.
    Waiting,
    /// All is scanned.
    Done,
    /// It cannot be done, and why.
    Refused(String),
}

impl Backfill {
    pub(super) fn new(batch: u64, from: ScanFrom, to: Height, traces: bool) -> Self {
        Self {
            batch,
            from,
            to,
            stage: Stage::Waiting,
            failures: 0,
            blocks: VecDeque::new(),
            traces,
            fetched: Fetched::default(),
            next_look_ms: None,
        }
    }

    /// Whether there is nothing to do for it yet.
    pub(super) fn rests(&self, now_ms: u64) -> bool {
        self.next_look_ms.is_some_and(|at_ms| now_ms < at_ms)
    }

    /// Blocks above `fork` are no longer ours: they are not scanned as the past any more, since
    /// what replaces them comes live. A walk that began above starts over.
    pub(super) fn disconnected(&mut self, fork: Height) {
        let is_cut = self.to > fork;
        self.to = self.to.min(fork);
        self.blocks.retain(|block| block.id.height <= fork);
        self.fetched = Fetched::default();
        if is_cut && matches!(self.stage, Stage::Walking(_)) {
            self.stage = Stage::Waiting;
            self.blocks.clear();
        }
    }

    /// Walks down over these blocks, which descend.
    fn walk_over(
        &mut self,
        blocks: impl IntoIterator<Item = BlockRef>,
        max_blocks: u32,
    ) -> Progress {
        for block in blocks {
            self.stage = Stage::Walking(block);
            let left_out = u32::from(planted(Bug::BackfillSkipsLast));
            if block.id.height.plus(left_out) > self.to {
                continue;
            }
            self.blocks.push_front(block);
            if u32::try_from(self.blocks.len()).is_ok_and(|len| len > max_blocks) {
                return self.too_long(max_blocks);
            }
            if self.from.is_reached_by(&block) {
                self.stage = Stage::Fetching;
                break;
            }
        }
        Progress::More
    }

    /// How many blocks lie in the span, as far as the ask says; 0 when nothing does.
    fn span(&self) -> Option<u32> {
        match self.from {
            ScanFrom::Height(from) => Some(self.to.plus(1).minus(from.0).0),
            ScanFrom::Time(_) => None,
        }
    }

    fn too_long(&self, max_blocks: u32) -> Progress {
        Progress::Refused(format!(
            "more than {max_blocks} blocks up to block {} would have to be scanned; \
             name a later scan_from, or raise max_rescan",
            self.to
        ))
    }
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Does one request's worth of a scan of the past, if there is one; whether more is left that need not wait.
    pub(super) async fn work_on_backfill(&mut self) -> Result<bool, Halt> {
        let Some(tip) = self.window.tip() else {
            return Ok(false);
        };
        let now_ms = self.clock.now().monotonic_ms;
        let Some(mut job) = self.asks.scans.take(now_ms) else {
            self.asks.scans.walked.clear();
            return Ok(false);
        };
        if job.rests(now_ms) {
            self.asks.scans.put(job);
            return Ok(false);
        }
        job.next_look_ms = None;
        job.to = job.to.min(tip.id.height);
        let batch = job.batch;
        match self.work(&mut job).await {
            Ok(Progress::More) => {
                job.failures = 0;
                self.asks.scans.put(job);
                Ok(true)
            }
            Ok(Progress::Waiting) => {
                self.asks.scans.put(job);
                Ok(true)
            }
            Ok(Progress::Done) => Ok(self.asks.scans.any()),
            Ok(Progress::Refused(message)) | Err(Halt::Source(SourceError::Permanent(message))) => {
                let refused = ChainInput::BackfillRefused { batch, message };
                self.tell(refused).await?;
                Ok(self.asks.scans.any())
            }
            Err(Halt::Source(error)) if job.failures >= FAILURES_MAX => {
                let message = format!("gave up after {FAILURES_MAX} attempts: {error}");
                let refused = ChainInput::BackfillRefused { batch, message };
                self.tell(refused).await?;
                Err(error.into())
            }
            Err(halt) => {
                job.failures = job.failures.saturating_add(1);
                self.asks.scans.put(job);
                Err(halt)
            }
        }
    }

    async fn work(&mut self, job: &mut Backfill) -> Result<Progress, Halt> {
        let max = self.options.max_rescan;
        match (job.stage, job.span()) {
            (Stage::Waiting, Some(0)) => self.deliver(job, Vec::new(), job.to, false).await,
            (Stage::Waiting, Some(span)) if span > max => Ok(job.too_long(max)),
            // Most scans need no header beyond the blocks in memory.
            (Stage::Waiting, _) => Ok(job.walk_over(recent(&self.window, job.to), max)),
            (Stage::Walking(lowest), _) => {
                let mut below = self.asks.scans.walked.below(&lowest);
                if below.is_empty() {
                    below = self.headers_below(&lowest).await?;
                    self.asks.scans.walked.add(&below);
                    below.reverse();
                }
                Ok(job.walk_over(below, max))
            }
            (Stage::Fetching, _) => self.fetch(job).await,
        }
    }

    /// The headers below a block of ours, ascending and linked to it.
    async fn headers_below(&mut self, block: &BlockRef) -> Result<Vec<BlockRef>, SourceError> {
        let top = parent(block).ok_or_else(|| fork::moved(block.id.height))?;
        let from = top.height.minus(HEADER_BATCH.saturating_sub(1));
        let count = top.height.plus(1).minus(from.0).0;
        let headers = fork::linked_headers(&mut self.source, from, count).await?;
        let is_ours = headers.last().map(|last| last.id) == Some(top);
        is_ours
            .then_some(headers)
            .ok_or_else(|| fork::moved(top.height))
    }

    async fn fetch(&mut self, job: &mut Backfill) -> Result<Progress, Halt> {
        if !job.fetched.is_empty() {
            return self.complete(job).await;
        }
        let count = usize::try_from(self.pace.blocks()).unwrap_or(1);
        let batch: Vec<BlockRef> = job.blocks.iter().take(count).copied().collect();
        if batch.is_empty() {
            // All of them were disconnected; the scan still has to be concluded.
            return self.deliver(job, Vec::new(), job.to, false).await;
        }
        match self.bodies(&batch).await {
            Ok(facts) => {
                job.fetched = Fetched::new(facts, self.clock.now().monotonic_ms);
                self.complete(job).await
            }
            // Those before the block that is missing or bad are good.
            Err(SourceError::Behind(_) | SourceError::Permanent(_)) if batch.len() > 1 => {
                Ok(Progress::Waiting)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Delivers what was fetched, once it is known what contracts moved in it where that matters, or that it
    /// does not come.
    async fn complete(&mut self, job: &mut Backfill) -> Result<Progress, Halt> {
        let mut fetched = std::mem::take(&mut job.fetched);
        if job.traces && fetched.awaits_traces() {
            let is_news = self.trace_past(&mut fetched).await;
            let now_ms = self.clock.now().monotonic_ms;
            if fetched.awaits_traces() && !fetched.is_overdue(now_ms) {
                let pause_ms = if is_news { 0 } else { TRACES_PAUSE_MS };
                job.next_look_ms = Some(now_ms.saturating_add(pause_ms));
                job.fetched = fetched;
                return Ok(Progress::Waiting);
            }
            let missing = fetched.give_up();
            if let (Some(from), Some(to)) = (missing.first(), missing.last()) {
                let chain = &self.options.chain;
                warn!(%chain, %from, %to, "what contracts moved in some of these past blocks does not come; the scan goes on without");
            }
        }
        let (facts, untraced) = fetched.into_facts();
        let to = facts.last().map_or(job.to, |facts| facts.block.id.height);
        self.deliver(job, facts, to, untraced).await
    }

    async fn deliver(
        &mut self,
        job: &mut Backfill,
        blocks: Vec<BlockFacts>,
        to: Height,
        untraced: bool,
    ) -> Result<Progress, Halt> {
        let batch = job.batch;
        self.tell(ChainInput::Backfill {
            batch,
            blocks,
            to,
            untraced,
        })
        .await?;
        job.blocks.retain(|block| block.id.height > to);
        let is_done = job.blocks.is_empty();
        Ok(if is_done {
            Progress::Done
        } else {
            Progress::More
        })
    }
}

/// Our blocks from `to` downwards; the lowest of them all when `to` is older.
fn recent(window: &Window, to: Height) -> impl Iterator<Item = BlockRef> {
    let lowest = window.lowest().map_or(to, |block| block.id.height);
    window.down_from(to.max(lowest))
}
