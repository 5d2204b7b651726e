//! What a source tells of ether that contracts moved, and what vouches for it.

use super::{
    endpoint::{Endpoint, Tracer},
    endpoints::STRAGGLERS,
    quorum,
    scan::Block,
    source::EthereumSource,
    trace::Format,
    witnesses::{Heard, Outline, Verdict, Witness},
};
use crate::{
    chain::{Moves, SourceError, TracedBlock, rpc::Transport},
    domain::{
        amount::Amount,
        block::BlockRef,
        evidence::Evidence,
        facts::{BlockFacts, Candidate, Destination},
        view::TracedBy,
    },
};
use alloy_primitives::U256;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long balances are waited for.
const BALANCES_PATIENCE: Duration = Duration::from_secs(4);

/// How long it may take to say that a method is there.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// How often is asked who did not say.
const PROBE_EVERY_MS: u64 = 60_000;

/// Longer than either, so that whoever is slow with these alone is not taken for one that is silent.
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

    /// Whether somebody can tell what contracts move. One that was not reached yet counts where an earlier
    /// run knew one that can.
    fn may_trace(&self) -> bool {
        let mut all = self.endpoints.all();
        self.wants_traces && all.any(|(_, endpoint)| self.may_tell(endpoint))
    }

    const fn may_tell(&self, endpoint: &Endpoint<T>) -> bool {
        match endpoint.tracer() {
            Tracer::Tells(_) => true,
            Tracer::Unknown => self.expects_traces,
            Tracer::Balances | Tracer::Missing => false,
        }
    }

    /// Asks those of whom it is not known yet whether they can tell what contracts move.
    pub(super) async fn meet_witnesses(&mut self) {
        if !self.wants_traces {
            return;
        }
        let back = self.endpoints.back();
        let is_unknown = |(at, endpoint): &(usize, &Endpoint<T>)| {
            endpoint.tracer() == Tracer::Unknown && back.contains(at)
        };
        let unknown = self.endpoints.all().filter(is_unknown);
        let whom: Vec<usize> = unknown.map(|(at, _)| at).collect();
        let now_ms = self.endpoints.now_ms();
        let is_due = !whom.is_empty() && now_ms >= self.next_probe_ms;
        let is_first = whom.iter().any(|at| self.endpoints.is_untried(*at));
        if is_due {
            self.next_probe_ms = now_ms.saturating_add(PROBE_EVERY_MS);
            self.probe(&whom);
        }
        // Blocks that come before anybody is known to tell it are not asked about.
        let patience = match (is_due, is_first && !self.may_trace()) {
            (false, _) => Duration::ZERO,
            (true, false) => STRAGGLERS,
            (true, true) => CONNECT_PATIENCE,
        };
        self.meet(Instant::now() + patience).await;
    }

    fn probe(&mut self, whom: &[usize]) {
        for at in whom {
            let question = |endpoint: Endpoint<T>| async move {
                let probing = timeout(PROBE_PATIENCE, endpoint.probe_tracer());
                Ok(probing.await.unwrap_or(Ok(Tracer::Unknown)))
            };
            let probing = &mut self.probing;
            self.endpoints
                .begin(probing, *at, CONNECT_PATIENCE, question);
        }
    }

    /// Takes what has come until then, and what comes soon after the first who can tell it.
    async fn meet(&mut self, mut until: Instant) {
        while let Some((at, answer)) = self.endpoints.next(&mut self.probing, until).await {
            if let Ok(Ok(tracer)) = answer {
                self.expects_traces |= tracer.format().is_some();
                self.endpoints.found(at, tracer);
            }
            if self.may_trace() {
                until = until.min(Instant::now() + STRAGGLERS);
            }
        }
    }

    /// By the best that any endpoint offers; nothing while that is not known.
    pub(super) fn method(&self) -> Option<TracedBy> {
        let tracers = || self.endpoints.all().map(|(_, endpoint)| endpoint.tracer());
        let any = |tracer: Tracer| tracers().any(|known| known == tracer);
        if !self.wants_traces {
            None
        } else if any(Tracer::Tells(Format::Calls)) {
            Some(TracedBy::CallTracer)
        } else if any(Tracer::Tells(Format::Flat)) {
            Some(TracedBy::TraceBlock)
        } else if self.may_trace() || tracers().all(|known| known == Tracer::Unknown) {
            None
        } else if any(Tracer::Balances) {
            Some(TracedBy::Balance)
        } else {
            Some(TracedBy::Nothing)
        }
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
            if self.tracing.is_running(block.id.hash) || self.tracing.is_full() {
                continue;
            }
            match self.outline(block).await {
                Ok(Some(outline)) => {
                    let witnesses = self.witnesses();
                    self.tracing.begin(*block, outline, witnesses);
                }
                Ok(None) => told.push((*block, Ok(BlockFacts::empty(*block).into()))),
                Err(error) => told.push((*block, Err(error))),
            }
        }
        for (block, verdict) in self.tracing.finished(blocks).await {
            told.push((block, self.conclude(block, verdict)));
        }
        told
    }

    /// One operator's word is taken where nobody else can tell, or does not for long.
    fn conclude(&mut self, block: BlockRef, verdict: Verdict) -> Result<Moves, SourceError> {
        let Verdict { outline, outcome } = verdict;
        let (mut is_disputed, mut is_sole) = (false, false);
        let credits = match outcome? {
            Heard::Witnessed(credits) => as_proven(&outline, credits),
            Heard::Disputed(credits) => {
                is_disputed = true;
                as_proven(&outline, credits)
            }
            Heard::Sole { operator, credits } => {
                let others = self.endpoints.all();
                let mut others = others.filter(|(at, _)| self.operator(*at) != operator);
                is_sole = others.any(|(_, other)| self.may_tell(other));
                if is_sole && !self.tracing.waited_long_for(block.id.hash) {
                    let height = block.id.height;
                    let text =
                        format!("block {height}: only {operator} tells what contracts moved");
                    return Err(SourceError::Transient(text));
                }
                credits
            }
        };
        self.tracing.forget(block.id.hash);
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
        let able = all.filter(|(at, _)| back.contains(at));
        let witness = |(at, endpoint): (usize, &Endpoint<T>)| {
            Some(Witness {
                operator: self.operator(at),
                format: endpoint.tracer().format()?,
                endpoint: endpoint.clone(),
            })
        };
        let (mut first, mut further) = (Vec::<Witness<T>>::new(), Vec::new());
        for witness in able.filter_map(witness) {
            if first.iter().any(|known| known.operator == witness.operator) {
                further.push(witness);
            } else {
                first.push(witness);
            }
        }
        first.extend(further);
        first
    }

    fn operator(&self, at: usize) -> String {
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
        let answers = self
            .endpoints
            .ask_aside(&whom, CONNECT_PATIENCE, question)
            .await;
        let mut all = vec![Vec::new(); amounts];
        let (mut heard, mut errors) = (Vec::new(), Vec::new());
        for (at, answer) in answers {
            let operator = self.operator(at);
            match answer {
                Ok(said) if !heard.contains(&operator) => {
                    heard.push(operator);
                    for (told, amount) in all.iter_mut().zip(said) {
                        told.extend(amount.map(Amount::from_base));
                    }
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        if heard.is_empty() {
            return Err(self.endpoints.failure_of(whom.len(), &errors));
        }
        Ok(all)
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
        evidence: Evidence::Told,
        ..credit
    }
}

fn no_balances<T: Transport>(endpoint: &Endpoint<T>) -> SourceError {
    SourceError::Transient(format!("{endpoint}: no balances"))
}
