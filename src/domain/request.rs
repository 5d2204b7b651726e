//! What a gateway or an operator asks for, read from the inbox.
//!
//! Checks form only: whether a request may be carried out depends on its payment.

mod body;

pub use body::{MAX_BODY, MAX_METADATA};

use self::body::{Body, required};
use super::{
    payment::{PaymentId, ScanFrom},
    status::{Reason, Status},
    terms::Policy,
    time::UnixMs,
};

/// The longest name of who asks, in bytes; it is stored with every outcome.
pub const MAX_ACTOR: usize = 256;

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
    /// Take a status, whatever the facts say. Only a sandbox does.
    Force {
        /// Which.
        status: Status,
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

    /// The refusal of a kind that there is not.
    #[must_use]
    pub fn unknown_kind(kind: &str) -> Self {
        let message = format!("there is no request of kind {kind:?}");
        Refusal::new("unknown_kind", message)
    }
}

impl Request {
    /// Who decides by the request's own claim: an actor that begins with `operator`, or else the
    /// gateway.
    #[must_use]
    pub fn decided_by(&self) -> Reason {
        let operator = |actor: &str| actor.starts_with("operator");
        if self.actor.as_deref().is_some_and(operator) {
            Reason::Operator
        } else {
            Reason::Gateway
        }
    }
}

impl Command {
    /// Whether it waits, without an outcome, until its chain is healthy and scanned to the
    /// node's tip: it depends on what has not come.
    #[must_use]
    pub const fn waits_for_chain(&self) -> bool {
        match self {
            Self::Cancel | Self::Accept { .. } | Self::Extend { .. } => true,
            Self::Register(_)
            | Self::Reject { .. }
            | Self::Ack { .. }
            | Self::Refunded { .. }
            | Self::Rescan { .. }
            | Self::Force { .. } => false,
        }
    }

    /// Whether it settles an appeal, which `operator_commands = false` turns off.
    #[must_use]
    pub const fn settles_appeal(&self) -> bool {
        match self {
            Self::Accept { .. } | Self::Reject { .. } => true,
            Self::Register(_)
            | Self::Cancel
            | Self::Ack { .. }
            | Self::Extend { .. }
            | Self::Refunded { .. }
            | Self::Rescan { .. }
            | Self::Force { .. } => false,
        }
    }

    /// The note in its body.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        match self {
            Self::Accept { note, .. }
            | Self::Reject { note }
            | Self::Ack { note }
            | Self::Refunded { note, .. } => note.as_deref(),
            Self::Register(_)
            | Self::Cancel
            | Self::Extend { .. }
            | Self::Rescan { .. }
            | Self::Force { .. } => None,
        }
    }
}

/// Reads a request strictly: a known kind, a body with only known fields of the right types.
///
/// # Errors
/// A refusal with a code for programs and a sentence for people.
pub fn parse(request: &Request) -> Result<Command, Refusal> {
    check_envelope(request)?;
    let mut body = Body::read(&request.body)?;
    let command = command(&request.kind, &mut body)?;
    body.finish()?;
    Ok(command)
}

fn check_envelope(request: &Request) -> Result<(), Refusal> {
    if PaymentId::new(&request.payment_id).is_none() {
        let message = "the payment id must be 1 to 128 printable ASCII characters without spaces";
        return Err(Refusal::new("bad_payment_id", message));
    }
    if request.actor.as_ref().is_some_and(|a| a.len() > MAX_ACTOR) {
        let message = format!("the actor is longer than {MAX_ACTOR} bytes");
        return Err(Refusal::new("bad_actor", message));
    }
    Ok(())
}

fn command(kind: &str, body: &mut Body) -> Result<Command, Refusal> {
    match kind {
        "register" => registration(body).map(|register| Command::Register(Box::new(register))),
        "cancel" => Ok(Command::Cancel),
        "accept" => Ok(Command::Accept {
            note: body.text("note")?,
            amount: body.text("amount")?,
        }),
        "reject" => Ok(Command::Reject {
            note: body.text("note")?,
        }),
        "ack" => Ok(Command::Ack {
            note: body.text("note")?,
        }),
        "extend" => Ok(Command::Extend {
            expires_at: required("expires_at", body.time("expires_at")?)?,
        }),
        "refunded" => Ok(Command::Refunded {
            note: body.text("note")?,
            txid: body.text("txid")?,
            amount: body.text("amount")?,
        }),
        "rescan" => Ok(Command::Rescan {
            scan_from: required("scan_from", body.scan_from()?)?,
        }),
        "force" => Ok(Command::Force {
            status: required("status", body.status()?)?,
        }),
        _ => Err(Refusal::unknown_kind(kind)),
    }
}

fn registration(body: &mut Body) -> Result<Register, Refusal> {
    Ok(Register {
        asset: required("asset", body.text("asset")?)?,
        address: required("address", body.text("address")?)?,
        amount: required("amount", body.text("amount")?)?,
        expires_at: body.time("expires_at")?,
        confirmations: body.confirmations()?,
        tolerance: body.text("tolerance")?,
        policy: body.policy()?,
        scan_from: body.scan_from()?,
        metadata: body.metadata()?,
    })
}
