//! How the chain of a world grows, and what leaves it.

use super::{Tx, World, tx};
use crate::{
    chain::ChainInput,
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::BlockFacts,
        time::SpanMs,
    },
};

impl World {
    /// A block with these transactions joins the chain.
    pub fn mine(&mut self, transactions: &[Tx]) -> BlockRef {
        let facts = self.next_block(transactions);
        self.join(facts)
    }

    /// This block joins the chain.
    pub fn join(&mut self, facts: BlockFacts) -> BlockRef {
        let block = facts.block;
        self.blocks.push(block);
        let status = self.status();
        self.give(ChainInput::Status(status));
        self.give(ChainInput::Advance {
            disconnect_to: None,
            connected: vec![facts],
        });
        block
    }

    /// Following begins above two blocks that are known by their headers.
    pub(super) fn begin(&mut self) {
        let mut history = Vec::new();
        for _ in 0..2 {
            history.push(self.next_block(&[]).block);
            self.blocks.extend(history.last());
        }
        let first = self.next_block(&[]);
        self.blocks.push(first.block);
        self.give(ChainInput::Status(self.status()));
        self.give(ChainInput::Began {
            history,
            first: Box::new(first),
        });
    }

    /// The last `depth` blocks leave the chain and one with these transactions joins it.
    pub fn reorg(&mut self, depth: usize, transactions: &[Tx]) {
        let fork = self.leave(depth);
        let facts = self.next_block(transactions);
        self.blocks.push(facts.block);
        self.give(ChainInput::Advance {
            disconnect_to: Some(fork),
            connected: vec![facts],
        });
    }

    /// The last `depth` blocks leave the chain and none joins it yet.
    pub fn roll_back(&mut self, depth: usize) {
        let fork = self.leave(depth);
        self.give(ChainInput::Advance {
            disconnect_to: Some(fork),
            connected: Vec::new(),
        });
    }

    /// A block joins the chain whose own time is so far ahead of the clock.
    pub fn mine_ahead(&mut self, ahead: SpanMs) {
        let mut facts = self.next_block(&[]);
        facts.block.time = facts.block.time.plus(ahead);
        self.blocks.push(facts.block);
        self.give(ChainInput::Status(self.status()));
        self.give(ChainInput::Advance {
            disconnect_to: None,
            connected: vec![facts],
        });
    }

    fn leave(&mut self, depth: usize) -> BlockRef {
        let kept = self.blocks.len() - depth;
        self.blocks.truncate(kept);
        self.branch += 1;
        self.tip()
    }

    pub fn next_block(&self, transactions: &[Tx]) -> BlockFacts {
        let height = self.blocks.last().map_or(98, |last| last.id.height.0 + 1);
        let mut hash = [self.branch; 32];
        hash[..4].copy_from_slice(&height.to_be_bytes());
        let block = BlockRef {
            id: BlockId {
                height: Height(height),
                hash: BlockHash(hash),
            },
            parent: self
                .blocks
                .last()
                .map_or(BlockHash([9; 32]), |last| last.id.hash),
            time: self.now(),
        };
        tx::facts(self.kind, block, transactions)
    }
}
