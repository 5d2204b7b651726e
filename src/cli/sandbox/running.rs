//! A running sandbox: simulated nodes behind loopback listeners, the real daemon on them, and the
//! endpoint for orders. What ends it removes all of it.

use super::{
    control,
    doer::Doer,
    house::{Addresses, House},
    place::{self, Facts, Place},
};
use crate::{
    cli::failure::Failure,
    clock::{Clock, ScaledClock},
    config::Config,
    daemon::{self, Prepared, Running, Setting},
    domain::asset::ChainKind,
    sandbox::{listener, live::Live},
};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How long the simulated nodes may take to end.
const STOP: Duration = Duration::from_secs(2);

/// How a sandbox is started.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) dir: Option<&'a Path>,
    pub(super) speed: u32,
    /// Where other commands find it, if they shall.
    pub(super) place: Option<PathBuf>,
}

/// Everything, in the order in which it goes.
pub(super) struct Sandbox {
    daemon: Running,
    nodes: Runtime,
    stop: watch::Sender<bool>,
    stopping: watch::Receiver<bool>,
    pub(super) live: Live,
    pub(super) config: Config,
    pub(super) facts: Facts,
    place: Option<Place>,
    _house: House,
}

/// Sockets of this machine only, on free ports.
struct Sockets {
    bitcoin: TcpListener,
    ethereum: TcpListener,
    http: TcpListener,
    control: TcpListener,
}

impl Sockets {
    fn bind() -> std::io::Result<Self> {
        let bind = || TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Ok(Self {
            bitcoin: bind()?,
            ethereum: bind()?,
            http: bind()?,
            control: bind()?,
        })
    }

    fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            bitcoin: self.bitcoin.local_addr()?,
            ethereum: self.ethereum.local_addr()?,
            http: self.http.local_addr()?,
            control: self.control.local_addr()?,
        })
    }
}

impl Sandbox {
    /// Starts everything.
    pub(super) fn start(wish: Wish<'_>) -> Result<Self, Failure> {
        if let Some(path) = &wish.place {
            place::require_free(path)?;
        }
        let sockets = Sockets::bind()?;
        let at = sockets.addresses()?;
        let house = House::build(wish.dir)?;
        house.furnish(&at, wish.speed)?;
        let facts = Facts {
            control: at.control,
            config: house.config(),
            database: house.database(),
            inbox: house.inbox(),
            http: at.http,
            speed: wish.speed,
        };
        let config = Config::load(&facts.config)?;
        let clock: Arc<dyn Clock> = Arc::new(ScaledClock::new(wish.speed));
        let live = Live::new(Arc::clone(&clock));
        let (stop, stopping) = watch::channel(false);
        let nodes = daemon::runtime()?;
        let doer = Doer::new(live.clone(), &config, facts.clone());
        let http = sockets.serve_on(&nodes, &live, doer, &stopping)?;
        end_at_signals(&nodes, &stop)?;
        let setting = Setting {
            clock,
            speed: wish.speed,
            store: house.store(),
            listener: Some(http),
        };
        let daemon = Prepared::open(&config, setting)?.start(&config, daemon::runtime()?)?;
        // Last: whoever finds it finds it ready.
        let place = wish.place.map(|path| Place::take(path, &facts));
        Ok(Self {
            place: place.transpose()?,
            daemon,
            nodes,
            stop,
            stopping,
            live,
            config,
            facts,
            _house: house,
        })
    }

    /// The file by which others find it.
    pub(super) fn place(&self) -> Option<&Path> {
        self.place.as_ref().map(Place::path)
    }

    /// Whether the daemon ended by itself.
    pub(super) fn has_failed(&self) -> bool {
        self.daemon.has_failed()
    }

    /// Waits for Ctrl-C, or for a failure.
    pub(super) fn wait(&mut self) {
        let mut stopping = self.stopping.clone();
        self.daemon.wait(async move {
            drop(stopping.wait_for(|stopping| *stopping).await);
        });
    }

    /// Whether somebody ends it.
    pub(super) fn is_ending(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ends everything and removes its files.
    pub(super) fn end(self) -> Result<(), Failure> {
        let stopped = self.daemon.stop();
        self.stop.send_replace(true);
        self.nodes.shutdown_timeout(STOP);
        Ok(stopped?)
    }
}

impl Sockets {
    /// Serves the nodes and the endpoint; the daemon's own listener is left for the daemon.
    fn serve_on(
        self,
        nodes: &Runtime,
        live: &Live,
        doer: Doer,
        stopping: &watch::Receiver<bool>,
    ) -> Result<TcpListener, Failure> {
        let _in_runtime = nodes.enter();
        for (socket, chain) in [
            (self.bitcoin, ChainKind::Bitcoin),
            (self.ethereum, ChainKind::Ethereum),
        ] {
            let stop = stopped(stopping.clone());
            nodes.spawn(listener::serve(served(socket)?, chain, live.clone(), stop));
        }
        let stop = stopped(stopping.clone());
        nodes.spawn(control::serve(served(self.control)?, doer, stop));
        Ok(self.http)
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}

fn served(socket: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(socket)
}

/// Whether this process was started with SIGHUP ignored: signal 1, the lowest bit of `SigIgn` in
/// proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

fn end_at_signals(nodes: &Runtime, stop: &watch::Sender<bool>) -> std::io::Result<()> {
    let _in_runtime = nodes.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Whoever ignores it, as nohup does, wants it to go on without its terminal.
    let mut hangup = (!ignores_hangup())
        .then(|| signal(SignalKind::hangup()))
        .transpose()?;
    let stop = stop.clone();
    nodes.spawn(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
        stop.send_replace(true);
    });
    Ok(())
}
