//! The most memory that the real daemon ever has with a million watched payments, half of them on
//! each chain, on real nodes. Prepares the database, starts the daemon on it and lets it see some
//! blocks. Goal: at most 120 MB.
//!
//!     cargo build && cargo run --example measure_memory [PAYMENTS]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use std::time::Instant;
use support::{
    figures::verdict,
    gateway::Gateway,
    memory,
    payments::{self, Side},
    process::Daemon,
    rig,
};
use world::{World, argument, nodes::tokens};

/// Blocks of each chain that the daemon sees, each of which pays a payment.
const BLOCKS: u64 = 10;
const GOAL_KIB: u64 = 120_000_000 / 1024;

fn main() {
    let payments = argument(1_000_000, "how many payments");
    let world = World::start(200);
    let config = world.setup.write();
    let empty = Daemon::start(&world.setup);
    report("without payments", &empty);
    empty.stop();

    let began = Instant::now();
    rig::fill(&config, payments);
    println!("{payments} payments registered in {:.0?}", began.elapsed());
    let began = Instant::now();
    let daemon = Daemon::start(&world.setup);
    println!("ready after {:.1?}", began.elapsed());
    report("after the start", &daemon);
    let gateway = Gateway::open(world.folder.path());
    for n in 0..BLOCKS {
        pay(&world, [n, payments - 1 - n]);
        gateway.wait_for_count("v1_transfer", 2 * (n + 1));
    }
    let peak_kib = report("after some blocks", &daemon);
    let met = verdict(peak_kib <= GOAL_KIB);
    println!("goal: at most {GOAL_KIB} KiB at any time: {met}");
    daemon.stop();
}

fn pay(world: &World, [btc, usdt]: [u64; 2]) {
    world.bitcoind.send(&Side::Bitcoin.address(btc), "0.015");
    world.bitcoind.mine(1);
    let to = payments::account(usdt);
    tokens::transfer(&world.anvil, world.tokens.usdt, to, payments::MICRO_USDT);
    world.anvil.mine(1);
}

fn report(when: &str, daemon: &Daemon) -> u64 {
    let of = |field| memory::of_process(daemon.id(), field);
    let (peak, now, anonymous) = (of("VmHWM"), of("VmRSS"), of("RssAnon"));
    println!("{when}: peak {peak} KiB, now {now} KiB, of which {anonymous} KiB are its own");
    peak
}
