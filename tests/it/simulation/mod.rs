//! Seeded simulation: the real adapters, verification, follower, watcher, domain and store live
//! through days of chain time in seconds, with faults; a naive judge says where every payment
//! must be.
//!
//! A failing seed prints its story and the command that replays it. More seeds:
//! `NEXTEST_PROFILE=night CONFIRMD_SEEDS=5000 scripts/test simulation::many_seeds`.

mod agenda;
mod answers;
pub mod bitcoin_side;
pub mod checks;
pub mod clock;
mod coverage;
pub mod customers;
pub mod ethereum_intents;
pub mod ethereum_side;
mod faults;
mod gateway;
mod judge;
pub mod lie;
mod long_life;
mod mischief;
pub mod misconduct;
mod moments;
#[path = "../../../src/domain/tests/naive.rs"]
mod naive;
mod oddities;
mod operators;
pub mod plan;
mod promises;
pub mod providers;
mod publisher;
pub mod rows;
mod run;
mod shrink;
pub mod sight;
pub mod stage;
mod story;
mod strangers;
pub mod system;
pub mod terms;
mod troubles;
pub mod truth;
pub mod wire;
pub mod world;

use confirmd::crash::{self, Disk};
use plan::Plan;
use run::{Report, Simulation};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// Seeds of an ordinary run, as many as bring every step of the table often enough, and the hours
/// that each lives through.
const SEEDS: u64 = 110;
const HOURS: u64 = 24;
/// Seeds with faults of many kinds: with one endpoint, and with those of several operators.
const REPLAYED: [u64; 2] = [5, 24];
/// How many payments of those that nobody decided the judge must have an opinion of.
const COMPARED_PERCENT: u64 = 95;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap())
}

fn hours() -> u64 {
    from_environment("CONFIRMD_HOURS", HOURS)
}

/// In memory where there is a file system for it: durability is not what this is about.
pub fn directory() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// A runtime whose time passes when everybody waits.
pub fn virtual_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// What a seed draws, within what the environment asks for.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::draw(seed, hours());
    if let Ok(names) = std::env::var("CONFIRMD_FAULTS") {
        shrink::keep_only(&mut plan.faults, &names);
    }
    plan
}

/// Lives through a plan; what went wrong, with the story of it.
pub fn simulate(plan: Plan) -> Result<Report, String> {
    let (seed, replay) = (plan.seed, story::replay(&plan));
    let dir = directory();
    let runtime = virtual_time();
    let run = std::panic::AssertUnwindSafe(|| {
        runtime.block_on(Simulation::run(plan, dir.path().to_owned()))
    });
    let outcome = std::panic::catch_unwind(run);
    // Both are this thread's, which lives through other seeds too.
    crash::disarm();
    crash::set_disk(Disk::Sound);
    outcome.unwrap_or_else(|cause| {
        let why = story::words(&*cause);
        Err(format!("seed {seed}: panicked: {why}\n\n{replay}"))
    })
}

#[test]
fn one_seed() {
    let seed = from_environment("CONFIRMD_SEED", 0);
    let report = simulate(plan(seed)).unwrap_or_else(|story| panic!("{story}"));
    println!("{report:#?}");
    assert!(report.compared > 0);
}

#[test]
fn a_seed_lived_twice_is_the_same_life() {
    let life = |seed| {
        let report = simulate(Plan::draw(seed, 4)).unwrap();
        let faults = report.coverage.keys();
        let faults = faults.filter(|what| what.starts_with("fault ")).count();
        assert!(faults > 3, "its faults are {faults}");
        (report.journal, report.exchanges, report.coverage)
    };
    for seed in REPLAYED {
        assert_eq!(life(seed), life(seed), "seed {seed}");
    }
}

#[test]
fn many_seeds() {
    let (first, seeds) = (
        from_environment("CONFIRMD_SEED", 1),
        from_environment("CONFIRMD_SEEDS", SEEDS),
    );
    let next = AtomicU64::new(first);
    let total = Mutex::new((Report::default(), Vec::new()));
    let threads = std::thread::available_parallelism().unwrap().get();
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = simulate(plan(seed));
                    let mut total = total.lock().unwrap();
                    match outcome {
                        Ok(report) => total.0.add(&report),
                        Err(story) => total.1.push((seed, story)),
                    }
                }
            });
        }
    });
    let (report, failures) = total.into_inner().unwrap();
    println!("{report:#?}");
    let hours = hours();
    let took = began.elapsed().as_secs().max(1);
    let rate = seeds * hours * 3600 / took;
    println!("{seeds} seeds of {hours} h in {took} s: {rate} s of chain time a second");
    for (_, story) in &failures {
        println!("{}", story.lines().next().unwrap_or_default());
    }
    for (seed, story) in failures.iter().take(2) {
        println!("{}", shrink::shrink(plan(*seed), story.clone(), simulate));
    }
    let failed = failures.len();
    assert_eq!(failed, 0, "of {seeds} seeds {failed} fail");
    assert!(
        report.compared * 100 >= (report.orders - report.decided) * COMPARED_PERCENT,
        "the judge compared only {} of {} payments, and people decided {}",
        report.compared,
        report.orders,
        report.decided
    );
    if seeds >= SEEDS && hours >= HOURS {
        let missing = coverage::missing(&report.coverage);
        assert!(missing.is_empty(), "seen too seldom: {missing:?}");
    }
}

impl Report {
    fn add(&mut self, other: &Self) {
        let sum: &mut BTreeMap<String, u64> = &mut self.coverage;
        for (what, times) in &other.coverage {
            *sum.entry(what.clone()).or_default() += times;
        }
        self.orders += other.orders;
        self.compared += other.compared;
        self.decided += other.decided;
        self.excused += other.excused;
        self.blocks += other.blocks;
        self.exchanges += other.exchanges;
    }
}
