//! A configuration for measuring: both chains or Ethereum alone, all their assets, everything in one folder.

use confirmd::config::Config;
use std::path::{Path, PathBuf};

/// USDT's contract where no node needs to know it.
pub const USDT: [u8; 20] = [0xda; 20];

/// Anvil's, if nothing else is said.
pub const ANVILS_CHAIN_ID: u64 = 31_337;

/// What differs between measurements.
pub struct Setup {
    pub folder: PathBuf,
    pub http_port: u16,
    pub poll_interval_ms: u64,
    /// Without one there is Ethereum alone.
    pub bitcoin_url: Option<String>,
    pub cookie_file: PathBuf,
    /// What is said of the bitcoind besides: `rest = true`, a publisher.
    pub more_of_bitcoin: String,
    pub ethereum_url: String,
    /// What is said of the Ethereum endpoint besides: where it announces its blocks.
    pub more_of_ethereum: String,
    pub chain_id: u64,
    pub usdt: String,
}

impl Setup {
    /// Without nodes: nobody listens where they should be.
    pub fn without_nodes(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            http_port: 0,
            poll_interval_ms: 1000,
            bitcoin_url: Some("http://127.0.0.1:1".to_owned()),
            cookie_file: folder.join("cookie"),
            more_of_bitcoin: String::new(),
            ethereum_url: "http://127.0.0.1:1".to_owned(),
            more_of_ethereum: String::new(),
            chain_id: ANVILS_CHAIN_ID,
            usdt: alloy_primitives::Address::from(USDT).to_string(),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Writes the file and reads it as the daemon does.
    pub fn write(&self) -> Config {
        std::fs::write(self.file(), self.text()).expect("a written configuration");
        match Config::load(&self.file()) {
            Ok(config) => config,
            Err(errors) => panic!("{errors}"),
        }
    }

    fn text(&self) -> String {
        let Self {
            folder,
            http_port,
            poll_interval_ms,
            ethereum_url,
            more_of_ethereum,
            chain_id,
            usdt,
            ..
        } = self;
        let (folder, bitcoin) = (folder.display(), self.bitcoin());
        format!(
            r#"
[database]
path = "{folder}/data/confirmd.db"
inbox = "{folder}/inbox/inbox.db"
[http]
listen = "127.0.0.1:{http_port}"
[payments]
expires_in = "30d"
grace = "0s"
{bitcoin}
[chains.ethereum]
kind = "ethereum"
chain_id = {chain_id}
poll_interval = "{poll_interval_ms}ms"
[[chains.ethereum.endpoints]]
name = "one"
url = "{ethereum_url}"
{more_of_ethereum}
[assets.ETH]
chain = "ethereum"
confirmations = 12
[assets.USDT]
chain = "ethereum"
contract = "{usdt}"
decimals = 6
confirmations = 6
"#
        )
    }

    fn bitcoin(&self) -> String {
        let Some(url) = &self.bitcoin_url else {
            return String::new();
        };
        let Self {
            poll_interval_ms,
            cookie_file,
            more_of_bitcoin,
            ..
        } = self;
        let cookie_file = cookie_file.display();
        format!(
            r#"
[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "{url}"
cookie_file = "{cookie_file}"
poll_interval = "{poll_interval_ms}ms"
{more_of_bitcoin}
[assets.BTC]
chain = "bitcoin"
confirmations = 2
"#
        )
    }
}
