//! Reads the frames of a callTracer's answer in one pass, and keeps of them what moved. Calls may be nested
//! deeper than serde's own limit allows, so the stack grows as needed and the depth is counted here.

use super::moves::{Frame, Kind, MAX_DEPTH, Move, Size, Trace};
use alloy_primitives::U256;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// The traces of a block's transactions.
pub(super) fn read(json: &str) -> Result<Vec<Trace>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    let mut traces = Traces::default();
    serde_stacker::Deserializer::new(&mut reader).deserialize_seq(&mut traces)?;
    reader.end()?;
    Ok(traces.0)
}

/// A frame of a kind that is not known might move money that nobody sees.
fn kind(name: &str) -> Option<Kind> {
    match name {
        "CALL" | "SELFDESTRUCT" => Some(Kind::Moves),
        "CREATE" | "CREATE2" => Some(Kind::Creates),
        "DELEGATECALL" => Some(Kind::of_delegate_call()),
        "STATICCALL" | "CALLCODE" => Some(Kind::Keeps),
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
                    result = Some(frame.root(walk.moves));
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
        if frame.is_void() {
            self.moves.truncate(below);
        } else if let Some(moved) = frame.moved(&self.path) {
            self.size.add(&moved)?;
            self.moves.push(moved);
        }
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
