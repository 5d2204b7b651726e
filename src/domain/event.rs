//! Entries of the journal that gateways follow.

use super::{
    payment::PaymentId,
    status::{Reason, Status, named_enum},
    time::UnixMs,
};
use serde::{Deserialize, Serialize};

named_enum! {
    /// What an entry reports.
    EventKind {
        /// A payment was registered.
        Registered = "registered",
        /// Its status or reason changed.
        Status = "status",
        /// A credit appeared or moved.
        Transfer = "transfer",
        /// A person should know.
        Attention = "attention",
        /// A `paid` was withdrawn.
        Reversed = "reversed",
        /// It can no longer change.
        Finalized = "finalized",
        /// A request was carried out.
        Command = "command",
    }
}

/// One entry, before the store numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Of which payment, and as its how-manieth entry; `None` for a whole chain.
    pub payment: Option<(PaymentId, u64)>,
    /// What it reports.
    pub kind: EventKind,
    /// The status before.
    pub from: Option<Status>,
    /// The status after.
    pub to: Option<Status>,
    /// Why.
    pub reason: Option<Reason>,
    /// A snapshot, as the text of a JSON object.
    pub data: String,
    /// When it happened, by our clock.
    pub occurred_at: UnixMs,
}

impl Entry {
    /// What a person should know of a whole chain.
    #[must_use]
    pub fn attention(data: &serde_json::Value, at: UnixMs) -> Self {
        Self {
            payment: None,
            kind: EventKind::Attention,
            from: None,
            to: None,
            reason: None,
            data: data.to_string(),
            occurred_at: at,
        }
    }
}
