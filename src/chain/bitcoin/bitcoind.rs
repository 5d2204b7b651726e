//! The calls that are made to a bitcoind, typed, with its error codes read once.
//!
//! What the answers mean for a chain is the source's business.

use super::{
    scan, verify,
    wire::{ChainInfo, HeaderInfo, Hex32, MempoolInfo, SpentOutput},
};
use crate::{
    chain::{
        SourceError,
        rpc::{Call, Client, HexBytes, Limits, RpcError, Transport},
    },
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::{OutPoint, TxFacts},
    },
};
use bitcoin::Network;
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};

/// `RPC_MISC_ERROR`: among others, a block whose body is not there.
const MISC_ERROR: i64 = -1;
/// `RPC_INVALID_ADDRESS_OR_KEY`: a block or transaction that is not known.
const NOT_FOUND: i64 = -5;
/// `RPC_INVALID_PARAMETER`: among others, a height above the tip.
const INVALID_PARAMETER: i64 = -8;
/// `RPC_IN_WARMUP`.
const WARMING_UP: i64 = -28;

/// A bitcoind that can be asked.
pub(super) struct Bitcoind<T> {
    pub(super) client: Client<T>,
    pub(super) network: Network,
}

impl<T> Clone for Bitcoind<T> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            network: self.network,
        }
    }
}

type Outcome = Result<Box<RawValue>, RpcError>;

/// What came of asking for transactions.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) found: Vec<TxFacts>,
    /// Others, which the node did not say are gone and which could not be read, and why.
    pub(super) unread: Vec<(TxId, SourceError)>,
}

impl<T: Transport> Bitcoind<T> {
    pub(super) async fn call<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
    ) -> Result<R, SourceError> {
        let result = self.client.call(method, params, limits).await;
        result.map_err(|error| self.explain(method, &error))
    }

    /// `getblockchaininfo` and `getmempoolinfo` in one exchange.
    pub(super) async fn state(&self) -> Result<(ChainInfo, MempoolInfo), SourceError> {
        let [chain, mempool] = self
            .two(["getblockchaininfo", "getmempoolinfo"].map(plain))
            .await?;
        Ok((
            self.read("getblockchaininfo", chain)?,
            self.read("getmempoolinfo", mempool)?,
        ))
    }

    /// The best block's hash, and whether the mempool is loaded.
    pub(super) async fn tip_and_loaded(&self) -> Result<(BlockHash, bool), SourceError> {
        let [tip, mempool] = self
            .two(["getbestblockhash", "getmempoolinfo"].map(plain))
            .await?;
        let Hex32(tip) = self.read("getbestblockhash", tip)?;
        let mempool: MempoolInfo = self.read("getmempoolinfo", mempool)?;
        Ok((BlockHash(tip), mempool.loaded))
    }

    pub(super) async fn best_hash(&self) -> Result<BlockHash, SourceError> {
        let Hex32(hash) = self
            .call("getbestblockhash", json!([]), Limits::ANSWER)
            .await?;
        Ok(BlockHash(hash))
    }

    /// The verified header of a block that the node knows.
    pub(super) async fn header(&self, id: BlockId) -> Result<BlockRef, SourceError> {
        let call = header_call(id);
        let result = self
            .client
            .call(call.method, call.params, Limits::ANSWER)
            .await;
        self.checked_header(id, result)
    }

    /// The verified headers of the best chain from `from` on, at most `count`, up to its tip.
    pub(super) async fn headers(
        &self,
        from: Height,
        count: u32,
    ) -> Result<Vec<BlockRef>, SourceError> {
        let ids = self.hashes(from, count).await?;
        let calls: Vec<Call> = ids.iter().copied().map(header_call).collect();
        let outcomes = self.batch(&calls).await?;
        ids.into_iter()
            .zip(outcomes)
            .map(|(id, outcome)| {
                let raw = outcome.and_then(|raw| self.client.read(&raw));
                self.checked_header(id, raw)
            })
            .collect()
    }

    async fn hashes(&self, from: Height, count: u32) -> Result<Vec<BlockId>, SourceError> {
        let heights = || (0..count).map(|offset| from.plus(offset));
        let calls: Vec<Call> = heights()
            .map(|height| Call::new("getblockhash", json!([height.0])))
            .collect();
        let mut ids = Vec::with_capacity(calls.len());
        for (height, outcome) in heights().zip(self.batch(&calls).await?) {
            if outcome.as_ref().err().and_then(RpcError::code) == Some(INVALID_PARAMETER) {
                break;
            }
            let Hex32(hash) = self.read("getblockhash", outcome)?;
            let hash = BlockHash(hash);
            ids.push(BlockId { height, hash });
        }
        Ok(ids)
    }

    fn checked_header(
        &self,
        id: BlockId,
        raw: Result<HexBytes, RpcError>,
    ) -> Result<BlockRef, SourceError> {
        let HexBytes(raw) = raw.map_err(|error| self.block_error("getblockheader", id, &error))?;
        verify::header(&raw, id, self.network).map_err(|error| self.refused(id, &error))
    }

    /// Whether the node knows the block and has taken it off its best chain.
    ///
    /// It says -1 confirmations also of a block that it has not connected yet, as after a crash:
    /// that block is above its tip, but not above its best header.
    pub(super) async fn is_stale(&self, block: BlockId) -> Result<bool, SourceError> {
        let calls = [
            Call::new("getblockheader", json!([block.hash.to_string(), true])),
            Call::new("getblockchaininfo", json!([])),
        ];
        let [header, chain] = self.two(calls).await?;
        if header.as_ref().err().and_then(RpcError::code) == Some(NOT_FOUND) {
            return Ok(false);
        }
        let header: HeaderInfo = self.read("getblockheader", header)?;
        let chain: ChainInfo = self.read("getblockchaininfo", chain)?;
        let ahead = chain.blocks < block.height.0 && block.height.0 <= chain.headers;
        Ok(header.confirmations < 0 && !ahead)
    }

    /// A block's raw bytes, unverified: over REST when it is there, else by RPC.
    pub(super) async fn raw_block(&self, id: BlockId, rest: bool) -> Result<Vec<u8>, SourceError> {
        if rest {
            let path = format!("/rest/block/{}.bin", id.hash);
            match self.client.get("rest_block", path, Limits::BULK).await {
                Ok(raw) => return Ok(raw),
                // RPC knows better words for whatever REST does not have.
                Err(RpcError::Node { .. }) => {}
                Err(error) => return Err(self.explain("rest_block", &error)),
            }
        }
        let params = json!([id.hash.to_string(), 0]);
        let block = self.client.call("getblock", params, Limits::BULK).await;
        let HexBytes(raw) = block.map_err(|error| self.block_error("getblock", id, &error))?;
        Ok(raw)
    }

    /// Every transaction id of the mempool, sorted.
    pub(super) async fn mempool_txids(&self) -> Result<Vec<TxId>, SourceError> {
        let listed: Vec<Hex32> = self
            .call("getrawmempool", json!([false]), Limits::BULK)
            .await?;
        let mut txids: Vec<TxId> = listed.into_iter().map(|Hex32(txid)| TxId(txid)).collect();
        txids.sort_unstable();
        txids.dedup();
        Ok(txids)
    }

    /// Those of these transactions that are in the mempool: with an index of all transactions a node
    /// shows others, too.
    pub(super) async fn in_mempool(&self, txids: &[TxId]) -> Result<Vec<TxId>, SourceError> {
        let call = |txid: &TxId| Call::new("getmempoolentry", json!([txid.to_string()]));
        let calls: Vec<Call> = txids.iter().map(call).collect();
        let outcomes = self.batch(&calls).await?;
        let there = txids.iter().zip(outcomes);
        Ok(there
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(txid, _)| *txid)
            .collect())
    }

    /// The facts of unconfirmed transactions, without those that are gone by now.
    pub(super) async fn transactions(
        &self,
        txids: &[TxId],
        seen_ms: u64,
    ) -> Result<Fetched, SourceError> {
        let method = "getrawtransaction";
        let calls: Vec<Call> = txids
            .iter()
            .map(|txid| Call::new(method, json!([txid.to_string(), 0])))
            .collect();
        let mut fetched = Fetched::default();
        for (txid, outcome) in txids.iter().zip(self.batch(&calls).await?) {
            let raw = outcome.and_then(|raw| self.client.read(&raw));
            let facts = raw.and_then(|HexBytes(raw)| {
                scan::scan_transaction(&raw, *txid, seen_ms).map_err(RpcError::Malformed)
            });
            match facts {
                Ok(facts) => fetched.found.push(facts),
                Err(error) => match error.code() {
                    Some(NOT_FOUND) => {}
                    Some(WARMING_UP) => return Err(self.explain(method, &error)),
                    Some(_) | None => {
                        let problem = self.explain(&format!("{method} {txid}"), &error);
                        fetched.unread.push((*txid, problem));
                    }
                },
            }
        }
        Ok(fetched)
    }

    /// `gettxspendingprevout`: for each output the unconfirmed transaction that spends it.
    pub(super) async fn spenders(
        &self,
        outpoints: &[OutPoint],
    ) -> Result<Vec<Option<TxId>>, SourceError> {
        let asked: Vec<Value> = outpoints
            .iter()
            .map(|outpoint| json!({"txid": outpoint.txid.to_string(), "vout": outpoint.vout}))
            .collect();
        let method = "gettxspendingprevout";
        let answers: Vec<SpentOutput> = self.call(method, json!([asked]), Limits::ANSWER).await?;
        let is_about = |(asked, answer): (&OutPoint, &SpentOutput)| {
            asked.txid.0 == answer.txid.0 && asked.vout == answer.vout
        };
        if answers.len() != outpoints.len() || !outpoints.iter().zip(&answers).all(is_about) {
            let words = RpcError::Malformed("answers about other outputs than were asked".into());
            return Err(self.explain(method, &words));
        }
        Ok(answers.iter().map(unconfirmed_spender).collect())
    }

    pub(super) async fn batch(&self, calls: &[Call]) -> Result<Vec<Outcome>, SourceError> {
        let method = calls.first().map_or("batch", |call| call.method);
        let outcomes = self.client.batch(calls).await;
        outcomes.map_err(|error| self.explain(method, &error))
    }

    async fn two(&self, calls: [Call; 2]) -> Result<[Outcome; 2], SourceError> {
        let outcomes = self.batch(&calls).await?;
        outcomes.try_into().map_err(|_| {
            let error = RpcError::Malformed("two calls, but not two answers".into());
            self.explain("batch", &error)
        })
    }

    pub(super) fn read<R: DeserializeOwned>(
        &self,
        method: &str,
        outcome: Outcome,
    ) -> Result<R, SourceError> {
        outcome
            .and_then(|raw| self.client.read(&raw))
            .map_err(|error| self.explain(method, &error))
    }

    /// The error in the follower's terms, for calls that are not about one block.
    pub(super) fn explain(&self, method: &str, error: &RpcError) -> SourceError {
        if error.code() == Some(WARMING_UP) {
            return SourceError::Transient(format!("{} is starting up: {error}", self.client));
        }
        self.client.source_error(method, error)
    }

    fn block_error(&self, method: &str, id: BlockId, error: &RpcError) -> SourceError {
        let RpcError::Node { code, message } = error else {
            return self.explain(method, error);
        };
        let node = &self.client;
        let BlockId { height, hash } = id;
        match *code {
            NOT_FOUND => {
                SourceError::Behind(format!("{node} does not know block {height} ({hash})"))
            }
            MISC_ERROR if message.contains("pruned") => SourceError::Permanent(format!(
                "{node} has pruned block {height} ({hash}): nothing is skipped, so use a node that \
                 keeps more blocks (`prune=`), or let this one fetch the block back: \
                 bitcoin-cli getblockfrompeer {hash} PEER_ID"
            )),
            MISC_ERROR => SourceError::Behind(format!(
                "{node} has no body of block {height} ({hash}): {message}"
            )),
            _ => self.explain(method, error),
        }
    }

    /// A block that must not be used.
    pub(super) fn refused(&self, id: BlockId, error: &verify::VerifyError) -> SourceError {
        SourceError::Permanent(format!(
            "{}: what it sent as block {} ({}) {error}",
            self.client, id.height, id.hash
        ))
    }
}

fn plain(method: &'static str) -> Call {
    Call::new(method, json!([]))
}

fn header_call(id: BlockId) -> Call {
    Call::new("getblockheader", json!([id.hash.to_string(), false]))
}

fn unconfirmed_spender(answer: &SpentOutput) -> Option<TxId> {
    match (answer.spendingtxid, answer.blockhash) {
        (Some(Hex32(txid)), None) => Some(TxId(txid)),
        (None, _) | (Some(_), Some(_)) => None,
    }
}
