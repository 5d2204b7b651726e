//! When a chain's next blocks come.

use crate::domain::time::{SpanMs, UnixMs};

/// The most blocks that are made up for; after a longer sleep of the machine time was simply lost.
const MAX_MISSED: usize = 500;

/// A chain's regular blocks.
#[derive(Debug)]
pub(super) struct Pace {
    interval: SpanMs,
    next: UnixMs,
    stalled: bool,
}

impl Pace {
    /// A block each `interval` from now on.
    pub(super) const fn new(interval: SpanMs, now: UnixMs) -> Self {
        Self {
            interval,
            next: now.plus(interval),
            stalled: false,
        }
    }

    /// The times of the blocks that are due; each is told once.
    pub(super) fn due(&mut self, now: UnixMs) -> Vec<UnixMs> {
        let mut times = Vec::new();
        while self.next <= now && times.len() < MAX_MISSED {
            times.push(self.next);
            self.next = self.next.plus(self.interval);
        }
        if self.next <= now {
            self.next = now.plus(self.interval);
        }
        if self.stalled { Vec::new() } else { times }
    }

    /// Stops, or goes on.
    pub(super) const fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
    }

    /// Whether no block comes by itself.
    pub(super) const fn is_stalled(&self) -> bool {
        self.stalled
    }
}
