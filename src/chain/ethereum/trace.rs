//! What contracts moved inside a block's transactions, from the frames that a node's callTracer or its
//! `trace_block` tells. Pure; knows no node.
//!
//! Nothing binds a trace to its block, so only its outline is checked here: one trace a transaction,
//! each with the verified transaction's recipient, value and success at its root. Whether the frames
//! below are true, only somebody else can say.
//!
//! A frame that failed took everything below it along. Only calls, creations and self-destructions
//! move ether; what a delegate call calls its value is its caller's.
//!
//! Source: geth, built-in tracers (`callTracer`); for `trace_block` see `flat`.

mod flat;
mod frames;
mod moves;

use super::{scan::Tx, wire};
use crate::domain::{
    amount::Amount,
    block::{BlockHash, TxId},
    evidence::Evidence,
    facts::{Candidate, CreditAsset, Destination, Payer},
    transfer::Position,
};
use alloy_primitives::{Address, U256};
use moves::{Move, Trace, Traced};
use std::sync::Arc;

/// What a trace of a block is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub transactions: Arc<[TxId]>,
    pub roots: Arc<[Root]>,
    /// Whether the block's hash binds it.
    pub is_proven: bool,
}

/// How a node tells what calls there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `debug_traceBlockByHash` with the callTracer: nested frames.
    Calls,
    /// `trace_block`, by height: a flat list.
    Flat,
}

impl Format {
    /// Its name, for people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "callTracer",
            Self::Flat => "trace_block",
        }
    }

    /// The method that is asked.
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Calls => "debug_traceBlockByHash",
            Self::Flat => "trace_block",
        }
    }
}

/// What is known of a transaction whose trace is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    id: TxId,
    /// `None` where a contract is created.
    to: Option<Address>,
    value: U256,
    succeeded: bool,
    may_run_code: bool,
}

impl Root {
    pub(super) fn of(tx: &Tx<'_>) -> Self {
        Self {
            id: tx.id,
            to: tx.to,
            value: tx.value,
            succeeded: tx.succeeded,
            may_run_code: tx.may_run_code(),
        }
    }
}

/// Why an answer is no trace of the block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TraceError {
    /// It cannot be read.
    #[error("its traces cannot be read: {0}")]
    Malformed(String),
    /// Another number of traces than of transactions.
    #[error("it has {expected} transactions and {found} traces")]
    Count {
        /// How many transactions.
        expected: usize,
        /// How many traces.
        found: usize,
    },
    /// The node could not trace this transaction.
    #[error("transaction {0} has no trace")]
    Missing(usize),
    /// A trace is of another transaction, or of another block's.
    #[error("the trace of transaction {0} is not of that transaction")]
    Contradiction(usize),
    /// The node has none, or another block, at that height.
    #[error("it has no such block there")]
    Elsewhere,
}

/// The credits that contracts made, of the block with this hash and these transactions, in block order.
///
/// # Errors
/// When the answer is not the traces of exactly these transactions.
pub(super) fn inner_credits(
    format: Format,
    json: &str,
    block: BlockHash,
    roots: &[Root],
) -> Result<Vec<Candidate>, TraceError> {
    let traces = read(format, json, block)?;
    if traces.len() != roots.len() {
        return Err(TraceError::Count {
            expected: roots.len(),
            found: traces.len(),
        });
    }
    let mut credits = Vec::new();
    for ((index, trace), (tx_index, root)) in traces.into_iter().enumerate().zip((0..).zip(roots)) {
        let found = trace.result.ok_or(TraceError::Missing(index))?;
        let is_of_another = trace.id.is_some_and(|id| id.0 != root.id.0);
        if is_of_another || !found.is_of(root) {
            return Err(TraceError::Contradiction(index));
        }
        let mut moves = found.moves;
        moves.sort_by(|one, other| one.path.cmp(&other.path));
        credits.extend(moves.into_iter().filter_map(|moved| moved.credit(tx_index)));
    }
    Ok(credits)
}

/// Each transaction's trace. One that is asked by height may have another block there, or none yet.
fn read(format: Format, json: &str, block: BlockHash) -> Result<Vec<Trace>, TraceError> {
    let malformed = |error: serde_json::Error| TraceError::Malformed(wire::shape(&error));
    match format {
        Format::Calls => frames::read(json).map_err(malformed),
        Format::Flat => {
            let told = flat::read(json, block).map_err(malformed)?;
            let is_there = told.is_of_block && !told.traces.is_empty();
            let traces = Some(told.traces).filter(|_| is_there);
            traces.ok_or(TraceError::Elsewhere)
        }
    }
}

impl Traced {
    fn is_of(&self, root: &Root) -> bool {
        let same_target = if self.creates {
            root.to.is_none()
        } else {
            self.to.is_some() && self.to == root.to
        };
        let may_move = root.may_run_code || self.moves.is_empty();
        same_target && self.value == root.value && self.failed != root.succeeded && may_move
    }
}

impl Move {
    fn credit(self, tx_index: u32) -> Option<Candidate> {
        Some(Candidate {
            destination: Destination::new(self.to.as_slice())?,
            asset: CreditAsset::Native,
            amount: Amount::from_base(self.value),
            tx_index,
            position: Position::Trace(self.path.into()),
            payer: Payer::Account(self.from.into_array()),
            coinbase: false,
            evidence: Evidence::Claimed,
        })
    }
}

#[cfg(test)]
mod tests;
