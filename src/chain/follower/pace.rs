//! How many block bodies are asked for at once: few when they are heavy, one after a failure.

use crate::domain::facts::BlockFacts;

/// The most blocks in one request and in one step: enough to hide a round trip in catch-up,
/// little enough that a step commits in well under a second, and as deep as a reorg gets whose
/// transactions are moved within one step.
pub(super) const BATCH_BLOCKS: u32 = 16;

/// How much one batch may hold, in transactions, credits and spends: at most 14 MB of Bitcoin's facts,
/// of some six full blocks, so that the queue to the watcher stays far inside the daemon's memory
/// limit.
const BATCH_ITEMS: usize = 200_000;

/// Learns the size of the next batch from the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace(u32);

impl Pace {
    /// Starts small: the size of the blocks is not known yet.
    pub(super) const fn new() -> Self {
        Self(2)
    }

    /// How many blocks to ask for.
    pub(super) const fn blocks(self) -> u32 {
        self.0
    }

    /// A batch came: the next may be twice as large while blocks are light.
    pub(super) fn succeeded(&mut self, batch: &[BlockFacts]) {
        let heaviest = batch.iter().map(weight).max().unwrap_or(0).max(1);
        let fitting = u32::try_from(BATCH_ITEMS / heaviest).unwrap_or(BATCH_BLOCKS);
        self.0 = fitting.min(self.0.saturating_mul(2)).clamp(1, BATCH_BLOCKS);
    }

    /// A batch did not come: the next asks for one block, so that a single bad or missing block
    /// does not hold back those before it.
    pub(super) const fn failed(&mut self) {
        self.0 = 1;
    }
}

fn weight(block: &BlockFacts) -> usize {
    let credits_and_spends = block.credits.len().saturating_add(block.spends.len());
    credits_and_spends
        .saturating_add(block.transactions.len())
        .saturating_add(block.token_events.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chain::follower::testing::facts, domain::block::TxId};

    fn block_of(transactions: usize) -> BlockFacts {
        BlockFacts {
            transactions: vec![TxId([1; 32]); transactions],
            ..facts(1)
        }
    }

    #[test]
    fn batches_grow_while_blocks_are_light() {
        let mut pace = Pace::new();
        let sizes: Vec<u32> = (0..5)
            .map(|_| {
                pace.succeeded(&[block_of(10)]);
                pace.blocks()
            })
            .collect();
        assert_eq!(sizes, [4, 8, 16, 16, 16]);
    }

    #[test]
    fn batches_shrink_to_what_fits_the_heaviest_block() {
        let cases = [(10, 4), (80_000, 2), (120_000, 1), (1_000_000, 1)];
        for (transactions, blocks) in cases {
            let mut pace = Pace::new();
            pace.succeeded(&[block_of(1), block_of(transactions)]);
            assert_eq!(pace.blocks(), blocks, "{transactions}");
        }
    }

    #[test]
    fn a_failure_asks_for_single_blocks() {
        let mut pace = Pace::new();
        pace.succeeded(&[]);
        pace.failed();
        assert_eq!(pace.blocks(), 1);
    }
}
