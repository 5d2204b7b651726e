//! A watcher on a real store, a clock that stands still, and a chain made by hand.

mod blocks;
mod inbox;
pub mod open;
pub mod tx;

pub use tx::{Tx, address, destination};

use crate::{
    chain::{Ask, ChainInput, MempoolNews, NodeStatus},
    clock::{Clock, Now},
    domain::{
        asset::{ChainKind, ChainName},
        block::{BlockHash, BlockRef, TxId},
        facts::{MempoolSnapshot, TxFacts},
        payment::{Payment, PaymentId},
        request::Request,
        status::Status,
        time::{SpanMs, UnixMs},
    },
    store::StoreError,
    watcher::{Input, Settings, Watcher},
};
use open::{HandClock, open};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The time at which every world begins.
pub const START: UnixMs = UnixMs(1_800_000_000_000);

pub struct World {
    pub watcher: Watcher,
    pub blocks: Vec<BlockRef>,
    kind: ChainKind,
    settings: fn(ChainKind) -> Settings,
    clock: Arc<HandClock>,
    dir: TempDir,
    seq: i64,
    branch: u8,
    rows: Vec<Request>,
}

impl World {
    /// One Bitcoin chain whose cursor is at height 100, in step with its node.
    pub fn new() -> Self {
        Self::of(ChainKind::Bitcoin)
    }

    /// One chain of this kind, where bitcoin is paid with.
    pub fn of(kind: ChainKind) -> Self {
        Self::with(kind, open::settings)
    }

    /// One chain of this kind on a public network.
    pub fn public(kind: ChainKind) -> Self {
        Self::with(kind, open::public_settings)
    }

    /// One chain of this kind where two operators must hold a block.
    pub fn asking_others(kind: ChainKind) -> Self {
        Self::with(kind, open::settings_with_quorum)
    }

    /// An Ethereum chain whose own money is paid with.
    pub fn with_ether() -> Self {
        Self::with(ChainKind::Ethereum, open::settings_with_ether)
    }

    /// The same, where so many operators must hold a block.
    pub fn with_ether_and_quorum<const QUORUM: u32>() -> Self {
        Self::with(ChainKind::Ethereum, |kind| {
            let mut settings = open::settings_with_ether(kind);
            settings.chains[0].quorum = QUORUM;
            settings
        })
    }

    /// The Bitcoin chain of [`new`](Self::new), and an Ethereum chain with blocks of the same names.
    pub fn of_both() -> Self {
        let mut world = Self::with(ChainKind::Bitcoin, |_| open::settings_of_both());
        let (kind, status) = (ChainKind::Ethereum, world.status());
        let block = tx::facts(kind, world.tip(), &[]);
        let (began_ms, name) = (world.monotonic_ms(), ChainName::new(kind.as_str()));
        for input in [
            ChainInput::Status(status.clone()),
            ChainInput::Began {
                history: Vec::new(),
                first: Box::new(block),
            },
            ChainInput::Polled { began_ms, status },
        ] {
            let input = Input::Chain(name.clone(), input);
            world.watcher.handle(&input).unwrap();
        }
        world
    }

    pub fn with(kind: ChainKind, settings: fn(ChainKind) -> Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = Now {
            wall: START,
            monotonic_ms: 0,
        };
        let clock = Arc::new(HandClock(Mutex::new(now)));
        let watcher = open(settings(kind), &dir, &clock).unwrap();
        let mut world = Self {
            watcher,
            blocks: Vec::new(),
            kind,
            settings,
            clock,
            dir,
            seq: 0,
            branch: 0,
            rows: Vec::new(),
        };
        world.begin();
        world.poll();
        world
    }

    /// The same database in a new process.
    pub fn restart(mut self) -> Self {
        self.watcher.close().unwrap();
        let settings = (self.settings)(self.kind);
        self.watcher = open(settings, &self.dir, &self.clock).unwrap();
        self
    }

    pub fn give(&mut self, input: ChainInput) {
        self.try_give(input).unwrap();
    }

    pub fn try_give(&mut self, input: ChainInput) -> Result<(), StoreError> {
        self.watcher.handle(&Input::Chain(self.name(), input))
    }

    /// The clocks move on together.
    pub fn wait(&mut self, span: SpanMs) {
        let mut now = self.clock.0.lock().unwrap();
        now.wall = now.wall.plus(span);
        now.monotonic_ms += u64::try_from(span.0).unwrap();
    }

    /// Somebody sets the wall clock.
    pub fn set_clock_forward(&mut self, span: SpanMs) {
        let mut now = self.clock.0.lock().unwrap();
        now.wall = now.wall.plus(span);
    }

    pub fn now(&self) -> UnixMs {
        self.clock.now().wall
    }

    pub fn monotonic_ms(&self) -> u64 {
        self.clock.now().monotonic_ms
    }

    pub fn tick(&mut self) {
        self.watcher.handle(&Input::Tick).unwrap();
    }

    fn name(&self) -> ChainName {
        ChainName::new(self.kind.as_str())
    }

    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            tip: *self.blocks.last().unwrap(),
            finalized: None,
            safe: None,
            tagged: false,
            syncing: false,
            mempool_loaded: true,
        }
    }

    /// The follower answers what it can, the node answers, and a full poll ends.
    pub fn poll(&mut self) {
        for (name, ask) in self.asks_unanswered().into_iter().rev() {
            self.answer_unconfirmed(&ask);
            if !matches!(ask, Ask::Unconfirmed(_)) {
                self.watcher.retry_ask(&name, ask);
            }
        }
        self.poll_alone();
    }

    /// The node answers and a full poll ends, before anything that was asked is answered.
    pub fn poll_alone(&mut self) {
        let (status, began_ms) = (self.status(), self.monotonic_ms());
        self.give(ChainInput::Status(status.clone()));
        self.give(ChainInput::Polled { began_ms, status });
    }

    pub fn arrive(&mut self, transaction: &Tx) {
        self.tell_of(transaction, self.monotonic_ms(), 0);
    }

    /// The source answers that it knows this one since then.
    pub fn remember(&mut self, transaction: &Tx, first_seen_ms: u64) {
        self.tell_of(transaction, first_seen_ms, 1);
    }

    fn tell_of(&mut self, transaction: &Tx, first_seen_ms: u64, answered: usize) {
        let arrived = TxFacts {
            txid: transaction.txid,
            first_seen_ms,
            credits: transaction.credits(self.kind, 0),
            inputs: transaction.spends.clone(),
        };
        self.give(ChainInput::Mempool(MempoolNews {
            arrived: vec![arrived],
            snapshot: None,
            answered,
        }));
    }

    /// The whole mempool as the node has it, at the tip with this hash.
    pub fn snapshot(&mut self, tip: BlockHash, transactions: &[&Tx]) {
        let mut txids: Vec<TxId> = transactions.iter().map(|tx| tx.txid).collect();
        txids.sort_unstable();
        self.give(ChainInput::Mempool(MempoolNews {
            arrived: Vec::new(),
            snapshot: Some(MempoolSnapshot {
                tip,
                txids: txids.into(),
            }),
            answered: 0,
        }));
    }

    pub fn tip(&self) -> BlockRef {
        *self.blocks.last().unwrap()
    }

    /// Registers 0.015 BTC to the n-th address and lets its past be scanned.
    pub fn register(&mut self, id: &str, address: usize) {
        let body = self.body(address);
        self.ask("register", id, &body);
        self.scan_past();
    }

    /// Asks for 0.015 BTC to the n-th address of this chain.
    pub fn body(&self, address: usize) -> String {
        body(self.kind, address)
    }

    /// Answers the scan of the past that was asked for with empty blocks.
    pub fn scan_past(&mut self) {
        self.find_in_past(&[]);
    }

    /// Answers the scan of the past that was asked for with these blocks.
    pub fn find_in_past(&mut self, blocks: &[(BlockRef, &[Tx])]) {
        for (_, ask) in self.asks() {
            if let Ask::Backfill { batch, to, .. } = ask {
                let facts = blocks.iter();
                let facts = facts.map(|(block, txs)| tx::facts(self.kind, *block, txs));
                let blocks = facts.collect();
                self.give(ChainInput::Backfill {
                    batch,
                    blocks,
                    to,
                    untraced: false,
                });
            }
        }
    }

    /// The deadline passes and then the watch window, each judged.
    pub fn end_watch(&mut self) {
        for minutes in [23, 61] {
            self.wait(SpanMs::from_secs(minutes * 60));
            if self.kind == ChainKind::Ethereum {
                // Its deadlines wait for the head's time.
                self.mine(&[]);
            }
            self.poll();
            self.tick();
        }
    }

    /// What is asked; what is known of unconfirmed money is answered with nothing.
    pub fn asks(&mut self) -> Vec<(ChainName, Ask)> {
        let asks = self.asks_unanswered();
        for (_, ask) in &asks {
            self.answer_unconfirmed(ask);
        }
        asks
    }

    pub fn asks_unanswered(&mut self) -> Vec<(ChainName, Ask)> {
        let name = self.name();
        std::iter::from_fn(|| Some((name.clone(), self.watcher.next_ask(&name)?))).collect()
    }

    fn answer_unconfirmed(&mut self, ask: &Ask) {
        if let Ask::Unconfirmed(destinations) = ask {
            self.give(ChainInput::Mempool(MempoolNews {
                arrived: Vec::new(),
                snapshot: None,
                answered: destinations.len(),
            }));
        }
    }

    pub fn payment(&self, id: &str) -> Payment {
        let id = PaymentId::new(id).unwrap();
        self.watcher.store.find(&id).unwrap().expect("registered")
    }

    pub fn status_of(&self, id: &str) -> Status {
        self.payment(id).judged.status
    }

    pub fn has_outcome(&self, request_id: &str) -> bool {
        let ids = [request_id.to_owned()];
        !self.watcher.store.known_requests(&ids).unwrap().is_empty()
    }

    /// Why a request was refused, as a word; empty when it was not.
    pub fn code_of(&self, request_id: &str) -> String {
        let sql = "SELECT coalesce(code, '') FROM request WHERE request_id = ?";
        let database = rusqlite::Connection::open(self.path()).unwrap();
        database
            .query_row(sql, [request_id], |row| row.get(0))
            .unwrap()
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("confirmd.db")
    }
}

/// The chain of [`World::new`].
pub fn bitcoin() -> ChainName {
    ChainName::new("bitcoin")
}

/// Asks for 0.015 BTC to the n-th address.
pub fn register_body(address: usize) -> String {
    body(ChainKind::Bitcoin, address)
}

fn body(kind: ChainKind, address: usize) -> String {
    format!(
        r#"{{"asset": "BTC", "address": "{}", "amount": "0.015"}}"#,
        tx::address(kind, address)
    )
}
