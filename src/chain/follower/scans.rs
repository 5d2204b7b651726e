//! The scans of the past that a follower does: one that looks for what contracts moved and may wait for it, and
//! one that does not, in turns.

use super::{backfill::Backfill, walked::Walked};
use crate::domain::block::Height;

/// At most one scan of each kind.
#[derive(Debug, Default)]
pub(super) struct Scans {
    plain: Option<Backfill>,
    traced: Option<Backfill>,
    /// Whose turn it was last.
    traced_was_last: bool,
    /// What they walked over.
    pub(super) walked: Walked,
}

impl Scans {
    /// Takes a scan in, in place of the one of its kind.
    pub(super) fn put(&mut self, scan: Backfill) {
        let place = if scan.traces {
            &mut self.traced
        } else {
            &mut self.plain
        };
        *place = Some(scan);
    }

    /// The scan whose turn it is, which is put back unless it is over. One that rests leaves its turn to the other.
    pub(super) fn take(&mut self, now_ms: u64) -> Option<Backfill> {
        let is_ready = |scan: &Backfill| !scan.rests(now_ms);
        let may_trace = self.traced.as_ref().is_some_and(is_ready);
        let traced_is_next = match (&self.plain, &self.traced) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(_)) => may_trace && !self.traced_was_last,
        };
        self.traced_was_last = traced_is_next;
        let place = if traced_is_next {
            &mut self.traced
        } else {
            &mut self.plain
        };
        place.take()
    }

    /// Whether there is any.
    pub(super) const fn any(&self) -> bool {
        self.plain.is_some() || self.traced.is_some()
    }

    /// When one that rests goes on, on the monotonic clock.
    pub(super) fn next_look_ms(&self) -> Option<u64> {
        self.traced.as_ref().and_then(|scan| scan.next_look_ms)
    }

    /// Blocks above `fork` are no longer ours.
    pub(super) fn disconnected(&mut self, fork: Height) {
        self.walked.rewind(fork);
        for scan in [&mut self.plain, &mut self.traced].into_iter().flatten() {
            scan.disconnected(fork);
        }
    }
}
