//! `config.toml` for a test: what the contract's example says, with short polls and few confirmations, so
//! that a test needs few blocks. Any key can be set to something else.

use std::path::Path;

use toml::{Table, Value};

use crate::nodes::anvil::Anvil;
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::tokens::Tokens;

/// Between two polls of a node.
pub const POLL: &str = "100ms";

/// Depths that tests wait for: at least two, so that `confirming` can be seen.
pub const BTC_DEPTH: i64 = 2;
pub const ETH_DEPTH: i64 = 3;
pub const TOKEN_DEPTH: i64 = 2;

/// A configuration under construction.
#[derive(Clone, Debug, Default)]
pub struct Config(Table);

impl Config {
    /// Sets a key by its dotted path, such as `chains.bitcoin.final_depth`; makes the tables on the way.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        let (parent, key) = path.rsplit_once('.').expect("a dotted path");
        self.table(parent).insert(key.to_owned(), value.into());
    }

    /// Removes a key or a table by its dotted path.
    pub fn remove(&mut self, path: &str) {
        let (parent, key) = path.rsplit_once('.').expect("a dotted path");
        self.table(parent).remove(key);
    }

    /// The value of a key that was set.
    pub fn get(&self, path: &str) -> &Value {
        let (parent, key) = path.rsplit_once('.').expect("a dotted path");
        let parent = parent
            .split('.')
            .try_fold(&self.0, |table, key| table.get(key)?.as_table());
        let value = parent.and_then(|table| table.get(key));
        value.unwrap_or_else(|| panic!("{path} is not set"))
    }

    fn table(&mut self, path: &str) -> &mut Table {
        path.split('.').fold(&mut self.0, |table, key| {
            let entry = table.entry(key);
            let inner = entry.or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().expect("a table")
        })
    }

    pub fn write(&self, file: &Path) {
        let text = toml::to_string(&self.0).expect("valid TOML");
        std::fs::write(file, text).expect("a configuration file");
    }
}

/// A node that a daemon can be told to follow.
pub trait Followed {
    fn configure(&self, config: &mut Config);
}

/// `[chains.bitcoin]` and BTC.
impl Followed for Bitcoind {
    fn configure(&self, config: &mut Config) {
        let cookie = self.cookie_file().display().to_string();
        config.set("chains.bitcoin.kind", "bitcoin");
        config.set("chains.bitcoin.network", "regtest");
        config.set("chains.bitcoin.rpc_url", self.url());
        config.set("chains.bitcoin.cookie_file", cookie);
        config.set("chains.bitcoin.poll_interval", POLL);
        config.set("assets.BTC.chain", "bitcoin");
        config.set("assets.BTC.confirmations", BTC_DEPTH);
    }
}

/// An anvil with the test tokens on it.
pub struct Ethereum {
    pub anvil: Anvil,
    pub tokens: Tokens,
}

impl Ethereum {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with further command-line arguments of anvil.
    pub fn start_with(args: &[&str]) -> Self {
        let anvil = Anvil::start_with(args);
        let tokens = Tokens::deploy(&anvil);
        Self { anvil, tokens }
    }
}

/// `[chains.ethereum]`, ETH, USDT and USDC.
impl Followed for Ethereum {
    fn configure(&self, config: &mut Config) {
        config.set("chains.ethereum.kind", "ethereum");
        config.set("chains.ethereum.chain_id", 31_337);
        config.set("chains.ethereum.poll_interval", POLL);
        config.endpoint(&self.anvil.url());
        config.set("assets.ETH.chain", "ethereum");
        config.set("assets.ETH.confirmations", ETH_DEPTH);
        for (code, contract) in [("USDT", self.tokens.usdt), ("USDC", self.tokens.usdc)] {
            config.set(&format!("assets.{code}.chain"), "ethereum");
            config.set(&format!("assets.{code}.contract"), contract.to_string());
            config.set(&format!("assets.{code}.decimals"), 6);
            config.set(&format!("assets.{code}.confirmations"), TOKEN_DEPTH);
        }
    }
}

impl Config {
    /// The one endpoint of `[chains.ethereum]`.
    pub fn endpoint(&mut self, url: &str) {
        self.endpoint_of("ethereum", url);
    }

    /// The one endpoint of a chain.
    pub fn endpoint_of(&mut self, chain: &str, url: &str) {
        let endpoint = Table::from_iter([
            ("name".to_owned(), Value::from("local")),
            ("url".to_owned(), Value::from(url)),
        ]);
        let endpoints = Value::from(vec![Value::Table(endpoint)]);
        self.set(&format!("chains.{chain}.endpoints"), endpoints);
    }
}
