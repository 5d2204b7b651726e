//! How much real time a span of the daemon's clock takes: in a sandbox that clock runs faster.

use std::time::Duration;

/// The speed of time, for whoever waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace(u32);

impl Pace {
    /// Nothing is done more often than this, however fast time runs.
    const SHORTEST: Duration = Duration::from_millis(10);

    /// So many times as fast as real time.
    pub(super) fn new(speed: u32) -> Self {
        Self(speed.max(1))
    }

    /// The real time that this span of the clock takes.
    pub(super) fn of(self, span: Duration) -> Duration {
        span.checked_div(self.0).unwrap_or(span).max(Self::SHORTEST)
    }
}
