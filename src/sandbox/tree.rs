//! Every block that was ever made, on every branch, and the branch that a node holds for the best.
//!
//! Knows nothing of what is in a block.

use crate::domain::block::{BlockHash, BlockRef, Height};
use std::collections::HashMap;

/// A block that knows its place.
pub trait Linked {
    /// Its height, hash, parent and time.
    fn reference(&self) -> BlockRef;
}

/// Blocks by hash; each but the first stands on another one of them.
#[derive(Debug, Clone)]
pub struct Tree<B> {
    blocks: HashMap<BlockHash, B>,
}

impl<B: Linked> Tree<B> {
    /// A tree of nothing but its first block.
    #[must_use]
    pub fn new(genesis: B) -> Self {
        let hash = genesis.reference().id.hash;
        Self {
            blocks: HashMap::from([(hash, genesis)]),
        }
    }

    /// Adds a block. A block that is known already is left as it is.
    pub fn insert(&mut self, block: B) -> BlockRef {
        let reference = block.reference();
        self.blocks.entry(reference.id.hash).or_insert(block);
        reference
    }

    /// A block by its hash.
    #[must_use]
    pub fn get(&self, hash: BlockHash) -> Option<&B> {
        self.blocks.get(&hash)
    }

    /// A block and all below it, downwards.
    pub fn down_from(&self, hash: BlockHash) -> impl Iterator<Item = &B> {
        let first = self.get(hash);
        std::iter::successors(first, |block| self.get(block.reference().parent))
    }
}

/// The blocks from the first one to a head, by height.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branch {
    first: u32,
    hashes: Vec<BlockHash>,
}

impl Branch {
    /// The branch that ends in `head`.
    #[must_use]
    pub fn to<B: Linked>(tree: &Tree<B>, head: BlockHash) -> Self {
        let mut branch = Self::default();
        branch.switch(tree, head);
        branch
    }

    /// Makes this the branch that ends in `head`; costs what differs. Does nothing when the tree
    /// has no such block.
    pub fn switch<B: Linked>(&mut self, tree: &Tree<B>, head: BlockHash) -> Switched {
        let mut joined = Vec::new();
        let mut fork = None;
        let mut bottom = self.first;
        for block in tree.down_from(head) {
            let id = block.reference().id;
            if self.at(id.height) == Some(id.hash) {
                fork = Some(id.height);
                break;
            }
            bottom = id.height.0;
            joined.push(id.hash);
        }
        if joined.is_empty() && fork.is_none() {
            return Switched::default();
        }
        joined.reverse();
        let left = self.cut_above(fork, bottom);
        self.hashes.extend(&joined);
        Switched { left, joined }
    }

    fn cut_above(&mut self, fork: Option<Height>, bottom: u32) -> Vec<BlockHash> {
        let Some(fork) = fork else {
            self.first = bottom;
            return std::mem::take(&mut self.hashes);
        };
        let kept = fork.0.saturating_sub(self.first).saturating_add(1);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        self.hashes.split_off(kept.min(self.hashes.len()))
    }

    /// The block at this height.
    #[must_use]
    pub fn at(&self, height: Height) -> Option<BlockHash> {
        let place = height.0.checked_sub(self.first)?;
        self.hashes.get(usize::try_from(place).ok()?).copied()
    }

    /// The block at the end; `None` of an empty branch.
    #[must_use]
    pub fn head(&self) -> Option<BlockHash> {
        self.hashes.last().copied()
    }

    /// The height of the block at the end; the first height of an empty branch.
    #[must_use]
    pub fn height(&self) -> Height {
        let above = u32::try_from(self.hashes.len().saturating_sub(1)).unwrap_or(u32::MAX);
        Height(self.first).plus(above)
    }

    /// Whether the block is on it.
    #[must_use]
    pub fn holds(&self, block: BlockRef) -> bool {
        self.at(block.id.height) == Some(block.id.hash)
    }
}

/// How a branch changed; both parts ascend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// Blocks that are no longer on it.
    pub left: Vec<BlockHash>,
    /// Blocks that are on it now.
    pub joined: Vec<BlockHash>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{block::BlockId, time::UnixMs};

    impl Linked for BlockRef {
        fn reference(&self) -> BlockRef {
            *self
        }
    }

    fn block(height: u32, hash: u8, parent: u8) -> BlockRef {
        BlockRef {
            id: BlockId {
                height: Height(height),
                hash: BlockHash([hash; 32]),
            },
            parent: BlockHash([parent; 32]),
            time: UnixMs(0),
        }
    }

    #[test]
    fn a_branch_switches_forth_and_back_and_is_what_a_fresh_walk_gives() {
        let mut tree = Tree::new(block(0, 1, 0));
        for (height, hash, parent) in [(1, 2, 1), (2, 3, 2), (3, 4, 3), (2, 13, 2), (1, 22, 1)] {
            tree.insert(block(height, hash, parent));
        }
        let mut branch = Branch::to(&tree, BlockHash([1; 32]));
        for head in [4, 13, 22, 4, 3, 1, 13] {
            let head = BlockHash([head; 32]);
            branch.switch(&tree, head);
            assert_eq!(branch, Branch::to(&tree, head), "{head}");
            assert_eq!(branch.head(), Some(head));
            let below = tree.get(head).unwrap().id.height.0;
            assert_eq!(branch.height(), Height(below));
            assert_eq!(branch.at(Height(below + 1)), None);
        }
        let before = branch.clone();
        branch.switch(&tree, BlockHash([99; 32]));
        assert_eq!(branch, before, "an unknown head changes nothing");
    }
}
