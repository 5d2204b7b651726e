//! Blocks, transactions and receipts as JSON-RPC gives them, read into the types that consensus
//! encodes. Whether they are true is not known here.
//!
//! Only fields that end up in an encoding are read. What a node adds (`from`, `blockHash`,
//! `logIndex`, `effectiveGasPrice`, a receipt's bloom) is not looked at, so it cannot mislead.
//!
//! Source: Ethereum execution APIs, `eth_getBlockByHash` and `eth_getBlockReceipts`.

use alloy_consensus::{
    EthereumReceipt, EthereumTxEnvelope, EthereumTypedTransaction, Header, TxEip1559, TxEip2930,
    TxEip4844, TxEip7702, TxLegacy, TxType,
};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, Log, Signature, U64, U256};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{collections::HashSet, fmt, marker::PhantomData};

/// A transaction as blocks hold it: without the sidecar of blobs.
pub(super) type Envelope = EthereumTxEnvelope<TxEip4844>;

/// Why a JSON text could not be read; never quotes it, for a node may echo what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of the expected shape.
    #[error("{0}")]
    Shape(String),
    /// A transaction of a type that this version cannot encode.
    #[error("is of the unknown type {0}")]
    UnknownType(u64),
}

/// More transactions, receipts or withdrawals than any block has: so many plain transfers burn
/// 2.1 billion gas, and their receipts alone would not fit into the longest answer that is read.
/// In JSON such an entry may be two bytes long and take many times that in memory.
pub(super) const MAX_TRANSACTIONS: usize = 100_000;
/// More logs than a receipt has: so many of the smallest burn 75 million gas, and a transaction may
/// burn 17 million (EIP-7825). As a text a log is as long as in memory, so the answer's limit
/// bounds those of a whole block.
pub(super) const MAX_LOGS: usize = 200_000;

/// A list that is refused while it is read, as soon as it has more than `MAX` entries.
#[derive(Debug)]
pub(super) struct UpTo<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> std::ops::Deref for UpTo<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for UpTo<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for UpTo<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_seq(UpToVisitor::<T, MAX>(PhantomData))
            .map(Self)
    }
}

struct UpToVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for UpToVisitor<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() >= MAX {
                return Err(A::Error::invalid_length(MAX.saturating_add(1), &self));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The parts of a block beside its header.
#[derive(Deserialize)]
pub(super) struct Body<'a> {
    /// Full transactions.
    #[serde(borrow)]
    pub transactions: UpTo<&'a RawValue, MAX_TRANSACTIONS>,
    /// Present since Shanghai.
    pub withdrawals: Option<UpTo<Withdrawal, MAX_TRANSACTIONS>>,
}

/// The hash that a node claims for a block or a transaction.
#[derive(Deserialize)]
struct Claim {
    hash: Option<B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    r#type: Option<U64>,
    r: Option<U256>,
    s: Option<U256>,
    v: Option<U64>,
    y_parity: Option<U64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson {
    status: Option<U64>,
    cumulative_gas_used: U64,
    logs: UpTo<LogJson, MAX_LOGS>,
}

#[derive(Deserialize)]
struct LogJson {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// Reads JSON without repeating any of it in the error.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, WireError> {
    serde_json::from_str(json).map_err(|error| WireError::Shape(shape(&error)))
}

/// The block's header; fields of the body are skipped.
pub(super) fn header(json: &str) -> Result<Header, WireError> {
    read(json)
}

/// The hash that the node claims for this block or transaction, if it can be read.
pub(super) fn claimed_hash(json: &str) -> Option<B256> {
    read::<Claim>(json).ok().and_then(|claim| claim.hash)
}

/// How many transactions a block is said to have, in full or by their hashes; 0 where that cannot be read.
pub(super) fn count(json: &str) -> usize {
    read::<Body<'_>>(json).map_or(0, |body| body.transactions.len())
}

/// The hashes that a node claims for a block's transactions, each another one.
///
/// # Errors
/// When one is missing or comes twice.
pub(super) fn hashes(json: &str) -> Result<Vec<B256>, WireError> {
    let body: Body<'_> = read(json)?;
    let mut seen = HashSet::new();
    let mut hashes = Vec::with_capacity(body.transactions.len());
    for json in body.transactions.iter() {
        let hash = claimed_hash(json.get()).ok_or_else(|| missing("hash"))?;
        if !seen.insert(hash) {
            return Err(WireError::Shape("a transaction comes twice".to_owned()));
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

/// One transaction of a block.
///
/// # Errors
/// For types beyond 4, which this version cannot encode, and for missing or impossible fields.
pub(super) fn transaction(json: &str) -> Result<Envelope, WireError> {
    let signed: Signed = read(json)?;
    let typed = match signed.r#type.map_or(0, |kind| kind.to::<u64>()) {
        0 => legacy(json, &signed)?.into(),
        1 => read::<TxEip2930>(json)?.into(),
        2 => read::<TxEip1559>(json)?.into(),
        3 => EthereumTypedTransaction::Eip4844(read::<TxEip4844>(json)?),
        4 => read::<TxEip7702>(json)?.into(),
        unknown => return Err(WireError::UnknownType(unknown)),
    };
    Ok(Envelope::new_unhashed(typed, signed.signature()?))
}

/// A legacy transaction; whether it names its chain is told by `v` alone (EIP-155).
fn legacy(json: &str, signed: &Signed) -> Result<TxLegacy, WireError> {
    let chain_id = match signed.v()? {
        27 | 28 => None,
        v => Some(v.checked_sub(35).ok_or_else(|| missing("v"))? / 2),
    };
    Ok(TxLegacy {
        chain_id,
        ..read(json)?
    })
}

impl Signed {
    fn signature(&self) -> Result<Signature, WireError> {
        let r = self.r.ok_or_else(|| missing("r"))?;
        let s = self.s.ok_or_else(|| missing("s"))?;
        Ok(Signature::new(r, s, self.parity()?))
    }

    fn parity(&self) -> Result<bool, WireError> {
        if self.r#type.is_none_or(|kind| kind.is_zero()) {
            let v = self.v()?;
            return Ok(if v < 35 { v == 28 } else { v % 2 == 0 });
        }
        match self.y_parity.or(self.v).map(|parity| parity.to::<u64>()) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) | None => Err(missing("yParity")),
        }
    }

    fn v(&self) -> Result<u64, WireError> {
        self.v.map(|v| v.to::<u64>()).ok_or_else(|| missing("v"))
    }
}

/// All receipts of a block; each is encoded with the type of its transaction, given in order.
///
/// # Errors
/// For missing or impossible fields. Receipts from before Byzantium (2017) have no status and
/// are not read.
pub(super) fn receipts(json: &str, types: &[TxType]) -> Result<Vec<EthereumReceipt>, WireError> {
    let UpTo::<ReceiptJson, MAX_TRANSACTIONS>(receipts) = read(json)?;
    let types = types
        .iter()
        .copied()
        .chain(std::iter::repeat(TxType::Legacy));
    receipts.into_iter().zip(types).map(receipt).collect()
}

fn receipt((json, tx_type): (ReceiptJson, TxType)) -> Result<EthereumReceipt, WireError> {
    Ok(EthereumReceipt {
        tx_type,
        success: match json.status.map(|status| status.to::<u64>()) {
            Some(0) => false,
            Some(1) => true,
            Some(_) | None => return Err(missing("status")),
        },
        cumulative_gas_used: json.cumulative_gas_used.to(),
        logs: json.logs.0.into_iter().map(log).collect::<Result<_, _>>()?,
    })
}

fn log(json: LogJson) -> Result<Log, WireError> {
    Log::new(json.address, json.topics, json.data)
        .ok_or_else(|| WireError::Shape("a log has more than 4 topics".to_owned()))
}

pub(super) fn missing(field: &str) -> WireError {
    WireError::Shape(format!("the field `{field}` is missing or impossible"))
}

/// What serde says, without the text that it quotes.
pub(super) fn shape(error: &serde_json::Error) -> String {
    let said = error.to_string();
    if said.starts_with("missing field") || said.starts_with("invalid length") {
        return said;
    }
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => {
            format!("a field of the wrong shape at line {line} column {column}")
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            format!("no valid JSON at line {line} column {column}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_longer_than_any_block_is_refused() {
        let list = |entry: &str, count: usize| {
            format!("[{}{entry}]", format!("{entry},").repeat(count - 1))
        };
        let body = |count| format!(r#"{{"transactions":{}}}"#, list("0", count));
        let log = format!(
            r#"{{"address":"{}","topics":[],"data":"0x"}}"#,
            Address::ZERO
        );
        let receipt =
            |logs: &str| format!(r#"{{"status":"0x1","cumulativeGasUsed":"0x0","logs":{logs}}}"#);
        let of_body = |count| read::<Body>(&body(count)).map(|body| body.transactions.len());
        let of_block = |count| receipts(&list(&receipt("[]"), count), &[]).map(|list| list.len());
        let of_logs = |count| {
            let one = format!("[{}]", receipt(&list(&log, count)));
            receipts(&one, &[]).map(|list| list[0].logs.len())
        };
        let refused = |found: Result<usize, WireError>| {
            let error = found.expect_err("one too many").to_string();
            assert!(error.starts_with("invalid length"), "{error}");
        };
        assert_eq!(of_body(MAX_TRANSACTIONS), Ok(MAX_TRANSACTIONS));
        refused(of_body(MAX_TRANSACTIONS + 1));
        assert_eq!(of_block(MAX_TRANSACTIONS), Ok(MAX_TRANSACTIONS));
        refused(of_block(MAX_TRANSACTIONS + 1));
        assert_eq!(of_logs(MAX_LOGS), Ok(MAX_LOGS));
        refused(of_logs(MAX_LOGS + 1));
    }
}
