//! What a block costs from raw bytes to committed rows, by how many addresses are watched. Goal:
//! with 20 hits, a million watched addresses cost at most 1.2 times what a thousand cost.
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

use confirmd::domain::facts::BlockFacts;
use criterion::{BatchSize, BenchmarkId, Criterion};
use std::time::Duration;
use support::{
    bitcoin,
    cpu::{self, Cpu},
    ethereum,
    figures::{Figures, ROUNDS, compare, ms},
    payments::Side,
    rig::{OwnRig, Scattered},
};

/// How many addresses are watched.
const WATCHED: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Payments that a block pays.
const HITS: u64 = 20;
const GOAL: f64 = 1.2;

/// Blocks of one chain.
enum Blocks {
    Bitcoin(Box<bitcoin::Chain>),
    Ethereum(ethereum::Chain),
}

/// A raw block of either chain.
enum RawBlock {
    Bitcoin(bitcoin::RawBlock),
    Ethereum(ethereum::RawBlock),
}

impl Blocks {
    fn of(side: Side) -> Self {
        match side {
            Side::Bitcoin => Self::Bitcoin(Box::new(bitcoin::Chain::new())),
            Side::Ethereum | Side::Ether => Self::Ethereum(ethereum::Chain::new()),
        }
    }

    fn next(&mut self, paid: &[u64]) -> RawBlock {
        match self {
            Self::Bitcoin(chain) => RawBlock::Bitcoin(chain.next(paid)),
            Self::Ethereum(chain) => RawBlock::Ethereum(chain.next(paid)),
        }
    }
}

impl RawBlock {
    fn scan(&self) -> BlockFacts {
        match self {
            Self::Bitcoin(block) => block.scan(),
            Self::Ethereum(block) => block.scan(),
        }
    }
}

/// A watcher, its chain, and who is to be paid next.
struct Bench {
    side: Side,
    rig: OwnRig,
    blocks: Blocks,
    payers: Scattered,
}

impl Bench {
    fn new(side: Side, watched: u64) -> Self {
        Self {
            side,
            rig: OwnRig::with_payments(side, watched),
            blocks: Blocks::of(side),
            payers: Scattered::over(watched),
        }
    }

    /// The next block. When every payment is paid it starts anew: a second payment to an address
    /// would cost more than the first.
    fn next(&mut self, hits: u64) -> RawBlock {
        if !self.payers.has(hits) {
            *self = Self::new(self.side, self.rig.rig.registered());
        }
        let paid = self.payers.take(hits);
        self.blocks.next(&paid)
    }

    fn apply(&mut self, block: &RawBlock) {
        self.rig.rig.advance(block.scan());
    }

    fn cost(&mut self, hits: u64) -> Duration {
        let block = self.next(hits);
        cpu::of(|| self.apply(&block))
    }
}

fn main() {
    let mut criterion = cpu::criterion();
    for side in [Side::Bitcoin, Side::Ethereum] {
        let mut benches = WATCHED.map(|watched| Bench::new(side, watched));
        for bench in &mut benches {
            measure(&mut criterion, bench);
        }
        if cpu::is_measuring() {
            compare_sizes(side, &mut benches);
        }
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion<Cpu>, bench: &mut Bench) {
    let mut group = criterion.benchmark_group(format!("{}_block", bench.side.chain()));
    for hits in [0, HITS] {
        let name = BenchmarkId::new(format!("{hits}_hits"), bench.rig.rig.registered());
        let bench = std::cell::RefCell::new(&mut *bench);
        group.bench_function(name, |b| {
            b.iter_batched(
                || bench.borrow_mut().next(hits),
                |block| bench.borrow_mut().apply(&block),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The smallest and the largest in turn, and what the rows of a hit cost in both.
fn compare_sizes(side: Side, benches: &mut [Bench; WATCHED.len()]) {
    let [small, _, large] = benches;
    let chain = side.chain();
    let what = format!("{chain} block, 1M watched against 1k, {HITS} hits");
    compare(&what, GOAL, || small.cost(HITS), || large.cost(HITS));
    let what = format!("{chain} block, 1M watched against 1k, no hit");
    compare(&what, GOAL, || small.cost(0), || large.cost(0));
    for bench in [small, large] {
        let (mut with, mut without) = (Figures::default(), Figures::default());
        for _ in 0..ROUNDS {
            with.add(bench.cost(HITS));
            without.add(bench.cost(0));
        }
        let rows = with.median().saturating_sub(without.median());
        let watched = bench.rig.rig.registered();
        println!(
            "{chain}, {watched} watched: the rows of one hit cost {}",
            ms(rows / 20)
        );
    }
}
