//! Bitcoin Core's JSON, as far as it is used, and the two orders in which hashes are written.
//!
//! Field names are those of Bitcoin Core's RPC reference (version 24 and later).

use crate::domain::block::{BlockHash, TxId};
use bitcoin::{Network, hashes::Hash};
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// 32 bytes as 64 hexadecimal digits, in the order in which explorers print them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hex32(pub(super) [u8; 32]);

struct Hex32Visitor;

impl de::Visitor<'_> for Hex32Visitor {
    type Value = Hex32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Hex32, E> {
        let mut bytes = [0; 32];
        alloy_primitives::hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| E::custom("not 64 hexadecimal digits"))?;
        Ok(Hex32(bytes))
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Hex32Visitor)
    }
}

/// `getblockchaininfo`.
#[derive(Debug, Deserialize)]
pub(super) struct ChainInfo {
    pub(super) chain: String,
    pub(super) blocks: u32,
    pub(super) headers: u32,
    pub(super) bestblockhash: Hex32,
    pub(super) initialblockdownload: bool,
    #[serde(default)]
    pub(super) pruned: bool,
    pub(super) pruneheight: Option<u32>,
}

/// `getmempoolinfo`.
#[derive(Debug, Deserialize)]
pub(super) struct MempoolInfo {
    pub(super) loaded: bool,
}

/// `getnetworkinfo`.
#[derive(Debug, Deserialize)]
pub(super) struct NetworkInfo {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) subversion: String,
}

/// One entry of `getzmqnotifications`.
#[derive(Debug, Deserialize)]
pub(super) struct ZmqPublisher {
    #[serde(rename = "type")]
    pub(super) topic: String,
    pub(super) address: String,
}

/// `getblockheader` in words.
#[derive(Debug, Deserialize)]
pub(super) struct HeaderInfo {
    /// -1 for a block that is off the best chain.
    pub(super) confirmations: i64,
}

/// One entry of `gettxspendingprevout`.
#[derive(Debug, Deserialize)]
pub(super) struct SpentOutput {
    pub(super) txid: Hex32,
    pub(super) vout: u32,
    pub(super) spendingtxid: Option<Hex32>,
    /// Present when the spender is in a block (Bitcoin Core 31 with `-txospenderindex`).
    pub(super) blockhash: Option<Hex32>,
}

/// The network's name in the configuration.
pub(super) const fn network_name(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "mainnet",
        Network::Testnet => "testnet3",
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        Network::Regtest => "regtest",
    }
}

/// The network that bitcoind calls `chain`.
pub(super) fn network_of(chain: &str) -> Option<Network> {
    match chain {
        "main" => Some(Network::Bitcoin),
        "test" => Some(Network::Testnet),
        "testnet4" => Some(Network::Testnet4),
        "signet" => Some(Network::Signet),
        "regtest" => Some(Network::Regtest),
        _ => None,
    }
}

/// The hash as explorers print it.
#[must_use]
pub fn block_hash(hash: bitcoin::BlockHash) -> BlockHash {
    BlockHash(reversed(hash.to_byte_array()))
}

/// The transaction id as explorers print it.
#[must_use]
pub fn tx_id(txid: bitcoin::Txid) -> TxId {
    TxId(reversed(txid.to_byte_array()))
}

const fn reversed(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes.reverse();
    bytes
}
