//! Makes a failing seed smaller: fewer kinds of faults and fewer hours, as long as it fails.

use super::{
    plan::{Faults, Plan},
    simulate,
};

const HOUR_MS: u64 = 3_600_000;

type Rate = fn(&mut Faults) -> &mut u64;

/// Every kind of fault, by the name that `CONFIRMD_FAULTS` takes.
const KINDS: [(&str, Rate); 15] = [
    ("reorg", |faults| &mut faults.reorg),
    ("deep_reorg", |faults| &mut faults.deep_reorg),
    ("rollback", |faults| &mut faults.rollback),
    ("outage", |faults| &mut faults.outage),
    ("slow", |faults| &mut faults.slow),
    ("noise", |faults| &mut faults.noise),
    ("lag", |faults| &mut faults.lag),
    ("crash", |faults| &mut faults.crash),
    ("crash_in_commit", |faults| &mut faults.crash_in_commit),
    ("eviction", |faults| &mut faults.eviction),
    ("mempool_loss", |faults| &mut faults.mempool_loss),
    ("clock_jump", |faults| &mut faults.clock_jump),
    ("full_disk", |faults| &mut faults.full_disk),
    ("token_fee", |faults| &mut faults.token_fee),
    ("lie", |faults| &mut faults.lie),
];

/// Leaves only these kinds of faults, by their names between commas.
pub fn keep_only(faults: &mut Faults, names: &str) {
    for name in names.split(',').filter(|name| !name.is_empty()) {
        let known = KINDS.iter().any(|(kind, _)| *kind == name);
        assert!(known, "CONFIRMD_FAULTS: there is no fault {name:?}");
    }
    for (kind, rate) in KINDS {
        if !names.split(',').any(|name| name == kind) {
            *rate(faults) = 0;
        }
    }
}

/// The kinds that happen, between commas.
pub fn named(faults: &Faults) -> String {
    let mut faults = faults.clone();
    let kinds = KINDS.iter().filter(|(_, rate)| *rate(&mut faults) > 0);
    let names: Vec<&str> = kinds.map(|(kind, _)| *kind).collect();
    names.join(",")
}

/// The smallest plan found that fails too, and its story.
pub fn shrink(mut plan: Plan, mut story: String) -> String {
    for (_, rate) in KINDS {
        let mut fewer = plan.clone();
        if std::mem::take(rate(&mut fewer.faults)) > 0
            && let Err(shorter) = simulate(fewer.clone())
        {
            (plan, story) = (fewer, shorter);
        }
    }
    while plan.span_ms > HOUR_MS {
        let mut sooner = plan.clone();
        sooner.span_ms = (plan.span_ms / 2 / HOUR_MS).max(1) * HOUR_MS;
        match simulate(sooner.clone()) {
            Err(shorter) => (plan, story) = (sooner, shorter),
            Ok(_) => break,
        }
    }
    story
}

#[test]
fn a_failing_plan_is_shrunk_to_the_faults_that_it_needs() {
    let mut plan = Plan::draw(1, 2);
    keep_only(&mut plan.faults, "");
    (plan.faults.lag, plan.faults.slow) = (30, 10);
    plan.fails_with = Some("lag");
    let story = simulate(plan.clone()).expect_err("it fails with a lag");
    let shrunk = shrink(plan, story);
    let replay = "CONFIRMD_FAULTS=lag scripts/test simulation::one_seed";
    assert!(shrunk.contains(replay), "{shrunk}");
    assert!(shrunk.contains("fault: lag"), "{shrunk}");
}
