//! A race for the same blocks: contenders take turns, the best of each counts, and one of them is always the
//! daemon that comes back after downtime.

use super::{
    configuration::Setup, gateway::Gateway, payments::Side, process::Daemon, taken::Taken,
};
use std::{
    ops::Range,
    thread::sleep,
    time::{Duration, Instant},
};

/// How often each contender is measured.
const ROUNDS: u32 = 5;

/// Has them race for so many blocks, prints what each took in every round, and gives the best of each.
pub fn run<const N: usize>(
    blocks: u64,
    contenders: [&str; N],
    mut round: impl FnMut() -> [Taken; N],
) -> [Taken; N] {
    let mut best = [Taken::MOST; N];
    for number in 1..=ROUNDS {
        println!("round {number}");
        for ((name, best), took) in contenders.iter().zip(&mut best).zip(round()) {
            println!("  {name:8} {}", took.over(blocks));
            *best = best.least(took);
        }
    }
    println!("best of {ROUNDS} rounds");
    for (name, best) in contenders.into_iter().zip(best) {
        println!("  {name:8} {}", best.over(blocks));
    }
    best
}

/// Has the daemon begin at the present tip and take these payments, and keeps its files as they are
/// after its end.
pub fn follow_until_here(setup: &Setup, side: Side, payments: Range<u64>) {
    let count = payments.end - payments.start;
    let daemon = Daemon::start(setup);
    let mut gateway = Gateway::open(&setup.folder);
    gateway.register(side, payments);
    gateway.wait_for_count("v1_request", count);
    drop(gateway);
    daemon.stop();
    setup.keep_data();
}

/// What the daemon takes from those files up to this block of a chain: from the moment in which it knows how
/// far the node is, because it has counted an answer to this method, until its row says that it is there, too.
pub fn catch_up(setup: &Setup, chain: &str, method: &str, last: &str, payments: u64) -> Taken {
    setup.restore_data();
    let gateway = Gateway::open(&setup.folder);
    let started = Instant::now();
    let daemon = Daemon::start_listening(setup);
    let labels = format!(r#"method="{method}",outcome="ok""#);
    while daemon.counted("confirmd_rpc_requests_total", &labels) == 0 {
        sleep(Duration::from_millis(1));
    }
    let (began, used) = (Instant::now(), daemon.cpu_taken());
    let row = "v1_chain WHERE chain = ? AND scanned_hash = ?";
    let wall = gateway.wait_for_row(row, [chain, last], began);
    let cpu = Some(daemon.cpu_taken().saturating_sub(used));
    let before = began - started;
    println!("  (confirmd knew the node's tip {before:.1?} after its start, which is not counted)");
    let found = gateway.count("v1_transfer");
    assert_eq!(found, payments, "payments are missed");
    daemon.stop();
    Taken { wall, cpu }
}
