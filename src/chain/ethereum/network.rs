//! Which chain an endpoint must be on: chain id and genesis.

use crate::{config::EthereumNode, domain::block::BlockHash};
use alloy_primitives::b256;

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
            genesis: node.genesis.or_else(|| known_genesis(node.chain_id)),
        }
    }
}

/// The genesis of a public chain (go-ethereum, `params/config.go`).
fn known_genesis(chain_id: u64) -> Option<BlockHash> {
    let hash = match chain_id {
        1 => b256!("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
        17_000 => b256!("0xb5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4"),
        560_048 => b256!("0xbbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b"),
        11_155_111 => b256!("0x25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
        _ => return None,
    };
    Some(BlockHash(hash.0))
}
