//! From durations to what is printed: medians, percentiles, and a ratio against its goal.

use std::time::Duration;

/// Durations of one kind.
#[derive(Default)]
pub struct Figures(Vec<Duration>);

impl Figures {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The value that so many of a hundred do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(place).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| ms(self.percentile(percent)));
        let count = self.0.len();
        write!(
            f,
            "p50 {p50}, p90 {p90}, p99 {p99}, max {max} ({count} times)"
        )
    }
}

/// In milliseconds.
pub fn ms(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1000.0)
}

/// Says whether a goal is met.
pub const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// How often each side of a comparison is measured.
pub const ROUNDS: u64 = 41;

/// Measures two tasks in turn, so that whatever slows the machine slows both, and prints both
/// medians and their ratio. Each task returns what it took.
pub fn compare(
    what: &str,
    goal: f64,
    mut base: impl FnMut() -> Duration,
    mut subject: impl FnMut() -> Duration,
) {
    let (mut of_base, mut of_subject) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        of_base.add(base());
        of_subject.add(subject());
    }
    let (base, subject) = (of_base.median(), of_subject.median());
    let ratio = subject.as_secs_f64() / base.as_secs_f64();
    println!(
        "{what}: {} against {}, ratio {ratio:.2} (goal: at most {goal}; {})",
        ms(subject),
        ms(base),
        verdict(ratio <= goal)
    );
}
