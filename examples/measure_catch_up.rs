//! How fast the real daemon catches up with a bitcoind after downtime, and what that takes of the
//! processor, against two others on the same node and the same blocks: the floor, which is one thread
//! that merely downloads, parses and checks them (`benches/support/floor.rs`), and bitcoind's rescan
//! of its own wallet. They take turns, and the best of each counts. Goals: at most 0.8 times the
//! floor's wall time (on two cores) and at most 1.6 times its processor time; at least 1.8 times as
//! fast as the rescan.
//!
//!     cargo build && cargo run --example measure_catch_up [BLOCKS]
//!
//! The daemon is the only one of the three that uses two cores, so other programs on the machine slow
//! it most, even at the lowest priority: the kernel may leave both of its busy threads on one core.
//! Where there are any, run the program under `chrt --rr 1`.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use bitcoin::{Amount, OutPoint};
use serde_json::json;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use support::{
    configuration::Setup,
    cpu,
    figures::verdict,
    floor::Floor,
    gateway::Gateway,
    payments::Side,
    process::Daemon,
    taken::{Taken, ratio},
};
use world::{
    World, argument,
    funds::Funds,
    nodes::{anybodys, bitcoind::Bitcoind},
};

/// Payments that are watched.
const WATCHED: u64 = 1_000;
/// One of so many blocks pays a payment.
const PAYMENT_EVERY: u64 = 10;
/// What strangers and payments are paid from, in BTC.
const FUNDS: &str = "45";
/// How often each of the three is measured.
const ROUNDS: u32 = 5;

/// What a daemon has counted once it knows how far the node is: the metric, and its labels.
const ASKED: [&str; 2] = [
    "confirmd_rpc_requests_total",
    r#"method="getblockchaininfo",outcome="ok""#,
];

const OF_FLOORS_WALL_AND_CPU: [f64; 2] = [0.8, 1.6];
const OF_RESCANS_SPEED: f64 = 1.8;

fn main() {
    let count = argument(150, "how many blocks");
    let mut world = World::start(1000);
    "rest = true".clone_into(&mut world.setup.more_of_bitcoin);
    world.setup.write();
    let funds = take_funds(&world.bitcoind);
    follow_until_here(&world.setup);
    let blocks = Blocks::make(&world.bitcoind, funds, count);
    blocks.describe();

    let contenders = ["floor", "confirmd", "rescan"];
    let mut best = [Taken::MOST; 3];
    for round in 1..=ROUNDS {
        println!("round {round}");
        let took = [
            floor(&blocks),
            catch_up(&world.setup, &blocks),
            rescan(&world.bitcoind, &blocks),
        ];
        for (n, took) in took.into_iter().enumerate() {
            println!("  {:8} {}", contenders[n], took.over(count));
            best[n] = best[n].least(took);
        }
    }
    println!("best of {ROUNDS} rounds");
    for (name, best) in contenders.into_iter().zip(best) {
        println!("  {name:8} {}", best.over(count));
    }
    judge(best);
}

fn judge([floor, confirmd, rescan]: [Taken; 3]) {
    confirmd.judge(floor, OF_FLOORS_WALL_AND_CPU);
    let speed = ratio(rescan.wall, confirmd.wall);
    let met = verdict(speed >= OF_RESCANS_SPEED);
    println!("speed: {speed:.2} times the rescan's (goal: at least {OF_RESCANS_SPEED}; {met})");
}

/// One thread that downloads and checks the blocks one after the other.
fn floor(blocks: &Blocks) -> Taken {
    let (began, used) = (Instant::now(), cpu::taken());
    let mut floor = Floor::connect(&blocks.url);
    for hash in &blocks.hashes {
        drop(floor.read(hash));
    }
    Taken {
        wall: began.elapsed(),
        cpu: Some(cpu::taken().saturating_sub(used)),
    }
}

/// The daemon, from the moment in which it knows how far the node is until its row says that it is
/// there, too.
fn catch_up(setup: &Setup, blocks: &Blocks) -> Taken {
    setup.restore_data();
    let gateway = Gateway::open(&setup.folder);
    let started = Instant::now();
    let daemon = Daemon::start_listening(setup);
    while daemon.counted(ASKED[0], ASKED[1]) == 0 {
        sleep(Duration::from_millis(1));
    }
    let (began, used) = (Instant::now(), daemon.cpu_taken());
    let row = "v1_chain WHERE chain = 'bitcoin' AND scanned_hash = ?";
    let wall = gateway.wait_for_row(row, [blocks.hashes.last()], began);
    let cpu = Some(daemon.cpu_taken().saturating_sub(used));
    let before = began - started;
    println!("  (confirmd knew the node's tip {before:.1?} after its start, which is not counted)");
    let found = gateway.count("v1_transfer");
    assert_eq!(found, blocks.payments(), "payments are missed");
    daemon.stop();
    Taken { wall, cpu }
}

/// The node's own wallet, which has nothing in these blocks.
fn rescan(node: &Bitcoind, blocks: &Blocks) -> Taken {
    let (began, first, last) = (Instant::now(), blocks.first, node.height());
    let done = node.wallet().call("rescanblockchain", json!([first, last]));
    assert_eq!(done["stop_height"], json!(last), "a rescan that stopped");
    Taken {
        wall: began.elapsed(),
        cpu: None,
    }
}

fn take_funds(node: &Bitcoind) -> Funds {
    let txid = node.send(&anybodys::address(), FUNDS);
    node.mine(1);
    let coin = OutPoint::new(txid.parse().expect("a txid"), 0);
    let amount: Amount = format!("{FUNDS} BTC").parse().expect("an amount");
    Funds::new(coin, amount)
}

/// Has the daemon begin at the present tip and take its payments, and keeps its files as they are
/// after its end.
fn follow_until_here(setup: &Setup) {
    let daemon = Daemon::start(setup);
    let mut gateway = Gateway::open(&setup.folder);
    gateway.register(Side::Bitcoin, 0..WATCHED);
    gateway.wait_for_count("v1_request", WATCHED);
    drop(gateway);
    daemon.stop();
    setup.keep_data();
}

/// What is caught up with.
struct Blocks {
    url: String,
    /// The lowest one's height.
    first: u64,
    hashes: Vec<String>,
}

impl Blocks {
    fn make(node: &Bitcoind, mut funds: Funds, count: u64) -> Self {
        let first = node.height() + 1;
        let block = |n: u64| {
            let is_paying = n.is_multiple_of(PAYMENT_EVERY);
            let raw = funds.block(is_paying.then_some(n / PAYMENT_EVERY));
            node.mine_only(&raw.iter().map(String::as_str).collect::<Vec<_>>())
        };
        Self {
            url: node.url(),
            first,
            hashes: (0..count).map(block).collect(),
        }
    }

    /// In how many a payment is paid.
    fn payments(&self) -> u64 {
        let count = u64::try_from(self.hashes.len()).expect("a small number");
        count.div_ceil(PAYMENT_EVERY)
    }

    fn describe(&self) {
        let mut floor = Floor::connect(&self.url);
        let (count, last) = (self.hashes.len(), &self.hashes[self.hashes.len() - 1]);
        let block = floor.read(last);
        let (transactions, size) = (block.txdata.len(), block.total_size());
        let outputs: usize = block.txdata.iter().map(|tx| tx.output.len()).sum();
        let payments = self.payments();
        println!(
            "{count} blocks, each of {transactions} transactions, {outputs} outputs, {size} bytes; \
             {payments} of them pay one of {WATCHED} watched payments"
        );
    }
}
