//! Simulated nodes of both chains in this process, behind listeners: the daemon reaches them like any other.
//! No block comes by itself. Programs that measure use it, too.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use confirmd::clock::SystemClock;
use confirmd::domain::asset::ChainKind;
use confirmd::sandbox::{listener, live::Live};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Both nodes. Gone when dropped.
pub struct Listeners {
    pub live: Live,
    bitcoin: SocketAddr,
    ethereum: SocketAddr,
    _runtime: Runtime,
}

impl Listeners {
    pub fn start() -> Self {
        let live = Live::new(Arc::new(SystemClock::new()));
        for chain in [ChainKind::Bitcoin, ChainKind::Ethereum] {
            live.with(|world| world.stall(chain, true));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let serve = |chain| {
            let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
            let listener = listener.expect("a port");
            let at = listener.local_addr().expect("an address");
            runtime.spawn(listener::serve(
                listener,
                chain,
                live.clone(),
                std::future::pending(),
            ));
            at
        };
        Self {
            bitcoin: serve(ChainKind::Bitcoin),
            ethereum: serve(ChainKind::Ethereum),
            live,
            _runtime: runtime,
        }
    }

    /// The URL of a chain's node; any login will do.
    pub fn url(&self, chain: ChainKind) -> String {
        match chain {
            ChainKind::Bitcoin => format!("http://user:word@{}", self.bitcoin),
            ChainKind::Ethereum => format!("http://{}", self.ethereum),
        }
    }
}
