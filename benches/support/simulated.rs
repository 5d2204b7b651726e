//! Simulated nodes instead of real ones, where the real ones would take hours to be filled.

#[path = "../../tests/it/confirmd/listeners.rs"]
mod listeners;

use crate::support::{
    configuration::Setup,
    payments::{self, SATS},
    process::free_port,
};
use confirmd::{
    domain::{
        amount::Amount,
        asset::ChainKind,
        facts::{CreditAsset, Destination},
    },
    sandbox::world::{CHAIN_ID, Pay, tokens},
};
use listeners::Listeners;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// Two simulated nodes and what the daemon is told of them.
pub struct Simulation {
    nodes: Listeners,
    pub setup: Setup,
    /// Of the daemon; gone with this.
    pub folder: TempDir,
}

impl Simulation {
    pub fn start(poll_interval_ms: u64) -> Self {
        let nodes = Listeners::start();
        let folder = tempfile::tempdir().expect("a folder");
        // Whoever logs in is let in.
        let cookie_file = folder.path().join("cookie");
        fs::write(&cookie_file, "user:word").expect("a cookie");
        let usdt = tokens()[0].contract;
        let url = nodes.url(ChainKind::Bitcoin);
        let (_, place) = url.rsplit_once('@').expect("a URL with a login");
        let setup = Setup {
            folder: PathBuf::from(folder.path()),
            http_port: free_port(),
            poll_interval_ms,
            bitcoin_url: Some(format!("http://{place}")),
            cookie_file,
            more_of_bitcoin: String::new(),
            ethereum_url: nodes.url(ChainKind::Ethereum),
            more_of_ethereum: String::new(),
            chain_id: CHAIN_ID,
            usdt: alloy_primitives::Address::from(usdt).to_string(),
        };
        Self {
            nodes,
            setup,
            folder,
        }
    }

    /// Sends a transaction to each of these numbers, which waits in the mempool.
    pub fn pay(&self, numbers: impl Iterator<Item = u64>) {
        self.nodes.live.with(|world| {
            for n in numbers {
                let to = Destination::new(payments::script(n).as_bytes());
                let pay = Pay {
                    chain: ChainKind::Bitcoin,
                    to: to.expect("a short script"),
                    asset: CreditAsset::Native,
                    amount: Amount::from_u64(SATS),
                };
                world.pay(&pay).expect("a transaction");
            }
        });
    }
}
