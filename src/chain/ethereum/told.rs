//! Reads a block whose contents cannot be proved, because its format is none that this version encodes, as a
//! node tells it. Pure; knows no node, and not whether anybody may rely on it.
//!
//! The header is verified all the same, and so the block's number, parent, time and bloom filter. Of the
//! rest only this is certain: that it does not contradict itself or the filter, so that half an answer
//! is no block. Transactions of known types must hash to what is claimed of them.
//!
//! A transaction of an unknown type moves its value to its recipient if it succeeded, as every other. What
//! it may mint or do beside that is not looked at; nor who is said to have sent it.

use super::{
    bloom,
    scan::{self, Block, Tx},
    verify::{self, FailedCheck, VerifyError, gas_since},
    wire::{self, Envelope, MAX_LOGS, MAX_TRANSACTIONS, UpTo, WireError},
};
use crate::domain::{
    block::{BlockRef, TxId},
    evidence::Evidence,
};
use alloy_consensus::{EthereumReceipt, Header, TxType, constants::EMPTY_ROOT_HASH, proofs};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, U64, U256};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// What one endpoint's answer is worth.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// The block's hash proves it.
    Proven(Block),
    /// It does not.
    Told {
        /// Why not.
        error: VerifyError,
        /// The check that failed.
        check: FailedCheck,
        /// What it tells instead, or how that contradicts itself.
        told: Result<Block, String>,
    },
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    transactions: UpTo<&'a RawValue, MAX_TRANSACTIONS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxJson {
    hash: B256,
    #[serde(deserialize_with = "null_or")]
    to: Option<Address>,
    value: U256,
    block_hash: B256,
    transaction_index: U64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson {
    transaction_hash: B256,
    transaction_index: U64,
    block_hash: B256,
    status: U64,
    cumulative_gas_used: U64,
    logs: UpTo<LogJson, MAX_LOGS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogJson {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
    block_hash: B256,
    log_index: U64,
    #[serde(default)]
    removed: bool,
}

/// A field that may be null but must be there.
fn null_or<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    Option::deserialize(deserializer)
}

/// A transaction as it is told.
struct ToldTx {
    id: TxId,
    to: Option<Address>,
    value: U256,
    envelope: Option<Envelope>,
}

/// A block and all its receipts, both as JSON, without the roots that would prove them; why they cannot be
/// proved is kept with it.
///
/// # Errors
/// What contradicts what.
pub(super) fn read(
    block_json: &str,
    receipts_json: &str,
    expected: &BlockRef,
    tokens: &[[u8; 20]],
    unproven: &VerifyError,
) -> Result<Block, String> {
    let header = verify::checked_header(block_json, expected.id);
    let header = header.map_err(|error| error.fault.to_string())?;
    that(
        header.parent_hash.0 == expected.parent.0,
        "its parent is another",
    )?;
    let told = Told(B256::from(expected.id.hash.0));
    let transactions = told.transactions(block_json)?;
    all_known_are_all(&header, &transactions)?;
    let receipts = told.receipts(receipts_json, &transactions)?;
    agree(&header, &receipts)?;
    let mut burned = 0;
    let read: Vec<Tx<'_>> = transactions
        .iter()
        .zip(&receipts)
        .map(|(tx, receipt)| Tx {
            id: tx.id,
            to: tx.to,
            value: tx.value,
            succeeded: receipt.success,
            logs: &receipt.logs,
            gas_used: gas_since(&mut burned, receipt.cumulative_gas_used),
            envelope: tx.envelope.as_ref(),
        })
        .collect();
    let block = verify::reference(&header, expected.id);
    let mut block = scan::scan(block, &read, tokens, Evidence::Told);
    block.facts.unproven = Some(unproven.to_string());
    Ok(block)
}

/// Where every transaction is of a known type, the header says whether they are all.
fn all_known_are_all(header: &Header, transactions: &[ToldTx]) -> Result<(), String> {
    let known = transactions.iter().map(|tx| tx.envelope.as_ref());
    let Some(known) = known.collect::<Option<Vec<&Envelope>>>() else {
        return Ok(());
    };
    let encode = |tx: &Envelope| Bytes::from(tx.encoded_2718());
    let encoded: Vec<Bytes> = known.into_iter().map(encode).collect();
    let root = proofs::ordered_trie_root_encoded(&encoded);
    that(
        root == header.transactions_root,
        "its transactions are not those of its header",
    )
}

/// Receipts against what the header proves of them: whether there are any, and which logs.
fn agree(header: &Header, receipts: &[EthereumReceipt]) -> Result<(), String> {
    for root in [header.transactions_root, header.receipts_root] {
        let is_empty = root == EMPTY_ROOT_HASH;
        that(is_empty == receipts.is_empty(), "its header has others")?;
    }
    let rises = receipts.is_sorted_by_key(|receipt| receipt.cumulative_gas_used);
    that(rises, "the cumulative gas falls")?;
    let blooms = bloom::of_receipts(receipts);
    let all = blooms.iter().fold(Bloom::ZERO, |all, one| all | *one);
    that(
        all == header.logs_bloom,
        "its logs are not those of its bloom filter",
    )
}

/// What is told of the block with this hash.
struct Told(B256);

impl Told {
    fn transactions(&self, block_json: &str) -> Result<Vec<ToldTx>, String> {
        let body: Body<'_> = shaped(wire::read(block_json))?;
        let mut seen = HashSet::new();
        let mut transactions = Vec::with_capacity(body.transactions.len());
        for (index, json) in (0_u64..).zip(body.transactions.iter()) {
            let tx: TxJson = shaped(wire::read(json.get()))?;
            let is_here = tx.block_hash == self.0 && tx.transaction_index.to::<u64>() == index;
            that(is_here, "a transaction is of another place")?;
            that(seen.insert(tx.hash), "a transaction comes twice")?;
            transactions.push(ToldTx {
                id: TxId(tx.hash.0),
                to: tx.to,
                value: tx.value,
                envelope: envelope(json.get(), tx.hash)?,
            });
        }
        Ok(transactions)
    }

    fn receipts(
        &self,
        json: &str,
        transactions: &[ToldTx],
    ) -> Result<Vec<EthereumReceipt>, String> {
        let list: UpTo<ReceiptJson, MAX_TRANSACTIONS> = shaped(wire::read(json))?;
        let is_whole = list.len() == transactions.len();
        that(
            is_whole,
            "it has another number of receipts than of transactions",
        )?;
        let mut log_index = 0_u64;
        let mut receipts = Vec::with_capacity(list.len());
        for (index, (receipt, tx)) in (0_u64..).zip(list.into_iter().zip(transactions)) {
            let is_of_tx = receipt.transaction_hash.0 == tx.id.0
                && receipt.block_hash == self.0
                && receipt.transaction_index.to::<u64>() == index;
            that(is_of_tx, "a receipt is of another transaction")?;
            let status = receipt.status.to::<u64>();
            that(status <= 1, "a receipt's status is neither 0 nor 1")?;
            let mut logs = Vec::with_capacity(receipt.logs.len());
            for log in receipt.logs {
                let is_next = log.log_index.to::<u64>() == log_index && !log.removed;
                let is_here = log.transaction_hash.0 == tx.id.0 && log.block_hash == self.0;
                that(is_next && is_here, "a log is of another place")?;
                log_index = log_index.saturating_add(1);
                let log = Log::new(log.address, log.topics, log.data);
                logs.push(log.ok_or("a log has more than 4 topics")?);
            }
            receipts.push(EthereumReceipt {
                tx_type: TxType::Legacy, // No root is computed of it.
                success: status == 1,
                cumulative_gas_used: receipt.cumulative_gas_used.to(),
                logs,
            });
        }
        Ok(receipts)
    }
}

/// The transaction as its hash binds it, where its type is known. Some chains have transactions of their own
/// under known types, which nobody signed.
fn envelope(json: &str, claimed: B256) -> Result<Option<Envelope>, String> {
    let Ok(envelope) = wire::transaction(json) else {
        return Ok(None);
    };
    if *envelope.tx_hash() == claimed {
        return Ok(Some(envelope));
    }
    let signature = envelope.signature();
    let is_signed = !signature.r().is_zero() && !signature.s().is_zero();
    that(!is_signed, "a transaction does not hash to what is claimed")?;
    Ok(None)
}

fn that(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        return Ok(());
    }
    Err(otherwise.to_owned())
}

fn shaped<T>(read: Result<T, WireError>) -> Result<T, String> {
    read.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
