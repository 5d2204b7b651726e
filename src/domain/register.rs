//! From a registration request to the terms of a payment.

use super::{terms::Policy, time::SpanMs};

/// What a registration gets where it says nothing: `[payments]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// From creation to the deadline.
    pub expires_in: SpanMs,
    /// Slack after the deadline.
    pub grace: SpanMs,
    /// How long an address stays watched after its payment is closed.
    pub watch_after_close: SpanMs,
    /// How the amount may arrive.
    pub policy: Policy,
    /// How much may be missing: `1.5%`, as ten-thousandths of the amount.
    pub tolerance_bp: u32,
    /// How long after the deadline money still counts.
    pub late_accept: SpanMs,
    /// How long money may be seen without a block.
    pub confirm_timeout: SpanMs,
}
