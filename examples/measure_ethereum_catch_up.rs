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
use support::{configuration::Setup, payments::Side, race, taken::Taken};
use world::{
    EthereumWorld, argument,
    crowd::{Crowd, Paid},
};

/// Payments that are watched.
const WATCHED: u64 = 1_000;
/// One of so many blocks pays a payment.
const PAYMENT_EVERY: u64 = 10;

/// What a daemon has had an answer to once it knows how far the node is.
const ASKED: &str = "eth_getBlockByNumber";

const OF_FLOORS_WALL_AND_CPU: [f64; 2] = [1.3, 2.0];

fn main() {
    let count = argument(150, "how many blocks");
    let world = EthereumWorld::start(1000);
    world.setup.write();
    race::follow_until_here(&world.setup, Side::Ethereum, 0..WATCHED);
    let blocks = Blocks::make(&world, count);
    blocks.describe();

    let [floor, confirmd] = race::run(count, ["floor", "confirmd"], || {
        [floor(&blocks), catch_up(&world.setup, &blocks)]
    });
    confirmd.judge(floor, OF_FLOORS_WALL_AND_CPU);
}

/// One thread that downloads and reads the blocks one after the other.
fn floor(blocks: &Blocks) -> Taken {
    Taken::of(|| {
        let mut floor = Floor::connect(&blocks.url);
        for hash in &blocks.hashes {
            drop(floor.read(hash));
        }
    })
}

fn catch_up(setup: &Setup, blocks: &Blocks) -> Taken {
    race::catch_up(setup, "ethereum", ASKED, blocks.last(), blocks.payments())
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
