//! The running daemon: what is started in which order, and how it stops.
//!
//! Order: database, watcher, listener, `READY=1`, then followers and inbox. Nodes are never
//! waited for. Stopping goes the other way: sources of input first, then the watcher finishes
//! what it has, then the database is left readable.

mod followers;
mod inbox;
mod pace;
mod reload;
mod running;
mod supervise;
mod thread;
mod times;

pub use followers::{
    ASKS_MAX, ToWatcher, options as follower_options, start as follower_start, takes_native, tokens,
};
pub use running::{INPUTS_MAX, Prepared, Running, Setting, runtime};

use crate::{
    clock::SystemClock,
    config::{Chain, Config, Database, Node},
    domain::asset::ChainKind,
    metrics::{ChainLabels, Labels},
    store::{self, Access, ChainEntry},
    watcher::{Settings, state::ChainSpec},
};
use anyhow::Context as _;
use std::{path::Path, sync::Arc};

/// The commit that this was built from; empty where the build was not told.
const REVISION: &str = env!("CONFIRMD_REVISION");

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: database, listener, threads. A node that is down is no such error.
pub fn run(config: &Config, config_path: &Path) -> anyhow::Result<()> {
    let prepared = Prepared::open(config, live(config))?;
    let runtime = runtime()?;
    let signals = {
        let _in_runtime = runtime.enter();
        // Before anybody can see that it runs: whoever stops it then gets a clean stop.
        supervise::Signals::listen().context("cannot listen for signals")?
    };
    let mut daemon = prepared.start(config, runtime)?;
    let reload = reload::Reload::new(config, config_path, daemon.inputs());
    daemon.watch_over();
    supervise::ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %config.http_listen, "confirmd is running");

    daemon.wait(supervise::wait_for_stop(signals, reload));
    supervise::stopping();
    tracing::info!("stopping");
    daemon.stop()?;
    tracing::info!("stopped");
    Ok(())
}

/// The setting of a service: real time, real chains.
fn live(config: &Config) -> Setting {
    Setting {
        clock: Arc::new(SystemClock::new()),
        speed: 1,
        store: store_options(&config.database),
        listener: None,
    }
}

/// How a configuration's databases are opened, by the daemon and by every command in its place.
#[must_use]
pub fn store_options(database: &Database) -> store::Options {
    let access = Access::Groups {
        readers: database.group.clone(),
        writers: database.inbox_group.clone(),
    };
    with_state_directory(store::Options {
        access,
        ..store::Options::new(&database.path, &database.inbox)
    })
}

/// Under systemd the head lies in the unit's `StateDirectory=`, apart from what is backed up.
fn with_state_directory(options: store::Options) -> store::Options {
    let named = std::env::var("STATE_DIRECTORY").unwrap_or_default();
    // Several directories are separated by colons; the first is ours.
    let dir = Path::new(named.split(':').next().unwrap_or_default());
    if dir.is_absolute() {
        options.with_head_in(dir)
    } else {
        options
    }
}

/// A configuration's chains as the database knows them.
#[must_use]
pub fn chain_entries(config: &Config) -> Vec<ChainEntry> {
    let entry = |chain: &Chain| ChainEntry {
        name: chain.name.clone(),
        kind: chain_kind(chain),
        network: network(chain),
    };
    config.chains.iter().map(entry).collect()
}

fn network(chain: &Chain) -> String {
    match &chain.node {
        Node::Bitcoin(node) => match node.network {
            bitcoin::Network::Bitcoin => "mainnet".to_owned(),
            other @ (bitcoin::Network::Testnet
            | bitcoin::Network::Testnet4
            | bitcoin::Network::Signet
            | bitcoin::Network::Regtest) => other.to_string(),
        },
        Node::Ethereum(node) => node.chain_id.to_string(),
    }
}

/// A configuration as the watcher is told it.
#[must_use]
pub fn settings(config: &Config) -> Settings {
    Settings {
        chains: config
            .chains
            .iter()
            .map(|chain| chain_spec(config, chain))
            .collect(),
        defaults: config.payments.clone(),
        operator_commands: config.database.operator_commands,
    }
}

fn chain_spec(config: &Config, chain: &Chain) -> ChainSpec {
    ChainSpec {
        name: chain.name.clone(),
        kind: chain_kind(chain),
        addresses: followers::address_format(chain),
        poll_interval: chain.poll_interval,
        final_depth: chain.final_depth,
        max_rescan: chain.max_rescan,
        quorum: chain.quorum(),
        block_time: chain.block_time(),
        assets: config
            .assets
            .iter()
            .filter(|asset| asset.chain == chain.name)
            .cloned()
            .collect(),
        is_local: is_local(chain),
    }
}

/// The chain ids of developers' Ethereum nodes: geth's and ganache's, hardhat's and anvil's.
const LOCAL_CHAIN_IDS: [u64; 2] = [1337, 31_337];

/// Whether block times are set by hand.
fn is_local(chain: &Chain) -> bool {
    match &chain.node {
        Node::Bitcoin(node) => node.network == bitcoin::Network::Regtest,
        Node::Ethereum(node) => LOCAL_CHAIN_IDS.contains(&node.chain_id),
    }
}

const fn chain_kind(chain: &Chain) -> ChainKind {
    match chain.node {
        Node::Bitcoin(_) => ChainKind::Bitcoin,
        Node::Ethereum(_) => ChainKind::Ethereum,
    }
}

fn labels(config: &Config) -> Labels {
    Labels {
        chains: config.chains.iter().map(chain_labels).collect(),
        assets: config
            .assets
            .iter()
            .map(|asset| asset.code.clone())
            .collect(),
        revision: REVISION.to_owned(),
        sqlite: rusqlite::version().to_owned(),
    }
}

fn chain_labels(chain: &Chain) -> ChainLabels {
    let endpoints = match &chain.node {
        Node::Bitcoin(_) => vec![followers::BITCOIND.to_owned()],
        Node::Ethereum(node) => node
            .endpoints
            .iter()
            .map(|point| point.name.clone())
            .collect(),
    };
    ChainLabels {
        name: chain.name.clone(),
        kind: chain_kind(chain),
        endpoints,
    }
}
