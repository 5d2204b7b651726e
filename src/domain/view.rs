//! What a judgement may know about a chain.

use super::{
    asset::{ChainKind, ChainName},
    block::{BlockRef, Height},
    status::named_enum,
    terms::DepthRule,
    time::UnixMs,
};
use crate::bugs::{Bug, planted};
use serde::{Deserialize, Serialize};

named_enum! {
    /// Why no payment of a chain may rise.
    FreezeReason {
        /// The node's best chain contradicts a block that was final.
        BelowFinality = "below_finality",
        /// Too few operators hold our blocks.
        Quorum = "quorum",
        /// An operator released a chain that contradicts a final block; the follower has not
        /// taken up the node's chain yet.
        Released = "released",
    }
}

named_enum! {
    /// How it is known what contracts move on a chain.
    TracedBy {
        /// An endpoint tells it by `debug_traceBlockByHash` with the callTracer.
        CallTracer = "callTracer",
        /// One tells it by `trace_block`, and none by the callTracer.
        TraceBlock = "trace_block",
        /// None tells it: by what balances grow by.
        Balance = "balance",
        /// Not at all.
        Nothing = "none",
    }
}

/// A chain as it stands: facts that are stored with the cursor, and the source's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainView {
    /// Which chain.
    pub name: ChainName,
    /// Which rules of evidence.
    pub kind: ChainKind,
    /// The cursor: the last block whose credits are all recorded.
    pub scanned: Option<BlockRef>,
    /// The node's best block.
    pub tip: Option<BlockRef>,
    /// The highest block that can no longer change: by tag on Ethereum, by depth elsewhere.
    pub finalized: Option<Height>,
    /// The highest block of ours that the node called safe (Ethereum). It goes back only with blocks
    /// that leave the chain.
    pub safe: Option<Height>,
    /// Whether the node ever named a final block: then depth makes nothing final any more.
    pub tagged: bool,
    /// The highest block of ours that a quorum of operators holds by hash; the cursor where nobody
    /// else is asked.
    pub agreed: Option<BlockRef>,
    /// The highest block of ours that a quorum of operators ever held, whatever they hold now; it goes
    /// back only with blocks that leave the chain. The cursor where nobody else is asked.
    pub held: Option<Height>,
    /// The highest block whose inner credits are recorded too; `None` where nobody can tell them.
    pub traced: Option<Height>,
    /// That block's time, or that of a later one that is traced as well.
    pub traced_at: Option<UnixMs>,
    /// The time of the last block whose inner credits nobody could tell, and nobody will.
    pub untraced_at: Option<UnixMs>,
    /// The height of the highest of them.
    pub untraced_height: Option<Height>,
    /// How it is known what contracts move; `None` where that does not matter, or nobody was asked yet.
    pub traced_by: Option<TracedBy>,
    /// Set while no payment may rise.
    pub frozen: Option<FreezeReason>,
    /// Whether the source answers, is synced, and is scanned close to its tip; without it
    /// there are no verdicts.
    pub healthy: bool,
    /// When the last full poll began: tip caught up and mempool reconciled.
    pub polled_at: Option<UnixMs>,
}

impl ChainView {
    /// Confirmations of a block at `height`: 1 for the tip itself, 0 above the cursor.
    #[must_use]
    pub fn confirmations(&self, height: Height) -> u32 {
        self.scanned.map_or(0, |cursor| {
            cursor
                .id
                .height
                .0
                .saturating_add(1)
                .saturating_sub(height.0)
                .saturating_add(u32::from(planted(Bug::CountAhead)))
                .saturating_sub(u32::from(planted(Bug::CountFromTip)))
        })
    }

    /// Whether a block at `height` can no longer change.
    #[must_use]
    pub fn is_final(&self, height: Height) -> bool {
        self.finalized.is_some_and(|finalized| height <= finalized)
    }

    /// Whether a block at `height` is called safe; what is final is safe, too.
    #[must_use]
    pub fn is_safe(&self, height: Height) -> bool {
        self.safe_height().is_some_and(|safe| height <= safe)
    }

    /// The highest block that is safe or final.
    #[must_use]
    pub fn safe_height(&self) -> Option<Height> {
        self.safe.max(self.finalized)
    }

    /// Whether a block at `height` is called what a rule asks for. Of confirmations it says nothing.
    #[must_use]
    pub fn is_called(&self, rule: DepthRule, height: Height) -> bool {
        match rule {
            DepthRule::Confirmations => true,
            DepthRule::Safe => self.is_safe(height),
            DepthRule::Finalized => self.is_final(height),
        }
    }

    /// Whether confirmations count under a rule: alone, or because nobody names what it asks for.
    #[must_use]
    pub const fn counts_confirmations(&self, rule: DepthRule) -> bool {
        match rule {
            DepthRule::Confirmations => true,
            DepthRule::Safe | DepthRule::Finalized => !self.tagged,
        }
    }

    /// Whether a quorum of operators holds our block at `height`.
    #[must_use]
    pub fn is_agreed(&self, height: Height) -> bool {
        self.agreed_height().is_some_and(|agreed| height <= agreed)
    }

    /// The height of our highest block that a quorum of operators holds.
    #[must_use]
    pub fn agreed_height(&self) -> Option<Height> {
        self.agreed.map(|block| block.id.height)
    }
}
