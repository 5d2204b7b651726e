//! What an ordinary run must have seen often enough to mean something: every step of the table,
//! every reason, flag and fault.

use super::{
    checks::STEPS, customers::HABITS, lie, oddities, operators, providers, publisher,
    stage::COMMIT_POINTS,
};
use std::collections::BTreeMap;

/// How often at least.
const TIMES: u64 = 20;

const REASONS: [&str; 22] = [
    "new/",
    "new/dropped",
    "new/reorged",
    "pending/",
    "confirming/",
    "paid/exact",
    "paid/within_tolerance",
    "paid/overpaid",
    "paid/operator",
    "invalid/underpaid",
    "invalid/split",
    "invalid/wrong_asset",
    "invalid/late",
    "invalid/after_cancel",
    "invalid/double_spent",
    "invalid/confirm_timeout",
    "invalid/reorged",
    "expired/deadline",
    "canceled/gateway",
    "canceled/operator",
    "refunded/gateway",
    "refunded/operator",
];

const FLAGS: [&str; 11] = [
    "degraded",
    "overpaid",
    "underpaid",
    "late",
    "duplicate",
    "split",
    "wrong_asset",
    "reorged",
    "replaced",
    "reversed",
    "manual",
];

const FAULTS: [&str; 22] = [
    "reorg",
    "deep_reorg",
    "rollback",
    "outage",
    "slow",
    "noise",
    "lag",
    "fall_back",
    "flip_flop",
    "stray",
    "amid_walk",
    "long_outage",
    "crash",
    "eviction",
    "mempool_loss",
    "clock_jump",
    "full_disk",
    "token_fee",
    "token_pause",
    "token_listing",
    "sync_trouble",
    "broken_disk",
];

/// What was seen too seldom, with how often it was.
pub fn missing(seen: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let edges = STEPS.iter().flat_map(|(from, to)| {
        let edge = move |to: &&str| format!("edge {from} -> {to}");
        to.iter().map(edge)
    });
    let named = |kind: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{kind} {name}")).collect()
    };
    let wanted = edges
        .chain(named("reason", &REASONS))
        .chain(named("flag", &FLAGS))
        .chain(named("fault", &FAULTS))
        .chain(named("fault", &publisher::MISHAPS))
        .chain(named("publisher", &["heard", "none"]))
        .chain(named("providers", &providers::KINDS))
        .chain(named("fault", &operators::FAULTS))
        .chain(named("habit", &HABITS))
        .chain(oddities::names().map(|name| format!("oddity {name}")))
        .chain(named("fault crash_in_commit", &COMMIT_POINTS))
        .chain(lie::names().map(|lie| format!("fault {lie}")));
    let seldom = |what: String| {
        let times = seen.get(&what).copied().unwrap_or(0);
        (times < TIMES).then_some((what, times))
    };
    wanted.filter_map(seldom).collect()
}
