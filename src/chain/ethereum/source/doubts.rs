//! What it means that a block did not come from any endpoint. Pure.

use crate::chain::ethereum::{
    endpoint::BlockError,
    verify::{FailedCheck, VerifyError},
};
use crate::{
    chain::SourceError,
    domain::{block::BlockHash, facts::BlockFacts},
};
use std::collections::{BTreeMap, BTreeSet};

/// How often in a row the same block may fail verification before it is an operator's matter:
/// nodes are known to answer with half-written receipts for some seconds after a new block.
const MAX_DOUBTS: u32 = 10;

/// After so many blocks that were proved, what others failed before says nothing of the next: a trouble of an
/// hour must not have answers of half a second taken as they are told for ever.
pub(super) const FORGOTTEN_AFTER: u32 = 64;

/// Blocks that failed verification, counted, because a node may answer better a moment later.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    doubted: Option<Doubted>,
    /// Whether the last blocks have failed for long.
    are_lasting: bool,
    /// What blocks failed that were taken all the same: there are as many checks as parts of a block.
    known: BTreeSet<FailedCheck>,
    /// How many blocks with transactions were proved since.
    proved: u32,
}

/// How often in a row a block was doubted.
#[derive(Debug)]
struct Doubted {
    block: BlockHash,
    times: u32,
    /// How often of those each check failed, at whichever endpoint: what one says that lies hides nothing of
    /// what others say.
    checks: BTreeMap<FailedCheck, u32>,
}

impl Doubts {
    /// That block was verified after all. Where it has transactions there is nothing that no block passes; what
    /// others failed is still known for a while, for blocks of both kinds may alternate.
    pub(super) fn settled(&mut self, proved: &BlockFacts) {
        let block = proved.block.id.hash;
        self.doubted.take_if(|doubted| doubted.block == block);
        if proved.transactions.is_empty() {
            return;
        }
        self.are_lasting = false;
        self.proved = self.proved.saturating_add(1);
        if self.proved >= FORGOTTEN_AFTER {
            self.known.clear();
        }
    }

    /// Whether the last blocks have failed for long.
    pub(super) const fn are_lasting(&self) -> bool {
        self.are_lasting
    }

    /// Whether a block that fails this will not do better: it has failed it for long, or another did that was
    /// taken, and it need not be tried as often again.
    pub(super) fn is_lasting(&self, block: BlockHash, check: FailedCheck) -> bool {
        let doubted = self.doubted.as_ref();
        let doubted = doubted.filter(|doubted| doubted.block == block);
        let times = doubted.and_then(|doubted| doubted.checks.get(&check));
        check == FailedCheck::Type
            || self.known.contains(&check)
            || times.is_some_and(|times| *times >= MAX_DOUBTS)
    }

    /// A block was taken though it fails this.
    pub(super) fn taken(&mut self, check: FailedCheck) {
        self.are_lasting = true;
        self.proved = 0;
        self.known.insert(check);
    }

    /// What the follower is told after every endpoint that was asked failed: each by its name, and
    /// how.
    pub(super) fn judge(&mut self, failures: Vec<(String, BlockError)>) -> Vec<SourceError> {
        let unverified = failures.iter().filter_map(|(_, error)| match error {
            BlockError::Unverified(error) => Some(error),
            BlockError::Source(_) => None,
        });
        let is_lasting = self.doubt(&unverified.collect::<Vec<_>>()) >= MAX_DOUBTS;
        self.are_lasting |= is_lasting;
        let errors = failures.into_iter().map(|(endpoint, error)| match error {
            BlockError::Source(error) => error,
            BlockError::Unverified(error) => refused(&endpoint, &error, is_lasting),
        });
        errors.collect()
    }

    /// Counts how often in a row a block was doubted, and what it failed. Whoever is asked later is asked for
    /// what is still missing, so it is the block of the last failure.
    fn doubt(&mut self, failures: &[&VerifyError]) -> u32 {
        let Some(block) = failures.last().map(|error| error.block.hash) else {
            return 0;
        };
        let before = self.doubted.take().filter(|known| known.block == block);
        let mut doubted = before.unwrap_or_else(|| Doubted {
            block,
            times: 0,
            checks: BTreeMap::new(),
        });
        let failures = failures.iter().filter(|error| error.block.hash == block);
        let failed: BTreeSet<_> = failures.filter_map(|error| error.fault.check()).collect();
        for check in failed {
            let times = doubted.checks.entry(check).or_default();
            *times = times.saturating_add(1);
        }
        doubted.times = doubted.times.saturating_add(1);
        self.doubted.insert(doubted).times
    }
}

fn refused(endpoint: &str, error: &VerifyError, is_lasting: bool) -> SourceError {
    let text = format!("{endpoint}: {error}");
    if error.may_heal() && !is_lasting {
        SourceError::Transient(text)
    } else {
        SourceError::Permanent(text)
    }
}
