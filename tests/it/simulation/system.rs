//! The system under test: the real store, watcher, followers and sources as the daemon wires
//! them, on the simulated clock and wire, with everything on one thread.

use super::{
    clock::SimClock,
    wire::{Line, Shared},
    world::Which,
};
use confirmd::{
    chain::{
        Ask, ChainSource,
        bitcoin::{BitcoinSource, Publisher},
        ethereum::{EthereumSource, Network, TokenSpec},
        follower::{self, Bell, Follower, Signals, Start},
        rpc::{Auth, Client, silent},
    },
    clock::Clock,
    config::{Config, EthereumNode, Node},
    crash,
    daemon::{self, ASKS_MAX, INPUTS_MAX, ToWatcher},
    domain::{asset::ChainName, request::Request, time::UnixMs},
    health::Health,
    metrics::{Labels, Metrics},
    store::{self, Kind, Store, StoreError, inbox::ROWS_PER_READ},
    watcher::{
        Input, Requests, Watcher,
        run::{Message, send_asks},
    },
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// The inbox's name.
const INBOX: &str = "simulated-inbox";

/// How handling an input ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Handled {
    Done,
    /// Nothing changed: the same input must be given again.
    Again,
    /// The process is gone.
    Died,
    /// It leaves, because it does not know what is on the disk.
    Broke,
}

/// A running daemon.
pub struct System {
    watcher: Watcher,
    pub inputs: mpsc::Receiver<Message>,
    asks: Vec<(ChainName, mpsc::Sender<Ask>)>,
    /// What hears bitcoind's publisher.
    publisher: Option<Publisher>,
    _stop: watch::Sender<bool>,
    _followers: JoinSet<()>,
    /// The last row of the inbox that was handed over.
    read_to: i64,
}

impl System {
    /// Starts it on what its databases hold. Must run inside the runtime.
    pub fn start(config: &Config, dir: &Path, clock: &Arc<SimClock>, shared: &Shared) -> Self {
        let clock: Arc<dyn Clock> = Arc::<SimClock>::clone(clock);
        let store = open_store(config, dir, clock.now().wall);
        let position = store.inbox_position().unwrap();
        let starts: Vec<_> = config
            .chains
            .iter()
            .map(|chain| daemon::follower_start(&store, &chain.name).unwrap())
            .collect();
        let mut settings = daemon::settings(config);
        for chain in &mut settings.chains {
            // Its blocks come as on a public network, and are to be treated so.
            chain.is_local = false;
        }
        let watcher = Watcher::open(
            store,
            settings,
            Arc::clone(&clock),
            Metrics::new(&Labels::default()).unwrap(),
            Health::default(),
        )
        .unwrap();
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let (stop, stopping) = watch::channel(false);
        let mut followers = JoinSet::new();
        let (mut asks, mut publisher) = (Vec::new(), None);
        for (chain, start) in config.chains.iter().zip(starts) {
            let (ask, asked) = mpsc::channel(ASKS_MAX);
            asks.push((chain.name.clone(), ask));
            let sink = ToWatcher {
                chain: chain.name.clone(),
                inputs: sender.clone(),
            };
            let options = daemon::follower_options(chain);
            let bell = Arc::new(Bell::default());
            let signals = Signals {
                asks: asked,
                bell: Arc::clone(&bell),
                shutdown: stopping.clone(),
            };
            match &chain.node {
                Node::Bitcoin(node) => {
                    let own = Arc::clone(&clock);
                    let client = client(shared.line(Which::Bitcoin, ""), "node", &clock);
                    let source = BitcoinSource::over(client, node.network, node.rest, own);
                    let observer = Arc::new(|_| {});
                    let heard = Publisher::new(String::new(), bell, source.named(), observer);
                    publisher = Some(heard);
                    followers.spawn(follow(source, sink, options, start, signals, &clock));
                }
                Node::Ethereum(node) => {
                    let tokens = daemon::tokens(config, chain);
                    let source = ethereum(node, tokens, shared, &clock);
                    let source = source.looking_inside(start.traced_by);
                    followers.spawn(follow(source, sink, options, start, signals, &clock));
                }
            }
        }
        Self {
            watcher,
            inputs,
            asks,
            publisher,
            _stop: stop,
            _followers: followers,
            read_to: position.map_or(0, |position| position.seq),
        }
    }

    /// Hands the watcher an input, as its thread does.
    pub fn handle(&mut self, input: &Input) -> Handled {
        let watcher = &mut self.watcher;
        let outcome = catch_unwind(AssertUnwindSafe(|| watcher.handle(input)));
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_transient() => return Handled::Again,
            Ok(Err(StoreError::Io(_))) if crash::disk() == crash::Disk::Broken => {
                return Handled::Broke;
            }
            Ok(Err(error)) => panic!("the watcher gave up: {error}"),
            Err(cause) if cause.is::<crash::Unwound>() => return Handled::Died,
            Err(cause) => std::panic::resume_unwind(cause),
        }
        send_asks(&mut self.watcher, &self.asks);
        Handled::Done
    }

    /// A notification of bitcoind's publisher comes, in these frames.
    pub fn hear(&mut self, frames: &[Vec<u8>]) {
        if let Some(publisher) = &mut self.publisher {
            publisher.take(frames);
        }
    }

    pub fn has_more_due(&self) -> bool {
        self.watcher.has_more_due()
    }

    /// The rows of the inbox that were not handed over yet, as one input.
    pub fn unread(&self, inbox: &[Request]) -> Option<Input> {
        let rows = inbox.iter().filter(|row| row.seq > self.read_to);
        let at_once = usize::try_from(ROWS_PER_READ).unwrap();
        let rows: Vec<Request> = rows.take(at_once).cloned().collect();
        (!rows.is_empty()).then(|| {
            Input::Requests(Requests {
                inbox_id: INBOX.to_owned(),
                rows,
            })
        })
    }

    /// Takes note that rows were handed over.
    pub fn has_read(&mut self, input: &Input) {
        if let Input::Requests(requests) = input {
            self.read_to = requests.rows.last().map_or(self.read_to, |row| row.seq);
        }
    }

    /// Stops as it should.
    pub fn close(self) -> Result<(), StoreError> {
        self.watcher.close()
    }
}

fn client(line: Line, name: &str, clock: &Arc<dyn Clock>) -> Client<Line> {
    Client::new(name, line, Auth::None, Arc::clone(clock), silent())
}

/// All endpoints of the chain, each on a line of its own.
fn ethereum(
    node: &EthereumNode,
    tokens: Vec<TokenSpec>,
    shared: &Shared,
    clock: &Arc<dyn Clock>,
) -> EthereumSource<Line> {
    let (mut clients, mut operators) = (Vec::new(), Vec::new());
    for endpoint in &node.endpoints {
        let operator = endpoint.operator.as_ref().unwrap_or(&endpoint.name);
        let line = shared.line(Which::Ethereum, operator);
        clients.push(client(line, &endpoint.name, clock));
        operators.push(operator.clone());
    }
    let network = Network::of(node);
    let source = EthereumSource::over(clients, network, tokens, Arc::clone(clock));
    source.with_quorum(node.quorum, operators)
}

fn open_store(config: &Config, dir: &Path, now: UnixMs) -> Store {
    let options = store::Options::private(dir, Kind::Live);
    let mut store = Store::open(&options, now).unwrap();
    let chains = daemon::chain_entries(config);
    store.sync_registry(&chains, &config.assets, now).unwrap();
    store
}

fn follow<S: ChainSource>(
    source: S,
    sink: ToWatcher,
    options: follower::Options,
    start: Start,
    signals: Signals,
    clock: &Arc<dyn Clock>,
) -> impl Future<Output = ()> + Send + use<S> {
    Follower::new(source, sink, Arc::clone(clock), options, start).run(signals)
}
