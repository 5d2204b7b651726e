//! Why a person should look, and the name under which it is remembered that somebody did.
//!
//! Knows names only; when there is a cause is known by the judgement.

use crate::domain::{
    block::TxId,
    payment::ScanFrom,
    status::{Reason, Status},
    time::UnixMs,
    token::TokenAct,
};
use std::fmt;

/// One cause for review. One about money names its transaction, so that new money is a new cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A `paid` was withdrawn, for the how-manieth time; only `ack` and `reject` put it away.
    Reversal(u32),
    /// The database refused a change, since this time.
    Held(UnixMs),
    /// The past from here on cannot be scanned.
    ScanRefused(ScanFrom),
    /// It expired, and what contracts may have paid it is not known of every block.
    Untraced,
    /// The facts ask for a status that the transition table does not lead to.
    Impossible(Status),
    /// It is `invalid`, for this reason.
    Invalid(Option<Reason>),
    /// A token's contract deprived its address of the money, by this transaction.
    Token(TokenAct, TxId),
    /// A transaction that is not simply what was asked for.
    Money(About, TxId),
}

/// What is to be looked at about a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// It is of another asset.
    WrongAsset,
    /// It came after the payment was withdrawn.
    AfterCancel,
    /// It came after the deadline.
    Late,
    /// It came beside what was asked for.
    Surplus,
    /// It came to a payment that is `invalid`.
    Invalid,
    /// It paid a payment that is final, and has left the chain.
    Lost,
    /// It came after the money was returned.
    AfterRefund,
    /// It exceeds what was asked for.
    Excess,
    /// With those before it, it exceeds what was asked for.
    ExcessSum,
    /// One operator alone tells of it, and the balance did not grow by it.
    Doubted,
    /// Only is known of it that the balance grew.
    Grown,
}

impl About {
    /// The name that is stored.
    const fn as_str(self) -> &'static str {
        match self {
            Self::WrongAsset => "wrong_asset",
            Self::AfterCancel => "after_cancel",
            Self::Late => "late",
            Self::Surplus => "surplus",
            Self::Invalid => "money",
            Self::Lost => "lost",
            Self::AfterRefund => "after_refund",
            Self::Excess => "excess",
            Self::ExcessSum => "excess_sum",
            Self::Doubted => "doubted",
            Self::Grown => "grown",
        }
    }
}

impl Cause {
    /// Whether only `ack` and `reject` put it away.
    #[must_use]
    pub const fn is_reversal(self) -> bool {
        matches!(self, Self::Reversal(_))
    }
}

/// The name that is stored when a person has seen it. Transaction ids are cut to what tells them
/// apart within one payment.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reversal(count) => write!(f, "reversal:{count}"),
            Self::Held(at) => write!(f, "held:{}", at.0),
            Self::ScanRefused(from) => write!(f, "scan_refused:{from}"),
            Self::Untraced => f.write_str("untraced"),
            Self::Impossible(status) => write!(f, "impossible:{status}"),
            Self::Invalid(reason) => {
                write!(f, "invalid:{}", reason.map_or("", Reason::as_str))
            }
            Self::Token(act, txid) => write!(f, "{act}:{}", short(*txid)),
            Self::Money(about, txid) => write!(f, "{}:{}", about.as_str(), short(*txid)),
        }
    }
}

fn short(txid: TxId) -> String {
    txid.to_string().chars().take(16).collect()
}
