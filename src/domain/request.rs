//! What a gateway or an operator asks for, read from the inbox.

use super::{payment::ScanFrom, terms::Policy, time::UnixMs};

/// A row of the inbox, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its place in the inbox.
    pub seq: i64,
    /// Its idempotency key.
    pub request_id: String,
    /// What is asked.
    pub kind: String,
    /// About which payment.
    pub payment_id: String,
    /// A JSON object.
    pub body: String,
    /// Who says that they ask; only a claim.
    pub actor: Option<String>,
    /// When it was written.
    pub created_at: UnixMs,
}

/// A well-formed request.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Watch an address for a payment.
    Register(Box<Register>),
    /// Withdraw.
    Cancel,
    /// An operator settles an appeal for the payer.
    Accept {
        /// Why.
        note: Option<String>,
        /// How much was accepted, as decimal text.
        amount: Option<String>,
    },
    /// An operator settles an appeal against the payer.
    Reject {
        /// Why.
        note: Option<String>,
    },
    /// Reviewed; the status stays.
    Ack {
        /// What was found.
        note: Option<String>,
    },
    /// Move the deadline.
    Extend {
        /// To when.
        expires_at: UnixMs,
    },
    /// The money was returned.
    Refunded {
        /// Why.
        note: Option<String>,
        /// By which transaction.
        txid: Option<String>,
        /// How much, as decimal text.
        amount: Option<String>,
    },
    /// Look at past blocks again.
    Rescan {
        /// From where.
        scan_from: ScanFrom,
    },
}

/// The body of a registration, with only its form checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// Asset code.
    pub asset: String,
    /// Address text.
    pub address: String,
    /// Decimal text.
    pub amount: String,
    /// The deadline.
    pub expires_at: Option<UnixMs>,
    /// Depth, 1 to 1000.
    pub confirmations: Option<u32>,
    /// `"1.5%"` or an amount.
    pub tolerance: Option<String>,
    /// How the amount may arrive.
    pub policy: Option<Policy>,
    /// From where past blocks are looked at.
    pub scan_from: Option<ScanFrom>,
    /// An opaque JSON object as text.
    pub metadata: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// A fixed word for programs: `unknown_asset`, `address_in_use`.
    pub code: &'static str,
    /// A sentence for people: what, where, and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal with a code for programs and a sentence for people.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
