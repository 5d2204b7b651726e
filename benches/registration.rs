//! What registrations cost, and how long they keep a chain's news waiting. Goals: 100,000 in under
//! 10 seconds, and a chain's input is handled within 100 ms of its arrival meanwhile.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

mod support;

use criterion::{BatchSize, Criterion, Throughput};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};
use support::{
    bitcoin,
    cpu::{self, Cpu},
    figures::{Figures, ms, verdict},
    payments::Side,
    rig::{OwnRig, PORTION, Rig},
};

/// How many are registered in all.
const REGISTRATIONS: u64 = 100_000;
const ALL_WITHIN: Duration = Duration::from_secs(10);
const CHAIN_WITHIN: Duration = Duration::from_millis(100);

fn main() {
    let mut criterion = cpu::criterion();
    for registered in [0, 100_000, 1_000_000] {
        let mut rig = OwnRig::with_payments(Side::Bitcoin, registered);
        measure(&mut criterion, &mut rig.rig, registered);
        if cpu::is_measuring() {
            register_while_blocks_come(rig, registered);
        }
    }
    criterion.final_summary();
}

/// One portion of the inbox, as the daemon reads it.
fn measure(criterion: &mut Criterion<Cpu>, rig: &mut Rig, registered: u64) {
    let mut group = criterion.benchmark_group("registration");
    group.throughput(Throughput::Elements(PORTION));
    let rig = RefCell::new(rig);
    group.bench_function(format!("portion_of_{PORTION}/{registered}"), |b| {
        b.iter_batched(
            || rig.borrow_mut().portion(PORTION),
            |portion| rig.borrow_mut().handle(&portion),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// All registrations, with a block after every twentieth portion. A block that arrives just as a
/// portion begins waits for all of it.
fn register_while_blocks_come(mut own: OwnRig, registered: u64) {
    let rig = &mut own.rig;
    let mut chain = bitcoin::Chain::new();
    let (mut waits, mut in_cpu, mut in_all) = (Figures::default(), Duration::ZERO, Duration::ZERO);
    for n in 0..REGISTRATIONS / PORTION {
        let portion = rig.portion(PORTION);
        let began = Instant::now();
        in_cpu += cpu::of(|| rig.handle(&portion));
        let portion_took = began.elapsed();
        in_all += portion_took;
        let block = (n % 20 == 0).then(|| chain.next(&[]).scan());
        let began = Instant::now();
        if let Some(facts) = block {
            rig.advance(facts);
        }
        waits.add(portion_took + began.elapsed());
    }
    let (met, on_time) = (in_all < ALL_WITHIN, waits.percentile(99) < CHAIN_WITHIN);
    println!(
        "{REGISTRATIONS} registrations on top of {registered}: {} ({} of the processor; goal: 10 s; {})",
        ms(in_all),
        ms(in_cpu),
        verdict(met)
    );
    println!(
        "a chain's input behind a portion is handled within: {waits} (goal: 100 ms; {})",
        verdict(on_time)
    );
}
