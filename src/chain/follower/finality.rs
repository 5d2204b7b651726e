//! Up to which height nothing of our chain may change: pure, by the node's tag or by depth.

use super::window::Window;
use crate::bugs::{Bug, planted};
use crate::domain::block::{BlockId, BlockRef, Height};

/// The final height, which never goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finality {
    depth: u32,
    height: Height,
    tag: Option<BlockId>,
    tagged: bool,
}

impl Finality {
    /// Resumes at a stored height. `tagged` says that the node named final blocks before: depth
    /// counts only until it does.
    #[must_use]
    pub fn new(depth: u32, stored: Option<Height>, tagged: bool) -> Self {
        Self {
            depth: depth.max(1),
            height: stored.unwrap_or_default(),
            tag: None,
            tagged,
        }
    }

    /// The highest final height. Genesis is always final: every connection checks it.
    #[must_use]
    pub const fn height(&self) -> Height {
        self.height
    }

    /// The highest block that the node called final and that is on our chain.
    #[must_use]
    pub const fn tag(&self) -> Option<BlockId> {
        self.tag
    }

    /// Takes the node's tag and the block up to which our chain is vouched for into account; a tag
    /// counts only for a block of ours up to there.
    pub fn observe(&mut self, window: &Window, upto: Option<BlockRef>, tag: Option<BlockId>) {
        // Before there is finality some nodes name genesis: that is no tag yet.
        let tag = tag.filter(|tag| tag.height > Height(0));
        self.tagged |= tag.is_some();
        let upto = upto.map_or(Height(0), |block| block.id.height);
        if !self.tagged {
            self.height = self.height.max(upto.minus(self.depth));
        }
        let is_ours = |tag: &BlockId| tag.height <= upto && window.contains(*tag);
        if let Some(tag) = tag.filter(is_ours) {
            let before = Some(self.height).filter(|_| !planted(Bug::FinalityGoesBack));
            self.height = before.unwrap_or_default().max(tag.height);
            self.tag = self.tag.max(Some(tag));
        }
    }

    /// Whether the node calls a block final that contradicts ours at that height.
    #[must_use]
    pub fn is_contradicted(window: &Window, tag: Option<BlockId>) -> bool {
        tag.is_some_and(|tag| {
            let ours = window.hash_at(tag.height);
            ours.is_some_and(|ours| ours != tag.hash)
        })
    }

    /// Forgets what was final above `fork`: an operator released the chain.
    pub fn release(&mut self, fork: Height) {
        self.height = self.height.min(fork);
        self.tag = self.tag.filter(|tag| tag.height <= fork);
    }
}

#[cfg(test)]
mod tests;
