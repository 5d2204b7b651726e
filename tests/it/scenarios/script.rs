//! A scenario's text: its heading, what it shows, under which settings, and its steps by line.

use super::{
    step::{self, Step},
    words::{Trouble, Words},
};
use crate::simulation::{
    plan::{Faults, Plan},
    providers::Providers,
};
use std::path::Path;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A scenario as it was written.
#[derive(Debug, Clone)]
pub struct Script {
    pub heading: String,
    /// Ids of what it shows.
    pub shows: Vec<String>,
    pub plan: Plan,
    /// Configuration beside the plan's.
    pub more: String,
    /// Each step with the number of its line.
    pub steps: Vec<(usize, Step)>,
}

/// The usual settings: near the daemon's defaults, with polls that come seldom enough to be cheap.
fn plan() -> Plan {
    Plan {
        seed: 0,
        span_ms: 0,
        bitcoin_block_ms: 10 * MINUTE,
        bitcoin_poll_ms: 5 * SECOND,
        ethereum_block_ms: 12 * SECOND,
        ethereum_poll_ms: 6 * SECOND,
        tags: Some(64),
        final_depth: 100,
        confirmations: 2,
        waits_for: None,
        grace_ms: 2 * MINUTE,
        late_accept_ms: 0,
        confirm_timeout_ms: 24 * HOUR,
        watch_after_close_ms: 720 * HOUR,
        tolerance_percent: 0,
        sum: false,
        order_every_ms: 0,
        premined: 20,
        strangers: 0,
        own_terms: 0,
        dust_flood: false,
        publishes: false,
        faults: Faults::default(),
        latency_ms: 0,
        providers: Providers::ONE,
        fails_with: None,
    }
}

/// Reads a scenario; a complaint names the file and the line.
pub fn parse(file: &Path, text: &str) -> Result<Script, Trouble> {
    let mut script = Script {
        heading: String::new(),
        shows: Vec::new(),
        plan: plan(),
        more: String::new(),
        steps: Vec::new(),
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let at = |trouble| format!("{}:{number}: {trouble}", file.display());
            script.read(number, line).map_err(at)?;
        }
    }
    if script.steps.is_empty() {
        return Err(format!("{}: it has no steps", file.display()));
    }
    Ok(script)
}

impl Script {
    fn read(&mut self, number: usize, line: &str) -> Result<(), Trouble> {
        if let Some(ids) = line.strip_prefix("shows:") {
            self.shows = ids.split_whitespace().map(str::to_owned).collect();
            return Ok(());
        }
        if self.shows.is_empty() {
            let gap = if self.heading.is_empty() { "" } else { " " };
            self.heading = format!("{}{gap}{line}", self.heading);
            return Ok(());
        }
        if self.heading.is_empty() {
            return Err("a heading of plain words belongs before \"shows:\"".to_owned());
        }
        if let Some(setting) = line.strip_prefix("given ") {
            if !self.steps.is_empty() {
                return Err("\"given\" belongs before the first step".to_owned());
            }
            return self.set(&mut Words::new(setting));
        }
        self.steps.push((number, step::parse(line)?));
        Ok(())
    }

    fn set(&mut self, words: &mut Words<'_>) -> Result<(), Trouble> {
        type Set = fn(&mut Script, &mut Words<'_>) -> Result<(), Trouble>;
        const SETTINGS: [(&str, Set); 7] = [
            ("late-accept", |s, w| {
                w.span().map(|ms| s.plan.late_accept_ms = ms)
            }),
            ("confirm-timeout", |s, w| {
                w.span().map(|ms| s.plan.confirm_timeout_ms = ms)
            }),
            ("watch-after-close", |s, w| {
                w.span().map(|ms| s.plan.watch_after_close_ms = ms)
            }),
            ("final-depth", |s, w| {
                w.number("number").map(|n| s.plan.final_depth = n.into())
            }),
            ("tags", |s, w| {
                step::tags(w).map(|depth| s.plan.tags = depth)
            }),
            ("above", tier),
            ("waits-for", |s, w| {
                let words = [("safe", "safe"), ("finalized", "finalized")];
                w.one_of("what nodes name", &words)
                    .map(|called| s.plan.waits_for = Some(called))
            }),
        ];
        let set = words.one_of("setting", &SETTINGS)?;
        set(self, words)?;
        words.finish()
    }
}

/// `given above 0.5 BTC confirmations 6`
fn tier(script: &mut Script, words: &mut Words<'_>) -> Result<(), Trouble> {
    let above = words.take("amount")?;
    let asset = words.asset()?;
    asset.units(above)?;
    words.expect("confirmations")?;
    let confirmations = words.number("number")?;
    let tier = format!(
        "\n[[assets.{}.tiers]]\nabove = \"{above}\"\nconfirmations = {confirmations}\n",
        asset.code
    );
    script.more.push_str(&tier);
    Ok(())
}
