//! What contracts moved inside a block's transactions, from the frames that a node's callTracer tells.
//! Pure; knows no node.
//!
//! Nothing binds a trace to its block, so only its outline is checked here: one trace a transaction,
//! each with the verified transaction's recipient, value and success at its root. Whether the frames
//! below are true, only somebody else can say.
//!
//! A frame that failed took everything below it along. Only calls, creations and self-destructions
//! move ether; what a delegate call calls its value is its caller's.
//!
//! Source: geth, built-in tracers (`callTracer`).

use super::{verify::VerifiedTx, wire::Envelope};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    block::TxId,
    evidence::Evidence,
    facts::{Candidate, CreditAsset, Destination, Payer},
    transfer::Position,
};
use alloy_consensus::Transaction;
use alloy_primitives::{Address, B256, U256};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// The deepest that calls can be nested (EVM).
const MAX_DEPTH: usize = 1_024;

/// The most moves of a block: so many burn 670 million gas, as each costs 6,700 at least.
const MAX_MOVES: usize = 100_000;

/// The most numbers in the paths of all its moves, which are seldom deep.
const MAX_PATHS: usize = 8 << 20;

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
    pub(super) fn of(tx: &VerifiedTx) -> Self {
        let envelope: &Envelope = &tx.envelope;
        Self {
            id: tx.id,
            to: envelope.to(),
            value: envelope.value(),
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
}

/// The credits that contracts made, of the block with these transactions, in block order.
///
/// # Errors
/// When the answer is not the traces of exactly these transactions.
pub(super) fn inner_credits(json: &str, roots: &[Root]) -> Result<Vec<Candidate>, TraceError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    let mut traces = Traces::default();
    let stacked = serde_stacker::Deserializer::new(&mut reader);
    let read = stacked.deserialize_seq(&mut traces);
    read.and_then(|()| reader.end())
        .map_err(|error| TraceError::Malformed(super::wire::shape(&error)))?;
    if traces.0.len() != roots.len() {
        return Err(TraceError::Count {
            expected: roots.len(),
            found: traces.0.len(),
        });
    }
    let mut credits = Vec::new();
    for ((index, trace), (tx_index, root)) in traces.0.into_iter().enumerate().zip((0..).zip(roots))
    {
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

/// A transaction's trace as the node answers it.
struct Trace {
    id: Option<B256>,
    result: Option<Traced>,
}

/// What is looked at in a root frame, and what moved below it.
struct Traced {
    to: Option<Address>,
    value: U256,
    creates: bool,
    failed: bool,
    moves: Vec<Move>,
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

/// Ether that one account gave to another.
struct Move {
    /// Child indexes from the root frame.
    path: Box<[u32]>,
    from: Address,
    to: Address,
    value: U256,
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

/// What a frame does with its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Gives it to its target.
    Moves,
    /// The same, to a contract that comes to be.
    Creates,
    /// Nothing.
    Keeps,
}

/// A frame of a kind that is not known might move money that nobody sees.
fn kind(name: &str) -> Option<Kind> {
    match name {
        "CALL" | "SELFDESTRUCT" => Some(Kind::Moves),
        "CREATE" | "CREATE2" => Some(Kind::Creates),
        "DELEGATECALL" if planted(Bug::DelegateCallPays) => Some(Kind::Moves),
        "DELEGATECALL" | "STATICCALL" | "CALLCODE" => Some(Kind::Keeps),
        _ => None,
    }
}

/// The list of traces.
#[derive(Default)]
struct Traces(Vec<Trace>);

impl<'de> Visitor<'de> for &mut Traces {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of traces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut size = Size::default();
        while let Some(trace) = list.next_element_seed(TraceSeed { size: &mut size })? {
            self.0.push(trace);
        }
        Ok(())
    }
}

/// Reads one transaction's trace.
struct TraceSeed<'a> {
    size: &'a mut Size,
}

/// How much moves in a block so far.
#[derive(Default)]
struct Size {
    moves: usize,
    /// Numbers in all their paths.
    paths: usize,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum TraceField {
    TxHash,
    Result,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for TraceSeed<'_> {
    type Value = Trace;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Trace, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TraceSeed<'_> {
    type Value = Trace;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Trace, A::Error> {
        let (mut id, mut result) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                TraceField::TxHash => id = Some(map.next_value()?),
                TraceField::Result => {
                    let mut walk = Walk {
                        path: Vec::new(),
                        moves: Vec::new(),
                        size: &mut *self.size,
                    };
                    let frame = map.next_value_seed(FrameSeed(&mut walk))?;
                    result = Some(Traced {
                        to: frame.to,
                        value: frame.value,
                        creates: frame.kind == Kind::Creates,
                        failed: frame.failed,
                        moves: walk.moves,
                    });
                }
                TraceField::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Trace { id, result })
    }
}

/// Where in a transaction's frames the reader is, and what moved so far.
struct Walk<'a> {
    path: Vec<u32>,
    moves: Vec<Move>,
    size: &'a mut Size,
}

/// Reads one frame and all below it.
struct FrameSeed<'a, 'b>(&'a mut Walk<'b>);

/// A frame, without what is below it.
struct Frame {
    kind: Kind,
    from: Address,
    to: Option<Address>,
    value: U256,
    failed: bool,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum FrameField {
    Type,
    From,
    To,
    Value,
    Error,
    Calls,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for FrameSeed<'_, '_> {
    type Value = Frame;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Frame, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FrameSeed<'_, '_> {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call frame")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame, A::Error> {
        let Self(walk) = self;
        let below = walk.moves.len();
        let (mut name, mut from, mut to): (Option<Cow<'_, str>>, _, _) = (None, None, None);
        let (mut value, mut failed) = (None, false);
        while let Some(field) = map.next_key()? {
            match field {
                FrameField::Type => name = Some(map.next_value()?),
                FrameField::From => from = Some(map.next_value()?),
                FrameField::To => to = map.next_value()?,
                FrameField::Value => value = map.next_value::<Option<U256>>()?,
                FrameField::Error => failed = map.next_value::<Option<IgnoredAny>>()?.is_some(),
                FrameField::Calls => map.next_value_seed(CallsSeed(walk))?,
                FrameField::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let name = name.ok_or_else(|| A::Error::missing_field("type"))?;
        let unknown = || A::Error::unknown_variant(&name, &[]);
        let frame = Frame {
            kind: kind(&name).ok_or_else(unknown)?,
            from: from.ok_or_else(|| A::Error::missing_field("from"))?,
            to,
            value: value.unwrap_or_default(),
            failed,
        };
        walk.leave(&frame, below).map_err(A::Error::custom)?;
        Ok(frame)
    }
}

impl Walk<'_> {
    /// A frame ends; `below` moves were known when it began.
    fn leave(&mut self, frame: &Frame, below: usize) -> Result<(), &'static str> {
        if frame.failed && !planted(Bug::RevertedPays) {
            self.moves.truncate(below);
            return Ok(());
        }
        // The root's value is the transaction's own.
        let target = frame.to.filter(|_| !self.path.is_empty());
        let moves = frame.kind != Kind::Keeps && !frame.value.is_zero();
        let Some(to) = target.filter(|to| moves && *to != frame.from) else {
            return Ok(());
        };
        self.size.moves = self.size.moves.saturating_add(1);
        self.size.paths = self.size.paths.saturating_add(self.path.len());
        if self.size.moves > MAX_MOVES || self.size.paths > MAX_PATHS {
            return Err("more moves than a block has");
        }
        self.moves.push(Move {
            path: self.path.as_slice().into(),
            from: frame.from,
            to,
            value: frame.value,
        });
        Ok(())
    }
}

/// Reads the frames below one.
struct CallsSeed<'a, 'b>(&'a mut Walk<'b>);

impl<'de> DeserializeSeed<'de> for CallsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for CallsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of call frames")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self(walk) = self;
        if walk.path.len() > MAX_DEPTH {
            return Err(A::Error::custom(
                "calls are nested deeper than the EVM allows",
            ));
        }
        walk.path.push(0);
        while list.next_element_seed(FrameSeed(walk))?.is_some() {
            if let Some(child) = walk.path.last_mut() {
                *child = child.saturating_add(1);
            }
        }
        walk.path.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
