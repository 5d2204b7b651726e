//! Headers as after Prague: every field that a block's hash binds.

use super::{execute::Outcome, frame::Frame, tx::Tx};
use crate::domain::time::UnixMs;
use alloy_consensus::{EthereumReceipt, Header, ReceiptWithBloom, Transaction, TxReceipt, proofs};
use alloy_eips::{
    eip1559::BaseFeeParams, eip4895::Withdrawal, eip7685::EMPTY_REQUESTS_HASH, eip7840::BlobParams,
};
use alloy_primitives::{Address, B256, Bloom, Bytes, keccak256};

/// The most gas that a block burns.
const GAS_LIMIT: u64 = 60_000_000;
/// The base fee of a chain's first block, in wei.
const FIRST_BASE_FEE: u64 = 1_000_000_000;
/// What a blob costs in its own gas (EIP-4844).
pub(super) const BLOB_GAS: u64 = 131_072;
/// Who builds the blocks and takes the tips.
const BUILDER: Address = Address::repeat_byte(0xbb);

/// A transaction in a block.
#[derive(Debug, Clone)]
pub(super) struct Mined {
    pub tx: Tx,
    /// The calls inside it.
    pub frames: Vec<Frame>,
    pub receipt: ReceiptWithBloom<EthereumReceipt>,
}

/// Everything of a block but its header.
#[derive(Debug, Clone, Default)]
pub(super) struct Inside {
    pub mined: Vec<Mined>,
    pub withdrawals: Vec<Withdrawal>,
}

impl Inside {
    /// Transactions with what came of them.
    pub(super) fn new(executed: Vec<(Tx, Outcome)>, withdrawals: Vec<Withdrawal>) -> Self {
        let mut cumulative_gas_used = 0_u64;
        let mined = executed.into_iter().map(|(tx, outcome)| {
            let envelope = &tx.signed.envelope;
            cumulative_gas_used = cumulative_gas_used.saturating_add(envelope.gas_limit());
            let receipt = EthereumReceipt {
                tx_type: envelope.tx_type(),
                success: outcome.succeeded,
                cumulative_gas_used,
                logs: outcome.logs,
            };
            Mined {
                receipt: receipt.into_with_bloom(),
                tx,
                frames: outcome.frames,
            }
        });
        Self {
            mined: mined.collect(),
            withdrawals,
        }
    }
}

/// The header of the first block: what makes chains differ is their id.
pub(super) fn genesis(chain_id: u64, at: UnixMs) -> Header {
    let base = Header {
        timestamp: seconds(at),
        gas_limit: GAS_LIMIT,
        base_fee_per_gas: Some(FIRST_BASE_FEE),
        mix_hash: keccak256(chain_id.to_be_bytes()),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        ..Header::default()
    };
    seal(base, &Inside::default())
}

/// The header of a block after that one. `salt` makes it differ from every other one.
pub(super) fn child(
    parent: &Header,
    parent_hash: B256,
    at: UnixMs,
    salt: u64,
    inside: &Inside,
) -> Header {
    let blobs = inside.mined.iter().map(|one| blob_gas(&one.tx)).sum();
    let base = Header {
        parent_hash,
        number: parent.number.saturating_add(1),
        timestamp: seconds(at).max(parent.timestamp.saturating_add(1)),
        gas_limit: GAS_LIMIT,
        base_fee_per_gas: parent.next_block_base_fee(BaseFeeParams::ethereum()),
        mix_hash: keccak256(salt.to_be_bytes()),
        blob_gas_used: Some(blobs),
        excess_blob_gas: parent.next_block_excess_blob_gas(BlobParams::prague()),
        parent_beacon_block_root: Some(keccak256(parent_hash)),
        ..Header::default()
    };
    seal(base, inside)
}

/// What a transaction's blobs cost in their own gas.
pub(super) fn blob_gas(tx: &Tx) -> u64 {
    let blobs = tx.signed.envelope.blob_versioned_hashes();
    let count = u64::try_from(blobs.map_or(0, <[B256]>::len)).unwrap_or(u64::MAX);
    count.saturating_mul(BLOB_GAS)
}

/// Fills in what follows from the block's inside. There is no state, so its root is made up.
fn seal(mut header: Header, inside: &Inside) -> Header {
    let envelopes: Vec<_> = inside
        .mined
        .iter()
        .map(|one| &one.tx.signed.envelope)
        .collect();
    let receipts: Vec<_> = inside.mined.iter().map(|one| &one.receipt).collect();
    let blooms = receipts.iter().map(|receipt| receipt.logs_bloom);
    let last = receipts.last();
    header.beneficiary = BUILDER;
    header.state_root = keccak256(header.mix_hash);
    header.transactions_root = proofs::calculate_transaction_root(&envelopes);
    header.receipts_root = proofs::calculate_receipt_root(&receipts);
    header.logs_bloom = blooms.fold(Bloom::ZERO, |all, one| all | one);
    header.gas_used = last.map_or(0, |receipt| receipt.receipt.cumulative_gas_used);
    header.extra_data = Bytes::from_static(b"confirmd sandbox");
    header.withdrawals_root = Some(proofs::calculate_withdrawals_root(&inside.withdrawals));
    header.requests_hash = Some(EMPTY_REQUESTS_HASH);
    header
}

fn seconds(at: UnixMs) -> u64 {
    u64::try_from(at.0 / 1000).unwrap_or(0)
}
