//! The simulation held against the real source: what it builds passes verification, and what the
//! scanner finds is what the block says that it credits.

mod answers;
mod forks;
mod kinds;
mod random;

use super::*;
use crate::{
    chain::{
        ChainSource, SourceError,
        ethereum::{EthereumSource, Network, TokenSpec, sender::is_self_transfer},
        rpc::{Auth, Client, MemoryTransport, silent},
    },
    clock::{Clock, SystemClock},
    domain::{
        asset::AssetCode,
        block::{BlockHash, BlockRef, Height, TxId},
        facts::{BlockFacts, Candidate, CreditAsset},
        time::{SpanMs, UnixMs},
        transfer::Position,
    },
    sandbox::{
        json_rpc::{Node, respond},
        tree::Linked,
    },
};
use alloy_primitives::{Address, U256, hex};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard};

const CHAIN_ID: u64 = 31_337;
const START: UnixMs = UnixMs::from_secs(1_750_000_000);

const USDT: [u8; 20] = [0xd1; 20];
const USDC: [u8; 20] = [0xc1; 20];
const FAKE: [u8; 20] = [0xfa; 20];
const SHOP: [u8; 20] = [0x5a; 20];
const OTHER: [u8; 20] = [0x0b; 20];
const CONTRACT: [u8; 20] = [0xcc; 20];

fn token(contract: [u8; 20], symbol: &str, kind: TokenKind) -> Token {
    Token {
        contract,
        symbol: symbol.to_owned(),
        decimals: 6,
        kind,
    }
}

fn chain() -> Chain {
    let tokens = vec![
        token(USDT, "USDT", TokenKind::Tether),
        token(USDC, "USDC", TokenKind::Circle),
        token(FAKE, "USDT", TokenKind::Plain),
    ];
    Chain::new(CHAIN_ID, START, tokens)
        .with_contract(CONTRACT)
        .with_delegation(SHOP, CONTRACT)
}

fn units(amount: u64) -> U256 {
    U256::from(amount)
}

/// A chain and one view of it.
struct World {
    chain: Chain,
    view: View,
}

impl World {
    fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        let node = SimulatedNode {
            chain: &self.chain,
            view: &self.view,
        };
        let params: Vec<Value> = serde_json::from_value(params).unwrap();
        let answer = node.call(method, &params);
        let answer = answer.map_err(|refusal| refusal.to_string())?;
        Ok(serde_json::from_str(answer.get()).unwrap())
    }
}

/// A world behind the real source.
struct Rig {
    world: Arc<Mutex<World>>,
    source: EthereumSource<MemoryTransport>,
}

impl Rig {
    async fn new() -> Self {
        Self::on(chain()).await
    }

    async fn on(chain: Chain) -> Self {
        let view = View::new(&chain);
        let world = Arc::new(Mutex::new(World { chain, view }));
        let source = source(Arc::clone(&world));
        let mut rig = Self { world, source };
        rig.source.connect().await.unwrap();
        // Whether it can trace is asked with its state, whatever else is wrong with that.
        drop(rig.source.status().await);
        rig
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A block on the head, which becomes the head.
    fn mine(&self, contents: impl Into<Contents>) -> BlockRef {
        let head = self.world().view.branch().head().unwrap();
        self.mine_on(head, contents)
    }

    /// A block on any block, which becomes the head.
    fn mine_on(&self, parent: BlockHash, contents: impl Into<Contents>) -> BlockRef {
        let World { chain, view } = &mut *self.world();
        let at = chain.block(parent).unwrap().reference().time;
        let block = chain.extend(parent, at.plus(SpanMs(12_000)), contents);
        let block = block.unwrap();
        view.set_head(chain, block.id.hash);
        block
    }

    /// What the source says of a block, once verified.
    async fn facts(&mut self, block: BlockRef) -> BlockFacts {
        let mut facts = self.source.blocks(&[block]).await.unwrap().remove(0);
        while facts.awaits_trace {
            for (_, inner) in self.source.traces(&[block]).await {
                facts.complete(&inner.unwrap().facts);
            }
        }
        facts
    }

    fn truth(&self, block: BlockRef) -> Vec<TrueCredit> {
        let world = self.world();
        world.chain.block(block.id.hash).unwrap().credits.clone()
    }

    /// The source verifies the block, traces it, and finds what it truly credits but for the fake token,
    /// which it was not told of.
    async fn agrees(&mut self, block: BlockRef, name: &str) -> Vec<String> {
        let facts = self.facts(block).await;
        assert_eq!(facts.block, block, "{name}");
        let truth = self.truth(block);
        let visible = |credit: &&TrueCredit| credit.token != Some(FAKE);
        let mut expected: Vec<Seen> = truth.iter().filter(visible).map(Seen::truly).collect();
        let found = facts.credits.iter().filter(|one| !is_self_transfer(one));
        let mut found: Vec<Seen> = found.map(|one| Seen::by_source(&one, &facts)).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}");
        truth.iter().map(shown).collect()
    }
}

fn source(world: Arc<Mutex<World>>) -> EthereumSource<MemoryTransport> {
    let transport = MemoryTransport::new(move |request| {
        let World { chain, view } = &*world.lock().unwrap();
        Ok(respond(&SimulatedNode { chain, view }, request))
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let client = Client::new(
        "simulated",
        transport,
        Auth::None,
        Arc::clone(&clock),
        silent(),
    );
    let network = Network {
        chain_id: CHAIN_ID,
        genesis: None,
    };
    let spec = |asset, contract| TokenSpec {
        asset: AssetCode::new(asset),
        contract,
        decimals: 6,
    };
    let tokens = vec![spec("USDT", USDT), spec("USDC", USDC)];
    EthereumSource::over(vec![client], network, tokens, clock).looking_inside(None)
}

/// A credit as both sides can say it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    txid: TxId,
    tx_index: u32,
    position: Position,
    token: Option<[u8; 20]>,
    to: [u8; 20],
    amount: U256,
}

impl Seen {
    fn truly(credit: &TrueCredit) -> Self {
        Self {
            txid: credit.txid,
            tx_index: credit.tx_index,
            position: credit.position.clone(),
            token: credit.token,
            to: credit.to,
            amount: credit.amount,
        }
    }

    fn by_source(credit: &Candidate, facts: &BlockFacts) -> Self {
        let index = usize::try_from(credit.tx_index).unwrap();
        Self {
            txid: facts.transactions[index],
            tx_index: credit.tx_index,
            position: credit.position.clone(),
            token: match credit.asset {
                CreditAsset::Native => None,
                CreditAsset::Token(contract) => Some(contract),
            },
            to: credit.destination.as_bytes().try_into().unwrap(),
            amount: credit.amount.base(),
        }
    }
}

/// A credit as text: kind, transaction, position, asset, receiver, amount.
fn shown(credit: &TrueCredit) -> String {
    let name = |account: [u8; 20]| match account {
        USDT => "USDT".to_owned(),
        USDC => "USDC".to_owned(),
        FAKE => "FAKE".to_owned(),
        SHOP => "shop".to_owned(),
        OTHER => "other".to_owned(),
        CONTRACT => "contract".to_owned(),
        account => hex::encode_prefixed(&account[..1]),
    };
    let kind = match credit.kind {
        CreditKind::TopLevel => "top",
        CreditKind::Token => "token",
        CreditKind::Inner => "inner",
    };
    let TrueCredit {
        tx_index,
        position,
        amount,
        ..
    } = credit;
    let token = credit.token.map_or_else(|| "ether".to_owned(), name);
    format!(
        "{kind} {tx_index} {position} {token} {} {amount}",
        name(credit.to)
    )
}
