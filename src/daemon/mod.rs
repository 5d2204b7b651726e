//! The running daemon: what is started in which order, and how it stops.
//!
//! Order: database, watcher, listener, `READY=1`, then followers and inbox. Nodes are never
//! waited for. Stopping goes the other way: sources of input first, then the watcher finishes
//! what it has, then the database is left readable.

mod followers;
mod inbox;
mod reload;
mod supervise;

pub use followers::{options as follower_options, start as follower_start, tokens};

use crate::{
    clock::{Clock, SystemClock},
    config::{Chain, Config, Database, Node},
    domain::asset::ChainKind,
    health::Health,
    http,
    metrics::{ChainLabels, Labels, Metrics},
    store::{self, Access, ChainEntry, Store, StoreError},
    watcher::{
        Settings, Watcher,
        run::{Channels, Message},
        state::ChainSpec,
    },
};
use anyhow::Context as _;
use std::{net::TcpListener, path::Path, sync::Arc, thread::JoinHandle, time::Duration};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot, watch},
};

/// Inputs that wait for the watcher: each may hold several megabytes of facts.
const INPUTS_MAX: usize = 4;
/// Questions that wait for one follower.
const ASKS_MAX: usize = 16;
/// The commit that this was built from; empty where the build was not told.
const REVISION: &str = env!("CONFIRMD_REVISION");
/// How long the network's threads may take to end after they were told.
const RUNTIME_STOP: Duration = Duration::from_secs(3);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: database, listener, threads. A node that is down is no such error.
pub fn run(config: &Config, config_path: &Path) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = store_options(&config.database);
    let mut store = Store::open(&options, clock.now().wall)?;
    store.sync_registry(&chain_entries(config), &config.assets, clock.now().wall)?;
    let position = store.inbox_position()?;
    let metrics = Metrics::new(&labels(config)).context("metrics cannot be declared")?;
    let health = Health::default();
    let (stop, stopping) = watch::channel(false);
    let listener = TcpListener::bind(config.http_listen)
        .with_context(|| format!("cannot listen on {} ([http] listen)", config.http_listen))?;
    let starts = followers::starts(&store, config)?;
    let watcher = Watcher::open(
        store,
        settings(config),
        Arc::clone(&clock),
        metrics.clone(),
        health.clone(),
    )?;
    let runtime = runtime()?;
    let (inputs, received) = mpsc::channel::<Message>(INPUTS_MAX);
    let (signals, asks) = {
        let _in_runtime = runtime.enter();
        // Before anybody can see that it runs: whoever stops it then gets a clean stop.
        let signals = supervise::Signals::listen().context("cannot listen for signals")?;
        runtime.spawn(http::serve(
            http_listener(listener)?,
            metrics.clone(),
            health.clone(),
            Arc::clone(&clock),
            stopped(stopping.clone()),
        ));
        let asks = followers::spawn(config, starts, &inputs, &clock, &metrics, &stopping)?;
        (signals, asks)
    };
    let inbox = inbox::spawn(
        config,
        position,
        &inputs,
        &runtime,
        &clock,
        stopping.clone(),
    )?;
    let reload = reload::Reload::new(config, config_path, inputs.clone());
    supervise::spawn(&runtime, inputs, &clock, &health, stopping.clone());
    let channels = Channels {
        inputs: received,
        asks,
    };
    let (ended, watcher_ended) = oneshot::channel();
    let watching = spawn_watcher(watcher, channels, &clock, &health, stopping, ended)?;
    supervise::ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %config.http_listen, "confirmd is running");

    runtime.block_on(async {
        tokio::select! {
            () = supervise::wait_for_stop(signals, reload) => {}
            // Its end before a stop is a failure, which joining it tells.
            _ = watcher_ended => {}
        }
    });
    supervise::stopping();
    tracing::info!("stopping");
    stop.send_replace(true);
    // Its thread rests on the runtime's timer.
    inbox.stop()?;
    runtime.shutdown_timeout(RUNTIME_STOP);
    let watcher = join(watching, "watcher")??;
    watcher
        .close()
        .context("the last checkpoint failed; nothing committed is lost")?;
    tracing::info!("stopped");
    Ok(())
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("net")
        .enable_all()
        .build()
        .context("cannot start the network's threads")
}

fn http_listener(listener: TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener).context("cannot serve HTTP")
}

fn spawn_watcher(
    watcher: Watcher,
    channels: Channels,
    clock: &Arc<dyn Clock>,
    health: &Health,
    stopping: watch::Receiver<bool>,
    ended: oneshot::Sender<()>,
) -> anyhow::Result<JoinHandle<Result<Watcher, StoreError>>> {
    let (clock, health) = (Arc::clone(clock), health.clone());
    std::thread::Builder::new()
        .name("watcher".to_owned())
        .spawn(move || {
            // Dropped when the thread ends, however it ends.
            let _ended = ended;
            crate::watcher::run::run(watcher, channels, &clock, &health, &|| *stopping.borrow())
        })
        .context("cannot start the watcher's thread")
}

fn join<T>(thread: JoinHandle<T>, name: &str) -> anyhow::Result<T> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the {name} thread ended by a panic"))
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
