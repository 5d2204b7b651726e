//! Every block that was ever mined, on every branch.

use super::transaction::Tx;
use crate::{
    chain::bitcoin::block_hash,
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::Destination,
        time::UnixMs,
    },
    sandbox::tree::{Linked, Tree},
};
use bitcoin::{
    CompactTarget, Network, TxMerkleNode,
    block::{Header, Version},
    consensus::serialize,
    constants::genesis_block,
    hashes::Hash as _,
};

/// Regtest's target: every second hash meets it.
const EASIEST: u32 = 0x207f_ffff;

/// A block.
#[derive(Debug, Clone)]
pub struct Block {
    reference: BlockRef,
    pub(super) header: Header,
    transactions: Vec<Tx>,
}

impl Block {
    /// Its transactions, the coinbase first; empty for genesis.
    #[must_use]
    pub fn transactions(&self) -> &[Tx] {
        &self.transactions
    }

    /// As the network carries it.
    pub(super) fn raw(&self) -> Vec<u8> {
        if self.reference.id.height == Height(0) {
            return serialize(&genesis_block(Network::Regtest));
        }
        let mut raw = serialize(&self.header);
        let count = u64::try_from(self.transactions.len()).unwrap_or(u64::MAX);
        raw.extend(serialize(&bitcoin::VarInt(count)));
        for tx in &self.transactions {
            raw.extend_from_slice(&tx.raw);
        }
        raw
    }
}

impl Linked for Block {
    fn reference(&self) -> BlockRef {
        self.reference
    }
}

/// All blocks, from regtest's genesis on.
#[derive(Debug, Clone)]
pub struct Chain {
    tree: Tree<Block>,
    genesis: BlockRef,
    mined: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// Nothing but genesis.
    #[must_use]
    pub fn new() -> Self {
        let genesis = Block::around(
            genesis_block(Network::Regtest).header,
            Height(0),
            Vec::new(),
        );
        Self {
            genesis: genesis.reference,
            tree: Tree::new(genesis),
            mined: 0,
        }
    }

    /// The first block.
    #[must_use]
    pub const fn genesis(&self) -> BlockRef {
        self.genesis
    }

    /// Every block.
    #[must_use]
    pub const fn tree(&self) -> &Tree<Block> {
        &self.tree
    }

    /// Mines a block on top of any known one; `None` on an unknown one. Times are whole seconds.
    pub fn extend(
        &mut self,
        parent: BlockHash,
        at: UnixMs,
        transactions: Vec<Tx>,
    ) -> Option<BlockRef> {
        self.extend_paying(parent, at, transactions, &[])
    }

    /// The same; the block's coinbase pays these scripts, in satoshi.
    pub fn extend_paying(
        &mut self,
        parent: BlockHash,
        at: UnixMs,
        transactions: Vec<Tx>,
        miners: &[(Destination, u64)],
    ) -> Option<BlockRef> {
        let below = self.tree.get(parent)?;
        let height = below.reference.id.height.plus(1);
        self.mined = self.mined.saturating_add(1);
        let mut all = vec![Tx::coinbase(height, self.mined, miners)];
        all.extend(transactions);
        let header = mine(below.header.block_hash(), at, &all);
        Some(self.tree.insert(Block::around(header, height, all)))
    }
}

impl Block {
    fn around(header: Header, height: Height, transactions: Vec<Tx>) -> Self {
        let id = BlockId {
            height,
            hash: block_hash(header.block_hash()),
        };
        Self {
            reference: BlockRef {
                id,
                parent: block_hash(header.prev_blockhash),
                time: UnixMs::from_secs(header.time.into()),
            },
            header,
            transactions,
        }
    }
}

fn mine(parent: bitcoin::BlockHash, at: UnixMs, transactions: &[Tx]) -> Header {
    let txids = transactions.iter().map(|tx| tx.decoded.compute_txid());
    let root = bitcoin::merkle_tree::calculate_root(txids.map(bitcoin::Txid::to_raw_hash));
    let secs = at.0.div_euclid(1000);
    let mut header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: parent,
        merkle_root: root.map_or_else(TxMerkleNode::all_zeros, TxMerkleNode::from_raw_hash),
        time: u32::try_from(secs).unwrap_or(if secs < 0 { 0 } else { u32::MAX }),
        bits: CompactTarget::from_consensus(EASIEST),
        nonce: 0,
    };
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce = header.nonce.wrapping_add(1);
    }
    header
}
