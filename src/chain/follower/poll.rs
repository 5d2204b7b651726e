//! One poll: what the node says, compared with our chain, and everything that follows from it.

use super::{
    Follower, Halt, Sink,
    finality::Finality,
    fork::{self, HEADER_BATCH, Path, Walk},
    freeze::{contradiction, off_our_final_chain},
};
use crate::{
    bugs::{Bug, planted},
    chain::{ChainInput, ChainSource, NodeStatus, SourceError},
    domain::{
        block::{BlockId, BlockRef, Height},
        time::UnixMs,
    },
};
use std::cmp::Ordering;

/// How our chain stands to the node's at the end of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Our tip is the node's.
    InStep,
    /// The node has more blocks for us; the next poll need not wait.
    More,
    /// The node has nothing for us: it is behind.
    Behind,
    /// The node's chain contradicts a final block of ours.
    Frozen,
}

impl Standing {
    /// Whether the node's mempool may be read: nothing else of it is missing or in doubt.
    const fn shows_mempool(self) -> bool {
        match self {
            Self::InStep | Self::Behind => true,
            Self::More | Self::Frozen => false,
        }
    }
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Asks the node once and tells the watcher what changed: at most one batch of headers'
    /// worth of blocks, so that asks and shutdown have their turn in a long catch-up.
    ///
    /// # Errors
    /// When the source fails, with everything told so far being true and complete in itself, or
    /// when nobody listens.
    pub async fn poll_once(&mut self) -> Result<Standing, Halt> {
        let polled = self.try_poll().await;
        if let Err(Halt::Source(SourceError::Transient(_) | SourceError::Permanent(_))) = polled {
            self.connected = false;
        }
        self.reads_mempool = polled
            .as_ref()
            .is_ok_and(|standing| standing.shows_mempool());
        polled
    }

    async fn try_poll(&mut self) -> Result<Standing, Halt> {
        if !self.connected {
            self.source.connect().await?;
            self.connected = true;
        }
        let began_ms = self.clock.now().monotonic_ms;
        let status = self.source.status().await?;
        let agreed_tip = Some(status.tip).filter(|_| self.has_agreed_tip());
        self.observe_finality(status.finalized);
        self.tell(ChainInput::Status(self.vouched(&status))).await?;
        let tracing = self
            .source
            .traced_by()
            .filter(|_| self.window.tip().is_some());
        if let Some(tracing) = tracing.filter(|_| tracing != self.tracing) {
            self.tell(ChainInput::TracedBy(tracing)).await?;
            self.tracing = Some(tracing);
        }
        let standing = self.follow_up_to(&status).await;
        if matches!(standing, Err(Halt::Source(_))) {
            // No look comes after a poll that fails, and nodes do not keep the state for long.
            self.trace().await?;
        }
        if matches!(standing, Ok(_) | Err(Halt::Source(_))) {
            self.agree(agreed_tip).await?;
        }
        if agreed_tip.is_some() && matches!(standing, Err(Halt::Source(_))) {
            self.source.doubt_leader();
        }
        let standing = standing?;
        if standing.shows_mempool() {
            let reconciled = self.read_mempool().await? && status.mempool_loaded;
            if reconciled && !status.syncing && standing == Standing::InStep {
                let status = self.vouched(&status);
                self.tell(ChainInput::Polled { began_ms, status }).await?;
            }
        }
        Ok(standing)
    }

    async fn follow_up_to(&mut self, status: &NodeStatus) -> Result<Standing, Halt> {
        let standing = self.reconcile(status).await?;
        self.settle(status, standing).await
    }

    /// The status with only those tags that name blocks of our chain: a lagging or lying node's
    /// tag makes nothing final. What was final stays named when the node's tag goes back. A tag
    /// below all that we hold makes nothing of ours final, but says that the node names tags.
    fn vouched(&self, status: &NodeStatus) -> NodeStatus {
        let upto = self
            .vouched_for()
            .map_or(Height(0), |block| block.id.height);
        let is_ours = |tag: &BlockId| tag.height <= upto && self.window.contains(*tag);
        let is_below = |tag: &BlockId| {
            let all_above = self.window.tip().is_none() || tag.height < self.window.bottom();
            all_above && tag.height > Height(0)
        };
        let below = status.finalized.filter(is_below);
        let safe = status.safe.filter(|tag| is_ours(tag) || is_below(tag));
        let mut tip = status.tip;
        if self.stands_alone() {
            // What one alone shows says nothing of the clock.
            let held = || self.window.get(self.agreed.highest());
            let oldest = || self.window.get(self.window.bottom());
            let ours = self.vouched_for().or_else(held).or_else(oldest);
            tip.time = tip.time.min(ours.map_or(UnixMs(0), |ours| ours.time));
        }
        NodeStatus {
            tip,
            finalized: self.finality.tag().max(below),
            safe,
            ..status.clone()
        }
    }

    async fn reconcile(&mut self, status: &NodeStatus) -> Result<Standing, Halt> {
        let Some(ours) = self.window.tip() else {
            return self.start_at(status).await;
        };
        let tag = status.finalized;
        let is_old = tag.is_some_and(|tag| tag.height <= self.finality.height());
        if is_old && !self.released && Finality::is_contradicted(&self.window, tag) {
            return self.freeze(contradiction(tag)).await;
        }
        if status.tip.id == ours.id {
            return Ok(Standing::InStep);
        }
        match status.tip.id.height.cmp(&ours.id.height) {
            Ordering::Greater => self.climb(ours, status.tip).await,
            Ordering::Equal | Ordering::Less => self.step_aside(ours, status.tip).await,
        }
    }

    /// The node's chain is longer than ours, so it is not behind: whether it stands on our tip or
    /// leads around it, and even when the node has never heard of our tip, it is what the network
    /// builds on as far as anybody can say.
    async fn climb(&mut self, ours: BlockRef, tip: BlockRef) -> Result<Standing, Halt> {
        let is_agreed = self.has_agreed_tip();
        let room = if is_agreed {
            HEADER_BATCH
        } else {
            self.room_alone()
        };
        if room == 0 {
            return Ok(Standing::Behind);
        }
        // What one alone has shown meanwhile may be off the way to what is agreed on.
        let base = if is_agreed { self.agreed.block() } else { None };
        let base = base.unwrap_or(ours);
        let missing = tip.id.height.minus(base.id.height.0).0;
        let mut above = if missing == 1 {
            vec![tip]
        } else {
            let from = base.id.height.plus(1);
            fork::linked_headers(&mut self.source, from, missing.min(HEADER_BATCH).min(room))
                .await?
        };
        if is_agreed {
            self.lead_to(tip, &above).await?;
        }
        let known = above.partition_point(|block| self.window.contains(block.id));
        above.drain(..known);
        if above.is_empty() {
            return Ok(self.standing_to(tip));
        }
        let path = Path::above(above).ok_or_else(|| fork::moved(tip.id.height))?;
        self.join(path, tip).await
    }

    /// Headers on the way to a tip that a quorum holds end with it, or with a block that a quorum holds.
    async fn lead_to(&mut self, tip: BlockRef, above: &[BlockRef]) -> Result<(), Halt> {
        let Some(last) = above.last().copied() else {
            return Err(fork::moved(tip.id.height).into());
        };
        let is_held = last == tip || self.source.agreement(&[last]).await.held.is_some();
        if is_held {
            Ok(())
        } else {
            Err(fork::moved(last.id.height).into())
        }
    }

    /// The node's tip is no higher than ours: it is behind, unless it knows our tip and says that
    /// it is off its best chain.
    async fn step_aside(&mut self, ours: BlockRef, tip: BlockRef) -> Result<Standing, Halt> {
        let is_off = self.has_agreed_tip() && Finality::is_contradicted(&self.window, Some(tip.id));
        let is_stale = is_off || planted(Bug::LagAsReorg) || self.source.is_stale(ours.id).await?;
        if !is_stale || planted(Bug::RollbackIgnored) {
            return Ok(Standing::Behind);
        }
        let path = Path {
            head: tip.id,
            blocks: Vec::new(),
        };
        self.join(path, tip).await
    }

    async fn join(&mut self, path: Path, tip: BlockRef) -> Result<Standing, Halt> {
        let floor = self.floor();
        match fork::walk(&mut self.source, &self.window, floor, path).await? {
            Walk::Found(path) if self.goes_back_in_time(&path) => {
                return Err(fork::moved(path.head.height).into());
            }
            Walk::Found(path) => self.follow(path).await?,
            Walk::Below(path) if self.may_leave_all(&path) => self.reorganise(path).await?,
            Walk::Below(_) if self.stands_alone() => return Ok(Standing::Behind),
            Walk::Below(_) => return self.freeze(off_our_final_chain(floor, tip)).await,
        }
        Ok(self.standing_to(tip))
    }

    /// Whether a block is older than the one below it, where a block's time is when it was made: money
    /// would seem older than it is.
    fn goes_back_in_time(&self, path: &Path) -> bool {
        let head = self.window.get(path.head.height).map(|block| block.time);
        let times = head
            .into_iter()
            .chain(path.blocks.iter().map(|block| block.time));
        !self.options.has_mempool && !times.is_sorted()
    }

    /// Hands on what is new in the mempool; whether that makes it fully known at our tip.
    async fn read_mempool(&mut self) -> Result<bool, Halt> {
        let news = self.source.mempool().await?;
        let ours = self.window.tip().map(|tip| tip.id.hash);
        let snapshot_at = news.snapshot.as_ref().map(|snapshot| snapshot.tip);
        let reconciled = snapshot_at.is_some() && snapshot_at == ours;
        if !news.arrived.is_empty() || snapshot_at.is_some() {
            self.tell(ChainInput::Mempool(news)).await?;
        }
        Ok(reconciled || !self.options.has_mempool)
    }

    /// Hands on transactions that a push named, where a poll would have read the mempool; whether
    /// another look would find more.
    pub(super) async fn read_named(&mut self) -> Result<bool, Halt> {
        if !self.reads_mempool {
            return Ok(false);
        }
        let news = self.source.named().await?;
        if !news.arrived.is_empty() {
            self.tell(ChainInput::Mempool(news)).await?;
        }
        Ok(self.source.has_named())
    }

    /// The lowest block that may be a fork point.
    pub(super) fn floor(&self) -> Height {
        let bottom = self.window.bottom();
        if self.released {
            bottom
        } else {
            bottom.max(self.finality.height())
        }
    }

    fn standing_to(&self, tip: BlockRef) -> Standing {
        let ours = self.window.tip().map(|ours| ours.id);
        if ours == Some(tip.id) {
            Standing::InStep
        } else if ours.is_some_and(|ours| ours.height < tip.id.height) {
            Standing::More
        } else {
            Standing::Behind
        }
    }
}
