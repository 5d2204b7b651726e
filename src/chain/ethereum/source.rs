//! Ethereum as a follower sees it: verified blocks, tags and no mempool, from one of its endpoints.
//!
//! Whoever fails, another is asked the same. Below: blocks from whoever proves them (`proven`), or as they are told (`unproven`), how far several
//! hold the same chain (`agreement`), and whether who leads should (`comparison`). Nothing here knows who is watched.

mod agreement;
mod comparison;
mod doubts;
mod proven;
mod shown;
mod unproven;
mod width;

use super::{
    endpoint::Endpoint,
    endpoints::{Endpoints, StandingObserver},
    heads::Announced,
    inner::{Able, Tracing},
    network::Network,
    token::{self, TokenSpec},
};
use crate::{
    chain::{
        Agreement, ChainSource, MempoolNews, NodeStatus, SourceError, TracedBlock,
        rpc::{Auth, Client, HttpTransport, Observer, Transport},
    },
    clock::Clock,
    config::{EthereumNode, OnUnverifiable},
    domain::{
        amount::Amount,
        block::{BlockId, BlockRef, Height, TxId},
        facts::{BlockFacts, Destination, OutPoint, TxFacts},
        view::TracedBy,
    },
};
use comparison::Comparison;
use doubts::Doubts;
use std::{future::ready, sync::Arc, time::Duration};
use width::Width;

/// A block that is announced is so many blocks from the tip at most: reorganisations announce lower ones.
const NEAR: u32 = 16;

/// How long one endpoint is waited for while there are others to ask instead.
const PATIENCE: Duration = Duration::from_secs(5);

/// An EVM chain behind one or more endpoints.
pub struct EthereumSource<T> {
    pub(super) endpoints: Endpoints<T>,
    tokens: Arc<[TokenSpec]>,
    contracts: Arc<[[u8; 20]]>,
    doubts: Doubts,
    /// What becomes of a block that nobody can verify.
    on_unverifiable: OnUnverifiable,
    /// Who runs each endpoint.
    pub(super) operators: Vec<String>,
    /// How many operators must hold a block.
    pub(super) quorum: usize,
    /// Whether a quorum holds the tip of the last status.
    has_agreed_tip: bool,
    /// Who has blocks well beyond it, in words.
    beyond: Vec<String>,
    /// Who told its tip then.
    answered: Vec<usize>,
    /// That two quorums contradict each other, in words.
    split: Option<String>,
    /// Whether they did when somebody was last asked who could tell.
    was_split: bool,
    /// The block that an endpoint announced last.
    announced: Arc<Announced>,
    /// The tip of the last status.
    pub(super) tip: Option<BlockId>,
    pub(super) tracing: Tracing,
    /// Who can tell what contracts moved.
    pub(super) able: Able,
    /// How many blocks are fetched at a time.
    width: Width,
    /// Of the leader with others, where no quorum is asked.
    comparison: Comparison,
}

impl EthereumSource<HttpTransport> {
    /// The configured endpoints over HTTP, each with an observer of its calls; nothing is asked yet.
    ///
    /// # Errors
    /// `Permanent` when a URL cannot be used.
    pub fn new(
        node: &EthereumNode,
        tokens: Vec<TokenSpec>,
        clock: &Arc<dyn Clock>,
        observer: impl Fn(&str) -> Observer,
    ) -> Result<Self, SourceError> {
        let clients = node.endpoints.iter().map(|endpoint| {
            let name = &endpoint.name;
            let transport = HttpTransport::new(&endpoint.url.0)
                .map_err(|error| SourceError::Permanent(format!("{name}: {error}")))?;
            let clock = Arc::clone(clock);
            Ok(Client::new(
                name,
                transport,
                Auth::None,
                clock,
                observer(name),
            ))
        });
        let clients = clients.collect::<Result<_, SourceError>>()?;
        let source = Self::over(clients, Network::of(node), tokens, Arc::clone(clock));
        let operators = node.endpoints.iter();
        let operators = operators.map(|endpoint| endpoint.operator().to_owned());
        let source = source.on_unverifiable(node.on_unverifiable);
        Ok(source.with_quorum(node.quorum, operators.collect()))
    }
}

impl<T: Transport> EthereumSource<T> {
    /// Endpoints behind any transport; nothing is asked yet.
    #[must_use]
    pub fn over(
        clients: Vec<Client<T>>,
        network: Network,
        tokens: Vec<TokenSpec>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            endpoints: Endpoints::new(clients, network, clock),
            contracts: tokens.iter().map(|token| token.contract).collect(),
            tokens: tokens.into(),
            doubts: Doubts::default(),
            on_unverifiable: OnUnverifiable::Stop,
            operators: Vec::new(),
            quorum: 1,
            has_agreed_tip: false,
            beyond: Vec::new(),
            answered: Vec::new(),
            split: None,
            was_split: false,
            announced: Arc::default(),
            tip: None,
            tracing: Tracing::default(),
            able: Able::default(),
            width: Width::default(),
            comparison: Comparison::default(),
        }
    }

    /// With so many operators that must hold a block; who runs each endpoint, in their order.
    #[must_use]
    pub fn with_quorum(self, quorum: u32, operators: Vec<String>) -> Self {
        Self {
            quorum: usize::try_from(quorum).unwrap_or(usize::MAX),
            operators,
            ..self
        }
    }

    /// With this done about blocks that nobody can verify.
    #[must_use]
    pub fn on_unverifiable(self, on_unverifiable: OnUnverifiable) -> Self {
        Self {
            on_unverifiable,
            ..self
        }
    }

    /// With somebody who is told how each endpoint stands.
    #[must_use]
    pub fn observed(mut self, observer: StandingObserver) -> Self {
        self.endpoints.observe(observer);
        self
    }

    /// What contracts move is looked for too, which an earlier run knew in this way.
    #[must_use]
    pub fn looking_inside(self, before: Option<TracedBy>) -> Self {
        Self {
            able: Able::wanted(before),
            ..self
        }
    }

    /// Where whoever listens to an endpoint says which block it announced: that is asked for first.
    #[must_use]
    pub fn announced(&self) -> Arc<Announced> {
        Arc::clone(&self.announced)
    }

    /// Begins to ask whoever leads for the block that was announced last, unless that cannot be the next; nobody
    /// holds an earlier one any longer.
    fn ask_ahead(&self) {
        let is_near = |block: &BlockId| {
            let away = self.tip.map(|tip| tip.height.0.abs_diff(block.height.0));
            away.is_none_or(|away| away <= NEAR)
        };
        let announced = self.announced.take().filter(is_near);
        let leader = self.endpoints.leads_at();
        for (at, endpoint) in self.endpoints.all() {
            endpoint.ask_ahead(announced.filter(|_| at == leader));
        }
    }

    /// The state of one endpoint, which must have the tokens as configured. A node that is still
    /// syncing may not have their contracts yet, so it is not asked for them.
    pub(super) async fn status_of(
        &mut self,
        at: usize,
        patience: Option<Duration>,
    ) -> Result<NodeStatus, SourceError> {
        let tokens = Some(Arc::clone(&self.tokens)).filter(|_| !self.endpoints.is_vetted(at));
        let question = |endpoint| fit_status(endpoint, tokens.clone());
        let status = self.endpoints.ask_one(at, patience, question).await?;
        if !status.syncing {
            self.endpoints.vetted(at);
        }
        Ok(status)
    }

    /// The first endpoint that answers, and is not syncing while another is not, leads from here on.
    async fn status_of_one(&mut self) -> Result<NodeStatus, SourceError> {
        let (mut syncing, mut errors) = (None, Vec::new());
        let turns = self.endpoints.turns();
        let asked = turns.len();
        let vetted = turns.iter().filter(|at| self.endpoints.is_vetted(**at));
        let vetted: Vec<String> = vetted.map(|at| self.endpoints.name(*at)).collect();
        let mut race = self.endpoints.in_turn(turns);
        let tokens = Arc::clone(&self.tokens);
        let question = move |endpoint: Endpoint<T>| {
            let is_vetted = vetted.contains(&endpoint.to_string());
            fit_status(endpoint, Some(Arc::clone(&tokens)).filter(|_| !is_vetted))
        };
        while let Some((at, answer)) = self
            .endpoints
            .next_in_turn(&mut race, PATIENCE, question.clone())
            .await
        {
            match answer {
                Ok(status) if status.syncing => drop(syncing.get_or_insert((at, status))),
                Ok(status) => {
                    self.endpoints.vetted(at);
                    self.endpoints.lead(at);
                    return Ok(status);
                }
                Err(error) => errors.push(error),
            }
        }
        let Some((at, status)) = syncing else {
            return Err(self.endpoints.failure_of(asked, &errors));
        };
        self.endpoints.lead(at);
        Ok(status)
    }
}

impl<T: Transport> ChainSource for EthereumSource<T> {
    async fn connect(&mut self) -> Result<(), SourceError> {
        self.endpoints.reconnect();
        let mut errors = Vec::new();
        let turns = self.endpoints.turns();
        let asked = turns.len();
        let mut race = self.endpoints.in_turn(turns);
        let question = |_| ready(Ok(()));
        while let Some((at, answer)) = self
            .endpoints
            .next_in_turn(&mut race, PATIENCE, question)
            .await
        {
            match answer {
                Ok(()) => {
                    self.endpoints.lead(at);
                    return Ok(());
                }
                Err(error) => errors.push(error),
            }
        }
        Err(self.endpoints.failure_of(asked, &errors))
    }

    /// What a quorum says. Without one, what an endpoint says alone: no tags, where others should have
    /// been asked.
    async fn status(&mut self) -> Result<NodeStatus, SourceError> {
        self.ask_ahead();
        self.meet_witnesses().await;
        let status = if self.quorum <= 1 {
            let status = self.status_of_one().await?;
            self.compare_leader(status.tip).await;
            status
        } else {
            let agreed = self.agreed_status().await;
            self.has_agreed_tip = agreed.is_some();
            match agreed {
                Some(status) => status,
                None => NodeStatus {
                    finalized: None,
                    safe: None,
                    tagged: false,
                    ..self.status_of_one().await?
                },
            }
        };
        self.tip = Some(status.tip.id);
        Ok(status)
    }

    async fn headers(&mut self, from: Height, count: u32) -> Result<Vec<BlockRef>, SourceError> {
        let question =
            move |endpoint: Endpoint<T>| async move { endpoint.headers(from, count).await };
        self.endpoints.ask(question).await
    }

    async fn blocks(&mut self, blocks: &[BlockRef]) -> Result<Vec<BlockFacts>, SourceError> {
        let mut verified = Vec::with_capacity(blocks.len());
        let mut rest = blocks;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(self.width.blocks().min(rest.len()));
            let facts = self.part(part).await;
            self.width.learn(part.len(), facts.is_ok());
            verified.extend(facts?);
            rest = later;
        }
        Ok(verified)
    }

    /// A node with another block at that height says that ours is off its best chain, whether or
    /// not it ever knew ours: anvil forgets a block with the reorg, geth remembers it.
    async fn is_stale(&mut self, block: BlockId) -> Result<bool, SourceError> {
        let question =
            move |endpoint: Endpoint<T>| async move { endpoint.contradicts(block).await };
        self.endpoints.ask(question).await
    }

    fn has_agreed_tip(&self) -> bool {
        self.has_agreed_tip
    }

    fn beyond_agreed(&self) -> Vec<String> {
        self.beyond.clone()
    }

    fn doubt_leader(&mut self) {
        self.endpoints.served(false);
    }

    async fn agreement(&mut self, ours: &[BlockRef]) -> Agreement {
        if self.quorum > 1 {
            self.agreement_on(ours).await
        } else {
            Agreement::with_all(ours)
        }
    }

    async fn traces(&mut self, blocks: &[BlockRef]) -> Vec<TracedBlock> {
        self.traced(blocks).await
    }

    async fn growth(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> Result<Vec<Vec<Amount>>, SourceError> {
        self.grown(block, destinations).await
    }

    async fn balances(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> Result<Vec<Vec<Amount>>, SourceError> {
        self.had(block, destinations).await
    }

    fn traced_by(&self) -> Option<TracedBy> {
        self.method()
    }

    async fn mempool(&mut self) -> Result<MempoolNews, SourceError> {
        Ok(MempoolNews::default())
    }

    async fn unconfirmed(&mut self, _: &[Destination]) -> Result<Vec<TxFacts>, SourceError> {
        Ok(Vec::new())
    }

    async fn spenders(&mut self, outpoints: &[OutPoint]) -> Result<Vec<Option<TxId>>, SourceError> {
        Ok(vec![None; outpoints.len()])
    }
}

/// An endpoint's state; where these tokens are given, it must have them as configured. A node that is still
/// syncing may not have their contracts yet, so it is not asked for them.
async fn fit_status<T: Transport>(
    endpoint: Endpoint<T>,
    tokens: Option<Arc<[TokenSpec]>>,
) -> Result<NodeStatus, SourceError> {
    let status = endpoint.status().await?;
    if let Some(tokens) = tokens.filter(|_| !status.syncing) {
        let problems = token::problems(&endpoint, &tokens).await?;
        if !problems.is_empty() {
            return Err(SourceError::Permanent(problems.join("; ")));
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests;
