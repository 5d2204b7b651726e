//! The suite tests itself: every deliberate bug must be caught.
//!
//! Here by the simulation and by scenarios; those that a test of the library catches are tried in
//! `src/bugs/tests.rs`. What catches which is `tests/bugs.txt`; here it is seen to that no bug is
//! left out.

#[path = "../../src/bugs/tests/table.rs"]
mod table;

use crate::simulation::{plan::Plan, simulate};
use confirmd::bugs::{Bug, plant};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

/// How long the seeds live: long enough for everything that a customer does, a few times.
const HOURS: u64 = 8;
/// When the simulation draws otherwise than it did when a seed was written down, a next one may
/// catch the bug.
const SEEDS_TRIED: u64 = 5;

fn named(name: &str) -> Bug {
    let bug = Bug::ALL.iter().find(|bug| bug.name() == name);
    *bug.unwrap_or_else(|| panic!("there is no bug {name}"))
}

/// The bugs that the simulation catches, each with its first seed.
fn of_seeds() -> Vec<(Bug, u64)> {
    let lines = table::lines().into_iter();
    let seeds = lines.filter(|line| line.kind == "seed");
    let read = |line: table::Line| (named(&line.bug), line.what.parse().unwrap());
    seeds.map(read).collect()
}

/// What a seed says of a bug, or of none; nothing when it passes.
fn complaint(bug: Option<Bug>, seed: u64) -> Option<String> {
    plant(bug);
    let outcome = simulate(Plan::draw(seed, HOURS));
    plant(None);
    let story = outcome.err()?;
    Some(story.lines().next().unwrap_or_default().to_owned())
}

/// How many seeds it took, and what the last of them said.
fn caught(bug: Bug, first: u64) -> Option<(usize, String)> {
    let mut seeds = (1..).zip(first..first + SEEDS_TRIED);
    seeds.find_map(|(tried, seed)| Some((tried, complaint(Some(bug), seed)?)))
}

/// Does this with each of them, on all processors.
fn with_each<T: Send>(all: Vec<T>, act: impl Fn(T) + Sync) {
    let all = Mutex::new(all.into_iter());
    let threads = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = all.lock().unwrap().next();
                    let Some(next) = next else { return };
                    act(next);
                }
            });
        }
    });
}

#[test]
fn every_bug_has_somebody_who_catches_it() {
    let lines = table::lines();
    let kinds = ["seed", "test", "scenario"];
    let known = lines.iter().filter(|line| kinds.contains(&&*line.kind));
    let listed: BTreeSet<&str> = known.map(|line| named(&line.bug).name()).collect();
    let forgotten = Bug::ALL.iter().filter(|bug| !listed.contains(bug.name()));
    assert_eq!(forgotten.collect::<Vec<_>>(), Vec::<&Bug>::new());
}

#[test]
fn every_bug_that_a_seed_is_said_to_catch_is_caught() {
    let told = Mutex::new(BTreeMap::new());
    with_each(of_seeds(), |(bug, first)| {
        let found = caught(bug, first);
        told.lock().unwrap().insert(bug.name(), found);
    });
    let mut missed = Vec::new();
    for (bug, found) in told.into_inner().unwrap() {
        match found {
            Some((tried, words)) => {
                println!("{}", table::row(bug, &format!("{tried} tried"), &words));
            }
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn without_a_bug_the_same_seeds_pass() {
    let seeds: BTreeSet<u64> = of_seeds().into_iter().map(|(_, seed)| seed).collect();
    let complaints = Mutex::new(Vec::new());
    with_each(seeds.into_iter().collect(), |seed| {
        let complaint = complaint(None, seed);
        complaints.lock().unwrap().extend(complaint);
    });
    assert_eq!(complaints.into_inner().unwrap(), Vec::<String>::new());
}

#[test]
fn every_bug_that_a_scenario_is_said_to_catch_is_caught() {
    let lines = table::lines().into_iter();
    let of_scenarios: Vec<_> = lines.filter(|line| line.kind == "scenario").collect();
    assert!(!of_scenarios.is_empty());
    let mut missed = Vec::new();
    for line in of_scenarios {
        match table::complaint(&line.bug, &format!("scenarios::{}", line.what)) {
            Some(words) => println!("{}", table::row(&line.bug, &line.what, &words)),
            None => missed.push(format!("{} by {}", line.bug, line.what)),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
