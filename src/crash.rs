//! Places where a test may end the process as a power cut would.
//!
//! `CONFIRMD_ABORT_AT=point[:n]` aborts at the n-th passing of that point, the first when no
//! number is given. Only builds with debug assertions look at it; a release has no such code.
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

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

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
        if let Some(trap) = TRAP.as_ref()
            && trap.point == name
            && trap.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
