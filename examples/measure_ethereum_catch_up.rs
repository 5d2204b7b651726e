//! How fast the real daemon catches up with an Ethereum node after downtime, and what that takes of the
//! processor, against the floor on the same node and the same blocks: one thread that merely downloads and
//! reads them (`benches/support/ethereum_floor.rs`). They take turns, and the best of each counts. Goals: at
//! most 1.3 times the floor's wall time and at most 2 times its processor time.
//!
//!     cargo build --profile bench && cargo run --profile bench --example measure_ethereum_catch_up [BLOCKS]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/ethereum_floor.rs"]
mod ethereum_floor;
#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use ethereum_floor::Floor;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use support::{
    configuration::Setup, cpu, gateway::Gateway, payments::Side, process::Daemon, taken::Taken,
};
use world::{
    EthereumWorld, argument,
    crowd::{Crowd, Paid},
};

/// Payments that are watched.
const WATCHED: u64 = 1_000;
/// One of so many blocks pays a payment.
const PAYMENT_EVERY: u64 = 10;
/// How often each of the two is measured.
const ROUNDS: u32 = 5;

/// What a daemon has counted once it knows how far the node is: the metric, and its labels.
const ASKED: [&str; 2] = [
    "confirmd_rpc_requests_total",
    r#"method="eth_getBlockByNumber",outcome="ok""#,
];

const OF_FLOORS_WALL_AND_CPU: [f64; 2] = [1.3, 2.0];

fn main() {
    let count = argument(150, "how many blocks");
    let world = EthereumWorld::start(1000);
    world.setup.write();
    follow_until_here(&world.setup);
    let blocks = Blocks::make(&world, count);
    blocks.describe();

    let contenders = ["floor", "confirmd"];
    let mut best = [Taken::MOST; 2];
    for round in 1..=ROUNDS {
        println!("round {round}");
        let took = [floor(&blocks), catch_up(&world.setup, &blocks)];
        for (n, took) in took.into_iter().enumerate() {
            println!("  {:8} {}", contenders[n], took.over(count));
            best[n] = best[n].least(took);
        }
    }
    println!("best of {ROUNDS} rounds");
    for (name, best) in contenders.into_iter().zip(best) {
        println!("  {name:8} {}", best.over(count));
    }
    let [floor, confirmd] = best;
    confirmd.judge(floor, OF_FLOORS_WALL_AND_CPU);
}

/// One thread that downloads and reads the blocks one after the other.
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
    let row = "v1_chain WHERE chain = 'ethereum' AND scanned_hash = ?";
    let wall = gateway.wait_for_row(row, [blocks.hashes.last()], began);
    let cpu = Some(daemon.cpu_taken().saturating_sub(used));
    let before = began - started;
    println!("  (confirmd knew the node's tip {before:.1?} after its start, which is not counted)");
    let found = gateway.count("v1_transfer");
    assert_eq!(found, blocks.payments(), "payments are missed");
    daemon.stop();
    Taken { wall, cpu }
}

/// Has the daemon begin at the present tip and take its payments, and keeps its files as they are
/// after its end.
fn follow_until_here(setup: &Setup) {
    let daemon = Daemon::start(setup);
    let mut gateway = Gateway::open(&setup.folder);
    gateway.register(Side::Ethereum, 0..WATCHED);
    gateway.wait_for_count("v1_request", WATCHED);
    drop(gateway);
    daemon.stop();
    setup.keep_data();
}

/// What is caught up with.
struct Blocks {
    url: String,
    hashes: Vec<String>,
}

impl Blocks {
    fn make(world: &EthereumWorld, count: u64) -> Self {
        let mut crowd = Crowd::of(&world.anvil, &world.tokens);
        let first = world.anvil.block_number() + 1;
        let block = |n: u64| {
            let is_paying = n.is_multiple_of(PAYMENT_EVERY);
            crowd.send(Paid {
                usdt: is_paying.then_some(n / PAYMENT_EVERY),
                ether: None,
            });
            world.anvil.mine(1);
            world.anvil.hash_at(first + n).to_string()
        };
        Self {
            url: world.anvil.url(),
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
        let (transactions, bytes) = (block.transactions, block.bytes);
        let logs: usize = block
            .receipts
            .iter()
            .map(|receipt| receipt.logs.len())
            .sum();
        let payments = self.payments();
        println!(
            "{count} blocks up to {}, each of {transactions} transactions, {logs} logs, {bytes} bytes as \
             answered; {payments} of them pay one of {WATCHED} watched payments",
            block.header.number
        );
    }
}
