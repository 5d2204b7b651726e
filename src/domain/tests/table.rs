//! The transition table against what the judgement and the requests can really do.

use super::{
    check,
    setup::{START, Setup},
    story::Story,
};
use crate::domain::{apply::apply, event::EventKind, status::Status};
use std::collections::BTreeSet;

/// Ways into every status, on both kinds of chain.
const BEGINNINGS: [(&str, &str); 39] = [
    ("BTC 0.4", ""),
    ("BTC 0.4", "sleep 30m"),
    ("BTC 0.4", "see a=0.4@x"),
    ("BTC 0.4", "see a=0.4@x\nwait 30m"),
    ("BTC 0.4", "see a=0.4@x\nwait 30m\nsleep 25h"),
    ("BTC 0.4", "see a=0.4@x\nwait 25h"),
    ("BTC 0.4", "see a=0.1@x"),
    ("BTC 0.4", "mine a=0.4@x"),
    ("BTC 0.4", "mine a=0.4@x\nwait 30m"),
    ("BTC 0.4", "mine a=0.1@x"),
    ("BTC 0.4", "mine a=0.4@x\nblocks 1"),
    ("BTC 0.4", "mine a=0.4@x\nblocks 1\nwait 30m"),
    ("BTC 0.4", "mine a=0.4@x\nblocks 1\nrefunded"),
    ("BTC 0.4", "mine a=0.4@x\nblocks 99"),
    ("BTC 0.4", "mine a=0.1@x\nblocks 1"),
    ("BTC 0.4", "mine a=0.1@x\nblocks 1\naccept"),
    ("BTC 0.4", "mine a=0.1@x\nblocks 1\nreject"),
    ("BTC 0.4", "see a=0.4@x\nconflict a z"),
    ("BTC 0.4", "see a=0.4@x\nevict a"),
    ("BTC 0.4", "see a=0.4@x\nevict a\nwait 30m"),
    ("BTC 0.4", "wait 30m"),
    ("BTC 0.4", "wait 30m\nmine a=0.4@x"),
    ("BTC 0.4", "wait 30m\nmine a=0.4@x\nblocks 1"),
    ("BTC 0.4 late_accept=1h", "wait 30m\nmine a=0.4@x"),
    ("BTC 0.4 late_accept=1h", "wait 30m\nmine a=0.4@x\nblocks 1"),
    ("BTC 0.4", "cancel"),
    ("BTC 0.4", "cancel\nmine a=0.4@x"),
    ("BTC 0.4", "cancel\nmine a=0.4@x\nblocks 1"),
    ("BTC 0.4", "cancel\nmine a=0.4@x\nblocks 1\naccept"),
    ("BTC 0.4 policy=sum", "mine a=0.2@x\nblocks 1"),
    ("USDT 25", "mine a=25"),
    ("USDT 25", "mine a=25\nwait 30m"),
    ("USDT 25", "mine a=25\nblocks 5"),
    ("USDT 25", "mine a=25:USDC"),
    ("USDT 25", "mine a=25:USDC\nwait 30m\nblocks 1"),
    ("USDT 25", "mine a=25:USDC\nblocks 5\naccept"),
    ("USDT 25", "mine a=25:USDC\nwait 30m\nunhealthy\nblocks 1"),
    ("USDT 25", "mine a=25\nwait 30m\nblocks 1"),
    ("USDT 25", "cancel\nmine a=25:USDC\nblocks 5"),
];

/// What may happen next; `own` is the expected asset's amount.
const EVENTS: [&str; 31] = [
    "see b=OWN",
    "see b=OWN@x",
    "mine b=OWN",
    "mine b=OWN@x",
    "mine b=LESS",
    "mine b=OWN!",
    "swap 0 b=OWN / / / / / / /",
    "swap 0 b=LESS / / / / / / /",
    "swap 0 a / / / / / / /",
    "mine a",
    "blocks 8",
    "rollback 1",
    "rollback 2",
    "rollback 6",
    "swap 1 a / /",
    "swap 2 / / /",
    "evict a",
    "replace a z",
    "conflict a z",
    "wait 30m",
    "wait 25h",
    "unhealthy",
    "freeze",
    "finalize",
    "cancel",
    "accept",
    "reject",
    "ack",
    "extend 60h",
    "refunded",
    "poll",
];

/// Carries out an event where it makes sense, and says what the status was and is.
fn step(setup: &str, story: &mut Story, event: &str) -> (Status, Status) {
    let before = story.payment.judged.status;
    let (own, less) = if setup.starts_with("BTC") {
        ("0.4", "0.1")
    } else {
        ("25", "1")
    };
    let event = event.replace("OWN", own).replace("LESS", less);
    let token = setup.starts_with("USDT");
    let blocks = story.blocks.len();
    let too_deep = event.starts_with("rollback") || event.starts_with("swap");
    let count: usize = event
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let unknown = event.split(' ').any(|word| word == "a") && !story.knows("a");
    let no_mempool = token
        && ["see", "evict", "replace", "conflict"]
            .iter()
            .any(|v| event.starts_with(v));
    let gated = ["cancel", "accept", "extend"]
        .iter()
        .any(|v| event.starts_with(v))
        && !story.view.healthy;
    if (too_deep && count >= blocks) || unknown || no_mempool || gated {
        return (before, before);
    }
    story.act(&event);
    (before, story.payment.judged.status)
}

#[test]
fn the_table_is_exactly_what_the_judgement_and_the_requests_can_do() {
    let mut seen: BTreeSet<(Status, Status)> = BTreeSet::new();
    for (setup, beginning) in BEGINNINGS {
        for event in EVENTS {
            let mut story = check(setup, beginning);
            seen.insert(step(setup, &mut story, event));
        }
    }
    for from in Status::ALL {
        for to in Status::ALL.iter().filter(|to| *to != from) {
            assert_eq!(
                seen.contains(&(*from, *to)),
                from.may_become(*to),
                "{from} → {to}"
            );
        }
    }
}

#[test]
fn a_step_that_the_table_lacks_is_not_taken_and_told_once() {
    let mut story = Story::begin(&Setup::read("BTC 0.4"));
    story.act("see a=0.4");
    story.payment.judged.status = Status::Canceled;
    let step = apply(&story.payment, &[], &story.view, START).unwrap();
    assert_eq!(step.payment.judged.status, Status::Canceled);
    assert_eq!(step.payment.history.impossible, Some(Status::Pending));
    assert!(step.payment.judged.needs_review);
    let kinds: Vec<EventKind> = step.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EventKind::Attention]);
    assert_eq!(apply(&step.payment, &[], &story.view, START), None);
}
