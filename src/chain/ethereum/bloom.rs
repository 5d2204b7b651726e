//! The bloom filters of a block's receipts. Pure.
//!
//! Hashing the same few contracts and event topics again for every log would take longer than
//! everything else about a block together.

use alloy_consensus::EthereumReceipt;
use alloy_primitives::{B256, Bloom, keccak256};
use std::collections::HashMap;

/// The filter of each receipt's logs (Ethereum yellow paper, 4.3.1), in order.
pub(super) fn of_receipts(receipts: &[EthereumReceipt]) -> Vec<Bloom> {
    let mut hashes = Hashes::default();
    receipts
        .iter()
        .map(|receipt| hashes.bloom(receipt))
        .collect()
}

/// Addresses and topics that were hashed before.
#[derive(Default)]
struct Hashes<'a>(HashMap<&'a [u8], B256>);

impl<'a> Hashes<'a> {
    fn bloom(&mut self, receipt: &'a EthereumReceipt) -> Bloom {
        let mut bloom = Bloom::ZERO;
        for log in &receipt.logs {
            bloom.m3_2048_hashed(&self.hash(log.address.as_slice()));
            for topic in log.topics() {
                bloom.m3_2048_hashed(&self.hash(topic.as_slice()));
            }
        }
        bloom
    }

    fn hash(&mut self, input: &'a [u8]) -> B256 {
        *self.0.entry(input).or_insert_with(|| keccak256(input))
    }
}
