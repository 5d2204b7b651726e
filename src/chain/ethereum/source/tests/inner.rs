//! Ether that contracts moved: who is asked, who is believed, and for how long others are waited for.

use super::*;
use crate::chain::Moves;
use crate::domain::{evidence::Evidence, facts::CreditAsset, transfer::Position, view::TracedBy};
use alloy_primitives::B256;

pub(super) const TRACE: &str = "debug_traceBlockByHash";
/// Asked of a block that is nowhere.
pub(super) const PROBE: &str = "debug_traceBlockByHash [\"0x0000";

/// A node whose second block holds a payment and a call.
pub(super) fn node() -> (FakeNode, BlockRef) {
    let node = FakeNode::new();
    let block = reference(&node.mine(paying(5)));
    (node, block)
}

/// Asked for a block that is nowhere.
pub(super) const FLAT_PROBE: &str = "trace_block [\"0xffffffff";

/// The same as `trace_block` tells it, with an empty call before it, as another client counts.
pub(super) fn lists_well(node: &FakeNode, wei: u64) {
    node.fault(PROBE, error(-32601, "the method does not exist"));
    node.fault(FLAT_PROBE, json!([]));
    let hash = node.state().chain[1].hash;
    node.fault("trace_block", listed(node, wei, hash));
}

pub(super) fn listed(node: &FakeNode, wei: u64, hash: B256) -> Value {
    let mut list = Vec::new();
    for (position, trace) in traces(node, wei).as_array().unwrap().iter().enumerate() {
        let mut add = |frame: &Value, at: &[u32]| {
            let action = json!({
                "callType": "call", "from": frame["from"], "to": frame["to"],
                "value": frame["value"],
            });
            list.push(json!({
                "type": "call", "action": action, "result": {"output": "0x"},
                "traceAddress": at, "blockHash": hash, "subtraces": 0,
                "transactionHash": trace["txHash"], "transactionPosition": position,
            }));
        };
        let root = &trace["result"];
        add(root, &[]);
        for call in root["calls"].as_array().unwrap() {
            add(&json!({"from": TOKEN, "to": TOKEN, "value": "0x0"}), &[0]);
            add(call, &[1]);
        }
    }
    json!(list)
}

/// A frame for each transaction, and below the last one wei for the shop.
pub(super) fn traces(node: &FakeNode, wei: u64) -> Value {
    let state = node.state();
    let transactions = &state.chain[1].block["transactions"];
    let frame = |tx: &Value| {
        let result = json!({
            "type": "CALL", "from": TOKEN, "to": tx["to"], "value": tx["value"], "calls": [],
        });
        json!({"txHash": tx["hash"], "result": result})
    };
    let transactions = transactions.as_array().unwrap();
    let mut all: Vec<Value> = transactions.iter().map(frame).collect();
    let paid = json!({"type": "CALL", "from": TOKEN, "to": SHOP, "value": format!("{wei:#x}")});
    all.last_mut().unwrap()["result"]["calls"] = json!([paid]);
    drop(state);
    json!(all)
}

pub(super) fn traces_well(node: &FakeNode, wei: u64) {
    node.fault(PROBE, error(-32000, "block not found"));
    node.fault(TRACE, traces(node, wei));
}

pub(super) fn refuses(node: &FakeNode) {
    node.fault(PROBE, error(-32000, "block not found"));
    node.fault(TRACE, error(-32000, "historical state is not available"));
}

pub(super) async fn tracing(nodes: &[(&str, &FakeNode)]) -> Source {
    let mut source = source_of(nodes).looking_inside(None);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    source
}

/// What is told of a block once it has come, and nobody disputes it.
pub(super) async fn inner(source: &mut Source, block: BlockRef) -> Result<BlockFacts, SourceError> {
    let Moves { facts, dispute } = moves(source, block).await?;
    dispute.map_or(Ok(facts), Err)
}

async fn moves(source: &mut Source, block: BlockRef) -> Result<Moves, SourceError> {
    loop {
        if let Some((_, told)) = source.traces(&[block]).await.pop() {
            return told;
        }
    }
}

pub(super) fn shown(facts: &BlockFacts) -> Vec<(String, u64, Evidence)> {
    let credits = facts.credits.iter();
    let shown = credits.map(|credit| {
        assert_eq!(credit.asset, CreditAsset::Native);
        let amount = u64::try_from(credit.amount.base()).unwrap();
        (credit.position.to_string(), amount, credit.evidence)
    });
    shown.collect()
}

pub(super) fn at(position: &[u32]) -> String {
    Position::Trace(position.to_vec()).to_string()
}

#[tokio::test]
async fn blocks_await_their_traces_where_somebody_says_that_it_can_tell_them() {
    for (said, awaits) in [
        (json!([]), true),
        (error(-32000, "block not found"), true),
        (error(-32001, "Resource not found"), true),
        (error(-32601, "the method does not exist"), false),
        (error(-32004, "method not supported"), false),
        // It may be asked too much just now.
        (error(-32002, "resource unavailable"), true),
    ] {
        let (node, block) = node();
        node.fault(PROBE, said.clone());
        let mut source = tracing(&[("local", &node)]).await;
        let facts = source.blocks(&[block]).await.unwrap();
        assert_eq!(facts[0].awaits_trace, awaits, "{said}");
    }
    // A chain that was traced before waits for whoever has not said it yet.
    let (node, block) = node();
    node.fault(PROBE, error(-32002, "resource unavailable"));
    let mut source = source_of(&[("local", &node)]).looking_inside(Some(TracedBy::CallTracer));
    source.status().await.unwrap();
    assert!(source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    // Where nobody is paid in ether nobody is asked.
    let (node, block) = self::node();
    traces_well(&node, 1);
    let mut source = connected(&node).await;
    assert!(!source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    let log = node.state().log.clone();
    assert!(!log.iter().any(|said| said.starts_with(TRACE)));
}

#[tokio::test]
async fn one_alone_claims_and_two_witness() {
    let (node, block) = node();
    traces_well(&node, 7);
    let mut source = tracing(&[("local", &node)]).await;
    source.blocks(&[block]).await.unwrap();
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told), [(at(&[0]), 7, Evidence::Claimed)]);
    assert_eq!(told.transactions.len(), 2);
    assert!(!told.awaits_trace);

    let mut source = tracing(&[("one", &node), ("other", &node)]).await;
    // Asked of a block that it did not fetch in this run.
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told), [(at(&[0]), 7, Evidence::Witnessed)]);
}

#[tokio::test]
async fn one_with_trace_block_tells_as_much_and_witnesses_with_others() {
    let (flat, block) = node();
    lists_well(&flat, 7);
    let mut source = tracing(&[("flat", &flat)]).await;
    assert_eq!(source.trace_method(), "trace_block");
    assert!(source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told), [(at(&[1]), 7, Evidence::Claimed)]);

    // Two clients count the calls between differently, and tell the same money.
    let (nested, _) = node();
    traces_well(&nested, 7);
    for (nodes, position) in [
        ([("flat", &flat), ("nested", &nested)], at(&[1])),
        ([("nested", &nested), ("flat", &flat)], at(&[0])),
    ] {
        let mut source = tracing(&nodes).await;
        let told = inner(&mut source, block).await.unwrap();
        assert_eq!(shown(&told), [(position, 7, Evidence::Witnessed)]);
    }

    // Who has another block at that height may have this one later.
    flat.heal();
    flat.fault(FLAT_PROBE, json!([]));
    flat.fault("trace_block", listed(&flat, 7, B256::repeat_byte(1)));
    let said = self::told(inner(&mut source, block).await);
    assert!(
        said.starts_with("transient: ") && said.contains("no such block there"),
        "{said}"
    );
}

/// One transaction that is told differently takes along nobody else's money in its block.
#[tokio::test]
async fn transactions_are_compared_one_by_one() {
    let both = |node: &FakeNode, first: u64, second: u64| {
        let mut all = traces(node, second);
        let paid =
            json!({"type": "CALL", "from": TOKEN, "to": SHOP, "value": format!("{first:#x}")});
        all[1]["result"]["calls"] = json!([paid]);
        node.fault(PROBE, error(-32000, "block not found"));
        node.fault(TRACE, all);
    };
    let called = |block: BlockBuilder| {
        let log = transfer_log(TOKEN, Address::ZERO, SHOP, U256::from(6));
        paying(5)(block).logs(TOKEN, vec![log])
    };
    let (liar, honest, third) = (FakeNode::new(), FakeNode::new(), FakeNode::new());
    let nodes = [&liar, &honest, &third];
    let block = nodes.map(|node| reference(&node.mine(called)))[0];
    both(&liar, 7, 1_000);
    both(&honest, 7, 8);
    both(&third, 6, 8);
    let mut source = tracing(&[("liar", &liar), ("honest", &honest)]).await;
    let told = moves(&mut source, block).await.unwrap();
    assert_eq!(shown(&told.facts), [(at(&[0]), 7, Evidence::Witnessed)]);
    let said = told.dispute.unwrap().to_string();
    assert!(said.contains("different moves"), "{said}");
    // Each of the two is settled by another's word.
    let nodes = [("liar", &liar), ("honest", &honest), ("third", &third)];
    let mut source = tracing(&nodes).await;
    let told = inner(&mut source, block).await.unwrap();
    let expected = [7, 8].map(|wei| (at(&[0]), wei, Evidence::Witnessed));
    assert_eq!(shown(&told), expected);
}

#[tokio::test]
async fn who_differ_are_not_believed_until_two_agree() {
    let (honest, block) = node();
    traces_well(&honest, 7);
    let (liar, _) = node();
    traces_well(&liar, 8);
    let mut source = tracing(&[("liar", &liar), ("honest", &honest)]).await;
    let said = told(inner(&mut source, block).await);
    assert!(
        said.starts_with("transient: operators tell different moves"),
        "{said}"
    );
    let mut source = tracing(&[("liar", &liar), ("one", &honest), ("other", &honest)]).await;
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told), [(at(&[0]), 7, Evidence::Witnessed)]);
    // Two endpoints of one operator are one voice.
    let operators = ["liar", "liar", "honest"].map(str::to_owned).to_vec();
    let nodes = [("a", &liar), ("b", &liar), ("c", &honest)];
    let mut source = source_of(&nodes)
        .looking_inside(None)
        .with_quorum(1, operators);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    assert!(inner(&mut source, block).await.is_err());
}

/// Two who lie together are fewer than the quorum that guards everything else.
#[tokio::test]
async fn under_a_greater_quorum_two_operators_claim_and_three_witness() {
    let (one, block) = node();
    traces_well(&one, 7);
    let (other, _) = node();
    traces_well(&other, 8);
    let (unable, _) = node();
    refuses(&unable);
    for (nodes, evidence, is_disputed) in [
        (vec![&one, &one, &unable], Evidence::Claimed, false),
        (vec![&one, &one, &other], Evidence::Claimed, true),
        (vec![&one, &one, &one], Evidence::Witnessed, false),
        (vec![&one, &other, &one, &one], Evidence::Witnessed, false),
    ] {
        let names = ["a", "b", "c", "d"];
        let asked: Vec<(&str, &FakeNode)> = names.into_iter().zip(nodes).collect();
        let operators = names.map(str::to_owned).to_vec();
        let source = source_of(&asked).looking_inside(None);
        let mut source = source.with_quorum(3, operators);
        source.connect().await.unwrap();
        drop(source.status().await);
        let told = moves(&mut source, block).await.unwrap();
        assert_eq!(shown(&told.facts), [(at(&[0]), 7, evidence)]);
        assert_eq!(told.dispute.is_some(), is_disputed);
    }
}

#[tokio::test(start_paused = true)]
async fn one_word_is_taken_after_others_were_waited_for_and_marked_as_such() {
    let (one, block) = node();
    traces_well(&one, 7);
    let (other, _) = node();
    refuses(&other);
    let mut source = tracing(&[("one", &one), ("other", &other)]).await;
    let said = told(inner(&mut source, block).await);
    assert!(said.contains("only 0 tells"), "{said}");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(inner(&mut source, block).await.is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told), [(at(&[0]), 7, Evidence::Claimed)]);
    assert!(told.awaits_trace, "others should have told it");
}

/// Some are paid for each trace, and each takes a node long.
#[tokio::test(start_paused = true)]
async fn who_tells_alone_is_asked_seldom_while_others_are_waited_for() {
    let (one, block) = node();
    traces_well(&one, 7);
    let (other, _) = node();
    refuses(&other);
    let mut source = tracing(&[("one", &one), ("other", &other)]).await;
    let (mut words, mut looks) = (0, 0);
    while looks < 580 {
        for (_, told) in source.traces(&[block]).await {
            assert!(told.is_err(), "not yet");
            words += 1;
        }
        tokio::time::advance(Duration::from_millis(100)).await;
        looks += 1;
    }
    let traced = |node: &FakeNode| {
        let state = node.state();
        let log = state.log.iter();
        let asked = log.filter(|said| said.starts_with(TRACE) && !said.starts_with(PROBE));
        asked.count()
    };
    assert!((4..=8).contains(&traced(&one)), "{}", traced(&one));
    assert_eq!(traced(&one), words);
    assert_eq!(traced(&other), words, "it may tell by now");
}

/// Whatever vouches for it later vouches for no block.
#[tokio::test]
async fn what_one_tells_of_a_block_that_is_only_told_itself_says_so() {
    let (node, block) = node();
    traces_well(&node, 7);
    for is_proven in [true, false] {
        if !is_proven {
            node.state().chain[1].block["transactions"][0]["type"] = json!("0x7e");
        }
        let source = source_of(&[("local", &node)]).looking_inside(None);
        let mut source = source.on_unverifiable(OnUnverifiable::Degrade);
        source.connect().await.unwrap();
        source.status().await.unwrap();
        source.blocks(&[block]).await.unwrap();
        let told = inner(&mut source, block).await.unwrap();
        assert_eq!(shown(&told), [(at(&[0]), 7, Evidence::Claimed)]);
        assert_eq!(told.unproven.is_none(), is_proven);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_and_what_is_no_trace_says_so_and_harms_nobody() {
    let (node, block) = node();
    refuses(&node);
    let mut source = tracing(&[("local", &node)]).await;
    let said = told(inner(&mut source, block).await);
    assert!(
        said.starts_with("permanent: ") && said.contains("historical state"),
        "{said}"
    );
    for (answer, word) in [
        (json!([]), "2 transactions and 0 traces"),
        (json!({"structLogs": []}), "cannot be read"),
    ] {
        node.heal();
        node.fault(PROBE, error(-32000, "block not found"));
        node.fault(TRACE, answer);
        tokio::time::advance(Duration::from_secs(15)).await;
        let said = told(inner(&mut source, block).await);
        assert!(said.contains(word), "{said}");
        // It serves blocks as before.
        source.status().await.unwrap();
        assert!(source.blocks(&[block]).await.is_ok());
    }
    node.heal();
    node.fault(PROBE, error(-32000, "block not found"));
    node.fault(TRACE, error(-32005, "limit exceeded"));
    tokio::time::advance(Duration::from_secs(15)).await;
    let said = told(inner(&mut source, block).await);
    assert!(said.contains("transient: "), "{said}");
}

/// What one operator leaves out no other could show: balances do, of which as many tell.
// shows: P7
#[tokio::test]
async fn under_a_quorum_one_operator_who_traces_is_as_good_as_none() {
    let (able, block) = node();
    traces_well(&able, 7);
    let (unable, _) = node();
    unable.fault("debug_", error(-32601, "the method does not exist"));
    unable.fault("trace_", error(-32601, "the method does not exist"));
    let nodes = [("a", &able), ("b", &able), ("c", &unable)];
    for (operators, by, awaits) in [
        (["a", "a", "c"], TracedBy::Balance, false),
        (["a", "b", "c"], TracedBy::CallTracer, true),
    ] {
        let source = source_of(&nodes).looking_inside(None);
        let mut source = source.with_quorum(2, operators.map(str::to_owned).to_vec());
        source.status().await.unwrap();
        assert_eq!(source.traced_by(), Some(by), "{operators:?}");
        let facts = source.blocks(&[block]).await.unwrap();
        assert_eq!(facts[0].awaits_trace, awaits, "{operators:?}");
    }
}

/// The best that anybody offers is used, and balances only where nobody traces.
#[tokio::test]
async fn how_moves_are_known_is_the_best_that_any_endpoint_offers() {
    let refusing = || {
        let node = node().0;
        node.fault("debug_", error(-32601, "the method does not exist"));
        node.fault("trace_", error(-32601, "the method does not exist"));
        node
    };
    let (nested, flat) = (node().0, node().0);
    traces_well(&nested, 7);
    lists_well(&flat, 7);
    let balance = refusing();
    balance.fault("eth_getBalance", json!("0x7"));
    let nothing = refusing();
    nothing.fault("eth_getBalance", error(-32602, "invalid argument 1"));
    for (nodes, expected) in [
        (
            vec![
                ("a", &nothing),
                ("b", &balance),
                ("c", &flat),
                ("d", &nested),
            ],
            "callTracer",
        ),
        (
            vec![("a", &nothing), ("b", &balance), ("c", &flat)],
            "trace_block",
        ),
        (vec![("a", &nothing), ("b", &balance)], "balance"),
        (vec![("a", &nothing)], "none"),
    ] {
        let source = tracing(&nodes).await;
        let by = source
            .traced_by()
            .map(crate::domain::view::TracedBy::as_str);
        assert_eq!(by, Some(expected));
    }
    let mut source = tracing(&[("a", &nothing), ("b", &balance)]).await;
    let block = reference(&balance.state().chain[1].clone());
    let shop = Destination::new(SHOP.as_slice()).unwrap();
    let had = source.balances(block, &[shop, shop]).await.unwrap();
    assert_eq!(had, vec![vec![Amount::from_u64(7)]; 2]);
    assert!(!source.blocks(&[block]).await.unwrap()[0].awaits_trace);
}
