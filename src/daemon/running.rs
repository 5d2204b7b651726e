//! Starting and stopping the daemon's threads, in a service and in a sandbox alike.
//!
//! Must not know who asked for it: signals and systemd belong to `supervise`.

use super::{
    chain_entries, followers, inbox, labels, pace::Pace, settings, supervise, thread::join,
};
use crate::{
    clock::Clock,
    config::Config,
    domain::step::InboxPosition,
    health::Health,
    http,
    metrics::Metrics,
    store::{self, Store, StoreError},
    watcher::{
        Watcher,
        run::{Channels, Message},
    },
};
use anyhow::Context as _;
use std::{future::Future, net::TcpListener, sync::Arc, thread::JoinHandle, time::Duration};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot, watch},
};

/// Inputs that wait for the watcher: each may hold several megabytes of facts.
pub const INPUTS_MAX: usize = 4;
/// How long the network's threads may take to end after they were told.
const RUNTIME_STOP: Duration = Duration::from_secs(3);

/// What differs between a service and a sandbox.
#[derive(Debug)]
pub struct Setting {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How many times as fast as real time that clock runs; waits are that much shorter.
    pub speed: u32,
    /// Where the databases are and of which kind.
    pub store: store::Options,
    /// Where `/metrics` and its like are served; `None` listens where the configuration says, once
    /// the databases are this daemon's.
    pub listener: Option<TcpListener>,
}

/// A daemon whose databases are open and locked, and that does nothing yet.
pub struct Prepared {
    watcher: Watcher,
    position: Option<InboxPosition>,
    starts: Vec<crate::chain::follower::Start>,
    metrics: Metrics,
    health: Health,
    clock: Arc<dyn Clock>,
    pace: Pace,
    listener: TcpListener,
}

impl Prepared {
    /// Opens the databases.
    ///
    /// # Errors
    /// When they cannot be opened, or belong to another configuration.
    pub fn open(config: &Config, setting: Setting) -> anyhow::Result<Self> {
        let Setting {
            clock,
            speed,
            store,
            listener,
        } = setting;
        let mut store = Store::open(&store, clock.now().wall)?;
        store.sync_registry(&chain_entries(config), &config.assets, clock.now().wall)?;
        let position = store.inbox_position()?;
        let listener = listener.map_or_else(|| listen(config), Ok)?;
        let metrics = Metrics::new(&labels(config)).context("metrics cannot be declared")?;
        let health = Health::default();
        let starts = followers::starts(&store, config)?;
        let watcher = Watcher::open(
            store,
            settings(config),
            Arc::clone(&clock),
            metrics.clone(),
            health.clone(),
        )?;
        Ok(Self {
            watcher,
            position,
            starts,
            metrics,
            health,
            clock,
            pace: Pace::new(speed),
            listener,
        })
    }

    /// Starts everything on these threads of the network.
    ///
    /// # Errors
    /// When a thread or a client cannot be made.
    pub fn start(self, config: &Config, runtime: Runtime) -> anyhow::Result<Running> {
        let (inputs, received) = mpsc::channel::<Message>(INPUTS_MAX);
        let (stop, stopping) = watch::channel(false);
        let asks = {
            let _in_runtime = runtime.enter();
            runtime.spawn(http::serve(
                http_listener(self.listener)?,
                self.metrics.clone(),
                self.health.clone(),
                Arc::clone(&self.clock),
                stopped(stopping.clone()),
            ));
            let wiring = followers::Wiring {
                inputs: &inputs,
                clock: &self.clock,
                metrics: &self.metrics,
                health: &self.health,
                pace: self.pace,
                stopping: &stopping,
            };
            followers::spawn(config, self.starts, &wiring)?
        };
        let wiring = inbox::Wiring {
            inputs: &inputs,
            runtime: &runtime,
            clock: &self.clock,
            pace: self.pace,
            stopping: stopping.clone(),
        };
        let inbox = inbox::spawn(config, self.position, wiring)?;
        supervise::spawn_ticks(&runtime, inputs.clone(), self.pace, stopping.clone());
        let channels = Channels {
            inputs: received,
            asks,
        };
        let (ended, watcher_ended) = oneshot::channel();
        let watching = spawn_watcher(
            self.watcher,
            channels,
            &self.clock,
            &self.health,
            stopping.clone(),
            ended,
        )?;
        Ok(Running {
            runtime,
            inputs,
            inbox,
            watching,
            watcher_ended,
            clock: self.clock,
            health: self.health,
            stop,
            stopping,
        })
    }
}

/// A daemon at work.
pub struct Running {
    runtime: Runtime,
    inputs: mpsc::Sender<Message>,
    inbox: inbox::InboxThread,
    watching: JoinHandle<Result<Watcher, StoreError>>,
    watcher_ended: oneshot::Receiver<()>,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: watch::Sender<bool>,
    stopping: watch::Receiver<bool>,
}

impl Running {
    /// A way to the watcher; all of them must be gone before it stops.
    pub(super) fn inputs(&self) -> mpsc::Sender<Message> {
        self.inputs.clone()
    }

    /// Starts the service manager's watchdog, if it wants one.
    pub(super) fn watch_over(&self) {
        supervise::spawn_watchdog(
            &self.runtime,
            &self.clock,
            &self.health,
            self.stopping.clone(),
        );
    }

    /// Waits for `until`, or for a failure, which [stopping](Self::stop) tells.
    pub fn wait(&mut self, until: impl Future<Output = ()>) {
        let ended = &mut self.watcher_ended;
        self.runtime.block_on(async {
            tokio::select! {
                () = until => {}
                // Its end before a stop is a failure, which joining it tells.
                _ = ended => {}
            }
        });
    }

    /// Whether the watcher ended by itself, which is a failure.
    pub fn has_failed(&self) -> bool {
        self.watching.is_finished()
    }

    /// Stops: sources of input first, then the watcher finishes what it has, then the database is
    /// left readable.
    ///
    /// # Errors
    /// Why the watcher ended, or when the disk fails.
    pub fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        drop(self.inputs);
        // Its thread rests on the runtime's timer.
        let inbox = self.inbox.stop();
        self.runtime.shutdown_timeout(RUNTIME_STOP);
        let watcher = join(self.watching, "watcher")??;
        watcher
            .close()
            .context("the last checkpoint failed; nothing committed is lost")?;
        inbox.map(drop)
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// The network's threads.
///
/// # Errors
/// When they cannot be started.
pub fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("net")
        .enable_all()
        .build()
        .context("cannot start the network's threads")
}

fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.http_listen)
        .with_context(|| format!("cannot listen on {} ([http] listen)", config.http_listen))
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
