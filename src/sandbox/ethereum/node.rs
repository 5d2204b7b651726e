//! A simulated node: from a call to its answer, out of a chain and one view of it.
//!
//! Source: Ethereum execution APIs; where they are silent, geth. Nobody's balance falls, since what
//! accounts spend is not simulated; logs are found by a block's hash only.

use super::{
    chain::{Block, Body, Chain},
    json::{self, Written},
    trace,
    view::{Receipts, View},
};
use crate::{
    domain::block::{BlockHash, BlockRef, Height, TxId},
    sandbox::{
        json_rpc::{Answer, INVALID_PARAMS, Node, Refusal, answer, param},
        tree::Linked,
    },
};
use alloy_primitives::{Address, Bytes, U64, U256};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// Geth's code for most of what it cannot do.
const SERVER_ERROR: i64 = -32_000;
/// The contract ran and refused.
const EXECUTION_REVERTED: i64 = 3;
/// EIP-4444: bodies and receipts of that age are gone.
const PRUNED: i64 = 4444;

/// One node.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedNode<'a> {
    /// The chain that there is.
    pub chain: &'a Chain,
    /// What this node sees of it.
    pub view: &'a View,
}

impl Node for SimulatedNode<'_> {
    fn call(&self, method: &str, params: &[Value]) -> Answer {
        match method {
            "eth_chainId" => answer(&U64::from(self.chain.chain_id())),
            "net_version" => answer(&self.chain.chain_id().to_string()),
            "web3_clientVersion" => {
                answer(&concat!("confirmd-sandbox/", env!("CARGO_PKG_VERSION")))
            }
            "eth_blockNumber" => answer(&U64::from(self.view.branch().height().0)),
            "eth_syncing" => self.syncing(),
            "eth_getBlockByNumber" => self.block(self.by_number(param(params, 0))?, params),
            "eth_getBlockByHash" => self.block(self.by_hash(param(params, 0))?, params),
            "eth_getBlockReceipts" => self.receipts(param(params, 0)),
            "eth_getTransactionByHash" => self.transaction(param(params, 0)),
            "eth_getTransactionReceipt" => self.receipt(param(params, 0)),
            "eth_getLogs" => self.logs(param(params, 0)),
            "eth_getCode" => self.code(params),
            "eth_getBalance" => self.balance(params),
            "eth_call" => self.call_contract(params),
            "debug_traceBlockByHash" => self.trace(params),
            _ => Err(Refusal::unknown_method()),
        }
    }
}

/// What `eth_call` is asked to run.
#[derive(Deserialize)]
struct Run {
    to: Option<Address>,
    input: Option<Bytes>,
    data: Option<Bytes>,
}

/// The only tracer that is simulated.
#[derive(Deserialize)]
struct Tracer {
    tracer: String,
}

impl<'a> SimulatedNode<'a> {
    fn syncing(&self) -> Answer {
        if !self.view.syncing {
            return answer(&false);
        }
        let height = self.view.branch().height();
        answer(&json!({
            "startingBlock": U64::ZERO,
            "currentBlock": U64::from(height.0),
            "highestBlock": U64::from(height.plus(1).0),
        }))
    }

    fn block(&self, block: Option<&Block>, params: &[Value]) -> Answer {
        let full: bool = read(param(params, 1))?;
        match block {
            None => Ok(null()),
            Some(block) if full => Ok(self.body(block)?.full.clone()),
            Some(block) => Ok(block.brief.clone()),
        }
    }

    fn receipts(&self, which: &Value) -> Answer {
        let block = match (self.view.receipts, which.as_str().and_then(hash)) {
            (Receipts::NotOffered, _) => return Err(Refusal::unknown_method()),
            (Receipts::ByNumber, Some(_)) => {
                let said = "invalid argument 0: hex number > 64 bits";
                return Err(Refusal::new(INVALID_PARAMS, said));
            }
            (Receipts::ByHash, Some(hash)) => self.view.known(self.chain, hash),
            (Receipts::ByHash | Receipts::ByNumber, None) => self.by_number(which)?,
        };
        match block {
            None => Ok(null()),
            Some(block) => Ok(self.body(block)?.receipts.clone()),
        }
    }

    fn transaction(&self, id: &Value) -> Answer {
        let id = tx_id(id)?;
        let Some((block, body)) = self.mined(id) else {
            return Ok(null());
        };
        let mut mined = (0..).zip(&body.inside.mined);
        let found = mined.find(|(_, one)| one.tx.id() == id);
        found.map_or_else(
            || Ok(null()),
            |(index, one)| answer(&written(block, body).transaction(index, one)),
        )
    }

    fn receipt(&self, id: &Value) -> Answer {
        let id = tx_id(id)?;
        let Some((_, body)) = self.mined(id) else {
            return Ok(null());
        };
        let receipts: Vec<&RawValue> = serde_json::from_str(body.receipts.get())
            .map_err(|error| Refusal::new(SERVER_ERROR, error.to_string()))?;
        let mut mined = body.inside.mined.iter().zip(receipts);
        let found = mined.find(|(one, _)| one.tx.id() == id);
        Ok(found.map_or_else(null, |(_, receipt)| receipt.to_owned()))
    }

    fn logs(&self, filter: &Value) -> Answer {
        let filter: Filter = read(filter)?;
        let hash = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => BlockHash(hash.0),
            FilterBlockOption::Range { .. } => {
                let said = "only the logs of one block are simulated, by its hash";
                return Err(Refusal::new(INVALID_PARAMS, said));
            }
        };
        let block = self.view.known(self.chain, hash);
        let block = block.ok_or_else(|| Refusal::new(SERVER_ERROR, "unknown block"))?;
        let mut logs = written(block, self.body(block)?).logs();
        logs.retain(|log| filter.matches(&log.inner));
        answer(&logs)
    }

    fn code(&self, params: &[Value]) -> Answer {
        self.state_at(param(params, 1))?;
        let account: Address = read(param(params, 0))?;
        answer(&self.chain.code(account))
    }

    /// All ether that an account was ever given up to a block.
    fn balance(&self, params: &[Value]) -> Answer {
        let account: Address = read(param(params, 0))?;
        let by_hash = param(params, 1).get("blockHash");
        let block = self.state_at(by_hash.unwrap_or_else(|| param(params, 1)))?;
        let branch = self.view.branch();
        let down = self.chain.tree().down_from(block.reference().id.hash);
        let down = down.map(Linked::reference);
        // Of the blocks below it only those that left the node's branch are looked at one by one.
        let aside: Vec<BlockRef> = down.take_while(|it| !branch.holds(*it)).collect();
        let fork = block.reference().id.height.minus(count(&aside));
        let is_below =
            |of: &BlockRef| (of.id.height <= fork && branch.holds(*of)) || aside.contains(of);
        let given = self.chain.given(account).iter();
        let given = given.filter(|(of, _)| is_below(of));
        answer(&given.map(|(_, amount)| *amount).sum::<U256>())
    }

    fn call_contract(&self, params: &[Value]) -> Answer {
        let run: Run = read(param(params, 0))?;
        let block = self.state_at(param(params, 1))?;
        let Some(token) = run.to.and_then(|to| block.ledger.token(to)) else {
            return answer(&Bytes::new());
        };
        let input = run.input.or(run.data).unwrap_or_default();
        match token.view(&input) {
            Some(output) => answer(&output),
            None => Err(Refusal::new(EXECUTION_REVERTED, "execution reverted")),
        }
    }

    fn trace(&self, params: &[Value]) -> Answer {
        let depth = self.view.traces.ok_or_else(Refusal::unknown_method)?;
        let tracer: Tracer = read(param(params, 1))?;
        if tracer.tracer != "callTracer" {
            return Err(Refusal::new(
                SERVER_ERROR,
                "only the callTracer is simulated",
            ));
        }
        let Some(block) = self.by_hash(param(params, 0))? else {
            let said = format!("block {} not found", param(params, 0));
            return Err(Refusal::new(SERVER_ERROR, said));
        };
        if block.reference().id.height < self.view.branch().height().minus(depth) {
            let said = "required historical state unavailable";
            return Err(Refusal::new(SERVER_ERROR, said));
        }
        answer(&trace::trace(&self.body(block)?.inside))
    }

    /// The block that a number or a tag names; `None` above the head.
    fn by_number(&self, which: &Value) -> Result<Option<&'a Block>, Refusal> {
        let missing = |tag: &str| Refusal::new(SERVER_ERROR, format!("{tag} block not found"));
        let height = match which.as_str() {
            Some("latest") => Some(self.view.branch().height()),
            Some("earliest") => Some(self.chain.genesis().id.height),
            Some("safe") => Some(self.view.safe().ok_or_else(|| missing("safe"))?),
            Some("finalized") => Some(self.view.finalized().ok_or_else(|| missing("finalized"))?),
            Some(_) | None => u32::try_from(read::<U64>(which)?.to::<u64>())
                .ok()
                .map(Height),
        };
        Ok(height.and_then(|height| self.view.at(self.chain, height)))
    }

    fn by_hash(&self, which: &Value) -> Result<Option<&'a Block>, Refusal> {
        let hash = which.as_str().and_then(hash).ok_or_else(invalid)?;
        Ok(self.view.known(self.chain, hash))
    }

    /// The block whose state is asked for; that of the head when nothing is said.
    fn state_at(&self, which: &Value) -> Result<&'a Block, Refusal> {
        let block = match which.as_str().and_then(hash) {
            _ if which.is_null() => self.view.head(self.chain),
            Some(hash) => self.view.known(self.chain, hash),
            None => self.by_number(which)?,
        };
        block.ok_or_else(|| Refusal::new(SERVER_ERROR, "header not found"))
    }

    fn mined(&self, id: TxId) -> Option<(&'a Block, &'a Body)> {
        let block = self.view.block_with(self.chain, id)?;
        Some((block, self.chain.body(block.reference().id.hash)?))
    }

    fn body(&self, block: &Block) -> Result<&'a Body, Refusal> {
        let body = self.chain.body(block.reference().id.hash);
        body.ok_or_else(|| Refusal::new(PRUNED, "pruned history unavailable"))
    }
}

fn written<'a>(block: &'a Block, body: &'a Body) -> Written<'a> {
    Written {
        header: &block.header,
        hash: block.reference().id.hash.0.into(),
        inside: &body.inside,
    }
}

fn count(blocks: &[BlockRef]) -> u32 {
    u32::try_from(blocks.len()).unwrap_or(u32::MAX)
}

fn null() -> Box<RawValue> {
    json::raw(&())
}

/// A hash is 64 digits; whatever is shorter is a number or a tag.
fn hash(text: &str) -> Option<BlockHash> {
    (text.len() == 66).then(|| BlockHash::from_hex(text))?
}

fn tx_id(value: &Value) -> Result<TxId, Refusal> {
    let id = value.as_str().and_then(hash).ok_or_else(invalid)?;
    Ok(TxId(id.0))
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    T::deserialize(value).map_err(|error| Refusal::new(INVALID_PARAMS, error.to_string()))
}

fn invalid() -> Refusal {
    Refusal::new(INVALID_PARAMS, "invalid argument 0: not 32 bytes of hex")
}
