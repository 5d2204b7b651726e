//! One endpoint of an EVM chain: the calls, and what its answers mean. Believes nothing that a
//! hash can prove; does not choose among endpoints and knows no payment.
//!
//! Source: Ethereum execution APIs. Filters and ranges of logs are never used: a node may answer
//! them from another branch, or not at all.

mod ahead;
mod receipts;
mod state;

pub(super) use state::{Probed, Tracer};

use ahead::Ahead;

use super::{
    network::Network,
    scan::{self, Block},
    told::{self, Reading},
    verify::{self, VerifyError},
    wire,
};
use crate::{
    chain::{
        NodeStatus, SourceError,
        rpc::{Call, Client, Limits, RpcError, Transport},
    },
    domain::block::{BlockHash, BlockId, BlockRef, Height},
};
use alloy_primitives::U64;
use receipts::{BatchSize, ReceiptsBy};
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};
use std::{fmt, sync::Arc};

/// JSON-RPC: the method does not exist.
const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC: the node does not take a block hash here.
const INVALID_PARAMS: i64 = -32602;
/// How nodes and those who sell access to them say that they do not offer a method.
const NOT_OFFERED: [i64; 3] = [METHOD_NOT_FOUND, -32600, -32004];
/// EIP-4444: the node no longer has bodies or receipts of that age.
const PRUNED: i64 = 4444;

/// What is called safe or final may be so many blocks above what is called the latest a moment apart.
const AHEAD_OF_TIP: u32 = 16;

type Answer = Result<Box<RawValue>, RpcError>;

/// A block and its receipts, both as JSON.
struct TellsBlock {
    body: Box<RawValue>,
    receipts: Box<str>,
}

/// One endpoint.
pub struct Endpoint<T> {
    client: Client<T>,
    network: Network,
    receipts_by: ReceiptsBy,
    batch_size: Arc<BatchSize>,
    tracer: Tracer,
    ahead: Ahead,
}

/// Its name and place.
impl<T: Transport> fmt::Display for Endpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

impl<T> Clone for Endpoint<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            network: self.network,
            receipts_by: self.receipts_by,
            batch_size: Arc::clone(&self.batch_size),
            tracer: self.tracer,
            ahead: self.ahead.clone(),
        }
    }
}

impl<T: Transport> Endpoint<T> {
    /// An endpoint that must be on `network`; nothing is asked yet.
    #[must_use]
    pub fn new(client: Client<T>, network: Network) -> Self {
        Self {
            client,
            network,
            receipts_by: ReceiptsBy::Hash,
            batch_size: Arc::new(BatchSize::new()),
            tracer: Tracer::Unknown,
            ahead: Ahead::default(),
        }
    }

    /// What it is called in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.client.name()
    }

    /// How long it asked not to be asked, in milliseconds from now.
    #[must_use]
    pub fn paused_for_ms(&self) -> u64 {
        self.client.paused_for_ms()
    }

    /// The chain that it must be on; its genesis is known once it has connected.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// It must be on the chain that another endpoint was found to be on.
    pub const fn expect(&mut self, network: Network) {
        self.network = network;
    }

    /// Asks for chain id, genesis and which way receipts come.
    ///
    /// # Errors
    /// `Permanent` for another chain, or where no receipts are offered.
    pub async fn connect(&mut self) -> Result<(), SourceError> {
        let calls = [
            Call::new("eth_chainId", json!([])),
            Call::new("eth_getBlockByNumber", json!(["0x0", false])),
            Call::new("eth_getBlockByNumber", json!(["latest", false])),
        ];
        let [chain_id, genesis, latest] = self.batch(calls).await?;
        let chain_id: U64 = self.read("eth_chainId", chain_id)?;
        let genesis = self.genesis(genesis)?;
        self.check_network(chain_id.to(), genesis)?;
        let transactions = latest.as_ref().map_or(0, |json| wire::count(json.get()));
        let latest = self.header("latest", latest)?;
        self.batch_size = Arc::new(BatchSize::new());
        self.probe_receipts(latest.id, transactions).await
    }

    /// What the node says of block 0. Where nothing is expected it becomes what is, so then it must
    /// hash to what it claims; else its claim is compared, since some chains' first headers are of
    /// a kind of their own.
    fn genesis(&self, answer: Answer) -> Result<BlockHash, SourceError> {
        let missing = || SourceError::Transient(format!("{self}: it has no block 0"));
        if self.network.genesis.is_none() {
            let header = self.header_at(Height(0), answer)?;
            return header.map(|header| header.id.hash).ok_or_else(missing);
        }
        let json: Box<RawValue> = self.read("eth_getBlockByNumber 0", answer)?;
        let claimed = wire::claimed_hash(json.get()).ok_or_else(missing)?;
        Ok(BlockHash(claimed.0))
    }

    fn check_network(&mut self, chain_id: u64, genesis: BlockHash) -> Result<(), SourceError> {
        let expected = self.network.chain_id;
        if chain_id != expected {
            let text = format!(
                "chain id: expected {expected}, found {chain_id}; correct chain_id or the endpoint's url"
            );
            return Err(self.permanent(&text));
        }
        // Of an unknown chain, the first genesis seen must stay.
        let expected = *self.network.genesis.get_or_insert(genesis);
        if genesis != expected {
            let text = format!("genesis: expected 0x{expected}, found 0x{genesis}");
            return Err(self.permanent(&text));
        }
        Ok(())
    }

    /// Its best block, its tags and whether it is syncing.
    ///
    /// # Errors
    /// When it does not answer, or with a header that does not hash to what it claims.
    pub async fn status(&self) -> Result<NodeStatus, SourceError> {
        let by_tag = |tag| Call::new("eth_getBlockByNumber", json!([tag, false]));
        let calls = [
            by_tag("finalized"),
            by_tag("safe"),
            // After the tags: a block may come between two answers.
            by_tag("latest"),
            Call::new("eth_syncing", json!([])),
        ];
        let [finalized, safe, latest, syncing] = self.batch(calls).await?;
        let tip = self.header("latest", latest)?;
        let finalized = self.tagged("finalized", finalized, tip.id)?;
        let safe = self.tagged("safe", safe, tip.id)?;
        // One that is not on its best chain yet names nothing that counts.
        let is_there = |tag: &BlockId| tag.height <= tip.id.height;
        Ok(NodeStatus {
            tip,
            // Before there is finality some nodes name genesis: that is no tag yet.
            tagged: finalized.is_some_and(|block| block.height > Height(0)),
            finalized: finalized.filter(is_there),
            safe: safe.filter(is_there),
            syncing: self.syncing(syncing)?,
            mempool_loaded: true,
        })
    }

    /// A tag that the node does not know, or has no block for, names nothing. Of those behind one name, one may be
    /// some blocks ahead of the one that tells the tip; far beyond it is nothing that can be called final.
    fn tagged(
        &self,
        tag: &str,
        answer: Answer,
        tip: BlockId,
    ) -> Result<Option<BlockId>, SourceError> {
        let block = match answer {
            Err(RpcError::Node { .. }) => return Ok(None),
            Ok(json) if is_null(&json) => return Ok(None),
            answer => self.header(tag, answer)?.id,
        };
        if block.height > tip.height.plus(AHEAD_OF_TIP) {
            let (height, tip) = (block.height, tip.height);
            let text = format!("{self}: it calls block {height} {tag}, but its tip is {tip}");
            return Err(SourceError::Transient(text));
        }
        Ok(Some(block))
    }

    /// `false`, or an object while syncing; hosted endpoints that lack the method are synced.
    fn syncing(&self, answer: Answer) -> Result<bool, SourceError> {
        match answer {
            Err(RpcError::Node { code, .. }) if code == METHOD_NOT_FOUND => Ok(false),
            Err(error) => Err(self.error("eth_syncing", &error)),
            Ok(json) => Ok(json.get() != "false"),
        }
    }

    /// The header that a tag names.
    fn header(&self, tag: &str, answer: Answer) -> Result<BlockRef, SourceError> {
        let json: Box<RawValue> = self.read("eth_getBlockByNumber", answer)?;
        verify::any_header_ref(json.get()).map_err(|error| {
            // Which block it is, only a header that can be read says.
            let fault = error.fault;
            SourceError::Transient(format!("{self}: the block that it calls {tag}: {fault}"))
        })
    }

    /// Up to `count` headers of its best chain from this height on; none above its tip.
    ///
    /// # Errors
    /// When one is of another height, or does not hash to what the node claims.
    pub async fn headers(&self, from: Height, count: u32) -> Result<Vec<BlockRef>, SourceError> {
        let heights: Vec<Height> = (0..count).map(|step| from.plus(step)).collect();
        let calls: Vec<Call> = heights.iter().map(|height| by_number(*height)).collect();
        let answers = self.client.batch(&calls).await;
        let answers = answers.map_err(|error| self.error("eth_getBlockByNumber", &error))?;
        let mut headers = Vec::with_capacity(answers.len());
        for (height, answer) in heights.into_iter().zip(answers) {
            match self.header_at(height, answer)? {
                Some(header) => headers.push(header),
                None => break,
            }
        }
        Ok(headers)
    }

    /// Whether it has another block than this one on its best chain, at the same height. With
    /// a lower head it has none there: it is behind.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn contradicts(&self, block: BlockId) -> Result<bool, SourceError> {
        let [answer] = self.batch([by_number(block.height)]).await?;
        let found = self.header_at(block.height, answer)?;
        Ok(found.is_some_and(|found| found.id != block))
    }

    /// Its own blocks at these heights, without those that it does not have.
    ///
    /// # Errors
    /// When it does not answer, or a header does not hash to what it claims.
    pub async fn blocks_at(&self, heights: &[Height]) -> Result<Vec<BlockRef>, SourceError> {
        let calls: Vec<Call> = heights.iter().map(|height| by_number(*height)).collect();
        let answers = self.client.batch(&calls).await;
        let answers = answers.map_err(|error| self.error("eth_getBlockByNumber", &error))?;
        let mut blocks = Vec::with_capacity(heights.len());
        for (height, answer) in heights.iter().zip(answers) {
            blocks.extend(self.header_at(*height, answer)?);
        }
        Ok(blocks)
    }

    fn header_at(&self, height: Height, answer: Answer) -> Result<Option<BlockRef>, SourceError> {
        let json: Box<RawValue> = self.read("eth_getBlockByNumber", answer)?;
        if is_null(&json) {
            return Ok(None);
        }
        verify::header_ref(json.get(), height)
            .map(Some)
            .map_err(|error| SourceError::Transient(format!("{self}: {error}")))
    }

    /// A block by its hash with all its receipts, verified, and its credits in ether and in
    /// these token contracts.
    ///
    /// # Errors
    /// See [`BlockError`].
    pub(super) async fn block(
        &self,
        block: &BlockRef,
        tokens: &[[u8; 20]],
    ) -> Result<Block, BlockError> {
        let TellsBlock { body, receipts } = self.tell(block, |_| false).await?;
        scan::read(body.get(), &receipts, block, tokens).map_err(BlockError::Unverified)
    }

    /// The same, or what it tells where only the contents cannot be verified.
    ///
    /// # Errors
    /// See [`BlockError`].
    pub(super) async fn reading(
        &self,
        block: &BlockRef,
        tokens: &[[u8; 20]],
    ) -> Result<Reading, BlockError> {
        let TellsBlock { body, receipts } = self.tell(block, |_| true).await?;
        let error = match scan::read(body.get(), &receipts, block, tokens) {
            Ok(block) => return Ok(Reading::Proven(block)),
            Err(error) => error,
        };
        let Some(check) = error.fault.check() else {
            return Err(BlockError::Unverified(error));
        };
        let told = told::read(body.get(), &receipts, block, tokens, &error);
        Ok(Reading::Told { error, check, told })
    }

    fn present(
        &self,
        block: &BlockRef,
        method: &str,
        answer: Result<Option<Box<RawValue>>, RpcError>,
    ) -> Result<Box<RawValue>, BlockError> {
        let answer = answer.map_err(|error| BlockError::Source(self.error(method, &error)))?;
        answer.ok_or_else(|| {
            let id = verify::ShownId(block.id);
            let text = format!("{self} {method}: block {id} is not there (yet)");
            BlockError::Source(SourceError::Behind(text))
        })
    }

    async fn body(&self, block: BlockId) -> Result<Option<Box<RawValue>>, RpcError> {
        let params = json!([prefixed(block.hash), true]);
        self.bulk("eth_getBlockByHash", params).await
    }

    /// A part of a block; `None` when the node does not have the block.
    async fn bulk(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Option<Box<RawValue>>, RpcError> {
        let answer = self
            .client
            .call_unread(method, params, Limits::BULK)
            .await?;
        Ok((!is_null(&answer)).then_some(answer))
    }

    /// Several small calls in one request.
    pub(super) async fn batch<const N: usize>(
        &self,
        calls: [Call; N],
    ) -> Result<[Answer; N], SourceError> {
        let method = calls.first().map_or("", |call| call.method);
        let answers = self.client.batch(&calls).await;
        let answers = answers.map_err(|error| self.error(method, &error))?;
        answers.try_into().map_err(|_| {
            let error = RpcError::Malformed("another number of answers than calls".into());
            self.error(method, &error)
        })
    }

    /// Reads one answer of a batch.
    pub(super) fn read<R: DeserializeOwned>(
        &self,
        method: &str,
        answer: Answer,
    ) -> Result<R, SourceError> {
        answer
            .and_then(|json| self.client.read(&json))
            .map_err(|error| self.error(method, &error))
    }

    fn error(&self, method: &str, error: &RpcError) -> SourceError {
        match error.code() {
            Some(PRUNED) => self.permanent(&format!("{method}: {error}")),
            Some(_) | None => self.client.source_error(method, error),
        }
    }

    fn permanent(&self, text: &str) -> SourceError {
        SourceError::Permanent(format!("{self}: {text}"))
    }
}

/// Why a block did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockError {
    /// The endpoint did not answer, or does not have it.
    Source(SourceError),
    /// What it answered is not that block.
    Unverified(VerifyError),
}

fn by_number(height: Height) -> Call {
    Call::new("eth_getBlockByNumber", json!([quantity(height), false]))
}

fn prefixed(hash: BlockHash) -> String {
    format!("0x{hash}")
}

fn quantity(height: Height) -> String {
    format!("{:#x}", height.0)
}

fn is_null(json: &RawValue) -> bool {
    json.get() == "null"
}
