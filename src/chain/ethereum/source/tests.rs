//! Connecting and status; what blocks and headers are is next door.

mod announced;
mod blocks;
mod comparison;
mod distant;
mod endpoints;
mod growth;
mod inner;
mod quorum;
mod receipts;
mod slow;
mod tags;
mod tracers;
mod unproven;

use super::*;
use crate::{
    chain::{
        ethereum::{
            fake_node::{FakeNode, error},
            fixture::{BlockBuilder, Built, transfer_log},
            verify::header_ref,
        },
        rpc::{MemoryTransport, silent},
    },
    clock::{Now, SystemClock},
    domain::{
        asset::AssetCode,
        block::BlockHash,
        time::{SpanMs, UnixMs},
    },
};
use alloy_primitives::{Address, U256, address};
use serde_json::{Value, json};

const TOKEN: Address = address!("0xdac17f958d2ee523a2206206994597c13d831ec7");
const SHOP: Address = address!("0x00000000000000000000000000000000000c0ffe");

type Source = EthereumSource<MemoryTransport>;

fn source(node: &FakeNode) -> Source {
    source_of(&[("local", node)])
}

fn source_of(nodes: &[(&str, &FakeNode)]) -> Source {
    source_on(FAKE, nodes)
}

/// The chain that fake nodes are on.
const FAKE: Network = Network {
    chain_id: 31_337,
    genesis: None,
};

/// A source without tokens over nodes that are reached in ways of their own.
fn source_over<'a, T: Transport>(
    nodes: impl IntoIterator<Item = (&'a str, T)>,
    clock: &Arc<dyn Clock>,
) -> EthereumSource<T> {
    let client = |(name, node)| Client::new(name, node, Auth::None, Arc::clone(clock), silent());
    let clients = nodes.into_iter().map(client).collect();
    EthereumSource::over(clients, FAKE, Vec::new(), Arc::clone(clock))
}

/// The clock of a runtime whose time is paused, and what the wall clock says at first.
#[derive(Debug)]
struct Paused(tokio::time::Instant, UnixMs);

impl Paused {
    fn clock() -> Arc<dyn Clock> {
        Self::at(SystemClock::new().now().wall)
    }

    fn at(wall: UnixMs) -> Arc<dyn Clock> {
        Arc::new(Self(tokio::time::Instant::now(), wall))
    }
}

impl Clock for Paused {
    fn now(&self) -> Now {
        let elapsed_ms = self.0.elapsed().as_millis();
        Now {
            monotonic_ms: u64::try_from(elapsed_ms).unwrap(),
            wall: self.1.plus(SpanMs(i64::try_from(elapsed_ms).unwrap())),
        }
    }
}

fn source_on(network: Network, nodes: &[(&str, &FakeNode)]) -> Source {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let client = |(name, node): &(&str, &FakeNode)| {
        Client::new(
            name,
            node.transport(),
            Auth::None,
            Arc::clone(&clock),
            silent(),
        )
    };
    let clients = nodes.iter().map(client).collect();
    let token = TokenSpec {
        asset: AssetCode::new("USDT"),
        contract: TOKEN.into_array(),
        decimals: 6,
    };
    EthereumSource::over(clients, network, vec![token], clock)
}

async fn connected(node: &FakeNode) -> Source {
    let mut source = source(node);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    source
}

fn reference(built: &Built) -> BlockRef {
    let height = Height(u32::try_from(built.header.number).unwrap());
    header_ref(&built.block.to_string(), height).unwrap()
}

fn paying(amount: u64) -> impl FnOnce(BlockBuilder) -> BlockBuilder {
    move |block| {
        let log = transfer_log(TOKEN, Address::ZERO, SHOP, U256::from(amount));
        block.ether(SHOP, U256::from(1)).logs(TOKEN, vec![log])
    }
}

fn word(number: u64) -> Value {
    json!(format!("{number:#066x}"))
}

/// The kind of error and its text.
fn told<T: std::fmt::Debug>(result: Result<T, SourceError>) -> String {
    match result.unwrap_err() {
        SourceError::Transient(text) => format!("transient: {text}"),
        SourceError::Behind(text) => format!("behind: {text}"),
        SourceError::Permanent(text) => format!("permanent: {text}"),
    }
}

// shows: F18
#[tokio::test]
async fn another_chain_is_refused_at_first_and_on_every_connection() {
    let node = FakeNode::new();
    let mut source = connected(&node).await;
    node.state().chain_id = 1;
    assert_eq!(
        told(source.connect().await),
        "permanent: local (memory): chain id: expected 31337, found 1; \
         correct chain_id or the endpoint's url"
    );
    node.state().chain_id = 31_337;
    source.connect().await.unwrap();
    let other = BlockBuilder::new(0, [1; 32].into()).build();
    let before = node.state().chain[0].hash;
    node.state().chain = vec![other.clone()];
    assert_eq!(
        told(source.connect().await),
        format!(
            "permanent: local (memory): genesis: expected {before}, found {}",
            other.hash
        )
    );
}

// shows: F18
#[tokio::test]
async fn a_first_block_that_is_not_what_it_claims_is_no_genesis() {
    let node = FakeNode::new();
    let mut genesis = node.state().chain[0].block.clone();
    genesis["hash"] = json!(format!("0x{}", "77".repeat(32)));
    node.fault("eth_getBlockByNumber [\"0x0\"", genesis);
    let mut source = source(&node);
    let error = told(source.connect().await);
    assert!(error.starts_with("transient"), "{error}");
    node.heal();
    source.connect().await.unwrap();
}

#[tokio::test]
async fn the_genesis_of_public_chains_and_a_configured_one_are_required() {
    let node = FakeNode::new();
    node.state().chain_id = 1;
    let ethereum = |chain_id, genesis| EthereumNode {
        chain_id,
        block_time: None,
        genesis,
        quorum: 1,
        on_unverifiable: OnUnverifiable::Stop,
        endpoints: vec![],
    };
    for (chain_id, genesis) in [(1, None), (31_337, Some(BlockHash([7; 32])))] {
        node.state().chain_id = chain_id;
        let network = Network::of(&ethereum(chain_id, genesis));
        let mut source = source_on(network, &[("local", &node)]);
        let expected = format!("genesis: expected 0x{}", network.genesis.unwrap());
        let error = told(source.connect().await);
        assert!(
            error.starts_with("permanent") && error.contains(&expected),
            "{error}"
        );
    }
    assert_eq!(Network::of(&ethereum(31_337, None)).genesis, None);
}

#[tokio::test]
async fn receipts_are_asked_by_number_where_a_hash_is_not_taken() {
    let node = FakeNode::new();
    node.state().receipts_by_number_only = true;
    let built = node.mine(paying(5));
    let mut source = connected(&node).await;
    let facts = source.blocks(&[reference(&built)]).await.unwrap();
    assert_eq!(facts[0].credits.len(), 2);
    assert!(
        node.state()
            .log
            .contains(&"eth_getBlockReceipts [\"0x1\"]".to_owned())
    );

    // The same number is another block now, so that the receipts are not those of ours.
    node.roll_back(1);
    node.mine(paying(6));
    let said = told(source.blocks(&[reference(&built)]).await);
    assert!(
        said.ends_with("its list of receipts contradicts its hash"),
        "{said}"
    );
}

#[tokio::test]
async fn a_token_that_is_not_as_configured_is_named() {
    let contract = "asset USDT, contract 0xdAC17F958D2ee523a2206206994597C13D831ec7";
    let revert = error(3, "execution reverted");
    let old_revert = error(-32000, "VM execution error: revert");
    for (code, decimals, said) in [
        ("0x", word(6), "expected a contract, found no code there"),
        ("0x60", word(18), "expected 6 decimals, found 18"),
        ("0x60", word(262), "expected 6 decimals, found 262"),
        (
            "0x60",
            json!("0x"),
            "expected 6 decimals, found no answer to decimals()",
        ),
        (
            "0x60",
            revert,
            "expected 6 decimals, found no answer to decimals()",
        ),
        (
            "0x60",
            old_revert,
            "expected 6 decimals, found no answer to decimals()",
        ),
    ] {
        let node = FakeNode::new();
        node.state().code = json!(code);
        node.state().decimals = decimals;
        let mut source = source(&node);
        source.connect().await.unwrap();
        let problem = format!("local (memory): {contract}: {said}");
        assert_eq!(source.token_problems().await.unwrap(), [problem.as_str()]);
        assert_eq!(told(source.status().await), format!("permanent: {problem}"));
        node.state().code = json!("0x60");
        node.state().decimals = word(6);
        source.status().await.unwrap();
    }
}

#[tokio::test]
async fn tokens_are_not_judged_by_a_node_that_is_syncing_or_busy() {
    let node = FakeNode::new();
    node.state().code = json!("0x");
    node.state().syncing = json!({"currentBlock": "0x1", "highestBlock": "0x9"});
    let mut source = source(&node);
    source.connect().await.unwrap();
    assert!(source.status().await.unwrap().syncing);
    node.state().syncing = json!(false);
    assert!(told(source.status().await).starts_with("permanent"));
    node.fault("eth_call", error(-32005, "limit exceeded"));
    node.state().code = json!("0x60");
    assert!(told(source.status().await).starts_with("transient"));
}

#[tokio::test]
async fn status_names_tip_and_tags_and_their_absence() {
    let node = FakeNode::new();
    node.mine_empty(5, "a");
    let mut source = connected(&node).await;
    let at = |height: usize| reference(&node.state().chain[height]);
    for (safe, finalized) in [(None, None), (Some(4), Some(3)), (Some(4), Some(2))] {
        node.state().safe = safe;
        node.state().finalized = finalized;
        let expected = NodeStatus {
            tip: at(5),
            finalized: finalized.map(|height| at(height).id),
            safe: safe.map(|height| at(height).id),
            tagged: finalized.is_some(),
            syncing: false,
            mempool_loaded: true,
        };
        assert_eq!(source.status().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_node_that_does_not_know_the_tags_has_none() {
    let node = FakeNode::new();
    node.mine_empty(1, "a");
    let mut source = connected(&node).await;
    for tag in [
        r#"eth_getBlockByNumber ["safe""#,
        r#"eth_getBlockByNumber ["finalized""#,
    ] {
        node.fault(tag, error(-39001, "safe block not found"));
    }
    let status = source.status().await.unwrap();
    assert_eq!((status.safe, status.finalized), (None, None));
    node.fault("eth_syncing", error(-32601, "no such method"));
    assert!(!source.status().await.unwrap().syncing);
    node.heal();
    node.fault("eth_syncing", error(-32000, "busy"));
    assert!(told(source.status().await).starts_with("transient"));
}

#[tokio::test]
async fn a_head_that_does_not_hash_to_what_it_claims_is_not_believed() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    for (field, value) in [
        ("hash", json!(SHOP.into_word())),
        ("timestamp", json!("0x1")),
        ("parentHash", json!(SHOP.into_word())),
        ("number", json!("0xffffffffff")),
    ] {
        let mut block = built.block.clone();
        block[field] = value;
        for question in 0..3 {
            node.fault("eth_getBlockByNumber", block.clone());
            let said = match question {
                0 => told(source.status().await),
                1 => told(source.headers(Height(1), 1).await),
                _ => told(source.is_stale(reference(&built).id).await),
            };
            assert!(
                said.starts_with("transient: local (memory)"),
                "{field}: {said}"
            );
            // After a failure the endpoint is connected anew, which no such answer survives.
            node.heal();
            source.connect().await.unwrap();
        }
    }
}
