//! The recent blocks of our chain, linked by hash: pure data, no source, no watcher.

use crate::domain::block::{BlockHash, BlockId, BlockRef, Height};
use std::collections::VecDeque;

/// How many recent blocks are kept: a week of Bitcoin, three hours and a half of Ethereum; more
/// than the usual final depths, and more than the blocks between Ethereum's head and its last
/// final block in all but the worst stall so far. 80 KiB.
pub const WINDOW_BLOCKS: usize = 1_024;

/// Consecutive blocks that link up, the highest being our tip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    blocks: VecDeque<BlockRef>,
}

/// A block does not follow the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block {} does not follow our tip", .0.height)]
pub struct Unlinked(pub BlockId);

impl Window {
    /// Takes the longest linked run that ends with the last block.
    #[must_use]
    pub fn new(recent: Vec<BlockRef>) -> Self {
        let linked = recent
            .windows(2)
            .rposition(|pair| matches!(pair, [lower, upper] if !follows(lower.id, upper)));
        let first = linked.map_or(0, |index| index.saturating_add(1));
        let mut window = Self {
            blocks: recent.into_iter().skip(first).collect(),
        };
        window.forget_oldest();
        window
    }

    /// The highest block; `None` before the first start.
    #[must_use]
    pub fn tip(&self) -> Option<BlockRef> {
        self.blocks.back().copied()
    }

    /// The lowest block.
    #[must_use]
    pub fn lowest(&self) -> Option<BlockRef> {
        self.blocks.front().copied()
    }

    /// The lowest height whose hash is known: that of the lowest block's parent.
    #[must_use]
    pub fn bottom(&self) -> Height {
        self.lowest()
            .map_or(Height(0), |block| block.id.height.minus(1))
    }

    /// The block at this height.
    #[must_use]
    pub fn get(&self, height: Height) -> Option<BlockRef> {
        let lowest = self.lowest()?;
        let index = height.0.checked_sub(lowest.id.height.0)?;
        self.blocks.get(usize::try_from(index).ok()?).copied()
    }

    /// The hash at this height, the lowest block's parent included.
    #[must_use]
    pub fn hash_at(&self, height: Height) -> Option<BlockHash> {
        let block = self.get(height).map(|block| block.id.hash);
        block.or_else(|| {
            let root = self.lowest().and_then(|lowest| parent(&lowest))?;
            (root.height == height).then_some(root.hash)
        })
    }

    /// Whether this block is known to be on our chain.
    #[must_use]
    pub fn contains(&self, block: BlockId) -> bool {
        self.hash_at(block.height) == Some(block.hash)
    }

    /// The blocks from `height` downwards.
    pub fn down_from(&self, height: Height) -> impl Iterator<Item = BlockRef> {
        let blocks = self.blocks.iter().rev().copied();
        blocks.skip_while(move |block| block.id.height > height)
    }

    /// Puts a block on top and forgets the oldest beyond [`WINDOW_BLOCKS`].
    pub fn extend(&mut self, block: BlockRef) -> Result<(), Unlinked> {
        if self.tip().is_some_and(|tip| !follows(tip.id, &block)) {
            return Err(Unlinked(block.id));
        }
        self.blocks.push_back(block);
        self.forget_oldest();
        Ok(())
    }

    /// Makes this block the tip: drops what is above it, and everything when it is not ours.
    pub fn rewind(&mut self, fork: BlockRef) {
        while self.tip().is_some_and(|tip| tip.id != fork.id) {
            self.blocks.pop_back();
        }
        if self.blocks.is_empty() {
            self.blocks.push_back(fork);
        }
    }

    fn forget_oldest(&mut self) {
        let excess = self.blocks.len().saturating_sub(WINDOW_BLOCKS);
        self.blocks.drain(..excess);
    }
}

/// Whether `block` stands directly on `lower`.
#[must_use]
pub fn follows(lower: BlockId, block: &BlockRef) -> bool {
    parent(block) == Some(lower)
}

/// The block below this one; `None` for genesis.
#[must_use]
pub fn parent(block: &BlockRef) -> Option<BlockId> {
    Some(BlockId {
        height: Height(block.id.height.0.checked_sub(1)?),
        hash: block.parent,
    })
}

#[cfg(test)]
mod tests;
