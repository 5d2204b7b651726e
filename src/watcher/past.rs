//! What the last blocks credited, as fingerprints by block: a registration whose past lies within
//! them needs no scan when its address is not among them.
//!
//! A missing fingerprint proves that nothing came only because each block's are taken over all
//! its candidate credits, and because the blocks are followed by hash from the cursor down to the
//! start. A fingerprint that is there proves nothing: then the past is scanned. Nothing in here
//! is stored: a restart begins without, and the blocks that are scanned then fill it again.

use crate::{
    bugs::{Bug, planted},
    chain::ChainInput,
    domain::{
        block::{BlockId, BlockRef, Height},
        facts::{BlockFacts, Destination},
        payment::ScanFrom,
    },
};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
};

/// How many blocks are kept: several times the default look-back of Bitcoin (12 blocks in two
/// hours), of Ethereum (10 in two minutes), and of a chain with four blocks a second.
const BLOCKS_MAX: usize = 512;
/// How many fingerprints are kept, of 8 bytes each: 4 MiB, a third of a day of full Bitcoin blocks.
const FINGERPRINTS_MAX: usize = 512 * 1024;

/// The fingerprints of the last blocks.
#[derive(Debug, Default)]
pub struct Past {
    /// Drawn at start, so that nobody can make addresses collide on purpose.
    seed: RandomState,
    blocks: BTreeMap<Height, Credited>,
    fingerprints: usize,
}

/// Whom a block credited.
#[derive(Debug)]
struct Credited {
    block: BlockRef,
    /// Ascending.
    fingerprints: Box<[u64]>,
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
            ChainInput::Status(_)
            | ChainInput::Mempool(_)
            | ChainInput::Polled { .. }
            | ChainInput::Failed { .. }
            | ChainInput::BackfillRefused { .. }
            | ChainInput::Spenders { .. }
            | ChainInput::Frozen { .. }
            | ChainInput::Thawed => {}
        }
    }

    /// Whether every block from `from` up to the cursor is here and none credited the address.
    #[must_use]
    pub fn shows_nothing(
        &self,
        destination: &Destination,
        from: ScanFrom,
        cursor: BlockId,
    ) -> bool {
        let fingerprint = self.fingerprint(destination);
        let mut next = cursor;
        for credited in self.blocks.range(..=cursor.height).rev().map(|(_, it)| it) {
            if credited.block.id != next
                || credited.fingerprints.binary_search(&fingerprint).is_ok()
                    && !planted(Bug::PastTrusted)
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
        let credits = facts.credits.iter();
        let mut fingerprints: Vec<u64> = credits
            .map(|credit| self.fingerprint(&credit.destination))
            .collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        self.fingerprints = self.fingerprints.saturating_add(fingerprints.len());
        let credited = Credited {
            block: facts.block,
            fingerprints: fingerprints.into_boxed_slice(),
        };
        let before = self.blocks.insert(height, credited);
        self.forgotten(before);
        while self.blocks.len() > BLOCKS_MAX || self.fingerprints > FINGERPRINTS_MAX {
            let lowest = self.blocks.pop_first();
            self.forgotten(lowest.map(|(_, credited)| credited));
        }
    }

    fn forget_above(&mut self, fork: Height) {
        let gone = self.blocks.split_off(&fork.plus(1));
        for credited in gone.into_values() {
            self.forgotten(Some(credited));
        }
    }

    fn forgotten(&mut self, credited: Option<Credited>) {
        let count = credited.map_or(0, |credited| credited.fingerprints.len());
        self.fingerprints = self.fingerprints.saturating_sub(count);
    }

    fn fingerprint(&self, destination: &Destination) -> u64 {
        self.seed.hash_one(destination.as_bytes())
    }
}

#[cfg(test)]
mod tests;
