//! Ethereum as a follower sees it: verified blocks, tags and no mempool, from one endpoint.
//!
//! Tracing, several endpoints and their quorum have their place between this file and
//! [`super::endpoint`]; nothing here knows who is watched.

use super::{
    endpoint::{BlockError, Doubts, Endpoint},
    network::Network,
    token::{self, TokenSpec},
};
use crate::{
    chain::{
        ChainSource, MempoolNews, NodeStatus, SourceError,
        rpc::{Auth, Client, HttpTransport, Observer, Transport},
    },
    clock::Clock,
    config::EthereumNode,
    domain::{
        block::{BlockId, BlockRef, Height, TxId},
        facts::{BlockFacts, Destination, OutPoint, TxFacts},
    },
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinSet;

/// Blocks fetched at a time: hides the round trip to a distant endpoint, and stays far below the
/// request rates of hosted ones.
const CONCURRENT_BLOCKS: usize = 4;

/// An EVM chain behind one endpoint.
pub struct EthereumSource<T> {
    endpoint: Endpoint<T>,
    tokens: Vec<TokenSpec>,
    contracts: Arc<[[u8; 20]]>,
    /// Whether the tokens were found as configured since the last connection.
    tokens_checked: bool,
    doubts: Doubts,
}

impl EthereumSource<HttpTransport> {
    /// The first configured endpoint over HTTP; nothing is asked yet.
    ///
    /// # Errors
    /// `Permanent` when there is no endpoint, or its URL cannot be used.
    pub fn new(
        node: &EthereumNode,
        tokens: Vec<TokenSpec>,
        clock: Arc<dyn Clock>,
        observer: Observer,
    ) -> Result<Self, SourceError> {
        let endpoint = node
            .endpoints
            .first()
            .ok_or_else(|| SourceError::Permanent("no endpoint is configured".to_owned()))?;
        let transport = HttpTransport::new(&endpoint.url.0)
            .map_err(|error| SourceError::Permanent(format!("{}: {error}", endpoint.name)))?;
        let client = Client::new(&endpoint.name, transport, Auth::None, clock, observer);
        Ok(Self::with_client(client, Network::of(node), tokens))
    }
}

impl<T: Transport> EthereumSource<T> {
    /// An endpoint behind any transport; nothing is asked yet.
    #[must_use]
    pub fn with_client(client: Client<T>, network: Network, tokens: Vec<TokenSpec>) -> Self {
        Self {
            endpoint: Endpoint::new(client, network),
            contracts: tokens.iter().map(|token| token.contract).collect(),
            tokens,
            tokens_checked: false,
            doubts: Doubts::default(),
        }
    }

    /// Whether the node can tell of calls inside transactions.
    pub async fn can_trace(&self) -> bool {
        self.endpoint.can_trace().await
    }

    /// Each configured token that the node does not have as configured, with what is wrong.
    /// The source must be connected.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn token_problems(&self) -> Result<Vec<String>, SourceError> {
        let mut problems = Vec::new();
        for token in &self.tokens {
            match token::check(&self.endpoint, token).await {
                Ok(()) => {}
                Err(SourceError::Permanent(problem)) => problems.push(problem),
                Err(error @ (SourceError::Transient(_) | SourceError::Behind(_))) => {
                    return Err(error);
                }
            }
        }
        Ok(problems)
    }

    /// A node that is still syncing may not have the contracts yet, so it is asked afterwards.
    async fn check_tokens(&mut self, syncing: bool) -> Result<(), SourceError> {
        if self.tokens_checked || syncing {
            return Ok(());
        }
        let problems = self.token_problems().await?;
        self.tokens_checked = problems.is_empty();
        if self.tokens_checked {
            return Ok(());
        }
        Err(SourceError::Permanent(problems.join("; ")))
    }

    /// A few blocks at once; every outcome in the order asked.
    async fn fetch(
        &self,
        blocks: &[BlockRef],
    ) -> Result<Vec<Result<BlockFacts, BlockError>>, SourceError> {
        let mut fetches = JoinSet::new();
        for (index, block) in blocks.iter().copied().enumerate() {
            let endpoint = self.endpoint.clone();
            let contracts = Arc::clone(&self.contracts);
            fetches.spawn(async move { (index, endpoint.block(&block, &contracts).await) });
        }
        let mut outcomes = BTreeMap::new();
        while let Some(fetched) = fetches.join_next().await {
            let (index, outcome) = fetched
                .map_err(|_| SourceError::Transient("fetching blocks was interrupted".into()))?;
            outcomes.insert(index, outcome);
        }
        Ok(outcomes.into_values().collect())
    }
}

impl<T: Transport> ChainSource for EthereumSource<T> {
    async fn connect(&mut self) -> Result<(), SourceError> {
        self.tokens_checked = false;
        self.endpoint.connect().await
    }

    async fn status(&mut self) -> Result<NodeStatus, SourceError> {
        let status = self.endpoint.status().await?;
        self.check_tokens(status.syncing).await?;
        Ok(status)
    }

    async fn headers(&mut self, from: Height, count: u32) -> Result<Vec<BlockRef>, SourceError> {
        self.endpoint.headers(from, count).await
    }

    async fn blocks(&mut self, blocks: &[BlockRef]) -> Result<Vec<BlockFacts>, SourceError> {
        let mut verified = Vec::with_capacity(blocks.len());
        for part in blocks.chunks(CONCURRENT_BLOCKS) {
            for outcome in self.fetch(part).await? {
                let facts = outcome.map_err(|error| self.doubts.judge(&self.endpoint, error))?;
                self.doubts.settled(facts.block.id.hash);
                verified.push(facts);
            }
        }
        Ok(verified)
    }

    /// A node with another block at that height says that ours is off its best chain, whether or
    /// not it ever knew ours: anvil forgets a block with the reorg, geth remembers it.
    async fn is_stale(&mut self, block: BlockId) -> Result<bool, SourceError> {
        self.endpoint.contradicts(block).await
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

#[cfg(test)]
mod tests;
