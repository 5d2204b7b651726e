//! Answers as bitcoind does (Bitcoin Core 29's RPC and REST references), for what confirmd and
//! people who look for themselves ask.

use super::{
    chain::{Block, Chain},
    transaction::Tx,
    view::View,
};
use crate::{
    chain::rpc::HttpResponse,
    domain::block::{BlockHash, BlockRef, Height, TxId},
    sandbox::{
        json_rpc::{self, Answer, Refusal, answer, param},
        tree::Linked as _,
    },
};
use alloy_primitives::hex;
use bitcoin::{OutPoint, Txid, consensus::serialize};
use serde_json::{Value, json};
use std::str::FromStr as _;

/// `RPC_MISC_ERROR`.
const MISC_ERROR: i64 = -1;
/// `RPC_INVALID_ADDRESS_OR_KEY`.
const NOT_FOUND: i64 = -5;
/// `RPC_INVALID_PARAMETER`.
const INVALID_PARAMETER: i64 = -8;

/// Bitcoin Core 29.1.
const VERSION: u32 = 290_100;

/// A bitcoind, as far as it answers.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// All blocks there are.
    pub chain: &'a Chain,
    /// Which of them it has adopted, and its mempool.
    pub view: &'a View,
}

impl json_rpc::Node for Node<'_> {
    fn call(&self, method: &str, params: &[Value]) -> Answer {
        match method {
            "getblockchaininfo" => answer(&self.chain_info()),
            "getmempoolinfo" => answer(&self.mempool_info()),
            "getnetworkinfo" => answer(&network_info()),
            "getzmqnotifications" => answer(&json!([])),
            "getbestblockhash" => answer(&self.tip().id.hash.to_string()),
            "getblockcount" => answer(&self.tip().id.height),
            "getblockhash" => self.block_hash(param(params, 0)),
            "getblockheader" => self.header(params),
            "getblock" => self.block(params),
            "getrawmempool" => answer(&self.mempool_txids()),
            "getmempoolentry" => self.mempool_entry(param(params, 0)),
            "getrawtransaction" => self.raw_transaction(param(params, 0)),
            "gettxspendingprevout" => self.spenders(param(params, 0)),
            _ => Err(Refusal::unknown_method()),
        }
    }

    fn get(&self, path: &str) -> HttpResponse {
        if !self.view.rest {
            return HttpResponse::with_status(404, "");
        }
        let named = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix(".bin");
        let found = if let Some(hash) = named("/rest/block/") {
            self.known(hash).and_then(|block| self.body(block).ok())
        } else if let Some(hash) = named("/rest/headers/1/") {
            self.known(hash).map(|block| serialize(&block.header))
        } else {
            return HttpResponse::with_status(400, "unknown path");
        };
        let missing = || HttpResponse::with_status(404, "not found");
        found.map_or_else(missing, HttpResponse::ok)
    }
}

impl<'a> Node<'a> {
    fn tip(&self) -> BlockRef {
        let head = self.chain.tree().get(self.view.head(self.chain));
        head.map_or(self.chain.genesis(), Block::reference)
    }

    fn chain_info(&self) -> Value {
        let tip = self.tip();
        let is_pruned = self.view.pruned_below > Height(0);
        json!({
            "chain": "regtest",
            "blocks": tip.id.height,
            "headers": tip.id.height.plus(self.view.headers_ahead),
            "bestblockhash": tip.id.hash.to_string(),
            "time": tip.time.0.div_euclid(1000),
            "initialblockdownload": self.view.initial_block_download,
            "pruned": is_pruned,
            "pruneheight": is_pruned.then_some(self.view.pruned_below),
            "warnings": [],
        })
    }

    fn mempool_info(&self) -> Value {
        json!({
            "loaded": self.view.mempool_loaded,
            "size": self.view.mempool.txids().len(),
            "fullrbf": true,
        })
    }

    fn mempool_txids(&self) -> Vec<String> {
        self.view.mempool.txids().map(TxId::to_string).collect()
    }

    fn block_hash(&self, height: &Value) -> Answer {
        let height = height
            .as_u64()
            .and_then(|height| u32::try_from(height).ok());
        let hash = height.and_then(|height| self.view.branch().at(Height(height)));
        match hash {
            Some(hash) => answer(&hash.to_string()),
            None => Err(Refusal::new(INVALID_PARAMETER, "Block height out of range")),
        }
    }

    fn header(&self, params: &[Value]) -> Answer {
        let block = self.found(param(params, 0))?;
        if param(params, 1) == &Value::Bool(false) {
            return answer(&hex::encode(serialize(&block.header)));
        }
        let reference = block.reference();
        answer(&json!({
            "hash": reference.id.hash.to_string(),
            "confirmations": self.confirmations(reference),
            "height": reference.id.height,
            "time": reference.time.0.div_euclid(1000),
            "previousblockhash": reference.parent.to_string(),
        }))
    }

    /// -1 off the best chain.
    fn confirmations(&self, block: BlockRef) -> i64 {
        if !self.view.branch().holds(block) {
            return -1;
        }
        let above = self.tip().id.height.minus(block.id.height.0);
        i64::from(above.0).saturating_add(1)
    }

    fn block(&self, params: &[Value]) -> Answer {
        let block = self.found(param(params, 0))?;
        match param(params, 1).as_u64() {
            Some(0) => answer(&hex::encode(self.body(block)?)),
            _ => Err(Refusal::new(
                INVALID_PARAMETER,
                "the simulated node answers verbosity 0 only",
            )),
        }
    }

    fn body(&self, block: &Block) -> Result<Vec<u8>, Refusal> {
        let is_pruned = block.reference().id.height < self.view.pruned_below;
        if is_pruned {
            return Err(Refusal::new(
                MISC_ERROR,
                "Block not available (pruned data)",
            ));
        }
        Ok(block.raw())
    }

    fn mempool_entry(&self, txid: &Value) -> Answer {
        match self.unconfirmed(txid) {
            Some(tx) => answer(&json!({
                "vsize": tx.decoded.vsize(),
                "weight": tx.decoded.weight().to_wu(),
                "wtxid": tx.decoded.compute_wtxid().to_string(),
            })),
            None => Err(Refusal::new(NOT_FOUND, "Transaction not in mempool")),
        }
    }

    fn unconfirmed(&self, txid: &Value) -> Option<&'a Tx> {
        let txid = txid.as_str().and_then(TxId::from_hex)?;
        self.view.mempool.get(txid)
    }

    fn raw_transaction(&self, txid: &Value) -> Answer {
        match self.unconfirmed(txid) {
            Some(tx) => answer(&hex::encode(&tx.raw)),
            None => Err(Refusal::new(
                NOT_FOUND,
                "No such mempool transaction. Use -txindex or provide a block hash to enable \
                 blockchain transaction queries. Use gettransaction for wallet transactions.",
            )),
        }
    }

    fn spenders(&self, outpoints: &Value) -> Answer {
        let one = |asked: &Value| {
            let mut found = asked.clone();
            let spender = out_point(asked).and_then(|o| self.view.mempool.spender(&o));
            if let (Some(found), Some(spender)) = (found.as_object_mut(), spender) {
                found.insert("spendingtxid".to_owned(), spender.to_string().into());
            }
            found
        };
        match outpoints.as_array() {
            Some(outpoints) => answer(&outpoints.iter().map(one).collect::<Vec<Value>>()),
            None => Err(Refusal::new(
                json_rpc::INVALID_PARAMS,
                "outputs are an array",
            )),
        }
    }

    /// A block that the node knows: one that it has adopted once, or could have.
    fn known(&self, hash: &str) -> Option<&'a Block> {
        let block = self.chain.tree().get(BlockHash::from_hex(hash)?)?;
        self.view.knows(block.reference().id.hash).then_some(block)
    }

    fn found(&self, hash: &Value) -> Result<&'a Block, Refusal> {
        hash.as_str()
            .and_then(|hash| self.known(hash))
            .ok_or_else(|| Refusal::new(NOT_FOUND, "Block not found"))
    }
}

fn out_point(asked: &Value) -> Option<OutPoint> {
    let txid = Txid::from_str(asked.get("txid")?.as_str()?).ok()?;
    let vout = u32::try_from(asked.get("vout")?.as_u64()?).ok()?;
    Some(OutPoint { txid, vout })
}

fn network_info() -> Value {
    json!({
        "version": VERSION,
        "subversion": "/confirmd-sandbox:29.1.0/",
        "warnings": [],
    })
}
