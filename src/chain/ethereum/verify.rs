//! Checks a block and its receipts against the hash that was asked for. Pure; knows no node.
//!
//! The hash binds the header; the header binds transactions, receipts and withdrawals by their
//! roots. So nothing can be hidden in, changed in or added to a block whose hash is known. What
//! the header does not bind is not read at all (see `wire`).

mod fault;

pub(super) use fault::ShownId;
pub use fault::{FailedCheck, Fault, Part, VerifyError};

use super::{
    bloom,
    wire::{self, Body, Envelope, WireError},
};
use crate::bugs::{Bug, planted};
use crate::domain::{
    block::{BlockHash, BlockId, BlockRef, Height, TxId},
    time::UnixMs,
};
use alloy_consensus::{EthereumReceipt, Header, ReceiptWithBloom, proofs};
use alloy_eips::{eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_primitives::{Address, Bloom, Bytes, Log};
use serde_json::value::RawValue;

/// A block of which every part is what its hash says.
pub(super) struct VerifiedBlock {
    pub block: BlockRef,
    pub transactions: Vec<VerifiedTx>,
    /// Who got fees or withdrawals.
    pub earners: Vec<Address>,
}

/// A transaction of a verified block with what came of it.
pub(super) struct VerifiedTx {
    pub id: TxId,
    pub envelope: Envelope,
    pub succeeded: bool,
    pub logs: Vec<Log>,
    pub gas_used: u64,
}

/// What a header says of its block, its hash computed here and equal to the claimed one.
///
/// # Errors
/// When it cannot be read, is of another height, or our encoding of it does not give the hash
/// that the node claims.
pub fn header_ref(json: &str, height: Height) -> Result<BlockRef, VerifyError> {
    let claimed = wire::claimed_hash(json).unwrap_or_default();
    let hash = BlockHash(claimed.0);
    let found = checked_header(json, BlockId { height, hash })?;
    Ok(reference(&found, BlockId { height, hash }))
}

/// The same for a header of any height, as a tag names it.
///
/// # Errors
/// As [`header_ref`].
pub fn any_header_ref(json: &str) -> Result<BlockRef, VerifyError> {
    let number = wire::header(json).ok().map(|header| header.number);
    let height = number.and_then(|number| u32::try_from(number).ok());
    // Without a height, the check of the header says what is wrong.
    header_ref(json, Height(height.unwrap_or(u32::MAX)))
}

/// Checks a block and all its receipts, both as JSON, against the block that was asked for.
pub(super) fn verify(
    block_json: &str,
    receipts_json: &str,
    expected: &BlockRef,
) -> Result<VerifiedBlock, VerifyError> {
    let check = Check(expected.id);
    let VerifiedBody {
        header,
        body,
        ids,
        envelopes,
    } = check.body(block_json, expected)?;
    let receipts = check.receipts(&header, receipts_json, &envelopes)?;
    let transactions = ids.into_iter().zip(envelopes).zip(receipts);
    let withdrawals = body.withdrawals.iter().flat_map(|list| list.iter());
    let earners = withdrawals.map(|withdrawal| withdrawal.address);
    let mut burned = 0;
    Ok(VerifiedBlock {
        earners: std::iter::once(header.beneficiary).chain(earners).collect(),
        block: reference(&header, expected.id),
        transactions: transactions
            .map(|((id, envelope), receipt)| VerifiedTx {
                id,
                envelope,
                succeeded: receipt.success || planted(Bug::FailedCounted),
                gas_used: gas_since(&mut burned, receipt.cumulative_gas_used),
                logs: receipt.logs,
            })
            .collect(),
    })
}

/// Checks a block without its receipts.
pub(super) fn verify_body(block_json: &str, expected: &BlockRef) -> Result<(), VerifyError> {
    Check(expected.id).body(block_json, expected).map(drop)
}

/// What was burned since the receipt before.
pub(super) const fn gas_since(burned: &mut u64, cumulative: u64) -> u64 {
    let used = cumulative.saturating_sub(*burned);
    *burned = cumulative;
    used
}

/// A header of this height that hashes to this.
pub(super) fn checked_header(json: &str, id: BlockId) -> Result<Header, VerifyError> {
    let check = Check(id);
    let header = check.read(wire::header(json), Part::Header)?;
    check.that(header.number == u64::from(id.height.0), Part::Number)?;
    check.that(is_gapless(&header), Part::Header)?;
    check.that(header.hash_slow().0 == id.hash.0, Part::Header)?;
    Ok(header)
}

/// Whether no field is missing among those that forks have added one behind the other. The encoding
/// leaves out what is missing, so that a value behind a gap would hash as the field before it.
fn is_gapless(header: &Header) -> bool {
    let added = [
        header.base_fee_per_gas.is_some(),
        header.withdrawals_root.is_some(),
        header.blob_gas_used.is_some(),
        header.excess_blob_gas.is_some(),
        header.parent_beacon_block_root.is_some(),
        header.requests_hash.is_some(),
        header.block_access_list_hash.is_some(),
        header.slot_number.is_some(),
    ];
    added.is_sorted_by(|earlier, later| earlier >= later)
}

/// What a header says of its block.
pub(super) fn reference(header: &Header, id: BlockId) -> BlockRef {
    BlockRef {
        id,
        parent: BlockHash(header.parent_hash.0),
        time: UnixMs::from_secs(i64::try_from(header.timestamp).unwrap_or(i64::MAX)),
    }
}

/// A block without its receipts, of which every part is what its hash says.
struct VerifiedBody<'a> {
    header: Header,
    body: Body<'a>,
    ids: Vec<TxId>,
    envelopes: Vec<Envelope>,
}

/// The checks of one block; names it in their errors.
struct Check(BlockId);

impl Check {
    fn error(&self, fault: Fault) -> VerifyError {
        VerifyError {
            block: self.0,
            fault,
        }
    }

    fn that(&self, holds: bool, part: Part) -> Result<(), VerifyError> {
        if holds {
            return Ok(());
        }
        Err(self.error(Fault::Contradiction(part)))
    }

    fn read<T>(&self, read: Result<T, WireError>, part: Part) -> Result<T, VerifyError> {
        read.map_err(|error| {
            let why = error.to_string();
            self.error(Fault::Malformed { part, why })
        })
    }

    fn body<'a>(
        &self,
        json: &'a str,
        expected: &BlockRef,
    ) -> Result<VerifiedBody<'a>, VerifyError> {
        let header = checked_header(json, expected.id)?;
        self.that(header.parent_hash.0 == expected.parent.0, Part::Parent)?;
        let body: Body<'a> = self.read(wire::read(json), Part::Transactions)?;
        self.withdrawals(&header, &body)?;
        let (ids, envelopes) = self.transactions(&header, &body.transactions)?;
        Ok(VerifiedBody {
            header,
            body,
            ids,
            envelopes,
        })
    }

    fn withdrawals(&self, header: &Header, body: &Body) -> Result<(), VerifyError> {
        let told = body.withdrawals.as_deref();
        let holds = header.withdrawals_root.map_or_else(
            // Before Shanghai there is no root, and nobody took anything out.
            || told.is_none_or(<[Withdrawal]>::is_empty),
            |root| told.map(proofs::calculate_withdrawals_root) == Some(root),
        );
        self.that(holds, Part::Withdrawals)
    }

    fn transactions(
        &self,
        header: &Header,
        raw: &[&RawValue],
    ) -> Result<(Vec<TxId>, Vec<Envelope>), VerifyError> {
        let envelopes = (0..)
            .zip(raw)
            .map(|(index, json)| self.transaction(index, json.get()))
            .collect::<Result<Vec<Envelope>, _>>()?;
        let encoded: Vec<Bytes> = envelopes
            .iter()
            .map(|envelope| envelope.encoded_2718().into())
            .collect();
        let root = proofs::ordered_trie_root_encoded(&encoded);
        self.that(root == header.transactions_root, Part::Transactions)?;
        // Computed from the same encoding when the envelope was made, and not read.
        let ids = envelopes.iter().map(|envelope| TxId(envelope.tx_hash().0));
        Ok((ids.collect(), envelopes))
    }

    fn transaction(&self, index: usize, json: &str) -> Result<Envelope, VerifyError> {
        wire::transaction(json).map_err(|error| {
            let id = wire::claimed_hash(json).map(|hash| TxId(hash.0));
            self.error(match error {
                WireError::UnknownType(kind) => Fault::UnknownType { index, id, kind },
                WireError::Shape(why) => Fault::Transaction { index, id, why },
            })
        })
    }

    /// Blooms are computed from the logs and not read, so the root proves them too.
    fn receipts(
        &self,
        header: &Header,
        json: &str,
        envelopes: &[Envelope],
    ) -> Result<Vec<EthereumReceipt>, VerifyError> {
        let types: Vec<_> = envelopes.iter().map(Envelope::tx_type).collect();
        let receipts = self.read(wire::receipts(json, &types), Part::Receipts)?;
        self.that(receipts.len() == envelopes.len(), Part::ReceiptCount)?;
        let rises = receipts.is_sorted_by_key(|receipt| receipt.cumulative_gas_used);
        self.that(rises, Part::Gas)?;
        let blooms = bloom::of_receipts(&receipts);
        let all = blooms.iter().fold(Bloom::ZERO, |all, one| all | *one);
        let receipts: Vec<ReceiptWithBloom<EthereumReceipt>> = receipts
            .into_iter()
            .zip(blooms)
            .map(|(receipt, logs_bloom)| ReceiptWithBloom {
                receipt,
                logs_bloom,
            })
            .collect();
        let root = proofs::calculate_receipt_root(&receipts);
        let holds = root == header.receipts_root || planted(Bug::ReceiptsUnverified);
        self.that(holds, Part::Receipts)?;
        self.that(all == header.logs_bloom, Part::Bloom)?;
        Ok(receipts.into_iter().map(|one| one.receipt).collect())
    }
}

#[cfg(test)]
pub(super) mod tests;
