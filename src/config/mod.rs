//! The validated configuration: what the operator wrote, checked as a whole.

mod asset;
mod chain;
mod depth;
mod keys;
mod load;
mod report;
mod secret;
mod section;
#[cfg(test)]
mod tests;
mod value;

use crate::domain::{
    asset::{Asset, ChainName},
    register::Defaults,
    time::SpanMs,
};
use secrecy::SecretString;
use std::{net::SocketAddr, path::PathBuf};

pub use chain::{known_block_time, known_genesis};
pub use keys::Keys;
pub use report::{ConfigErrors, Problem};
pub use value::{percent_decoded, span};

/// Everything that `config.toml` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the two databases are and who may use them.
    pub database: Database,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub http_listen: SocketAddr,
    /// What a registration gets where it says nothing.
    pub payments: Defaults,
    /// The chains to follow, by name.
    pub chains: Vec<Chain>,
    /// The assets to judge, by code.
    pub assets: Vec<Asset>,
    /// What is allowed but should be known, for the log.
    pub warnings: Vec<String>,
    /// What the file says, key by key, to find out what another file changes.
    pub keys: Keys,
}

/// `[database]`.
#[derive(Debug, Clone)]
pub struct Database {
    /// `confirmd.db`, written by the daemon alone.
    pub path: PathBuf,
    /// `inbox.db`, written by gateways.
    pub inbox: PathBuf,
    /// The Unix group of readers; the daemon's own when absent.
    pub group: Option<String>,
    /// The Unix group of inbox writers; the daemon's own when absent.
    pub inbox_group: Option<String>,
    /// Whether `accept` and `reject` are carried out.
    pub operator_commands: bool,
}

/// `[chains.NAME]`.
#[derive(Debug, Clone)]
pub struct Chain {
    /// NAME.
    pub name: ChainName,
    /// The time between polls.
    pub poll_interval: SpanMs,
    /// Depth beyond which a block is final; on Ethereum only until the node names a final block.
    pub final_depth: u32,
    /// How many past blocks a late registration may ask for.
    pub max_rescan: u32,
    /// What is special to its kind.
    pub node: Node,
}

impl Chain {
    /// How many operators must hold a block before a verdict rests on it; 1 asks nobody else.
    #[must_use]
    pub const fn quorum(&self) -> u32 {
        match &self.node {
            Node::Bitcoin(_) => 1,
            Node::Ethereum(node) => node.quorum,
        }
    }
}

/// How often Bitcoin has a block, on average.
pub const BITCOIN_BLOCK_TIME: SpanMs = SpanMs::from_secs(600);

impl Chain {
    /// How often there is a block, where that is known.
    #[must_use]
    pub fn block_time(&self) -> Option<SpanMs> {
        match &self.node {
            Node::Bitcoin(node) => {
                let is_local = node.network == bitcoin::Network::Regtest;
                (!is_local).then_some(BITCOIN_BLOCK_TIME)
            }
            Node::Ethereum(node) => node.block_time,
        }
    }
}

/// How a chain's node is reached.
#[derive(Debug, Clone)]
pub enum Node {
    /// A bitcoind.
    Bitcoin(BitcoinNode),
    /// Ethereum endpoints.
    Ethereum(EthereumNode),
}

/// A bitcoind's address and credentials.
#[derive(Debug, Clone)]
pub struct BitcoinNode {
    /// The network that it must be on.
    pub network: bitcoin::Network,
    /// JSON-RPC over HTTP.
    pub rpc_url: SecretUrl,
    /// How to sign in.
    pub auth: BitcoinAuth,
    /// Whether blocks are fetched over REST (`-rest=1`) at the same address.
    pub rest: bool,
    /// Whether `check` accepts a node without REST; the daemon asks it over JSON-RPC in any case.
    pub rest_fallback: bool,
    /// A ZMQ publisher that may wake the loop.
    pub zmq: Option<String>,
}

/// How to sign in to a bitcoind.
#[derive(Debug, Clone)]
pub enum BitcoinAuth {
    /// Read this file, again whenever the node refuses what it said before.
    CookieFile(PathBuf),
    /// A fixed user and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
}

/// The endpoints of an EVM chain.
#[derive(Debug, Clone)]
pub struct EthereumNode {
    /// EIP-155 chain id that every endpoint must answer.
    pub chain_id: u64,
    /// How often there is a block, where that is known.
    pub block_time: Option<SpanMs>,
    /// The genesis hash that every endpoint must have, where it is known.
    pub genesis: Option<crate::domain::block::BlockHash>,
    /// How many operators must hold a block before a verdict rests on it.
    pub quorum: u32,
    /// What becomes of a block that no endpoint can prove.
    pub on_unverifiable: OnUnverifiable,
    /// Where to ask.
    pub endpoints: Vec<Endpoint>,
}

/// What becomes of a block whose contents fail the same check at every endpoint: its format is one that this
/// version does not know, or all of them lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnverifiable {
    /// The chain stops there, and says so.
    Stop,
    /// It is taken as they tell it, and whoever is paid by it is flagged.
    Degrade,
}

/// `[[chains.NAME.endpoints]]`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name in logs and metrics.
    pub name: String,
    /// Who runs it: those of one operator have one voice. Always there with a quorum.
    pub operator: Option<String>,
    /// JSON-RPC over HTTP; path and query may hold a key.
    pub url: SecretUrl,
    /// A WebSocket whose `newHeads` may wake the loop.
    pub ws_url: Option<SecretUrl>,
}

impl Endpoint {
    /// Who runs it, or its name where that was not said.
    #[must_use]
    pub fn operator(&self) -> &str {
        self.operator.as_ref().unwrap_or(&self.name)
    }
}

/// A URL of which only scheme, host and port may be shown.
#[derive(Clone)]
pub struct SecretUrl(pub reqwest::Url);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Scheme, host and port.
impl std::fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.0.host_str().unwrap_or("?");
        write!(f, "{}://{host}", self.0.scheme())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
