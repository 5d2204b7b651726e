//! What the watch index costs: bytes for each address, and the time to ask for one.
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

use confirmd::{
    domain::{asset::ChainName, facts::Destination, payment::PaymentKey},
    watcher::index::WatchIndex,
};
use criterion::{Criterion, Throughput};
use support::{
    cpu::{self, Cpu},
    memory, payments,
};

const WATCHED: [u64; 3] = [1_000, 100_000, 1_000_000];

/// Addresses asked for in one step: no two steps find the same in the processor's caches.
const ASKED: u64 = 10_000;

fn main() {
    let chain = ChainName::new("bitcoin");
    let mut criterion = cpu::criterion();
    for watched in WATCHED {
        let before = memory::own_rss_bytes();
        let index = filled(&chain, watched);
        let grown = memory::own_rss_bytes().saturating_sub(before);
        println!("{watched} addresses: {} bytes each", grown / watched);
        bench(&mut criterion, &chain, &index);
    }
    criterion.final_summary();
}

fn filled(chain: &ChainName, watched: u64) -> WatchIndex {
    let mut index = WatchIndex::default();
    for n in 0..watched {
        let key = PaymentKey(i64::try_from(n).expect("a small number"));
        index.insert(chain, &destination(n), key);
    }
    index
}

fn destination(n: u64) -> Destination {
    Destination::new(payments::script(n).as_bytes()).expect("a short script")
}

fn bench(criterion: &mut Criterion<Cpu>, chain: &ChainName, index: &WatchIndex) {
    let mut group = criterion.benchmark_group("watch_index");
    group.throughput(Throughput::Elements(ASKED));
    let watched = index.len();
    let count = u64::try_from(watched).expect("a small number");
    let known: Vec<_> = (0..ASKED).map(|n| destination(n * 7919 % count)).collect();
    let unknown: Vec<_> = (0..ASKED).map(|n| destination(count + n)).collect();
    for (name, asked) in [("watched", known), ("unwatched", unknown)] {
        group.bench_function(format!("{name}/{watched}"), |b| {
            b.iter(|| {
                let owners = asked.iter().flat_map(|one| index.owners(chain, one));
                owners.count()
            });
        });
    }
    group.finish();
}
