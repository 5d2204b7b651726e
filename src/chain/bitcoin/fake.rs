//! A bitcoind in memory for the tests of this folder: one function from request to answer over
//! real, mined regtest blocks.

use super::{BitcoinSource, wire};
use crate::{
    chain::rpc::{
        Auth, Client, HttpRequest, HttpResponse, MemoryTransport, TransportError, Verb, silent,
    },
    clock::{Clock, Now},
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        time::UnixMs,
    },
};
use alloy_primitives::hex;
use bitcoin::{
    Amount, Block, BlockHash as Hash, CompactTarget, Network, OutPoint, ScriptBuf, Sequence,
    Transaction, TxIn, TxMerkleNode, TxOut, Witness,
    absolute::LockTime,
    block::{Header, Version},
    consensus::serialize,
    constants::genesis_block,
    hashes::Hash as _,
    transaction,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// What the node has and how it behaves; tests change it as they like.
pub struct State {
    pub best: Vec<Block>,
    pub stale: Vec<Block>,
    pub mempool: BTreeMap<TxId, Transaction>,
    pub loaded: bool,
    pub chain: &'static str,
    pub version: u32,
    pub headers_ahead: u32,
    pub initial_block_download: bool,
    pub pruned_below: u32,
    /// Has the header of the best block at this height, but not its body.
    pub bodiless: Option<u32>,
    pub rest: bool,
    /// Answers every call with this error.
    pub refuse: Option<(i64, &'static str)>,
    /// Answers for this transaction that its database fails.
    pub unreadable: Option<TxId>,
    /// Shows this transaction from its index only.
    pub not_in_mempool: Option<TxId>,
    /// Changes the bytes of blocks and transactions before they are sent.
    pub tamper: Option<fn(&mut Vec<u8>)>,
    /// Runs after each call of this method.
    pub after: Option<(&'static str, Change)>,
    /// Every call that came.
    pub calls: Vec<String>,
}

/// Something that happens to a node.
pub type Change = fn(&mut State);

/// A handle on the node.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
    /// A regtest node with nothing but the genesis block.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            best: vec![genesis_block(Network::Regtest)],
            stale: Vec::new(),
            mempool: BTreeMap::new(),
            loaded: true,
            chain: "regtest",
            version: 290_000,
            headers_ahead: 0,
            initial_block_download: false,
            pruned_below: 0,
            bodiless: None,
            rest: false,
            refuse: None,
            unreadable: None,
            not_in_mempool: None,
            tamper: None,
            after: None,
            calls: Vec::new(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A source that follows it.
    pub fn source(&self) -> BitcoinSource<MemoryTransport> {
        self.source_with(Arc::new(TestClock::default()), false)
    }

    pub fn source_with(&self, clock: Arc<dyn Clock>, rest: bool) -> BitcoinSource<MemoryTransport> {
        let node = self.clone();
        let transport = MemoryTransport::new(move |request| Ok(node.state().http(request)));
        let client = Client::new("btc", transport, Auth::None, Arc::clone(&clock), silent());
        BitcoinSource::over(client, Network::Regtest, rest, clock)
    }

    /// Mines a block with these transactions, which leave the mempool.
    pub fn mine(&self, transactions: Vec<Transaction>) -> BlockRef {
        let mut state = self.state();
        for tx in &transactions {
            state.mempool.remove(&wire::tx_id(tx.compute_txid()));
        }
        state.mine(transactions)
    }

    /// Puts a transaction into the mempool.
    pub fn add(&self, tx: Transaction) -> TxId {
        let txid = wire::tx_id(tx.compute_txid());
        self.state().mempool.insert(txid, tx);
        txid
    }
}

impl State {
    pub fn mine(&mut self, transactions: Vec<Transaction>) -> BlockRef {
        let parent = self.best.last().unwrap();
        let height = u32::try_from(self.best.len()).unwrap();
        // Blocks of another branch differ by their coinbase.
        let branch = self.stale.len();
        let mut txdata = vec![coinbase(height, branch, Vec::new())];
        txdata.extend(transactions);
        let block = mined(parent.block_hash(), parent.header.time + 600, txdata);
        self.best.push(block);
        self.block_ref(height)
    }

    /// Takes blocks off the best chain, without new ones.
    pub fn disconnect(&mut self, count: usize) {
        let keep = self.best.len() - count;
        self.stale.extend(self.best.drain(keep..));
    }

    pub fn block_ref(&self, height: u32) -> BlockRef {
        let block = &self.best[usize::try_from(height).unwrap()];
        BlockRef {
            id: BlockId {
                height: Height(height),
                hash: wire::block_hash(block.block_hash()),
            },
            parent: wire::block_hash(block.header.prev_blockhash),
            time: UnixMs::from_secs(block.header.time.into()),
        }
    }

    fn http(&mut self, request: &HttpRequest) -> HttpResponse {
        let Verb::Post(body) = &request.verb else {
            return self.get(&request.path);
        };
        let asked: Value = serde_json::from_slice(body).unwrap();
        let answers = match asked.as_array() {
            Some(calls) => calls.iter().map(|call| self.rpc(call)).collect(),
            None => self.rpc(&asked),
        };
        HttpResponse::ok(answers.to_string())
    }

    fn get(&mut self, path: &str) -> HttpResponse {
        self.calls.push(path.into());
        let known = path.strip_suffix(".bin").and_then(|path| {
            let (kind, hash) = path.rsplit_once('/').unwrap();
            let (_, block) = self.find(hash)?;
            match kind {
                "/rest/block" => Some(serialize(block)),
                "/rest/headers/1" => Some(serialize(&block.header)),
                _ => None,
            }
        });
        match known {
            Some(bytes) if self.rest => HttpResponse::ok(bytes),
            Some(_) | None => HttpResponse::with_status(404, "not found"),
        }
    }

    fn rpc(&mut self, call: &Value) -> Value {
        let method = call["method"].as_str().unwrap();
        self.calls.push(method.into());
        let answer = match self.refuse {
            Some((code, message)) => Err((code, message)),
            None => self.answer(method, &call["params"]),
        };
        if let Some((_, change)) = self.after.filter(|(after, _)| *after == method) {
            change(self);
        }
        match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
            Err((code, message)) => {
                json!({"id": call["id"], "error": {"code": code, "message": message}})
            }
        }
    }

    fn answer(&self, method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        match method {
            "getblockchaininfo" => Ok(self.chain_info()),
            "getmempoolinfo" => Ok(json!({"loaded": self.loaded, "size": self.mempool.len()})),
            "getnetworkinfo" => Ok(json!({"version": self.version, "subversion": "/Fake:1/"})),
            "getbestblockhash" => Ok(json!(self.best.last().unwrap().block_hash().to_string())),
            "getrawmempool" => Ok(self.mempool.keys().map(TxId::to_string).collect()),
            "getblockhash" => self.block_hash(&params[0]),
            "getblockheader" => self.header(params),
            "getblock" => self.raw_block(params),
            "getrawtransaction" => self.raw_transaction(params),
            "getmempoolentry" => self.mempool_entry(params),
            "gettxspendingprevout" => Ok(self.spenders(&params[0])),
            _ => Err((-32601, "Method not found")),
        }
    }

    fn chain_info(&self) -> Value {
        let tip = self.best.len() - 1;
        json!({
            "chain": self.chain,
            "blocks": tip,
            "headers": tip + usize::try_from(self.headers_ahead).unwrap(),
            "bestblockhash": self.best[tip].block_hash().to_string(),
            "initialblockdownload": self.initial_block_download,
            "pruned": self.pruned_below > 0,
            "pruneheight": self.pruned_below,
        })
    }

    fn block_hash(&self, height: &Value) -> Result<Value, (i64, &'static str)> {
        let height = usize::try_from(height.as_u64().unwrap()).unwrap();
        let block = self.best.get(height);
        let block = block.ok_or((-8, "Block height out of range"))?;
        Ok(json!(block.block_hash().to_string()))
    }

    fn header(&self, params: &Value) -> Result<Value, (i64, &'static str)> {
        let (confirmations, block) = self
            .find(params[0].as_str().unwrap())
            .ok_or((-5, "Block not found"))?;
        if params[1] == true {
            Ok(json!({"confirmations": confirmations}))
        } else {
            Ok(json!(hex::encode(serialize(&block.header))))
        }
    }

    fn raw_block(&self, params: &Value) -> Result<Value, (i64, &'static str)> {
        let (confirmations, block) = self
            .find(params[0].as_str().unwrap())
            .ok_or((-5, "Block not found"))?;
        let height = i64::try_from(self.best.len()).unwrap() - confirmations;
        if height < self.pruned_below.into() {
            return Err((-1, "Block not available (pruned data)"));
        }
        if self.bodiless.map(i64::from) == Some(height) {
            return Err((-1, "Block not found on disk"));
        }
        Ok(json!(self.sent(serialize(block))))
    }

    fn raw_transaction(&self, params: &Value) -> Result<Value, (i64, &'static str)> {
        let txid = TxId::from_hex(params[0].as_str().unwrap()).unwrap();
        if self.unreadable == Some(txid) {
            return Err((-1, "Database error"));
        }
        let tx = self.mempool.get(&txid);
        let tx = tx.ok_or((-5, "No such mempool transaction."))?;
        Ok(json!(self.sent(serialize(tx))))
    }

    fn mempool_entry(&self, params: &Value) -> Result<Value, (i64, &'static str)> {
        let txid = TxId::from_hex(params[0].as_str().unwrap()).unwrap();
        let is_there = self.mempool.contains_key(&txid) && self.not_in_mempool != Some(txid);
        is_there
            .then(|| json!({}))
            .ok_or((-5, "Transaction not in mempool"))
    }

    fn sent(&self, mut bytes: Vec<u8>) -> String {
        if let Some(tamper) = self.tamper {
            tamper(&mut bytes);
        }
        hex::encode(bytes)
    }

    fn spenders(&self, outpoints: &Value) -> Value {
        let spender = |outpoint: &Value| {
            let spends = |tx: &&Transaction| {
                tx.input.iter().any(|input| {
                    json!(input.previous_output.txid.to_string()) == outpoint["txid"]
                        && json!(input.previous_output.vout) == outpoint["vout"]
                })
            };
            self.mempool.values().find(spends)
        };
        let answer = |outpoint: &Value| match spender(outpoint) {
            Some(tx) => json!({
                "txid": outpoint["txid"],
                "vout": outpoint["vout"],
                "spendingtxid": tx.compute_txid().to_string(),
            }),
            None => outpoint.clone(),
        };
        outpoints.as_array().unwrap().iter().map(answer).collect()
    }

    /// A block by its hash, and its confirmations.
    fn find(&self, hash: &str) -> Option<(i64, &Block)> {
        let is_it = |block: &&Block| block.block_hash().to_string() == hash;
        let stale = || self.stale.iter().find(is_it).map(|block| (-1, block));
        (1..)
            .zip(self.best.iter().rev())
            .find(|(_, block)| is_it(block))
            .or_else(stale)
    }
}

/// A block on top of `parent` that meets regtest's easiest target.
pub fn mined(parent: Hash, time: u32, txdata: Vec<Transaction>) -> Block {
    let mut block = Block {
        header: Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: parent,
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        },
        txdata,
    };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}

/// A coinbase that names its height.
pub fn coinbase(height: u32, extra: usize, output: Vec<TxOut>) -> Transaction {
    let script_sig = ScriptBuf::builder()
        .push_int(height.into())
        .push_int(i64::try_from(extra).unwrap())
        .into_script();
    transaction(OutPoint::null(), script_sig, output)
}

/// A transaction that spends output `vout` of an invented transaction.
pub fn spending(seed: u8, vout: u32, output: Vec<TxOut>) -> Transaction {
    let txid = bitcoin::Txid::from_byte_array([seed; 32]);
    transaction(OutPoint { txid, vout }, ScriptBuf::new(), output)
}

fn transaction(
    previous_output: OutPoint,
    script_sig: ScriptBuf,
    output: Vec<TxOut>,
) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output,
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output,
    }
}

/// An output of `sats` to this script.
pub fn output(sats: u64, script: &str) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey: ScriptBuf::from_hex(script).unwrap(),
    }
}

/// The script of a version 0 program made of one repeated byte.
pub fn wpkh(byte: u8) -> String {
    format!("0014{}", hex::encode([byte; 20]))
}

/// A wall clock and a monotonic one, in milliseconds, that a test moves.
#[derive(Debug, Default)]
pub struct TestClock(pub AtomicI64, pub AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Now {
        Now {
            wall: UnixMs(self.0.load(Ordering::SeqCst)),
            monotonic_ms: self.1.load(Ordering::SeqCst),
        }
    }
}

/// A transport whose node cannot be reached.
pub fn unreachable() -> BitcoinSource<MemoryTransport> {
    let clock: Arc<TestClock> = Arc::default();
    let transport = MemoryTransport::new(|_| Err(TransportError::Unreachable("refused".into())));
    let shared: Arc<TestClock> = Arc::clone(&clock);
    let client = Client::new("btc", transport, Auth::None, shared, silent());
    BitcoinSource::over(client, Network::Regtest, false, clock)
}

/// A hash that no block has.
pub const NOBODY: BlockHash = BlockHash([7; 32]);
