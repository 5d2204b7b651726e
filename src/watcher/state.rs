//! What the watcher keeps in memory of one chain.
//!
//! Everything in here is a copy of committed rows or an observation that a restart makes again;
//! nothing is true only in memory, but for the ages of what came while the clock was in doubt.

use super::{
    past::Past, progress::Told, scans::Lanes, turns::Looked, unconfirmed::Unconfirmed,
    undated::Undated, unproven::Unproven, untagged::Untagged,
};
use crate::{
    chain::{NodeStatus, bitcoin, ethereum, witnesses},
    domain::{
        asset::{Asset, AssetKind, ChainKind, ChainName},
        block::{BlockRef, Height},
        facts::{CreditAsset, Destination},
        payment::ScanFrom,
        time::{SpanMs, UnixMs},
        view::ChainView,
    },
    store::Claim,
};
use std::collections::VecDeque;

/// How many recent blocks are remembered: deeper than any reorganisation that is followed, and
/// as many as the store keeps.
pub const RECENT_BLOCKS_MAX: usize = 1024;
/// A source that is silent for this long, or for ten polls, is not healthy.
const SILENCE_MAX: SpanMs = SpanMs::from_secs(30);
/// A failure that was not told again for so long is over: longer than any pause between two attempts.
const FAILURE_TOLD_MS: u64 = 300_000;
/// The cursor may be this many blocks behind the node and still give verdicts.
pub const LAG_MAX: u32 = 2;

/// How a chain's addresses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressFormat {
    /// Base58 or bech32 of one network.
    Bitcoin(::bitcoin::Network),
    /// 20 bytes in hexadecimal, EIP-55.
    Ethereum,
}

impl AddressFormat {
    /// An address in the chain's bytes and in canonical text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(self, text: &str) -> Result<(Destination, String), String> {
        match self {
            Self::Bitcoin(network) => {
                bitcoin::parse_address(text, network).map_err(|error| error.to_string())
            }
            Self::Ethereum => ethereum::address::parse(text).map_err(|error| error.to_string()),
        }
    }
}

/// What is configured about a chain.
#[derive(Debug, Clone)]
pub struct ChainSpec {
    /// Its name.
    pub name: ChainName,
    /// Its rules of evidence.
    pub kind: ChainKind,
    /// How its addresses are written.
    pub addresses: AddressFormat,
    /// The time between polls.
    pub poll_interval: SpanMs,
    /// The depth at which a block is final where the node names none.
    pub final_depth: u32,
    /// How many past blocks a late registration may ask for.
    pub max_rescan: u32,
    /// How many operators must hold a block before a verdict rests on it; 1 asks nobody else.
    pub quorum: u32,
    /// How often there is a block, where that is known.
    pub block_time: Option<SpanMs>,
    /// The assets that it carries.
    pub assets: Vec<Asset>,
    /// Whether it is a developer's own chain, whose block times are set by hand: they say nothing
    /// about the machine's clock.
    pub is_local: bool,
}

impl ChainSpec {
    /// Whether blocks come by themselves on a Bitcoin network, so that a head's time can tell
    /// whether the machine's clock is right. Ethereum's deadlines wait for the head's time anyway.
    #[must_use]
    pub fn has_regular_blocks(&self) -> bool {
        self.kind == ChainKind::Bitcoin && !self.is_local
    }

    /// How many blocks behind its node a chain may be and still count as caught up: those that come between two
    /// polls are no backlog.
    #[must_use]
    pub fn lag_max(&self) -> u32 {
        let between_polls = self.block_time.map_or(0, |block_time| {
            let blocks = self.poll_interval.0.saturating_mul(2) / block_time.0.max(1);
            u32::try_from(blocks).unwrap_or(u32::MAX)
        });
        LAG_MAX.max(between_polls)
    }

    /// Whether several operators must hold a block.
    #[must_use]
    pub const fn asks_others(&self) -> bool {
        self.quorum > 1
    }

    /// How many operators must say the same of what no hash binds, for it to be more than one's word.
    #[must_use]
    pub fn witnesses(&self) -> usize {
        witnesses(usize::try_from(self.quorum).unwrap_or(usize::MAX))
    }

    /// The configured asset that a credit is in.
    #[must_use]
    pub fn asset(&self, credit: CreditAsset) -> Option<&Asset> {
        let kind = match credit {
            CreditAsset::Native => AssetKind::Native,
            CreditAsset::Token(contract) => AssetKind::Token(contract),
        };
        self.assets.iter().find(|asset| asset.kind == kind)
    }
}

/// One chain as the watcher knows it.
#[derive(Debug)]
pub struct ChainState {
    /// What is configured.
    pub spec: ChainSpec,
    /// What judgements may know.
    pub view: ChainView,
    /// Why it is not healthy.
    pub error: Option<String>,
    /// The view and error as they were last committed.
    pub stored: (ChainView, Option<String>),
    /// The best chain's last blocks, ascending.
    pub recent: VecDeque<BlockRef>,
    /// Unconfirmed transactions that matter.
    pub unconfirmed: Unconfirmed,
    /// The tip at which the wall clock came into doubt, at a jump; `None` inside for no certain tip,
    /// at start or behind the head. No verdicts until another tip agrees with the clock.
    pub suspended_at: Option<Option<BlockRef>>,
    /// Whether payments may wait for a time that a clock which was ahead has told.
    pub waits_for_future: bool,
    /// Whose balances were asked for.
    pub(super) looked: Looked,
    /// The last claim that was asked about, while more wait than are asked about at once.
    pub(super) claims_asked: Option<Claim>,
    /// What came while the clock was in doubt.
    pub undated: Undated,
    /// When it was asked again for what came to the mempool then, until that is answered.
    pub dates_asked_at: Option<UnixMs>,
    /// Whether more payments are due than one portion held.
    pub more_due: bool,
    /// Scans of the past.
    pub scans: Lanes,
    /// What the last blocks credited.
    pub past: Past,
    /// The last answer: when on the monotonic clock, and what.
    pub answer: Option<(u64, NodeStatus)>,
    /// Why no block and no poll gets through until an operator acts.
    pub stopped: Option<String>,
    /// The last failure since the last answer.
    pub failure: Option<String>,
    /// The last failure since a block or a full poll got through, and when on the monotonic clock: an answer
    /// about its tip is no block.
    pub unserved: Option<(u64, String)>,
    /// Why what contracts moved in some blocks is not known yet.
    pub untraceable: Option<String>,
    /// Why balances are not told, where they alone tell what contracts move.
    pub unlooked: Option<String>,
    /// Blocks that were taken though nothing proved them.
    pub unproven: Unproven,
    /// Whether it was told that the node's best block is old.
    pub has_old_head: bool,
    /// What was told of long work: catching up, and the scan under way.
    pub told: Told,
    /// That no node names what assets wait for.
    pub untagged: Untagged,
}

impl ChainState {
    /// The node's best block, while the node is not silent.
    #[must_use]
    pub fn head(&self, monotonic_ms: u64) -> Option<BlockRef> {
        let (answered_ms, status) = self.answer.as_ref()?;
        let silent_ms = monotonic_ms.saturating_sub(*answered_ms);
        (silent_ms <= self.silence_max_ms()).then_some(status.tip)
    }

    /// How many blocks of ours are above one.
    #[must_use]
    pub fn depth_of(&self, block: BlockRef) -> u32 {
        let cursor = self.view.scanned.map(|cursor| cursor.id.height);
        cursor.unwrap_or_default().minus(block.id.height.0).0
    }

    /// The block of our chain at a height, if it is recent.
    #[must_use]
    pub fn block_at(&self, height: Height) -> Option<BlockRef> {
        let first = self.recent.front()?.id.height;
        let offset = height.0.checked_sub(first.0)?;
        self.recent.get(usize::try_from(offset).ok()?).copied()
    }

    /// Takes over a changed chain.
    pub fn advance(&mut self, disconnected_to: Option<Height>, connected: &[BlockRef]) {
        if let Some(fork) = disconnected_to {
            while self
                .recent
                .back()
                .is_some_and(|block| block.id.height > fork)
            {
                self.recent.pop_back();
            }
        }
        self.recent.extend(connected);
        while self.recent.len() > RECENT_BLOCKS_MAX {
            self.recent.pop_front();
        }
    }

    /// Whether the blocks in memory show that nothing came to an address from a start up to our
    /// cursor, in tokens or also in the chain's own money.
    #[must_use]
    pub fn had_nothing_since(
        &self,
        from: ScanFrom,
        destination: &Destination,
        in_native: bool,
    ) -> bool {
        let cursor = self.view.scanned;
        cursor.is_some_and(|cursor| {
            self.past
                .shows_nothing(destination, from, cursor.id, in_native)
        })
    }

    /// Whether the wall clock is in doubt, or no full poll of this chain has vouched for it yet.
    #[must_use]
    pub const fn doubts_clock(&self) -> bool {
        self.suspended_at.is_some() || self.view.polled_at.is_none()
    }

    /// Why a view of this chain gives no verdicts now, if so.
    #[must_use]
    pub fn trouble(&self, view: &ChainView, monotonic_ms: u64) -> Option<String> {
        if let Some(why) = &self.stopped {
            return Some(why.clone());
        }
        let Some((answered_ms, status)) = &self.answer else {
            return Some(
                self.failure
                    .clone()
                    .unwrap_or_else(|| "no answer yet".to_owned()),
            );
        };
        let silent_ms = monotonic_ms.saturating_sub(*answered_ms);
        if silent_ms > self.silence_max_ms() {
            let why = self
                .failure
                .as_deref()
                .unwrap_or("the last poll has not finished");
            return Some(format!("no answer for {} s: {why}", silent_ms / 1000));
        }
        if status.syncing {
            return Some("the node is still syncing with its network".to_owned());
        }
        if !status.mempool_loaded {
            return Some("the node has not loaded its mempool yet".to_owned());
        }
        let Some(cursor) = view.scanned else {
            return Some("no block scanned yet".to_owned());
        };
        let behind = status.tip.id.height.0.saturating_sub(cursor.id.height.0);
        (behind > self.spec.lag_max()).then(|| {
            let why = self.failing(monotonic_ms);
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let height = cursor.id.height;
            format!("scanned to {height}, {behind} blocks behind the node{why}")
        })
    }

    /// Why the last polls failed, while they do.
    #[must_use]
    pub fn failing(&self, monotonic_ms: u64) -> Option<&str> {
        let (at_ms, why) = self.unserved.as_ref()?;
        let is_fresh = monotonic_ms.saturating_sub(*at_ms) <= FAILURE_TOLD_MS;
        is_fresh.then_some(why.as_str())
    }

    fn silence_max_ms(&self) -> u64 {
        let ten_polls = self.spec.poll_interval.0.saturating_mul(10);
        u64::try_from(ten_polls.max(SILENCE_MAX.0)).unwrap_or(u64::MAX)
    }
}
