//! When a block is asked about again whose traces did not settle what contracts moved in it: a second later, and
//! twice as long each further time, since a trace takes a node long, and some are paid for each.

use crate::domain::block::BlockHash;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How long after the first time.
const FIRST: Duration = Duration::from_secs(1);

/// The longest: nodes keep the state of a block for some minutes only.
const LONGEST: Duration = Duration::from_secs(15);

/// How long other operators who can trace are waited for while one alone tells.
const OTHERS_PATIENCE: Duration = Duration::from_mins(1);

/// Blocks that are asked about again.
#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<BlockHash, Rest>);

#[derive(Debug)]
struct Rest {
    gap: Duration,
    until: Instant,
    /// Since when one operator alone tells of it.
    sole_since: Option<Instant>,
}

impl Rests {
    /// What came of a block did not settle it.
    pub(super) fn rest(&mut self, block: BlockHash) {
        let now = Instant::now();
        let rest = self.0.entry(block).or_insert(Rest {
            gap: FIRST,
            until: now,
            sole_since: None,
        });
        rest.until = now + rest.gap;
        rest.gap = rest.gap.saturating_mul(2).min(LONGEST);
    }

    /// Whether it is too early to ask about a block again.
    pub(super) fn is_resting(&self, block: BlockHash) -> bool {
        let rest = self.0.get(&block);
        rest.is_some_and(|rest| rest.until > Instant::now())
    }

    /// Whether one operator alone has told of a block, which rests, for as long as others are waited for.
    pub(super) fn has_waited_for_others(&mut self, block: BlockHash) -> bool {
        let Some(rest) = self.0.get_mut(&block) else {
            return false;
        };
        let since = rest.sole_since.get_or_insert_with(Instant::now);
        since.elapsed() >= OTHERS_PATIENCE
    }

    /// A block is settled.
    pub(super) fn forget(&mut self, block: BlockHash) {
        self.0.remove(&block);
    }

    /// Forgets those that nobody has asked about for so long.
    pub(super) fn forget_after(&mut self, abandoned: Duration) {
        self.0.retain(|_, rest| rest.until.elapsed() < abandoned);
    }
}
