//! What a start costs when the mempool holds 300,000 transactions: how long until the first complete list of it,
//! and meanwhile, how long after it was sent a transaction that matters is pending, the processor time, and the
//! most memory ever; the real daemon on a simulated node, which takes what a bitcoind would take for granted.
//! From the daemon's start on, 80 transactions a second arrive that pay nobody we know, and 2 that pay payments
//! of ours. The list is complete when somebody is expired whose deadline was before it: nobody may be judged
//! sooner. Goals: complete within a minute, at most 200 MB at any time.
//!
//!     cargo build && cargo run --example measure_first_list [ENTRIES]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/simulated.rs"]
mod simulated;
#[path = "../benches/support/mod.rs"]
mod support;

use simulated::Simulation;
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use support::{
    figures::{Figures, verdict},
    gateway::Gateway,
    memory,
    payments::{self, Side},
    process::Daemon,
};

const POLL_INTERVAL_MS: u64 = 1000;

/// Over how long transactions arrive, how many strangers' in a second, and after how much time each of ours.
const SPAN: Duration = Duration::from_mins(1);
const STRANGERS_A_SECOND: u64 = 80;
const OURS_EVERY: Duration = Duration::from_millis(500);
/// So many of ours.
const PAYING: u64 = 120;
/// The one that is paid before the start, and the one that nobody pays.
const STANDING: u64 = PAYING;
const UNPAID: u64 = PAYING + 1;
/// The first of the numbers that no payment has.
const STRANGERS: u64 = 1_000_000;

const WITHIN: Duration = Duration::from_mins(1);
const GOAL_KIB: u64 = 200_000_000 / 1024;

fn main() {
    let entries: u64 = std::env::args()
        .nth(1)
        .map_or(300_000, |text| text.parse().expect("how many entries"));
    let world = Simulation::start(POLL_INTERVAL_MS);
    world.setup.write();
    register(&world);
    let began = Instant::now();
    world.pay(STRANGERS..STRANGERS + entries / 2);
    world.pay(std::iter::once(STANDING));
    world.pay(STRANGERS + entries / 2..STRANGERS + entries);
    println!("{entries} transactions made in {:.1?}", began.elapsed());

    let began = Instant::now();
    let daemon = Daemon::start_listening(&world.setup);
    let mut gateway = Gateway::open(world.folder.path());
    gateway.register_for_now(UNPAID);
    let (complete, cpu, seen) = arrive(&world, &daemon, &gateway, began, entries);
    let met = verdict(complete <= WITHIN);
    println!("the first complete list after {complete:.1?} (goal: within {WITHIN:?}; {met})");
    println!("the daemon's processor time until then: {cpu:.2?}");
    let early = seen.iter().filter(|(sent, _)| *sent < complete);
    let late = seen.iter().filter(|(sent, _)| *sent >= complete);
    println!(
        "from sending to the row, sent before that: {}",
        figures(early)
    );
    println!(
        "from sending to the row, sent after that: {}",
        figures(late)
    );
    let peak = memory::of_process(daemon.id(), "VmHWM");
    let met = verdict(peak <= GOAL_KIB);
    println!("peak memory {peak} KiB (goal: at most {GOAL_KIB} KiB; {met})");
    daemon.stop();
}

/// Payments that a daemon knows before it meets the full mempool.
fn register(world: &Simulation) {
    let daemon = Daemon::start(&world.setup);
    let mut gateway = Gateway::open(world.folder.path());
    gateway.register(Side::Bitcoin, 0..=STANDING);
    gateway.wait_for_count("v1_request", STANDING + 1);
    daemon.stop();
}

/// Transactions arrive: when the list was complete, what the daemon had taken of the processor by then, and for each
/// of ours, when it was sent and how long after that its row was there.
fn arrive(
    world: &Simulation,
    daemon: &Daemon,
    gateway: &Gateway,
    began: Instant,
    entries: u64,
) -> (Duration, Duration, Vec<(Duration, Duration)>) {
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        scope.spawn(move || {
            for n in 0..PAYING {
                let at = OURS_EVERY * u32::try_from(n).expect("a small number");
                let strangers = STRANGERS + entries + n * STRANGERS_A_SECOND / 2;
                thread::sleep((began + at).saturating_duration_since(Instant::now()));
                world.pay(strangers..strangers + STRANGERS_A_SECOND / 2);
                tell.send((n, Instant::now())).expect("a listener");
                world.pay(std::iter::once(n));
            }
        });
        let (mut complete, mut standing, mut seen) = (None, None, Vec::new());
        let mut waiting: Vec<(u64, Instant)> = Vec::new();
        while began.elapsed() < SPAN || complete.is_none() || !waiting.is_empty() {
            waiting.extend(told.try_iter());
            waiting.retain(|(n, since)| {
                let is_there = gateway.has_row(PENDING, payments::id(*n));
                if is_there {
                    seen.push((since.duration_since(began), since.elapsed()));
                }
                !is_there
            });
            if standing.is_none() && gateway.has_row(PENDING, payments::id(STANDING)) {
                standing = Some(began.elapsed());
                println!(
                    "one of those that stood there is read after {:.1?}",
                    began.elapsed()
                );
            }
            if complete.is_none() && gateway.has_row(EXPIRED, payments::id(UNPAID)) {
                complete = Some((began.elapsed(), daemon.cpu_taken()));
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for a complete list"
            );
            thread::sleep(LOOK_EVERY);
        }
        let (complete, cpu) = complete.expect("a complete list");
        (complete, cpu, seen)
    })
}

const PENDING: &str = "v1_payment WHERE payment_id = ? AND status = 'pending'";
const EXPIRED: &str = "v1_payment WHERE payment_id = ? AND status = 'expired'";
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);

fn figures<'a>(seen: impl Iterator<Item = &'a (Duration, Duration)>) -> Figures {
    let mut figures = Figures::default();
    seen.for_each(|(_, took)| figures.add(*took));
    figures
}
