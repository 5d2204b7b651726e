//! What one node believes of a chain, and what it offers. Several views may stand over one chain.

use super::chain::{Block, Chain};
use crate::{
    domain::block::{BlockHash, BlockRef, Height, TxId},
    sandbox::tree::{Branch, Linked},
};
use std::collections::HashSet;

/// How a node gives a block's receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipts {
    /// For a hash or a number.
    ByHash,
    /// Only for a number.
    ByNumber,
    /// It does not have the method.
    NotOffered,
}

/// One node's view.
#[derive(Debug, Clone)]
pub struct View {
    /// How it gives receipts.
    pub receipts: Receipts,
    /// How many blocks below its head it can still trace (geth: 128); `None` when it never does.
    pub traces: Option<u32>,
    /// Whether it says that it is still syncing.
    pub syncing: bool,
    /// Whether it forgets blocks that leave its branch, as anvil does.
    pub forgetful: bool,
    safe: Option<Height>,
    finalized: Option<Height>,
    branch: Branch,
    /// Blocks that were on its branch once.
    aside: HashSet<BlockHash>,
}

impl View {
    /// A node that has nothing but the genesis, and offers everything.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        Self {
            receipts: Receipts::ByHash,
            traces: Some(128),
            syncing: false,
            forgetful: false,
            safe: None,
            finalized: None,
            branch: Branch::to(chain.tree(), chain.genesis().id.hash),
            aside: HashSet::new(),
        }
    }

    /// Makes this its head, whatever was its head before. Nothing happens when there is no such
    /// block.
    pub fn set_head(&mut self, chain: &Chain, head: BlockHash) {
        let before = self.branch.head();
        self.branch.switch(chain.tree(), head);
        let branch = &self.branch;
        let before = before.into_iter().flat_map(|it| chain.tree().down_from(it));
        let left = before
            .map(Linked::reference)
            .take_while(|block| !branch.holds(*block));
        self.aside.extend(left.map(|block| block.id.hash));
    }

    /// Follows a head from so many blocks behind, as a slow replica does. Nothing happens when
    /// there is no such head.
    pub fn lag_behind(&mut self, chain: &Chain, head: BlockHash, blocks: u32) {
        let lag = usize::try_from(blocks).unwrap_or(usize::MAX);
        let behind = chain.tree().down_from(head).nth(lag);
        let behind = behind.map_or(chain.genesis(), Linked::reference);
        if chain.block(head).is_some() {
            self.set_head(chain, behind.id.hash);
        }
    }

    /// Calls its block at this height safe and final; `None` takes both tags away. They are
    /// heights of its branch: should that change below, another block is called final.
    pub const fn finalize_to(&mut self, height: Option<Height>) {
        self.finalized = height;
        self.safe = height;
    }

    /// Calls its block at this height safe.
    pub const fn make_safe_to(&mut self, height: Option<Height>) {
        self.safe = height;
    }

    /// The blocks from the first one to its head.
    #[must_use]
    pub const fn branch(&self) -> &Branch {
        &self.branch
    }

    /// Its head.
    #[must_use]
    pub fn head<'a>(&self, chain: &'a Chain) -> Option<&'a Block> {
        chain.block(self.branch.head()?)
    }

    pub(super) const fn safe(&self) -> Option<Height> {
        self.safe
    }

    pub(in crate::sandbox) const fn finalized(&self) -> Option<Height> {
        self.finalized
    }

    /// Its block of this height.
    pub(super) fn at<'a>(&self, chain: &'a Chain, height: Height) -> Option<&'a Block> {
        chain.block(self.branch.at(height)?)
    }

    /// A block that it knows by its hash.
    pub(super) fn known<'a>(&self, chain: &'a Chain, hash: BlockHash) -> Option<&'a Block> {
        let block = chain.block(hash)?;
        let remembered = !self.forgetful && self.aside.contains(&hash);
        (self.on_branch(block.reference()) || remembered).then_some(block)
    }

    /// The block of its branch that holds this transaction.
    pub(super) fn block_with<'a>(&self, chain: &'a Chain, tx: TxId) -> Option<&'a Block> {
        let mut blocks = chain
            .blocks_with(tx)
            .iter()
            .filter_map(|hash| chain.block(*hash));
        blocks.find(|block| self.on_branch(block.reference()))
    }

    fn on_branch(&self, block: BlockRef) -> bool {
        self.branch.holds(block)
    }
}
