//! A watcher on a real store, a clock that stands still, and a chain made by hand.

use crate::{
    chain::{Ask, ChainInput, MempoolNews, NodeStatus},
    clock::{Clock, Now},
    domain::{
        amount::Amount,
        asset::{Asset, AssetCode, AssetKind, ChainKind, ChainName},
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::{
            BlockFacts, Candidate, CreditAsset, MempoolSnapshot, OutPoint, Payer, Spend, TxFacts,
        },
        payment::{Payment, PaymentId},
        register::Defaults,
        request::Request,
        status::Status,
        terms::Policy,
        time::{SpanMs, UnixMs},
        transfer::Position,
    },
    health::Health,
    metrics::{Labels, Metrics},
    store::{ChainEntry, Kind, Options, Store, StoreError},
    watcher::{
        Input, Requests, Settings, Watcher,
        state::{AddressFormat, ChainSpec},
    },
};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The time at which every world begins.
pub const START: UnixMs = UnixMs(1_800_000_000_000);

/// Addresses that tests pay to, valid on regtest.
pub const ADDRESSES: [&str; 2] = [
    "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
    "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk",
];

#[derive(Debug)]
struct HandClock(Mutex<Now>);

impl Clock for HandClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

pub struct World {
    pub watcher: Watcher,
    pub blocks: Vec<BlockRef>,
    clock: Arc<HandClock>,
    dir: TempDir,
    seq: i64,
    branch: u8,
    rows: Vec<Request>,
}

impl World {
    /// One Bitcoin chain whose cursor is at height 100, in step with its node.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = Now {
            wall: START,
            monotonic_ms: 0,
        };
        let clock = Arc::new(HandClock(Mutex::new(now)));
        let watcher = open(&dir, &clock).unwrap();
        let mut world = Self {
            watcher,
            blocks: Vec::new(),
            clock,
            dir,
            seq: 0,
            branch: 0,
            rows: Vec::new(),
        };
        world.mine(&[]);
        world.poll();
        world
    }

    /// The same database in a new process.
    pub fn restart(mut self) -> Self {
        self.watcher.close().unwrap();
        self.watcher = open(&self.dir, &self.clock).unwrap();
        self
    }

    pub fn give(&mut self, input: ChainInput) {
        self.try_give(input).unwrap();
    }

    pub fn try_give(&mut self, input: ChainInput) -> Result<(), StoreError> {
        self.watcher.handle(&Input::Chain(bitcoin(), input))
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

    pub fn tick(&mut self) {
        self.watcher.handle(&Input::Tick).unwrap();
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            tip: *self.blocks.last().unwrap(),
            finalized: None,
            safe: None,
            syncing: false,
            mempool_loaded: true,
        }
    }

    /// The node answers and a full poll ends.
    pub fn poll(&mut self) {
        let (status, began_at) = (self.status(), self.now());
        self.give(ChainInput::Status(status.clone()));
        self.give(ChainInput::Polled { began_at, status });
    }

    /// A block with these transactions joins the chain.
    pub fn mine(&mut self, transactions: &[Tx]) -> BlockRef {
        let facts = self.next_block(transactions);
        let block = facts.block;
        self.blocks.push(block);
        let status = self.status();
        self.give(ChainInput::Status(status));
        self.give(ChainInput::Advance {
            disconnect_to: None,
            connected: vec![facts],
        });
        block
    }

    /// The last `depth` blocks leave the chain and one with these transactions joins it.
    pub fn reorg(&mut self, depth: usize, transactions: &[Tx]) {
        let kept = self.blocks.len() - depth;
        self.blocks.truncate(kept);
        self.branch += 1;
        let fork = *self.blocks.last().unwrap();
        let facts = self.next_block(transactions);
        self.blocks.push(facts.block);
        self.give(ChainInput::Advance {
            disconnect_to: Some(fork),
            connected: vec![facts],
        });
    }

    pub fn next_block(&self, transactions: &[Tx]) -> BlockFacts {
        let height = self.blocks.last().map_or(100, |last| last.id.height.0 + 1);
        let mut hash = [self.branch; 32];
        hash[..4].copy_from_slice(&height.to_be_bytes());
        let block = BlockRef {
            id: BlockId {
                height: Height(height),
                hash: BlockHash(hash),
            },
            parent: self
                .blocks
                .last()
                .map_or(BlockHash([9; 32]), |last| last.id.hash),
            time: self.now(),
        };
        facts(block, transactions)
    }

    pub fn arrive(&mut self, transaction: &Tx) {
        let arrived = TxFacts {
            txid: transaction.txid,
            first_seen_at: self.now(),
            credits: transaction.credits(0),
            inputs: transaction.spends.clone(),
        };
        self.give(ChainInput::Mempool(MempoolNews {
            arrived: vec![arrived],
            snapshot: None,
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
                began_at: self.now(),
                txids: txids.into(),
            }),
        }));
    }

    pub fn tip(&self) -> BlockRef {
        *self.blocks.last().unwrap()
    }

    /// Registers 0.015 BTC to the n-th address and lets its past be scanned.
    pub fn register(&mut self, id: &str, address: usize) {
        self.ask("register", id, &register_body(address));
        self.scan_past();
    }

    /// Answers the scan of the past that was asked for with empty blocks.
    pub fn scan_past(&mut self) {
        for (_, ask) in self.asks() {
            if let Ask::Backfill { batch, to, .. } = ask {
                self.give(ChainInput::Backfill {
                    batch,
                    blocks: Vec::new(),
                    to,
                });
            }
        }
    }

    pub fn asks(&mut self) -> Vec<(ChainName, Ask)> {
        let name = bitcoin();
        std::iter::from_fn(|| Some((name.clone(), self.watcher.next_ask(&name)?))).collect()
    }

    pub fn ask(&mut self, kind: &str, id: &str, body: &str) {
        self.seq += 1;
        let row = Request {
            seq: self.seq,
            request_id: format!("r{}", self.seq),
            kind: kind.to_owned(),
            payment_id: id.to_owned(),
            body: body.to_owned(),
            actor: None,
            created_at: self.now(),
        };
        self.rows.push(row.clone());
        self.give_rows(vec![row]);
    }

    /// What the inbox holds after a row.
    pub fn rows_after(&self, seq: i64) -> Vec<Request> {
        let later = self.rows.iter().filter(|row| row.seq > seq);
        later.cloned().collect()
    }

    pub fn give_rows(&mut self, rows: Vec<Request>) {
        let requests = Requests {
            inbox_id: "inbox".to_owned(),
            rows,
        };
        self.watcher.handle(&Input::Requests(requests)).unwrap();
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

    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("confirmd.db")
    }
}

pub fn register_body(address: usize) -> String {
    format!(
        r#"{{"asset": "BTC", "address": "{}", "amount": "0.015"}}"#,
        ADDRESSES[address]
    )
}

pub fn bitcoin() -> ChainName {
    ChainName::new("bitcoin")
}

/// A transaction that pays an address.
#[derive(Clone)]
pub struct Tx {
    pub txid: TxId,
    pub to: usize,
    pub sats: u64,
    pub spends: Vec<OutPoint>,
}

impl Tx {
    /// The n-th transaction pays 0.015 BTC to the first address and spends an output of its own.
    pub fn paying(n: u8) -> Self {
        Self {
            txid: TxId([n; 32]),
            to: 0,
            sats: 1_500_000,
            spends: vec![output(n)],
        }
    }

    pub fn to(self, to: usize) -> Self {
        Self { to, ..self }
    }

    pub fn spending(self, n: u8) -> Self {
        Self {
            spends: vec![output(n)],
            ..self
        }
    }

    fn credits(&self, tx_index: u32) -> Vec<Candidate> {
        let format = AddressFormat::Bitcoin(::bitcoin::Network::Regtest);
        let (destination, _) = format.parse(ADDRESSES[self.to]).unwrap();
        vec![Candidate {
            destination,
            asset: CreditAsset::Native,
            amount: Amount::from_u64(self.sats),
            tx_index,
            position: Position::Output(0),
            payer: Payer::Unknown,
            coinbase: false,
        }]
    }
}

fn output(n: u8) -> OutPoint {
    OutPoint {
        txid: TxId([0xf0 ^ n; 32]),
        vout: 0,
    }
}

pub fn facts(block: BlockRef, transactions: &[Tx]) -> BlockFacts {
    let indexed = || (0_u32..).zip(transactions);
    BlockFacts {
        block,
        transactions: transactions.iter().map(|tx| tx.txid).collect(),
        credits: indexed().flat_map(|(n, tx)| tx.credits(n)).collect(),
        spends: indexed()
            .flat_map(|(tx_index, tx)| {
                tx.spends.iter().map(move |outpoint| Spend {
                    outpoint: *outpoint,
                    tx_index,
                })
            })
            .collect(),
        ignored: Vec::new(),
    }
}

/// One Bitcoin chain with one asset.
pub fn settings() -> Settings {
    let asset = Asset {
        code: AssetCode::new("BTC"),
        chain: bitcoin(),
        kind: AssetKind::Native,
        decimals: 8,
        confirmations: 2,
        tiers: Vec::new(),
        dust: Amount::from_u64(546),
        enabled: true,
    };
    let spec = ChainSpec {
        name: bitcoin(),
        kind: ChainKind::Bitcoin,
        addresses: AddressFormat::Bitcoin(::bitcoin::Network::Regtest),
        poll_interval: SpanMs::from_secs(2),
        final_depth: 100,
        max_rescan: 1000,
        assets: vec![asset],
    };
    Settings {
        chains: vec![spec],
        defaults: Defaults {
            expires_in: SpanMs::from_secs(20 * 60),
            grace: SpanMs::from_secs(120),
            watch_after_close: SpanMs::from_secs(3600),
            policy: Policy::Single,
            tolerance_bp: 0,
            late_accept: SpanMs(0),
            confirm_timeout: SpanMs::from_secs(24 * 3600),
        },
        operator_commands: false,
    }
}

fn open(dir: &TempDir, clock: &Arc<HandClock>) -> Result<Watcher, StoreError> {
    let mut store = Store::open(&Options::private(dir.path(), Kind::Live), START).unwrap();
    let entry = ChainEntry {
        name: bitcoin(),
        kind: ChainKind::Bitcoin,
        network: "regtest".to_owned(),
    };
    let settings = settings();
    store
        .sync_registry(&[entry], &settings.chains[0].assets, START)
        .unwrap();
    let metrics = Metrics::new(&Labels::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::<HandClock>::clone(clock);
    Watcher::open(store, settings, clock, metrics, Health::default())
}
