//! How far long work is: catching up with a node, and scanning the past for late registrations.
//! It is told to the log while it goes on, and to the metrics; nobody is judged by it.

use super::{
    Watcher,
    scans::{Batch, Scans},
    state::ChainState,
};
use crate::{
    clock::Now,
    domain::{block::Height, payment::ScanFrom},
};
use tracing::info;

/// So many blocks are done within seconds, and are not worth a line.
const FEW: u32 = 100;
/// How often work is told of while it goes on.
const TOLD_EVERY_MS: u64 = 10_000;

/// What was told of a chain's long work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Of catching up.
    catching_up: Pace,
    /// Whether a line told of catching up, so that one tells its end.
    was_behind: bool,
    /// Of scans of the past, and of those that look for what contracts moved.
    scans: (Pace, Pace),
}

/// How fast work is since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pace(Option<(u64, Height)>);

impl Pace {
    /// Blocks a second since the last time, when it is time to tell of them and there were some.
    fn at(&mut self, height: Height, now_ms: u64) -> Option<String> {
        let Some((since_ms, since)) = self.0 else {
            self.0 = Some((now_ms, height));
            return None;
        };
        let ms = now_ms.saturating_sub(since_ms);
        if ms < TOLD_EVERY_MS {
            return None;
        }
        self.0 = Some((now_ms, height));
        let blocks = u64::from(height.minus(since.0).0);
        let tenths = blocks.saturating_mul(10_000).checked_div(ms)?;
        let rate = format!("{}.{}", tenths.div_euclid(10), tenths.rem_euclid(10));
        (blocks > 0).then_some(rate)
    }
}

impl ChainState {
    /// How many blocks the scans of the past under way have left, at least; 0 when there is none.
    #[must_use]
    pub fn scan_blocks_left(&self) -> u32 {
        let left = |scans: Scans| scans.under_way.map_or(0, |batch| self.batch_left(&batch));
        let [plain, traced] = self.scans.both().map(left);
        plain.saturating_add(traced)
    }

    /// How many blocks a scan has left, at least.
    pub(super) fn batch_left(&self, batch: &Batch) -> u32 {
        batch.goal.plus(1).minus(self.next_of(batch).0).0
    }

    /// The block that a scan looks at next.
    pub(super) fn next_of(&self, batch: &Batch) -> Height {
        let start = || self.start_of(batch.from, batch.goal);
        batch.done.map_or_else(start, |done| done.plus(1))
    }

    /// The first block of a scan up to there. What a start by time comes to is known as far as the
    /// last blocks are.
    pub(super) fn start_of(&self, from: ScanFrom, goal: Height) -> Height {
        match from {
            ScanFrom::Height(from) => from,
            ScanFrom::Time(_) => {
                let below = self.recent.iter().rev();
                let mut below = below.filter(|block| block.id.height <= goal);
                let reached = below.find(|block| from.is_reached_by(block));
                let start = reached.or_else(|| self.recent.front());
                start.map_or(goal, |block| block.id.height.min(goal))
            }
        }
    }

    /// The node's best block and our cursor, while the node answers.
    fn ends(&self, now: Now) -> Option<(Height, Height)> {
        let tip = self.head(now.monotonic_ms)?.id.height;
        Some((tip, self.view.scanned?.id.height))
    }
}

impl Watcher {
    /// Tells the log how far long work is.
    pub(super) fn tell_progress(&mut self, now: Now) {
        for chain in &mut self.chains {
            if let Some((tip, cursor)) = chain.ends(now) {
                tell_catching_up(chain, tip, cursor, now.monotonic_ms);
            }
            for scans in chain.scans.both() {
                tell_scan(chain, scans, now.monotonic_ms);
            }
        }
    }
}

fn tell_catching_up(chain: &mut ChainState, tip: Height, cursor: Height, now_ms: u64) {
    let (name, told) = (&chain.spec.name, &mut chain.told);
    let behind = tip.minus(cursor.0).0;
    if behind <= FEW {
        if told.was_behind && behind == 0 {
            info!(chain = %name, height = %cursor, "caught up");
            told.was_behind = false;
        }
        told.catching_up = Pace::default();
        return;
    }
    if let Some(rate) = told.catching_up.at(cursor, now_ms) {
        info!(chain = %name, height = %cursor, %tip, behind, blocks_per_second = %rate, "catching up");
        told.was_behind = true;
    }
}

fn tell_scan(chain: &mut ChainState, scans: Scans, now_ms: u64) {
    let paces = &mut chain.told.scans;
    let pace = if scans.traced {
        &mut paces.1
    } else {
        &mut paces.0
    };
    let Some(batch) = scans.under_way else {
        *pace = Pace::default();
        return;
    };
    // Scans take turns: what was done is counted over all of them.
    if let Some(rate) = pace.at(Height(scans.blocks), now_ms) {
        let (name, next, left) = (
            &chain.spec.name,
            chain.next_of(&batch),
            chain.batch_left(&batch),
        );
        info!(chain = %name, next = %next, to = %batch.goal, left, blocks_per_second = %rate, "scanning past blocks");
    }
}
