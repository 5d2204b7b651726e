//! A real watcher on a real database, filled with payments, at a time that stands still.

use super::{
    configuration::Setup,
    payments::{self, Side},
};
use confirmd::{
    chain::{ChainInput, NodeStatus},
    clock::{Clock, Now, SystemClock},
    config::Config,
    daemon,
    domain::{
        asset::ChainName,
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::BlockFacts,
        time::UnixMs,
    },
    health::Health,
    metrics::{Labels, Metrics},
    store::{Durability, Options, Store},
    watcher::{Input, Requests, Watcher},
};
use std::sync::Arc;
use tempfile::TempDir;

/// The time of everything: some day in 2027.
pub const NOW: UnixMs = UnixMs(1_800_000_000_000);

/// The block that every chain starts with.
const FIRST: Height = Height(1000);

/// As many requests as are read from the inbox at once.
pub const PORTION: u64 = 250;

#[derive(Debug)]
struct StandingStill;

impl Clock for StandingStill {
    fn now(&self) -> Now {
        Now {
            wall: NOW,
            monotonic_ms: 0,
        }
    }
}

pub struct Rig {
    watcher: Watcher,
    clock: Arc<dyn Clock>,
    side: Side,
    registered: u64,
}

/// A rig and the folder that goes with it.
pub struct OwnRig {
    pub rig: Rig,
    _folder: TempDir,
}

impl OwnRig {
    /// A watcher of `count` payments whose commits reach the disk, as the daemon's do.
    pub fn with_payments(side: Side, count: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Setup::without_nodes(folder.path()).write();
        let mut filling = Rig::over(&config, Durability::None, side, Arc::new(StandingStill));
        filling.start();
        filling.register(count);
        filling.close();
        let mut rig = Rig::over(&config, Durability::Full, side, Arc::new(StandingStill));
        rig.registered = count;
        rig.tell(ChainInput::Status(status()));
        Self {
            rig,
            _folder: folder,
        }
    }
}

/// Registers payments in the database of a daemon that does not run, half of them on each chain.
pub fn fill(config: &Config, count: u64) {
    let clock = Arc::new(SystemClock::new());
    let mut rig = Rig::over(config, Durability::None, Side::Bitcoin, clock);
    rig.register(count / 2);
    rig.side = Side::Ethereum;
    rig.register(count - count / 2);
    rig.close();
}

impl Rig {
    fn over(config: &Config, durability: Durability, side: Side, clock: Arc<dyn Clock>) -> Self {
        Self {
            watcher: open(config, durability, Arc::clone(&clock)),
            clock,
            side,
            registered: 0,
        }
    }

    fn close(self) {
        self.watcher.close().expect("a closed database");
    }

    /// How many payments it has.
    pub const fn registered(&self) -> u64 {
        self.registered
    }

    /// Registers further payments, as read from the inbox.
    pub fn register(&mut self, count: u64) {
        let end = self.registered + count;
        while self.registered < end {
            let portion = self.portion(PORTION.min(end - self.registered));
            self.handle(&portion);
        }
    }

    /// The next registrations, which count as done.
    pub fn portion(&mut self, count: u64) -> Input {
        let first = self.registered;
        self.registered += count;
        let now = self.clock.now().wall;
        let rows = (first..self.registered)
            .map(|n| payments::registration(self.side, n, now, Some(FIRST.0 + 1)))
            .collect();
        Input::Requests(Requests {
            inbox_id: "bench".to_owned(),
            rows,
        })
    }

    /// A block joins the chain.
    pub fn advance(&mut self, facts: BlockFacts) {
        self.tell(ChainInput::Advance {
            disconnect_to: None,
            connected: vec![facts],
        });
    }

    pub fn tell(&mut self, input: ChainInput) {
        self.handle(&Input::Chain(ChainName::new(self.side.chain()), input));
    }

    pub fn handle(&mut self, input: &Input) {
        self.watcher.handle(input).expect("a commit");
        let chain = ChainName::new(self.side.chain());
        while self.watcher.next_ask(&chain).is_some() {}
    }

    fn start(&mut self) {
        self.advance(BlockFacts::empty(first_block()));
        self.tell(ChainInput::Status(status()));
    }
}

fn open(config: &Config, durability: Durability, clock: Arc<dyn Clock>) -> Watcher {
    let now = clock.now().wall;
    let options = Options {
        durability,
        ..daemon::store_options(&config.database)
    };
    let mut store = Store::open(&options, now).expect("a database");
    store
        .sync_registry(&daemon::chain_entries(config), &config.assets, now)
        .expect("chains and assets");
    Watcher::open(
        store,
        daemon::settings(config),
        clock,
        Metrics::new(&Labels::default()).expect("metrics"),
        Health::default(),
    )
    .expect("a watcher")
}

/// The chain's first block.
pub const fn first_block() -> BlockRef {
    BlockRef {
        id: BlockId {
            height: FIRST,
            hash: BlockHash([1; 32]),
        },
        parent: BlockHash([0; 32]),
        time: NOW,
    }
}

/// What a node says that is never ahead.
const fn status() -> NodeStatus {
    NodeStatus {
        tip: first_block(),
        finalized: None,
        safe: None,
        tagged: false,
        syncing: false,
        mempool_loaded: true,
    }
}

/// Numbers of payments that lie far apart, none twice before all had their turn.
pub struct Scattered {
    count: u64,
    next: u64,
}

impl Scattered {
    /// A prime, so that no count of ours shares a factor with it.
    const STEP: u64 = 618_033_989;

    pub const fn over(count: u64) -> Self {
        Self { count, next: 0 }
    }

    /// Whether so many are left.
    pub const fn has(&self, wanted: u64) -> bool {
        self.next + wanted <= self.count
    }

    pub fn take(&mut self, wanted: u64) -> Vec<u64> {
        let first = self.next;
        self.next += wanted;
        (first..self.next)
            .map(|n| n * Self::STEP % self.count)
            .collect()
    }
}
