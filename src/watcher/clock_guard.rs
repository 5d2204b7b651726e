//! Notices a wall clock that was moved, and when it may be trusted again.

use crate::{
    clock::Now,
    domain::{
        asset::ChainKind,
        time::{CLOCK_STEP_MAX, SpanMs, UnixMs},
    },
};

/// How far a Bitcoin head's own time may be from a clock that agrees with it: consensus lets it
/// run two hours ahead, and a quiet hour between blocks is ordinary.
const BITCOIN_HEAD_WITHIN: SpanMs = SpanMs::from_secs(2 * 3600);
/// The same on Ethereum, where a block comes every 12 seconds.
const ETHEREUM_HEAD_WITHIN: SpanMs = SpanMs::from_secs(60);

/// Compares the two clocks at every look.
#[derive(Debug)]
pub struct ClockGuard {
    last: Now,
    /// The clocks as they would be without the jump, while the wall clock is in doubt.
    before: Option<Now>,
}

impl ClockGuard {
    /// Trusts the clock as it is now.
    #[must_use]
    pub const fn new(now: Now) -> Self {
        Self {
            last: now,
            before: None,
        }
    }

    /// Looks at both clocks; true when the wall clock was just found to have jumped.
    pub fn look(&mut self, now: Now) -> bool {
        let elapsed = now.monotonic_ms.saturating_sub(self.last.monotonic_ms);
        let elapsed = SpanMs(i64::try_from(elapsed).unwrap_or(i64::MAX));
        let expected = self.last.wall.plus(elapsed);
        self.last = now;
        let jumped = now.wall.since(expected).0.saturating_abs() > CLOCK_STEP_MAX.0;
        if jumped {
            self.before.get_or_insert(Now {
                wall: expected,
                ..now
            });
        }
        jumped
    }

    /// The wall clock is in doubt no more.
    pub const fn trust(&mut self) {
        self.before = None;
    }

    /// The latest that it may be now. What is seen while the clock is in doubt was seen at the
    /// latest of two times: a clock that was set back must not make late money look early.
    #[must_use]
    pub fn latest(&self, now: Now) -> UnixMs {
        let Some(before) = self.before else {
            return now.wall;
        };
        let elapsed = now.monotonic_ms.saturating_sub(before.monotonic_ms);
        let elapsed = SpanMs(i64::try_from(elapsed).unwrap_or(i64::MAX));
        now.wall.max(before.wall.plus(elapsed))
    }
}

/// The earliest that it can be when a block with this time is there: a miner of Bitcoin may set it
/// two hours ahead, on Ethereum nobody accepts a block from the future.
#[must_use]
pub fn earliest(kind: ChainKind, block: UnixMs) -> UnixMs {
    match kind {
        ChainKind::Bitcoin => block.minus(BITCOIN_HEAD_WITHIN),
        ChainKind::Ethereum => block,
    }
}

/// Whether a chain's head agrees with the wall clock, so that the chain may give verdicts again.
#[must_use]
pub fn agrees(kind: ChainKind, wall: UnixMs, head: UnixMs) -> bool {
    let within = match kind {
        ChainKind::Bitcoin => BITCOIN_HEAD_WITHIN,
        ChainKind::Ethereum => ETHEREUM_HEAD_WITHIN,
    };
    wall.since(head).0.saturating_abs() <= within.0
}

/// Whether a wall clock is behind for certain, because a head is further ahead of it than its
/// chain allows.
#[must_use]
pub fn is_behind(kind: ChainKind, wall: UnixMs, head: UnixMs) -> bool {
    head > wall && !agrees(kind, wall, head)
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
    }

    #[test]
    fn a_jump_either_way_is_noticed_once() {
        for jump in [86_400, -86_400] {
            let mut guard = ClockGuard::new(START);
            assert!(guard.look(at(jump, 1)));
            assert!(!guard.look(at(jump + 1, 2)));
        }
    }

    #[test]
    fn while_the_clock_is_in_doubt_it_is_as_late_as_either_clock_says() {
        for (jump, latest) in [(86_400, 86_400), (-86_400, 0)] {
            let mut guard = ClockGuard::new(START);
            guard.look(at(jump + 1, 1));
            guard.look(at(2 * jump + 2, 2));
            guard.look(at(jump + 9, 9));
            assert_eq!(guard.latest(at(jump + 9, 9)), at(latest + 9, 0).wall);
            guard.trust();
            assert_eq!(guard.latest(at(jump + 9, 9)), at(jump + 9, 0).wall);
        }
    }

    #[test]
    fn a_head_agrees_within_what_its_chain_allows() {
        let cases = [
            (ChainKind::Bitcoin, 7_200, true),
            (ChainKind::Bitcoin, -7_201, false),
            (ChainKind::Ethereum, 60, true),
            (ChainKind::Ethereum, -61, false),
        ];
        for (kind, away_s, expected) in cases {
            let head = START.wall.plus(SpanMs::from_secs(away_s));
            assert_eq!(
                agrees(kind, START.wall, head),
                expected,
                "{kind:?} {away_s}"
            );
            assert!(!is_behind(kind, START.wall, head), "{kind:?} {away_s}");
        }
    }
}
