//! One follower a chain: its source, where it resumes, how it reaches the watcher.

use super::pace::Pace;
use crate::{
    chain::{
        Ask, ChainInput, ChainSource,
        bitcoin::{BitcoinSource, Publisher},
        ethereum::{EthereumSource, Heads, TokenSpec},
        follower::{Bell, Follower, Gone, Options, Signals, Sink, Start},
    },
    clock::Clock,
    config::{Chain, Config, EthereumNode, Node},
    domain::{
        asset::{AssetKind, ChainName},
        view::FreezeReason,
    },
    health::Health,
    metrics::Metrics,
    store::Store,
    watcher::{Input, run::Message, state::AddressFormat},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// The endpoint label of a bitcoind, of which there is one a chain.
pub(super) const BITCOIND: &str = "bitcoind";

/// Questions that wait for one follower.
pub const ASKS_MAX: usize = 16;

/// Where each chain's follower resumes.
pub(super) fn starts(store: &Store, config: &Config) -> anyhow::Result<Vec<Start>> {
    config
        .chains
        .iter()
        .map(|chain| start(store, &chain.name))
        .collect()
}

/// Where a chain's follower resumes.
///
/// # Errors
/// When the database cannot be read.
pub fn start(store: &Store, name: &ChainName) -> anyhow::Result<Start> {
    let Some(known) = store.chain(name)? else {
        return Ok(Start::default());
    };
    Ok(Start {
        tagged: known.view.tagged,
        finalized: known.view.finalized,
        traced: known.view.traced,
        traced_by: known.view.traced_by,
        frozen: matches!(
            known.view.frozen,
            Some(FreezeReason::BelowFinality | FreezeReason::Released)
        ),
        held: known.view.held,
        lost_quorum: known.view.frozen == Some(FreezeReason::Quorum),
        released: known.view.frozen == Some(FreezeReason::Released),
        recent: known.recent,
    })
}

/// What followers are connected with.
pub(super) struct Wiring<'a> {
    pub(super) inputs: &'a mpsc::Sender<Message>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) metrics: &'a Metrics,
    pub(super) health: &'a Health,
    pub(super) pace: Pace,
    pub(super) stopping: &'a watch::Receiver<bool>,
}

/// Starts a follower for each chain and returns how to ask it. Must run inside the runtime.
pub(super) fn spawn(
    config: &Config,
    starts: Vec<Start>,
    wiring: &Wiring<'_>,
) -> anyhow::Result<Vec<(ChainName, mpsc::Sender<Ask>)>> {
    let &Wiring {
        inputs,
        clock,
        metrics,
        pace,
        stopping,
        ..
    } = wiring;
    let mut queues = Vec::new();
    for (chain, start) in config.chains.iter().zip(starts) {
        let (asks, received) = mpsc::channel(ASKS_MAX);
        queues.push((chain.name.clone(), asks));
        let bell = Arc::new(Bell::default());
        let signals = Signals {
            asks: received,
            bell: Arc::clone(&bell),
            shutdown: stopping.clone(),
        };
        let sink = ToWatcher {
            chain: chain.name.clone(),
            inputs: inputs.clone(),
        };
        let mut options = options(chain);
        options.poll_interval = pace.of(options.poll_interval);
        match &chain.node {
            Node::Bitcoin(node) => {
                let observer = metrics.rpc_observer(&chain.name, BITCOIND);
                let name = chain.name.as_str();
                let source = BitcoinSource::new(name, node, Arc::clone(clock), observer)?;
                if let Some(address) = node.zmq.clone() {
                    let observer = metrics.push_observer(&chain.name);
                    let publisher = Publisher::new(address, bell, source.named(), observer);
                    tokio::spawn(publisher.listen(stopping.clone()));
                }
                follow(source, sink, clock, options, start, signals);
            }
            Node::Ethereum(node) => {
                let source = ethereum(config, chain, node, wiring)?;
                let source = if takes_native(config, chain) {
                    source.looking_inside(start.traced_by)
                } else {
                    source
                };
                for endpoint in &node.endpoints {
                    if let Some(url) = endpoint.ws_url.clone() {
                        let (bell, announced) = (Arc::clone(&bell), source.announced());
                        let observer = metrics.push_observer(&chain.name);
                        let name = endpoint.name.clone();
                        let heads = Heads::new(name, url, bell, announced, observer);
                        tokio::spawn(heads.listen(stopping.clone()));
                    }
                }
                follow(source, sink, clock, options, start, signals);
            }
        }
    }
    Ok(queues)
}

fn follow<S: ChainSource>(
    source: S,
    sink: ToWatcher,
    clock: &Arc<dyn Clock>,
    options: Options,
    start: Start,
    signals: Signals,
) {
    let follower = Follower::new(source, sink, Arc::clone(clock), options, start);
    tokio::spawn(follower.run(signals));
}

fn ethereum(
    config: &Config,
    chain: &Chain,
    node: &EthereumNode,
    wiring: &Wiring<'_>,
) -> anyhow::Result<EthereumSource<crate::chain::rpc::HttpTransport>> {
    let &Wiring {
        clock,
        metrics,
        health,
        ..
    } = wiring;
    let observer = |endpoint: &str| metrics.rpc_observer(&chain.name, endpoint);
    let source = EthereumSource::new(node, tokens(config, chain), clock, observer)?;
    let counted = metrics.endpoint_observer(&chain.name);
    let (health, name) = (health.clone(), chain.name.clone());
    Ok(source.observed(Arc::new(move |endpoint, now, why| {
        counted(endpoint, now, why);
        health.endpoint(&name, endpoint, now, why);
    })))
}

/// Whether payments in the chain's own money are taken.
#[must_use]
pub fn takes_native(config: &Config, chain: &Chain) -> bool {
    let mut assets = config.assets.iter();
    assets.any(|asset| asset.chain == chain.name && matches!(asset.kind, AssetKind::Native))
}

/// The tokens that a chain carries.
#[must_use]
pub fn tokens(config: &Config, chain: &Chain) -> Vec<TokenSpec> {
    let on_chain = config
        .assets
        .iter()
        .filter(|asset| asset.chain == chain.name);
    on_chain
        .filter_map(|asset| match asset.kind {
            AssetKind::Native => None,
            AssetKind::Token(contract) => Some(TokenSpec {
                asset: asset.code.clone(),
                contract,
                decimals: asset.decimals,
            }),
        })
        .collect()
}

/// How addresses of a chain are written.
pub(super) const fn address_format(chain: &Chain) -> AddressFormat {
    match &chain.node {
        Node::Bitcoin(node) => AddressFormat::Bitcoin(node.network),
        Node::Ethereum(_) => AddressFormat::Ethereum,
    }
}

/// How a chain is followed.
#[must_use]
pub fn options(chain: &Chain) -> Options {
    let has_mempool = super::chain_kind(chain).has_mempool();
    let poll_ms = u64::try_from(chain.poll_interval.0).unwrap_or(1000);
    Options {
        chain: chain.name.clone(),
        poll_interval: Duration::from_millis(poll_ms),
        final_depth: chain.final_depth,
        max_rescan: chain.max_rescan,
        quorum: chain.quorum(),
        has_mempool,
        seed: chain
            .name
            .as_str()
            .bytes()
            .fold(0, |seed, byte| seed.wrapping_mul(31) ^ u64::from(byte)),
    }
}

/// A follower's way to the watcher.
#[derive(Debug)]
pub struct ToWatcher {
    /// Whose inputs these are.
    pub chain: ChainName,
    /// The watcher's queue, which all followers share.
    pub inputs: mpsc::Sender<Message>,
}

impl Sink for ToWatcher {
    async fn deliver(&mut self, input: ChainInput) -> Result<(), Gone> {
        let input = Input::Chain(self.chain.clone(), input);
        self.inputs
            .send(Message { input, done: None })
            .await
            .map_err(|_| Gone)
    }
}
