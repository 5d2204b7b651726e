//! What it means that a block did not come from any endpoint. Pure.

use super::{
    endpoint::BlockError,
    verify::{FailedCheck, VerifyError},
};
use crate::{chain::SourceError, domain::block::BlockHash};

/// How often in a row the same block may fail verification before it is an operator's matter:
/// nodes are known to answer with half-written receipts for some seconds after a new block.
const MAX_DOUBTS: u32 = 10;

/// Blocks that failed verification, counted, because a node may answer better a moment later.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    doubted: Option<(BlockHash, u32)>,
    /// What the last block that was doubted for long fails, until another passes.
    lasting: Option<FailedCheck>,
}

impl Doubts {
    /// That block was verified after all.
    pub(super) fn settled(&mut self, block: BlockHash) {
        self.doubted.take_if(|(doubted, _)| *doubted == block);
    }

    /// A block that has transactions was verified: there is nothing that no block passes.
    pub(super) const fn ended(&mut self) {
        self.lasting = None;
    }

    /// Whether the last blocks have failed for long.
    pub(super) const fn are_lasting(&self) -> bool {
        self.lasting.is_some()
    }

    /// Whether a block that fails this will not do better. What the block before it has failed for long
    /// need not be tried as often again.
    pub(super) fn is_lasting(&self, check: FailedCheck) -> bool {
        check == FailedCheck::Type || self.lasting == Some(check)
    }

    /// Another block was taken though it fails this.
    pub(super) const fn taken(&mut self, check: FailedCheck) {
        self.lasting = Some(check);
    }

    /// What the follower is told after every endpoint that was asked failed: each by its name, and
    /// how.
    pub(super) fn judge(&mut self, failures: Vec<(String, BlockError)>) -> Vec<SourceError> {
        let unverified = failures.iter().find_map(|(_, error)| match error {
            BlockError::Unverified(error) => Some((error.block.hash, error.fault.check())),
            BlockError::Source(_) => None,
        });
        let is_lasting = unverified.is_some_and(|(block, _)| self.doubt(block) >= MAX_DOUBTS);
        if is_lasting {
            self.lasting = unverified.and_then(|(_, check)| check);
        }
        let errors = failures.into_iter().map(|(endpoint, error)| match error {
            BlockError::Source(error) => error,
            BlockError::Unverified(error) => refused(&endpoint, &error, is_lasting),
        });
        errors.collect()
    }

    /// Counts how often in a row a block was doubted.
    fn doubt(&mut self, block: BlockHash) -> u32 {
        let before = self.doubted.filter(|(doubted, _)| *doubted == block);
        let doubts = before.map_or(0, |(_, doubts)| doubts).saturating_add(1);
        self.doubted = Some((block, doubts));
        doubts
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

/// The errors of all endpoints as one, the same whoever was asked first: it is told once. An operator
/// must act only when that is so at all of them.
pub(super) fn all_failed(errors: &[SourceError]) -> SourceError {
    let mut texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    let text = texts.join("; ");
    let is = |kind: fn(&SourceError) -> bool| errors.iter().any(kind);
    if errors.is_empty() {
        SourceError::Permanent("no endpoint is configured".to_owned())
    } else if is(|error| matches!(error, SourceError::Transient(_))) {
        SourceError::Transient(text)
    } else if is(|error| matches!(error, SourceError::Behind(_))) {
        SourceError::Behind(text)
    } else {
        SourceError::Permanent(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_endpoint_can_mend_is_an_operator_s_matter() {
        let transient = || SourceError::Transient("busy".to_owned());
        let behind = || SourceError::Behind("low".to_owned());
        let permanent = || SourceError::Permanent("other chain".to_owned());
        for (errors, expected) in [
            (vec![transient()], transient()),
            (vec![behind()], behind()),
            (vec![permanent()], permanent()),
            (
                vec![permanent(), transient()],
                SourceError::Transient("busy; other chain".to_owned()),
            ),
            (
                vec![behind(), transient()],
                SourceError::Transient("busy; low".to_owned()),
            ),
            (
                vec![permanent(), behind()],
                SourceError::Behind("low; other chain".to_owned()),
            ),
            (
                vec![permanent(), permanent()],
                SourceError::Permanent("other chain; other chain".to_owned()),
            ),
        ] {
            assert_eq!(all_failed(&errors), expected);
        }
    }
}
