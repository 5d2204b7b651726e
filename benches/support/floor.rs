//! The least that a client of a bitcoind can do with a block and yet believe it: one thread downloads
//! it over one kept connection to REST, parses it, visits every output, computes every txid and
//! checks the merkle root. What a daemon takes for a block is held against this.

use super::connection::Connection;
use bitcoin::{Block, Transaction, Txid, consensus::deserialize, merkle_tree};
use std::hint::black_box;

/// A connection to a bitcoind's REST interface.
pub struct Floor(Connection);

impl Floor {
    /// To a node on this machine, by its URL.
    pub fn connect(url: &str) -> Self {
        Self(Connection::open(url))
    }

    /// Downloads and checks a block.
    pub fn read(&mut self, hash: &str) -> Block {
        let block: Block = deserialize(self.raw(hash)).expect("a block");
        black_box(sum(&block));
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let root = merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash()));
        let expected = block.header.merkle_root.to_raw_hash();
        assert_eq!(root, Some(expected), "another block");
        block
    }

    /// Downloads a block.
    pub fn raw(&mut self, hash: &str) -> &[u8] {
        self.0.get(&format!("/rest/block/{hash}.bin"))
    }
}

/// Of something from every output.
fn sum(block: &Block) -> u64 {
    let outputs = block.txdata.iter().flat_map(|tx| &tx.output);
    outputs.fold(0, |sum, output| {
        let last = output.script_pubkey.as_bytes().last().copied();
        sum.wrapping_add(output.value.to_sat() ^ u64::from(last.unwrap_or_default()))
    })
}
