//! Terms that an order asks for itself, in place of those of the configuration.

use super::{moments::past_ms, world::Which};
use confirmd::{domain::time::UnixMs, random::Random};
use serde_json::{Map, Value};

const MINUTE: i64 = 60_000;

/// Names of the terms, for the coverage.
pub const NAMES: [&str; 5] = [
    "own_confirmations",
    "own_tolerance",
    "own_policy",
    "own_deadline",
    "own_past",
];

/// What is said of each; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    pub confirmations: Option<u64>,
    pub tolerance_percent: Option<u64>,
    pub sum: Option<bool>,
    pub expires_at: Option<i64>,
    /// From when on money is looked for.
    pub scan_from: Option<i64>,
}

impl Terms {
    /// Draws them for an order that is registered then.
    pub fn draw(which: Which, registered_at: UnixMs, random: &mut Random) -> Self {
        let r = random;
        let deadline = registered_at.0 + minutes(r.between(3, 300));
        let past = registered_at.0 - past_ms(which) - minutes(r.between(0, 360));
        Self {
            confirmations: r.chance(400).then(|| r.between(1, 12)),
            tolerance_percent: r.chance(400).then(|| r.between(0, 10)),
            sum: r.chance(300).then(|| r.chance(500)),
            expires_at: r.chance(400).then_some(deadline),
            scan_from: r.chance(300).then_some(past),
        }
    }

    /// Those that are said, as the fields of a request.
    pub fn write(&self, body: &mut Map<String, Value>) {
        let policy = self.sum.map(policy);
        let tolerance = self.tolerance_percent.map(|percent| format!("{percent}%"));
        let fields = [
            ("confirmations", self.confirmations.map(Value::from)),
            ("tolerance", tolerance.map(Value::from)),
            ("policy", policy.map(Value::from)),
            ("expires_at", self.expires_at.map(Value::from)),
            ("scan_from", self.scan_from.map(Value::from)),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        }
    }

    /// Names of those that are said.
    pub fn said(&self) -> impl Iterator<Item = &'static str> {
        let said = [
            self.confirmations.is_some(),
            self.tolerance_percent.is_some(),
            self.sum.is_some(),
            self.expires_at.is_some(),
            self.scan_from.is_some(),
        ];
        let said = NAMES.into_iter().zip(said);
        said.filter_map(|(name, is_said)| is_said.then_some(name))
    }
}

/// The policy's name.
pub const fn policy(sum: bool) -> &'static str {
    if sum { "sum" } else { "single" }
}

fn minutes(n: u64) -> i64 {
    i64::try_from(n).unwrap() * MINUTE
}
