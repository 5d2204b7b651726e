//! Makes a failing seed smaller: fewer kinds of faults and fewer hours, as long as it fails.

use super::{
    plan::{Faults, Plan},
    simulate,
};

const HOUR_MS: u64 = 3_600_000;

type Rate = fn(&mut Faults) -> &mut u64;

/// Every kind of fault, by the name that `CONFIRMD_FAULTS` takes.
const KINDS: [(&str, Rate); 33] = [
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
    ("flip_flop", |faults| &mut faults.flip_flop),
    ("stray", |faults| &mut faults.stray),
    ("amid_walk", |faults| &mut faults.amid_walk),
    ("long_outage", |faults| &mut faults.long_outage),
    ("sync_trouble", |faults| &mut faults.sync_trouble),
    ("token_stop", |faults| &mut faults.token_stop),
    ("broken_disk", |faults| &mut faults.broken_disk),
    ("oddity", |faults| &mut faults.oddity),
    ("operator", |faults| &mut faults.operator),
    ("late_traces", |faults| &mut faults.late_traces),
    ("names_lost", |faults| &mut faults.names_lost),
    ("names_late", |faults| &mut faults.names_late),
    ("names_mixed", |faults| &mut faults.names_mixed),
    ("names_again", |faults| &mut faults.names_again),
    ("names_foreign", |faults| &mut faults.names_foreign),
    ("names_gone", |faults| &mut faults.names_gone),
    ("names_flood", |faults| &mut faults.names_flood),
    ("names_undone", |faults| &mut faults.names_undone),
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

/// The smallest plan found that fails in the same way, and its story.
pub fn shrink<T>(
    mut plan: Plan,
    mut story: String,
    simulate: impl Fn(Plan) -> Result<T, String>,
) -> String {
    let complaint = complaint(&story);
    let fails = |plan: &Plan| {
        let story = simulate(plan.clone()).err()?;
        (self::complaint(&story) == complaint).then_some(story)
    };
    for (_, rate) in KINDS {
        let mut fewer = plan.clone();
        if std::mem::take(rate(&mut fewer.faults)) > 0
            && let Some(shorter) = fails(&fewer)
        {
            (plan, story) = (fewer, shorter);
        }
    }
    while plan.span_ms > HOUR_MS {
        let mut sooner = plan.clone();
        sooner.span_ms = (plan.span_ms / 2 / HOUR_MS).max(1) * HOUR_MS;
        match fails(&sooner) {
            Some(shorter) => (plan, story) = (sooner, shorter),
            None => break,
        }
    }
    story
}

/// What a story complains of, whoever it is about: its first line without ids and numbers.
fn complaint(story: &str) -> String {
    let line = story.lines().next().unwrap_or_default();
    let words = line.split(|letter: char| !letter.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && !word.contains(char::is_numeric));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_failing_plan_is_shrunk_to_the_faults_that_it_needs() {
    let mut plan = Plan::draw(1, 2);
    keep_only(&mut plan.faults, "");
    (plan.faults.lag, plan.faults.slow) = (30, 10);
    plan.fails_with = Some("lag");
    let story = simulate(plan.clone()).expect_err("it fails with a lag");
    let shrunk = shrink(plan, story, simulate);
    let replay = "CONFIRMD_FAULTS=lag scripts/test simulation::one_seed";
    assert!(shrunk.contains(replay), "{shrunk}");
    assert!(shrunk.contains("fault: lag"), "{shrunk}");
}

#[test]
fn a_failing_plan_is_not_shrunk_to_one_that_fails_otherwise() {
    let lost = |plan: Plan| {
        let names = named(&plan.faults);
        let story = if plan.faults.lag == 0 {
            format!("seed 1: panicked: index out of bounds\n{names}")
        } else {
            let block = plan.span_ms + plan.faults.slow;
            format!("seed 1: order-{block}: 00ab{block} in block {block} was lost\n{names}")
        };
        Err::<(), _>(story)
    };
    let mut plan = Plan::draw(1, 2);
    keep_only(&mut plan.faults, "");
    (plan.faults.lag, plan.faults.slow) = (30, 10);
    let story = lost(plan.clone()).unwrap_err();
    let shrunk = shrink(plan, story, lost);
    assert!(shrunk.ends_with("was lost\nlag"), "{shrunk}");
}
