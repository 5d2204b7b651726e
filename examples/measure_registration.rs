//! How fast the real daemon takes 100,000 registrations from its inbox, and how long the news of a
//! chain waits meanwhile. Goals: under 10 seconds, and 100 ms.
//!
//!     cargo build && cargo run --example measure_registration [REGISTRATIONS]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::as_conversions,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use std::time::{Duration, Instant};
use support::{
    figures::{Figures, verdict},
    gateway::Gateway,
    payments::Side,
    process::Daemon,
};
use world::{World, argument, nodes::bitcoind::Bitcoind};

/// As often as configuration allows: what is measured is what comes on top.
const POLL: Duration = Duration::from_millis(100);
/// Blocks mined before and after, to compare with.
const QUIET_BLOCKS: u64 = 20;
const ALL_WITHIN: Duration = Duration::from_secs(10);
const CHAIN_WITHIN: Duration = Duration::from_millis(100);

fn main() {
    let registrations = argument(100_000, "how many registrations");
    let world = World::start(u64::try_from(POLL.as_millis()).expect("a short interval"));
    world.setup.write();
    let _daemon = Daemon::start(&world.setup);
    let mut gateway = Gateway::open(world.folder.path());
    let mut quiet = Figures::default();
    for _ in 0..QUIET_BLOCKS {
        quiet.add(block(&world.bitcoind, &gateway));
    }
    gateway.register(Side::Bitcoin, 0..registrations / 2);
    gateway.register(Side::Ethereum, registrations / 2..registrations);
    let began = Instant::now();
    let mut busy = Figures::default();
    while gateway.count("v1_request") < registrations {
        busy.add(block(&world.bitcoind, &gateway));
    }
    let took = began.elapsed();
    println!(
        "{registrations} registrations: {took:.1?} ({})",
        verdict(took < ALL_WITHIN)
    );
    println!("from a block to its row, without registrations: {quiet}");
    println!("from a block to its row, meanwhile: {busy}");
    let longer = busy.percentile(99).saturating_sub(quiet.percentile(50));
    println!(
        "p99 above the quiet p50: {longer:.1?} ({})",
        verdict(longer < CHAIN_WITHIN)
    );
}

/// Mines a block, and waits until the daemon has committed it.
fn block(node: &Bitcoind, gateway: &Gateway) -> Duration {
    let since = Instant::now();
    let hashes = node.mine(1);
    let row = "v1_chain WHERE chain = 'bitcoin' AND scanned_hash = ?";
    gateway.wait_for_row(row, [&hashes[0]], since)
}
