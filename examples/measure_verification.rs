//! What Ethereum's blocks cost the real daemon on a simulated node. First 200 blocks of 400 transactions and
//! 1,000 logs are caught up with; goal: at most 60 ms of the processor a block. Then the worst block that a
//! node can forge: 34,000 logs, as many as 60 million gas pay for, and each a transfer of USDT, to strangers, to
//! one payment of ours, and each to another one; goals: less than 2 s from the node having it to its row, and
//! less than 512 MB at any time.
//!
//!     cargo build --profile bench && cargo run --profile bench --example measure_verification [BLOCKS]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/simulated_ethereum.rs"]
mod simulated_ethereum;
#[path = "../benches/support/mod.rs"]
mod support;

use confirmd::{chain::ethereum::verify_and_scan, domain::block::BlockRef};
use simulated_ethereum::Simulation;
use std::time::{Duration, Instant};
use support::{
    configuration::{Setup, USDT},
    cpu,
    figures::{Figures, ms, verdict},
    gateway::Gateway,
    memory,
    payments::Side,
    process::{Daemon, free_port},
    race,
};

/// As often as configuration allows.
const POLL_INTERVAL_MS: u64 = 100;

/// In a block: transactions that move ether, others, and what each of these moves.
const ETHER: u64 = 100;
const CALLS: u64 = 300;
const LOGS: u64 = 1_000;
/// Payments that a block pays.
const HITS: u64 = 20;
const BLOCK_WITHIN: Duration = Duration::from_millis(60);

/// In the forged block: logs, and how many of them a transaction has.
const FORGED_LOGS: u64 = 34_000;
const FORGED_LOGS_OF_ONE: u64 = 8_500;
const FORGED_WITHIN: Duration = Duration::from_secs(2);
const GOAL_KIB: u64 = 512_000_000 / 1024;

/// Payments that are watched.
const WATCHED: u64 = FORGED_LOGS;
/// The first of the numbers that no payment has.
const STRANGERS: u64 = 1_000_000;

fn main() {
    let count = std::env::args().nth(1);
    let count = count.map_or(200, |text| text.parse().expect("how many blocks"));
    let mut node = Simulation::start();
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        http_port: free_port(),
        poll_interval_ms: POLL_INTERVAL_MS,
        bitcoin_url: None,
        ethereum_url: node.url(),
        ..Setup::without_nodes(folder.path())
    };
    setup.write();
    race::follow_until_here(&setup, Side::Ethereum, 0..WATCHED);
    replay(&mut node, &setup, count);
    let strangers = |n| STRANGERS + n;
    forge(&mut node, &setup, "to strangers", strangers);
    forge(&mut node, &setup, "to one payment of ours", |_| 0);
    forge(&mut node, &setup, "each to another payment of ours", |n| n);
}

fn replay(node: &mut Simulation, setup: &Setup, count: u64) {
    let mut tip = node.genesis();
    let blocks: Vec<BlockRef> = (0..count)
        .map(|n| {
            tip = usual_block(node, &tip, n);
            tip
        })
        .collect();
    node.set_head(&tip);
    let mut alone = Figures::default();
    for block in &blocks {
        alone.add(verified(node, block));
    }
    let transactions = ETHER + CALLS;
    println!(
        "{count} blocks of {transactions} transactions and {LOGS} logs, of which {HITS} pay one of {WATCHED} payments"
    );
    println!("  checking and scanning alone: {alone}");

    setup.restore_data();
    let began = Instant::now();
    let daemon = Daemon::start_listening(setup);
    let used = daemon.cpu_taken();
    let gateway = Gateway::open(&setup.folder);
    gateway.wait_for_row(SCANNED, [shown(&tip)].each_ref(), began);
    let cpu =
        daemon.cpu_taken().saturating_sub(used) / u32::try_from(count).expect("a small number");
    assert_eq!(
        gateway.count("v1_transfer"),
        count * HITS,
        "payments are missed"
    );
    let met = verdict(cpu <= BLOCK_WITHIN);
    let each = ms(cpu);
    println!("  the daemon: {each} of the processor a block (goal: {BLOCK_WITHIN:?}; {met})");
    report_memory(&daemon);
    daemon.stop();
}

/// A block as mainnet has them.
fn usual_block(node: &mut Simulation, parent: &BlockRef, n: u64) -> BlockRef {
    let first = n * HITS;
    let mut transactions: Vec<_> = (0..ETHER).map(|n| node.ether(STRANGERS + n)).collect();
    let mut logs = 0;
    for call in 0..CALLS {
        let until = LOGS * (call + 1) / CALLS;
        let to = (logs..until).map(|log| STRANGERS + log);
        transactions.push(match call {
            0..HITS => node.usdt(to.skip(1).chain([(first + call) % WATCHED])),
            _ if call % 2 == 0 => node.usdt(to),
            _ => node.other_tokens(to),
        });
        logs = until;
    }
    node.block_on(parent, transactions)
}

fn forge(node: &mut Simulation, setup: &Setup, what: &str, payee: impl Fn(u64) -> u64) {
    let genesis = node.genesis();
    let transactions = (0..FORGED_LOGS / FORGED_LOGS_OF_ONE).map(|part| {
        let logs = part * FORGED_LOGS_OF_ONE..(part + 1) * FORGED_LOGS_OF_ONE;
        node.usdt(logs.map(&payee))
    });
    let transactions = transactions.collect();
    let forged = node.block_on(&genesis, transactions);
    node.set_head(&forged);
    let alone = verified(node, &forged);
    let bytes: usize = node.answers(forged.id.hash).iter().map(String::len).sum();

    node.set_head(&genesis);
    setup.restore_data();
    let daemon = Daemon::start(setup);
    let gateway = Gateway::open(&setup.folder);
    let (began, used) = (Instant::now(), daemon.cpu_taken());
    node.set_head(&forged);
    let took = gateway.wait_for_row(SCANNED, [shown(&forged)].each_ref(), began);
    let cpu = daemon.cpu_taken().saturating_sub(used);
    let transfers = gateway.count("v1_transfer");
    println!(
        "a forged block of {FORGED_LOGS} logs, {bytes} bytes as answered, {what}: {transfers} transfers"
    );
    println!("  checking and scanning alone: {}", ms(alone));
    let met = verdict(took < FORGED_WITHIN);
    println!(
        "  from the node having it to its row: {took:.2?}, {cpu:.2?} of the processor (goal: {FORGED_WITHIN:?}; {met})"
    );
    report_memory(&daemon);
    daemon.stop();
}

const SCANNED: &str = "v1_chain WHERE chain = 'ethereum' AND scanned_hash = ?";

/// As the views print it.
fn shown(block: &BlockRef) -> String {
    format!("0x{}", block.id.hash)
}

/// What it takes of the processor to believe a block's answers and find its credits.
fn verified(node: &Simulation, block: &BlockRef) -> Duration {
    let [body, receipts] = node.answers(block.id.hash);
    cpu::of(|| verify_and_scan(&body, &receipts, block, &[USDT]).expect("a valid block"))
}

fn report_memory(daemon: &Daemon) {
    let peak = memory::of_process(daemon.id(), "VmHWM");
    let met = verdict(peak <= GOAL_KIB);
    println!("  peak memory: {peak} KiB (goal: {GOAL_KIB} KiB; {met})");
}
