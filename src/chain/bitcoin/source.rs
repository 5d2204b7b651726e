//! The bitcoind as the follower sees it.

use super::{
    bitcoind::Bitcoind,
    concurrent::in_order,
    connect::Capabilities,
    mempool::{self, Pool},
    publisher::Named,
    scan::scan_block,
};
use crate::{
    chain::{
        ChainSource, MempoolNews, NodeStatus, SourceError,
        rpc::{Auth, Client, HttpTransport, Observer, Transport},
    },
    clock::Clock,
    config::{BitcoinAuth, BitcoinNode},
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::{BlockFacts, Destination, OutPoint, TxFacts},
    },
};
use bitcoin::Network;
use std::sync::Arc;

/// Blocks fetched at once; each may take 12 MB while it is read.
const BLOCKS_AT_ONCE: usize = 4;

/// Outputs asked about in one call; an answer about one takes some 200 bytes.
const OUTPOINTS_A_CALL: usize = 1000;

/// Names looked at in one go: some ten exchanges after another, within which neither blocks nor asks
/// have their turn.
const NAMES_A_LOOK: usize = 1000;

/// A node whose blocks lag its headers by more than this is still catching up.
const MAX_BLOCK_LAG: u32 = 2;

/// A bitcoind that is followed.
pub struct BitcoinSource<T> {
    node: Bitcoind<T>,
    want_rest: bool,
    has_rest: bool,
    clock: Arc<dyn Clock>,
    /// The last tip, so that its header is asked for only once.
    tip: Option<BlockRef>,
    pool: Pool,
    /// What a publisher names.
    named: Arc<Named>,
}

impl BitcoinSource<HttpTransport> {
    /// The bitcoind of the chain called `name` in the configuration; nothing is sent yet.
    ///
    /// # Errors
    /// `Permanent` when its URL cannot be used.
    pub fn new(
        name: &str,
        node: &BitcoinNode,
        clock: Arc<dyn Clock>,
        observer: Observer,
    ) -> Result<Self, SourceError> {
        let transport = HttpTransport::new(&node.rpc_url.0)
            .map_err(|error| SourceError::Permanent(format!("{name}: {error}")))?;
        let auth = match &node.auth {
            BitcoinAuth::CookieFile(path) => Auth::Cookie(path.clone()),
            BitcoinAuth::Password { user, password } => Auth::Password {
                user: user.clone(),
                password: password.clone(),
            },
        };
        let client = Client::new(name, transport, auth, Arc::clone(&clock), observer);
        Ok(Self::over(client, node.network, node.rest, clock))
    }
}

impl<T: Transport> BitcoinSource<T> {
    /// A bitcoind behind any transport.
    #[must_use]
    pub fn over(
        client: Client<T>,
        network: Network,
        want_rest: bool,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            node: Bitcoind { client, network },
            want_rest,
            has_rest: false,
            clock,
            tip: None,
            pool: Pool::new(),
            named: Arc::default(),
        }
    }

    /// Where a publisher names what to ask for first.
    #[must_use]
    pub fn named(&self) -> Arc<Named> {
        Arc::clone(&self.named)
    }

    /// Connects and tells what the node is and can do.
    ///
    /// # Errors
    /// `Permanent` for a node of another network or too old a version.
    pub async fn probe(&mut self) -> Result<Capabilities, SourceError> {
        let found = self.node.probe(self.want_rest).await?;
        self.has_rest = found.rest;
        Ok(found)
    }

    async fn tip(&mut self, id: BlockId) -> Result<BlockRef, SourceError> {
        match self.tip {
            Some(tip) if tip.id == id => Ok(tip),
            Some(_) | None => {
                let tip = self.node.header(id).await?;
                self.tip = Some(tip);
                Ok(tip)
            }
        }
    }
}

impl<T: Transport> ChainSource for BitcoinSource<T> {
    async fn connect(&mut self) -> Result<(), SourceError> {
        self.probe().await.map(drop)
    }

    async fn status(&mut self) -> Result<NodeStatus, SourceError> {
        let (chain, mempool) = self.node.state().await?;
        self.node.check_network(&chain.chain)?;
        let best = BlockId {
            height: Height(chain.blocks),
            hash: BlockHash(chain.bestblockhash.0),
        };
        let lag = chain.headers.saturating_sub(chain.blocks);
        Ok(NodeStatus {
            tip: self.tip(best).await?,
            finalized: None,
            safe: None,
            tagged: false,
            syncing: chain.initialblockdownload || lag > MAX_BLOCK_LAG,
            mempool_loaded: mempool.loaded,
        })
    }

    async fn headers(&mut self, from: Height, count: u32) -> Result<Vec<BlockRef>, SourceError> {
        self.node.headers(from, count).await
    }

    async fn blocks(&mut self, blocks: &[BlockRef]) -> Result<Vec<BlockFacts>, SourceError> {
        let task = |block: BlockRef| {
            let (node, rest) = (self.node.clone(), self.has_rest);
            async move {
                let raw = node.raw_block(block.id, rest).await?;
                scan_block(&raw, &block, node.network)
                    .map_err(|error| node.refused(block.id, &error))
            }
        };
        let tasks = blocks.iter().copied().map(task).collect();
        let scanned = in_order(tasks, BLOCKS_AT_ONCE).await;
        scanned.into_iter().collect()
    }

    async fn is_stale(&mut self, block: BlockId) -> Result<bool, SourceError> {
        self.node.is_stale(block).await
    }

    async fn mempool(&mut self) -> Result<MempoolNews, SourceError> {
        mempool::news(&self.node, &mut self.pool, self.clock.as_ref()).await
    }

    async fn named(&mut self) -> Result<MempoolNews, SourceError> {
        let txids = self.named.take(NAMES_A_LOOK);
        mempool::named(&self.node, txids, self.clock.as_ref()).await
    }

    fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    async fn unconfirmed(
        &mut self,
        destinations: &[Destination],
    ) -> Result<Vec<TxFacts>, SourceError> {
        mempool::paying(&self.node, &mut self.pool, destinations).await
    }

    async fn spenders(&mut self, outpoints: &[OutPoint]) -> Result<Vec<Option<TxId>>, SourceError> {
        let mut spenders = Vec::with_capacity(outpoints.len());
        for part in outpoints.chunks(OUTPOINTS_A_CALL) {
            spenders.extend(self.node.spenders(part).await?);
        }
        Ok(spenders)
    }
}

#[cfg(test)]
mod tests;
