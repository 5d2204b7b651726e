//! Blocks from whichever endpoint has them and whose answer is proved; what it means that none is.

use super::EthereumSource;
use crate::chain::ethereum::{
    endpoint::{BlockError, Endpoint},
    scan::Block,
};
use crate::{
    chain::{SourceError, rpc::Transport},
    domain::{
        block::{BlockRef, Height},
        facts::BlockFacts,
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How long an endpoint's blocks are waited for while there are others to ask instead: they may be large.
const PATIENCE: Duration = Duration::from_secs(20);

impl<T: Transport> EthereumSource<T> {
    /// A few blocks from whoever has them. One that does not verify is asked of another endpoint,
    /// and never skipped.
    pub(in crate::chain::ethereum) async fn part(
        &mut self,
        blocks: &[BlockRef],
    ) -> Result<Vec<BlockFacts>, SourceError> {
        if self.degrades() && self.doubts.are_lasting() {
            return self.as_told(blocks, BTreeMap::new()).await;
        }
        let mut found = BTreeMap::new();
        let mut failures: Vec<(usize, BlockError)> = Vec::new();
        let turns = self.endpoints.turns();
        let asked = turns.len();
        let mut race = self.endpoints.in_turn(turns);
        loop {
            let is_missing = |block: &&BlockRef| !found.contains_key(&block.id.height);
            let missing: Vec<BlockRef> = blocks.iter().filter(is_missing).copied().collect();
            let contracts = Arc::clone(&self.contracts);
            let question = move |endpoint| fetch(endpoint, missing.clone(), Arc::clone(&contracts));
            let next = self.endpoints.next_in_turn(&mut race, PATIENCE, question);
            let Some((at, answer)) = next.await else {
                break;
            };
            match answer {
                Ok((blocks, error)) => {
                    for block in blocks {
                        let facts = self.keep_outline(block);
                        found.insert(facts.block.id.height, facts);
                    }
                    // What it no longer has, it has pruned: it is as good as before for what is new.
                    if let Some(BlockError::Source(error @ SourceError::Transient(_))) = &error {
                        self.endpoints.failed(at, error);
                    }
                    failures.extend(error.map(|error| (at, error)));
                }
                Err(error) => failures.push((at, BlockError::Source(error))),
            }
            if found.len() == blocks.len() {
                break;
            }
        }
        for facts in found.values() {
            self.doubts.settled(facts);
        }
        self.blame(&failures, &found);
        let is_whole = found.len() == blocks.len();
        if !is_whole && self.degrades() && self.will_fail_again(&failures) {
            return self.as_told(blocks, found).await;
        }
        self.note_served(is_whole, &failures);
        if is_whole {
            return Ok(found.into_values().collect());
        }
        let error = self.judge(asked, failures);
        if self.degrades() && self.doubts.are_lasting() {
            return self.as_told(blocks, found).await;
        }
        Err(error)
    }

    /// Notes whether the leader names blocks that others do not have.
    pub(super) fn note_served(&mut self, is_whole: bool, failures: &[(usize, BlockError)]) {
        let is_nowhere = |(at, error): &(usize, BlockError)| {
            !self.endpoints.leads(*at)
                && matches!(error, BlockError::Source(SourceError::Behind(_)))
        };
        let are_missed = !is_whole && failures.iter().any(is_nowhere);
        // With a quorum, whether a poll ended well says it.
        if self.quorum <= 1 || are_missed {
            self.endpoints.served(!are_missed);
        }
    }

    /// Who failed a check that another passed has answered what is not so. What fails with everybody
    /// is nobody's lie.
    pub(super) fn blame(
        &mut self,
        failures: &[(usize, BlockError)],
        found: &BTreeMap<Height, BlockFacts>,
    ) {
        for (at, error) in failures {
            let BlockError::Unverified(error) = error else {
                continue;
            };
            let passed = found.get(&error.block.height);
            if passed.is_some_and(|facts| facts.block.id == error.block) {
                let check = format!("{error}; another endpoint's answer passes");
                self.endpoints.lied(*at, &check);
            }
        }
    }

    /// What the follower is told of blocks that nobody had or that nobody could verify.
    pub(super) fn judge(
        &mut self,
        asked: usize,
        failures: Vec<(usize, BlockError)>,
    ) -> SourceError {
        let failures = failures.into_iter();
        let failures = failures.map(|(at, error)| (self.endpoints.name(at), error));
        let errors = self.doubts.judge(failures.collect());
        self.endpoints.failure_of(asked, &errors)
    }
}

/// What came of some blocks, and the first failure.
type Fetched = (Vec<Block>, Option<BlockError>);

/// A few blocks at once.
async fn fetch<T: Transport>(
    endpoint: Endpoint<T>,
    blocks: Vec<BlockRef>,
    contracts: Arc<[[u8; 20]]>,
) -> Result<Fetched, SourceError> {
    let mut fetches = JoinSet::new();
    for (index, block) in blocks.into_iter().enumerate() {
        let (endpoint, contracts) = (endpoint.clone(), Arc::clone(&contracts));
        fetches.spawn(async move { (index, endpoint.block(&block, &contracts).await) });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(fetched) = fetches.join_next().await {
        let (index, outcome) = fetched
            .map_err(|_| SourceError::Transient("fetching blocks was interrupted".into()))?;
        outcomes.insert(index, outcome);
    }
    let (mut facts, mut first) = (Vec::new(), None);
    for outcome in outcomes.into_values() {
        match outcome {
            Ok(found) => facts.push(found),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Ok((facts, first))
}
