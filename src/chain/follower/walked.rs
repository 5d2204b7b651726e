//! The headers that scans of the past walked over below the blocks in memory, kept while there are scans: those
//! that take turns walk the same way again and again. Pure: knows no source.

use super::window::{follows, parent};
use crate::domain::block::{BlockRef, Height};
use std::collections::VecDeque;

/// More than any scan is long by default; beyond, they are walked over again. 11 MiB.
const WALKED_MAX: usize = 131_072;

/// Consecutive blocks that link up, ascending.
#[derive(Debug, Default)]
pub(super) struct Walked(VecDeque<BlockRef>);

impl Walked {
    /// Those below a block of ours, descending; none when they are not known to be below it.
    pub(super) fn below(&self, block: &BlockRef) -> Vec<BlockRef> {
        let highest = parent(block);
        let from_top = self.0.iter().rev();
        let mut below = from_top
            .skip_while(|known| known.id.height >= block.id.height)
            .peekable();
        let is_linked = below.peek().is_some_and(|known| Some(known.id) == highest);
        below.filter(|_| is_linked).copied().collect()
    }

    /// Keeps some that ascend and link up, with those above or below them that are linked to them.
    pub(super) fn add(&mut self, blocks: &[BlockRef]) {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return;
        };
        let goes_below = self
            .0
            .front()
            .is_some_and(|lowest| follows(last.id, lowest));
        if goes_below {
            blocks
                .iter()
                .rev()
                .for_each(|block| self.0.push_front(*block));
        } else {
            self.rewind(first.id.height.minus(1));
            if !self
                .0
                .back()
                .is_some_and(|highest| follows(highest.id, first))
            {
                self.0.clear();
            }
            self.0.extend(blocks);
        }
        if self.0.len() > WALKED_MAX {
            self.0.clear();
        }
    }

    /// Forgets those above a height.
    pub(super) fn rewind(&mut self, height: Height) {
        while self.0.back().is_some_and(|block| block.id.height > height) {
            self.0.pop_back();
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::follower::testing::{block, child, hash};

    fn blocks(heights: impl IntoIterator<Item = u32>) -> Vec<BlockRef> {
        heights.into_iter().map(block).collect()
    }

    fn below(walked: &Walked, height: u32) -> Vec<u32> {
        let below = walked.below(&block(height)).into_iter();
        below.map(|block| block.id.height.0).collect()
    }

    #[test]
    fn what_was_walked_over_is_known_from_wherever_one_comes() {
        let mut walked = Walked::default();
        walked.add(&blocks(20..=29));
        walked.add(&blocks(15..=19));
        assert_eq!(below(&walked, 30), (15..=29).rev().collect::<Vec<_>>());
        assert_eq!(below(&walked, 18), [17, 16, 15]);
        for unknown in [31, 15, 10] {
            assert_eq!(below(&walked, unknown), [0_u32; 0], "{unknown}");
        }
        // The blocks in memory are higher by now.
        walked.add(&blocks(28..=35));
        assert_eq!(below(&walked, 36), (15..=35).rev().collect::<Vec<_>>());
        walked.rewind(Height(16));
        assert_eq!(below(&walked, 17), [16, 15]);
        walked.clear();
        assert_eq!(below(&walked, 17), [0_u32; 0]);
    }

    #[test]
    fn what_is_not_linked_is_not_joined() {
        let mut walked = Walked::default();
        walked.add(&blocks(10..=19));
        let other = child(hash(9_999), 20, 20);
        walked.add(&[other]);
        assert_eq!(below(&walked, 21), [20]);
        assert_eq!(walked.below(&child(hash(7), 21, 21)), []);
    }
}
