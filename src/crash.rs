//! Places where a test may end the process as a power cut would.
//!
//! `CONFIRMD_ABORT_AT=point[:n]` aborts at the n-th passing of that point, the first when no
//! number is given. Only builds with debug assertions look at it; a release has no such code.
//!
//! `CONFIRMD_CHECKPOINT_PAGES` makes commits copy the WAL to the main file sooner.
//!
//! A simulation that runs many daemons in one process sets traps of its own thread instead: the
//! thread unwinds at a point, or its disk is full for a while, or breaks.
//!
//! The points: `migration` (a schema is made, not committed), `inbox_read` (requests are read,
//! nobody knows of them), `after_begin` (of a step's transaction), `mid_step` (its payments are
//! written, its chain is not), `mid_rollback` (blocks left, nothing took their place),
//! `mid_backfill` (a portion of the past is done, not committed), `after_commit` (memory does not
//! know yet), `checkpoint` (of a clean stop).

/// Passes the point `name`; ends the process there when the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    armed::pass(name);
}

/// Passes the point `name`.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "nothing may be left of it in a release"
)]
pub const fn point(_name: &str) {}

/// After how many pages a commit copies the WAL to the main file: `CONFIRMD_CHECKPOINT_PAGES`, so
/// that a small database is killed within a checkpoint as often as a large one.
#[cfg(debug_assertions)]
#[must_use]
pub fn checkpoint_pages() -> Option<i64> {
    std::env::var("CONFIRMD_CHECKPOINT_PAGES")
        .ok()?
        .parse()
        .ok()
}

/// As many as are usual: `None`.
#[cfg(not(debug_assertions))]
#[must_use]
pub const fn checkpoint_pages() -> Option<i64> {
    None
}

/// What a thread unwinds with at a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwound;

/// From now on, this thread unwinds with [`Unwound`] at its next passing of `point`, once.
#[cfg(debug_assertions)]
pub fn unwind_at(point: &'static str) {
    armed::set(Some(point));
}

/// No trap is set on this thread any more.
#[cfg(debug_assertions)]
pub fn disarm() {
    armed::set(None);
}

/// How a commit finds the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// It can be written.
    Sound,
    /// It has no room.
    Full,
    /// Writing fails, and nobody knows what is on it.
    Broken,
}

/// From now on, commits of this thread find the disk so.
#[cfg(debug_assertions)]
pub fn set_disk(disk: Disk) {
    armed::set_disk(disk);
}

/// How commits of this thread find the disk, as far as a test says.
#[cfg(debug_assertions)]
#[must_use]
pub fn disk() -> Disk {
    armed::disk()
}

/// How commits find the disk, as far as a test says: no test does.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[must_use]
#[expect(
    clippy::inline_always,
    reason = "nothing may be left of it in a release"
)]
pub const fn disk() -> Disk {
    Disk::Sound
}

#[cfg(debug_assertions)]
mod armed {
    use super::Disk;
    use std::{
        cell::Cell,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    thread_local! {
        static UNWIND_AT: Cell<Option<&'static str>> = const { Cell::new(None) };
        static DISK: Cell<Disk> = const { Cell::new(Disk::Sound) };
    }

    pub(super) fn set(point: Option<&'static str>) {
        UNWIND_AT.set(point);
    }

    pub(super) fn set_disk(disk: Disk) {
        DISK.set(disk);
    }

    pub(super) fn disk() -> Disk {
        DISK.get()
    }

    struct Trap {
        point: String,
        left: AtomicU64,
    }

    static TRAP: LazyLock<Option<Trap>> =
        LazyLock::new(|| parse(&std::env::var("CONFIRMD_ABORT_AT").ok()?));

    fn parse(text: &str) -> Option<Trap> {
        let (point, n) = text.split_once(':').unwrap_or((text, "1"));
        Some(Trap {
            point: point.to_owned(),
            left: AtomicU64::new(n.parse().ok()?),
        })
    }

    pub(super) fn pass(name: &str) {
        if UNWIND_AT.get() == Some(name) {
            UNWIND_AT.set(None);
            std::panic::resume_unwind(Box::new(super::Unwound));
        }
        if let Some(trap) = TRAP.as_ref()
            && trap.point == name
            && trap.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
