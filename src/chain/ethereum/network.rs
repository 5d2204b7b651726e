//! Which chain an endpoint must be on: chain id and genesis.

use crate::{
    config::{self, EthereumNode},
    domain::block::BlockHash,
};

/// The chain that every endpoint must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The hash of block 0, where it is known.
    pub genesis: Option<BlockHash>,
}

impl Network {
    /// What the configuration says; the genesis of public chains need not be configured.
    #[must_use]
    pub fn of(node: &EthereumNode) -> Self {
        Self {
            chain_id: node.chain_id,
            genesis: node
                .genesis
                .or_else(|| config::known_genesis(node.chain_id)),
        }
    }
}
