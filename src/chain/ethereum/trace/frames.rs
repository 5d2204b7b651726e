//! Reads the frames of a callTracer's answer in one pass, and keeps of them what moved. Calls may be nested
//! deeper than serde's own limit allows, so the stack grows as needed and the depth is counted here.

use crate::bugs::{Bug, planted};
use alloy_primitives::{Address, B256, U256};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// The deepest that calls can be nested (EVM).
pub(super) const MAX_DEPTH: usize = 1_024;

/// The most moves of a block: so many burn 670 million gas, as each costs 6,700 at least.
const MAX_MOVES: usize = 100_000;

/// The most numbers in the paths of all its moves, which are seldom deep.
pub(super) const MAX_PATHS: usize = 8 << 20;

/// A transaction's trace as the node answers it.
pub(super) struct Trace {
    pub id: Option<B256>,
    pub result: Option<Traced>,
}

/// What is looked at in a root frame, and what moved below it.
pub(super) struct Traced {
    pub to: Option<Address>,
    pub value: U256,
    pub creates: bool,
    pub failed: bool,
    pub moves: Vec<Move>,
}

/// Ether that one account gave to another.
pub(super) struct Move {
    /// Child indexes from the root frame.
    pub path: Box<[u32]>,
    pub from: Address,
    pub to: Address,
    pub value: U256,
}

/// The traces of a block's transactions.
pub(super) fn read(json: &str) -> Result<Vec<Trace>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    let mut traces = Traces::default();
    serde_stacker::Deserializer::new(&mut reader).deserialize_seq(&mut traces)?;
    reader.end()?;
    Ok(traces.0)
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
