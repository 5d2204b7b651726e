//! Notices a wall clock that was moved, and when it may be trusted again.

use crate::{
    clock::Now,
    domain::{
        asset::ChainKind,
        time::{SpanMs, UnixMs},
    },
};

/// A wall clock that moves against the monotonic one by more than this was set by somebody.
const JUMP_MAX: SpanMs = SpanMs::from_secs(60);
/// How far a Bitcoin head's own time may be from a clock that agrees with it: consensus lets it
/// run two hours ahead, and a quiet hour between blocks is ordinary.
const BITCOIN_HEAD_WITHIN: SpanMs = SpanMs::from_secs(2 * 3600);
/// The same on Ethereum, where a block comes every 12 seconds.
const ETHEREUM_HEAD_WITHIN: SpanMs = SpanMs::from_secs(60);

/// Compares the two clocks at every look.
#[derive(Debug)]
pub struct ClockGuard {
    last: Now,
    suspended: bool,
}

impl ClockGuard {
    /// Trusts the clock as it is now.
    #[must_use]
    pub const fn new(now: Now) -> Self {
        Self {
            last: now,
            suspended: false,
        }
    }

    /// Looks at both clocks; true when the wall clock was just found to have jumped.
    pub fn look(&mut self, now: Now) -> bool {
        let elapsed = now.monotonic_ms.saturating_sub(self.last.monotonic_ms);
        let expected = self
            .last
            .wall
            .plus(SpanMs(i64::try_from(elapsed).unwrap_or(i64::MAX)));
        self.last = now;
        let jumped = now.wall.since(expected).0.abs() > JUMP_MAX.0;
        self.suspended |= jumped;
        jumped
    }

    /// Takes the time of a chain's head as a second opinion.
    pub fn hear(&mut self, kind: ChainKind, head: UnixMs) {
        let within = match kind {
            ChainKind::Bitcoin => BITCOIN_HEAD_WITHIN,
            ChainKind::Ethereum => ETHEREUM_HEAD_WITHIN,
        };
        if self.suspended && self.last.wall.since(head).0.abs() <= within.0 {
            self.suspended = false;
        }
    }

    /// Whether verdicts have to wait.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now {
        wall: UnixMs(1_000_000_000),
        monotonic_ms: 0,
    };

    fn at(wall_s: i64, monotonic_s: u64) -> Now {
        Now {
            wall: START.wall.plus(SpanMs::from_secs(wall_s)),
            monotonic_ms: monotonic_s * 1000,
        }
    }

    #[test]
    fn a_clock_that_drifts_by_less_than_a_minute_is_trusted() {
        let mut guard = ClockGuard::new(START);
        assert!(!guard.look(at(70, 11)));
        assert!(!guard.is_suspended());
    }

    #[test]
    fn a_jump_either_way_suspends_until_a_head_agrees() {
        for jump in [86_400, -86_400] {
            let mut guard = ClockGuard::new(START);
            assert!(guard.look(at(jump, 1)));
            assert!(guard.is_suspended());
            guard.hear(ChainKind::Ethereum, START.wall);
            assert!(guard.is_suspended(), "a head a day away does not agree");
            guard.hear(
                ChainKind::Ethereum,
                START.wall.plus(SpanMs::from_secs(jump)),
            );
            assert!(!guard.is_suspended());
        }
    }
}
