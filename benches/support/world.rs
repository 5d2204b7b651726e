//! What the programs that measure the real daemon begin with: a bitcoind, an anvil with tokens, and
//! a configuration for both. Not part of `support`, whose other users have no nodes.
#![allow(dead_code, reason = "a program uses a part of this")]

#[path = "../../tests/it/nodes/mod.rs"]
pub mod nodes;

#[path = "crowd.rs"]
pub mod crowd;
#[path = "funds.rs"]
pub mod funds;

use crate::support::{
    configuration::{ANVILS_CHAIN_ID, Setup},
    process::free_port,
};
use nodes::{anvil::Anvil, bitcoind::Bitcoind, tokens::Tokens};
use std::path::PathBuf;
use tempfile::TempDir;

/// Two nodes and what the daemon is told of them.
pub struct World {
    pub bitcoind: Bitcoind,
    pub anvil: Anvil,
    pub tokens: Tokens,
    pub setup: Setup,
    /// Of the daemon; gone with this.
    pub folder: TempDir,
}

impl World {
    pub fn start(poll_interval_ms: u64) -> Self {
        Self::start_with(poll_interval_ms, &[])
    }

    /// As [`start`](Self::start), with further command-line arguments for bitcoind.
    pub fn start_with(poll_interval_ms: u64, args: &[&str]) -> Self {
        let (bitcoind, anvil) = (Bitcoind::start_with(args), Anvil::start());
        let tokens = Tokens::deploy(&anvil);
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Setup {
            folder: PathBuf::from(folder.path()),
            http_port: free_port(),
            poll_interval_ms,
            bitcoin_url: Some(bitcoind.url()),
            cookie_file: bitcoind.cookie_file(),
            more_of_bitcoin: String::new(),
            ethereum_url: anvil.url(),
            more_of_ethereum: String::new(),
            chain_id: ANVILS_CHAIN_ID,
            usdt: tokens.usdt.to_string(),
        };
        Self {
            bitcoind,
            anvil,
            tokens,
            setup,
            folder,
        }
    }

    /// The daemon listens to the bitcoind's publisher, too.
    pub fn listening(mut self) -> Self {
        self.setup.more_of_bitcoin = format!("zmq = \"{}\"", self.bitcoind.zmq_url());
        self
    }
}

/// A node of Ethereum alone and what the daemon is told of it.
pub struct EthereumWorld {
    pub anvil: Anvil,
    pub tokens: Tokens,
    pub setup: Setup,
    /// Of the daemon; gone with this.
    pub folder: TempDir,
}

impl EthereumWorld {
    pub fn start(poll_interval_ms: u64) -> Self {
        let anvil = Anvil::start();
        let tokens = Tokens::deploy(&anvil);
        let folder = tempfile::tempdir().expect("a folder");
        let setup = Setup {
            http_port: free_port(),
            poll_interval_ms,
            bitcoin_url: None,
            ethereum_url: anvil.url(),
            usdt: tokens.usdt.to_string(),
            ..Setup::without_nodes(folder.path())
        };
        Self {
            anvil,
            tokens,
            setup,
            folder,
        }
    }

    /// The daemon listens to the node's announcements, too.
    pub fn listening(mut self) -> Self {
        let url = self.anvil.url().replace("http://", "ws://");
        self.setup.more_of_ethereum = format!("ws_url = \"{url}\"");
        self
    }
}

/// Whether an argument of the program is this word.
pub fn is_asked(word: &str) -> bool {
    std::env::args().any(|argument| argument == word)
}

/// The first argument of the program, or what it is otherwise.
pub fn argument(otherwise: u64, what: &str) -> u64 {
    let given = std::env::args().nth(1);
    given.map_or(otherwise, |text| text.parse().expect(what))
}
