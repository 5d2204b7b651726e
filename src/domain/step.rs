//! A change set: what one input changes, committed as a whole or not at all.

use super::{
    block::{BlockRef, Height},
    event::Entry,
    payment::{Payment, PaymentKey, ScanFrom},
    request::Request,
    status::named_enum,
    time::UnixMs,
    view::ChainView,
};
use serde::{Deserialize, Serialize};

/// Everything that one input changes.
#[derive(Debug, Clone)]
pub struct Step {
    /// When it is recorded.
    pub at: UnixMs,
    /// The chain whose input this was.
    pub chain: Option<ChainStep>,
    /// Payments that were registered or changed.
    pub payments: Vec<PaymentStep>,
    /// Chain-wide entries of the journal.
    pub entries: Vec<Entry>,
    /// What became of requests.
    pub outcomes: Vec<RequestOutcome>,
    /// How far the inbox is read.
    pub inbox: Option<InboxPosition>,
}

impl Step {
    /// A step that changes nothing yet.
    #[must_use]
    pub const fn new(at: UnixMs) -> Self {
        Self {
            at,
            chain: None,
            payments: Vec::new(),
            entries: Vec::new(),
            outcomes: Vec::new(),
            inbox: None,
        }
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chain.is_none()
            && self.payments.is_empty()
            && self.entries.is_empty()
            && self.outcomes.is_empty()
            && self.inbox.is_none()
    }
}

/// What changes about a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStep {
    /// The chain as it is after the step.
    pub view: ChainView,
    /// Why the source is not healthy, for people.
    pub error: Option<String>,
    /// Blocks above this height left the best chain.
    pub disconnected_to: Option<Height>,
    /// When following begins: the blocks below the first one, in order, whose contents nobody read.
    pub history: Vec<BlockRef>,
    /// Blocks that joined it, in order.
    pub connected: Vec<BlockRef>,
    /// Past blocks that were scanned for late registrations.
    pub scan: Option<ScanStep>,
}

/// Progress of a scan of the past that several payments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanStep {
    /// From here on: who knows less than what is before has another scan to wait for.
    pub from: ScanFrom,
    /// Up to and including this height.
    pub to: Height,
    /// For incomplete payments up to and including this one; later ones are in the next scan.
    pub up_to: PaymentKey,
    /// Whether it was looked for what contracts moved: without, payments in ether stay where they are.
    pub traced: bool,
}

impl ScanStep {
    /// Whether it moves a payment on.
    #[must_use]
    pub fn moves(&self, payment: &Payment) -> bool {
        let waits = payment.history.held.is_some() || payment.history.scan_refused.is_some();
        let is_blind = payment.history.needs_traces && !self.traced;
        payment.key <= self.up_to
            && !waits
            && !is_blind
            && payment.scan.goes_on_with(self.from, self.to)
    }
}

/// A payment after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentStep {
    /// The payment as it is now.
    pub payment: Payment,
    /// Whether it was registered by this step.
    pub is_new: bool,
    /// Indexes of the transfers that are new or changed.
    pub changed: Vec<usize>,
    /// What to tell about it, in order; versions are dense.
    pub entries: Vec<Entry>,
}

impl PaymentStep {
    /// This step and then `later`, which started from this step's payment, as one.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.payment = later.payment;
        self.changed.extend(later.changed);
        self.changed.sort_unstable();
        self.changed.dedup();
        self.entries.extend(later.entries);
        self
    }
}

/// A place in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPosition {
    /// Which inbox: a new file has a new id and is read from its start.
    pub inbox_id: String,
    /// The last row that got its outcome.
    pub seq: i64,
}

named_enum! {
    /// What became of a request.
    Outcome {
        /// It was carried out.
        Applied = "applied",
        /// It had been carried out before.
        Duplicate = "duplicate",
        /// It was not.
        Refused = "refused",
    }
}

/// What became of one request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestOutcome {
    /// The request.
    pub request: Request,
    /// What became of it.
    pub outcome: Outcome,
    /// A fixed word for programs; empty when it was applied.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The note in its body.
    pub note: Option<String>,
    /// The payment's entry that records it, by version.
    pub version: Option<u64>,
}
