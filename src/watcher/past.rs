//! What the last blocks credited, as tags by block: a registration whose past lies within them
//! needs no scan when its address's tag is not among them.
//!
//! A missing tag proves that nothing came only because each block's are taken over all its
//! candidate credits, and because the blocks are followed by hash from the cursor down to the
//! start. A tag that is there proves nothing: then the past is scanned. Nothing in here is stored: a restart begins without, and the blocks that are scanned then fill it again.

use crate::{
    bugs::{Bug, planted},
    chain::ChainInput,
    domain::{
        block::{BlockId, BlockRef, Height},
        credits::Tag,
        facts::{BlockFacts, Destination},
        payment::ScanFrom,
    },
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// How many blocks are kept: several times the default look-back of Bitcoin (12 blocks in two
/// hours), of Ethereum (10 in two minutes), and of a chain with four blocks a second.
const BLOCKS_MAX: usize = 512;
/// How many tags are kept, of 8 bytes each: 4 MiB, a third of a day of full Bitcoin blocks.
const TAGS_MAX: usize = 512 * 1024;

/// The tags of the last blocks' credits.
#[derive(Debug, Default)]
pub struct Past {
    blocks: BTreeMap<Height, Credited>,
    tags: usize,
}

/// Whom a block credited.
#[derive(Debug)]
struct Credited {
    block: BlockRef,
    tags: RefCell<Tags>,
    /// Whether contracts may have credited others too.
    awaits_trace: bool,
}

/// Nobody asks about most blocks of a catch-up, so tags are sorted when somebody does.
#[derive(Debug)]
struct Tags {
    tags: Box<[Tag]>,
    are_sorted: bool,
}

impl Tags {
    fn contains(&mut self, tag: Tag) -> bool {
        if !self.are_sorted {
            self.tags.sort_unstable();
            self.are_sorted = true;
        }
        self.tags.binary_search(&tag).is_ok()
    }
}

impl Past {
    /// Takes over what an input that is committed says of blocks.
    pub fn learn(&mut self, input: &ChainInput) {
        match input {
            ChainInput::Began { first, .. } => self.remember(first),
            ChainInput::Advance {
                disconnect_to,
                connected,
            } => {
                if let Some(fork) = disconnect_to {
                    self.forget_above(fork.id.height);
                }
                for facts in connected {
                    self.remember(facts);
                }
            }
            ChainInput::Backfill { blocks, .. } => {
                for facts in blocks {
                    self.remember(facts);
                }
            }
            ChainInput::Traced { blocks, .. } => {
                for facts in blocks {
                    self.complete(facts);
                }
            }
            ChainInput::Status(_)
            | ChainInput::Mempool(_)
            | ChainInput::Grown { .. }
            | ChainInput::TracedBy(_)
            | ChainInput::Balances { .. }
            | ChainInput::Polled { .. }
            | ChainInput::Failed { .. }
            | ChainInput::BackfillRefused { .. }
            | ChainInput::Spenders { .. }
            | ChainInput::Frozen { .. }
            | ChainInput::Thawed
            | ChainInput::Agreed { .. } => {}
        }
    }

    /// Whether every block from `from` up to the cursor is here and none credited the address; in the
    /// chain's own money contracts may have done so in blocks that are not traced yet.
    #[must_use]
    pub fn shows_nothing(
        &self,
        destination: &Destination,
        from: ScanFrom,
        cursor: BlockId,
        in_native: bool,
    ) -> bool {
        let tag = destination.tag();
        let mut next = cursor;
        for credited in self.blocks.range(..=cursor.height).rev().map(|(_, it)| it) {
            if credited.awaits_trace && in_native
                || credited.block.id != next
                || credited.tags.borrow_mut().contains(tag) && !planted(Bug::PastTrusted)
            {
                return false;
            }
            if from.is_reached_by(&credited.block) {
                return true;
            }
            next = BlockId {
                height: next.height.minus(1),
                hash: credited.block.parent,
            };
        }
        false
    }

    fn remember(&mut self, facts: &BlockFacts) {
        let height = facts.block.id.height;
        let lowest = self.blocks.first_key_value().map(|(lowest, _)| *lowest);
        if self.blocks.len() >= BLOCKS_MAX && lowest.is_some_and(|lowest| height < lowest) {
            return;
        }
        let known = self.blocks.get(&height);
        let is_complete = |known: &Credited| known.block == facts.block && !known.awaits_trace;
        if facts.awaits_trace && known.is_some_and(is_complete) {
            return;
        }
        // Who is registered later learns from a scan that a token's contract named the address.
        let named = facts.token_events.iter().filter_map(|event| event.account);
        let named = named.map(|account| Tag::of(&account));
        let tags: Vec<Tag> = facts.credits.tags().iter().copied().chain(named).collect();
        self.tags = self.tags.saturating_add(tags.len());
        let credited = Credited {
            block: facts.block,
            awaits_trace: facts.awaits_trace,
            tags: RefCell::new(Tags {
                tags: tags.into(),
                are_sorted: false,
            }),
        };
        let before = self.blocks.insert(height, credited);
        self.forgotten(before);
        while self.blocks.len() > BLOCKS_MAX || self.tags > TAGS_MAX {
            let lowest = self.blocks.pop_first();
            self.forgotten(lowest.map(|(_, credited)| credited));
        }
    }

    /// Adds whom contracts credited in a block that is remembered without. It may be told again: as long as it is
    /// disputed, others may be added, and nobody is known to be missing.
    fn complete(&mut self, inner: &BlockFacts) {
        let Some(credited) = self.blocks.get_mut(&inner.block.id.height) else {
            return;
        };
        if credited.block.id != inner.block.id {
            return;
        }
        let tags = credited.tags.get_mut();
        let before = tags.tags.len();
        let more = inner.credits.tags();
        let all: BTreeSet<Tag> = tags.tags.iter().chain(more).copied().collect();
        *tags = Tags {
            tags: all.into_iter().collect(),
            are_sorted: true,
        };
        credited.awaits_trace &= inner.awaits_trace;
        let after = tags.tags.len();
        self.tags = self.tags.saturating_sub(before).saturating_add(after);
    }

    fn forget_above(&mut self, fork: Height) {
        let gone = self.blocks.split_off(&fork.plus(1));
        for credited in gone.into_values() {
            self.forgotten(Some(credited));
        }
    }

    fn forgotten(&mut self, credited: Option<Credited>) {
        let count = credited.map_or(0, |credited| credited.tags.into_inner().tags.len());
        self.tags = self.tags.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests;
