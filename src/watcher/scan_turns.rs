//! Which scan of the past is next: pure, of payments that wait and how many blocks each lacks.
//!
//! Scans take turns of some blocks. The next is for who lacks least, so that a new registration, whose past is
//! short, waits for no rescan of months; every few turns it is for who has waited longest, so that the long
//! one ends too. Who lacks about as much shares it.

use crate::{
    domain::{
        block::Height,
        payment::{PaymentKey, ScanFrom},
    },
    store::Unscanned,
};

/// How many blocks a scan may bring before another has its turn: some seconds.
pub(super) const TURN_BLOCKS: u32 = 64;

/// So many turns, and one of them is for who has waited longest.
pub(super) const FAIR_EVERY: u32 = 4;

/// Past blocks that some payments still need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanBatch {
    /// Where to start: no payment of the batch needs anything before.
    pub from: ScanFrom,
    /// Where to end.
    pub goal: Height,
    /// The last payment of the batch.
    pub up_to: PaymentKey,
    /// How many payments it is for.
    pub payments: u32,
}

impl ScanBatch {
    /// A scan for one payment alone.
    pub const fn alone(one: Unscanned) -> Self {
        Self {
            from: one.from,
            goal: one.goal,
            up_to: one.key,
            payments: 1,
        }
    }

    /// With one more payment; nothing where that starts by height and these by time, or the other way.
    fn with(self, other: &Unscanned) -> Option<Self> {
        let from = match (self.from, other.from) {
            (ScanFrom::Height(a), ScanFrom::Height(b)) => ScanFrom::Height(a.min(b)),
            (ScanFrom::Time(a), ScanFrom::Time(b)) => ScanFrom::Time(a.min(b)),
            (ScanFrom::Height(_), ScanFrom::Time(_)) | (ScanFrom::Time(_), ScanFrom::Height(_)) => {
                return None;
            }
        };
        Some(Self {
            from,
            goal: self.goal.max(other.goal),
            up_to: self.up_to.max(other.key),
            payments: self.payments.saturating_add(1),
        })
    }
}

/// Whether that turn is for who has waited longest.
pub(super) const fn is_fair(turn: u32) -> bool {
    turn % FAIR_EVERY == FAIR_EVERY.saturating_sub(1)
}

/// The next scan, for at most `limit` of those who wait, who come by age; `left` says how many blocks one lacks.
pub(super) fn next(
    waiting: &[Unscanned],
    limit: u32,
    turn: u32,
    left: impl Fn(&Unscanned) -> u32,
) -> Option<ScanBatch> {
    let lengths: Vec<(u32, &Unscanned)> = waiting.iter().map(|one| (left(one), one)).collect();
    let first = if is_fair(turn) {
        lengths.first()
    } else {
        lengths.iter().min_by_key(|(left, one)| (*left, one.key))
    };
    let (least, first) = *first?;
    // Twice as much costs little more than scanning the same blocks once for each of them.
    let most = if is_fair(turn) {
        least
    } else {
        least.saturating_mul(2)
    };
    let most = most.max(TURN_BLOCKS);
    let mut batch = ScanBatch::alone(*first);
    let others = lengths
        .iter()
        .filter(|(left, one)| *left <= most && one.key != first.key);
    for (_, other) in others {
        if batch.payments >= limit {
            break;
        }
        batch = batch.with(other).unwrap_or(batch);
    }
    Some(batch)
}

#[cfg(test)]
mod tests;
