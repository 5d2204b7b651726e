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

#[path = "../tests/it/nodes/mod.rs"]
mod nodes;
#[path = "../benches/support/mod.rs"]
mod support;

use nodes::{
    anvil::Anvil,
    bitcoind::Bitcoind,
    tokens::{self, Tokens},
};
use std::time::Instant;
use support::{
    configuration::Setup,
    figures::verdict,
    gateway::Gateway,
    memory,
    payments::{self, Side},
    process::{Daemon, free_port},
    rig,
};

/// Blocks of each chain that the daemon sees, each of which pays a payment.
const BLOCKS: u64 = 10;
const GOAL_KIB: u64 = 120_000_000 / 1024;

fn main() {
    let payments = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().expect("how many payments"));
    let (bitcoind, anvil) = (Bitcoind::start(), Anvil::start());
    let tokens = Tokens::deploy(&anvil);
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        folder: folder.path().to_owned(),
        http_port: free_port(),
        poll_interval_ms: 200,
        bitcoin_url: bitcoind.url(),
        cookie_file: bitcoind.cookie_file(),
        ethereum_url: anvil.url(),
        usdt: tokens.usdt.to_string(),
    };
    let config = setup.write();
    let empty = Daemon::start(&setup);
    report("without payments", &empty);
    empty.stop();

    let began = Instant::now();
    rig::fill(&config, payments);
    println!("{payments} payments registered in {:.0?}", began.elapsed());
    let began = Instant::now();
    let daemon = Daemon::start(&setup);
    println!("ready after {:.1?}", began.elapsed());
    report("after the start", &daemon);
    let gateway = Gateway::open(folder.path());
    for n in 0..BLOCKS {
        pay(&bitcoind, &anvil, &tokens, [n, payments - 1 - n]);
        gateway.wait_for_count("v1_transfer", 2 * (n + 1));
    }
    let peak_kib = report("after some blocks", &daemon);
    let met = verdict(peak_kib <= GOAL_KIB);
    println!("goal: at most {GOAL_KIB} KiB at any time: {met}");
    daemon.stop();
}

fn pay(bitcoind: &Bitcoind, anvil: &Anvil, tokens: &Tokens, [btc, usdt]: [u64; 2]) {
    bitcoind.send(&Side::Bitcoin.address(btc), "0.015");
    bitcoind.mine(1);
    let to = payments::account(usdt);
    tokens::transfer(anvil, tokens.usdt, to, payments::MICRO_USDT);
    anvil.mine(1);
}

fn report(when: &str, daemon: &Daemon) -> u64 {
    let of = |field| memory::of_process(daemon.id(), field);
    let (peak, now, anonymous) = (of("VmHWM"), of("VmRSS"), of("RssAnon"));
    println!("{when}: peak {peak} KiB, now {now} KiB, of which {anonymous} KiB are its own");
    peak
}
