//! What happened, to be read when something is wrong.

use super::{clock, plan::Plan, rows, run::Simulation, shrink};
use std::any::Any;

/// How much of it is shown.
const LINES: usize = 150;

impl Simulation {
    pub(super) fn note(&mut self, what: impl std::fmt::Display) {
        let line = format!("{}  {what}", clock::shown(self.stage.clock.truth()));
        self.trace.push(line);
    }

    pub(super) fn count(&mut self, what: &str) {
        *self.report.coverage.entry(what.to_owned()).or_default() += 1;
    }

    /// The story of what went wrong: all that concerns the payment it is about, and its rows.
    pub(super) fn tell(&self, why: &str) -> String {
        let seed = self.plan.seed;
        let mut words = why.split([' ', ':']);
        let id = words.find(|word| word.starts_with("order-"));
        let concerns = |line: &&String| {
            let of = |id: &str| line.split([' ', ':']).any(|word| word == id);
            !line.contains("order-") || id.is_none_or(of)
        };
        let story: Vec<&str> = self
            .trace
            .iter()
            .filter(concerns)
            .map(String::as_str)
            .collect();
        let story = &story[story.len().saturating_sub(LINES)..];
        let rows = id.map_or_else(String::new, |id| rows::everything_about(&self.stage.db, id));
        let chains = rows::chains(&self.stage.db);
        let replay = replay(&self.plan);
        format!(
            "seed {seed}: {why}\n\n{:?}\n\n{}\n\n{rows}\n\n{chains}\n\n{replay}\n",
            self.plan,
            story.join("\n")
        )
    }
}

/// What to type to live through it again.
pub fn replay(plan: &Plan) -> String {
    let (seed, hours) = (plan.seed, plan.span_ms / 3_600_000);
    let faults = shrink::named(&plan.faults);
    format!(
        "replay: CONFIRMD_SEED={seed} CONFIRMD_HOURS={hours} CONFIRMD_FAULTS={faults} \
         scripts/test simulation::one_seed"
    )
}

/// What a panic says.
pub fn words(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref().copied())
        .unwrap_or_default()
}

#[test]
fn a_panic_is_told_as_a_story_with_its_replay() {
    let mut plan = Plan::draw(3, 1);
    shrink::keep_only(&mut plan.faults, "");
    plan.faults.lag = 1;
    plan.fails_with = Some("panic");
    let story = super::simulate(plan).expect_err("it panics");
    assert!(
        story.starts_with("seed 3: panicked: on purpose\n"),
        "{story}"
    );
    assert!(story.contains("order-0 for "), "{story}");
    let replay = "replay: CONFIRMD_SEED=3 CONFIRMD_HOURS=1 CONFIRMD_FAULTS=lag scripts/test";
    assert!(story.contains(replay), "{story}");
}
