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

/// How far two clocks must be apart for a Bitcoin head to tell which of them is right: its time is
/// some minutes old, and so is the head.
const HEAD_TELLS: SpanMs = SpanMs::from_secs(15 * 60);

/// Compares the two clocks at every look.
#[derive(Debug)]
pub struct ClockGuard {
    last: Now,
    /// The clocks as they would be without the jump, while the wall clock is in doubt.
    before: Option<Now>,
}

impl ClockGuard {
    /// Trusts the clock as it is now, unless it was later before.
    #[must_use]
    pub fn new(now: Now, written: Option<UnixMs>) -> Self {
        let later = written.filter(|written| written.since(now.wall).0 > CLOCK_STEP_MAX.0);
        Self {
            last: now,
            before: later.map(|wall| Now { wall, ..now }),
        }
    }

    /// Whether the wall clock shows another time than it would, had nobody set it.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.before.is_some()
    }

    /// Looks at both clocks; true when the wall clock was just found to have jumped.
    pub fn look(&mut self, now: Now) -> bool {
        let expected = self.last.without_step(now);
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

    /// Whether a head's time is nearer to the clock as it would be, had nobody set it: then it was
    /// set wrong, though a chain that allows two hours may agree with it.
    #[must_use]
    pub fn was_right(&self, now: Now, head: UnixMs) -> bool {
        let away = |time: UnixMs| time.since(head).0.saturating_abs();
        self.without_jump(now).is_some_and(|unset| {
            let apart = unset.since(now.wall).0.saturating_abs();
            apart > HEAD_TELLS.0 && away(unset) < away(now.wall)
        })
    }

    /// What the wall clock would show, had nobody set it.
    fn without_jump(&self, now: Now) -> Option<UnixMs> {
        self.before.map(|before| before.without_step(now))
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
        let mut guard = ClockGuard::new(START, None);
        assert!(!guard.look(at(70, 11)));
    }

    #[test]
    fn a_jump_either_way_is_noticed_once() {
        for jump in [86_400, -86_400] {
            let mut guard = ClockGuard::new(START, None);
            assert!(guard.look(at(jump, 1)));
            assert!(!guard.look(at(jump + 1, 2)));
        }
    }

    #[test]
    fn a_head_tells_which_of_two_times_is_right() {
        for (jump_min, head_min, was_right) in [
            (-60, -2, true),
            (60, -2, true),
            (-60, -59, false),
            (60, 59, false),
        ] {
            let mut guard = ClockGuard::new(START, None);
            let now = at(jump_min * 60, 0);
            guard.look(now);
            let head = START.wall.plus(SpanMs::from_secs(head_min * 60));
            assert_eq!(
                guard.was_right(now, head),
                was_right,
                "{jump_min} {head_min}"
            );
            guard.look(START);
            assert!(!guard.was_right(START, head), "it was set back");
        }
    }

    #[test]
    fn a_clock_that_was_later_before_is_in_doubt() {
        for (written_s, in_doubt) in [(-9, false), (60, false), (61, true)] {
            let written = Some(START.wall.plus(SpanMs::from_secs(written_s)));
            assert_eq!(ClockGuard::new(START, written).is_in_doubt(), in_doubt);
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
