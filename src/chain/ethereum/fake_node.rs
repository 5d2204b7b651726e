//! A node in memory for tests: built blocks behind real JSON-RPC, with faults to switch on.

use super::fixture::{BlockBuilder, Built};
use crate::chain::rpc::{HttpRequest, HttpResponse, MemoryTransport, Verb};
use alloy_primitives::B256;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// What the node is and does.
pub struct State {
    pub chain_id: u64,
    /// The best chain from genesis.
    pub chain: Vec<Built>,
    /// Blocks known by hash only.
    pub aside: Vec<Built>,
    pub safe: Option<usize>,
    pub finalized: Option<usize>,
    pub syncing: Value,
    pub code: Value,
    pub decimals: Value,
    /// Answers instead of the real ones: how such calls begin (method, blank, parameters), and
    /// the result, or an object with `error`.
    pub faults: Vec<(&'static str, Value)>,
    /// Receipts only by number, as some nodes have it.
    pub receipts_by_number_only: bool,
    /// No receipts by the block, which is said with this code.
    pub no_block_receipts: Option<i64>,
    /// Requests with more calls are refused as a whole, or each call of them is.
    pub batch_max: Option<(usize, BatchRefusal)>,
    /// The next request with so many calls is refused.
    pub refuses_once: Option<usize>,
    /// Every call in order.
    pub log: Vec<String>,
    /// How many calls each request with several had, in order.
    pub batches: Vec<usize>,
}

/// How a node refuses a batch that is too long for it.
#[derive(Debug, Clone, Copy)]
pub enum BatchRefusal {
    /// With one error instead of a list.
    Whole,
    /// Call by call, beginning with the first too many.
    Rest,
}

/// A shared node.
#[derive(Clone)]
pub struct FakeNode(Arc<Mutex<State>>);

impl FakeNode {
    /// A node of chain 31337 with a genesis.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            chain_id: 31_337,
            chain: vec![BlockBuilder::new(0, B256::ZERO).build()],
            aside: Vec::new(),
            safe: None,
            finalized: None,
            syncing: json!(false),
            code: json!("0x6001"),
            decimals: json!(format!("{:#066x}", 6)),
            faults: Vec::new(),
            receipts_by_number_only: false,
            no_block_receipts: None,
            batch_max: None,
            refuses_once: None,
            log: Vec::new(),
            batches: Vec::new(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Adds a block on top of the best chain.
    pub fn mine(&self, change: impl FnOnce(BlockBuilder) -> BlockBuilder) -> Built {
        let mut state = self.state();
        let parent = state.chain.last().unwrap();
        let built = change(BlockBuilder::new(parent.header.number + 1, parent.hash)).build();
        state.chain.push(built.clone());
        built
    }

    /// Adds empty blocks on top of the best chain.
    pub fn mine_empty(&self, count: usize, extra: &'static str) {
        for _ in 0..count {
            self.mine(|block| block.extra(extra));
        }
    }

    /// Takes blocks off the best chain; they stay known by hash.
    pub fn roll_back(&self, count: usize) {
        let mut state = self.state();
        let kept = state.chain.len() - count;
        let gone = state.chain.split_off(kept);
        state.aside.extend(gone);
    }

    pub fn fault(&self, call: &'static str, answer: Value) {
        self.state().faults.push((call, answer));
    }

    pub fn heal(&self) {
        self.state().faults.clear();
    }

    pub fn transport(&self) -> MemoryTransport {
        let node = self.clone();
        MemoryTransport::new(move |request| Ok(node.state().exchange(request)))
    }
}

impl State {
    fn exchange(&mut self, request: &HttpRequest) -> HttpResponse {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        let asked: Value = serde_json::from_slice(body).unwrap();
        let answer = match asked.as_array() {
            Some(calls) => self.answer_batch(calls),
            None => self.answer(&asked),
        };
        HttpResponse::ok(answer.to_string())
    }

    fn answer_batch(&mut self, calls: &[Value]) -> Value {
        self.batches.push(calls.len());
        let refusal = |id: &Value| {
            json!({
                "jsonrpc": "2.0", "id": id,
                "error": {"code": -32003, "message": "too many"},
            })
        };
        if self
            .refuses_once
            .take_if(|size| *size == calls.len())
            .is_some()
        {
            return refusal(&Value::Null);
        }
        match self.batch_max {
            Some((max, BatchRefusal::Whole)) if calls.len() > max => refusal(&Value::Null),
            Some((max, BatchRefusal::Rest)) => {
                let (taken, rest) = calls.split_at(max.min(calls.len()));
                let taken = taken.iter().map(|call| self.answer(call));
                let taken: Vec<Value> = taken.collect();
                let rest = rest.iter().map(|call| refusal(&call["id"]));
                taken.into_iter().chain(rest).collect()
            }
            Some(_) | None => calls.iter().map(|call| self.answer(call)).collect(),
        }
    }

    fn answer(&mut self, call: &Value) -> Value {
        let method = call["method"].as_str().unwrap();
        let said = format!("{method} {}", call["params"]);
        let fault = self
            .faults
            .iter()
            .find(|(start, _)| said.starts_with(start));
        let result = fault.map_or_else(
            || self.result(method, &call["params"]),
            |(_, answer)| answer.clone(),
        );
        self.log.push(said);
        match result.get("error") {
            Some(error) => json!({"jsonrpc": "2.0", "id": call["id"], "error": error}),
            None => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
        }
    }

    fn result(&self, method: &str, params: &Value) -> Value {
        let which = params[0].as_str().unwrap_or_default();
        match method {
            "eth_chainId" => json!(format!("{:#x}", self.chain_id)),
            "eth_syncing" => self.syncing.clone(),
            "eth_getCode" => self.code.clone(),
            "eth_call" => self.decimals.clone(),
            "eth_getBlockByNumber" => self.canonical(which).map_or(Value::Null, without_bodies),
            "eth_getBlockByHash" => self.known(which).map_or(Value::Null, |b| b.block.clone()),
            "eth_getBlockReceipts" if self.no_block_receipts.is_some() => {
                error(self.no_block_receipts.unwrap(), "not on this plan")
            }
            "eth_getTransactionReceipt" => self.receipt(which),
            "eth_getBlockReceipts" if which.len() < 66 => self
                .canonical(which)
                .map_or(Value::Null, |b| b.receipts.clone()),
            "eth_getBlockReceipts" if self.receipts_by_number_only => {
                error(-32602, "invalid argument 0: a number, please")
            }
            "eth_getBlockReceipts" => self
                .known(which)
                .map_or(Value::Null, |b| b.receipts.clone()),
            _ => error(-32601, "the method does not exist"),
        }
    }

    fn canonical(&self, which: &str) -> Option<&Built> {
        let index = match which {
            "latest" => self.chain.len() - 1,
            "safe" => self.safe?,
            "finalized" => self.finalized?,
            number => usize::from_str_radix(number.strip_prefix("0x")?, 16).unwrap(),
        };
        self.chain.get(index)
    }

    fn receipt(&self, hash: &str) -> Value {
        let mut blocks = self.chain.iter().chain(&self.aside);
        let found = blocks.find_map(|block| {
            let mut receipts = block.receipts.as_array().unwrap().iter();
            receipts.find(|receipt| receipt["transactionHash"] == hash)
        });
        found.cloned().unwrap_or(Value::Null)
    }

    fn known(&self, hash: &str) -> Option<&Built> {
        let mut blocks = self.chain.iter().chain(&self.aside);
        blocks.find(|block| block.hash.to_string() == hash)
    }
}

/// A JSON-RPC error.
pub fn error(code: i64, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

fn without_bodies(built: &Built) -> Value {
    let mut block = built.block.clone();
    let hashes = block["transactions"].as_array().unwrap().iter();
    block["transactions"] = hashes.map(|tx| tx["hash"].clone()).collect();
    block
}
