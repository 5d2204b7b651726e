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
use std::time::Instant;
use support::{
    configuration::Setup,
    figures::verdict,
    floor::Floor,
    payments::Side,
    race,
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

/// What a daemon has had an answer to once it knows how far the node is.
const ASKED: &str = "getblockchaininfo";

const OF_FLOORS_WALL_AND_CPU: [f64; 2] = [0.8, 1.6];
const OF_RESCANS_SPEED: f64 = 1.8;

fn main() {
    let count = argument(150, "how many blocks");
    let mut world = World::start(1000);
    "rest = true".clone_into(&mut world.setup.more_of_bitcoin);
    world.setup.write();
    let funds = take_funds(&world.bitcoind);
    race::follow_until_here(&world.setup, Side::Bitcoin, 0..WATCHED);
    let blocks = Blocks::make(&world.bitcoind, funds, count);
    blocks.describe();

    let best = race::run(count, ["floor", "confirmd", "rescan"], || {
        [
            floor(&blocks),
            catch_up(&world.setup, &blocks),
            rescan(&world.bitcoind, &blocks),
        ]
    });
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
    Taken::of(|| {
        let mut floor = Floor::connect(&blocks.url);
        for hash in &blocks.hashes {
            drop(floor.read(hash));
        }
    })
}

fn catch_up(setup: &Setup, blocks: &Blocks) -> Taken {
    race::catch_up(setup, "bitcoin", ASKED, blocks.last(), blocks.payments())
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

    fn last(&self) -> &str {
        self.hashes.last().expect("a block")
    }

    /// In how many a payment is paid.
    fn payments(&self) -> u64 {
        let count = u64::try_from(self.hashes.len()).expect("a small number");
        count.div_ceil(PAYMENT_EVERY)
    }

    fn describe(&self) {
        let mut floor = Floor::connect(&self.url);
        let (count, block) = (self.hashes.len(), floor.read(self.last()));
        let (transactions, size) = (block.txdata.len(), block.total_size());
        let outputs: usize = block.txdata.iter().map(|tx| tx.output.len()).sum();
        let payments = self.payments();
        println!(
            "{count} blocks, each of {transactions} transactions, {outputs} outputs, {size} bytes; \
             {payments} of them pay one of {WATCHED} watched payments"
        );
    }
}
