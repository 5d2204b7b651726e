//! What is wrong with an answer, and of which check.

use crate::domain::block::{BlockId, TxId};
use std::fmt;

/// Why an answer is not the block that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("block {}: {fault}", ShownId(*.block))]
pub struct VerifyError {
    /// The block that was asked for.
    pub block: BlockId,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A transaction is of a type that this version cannot encode: no repetition helps.
    #[error("transaction {index}{} is of the unknown type {kind}", ShownTx(*.id))]
    UnknownType {
        /// The transaction's place in the block, from 0.
        index: usize,
        /// Its hash, as the node claims it.
        id: Option<TxId>,
        /// The type (EIP-2718).
        kind: u64,
    },
    /// A transaction cannot be read.
    #[error("transaction {index}{} cannot be read: {why}", ShownTx(*.id))]
    Transaction {
        /// The transaction's place in the block, from 0.
        index: usize,
        /// Its hash, as the node claims it.
        id: Option<TxId>,
        /// What is wrong.
        why: String,
    },
    /// Another part cannot be read.
    #[error("its {part} cannot be read: {why}")]
    Malformed {
        /// Which part.
        part: Part,
        /// What is wrong.
        why: String,
    },
    /// A part is not what the block's hash says.
    #[error("its {0} contradicts its hash")]
    Contradiction(Part),
    /// Its contents cannot be verified, nor taken as they are told.
    #[error("{why}")]
    Untold {
        /// The check that they fail.
        check: FailedCheck,
        /// What is wrong.
        why: String,
    },
}

impl VerifyError {
    /// Whether the node may answer better a moment later: half-written receipts are common
    /// for a second after a block appears. An unknown transaction type stays unknown.
    #[must_use]
    pub const fn may_heal(&self) -> bool {
        match self.fault {
            Fault::UnknownType { .. } => false,
            Fault::Transaction { .. }
            | Fault::Malformed { .. }
            | Fault::Contradiction(_)
            | Fault::Untold { .. } => true,
        }
    }
}

/// A check of what a block holds, which its header does not pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailedCheck {
    /// A transaction's type can be encoded.
    Type,
    /// A transaction can be read.
    Transaction,
    /// A part can be read.
    Reading(Part),
    /// A part is what the hash says.
    Root(Part),
}

impl Fault {
    /// Which check of the contents failed; `None` where the header itself did, without which nothing
    /// is known of a block.
    pub(in crate::chain::ethereum) const fn check(&self) -> Option<FailedCheck> {
        let (part, check) = match self {
            Self::UnknownType { .. } => return Some(FailedCheck::Type),
            Self::Transaction { .. } => return Some(FailedCheck::Transaction),
            Self::Untold { check, .. } => return Some(*check),
            Self::Malformed { part, .. } => (part, FailedCheck::Reading(*part)),
            Self::Contradiction(part) => (part, FailedCheck::Root(*part)),
        };
        match part {
            Part::Header | Part::Number | Part::Parent => None,
            Part::Transactions
            | Part::Withdrawals
            | Part::ReceiptCount
            | Part::Receipts
            | Part::Gas
            | Part::Bloom => Some(check),
        }
    }
}

/// A part of a block that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The header's own hash.
    Header,
    /// The header's number.
    Number,
    /// The header's parent.
    Parent,
    /// The list of transactions.
    Transactions,
    /// The list of withdrawals.
    Withdrawals,
    /// How many receipts there are.
    ReceiptCount,
    /// The list of receipts.
    Receipts,
    /// The gas that receipts add up, which never falls.
    Gas,
    /// The bloom filter over all logs.
    Bloom,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Number => "number",
            Self::Parent => "parent",
            Self::Transactions => "list of transactions",
            Self::Withdrawals => "list of withdrawals",
            Self::ReceiptCount => "number of receipts",
            Self::Receipts => "list of receipts",
            Self::Gas => "cumulative gas",
            Self::Bloom => "logs bloom",
        })
    }
}

/// A block's identity as explorers show it.
pub(in crate::chain::ethereum) struct ShownId(pub(in crate::chain::ethereum) BlockId);

impl fmt::Display for ShownId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{})", self.0.height, self.0.hash)
    }
}

/// A transaction's claimed hash in brackets, or nothing.
struct ShownTx(Option<TxId>);

impl fmt::Display for ShownTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " (0x{id})"))
    }
}
