//! Virtual time: the runtime's paused clock, and a wall clock over it that can be set.

use confirmd::{
    clock::{Clock, Now},
    domain::time::UnixMs,
};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// When every simulation begins: 2026-01-01.
pub const BEGIN: UnixMs = UnixMs(1_767_225_600_000);

/// Both clocks; must be asked inside the runtime.
#[derive(Debug)]
pub struct SimClock {
    began: Instant,
    /// How far the machine's wall clock is off.
    skew_ms: AtomicI64,
}

impl SimClock {
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            skew_ms: AtomicI64::new(0),
        }
    }

    /// Milliseconds since the beginning.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// What time it really is.
    pub fn truth(&self) -> UnixMs {
        UnixMs(BEGIN.0 + i64::try_from(self.elapsed_ms()).unwrap())
    }

    /// The runtime's moment that is this long after the beginning.
    pub fn moment(&self, at_ms: u64) -> Instant {
        self.began + Duration::from_millis(at_ms)
    }

    /// Whether the machine's wall clock is right.
    pub fn is_right(&self) -> bool {
        self.skew_ms.load(Ordering::Relaxed) == 0
    }

    /// Sets the machine's wall clock wrong by this much.
    pub fn skew(&self, by_ms: i64) {
        self.skew_ms.store(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        Now {
            wall: UnixMs(self.truth().0 + self.skew_ms.load(Ordering::Relaxed)),
            monotonic_ms: self.elapsed_ms(),
        }
    }
}

/// A time as stories show it: since the beginning.
pub fn shown(at: UnixMs) -> String {
    let ms = at.0 - BEGIN.0;
    let secs = ms.div_euclid(1000);
    let (hours, minutes) = (secs.div_euclid(3600), secs.rem_euclid(3600) / 60);
    let (secs, ms) = (secs.rem_euclid(60), ms.rem_euclid(1000));
    format!("{hours:02}:{minutes:02}:{secs:02}.{ms:03}")
}
