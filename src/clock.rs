//! The only reader of system time.

use crate::domain::time::{SpanMs, UnixMs};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which people and other machines may move.
    pub wall: UnixMs,
    /// Milliseconds since some fixed moment; never goes back.
    pub monotonic_ms: u64,
}

impl Now {
    /// How long ago a moment of the monotonic clock was; nothing for one that is to come.
    #[must_use]
    pub fn since(&self, monotonic_ms: u64) -> SpanMs {
        let ago = self.monotonic_ms.saturating_sub(monotonic_ms);
        SpanMs(i64::try_from(ago).unwrap_or(i64::MAX))
    }

    /// What the wall clock shows at a later moment, when nobody sets it until then.
    #[must_use]
    pub fn without_step(&self, later: Self) -> UnixMs {
        self.wall.plus(later.since(self.monotonic_ms))
    }
}

/// Where time comes from.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Now;

    /// What this clock showed when the machine's wall clock showed `wall`.
    fn at(&self, wall: UnixMs) -> UnixMs {
        wall
    }
}

/// The operating system's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts the monotonic count at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        let monotonic_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            wall: UnixMs(wall),
            monotonic_ms,
        }
    }
}

/// Clocks that run several times as fast as the operating system's, for a sandbox: both agree with
/// them at the start and go on from there.
#[derive(Debug, Clone)]
pub struct ScaledClock {
    started: Instant,
    began: UnixMs,
    speed: u32,
}

impl ScaledClock {
    /// Starts now; a speed of 1 is real time.
    #[must_use]
    pub fn new(speed: u32) -> Self {
        let system = SystemClock::new();
        Self {
            began: system.now().wall,
            started: system.started,
            speed,
        }
    }

    /// How much of its time passed since the start.
    fn passed_ms(&self) -> u64 {
        let real_us = self.started.elapsed().as_micros();
        let scaled = real_us.saturating_mul(self.speed.into()) / 1000;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Now {
        let monotonic_ms = self.passed_ms();
        let passed = i64::try_from(monotonic_ms).unwrap_or(i64::MAX);
        Now {
            wall: UnixMs(self.began.0.saturating_add(passed)),
            monotonic_ms,
        }
    }

    /// Times before the start are as they are.
    fn at(&self, wall: UnixMs) -> UnixMs {
        let real = wall.0.saturating_sub(self.began.0).max(0);
        let further = real.saturating_mul(i64::from(self.speed).saturating_sub(1));
        UnixMs(wall.0.saturating_add(further))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_clock_runs_both_its_clocks_at_its_speed_from_the_present() {
        let (clock, system) = (ScaledClock::new(600_000), SystemClock::new());
        let real = || u64::try_from(system.started.elapsed().as_millis()).unwrap();
        let before = system.now().wall;
        while real() < 5 {
            std::hint::spin_loop();
        }
        let now = clock.now();
        let wall_ms = now.wall.0 - clock.began.0;
        assert_eq!(u64::try_from(wall_ms).unwrap(), now.monotonic_ms);
        assert!(now.monotonic_ms >= 5 * 600_000, "{now:?}");
        assert!(clock.began <= before);
        assert!(ScaledClock::new(1).now().monotonic_ms < 60_000);
    }

    #[test]
    fn a_scaled_clock_knows_what_it_showed_at_a_real_time() {
        let clock = ScaledClock::new(300);
        let at = |ms| clock.at(UnixMs(clock.began.0 + ms)).0 - clock.began.0;
        assert_eq!([at(-5), at(0), at(1), at(1000)], [-5, 0, 300, 300_000]);
        assert_eq!(SystemClock::new().at(UnixMs(7)), UnixMs(7));
    }
}
