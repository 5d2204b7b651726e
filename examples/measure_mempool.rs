//! How long after `sendrawtransaction` another process reads that a payment is pending, while the
//! mempool is full of other people's transactions and more of them keep coming: a real bitcoind, the
//! real daemon. 20,000 transactions stand in the mempool; over 60 s 5,000 more arrive that pay nobody
//! we know, and 50 that pay payments of ours, at irregular moments. Goal at p99: less than 300 ms with
//! `zmq`, without it less than one poll interval and 100 ms.
//!
//!     cargo build && cargo run --example measure_mempool [POLL_INTERVAL_MS] [zmq]
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

use bitcoin::consensus::encode::serialize_hex;
use serde_json::{Value, json};
use std::{
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};
use support::{
    figures::{Figures, verdict},
    gateway::Gateway,
    payments::{self, Side},
    process::Daemon,
};
use world::{
    World, argument,
    funds::STRANGERS,
    is_asked,
    nodes::{
        anybodys::{output, spend},
        bitcoind::Bitcoind,
        rpc::Rpc,
    },
};

/// Strangers' transactions in the mempool before anything is measured.
const STANDING: u32 = 20_000;
/// Strangers' transactions that come while it is measured.
const ARRIVING: u32 = 5_000;
/// Transactions that are measured; each pays a payment of its own.
const PAYING: u32 = 50;
/// Over how long both arrive.
const SPAN: Duration = Duration::from_mins(1);

const WITHIN_WHEN_PUSHED: Duration = Duration::from_millis(300);
const BEYOND_A_POLL: Duration = Duration::from_millis(100);

/// What a stranger's coin holds, in BTC, and what of it is paid on.
const STRANGERS_COIN: (&str, u64) = ("0.0002", 19_000);
/// What a payer's coin holds, in BTC, and what of it is paid on.
const PAYERS_COIN: (&str, u64) = ("0.01501", payments::SATS);

/// On regtest a bitcoind goes through its whole mempool after each transaction, unless told not to.
const UNCHECKED: &str = "-checkmempool=0";

/// Lists of the mempool after which the daemon has read all that stood there before: the first may
/// have been begun too early, of the second 20,000 are taken and of the third the rest, and the
/// fourth is asked for when that is done.
const LISTS: u64 = 4;

fn main() {
    let poll_interval_ms = argument(1000, "the poll interval in milliseconds");
    let is_pushed = is_asked("zmq");
    let mut world = World::start_with(poll_interval_ms, &[UNCHECKED]);
    if is_pushed {
        world = world.listening();
    }
    let traffic = Traffic::prepare(&world.bitcoind);
    world.setup.write();
    let daemon = Daemon::start(&world.setup);
    let mut gateway = Gateway::open(world.folder.path());
    let watched = u64::from(PAYING) + 1;
    gateway.register(Side::Bitcoin, 0..watched);
    gateway.wait_for_count("v1_request", watched);

    let node = world.bitcoind.rpc();
    fill(node, &traffic, &daemon, &gateway);
    let poll = Duration::from_millis(poll_interval_ms);
    let (goal, how) = if is_pushed {
        (WITHIN_WHEN_PUSHED, "with ZMQ")
    } else {
        (poll + BEYOND_A_POLL, "without ZMQ")
    };
    println!(
        "{how}, poll interval {poll:?}; transactions in the mempool: {}",
        size_of_mempool(node)
    );
    let (used, began) = (daemon.cpu_taken(), Instant::now());
    let seen = measure(node, &traffic, &gateway);
    let used = daemon.cpu_taken().saturating_sub(used);
    let took = began.elapsed();
    println!(
        "transactions in the mempool at the end: {}",
        size_of_mempool(node)
    );
    println!("the daemon's processor time: {used:.2?} in {took:.1?}");
    let met = verdict(seen.percentile(99) < goal);
    println!("from sendrawtransaction to the row: {seen} (goal at p99: {goal:?}; {met})");
    report_warnings(&world.setup.folder);
}

/// Everything that will be sent, in hex.
struct Traffic {
    standing: Vec<String>,
    arriving: Vec<String>,
    /// The n-th pays the n-th payment; the last is not measured.
    paying: Vec<String>,
}

impl Traffic {
    /// Has the wallet make coins that anybody can spend, and spends each once.
    fn prepare(node: &Bitcoind) -> Self {
        let mut standing = spent(node, STANDING + ARRIVING, STRANGERS_COIN, STRANGERS);
        let arriving = standing.split_off(usize::try_from(STANDING).expect("a small number"));
        Self {
            standing,
            arriving,
            paying: spent(node, PAYING + 1, PAYERS_COIN, 0),
        }
    }
}

/// So many transactions, each of which spends a coin of its own; the n-th pays number `first` + n.
fn spent(node: &Bitcoind, count: u32, (btc, sats): (&str, u64), first: u64) -> Vec<String> {
    let coins = node.coins_for_anybody(count, btc);
    let paid = (first..).map(payments::script);
    let pairs = coins.into_iter().zip(paid);
    pairs
        .map(|(coin, to)| serialize_hex(&spend(coin, vec![output(sats, to)])))
        .collect()
}

/// Fills the mempool, and waits until the daemon has read all of it.
fn fill(node: &Rpc, traffic: &Traffic, daemon: &Daemon, gateway: &Gateway) {
    let began = Instant::now();
    for raw in &traffic.standing {
        send(node, raw);
    }
    let since = Instant::now();
    send(node, &traffic.paying[traffic.paying.len() - 1]);
    let lists = || {
        daemon.counted(
            "confirmd_rpc_requests_total",
            r#"method="getrawmempool",outcome="ok""#,
        )
    };
    let before = lists();
    println!("{STANDING} transactions sent in {:.1?}", since - began);
    let probe = wait_for_payment(gateway, u64::from(PAYING), since);
    println!("one more, which pays a payment, is read after {probe:.1?}");
    while lists() < before + LISTS {
        thread::sleep(Duration::from_millis(50));
    }
}

/// Sends both kinds of transactions, each at its own pace, and says how long after the call began
/// each row was read. Rows are waited for in the order of the calls: one that comes before its
/// predecessor counts as late as that.
fn measure(node: &Rpc, traffic: &Traffic, gateway: &Gateway) -> Figures {
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let strangers = scope.spawn(|| send_steadily(node, &traffic.arriving));
        let payers = scope.spawn(move || send_at_any_moment(node, &traffic.paying, &tell));
        let mut seen = Figures::default();
        for (n, since) in told {
            seen.add(wait_for_payment(gateway, n, since));
        }
        let (calls, took) = strangers.join().expect("strangers' transactions");
        println!(
            "{ARRIVING} transactions of strangers within {took:.1?}, each sendrawtransaction: {calls}"
        );
        let calls = payers.join().expect("payers' transactions");
        println!("{PAYING} transactions of payers, each sendrawtransaction: {calls}");
        seen
    })
}

/// Sends these transactions at equal distances: how long the calls took, and all of it.
fn send_steadily(node: &Rpc, transactions: &[String]) -> (Figures, Duration) {
    let (began, mut calls) = (Instant::now(), Figures::default());
    for (n, raw) in (0..).zip(transactions) {
        sleep_until(began + SPAN * n / ARRIVING);
        calls.add(send(node, raw));
    }
    (calls, began.elapsed())
}

/// Sends a transaction at some moment of each of equal parts of the time, and tells which and when
/// before it does: how long the calls took.
fn send_at_any_moment(
    node: &Rpc,
    transactions: &[String],
    tell: &Sender<(u64, Instant)>,
) -> Figures {
    let (began, mut calls) = (Instant::now(), Figures::default());
    for (n, raw) in (0..PAYING).zip(transactions) {
        let part = SPAN / PAYING;
        sleep_until(began + part * n + part * random_thousandths() / 1000);
        tell.send((n.into(), Instant::now())).expect("a listener");
        calls.add(send(node, raw));
    }
    calls
}

/// Sends one, which the node must take; how long the call took.
fn send(node: &Rpc, raw: &str) -> Duration {
    let since = Instant::now();
    node.call("sendrawtransaction", json!([raw]));
    since.elapsed()
}

/// How long after `since` it was read that the n-th payment is pending.
fn wait_for_payment(gateway: &Gateway, n: u64, since: Instant) -> Duration {
    let row = "v1_payment WHERE payment_id = ? AND status = 'pending'";
    gateway.wait_for_row(row, [payments::id(n)].each_ref(), since)
}

fn size_of_mempool(node: &Rpc) -> Value {
    node.call("getmempoolinfo", json!([]))["size"].take()
}

fn sleep_until(then: Instant) {
    thread::sleep(then.saturating_duration_since(Instant::now()));
}

fn random_thousandths() -> u32 {
    let part = RandomState::new().hash_one(0) % 1000;
    u32::try_from(part).expect("a small number")
}

/// Figures of a daemon that is in trouble are worth little.
fn report_warnings(folder: &Path) {
    let log = std::fs::read_to_string(folder.join("confirmd.log")).expect("a log");
    let bad = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    for line in log.lines().filter(bad) {
        println!("the daemon says: {line}");
    }
}
