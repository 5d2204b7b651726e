//! What a real node answered, once, and a node in memory that says the same again, but for what it is told to
//! say instead. Behind it stands the real source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use confirmd::chain::ChainSource as _;
use confirmd::chain::ethereum::{EthereumSource, Network, TokenSpec};
use confirmd::chain::rpc::{
    Auth, Client, HttpRequest, HttpResponse, MemoryTransport, Verb, silent,
};
use confirmd::clock::{Clock, SystemClock};
use confirmd::domain::asset::AssetCode;
use confirmd::domain::block::{BlockHash, BlockRef, Height};
use confirmd::domain::facts::{BlockFacts, Candidate};
use serde_json::{Value, json};

use super::dressed::Dressed;
use crate::nodes::anvil::Anvil;
use crate::nodes::rpc::{Rpc, RpcError};
use crate::nodes::tokens::Tokens;

/// What it is called in errors.
pub const ENDPOINT: &str = "hostile (memory)";

/// Which question an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A header by its number, as followers walk along them.
    Header,
    /// The header that a tag names.
    Tag,
    /// A block with its transactions, by hash.
    Block,
    /// Its receipts, by hash.
    Receipts,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Header, Self::Tag, Self::Block, Self::Receipts];

    /// Whether it holds a header and no transactions.
    pub const fn is_header(self) -> bool {
        matches!(self, Self::Header | Self::Tag)
    }
}

/// A true answer.
pub struct Answer {
    pub kind: Kind,
    /// Which block, as the source asks for it.
    pub block: BlockRef,
    /// Method and parameters.
    pub call: String,
    pub truth: Value,
    /// What the source makes of it.
    pub facts: String,
}

/// What is answered to a call instead of the truth, as JSON.
pub type Lie = (String, String);

/// A node that remembers what a real one said, and asks it what it does not know yet.
pub struct Recorded {
    tokens: Vec<TokenSpec>,
    clock: Arc<dyn Clock>,
    genesis: BlockHash,
    node: Arc<Node>,
}

struct Node {
    rpc: Rpc,
    known: Mutex<BTreeMap<String, String>>,
    lies: Mutex<Vec<Lie>>,
}

impl Recorded {
    pub fn of(anvil: &Anvil, tokens: &Tokens) -> Self {
        let dollars = [("USDT", tokens.usdt), ("USDC", tokens.usdc)];
        let token = |(asset, contract): (&str, alloy_primitives::Address)| TokenSpec {
            asset: AssetCode::new(asset),
            contract: contract.into_array(),
            decimals: 6,
        };
        Self {
            tokens: dollars.map(token).into(),
            clock: Arc::new(SystemClock::new()),
            genesis: BlockHash(anvil.hash_at(0).0),
            node: Arc::new(Node {
                rpc: anvil.rpc().clone(),
                known: Mutex::default(),
                lies: Mutex::default(),
            }),
        }
    }

    /// From now on its tip is the same block as the main network would have it.
    pub fn dress_tip(&self) {
        let tell = |call: &str| result_of(&self.node.truth(call));
        let latest = call("eth_getBlockByNumber", &json!(["latest", false]));
        let (number, hash) = {
            let mut latest = tell(&latest);
            (latest["number"].take(), latest["hash"].take())
        };
        let by_number = call("eth_getBlockByNumber", &json!([number, false]));
        let by_hash = |hash: &Value| call("eth_getBlockByHash", &json!([hash, true]));
        let receipts = |hash: &Value| call("eth_getBlockReceipts", &json!([hash]));
        let dressed = Dressed::new(&tell(&by_hash(&hash)), &tell(&receipts(&hash)));
        let header = result(&dressed.header().to_string());
        let hash = &dressed.block["hash"];
        let told = [
            (latest, header.clone()),
            (by_number, header),
            (by_hash(hash), result(&dressed.block.to_string())),
            (receipts(hash), result(&dressed.receipts.to_string())),
        ];
        self.node.known.lock().expect("no panic").extend(told);
    }

    /// Every answer by which this chain is followed, with what an honest node's mean.
    pub async fn answers(&self, height: u64) -> Vec<Answer> {
        self.answers_from(0, height).await
    }

    /// The same from one height to another.
    pub async fn answers_from(&self, first: u64, last: u64) -> Vec<Answer> {
        let mut answers = Vec::new();
        let [first, last] =
            [first, last].map(|height| u32::try_from(height).expect("a low height"));
        let count = last - first + 1;
        let headers = self.source().await.headers(Height(first), count).await;
        let tip = *headers.as_ref().expect("headers").last().expect("a tip");
        for block in headers.expect("headers") {
            let number = format!("{:#x}", block.id.height.0);
            let hash = format!("0x{}", block.id.hash);
            let calls = [
                (
                    Kind::Header,
                    call("eth_getBlockByNumber", &json!([number, false])),
                ),
                (
                    Kind::Block,
                    call("eth_getBlockByHash", &json!([hash, true])),
                ),
                (Kind::Receipts, call("eth_getBlockReceipts", &json!([hash]))),
            ];
            for (kind, call) in calls {
                answers.push(self.answer(kind, block, call).await);
            }
        }
        for tag in ["latest", "safe", "finalized"] {
            let call = call("eth_getBlockByNumber", &json!([tag, false]));
            answers.push(self.answer(Kind::Tag, tip, call).await);
        }
        answers
    }

    async fn answer(&self, kind: Kind, block: BlockRef, call: String) -> Answer {
        let facts = self.ask(kind, block, Vec::new()).await;
        let truth = result_of(&self.node.truth(&call));
        Answer {
            kind,
            block,
            truth,
            call,
            facts: facts.expect("an honest answer"),
        }
    }

    /// What the source says when it is told these lies: facts, or why it has none. It connected before.
    pub async fn ask(&self, kind: Kind, block: BlockRef, lies: Vec<Lie>) -> Result<String, String> {
        let mut source = self.source().await;
        *self.node.lies.lock().expect("no panic") = lies;
        let told = match kind {
            Kind::Header => source
                .headers(block.id.height, 1)
                .await
                .map(|all| format!("{all:?}")),
            Kind::Tag => source.status().await.map(|status| format!("{status:?}")),
            Kind::Block | Kind::Receipts => source.blocks(&[block]).await.map(|all| show(&all)),
        };
        self.node.lies.lock().expect("no panic").clear();
        told.map_err(|error| error.to_string())
    }

    /// The facts of a block, as an honest node tells it.
    pub async fn facts(&self, block: BlockRef) -> BlockFacts {
        let facts = self.source().await.blocks(&[block]).await;
        facts.expect("an honest answer").remove(0)
    }

    async fn source(&self) -> EthereumSource<MemoryTransport> {
        let node = Arc::clone(&self.node);
        let transport = MemoryTransport::new(move |request| Ok(node.exchange(request)));
        let clock = Arc::clone(&self.clock);
        let client = Client::new(
            "hostile",
            transport,
            Auth::None,
            Arc::clone(&clock),
            silent(),
        );
        let network = Network {
            chain_id: 31_337,
            genesis: Some(self.genesis),
        };
        let mut source = EthereumSource::over(vec![client], network, self.tokens.clone(), clock);
        source.connect().await.expect("an honest node");
        source
    }
}

/// How a call is remembered.
pub fn call(method: &str, params: &Value) -> String {
    format!("{method} {params}")
}

/// Everything that a block says, credit by credit.
fn show(blocks: &[BlockFacts]) -> String {
    let mut shown = String::new();
    for facts in blocks {
        let BlockFacts {
            block,
            transactions,
            credits,
            spends,
            ignored,
            token_events,
            awaits_trace: _,
            unproven,
            earners,
        } = facts;
        assert_eq!(*unproven, None);
        let credits: Vec<Candidate> = credits.iter().collect();
        write!(
            shown,
            "{block:?} {transactions:?} {credits:?} {spends:?} {ignored:?} {token_events:?} {earners:?}"
        )
        .expect("a text");
    }
    shown
}

fn result(told: &str) -> String {
    format!(r#""result":{told}"#)
}

fn result_of(answer: &str) -> Value {
    serde_json::from_str(&answer[r#""result":"#.len()..]).expect("a result")
}

impl Node {
    fn exchange(&self, request: &HttpRequest) -> HttpResponse {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        let asked: Value = serde_json::from_slice(body).expect("JSON");
        let Value::Array(calls) = &asked else {
            return HttpResponse::ok(self.respond(&asked));
        };
        let answers: Vec<String> = calls.iter().map(|call| self.respond(call)).collect();
        HttpResponse::ok(format!("[{}]", answers.join(",")))
    }

    fn respond(&self, asked: &Value) -> String {
        let method = asked["method"].as_str().expect("a method");
        let call = call(method, &asked["params"]);
        let lies = self.lies.lock().expect("no panic");
        let lie = lies.iter().find(|(of, _)| *of == call);
        let answer = lie.map_or_else(|| self.truth(&call), |(_, lie)| result(lie));
        format!(r#"{{"jsonrpc":"2.0","id":{},{answer}}}"#, asked["id"])
    }

    /// What is beside the id in an answer.
    fn truth(&self, call: &str) -> String {
        let mut known = self.known.lock().expect("no panic");
        let ask = || {
            let (method, params) = call.split_once(' ').expect("method and parameters");
            let params = serde_json::from_str(params).expect("JSON");
            match self.rpc.try_call(method, params) {
                Ok(told) => result(&told.to_string()),
                Err(RpcError::Node { code, message }) => {
                    let error = json!({"code": code, "message": message});
                    format!(r#""error":{error}"#)
                }
                Err(error @ RpcError::Transport(_)) => panic!("{method}: {error}"),
            }
        };
        known.entry(call.to_owned()).or_insert_with(ask).clone()
    }
}
