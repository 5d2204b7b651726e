//! How long to wait before trying again: doubling, with repeatable jitter.

use crate::random::Random;
use std::time::Duration;

/// The first wait after a failure.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait between attempts: half of the shortest silence after which a chain counts
/// as unhealthy (30 s), so that a node that is back is noticed before that.
const LONGEST: Duration = Duration::from_secs(15);

/// The longest wait in poll intervals, which matters only far below the usual ones.
const POLLS: u32 = 10;

/// The wait after a failure that only an operator can end.
const PERMANENT: Duration = Duration::from_mins(1);

/// Counts failures in a row and draws the jitter.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    failures: u32,
    longest: Duration,
    random: Random,
}

impl Backoff {
    /// For a follower that usually polls this often: who looks more often than operators do tries
    /// again more often too.
    pub(super) fn new(seed: u64, poll_interval: Duration) -> Self {
        Self {
            failures: 0,
            longest: poll_interval.saturating_mul(POLLS).clamp(FIRST, LONGEST),
            random: Random::new(seed),
        }
    }

    /// An attempt succeeded.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed: how long to wait. Between half and all of a span that doubles each
    /// time, so that several followers of one node do not come back at the same moment.
    pub(super) fn failed(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.jittered(doubled.min(self.longest))
    }

    /// An attempt failed and no repetition helps: how long to wait before looking again.
    pub(super) fn refused(&mut self) -> Duration {
        self.jittered(PERMANENT)
    }

    fn jittered(&mut self, span: Duration) -> Duration {
        let half = span / 2;
        let parts = u32::try_from(self.random.below(1_024)).unwrap_or(0);
        half.saturating_add(half.saturating_mul(parts) / 1_024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(2);

    #[test]
    fn waits_double_up_to_the_longest_and_keep_half_of_their_span() {
        let mut backoff = Backoff::new(7, USUAL);
        let spans_ms = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000];
        for span_ms in spans_ms {
            let span = Duration::from_millis(span_ms);
            let wait = backoff.failed();
            assert!(wait >= span / 2 && wait <= span, "{wait:?} of {span:?}");
        }
        backoff.succeeded();
        assert!(backoff.failed() <= FIRST);
    }

    #[test]
    fn fast_polls_wait_no_longer_than_ten_of_them() {
        for (poll_ms, longest_ms) in [(1, 250), (50, 500), (200, 2_000), (60_000, 15_000)] {
            let mut backoff = Backoff::new(7, Duration::from_millis(poll_ms));
            let waits = (0..20).map(|_| backoff.failed()).max().unwrap_or_default();
            let longest = Duration::from_millis(longest_ms);
            assert!(
                waits <= longest && waits > longest / 2,
                "{poll_ms}: {waits:?}"
            );
        }
    }

    #[test]
    fn a_failure_streak_of_any_length_does_not_overflow() {
        let mut backoff = Backoff::new(0, USUAL);
        backoff.failures = u32::MAX - 1;
        assert!(backoff.failed() <= LONGEST);
        assert!(backoff.failed() <= LONGEST);
    }

    #[test]
    fn the_same_seed_waits_the_same() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed, USUAL);
            [backoff.failed(), backoff.failed(), backoff.refused()]
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
