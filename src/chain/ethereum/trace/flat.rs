//! Reads what `trace_block` answers: every frame of a block in one flat list, each with its place below
//! the root of its transaction.
//!
//! Clients list them transaction by transaction; in which order within one is not relied on. Each frame
//! names its block and its transaction, and none may be missing between two: a call without the one
//! around it is refused.
//!
//! Source: `OpenEthereum` wiki, JSONRPC trace module; Erigon, `trace_block`; reth, alloy-rpc-types-trace.

use super::moves::{Frame, Kind, MAX_DEPTH, MAX_PATHS, Move, Size, Trace, Traced};
use crate::domain::block::BlockHash;
use alloy_primitives::{Address, B256, U256};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// A frame as the node answers it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    action: Action<'a>,
    /// What came of it; nothing where it failed.
    result: Option<Output>,
    error: Option<IgnoredAny>,
    block_hash: B256,
    /// Missing of what is no transaction's.
    transaction_hash: Option<B256>,
    transaction_position: Option<u32>,
    trace_address: Vec<u32>,
}

/// What a frame does; which fields there are depends on its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action<'a> {
    #[serde(borrow)]
    call_type: Option<Cow<'a, str>>,
    from: Option<Address>,
    to: Option<Address>,
    value: Option<U256>,
    /// Of a contract that ends: itself, to whom its ether goes, and how much it has.
    address: Option<Address>,
    refund_address: Option<Address>,
    balance: Option<U256>,
}

#[derive(Deserialize)]
struct Output {
    /// Of a creation: the new contract.
    address: Option<Address>,
}

/// The traces of a block's transactions, and whether all are of the block with this hash.
pub(super) fn read(json: &str, block: BlockHash) -> Result<Flat, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut list = List {
        block: block.0.into(),
        flat: Flat {
            traces: Vec::new(),
            is_of_block: true,
        },
        current: None,
        size: Size::default(),
    };
    // One that has no such block answers null.
    reader.deserialize_option(&mut list)?;
    reader.end()?;
    Ok(list.flat)
}

/// What a node told of a block.
pub(super) struct Flat {
    /// One of each transaction that has any frame, in order.
    pub traces: Vec<Trace>,
    /// Whether every frame is of the block that was meant: it is asked for by its height.
    pub is_of_block: bool,
}

/// The list of frames, as far as it is read.
struct List {
    block: B256,
    flat: Flat,
    current: Option<Current>,
    size: Size,
}

/// The transaction whose frames are being read.
struct Current {
    position: u32,
    id: B256,
    frames: BTreeMap<Box<[u32]>, Frame>,
    /// Numbers in the places of all its frames.
    numbers: usize,
}

impl<'de> Visitor<'de> for &mut List {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of frames")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.flat.is_of_block = false;
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Entry<'_>>()? {
            self.take(&entry).map_err(A::Error::custom)?;
        }
        self.end().map_err(A::Error::custom)
    }
}

impl List {
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), &'static str> {
        self.flat.is_of_block &= entry.block_hash == self.block;
        // What a block's maker gets is no transaction's.
        if entry.r#type == "reward" {
            return Ok(());
        }
        let named = entry.transaction_position.zip(entry.transaction_hash);
        let (position, id) = named.ok_or("a frame of no transaction")?;
        let is_current = |current: &Current| current.position == position && current.id == id;
        if !self.current.as_ref().is_some_and(is_current) {
            self.begin(position, id)?;
        }
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        current.add(entry)
    }

    fn begin(&mut self, position: u32, id: B256) -> Result<(), &'static str> {
        self.end()?;
        if usize::try_from(position) != Ok(self.flat.traces.len()) {
            return Err("transactions that are out of order, or left out");
        }
        self.current = Some(Current {
            position,
            id,
            frames: BTreeMap::new(),
            numbers: 0,
        });
        Ok(())
    }

    /// All frames of the current transaction are read.
    fn end(&mut self) -> Result<(), &'static str> {
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        self.flat.traces.push(Trace {
            id: Some(current.id),
            result: Some(whole(current.frames, &mut self.size)?),
        });
        Ok(())
    }
}

impl Current {
    fn add(&mut self, entry: &Entry<'_>) -> Result<(), &'static str> {
        if entry.trace_address.len() > MAX_DEPTH {
            return Err("calls are nested deeper than the EVM allows");
        }
        self.numbers = self.numbers.saturating_add(entry.trace_address.len());
        if self.numbers > MAX_PATHS {
            return Err("more frames than a transaction has");
        }
        let path = entry.trace_address.as_slice().into();
        let before = self.frames.insert(path, frame(entry)?);
        before.map_or(Ok(()), |_| Err("two frames at one place"))
    }
}

/// A frame of a kind that is not known might move money that nobody sees.
fn frame(entry: &Entry<'_>) -> Result<Frame, &'static str> {
    let action = &entry.action;
    let output = entry.result.as_ref();
    let failed = entry.error.is_some();
    let (kind, from, to, value) = match &*entry.r#type {
        "call" => {
            let kind = match action.call_type.as_deref() {
                Some("call") => Kind::Moves,
                Some("delegatecall") => Kind::of_delegate_call(),
                Some("staticcall" | "callcode") => Kind::Keeps,
                Some(_) | None => return Err("a call of an unknown type"),
            };
            (kind, action.from, action.to, action.value)
        }
        "create" => {
            let created = output.and_then(|output| output.address);
            (Kind::Creates, action.from, created, action.value)
        }
        "suicide" | "selfdestruct" => (
            Kind::Moves,
            action.address,
            action.refund_address,
            action.balance,
        ),
        _ => return Err("a frame of an unknown type"),
    };
    if to.is_none() && !failed {
        return Err("a frame without a target");
    }
    Ok(Frame {
        kind,
        from: from.ok_or("a frame that is nobody's")?,
        to,
        value: match (value, kind) {
            (Some(value), _) => value,
            (None, Kind::Keeps) => U256::ZERO,
            (None, Kind::Moves | Kind::Creates) => return Err("a frame without a value"),
        },
        failed,
    })
}

/// A transaction's frames as its root and what moved below it: an outer frame comes before those in it.
fn whole(frames: BTreeMap<Box<[u32]>, Frame>, size: &mut Size) -> Result<Traced, &'static str> {
    let mut frames = frames.into_iter();
    let (path, root) = frames.next().ok_or("no frame")?;
    if !path.is_empty() {
        return Err("a transaction without its own frame");
    }
    let mut moves: Vec<Move> = Vec::new();
    // The last index of each frame around the next one, and whether what is in it is void.
    let mut around: Vec<(u32, bool)> = Vec::new();
    for (path, frame) in frames {
        let Some((last, outer)) = path.split_last() else {
            continue;
        };
        let known = around.get(..outer.len()).ok_or(ALONE)?;
        if !known.iter().map(|(index, _)| index).eq(outer) {
            return Err(ALONE);
        }
        around.truncate(outer.len());
        let is_void = around
            .last()
            .map_or(root.is_void(), |(_, is_void)| *is_void);
        let is_void = is_void || frame.is_void();
        if let Some(moved) = frame.moved(&path).filter(|_| !is_void) {
            size.add(&moved)?;
            moves.push(moved);
        }
        around.push((*last, is_void));
    }
    Ok(root.root(moves))
}

const ALONE: &str = "a call without the one around it";
