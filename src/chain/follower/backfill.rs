//! Scanning the past for late registrations: beside the tip, one request at a time.

use super::{
    Follower, Halt, Sink,
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
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};
use tokio::time::sleep;

/// A scan that fails this often in a row, while the tip is followed, is given back as refused:
/// others wait behind it.
const FAILURES_MAX: u32 = 10;

/// How long the traces of some past blocks are looked for before that counts as a failure: as long as
/// operators are waited for, and again.
const TRACES_PATIENCE_MS: u64 = 120_000;

/// How long after a look that found nothing new.
const TRACES_PAUSE: Duration = Duration::from_millis(250);

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
    traces: bool,
    /// The first of them, whose traces are still looked for.
    fetched: Fetched,
}

/// Blocks whose traces are looked for.
#[derive(Debug, Clone, Default)]
struct Fetched {
    facts: Vec<BlockFacts>,
    /// Since when, on the monotonic clock.
    since_ms: u64,
    /// Of which nobody can tell any more what contracts moved.
    gone: BTreeSet<Height>,
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
    /// There is more to do.
    More,
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
        }
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
    /// Does one request's worth of the backfill, if there is one; whether more is left.
    pub(super) async fn work_on_backfill(&mut self) -> Result<bool, Halt> {
        let Some(tip) = self.window.tip() else {
            return Ok(false);
        };
        let Some(mut job) = self.asks.backfill.take() else {
            return Ok(false);
        };
        job.to = job.to.min(tip.id.height);
        let batch = job.batch;
        match self.work(&mut job).await {
            Ok(Progress::More) => {
                job.failures = 0;
                self.asks.backfill = Some(job);
                Ok(true)
            }
            Ok(Progress::Done) => Ok(false),
            Ok(Progress::Refused(message)) | Err(Halt::Source(SourceError::Permanent(message))) => {
                let refused = ChainInput::BackfillRefused { batch, message };
                self.tell(refused).await?;
                Ok(false)
            }
            Err(Halt::Source(error)) if job.failures >= FAILURES_MAX => {
                let message = format!("gave up after {FAILURES_MAX} attempts: {error}");
                let refused = ChainInput::BackfillRefused { batch, message };
                self.tell(refused).await?;
                Err(error.into())
            }
            Err(halt) => {
                job.failures = job.failures.saturating_add(1);
                self.asks.backfill = Some(job);
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
                let below = self.headers_below(&lowest).await?;
                Ok(job.walk_over(below.into_iter().rev(), max))
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
        if !job.fetched.facts.is_empty() {
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
                job.fetched = Fetched {
                    facts,
                    since_ms: self.clock.now().monotonic_ms,
                    gone: BTreeSet::new(),
                };
                self.complete(job).await
            }
            // Those before the block that is missing or bad are good.
            Err(SourceError::Behind(_) | SourceError::Permanent(_)) if batch.len() > 1 => {
                Ok(Progress::More)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Delivers what was fetched, once it is known what contracts moved in it where that matters.
    async fn complete(&mut self, job: &mut Backfill) -> Result<Progress, Halt> {
        let mut fetched = std::mem::take(&mut job.fetched);
        if job.traces {
            let is_quiet = self
                .trace_past(&mut fetched.facts, &mut fetched.gone)
                .await?;
            let is_missing = |facts: &BlockFacts| {
                facts.awaits_trace && !fetched.gone.contains(&facts.block.id.height)
            };
            if fetched.facts.iter().any(is_missing) {
                let now_ms = self.clock.now().monotonic_ms;
                if now_ms.saturating_sub(fetched.since_ms) > TRACES_PATIENCE_MS {
                    let message = "what contracts moved in past blocks does not come";
                    return Err(SourceError::Transient(message.into()).into());
                }
                if is_quiet {
                    sleep(TRACES_PAUSE).await;
                }
                job.fetched = fetched;
                return Ok(Progress::More);
            }
        }
        let last = fetched.facts.last().map(|facts| facts.block.id.height);
        let to = last.unwrap_or(job.to);
        let untraced = !fetched.gone.is_empty();
        self.deliver(job, fetched.facts, to, untraced).await
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
