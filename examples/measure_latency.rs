//! How long after a node has a block or an unconfirmed transaction another process can read its
//! row: a real bitcoind, a real anvil, the real daemon. Prints p50 and p99 over 50 blocks of each
//! chain. Goal: less than one poll interval and 100 ms. With `zmq`, blocks of Bitcoin are also
//! measured against the `submitblock` calls that brought them, 200 of them. Goal: 15 ms longer at
//! p50, 45 ms at p99.
//!
//!     cargo build && cargo run --example measure_latency [POLL_INTERVAL_MS] [zmq]
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

use serde_json::json;
use std::time::{Duration, Instant};
use support::{
    figures::{Figures, verdict},
    gateway::Gateway,
    pauses::sleep_for_a_part_of,
    payments::{self, Side},
    process::Daemon,
};
use world::{
    World, argument, is_asked,
    nodes::{
        anvil::Anvil,
        bitcoind::Bitcoind,
        tokens::{self, Tokens},
    },
};

/// Blocks of each chain.
const BLOCKS: u64 = 50;
/// Blocks of Bitcoin that are told by a publisher.
const PUSHED: u64 = 200;
/// How much longer than the call that brings a block its row may take, at p50 and p99.
const BEYOND_THE_CALL: [(usize, Duration); 2] = [
    (50, Duration::from_millis(15)),
    (99, Duration::from_millis(45)),
];
const BEYOND_A_POLL: Duration = Duration::from_millis(100);

fn main() {
    let poll_interval_ms = argument(1000, "the poll interval in milliseconds");
    let is_pushed = is_asked("zmq");
    let mut world = World::start(poll_interval_ms);
    if is_pushed {
        world = world.listening();
    }
    world.setup.write();
    let _daemon = Daemon::start(&world.setup);
    let mut gateway = Gateway::open(world.folder.path());
    for side in [Side::Bitcoin, Side::Ethereum] {
        gateway.register(side, numbers(side));
    }
    gateway.register(Side::Bitcoin, 2 * BLOCKS..2 * BLOCKS + PUSHED);
    gateway.wait_for_count("v1_request", 2 * BLOCKS + PUSHED);

    let poll = Duration::from_millis(poll_interval_ms);
    let (seen, mined) = on_bitcoin(&world.bitcoind, &gateway, poll);
    let on_ethereum = on_ethereum(&world.anvil, &world.tokens, &gateway, poll);
    let goal = poll + BEYOND_A_POLL;
    println!(
        "from the node having it to its row being read; poll interval {poll:?}, goal {goal:?}"
    );
    for (what, figures) in [
        ("bitcoin, unconfirmed transactions", seen),
        ("bitcoin, blocks", mined),
        ("ethereum, blocks", on_ethereum),
    ] {
        let met = verdict(figures.percentile(99) < goal);
        println!("{what}: {figures} ({met})");
    }
    if is_pushed {
        let (calls, rows) = pushed(&world.bitcoind, &gateway);
        println!("submitblock: {calls}");
        println!("from its beginning to the row: {rows}");
        for (at, more) in BEYOND_THE_CALL {
            let beyond = rows.percentile(at).saturating_sub(calls.percentile(at));
            let met = verdict(beyond <= more);
            println!("p{at}: {beyond:.1?} beyond the call (goal: {more:?}; {met})");
        }
    }
}

/// How long the calls take that bring blocks, and how long until the rows of their payments are read.
fn pushed(node: &Bitcoind, gateway: &Gateway) -> (Figures, Figures) {
    let (mut calls, mut rows) = (Figures::default(), Figures::default());
    for n in 2 * BLOCKS..2 * BLOCKS + PUSHED {
        let raw = node.sign_send_many(&[(&Side::Bitcoin.address(n), "0.015")]);
        let nobody = node.new_address("bech32");
        let block = node
            .rpc()
            .call("generateblock", json!([nobody, [raw], false]));
        // Whatever follows the block before is over.
        node.rpc()
            .call("syncwithvalidationinterfacequeue", json!([]));
        std::thread::sleep(Duration::from_millis(60));
        let since = Instant::now();
        let refusal = node.rpc().call("submitblock", json!([block["hex"]]));
        calls.add(since.elapsed());
        assert!(refusal.is_null(), "a refused block: {refusal}");
        let row = "v1_transfer AS t JOIN v1_payment AS p USING (payment_id)
                    WHERE t.state = 'confirmed' AND p.payment_id = ?";
        rows.add(gateway.wait_for_row(row, [payments::id(n)].each_ref(), since));
    }
    (calls, rows)
}

/// Every payment has an address of its own on its own chain.
fn numbers(side: Side) -> std::ops::Range<u64> {
    match side {
        Side::Bitcoin => 0..BLOCKS,
        Side::Ethereum | Side::Ether => BLOCKS..2 * BLOCKS,
    }
}

/// Delays of transactions in the mempool, and of the blocks that then hold them.
fn on_bitcoin(node: &Bitcoind, gateway: &Gateway, poll: Duration) -> (Figures, Figures) {
    let (mut seen, mut mined) = (Figures::default(), Figures::default());
    for n in numbers(Side::Bitcoin) {
        let address = Side::Bitcoin.address(n);
        let raw = node.sign_send_many(&[(&address, "0.015")]);
        sleep_for_a_part_of(poll);
        let since = Instant::now();
        let txid = node.rpc().call("sendrawtransaction", json!([raw]));
        let txid = txid.as_str().expect("a txid").to_owned();
        let row = "v1_transfer WHERE state = 'mempool' AND txid = ?";
        seen.add(gateway.wait_for_row(row, [&txid], since));

        let nobody = node.new_address("bech32");
        let block = node
            .rpc()
            .call("generateblock", json!([nobody, [&txid], false]));
        sleep_for_a_part_of(poll);
        let since = Instant::now();
        let refusal = node.rpc().call("submitblock", json!([block["hex"]]));
        assert!(refusal.is_null(), "a refused block: {refusal}");
        let row = "v1_transfer WHERE state = 'confirmed' AND txid = ?";
        mined.add(gateway.wait_for_row(row, [&txid], since));
        node.rpc()
            .call("syncwithvalidationinterfacequeue", json!([]));
    }
    (seen, mined)
}

/// Delays of blocks with a transfer of USDT. A block counts as had when anvil starts to make it.
fn on_ethereum(node: &Anvil, tokens: &Tokens, gateway: &Gateway, poll: Duration) -> Figures {
    let mut mined = Figures::default();
    for n in numbers(Side::Ethereum) {
        let to = payments::account(n);
        let transaction = tokens::transfer(node, tokens.usdt, to, payments::MICRO_USDT);
        sleep_for_a_part_of(poll);
        let since = Instant::now();
        node.mine(1);
        let row = "v1_transfer WHERE state = 'confirmed' AND txid = ?";
        mined.add(gateway.wait_for_row(row, [transaction.to_string()].each_ref(), since));
    }
    mined
}
