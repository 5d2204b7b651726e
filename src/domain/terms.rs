//! What a payment was registered with: copied then, never changed by a later configuration.

use super::{
    amount::Amount,
    asset::AssetCode,
    status::named_enum,
    time::{SpanMs, UnixMs},
};
use crate::bugs::{Bug, planted};
use serde::{Deserialize, Serialize};

/// The greatest depth that a payment may wait for.
pub const MAX_CONFIRMATIONS: u32 = 1000;

named_enum! {
    /// How the amount may arrive.
    Policy {
        /// One transaction must cover it.
        Single = "single",
        /// On-time transactions add up.
        Sum = "sum",
    }
}

named_enum! {
    /// What says that money is deep enough.
    DepthRule {
        /// Its confirmations.
        Confirmations = "confirmations",
        /// Its block is at or below the one that the chain's nodes call safe.
        Safe = "safe",
        /// Its block is at or below the one that the chain's nodes call final.
        Finalized = "finalized",
    }
}

/// How deep money must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// What says so.
    pub rule: DepthRule,
    /// Confirmations by which it is deep enough. Where a tag says so, those that count while the
    /// chain's nodes name none.
    pub confirmations: u32,
}

impl Depth {
    /// So many confirmations.
    #[must_use]
    pub const fn of(confirmations: u32) -> Self {
        Self {
            rule: DepthRule::Confirmations,
            confirmations,
        }
    }
}

/// The terms of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// In what.
    pub asset: AssetCode,
    /// Digits after the point of the asset.
    pub decimals: u8,
    /// How much.
    pub amount_expected: Amount,
    /// How much may be missing.
    pub allowed_shortfall: Amount,
    /// How it may arrive.
    pub policy: Policy,
    /// Depth before `paid`.
    pub depth: Depth,
    /// Less than this changes nothing.
    pub dust: Amount,
    /// The deadline.
    pub expires_at: UnixMs,
    /// Slack after it for the payer.
    pub grace: SpanMs,
    /// How long after it money still counts, with the flag `late`.
    pub late_accept: SpanMs,
    /// How long money may be seen without a block.
    pub confirm_timeout: SpanMs,
    /// How long the address stays watched afterwards.
    pub watch_after_close: SpanMs,
    /// An opaque JSON object of the gateway.
    pub metadata: Option<String>,
}

impl Terms {
    /// The last moment at which money is on time.
    #[must_use]
    pub fn deadline(&self) -> UnixMs {
        let grace = Some(self.grace).filter(|_| !planted(Bug::GraceIgnored));
        self.expires_at.plus(grace.unwrap_or_default())
    }
}
