//! What a source tells of ether that contracts moved, and what vouches for it.

mod able;
mod rests;
mod tracers;
mod witnesses;

pub(super) use able::Able;
pub(super) use witnesses::Tracing;

use super::{endpoint::Endpoint, quorum, scan::Block, source::EthereumSource, trace::Outline};
use crate::{
    bugs::{Bug, planted},
    chain::{Moves, SourceError, TracedBlock, rpc::Transport, tracers, witnesses},
    domain::{
        amount::Amount,
        block::BlockRef,
        evidence::Evidence,
        facts::{BlockFacts, Candidate, Destination},
    },
};
use alloy_primitives::U256;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::timeout;
use witnesses::{Heard, Verdict, Witness};

/// How long balances are waited for.
const BALANCES_PATIENCE: Duration = Duration::from_secs(4);

/// Longer than that, so that whoever is slow with these alone is not taken for one that is silent.
const CONNECT_PATIENCE: Duration = Duration::from_secs(8);

impl<T: Transport> EthereumSource<T> {
    /// Keeps what a block's traces will be compared with, where they are looked for.
    pub(super) fn keep_outline(&mut self, block: Block) -> BlockFacts {
        let Block { mut facts, outline } = block;
        facts.awaits_trace &= self.may_trace();
        if let Some(outline) = outline.filter(|_| facts.awaits_trace) {
            self.tracing.keep(facts.block.id.hash, outline);
        }
        facts
    }

    /// Whether as many operators can tell what contracts move as must. One that was not reached yet counts where an earlier run knew one that can.
    pub(super) fn may_trace(&self) -> bool {
        self.able.is_wanted && self.has_tellers(|endpoint| self.may_tell(endpoint))
    }

    /// Whether as many operators as must have an endpoint that is so.
    pub(super) fn has_tellers(&self, is_so: impl Fn(&Endpoint<T>) -> bool) -> bool {
        let so = self.endpoints.all().filter(|(_, endpoint)| is_so(endpoint));
        let operators: BTreeSet<String> = so.map(|(at, _)| self.operator(at)).collect();
        let needed = Some(tracers(self.quorum)).filter(|_| !planted(Bug::SoleTracerTrusted));
        operators.len() >= needed.unwrap_or(1)
    }

    /// Begins to trace those that are not, and tells what has come.
    pub(super) async fn traced(&mut self, blocks: &[BlockRef]) -> Vec<TracedBlock> {
        let mut told = Vec::new();
        if !self.may_trace() {
            let error = SourceError::Permanent("no endpoint tells what contracts move".into());
            return blocks
                .iter()
                .map(|block| (*block, Err(error.clone())))
                .collect();
        }
        for block in blocks {
            let hash = block.id.hash;
            let is_begun = self.tracing.is_running(hash) || self.tracing.rests.is_resting(hash);
            if is_begun || self.tracing.is_full() {
                continue;
            }
            match self.outline(block).await {
                Ok(Some(outline)) => {
                    let witnesses = self.witnesses();
                    let needed = self::witnesses(self.quorum);
                    self.tracing.begin(*block, outline, witnesses, needed);
                }
                Ok(None) => told.push((*block, Ok(BlockFacts::empty(*block).into()))),
                Err(error) => told.push((*block, Err(error))),
            }
        }
        for (block, verdict) in self.tracing.finished(blocks).await {
            self.heed(block, &verdict.said);
            let answer = self.conclude(block, verdict);
            let is_settled = answer.as_ref().is_ok_and(|moves| moves.dispute.is_none());
            if is_settled {
                self.tracing.rests.forget(block.id.hash);
            }
            told.push((block, answer));
        }
        told
    }

    /// One operator's word is taken where nobody else can tell, or does not for long.
    fn conclude(&mut self, block: BlockRef, verdict: Verdict) -> Result<Moves, SourceError> {
        let Verdict {
            outline, outcome, ..
        } = verdict;
        self.tracing.rests.rest(block.id.hash);
        let (mut is_disputed, mut is_sole) = (false, false);
        let credits = match outcome? {
            Heard::Witnessed(credits) => as_proven(&outline, credits),
            Heard::Disputed(credits) => {
                is_disputed = true;
                as_proven(&outline, credits)
            }
            Heard::Sole { operator, credits } => {
                let others = self.endpoints.all();
                let others = others
                    .filter(|(at, other)| self.operator(*at) != operator && self.may_tell(other));
                let others: Vec<usize> = others.map(|(at, _)| at).collect();
                is_sole = !others.is_empty();
                let are_awaited = others.iter().any(|at| !self.able.tracers.is_silent(*at));
                let rests = &mut self.tracing.rests;
                if are_awaited && !rests.has_waited_for_others(block.id.hash) {
                    let height = block.id.height;
                    let text =
                        format!("block {height}: only {operator} tells what contracts moved");
                    return Err(SourceError::Transient(text));
                }
                credits
            }
        };
        let height = block.id.height;
        let unproven = || "its transactions are taken as they are told".to_owned();
        let dispute = || format!("operators tell different moves of contracts in block {height}");
        Ok(Moves {
            facts: BlockFacts {
                transactions: outline.transactions.to_vec(),
                credits: credits.into_iter().collect(),
                awaits_trace: is_sole,
                unproven: (!outline.is_proven).then(unproven),
                ..BlockFacts::empty(block)
            },
            dispute: is_disputed.then(|| SourceError::Transient(dispute())),
        })
    }

    /// What a block's traces are compared with, fetched again where it is no longer known; nothing where no
    /// code can have run in it.
    async fn outline(&mut self, block: &BlockRef) -> Result<Option<Outline>, SourceError> {
        if let Some(outline) = self.tracing.outline(block.id.hash) {
            return Ok(Some(outline));
        }
        self.part(&[*block]).await?;
        Ok(self.tracing.outline(block.id.hash))
    }

    /// Who can tell what contracts move and is not left alone now, one of each operator first.
    fn witnesses(&self) -> Vec<Witness<T>> {
        let back = self.endpoints.back();
        let all = self.endpoints.all();
        let witness = |(at, endpoint): (usize, &Endpoint<T>)| {
            Some(Witness {
                at,
                operator: self.operator(at),
                format: endpoint.tracer().format()?,
                endpoint: endpoint.clone(),
            })
        };
        let asked = all.filter(|(at, _)| back.contains(at));
        let mut able: Vec<Witness<T>> = asked.filter_map(witness).collect();
        let says = |witness: &Witness<T>| !self.able.tracers.is_silent(witness.at);
        if able.iter().any(says) {
            able.retain(says);
        }
        let (mut first, mut further) = (Vec::<Witness<T>>::new(), Vec::new());
        for witness in able {
            if first.iter().any(|known| known.operator == witness.operator) {
                further.push(witness);
            } else {
                first.push(witness);
            }
        }
        first.extend(further);
        first
    }

    pub(super) fn operator(&self, at: usize) -> String {
        quorum::operator(&self.operators, at)
    }

    /// By how much balances grew in a block, as each operator says who can tell.
    pub(super) async fn grown(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> Result<Vec<Vec<Amount>>, SourceError> {
        let accounts = destinations.to_vec();
        let question = move |endpoint: Endpoint<T>| {
            let accounts = accounts.clone();
            async move {
                let asked = timeout(BALANCES_PATIENCE, endpoint.balances(&block, &accounts)).await;
                let grew = |(after, before): (U256, U256)| after.saturating_sub(before);
                let balances = asked.unwrap_or_else(|_| Err(no_balances(&endpoint)))?;
                Ok(balances.into_iter().map(|both| both.map(grew)).collect())
            }
        };
        self.by_operator(destinations.len(), question).await
    }

    /// What these accounts had after a block, as each operator says who can tell.
    pub(super) async fn had(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> Result<Vec<Vec<Amount>>, SourceError> {
        let (accounts, hash) = (destinations.to_vec(), block.id.hash);
        let question = move |endpoint: Endpoint<T>| {
            let accounts = accounts.clone();
            async move {
                let asked = timeout(BALANCES_PATIENCE, endpoint.balances_at(hash, &accounts)).await;
                asked.unwrap_or_else(|_| Err(no_balances(&endpoint)))
            }
        };
        self.by_operator(destinations.len(), question).await
    }

    /// So many amounts, each as every operator says it who can tell.
    async fn by_operator<F>(
        &mut self,
        amounts: usize,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
    ) -> Result<Vec<Vec<Amount>>, SourceError>
    where
        F: Future<Output = Result<Vec<Option<U256>>, SourceError>> + Send + 'static,
    {
        let whom = self.endpoints.back();
        let (operators, witnesses) = (&self.operators, witnesses(self.quorum));
        let suffices = |said: &[(usize, &Vec<Option<U256>>)]| {
            let all_told =
                |(_, told): &&(usize, &Vec<Option<U256>>)| told.iter().all(Option::is_some);
            said.iter().filter(all_told).any(|(_, told)| {
                let alike = said.iter().filter(|(_, other)| other == told);
                let who = alike.map(|(at, _)| quorum::operator(operators, *at));
                who.collect::<BTreeSet<String>>().len() >= witnesses
            })
        };
        let answers = self
            .endpoints
            .ask_aside(&whom, CONNECT_PATIENCE, question, suffices)
            .await;
        // Each operator's first word on each: another endpoint of its may know what one has dropped.
        let mut all: Vec<BTreeMap<String, Amount>> = vec![BTreeMap::new(); amounts];
        let (mut is_heard, mut errors) = (false, Vec::new());
        for (at, answer) in answers {
            let said = match answer {
                Ok(said) => said,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            is_heard = true;
            for (told, amount) in all.iter_mut().zip(said) {
                if let Some(amount) = amount {
                    let of_operator = told.entry(self.operator(at));
                    of_operator.or_insert_with(|| Amount::from_base(amount));
                }
            }
        }
        if !is_heard {
            return Err(self.endpoints.failure_of(whom.len(), &errors));
        }
        let told = all.into_iter().map(|told| told.into_values().collect());
        Ok(told.collect())
    }
}

/// What is witnessed of a block, which proves no transactions where it is not proven itself.
fn as_proven(outline: &Outline, credits: Vec<Candidate>) -> Vec<Candidate> {
    if outline.is_proven {
        credits
    } else {
        credits.into_iter().map(as_told).collect()
    }
}

/// A credit of a block that is not proven itself: not worth more than the block.
fn as_told(credit: Candidate) -> Candidate {
    Candidate {
        evidence: credit.evidence.min(Evidence::Told),
        ..credit
    }
}

fn no_balances<T: Transport>(endpoint: &Endpoint<T>) -> SourceError {
    SourceError::Transient(format!("{endpoint}: no balances"))
}
