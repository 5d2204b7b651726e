//! Blocks, transactions, receipts and logs as nodes answer them.
//!
//! Source: Ethereum execution APIs; the fields are geth's.

use super::seal::{self, Inside, Mined};
use alloy_consensus::{
    Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction, transaction::Recovered,
};
use alloy_eips::{eip2718::Encodable2718, eip4895::Withdrawals, eip7840::BlobParams};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_eth::{self as rpc, BlockTransactions};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// About what a header takes in a block's size.
const HEADER_BYTES: usize = 650;

/// A block with its hash, to be written down.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub header: &'a Header,
    pub hash: B256,
    pub inside: &'a Inside,
}

/// A value's JSON.
pub(super) fn raw(value: &impl Serialize) -> Box<RawValue> {
    // Only values that have a JSON form come here.
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Written<'_> {
    /// The block with its transactions' hashes only.
    pub(super) fn brief(self) -> Box<RawValue> {
        let mined = self.inside.mined.iter();
        let hashes = mined.map(|one| B256::from(one.tx.id().0)).collect();
        self.block(BlockTransactions::<()>::Hashes(hashes))
    }

    /// The block with its transactions.
    pub(super) fn full(self) -> Box<RawValue> {
        let mined = (0..).zip(&self.inside.mined);
        let transactions = mined.map(|(index, one)| self.transaction(index, one));
        self.block(BlockTransactions::Full(transactions.collect()))
    }

    /// Every receipt.
    pub(super) fn receipts(self) -> Box<RawValue> {
        let mut first_log = 0_u64;
        let mut before = 0_u64;
        let receipts = (0..).zip(&self.inside.mined).map(|(index, one)| {
            let receipt = self.receipt(index, one, before, first_log);
            before = one.receipt.receipt.cumulative_gas_used;
            first_log = first_log.saturating_add(count(&one.receipt.receipt.logs));
            receipt
        });
        raw(&receipts.collect::<Vec<_>>())
    }

    /// Every log.
    pub(super) fn logs(self) -> Vec<rpc::Log> {
        let mut first_log = 0_u64;
        let mut logs = Vec::new();
        for (index, one) in (0..).zip(&self.inside.mined) {
            logs.extend(self.logs_of(index, one, first_log));
            first_log = first_log.saturating_add(count(&one.receipt.receipt.logs));
        }
        logs
    }

    /// One transaction.
    pub(super) fn transaction(self, index: u64, one: &Mined) -> impl Serialize + use<> {
        let signed = &one.tx.signed;
        rpc::Transaction {
            inner: Recovered::new_unchecked(signed.envelope.clone(), signed.from),
            block_hash: Some(self.hash),
            block_number: Some(self.header.number),
            transaction_index: Some(index),
            effective_gas_price: Some(self.gas_price(one)),
            block_timestamp: None,
        }
    }

    fn block<T: Serialize>(self, transactions: BlockTransactions<T>) -> Box<RawValue> {
        raw(&rpc::Block {
            header: rpc::Header {
                hash: self.hash,
                inner: self.header,
                total_difficulty: None,
                size: Some(self.size()),
            },
            uncles: Vec::new(),
            transactions,
            withdrawals: Some(Withdrawals(self.inside.withdrawals.clone())),
        })
    }

    fn receipt(self, index: u64, one: &Mined, before: u64, first_log: u64) -> impl Serialize {
        let signed = &one.tx.signed;
        let (envelope, receipt) = (&signed.envelope, &one.receipt.receipt);
        let with_logs = ReceiptWithBloom {
            receipt: Receipt {
                status: receipt.success.into(),
                cumulative_gas_used: receipt.cumulative_gas_used,
                logs: self.logs_of(index, one, first_log),
            },
            logs_bloom: one.receipt.logs_bloom,
        };
        let blob_gas = envelope.is_eip4844().then(|| seal::blob_gas(&one.tx));
        let blob_price = self.header.excess_blob_gas;
        let blob_price = blob_price.map(|excess| BlobParams::prague().calc_blob_fee(excess));
        let created = signed.from.create(envelope.nonce());
        rpc::TransactionReceipt {
            inner: ReceiptEnvelope::from_typed(receipt.tx_type, with_logs),
            transaction_hash: one.tx.id().0.into(),
            transaction_index: Some(index),
            block_hash: Some(self.hash),
            block_number: Some(self.header.number),
            gas_used: receipt.cumulative_gas_used.saturating_sub(before),
            effective_gas_price: self.gas_price(one),
            blob_gas_used: blob_gas,
            blob_gas_price: blob_gas.and(blob_price),
            from: signed.from,
            to: envelope.to(),
            contract_address: envelope.to().is_none().then_some(created),
        }
    }

    fn logs_of(self, index: u64, one: &Mined, first_log: u64) -> Vec<rpc::Log> {
        let logs = (first_log..).zip(&one.receipt.receipt.logs);
        logs.map(|(log_index, log)| rpc::Log {
            inner: log.clone(),
            block_hash: Some(self.hash),
            block_number: Some(self.header.number),
            block_timestamp: Some(self.header.timestamp),
            transaction_hash: Some(one.tx.id().0.into()),
            transaction_index: Some(index),
            log_index: Some(log_index),
            removed: false,
        })
        .collect()
    }

    fn gas_price(self, one: &Mined) -> u128 {
        let envelope = &one.tx.signed.envelope;
        envelope.effective_gas_price(self.header.base_fee_per_gas)
    }

    fn size(self) -> U256 {
        let mined = self.inside.mined.iter();
        let lengths = mined.map(|one| one.tx.signed.envelope.encode_2718_len());
        U256::from(lengths.fold(HEADER_BYTES, usize::saturating_add))
    }
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
