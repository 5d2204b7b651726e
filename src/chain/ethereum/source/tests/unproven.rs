//! Blocks that no endpoint can prove: when the chain stops there, and when they are taken as they are told.

use super::{
    endpoints::{asked, down, source_told},
    *,
};
use crate::chain::ethereum::source::doubts::FORGOTTEN_AFTER;
use crate::domain::{evidence::Evidence, facts::Payer};
use alloy_primitives::{Log, keccak256};

const UNKNOWN: &str = "0x7e";

/// Nodes whose first block holds a payment of a type that nobody here knows, and what they tell of it.
fn nodes<const N: usize>() -> ([FakeNode; N], Built) {
    let nodes = [(); N].map(|()| FakeNode::new());
    let mut built = nodes
        .each_ref()
        .map(|node| node.mine(paying(5)))
        .into_iter();
    let mut built = built.next().unwrap();
    built.block = of_unknown_type(built.block);
    for node in &nodes {
        tells(node, &built);
    }
    (nodes, built)
}

fn of_unknown_type(mut block: Value) -> Value {
    block["transactions"][0]["type"] = json!(UNKNOWN);
    block
}

fn tells(node: &FakeNode, told: &Built) {
    let mut state = node.state();
    let known = state.chain.iter_mut().find(|known| known.hash == told.hash);
    *known.unwrap() = told.clone();
}

fn honest(node: &FakeNode, told: &Built) {
    let block = serde_json::to_string(&told.block).unwrap();
    let block = block.replace(UNKNOWN, "0x2");
    tells(
        node,
        &Built {
            block: serde_json::from_str(&block).unwrap(),
            ..told.clone()
        },
    );
}

/// With one more ether for the shop.
fn inflated(told: &Built) -> Built {
    let mut told = told.clone();
    told.block["transactions"][0]["value"] = json!("0xde0b6b3a7640000");
    told
}

async fn degrading(nodes: &[(&str, &FakeNode)]) -> Source {
    ready(source_of(nodes).on_unverifiable(OnUnverifiable::Degrade)).await
}

async fn ready(mut source: Source) -> Source {
    source.connect().await.unwrap();
    source.status().await.unwrap();
    source
}

/// Three operators, of whom two must say the same.
async fn with_quorum(nodes: &[FakeNode; 3], operators: [&str; 3]) -> Source {
    let [a, b, c] = nodes;
    let source = source_of(&[("a", a), ("b", b), ("c", c)]);
    let source = source.on_unverifiable(OnUnverifiable::Degrade);
    ready(source.with_quorum(2, operators.map(str::to_owned).to_vec())).await
}

async fn block(source: &mut Source, built: &Built) -> Result<BlockFacts, SourceError> {
    let blocks = source.blocks(&[reference(built)]).await;
    blocks.map(|mut blocks| blocks.remove(0))
}

/// What vouches for all that is credited.
fn evidence(facts: &BlockFacts) -> Evidence {
    assert_eq!(facts.credits.len(), 2);
    let all: Vec<Evidence> = facts.credits.iter().map(|credit| credit.evidence).collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    assert_eq!(facts.unproven.is_some(), all[0] == Evidence::Told);
    all[0]
}

#[tokio::test]
async fn what_nobody_can_prove_stops_the_chain_unless_it_may_be_taken_as_it_is_told() {
    let ([node], built) = nodes();
    let said = told(block(&mut connected(&node).await, &built).await);
    assert!(
        said.starts_with("permanent") && said.contains("unknown type 126"),
        "{said}"
    );
    let mut source = degrading(&[("local", &node)]).await;
    let facts = block(&mut source, &built).await.unwrap();
    assert_eq!(evidence(&facts), Evidence::Told);
    let paid = facts.credits.iter().next().unwrap();
    assert_eq!(paid.payer, Payer::Unknown, "nobody knows who signed it");
    assert!(facts.unproven.unwrap().contains("unknown type 126"));
    // Every block of such a chain is asked for once.
    let before = asked(&node, "eth_getBlockByHash");
    block(&mut source, &built).await.unwrap();
    assert_eq!(asked(&node, "eth_getBlockByHash"), before + 1);
    honest(&node, &built);
    let facts = block(&mut source, &built).await.unwrap();
    assert_eq!(evidence(&facts), Evidence::Proven);
    assert!(!source.doubts.are_lasting());
}

/// A node may answer better a moment later, so what may heal is tried as often as where the chain would stop.
#[tokio::test]
async fn what_may_heal_is_tried_for_long_before_it_is_taken_and_at_once_in_the_next_block() {
    let node = FakeNode::new();
    let mut all = [node.mine(paying(5)), node.mine(paying(6))];
    for built in &mut all {
        // A field more than ours in what the root is made of.
        built.receipts[0]["cumulativeGasUsed"] = json!("0x5207");
        tells(&node, built);
    }
    let mut source = degrading(&[("local", &node)]).await;
    for times in 1..10 {
        let said = told(block(&mut source, &all[0]).await);
        assert!(said.starts_with("transient"), "{times}: {said}");
    }
    for built in &all {
        let facts = block(&mut source, built).await.unwrap();
        assert_eq!(evidence(&facts), Evidence::Told);
    }
    // Another check is doubted anew.
    let mut half = all[1].clone();
    half.receipts = json!([half.receipts[0]]);
    tells(&node, &half);
    let said = told(block(&mut source, &half).await);
    assert!(
        said.starts_with("transient") && said.contains("number of receipts"),
        "{said}"
    );
}

/// Blocks that nobody can prove may stand between others, and not all fail the same.
#[tokio::test]
async fn what_was_taken_once_is_not_tried_for_long_again_after_a_block_that_is_proved() {
    let node = FakeNode::new();
    let mine = |kind: &str| {
        let mut built = node.mine(paying(5));
        match kind {
            "other root" => built.receipts[0]["cumulativeGasUsed"] = json!("0x5207"),
            "unreadable" => built.block["transactions"][0]["r"] = Value::Null,
            _ => {}
        }
        tells(&node, &built);
        built
    };
    let kinds = [
        ("other root", 9),
        ("proven", 0),
        ("other root", 0),
        ("proven", 0),
        ("unreadable", 9),
        ("other root", 0),
        ("proven", 0),
        ("unreadable", 0),
        ("other root", 0),
    ];
    let all = kinds.map(|(kind, failures)| (kind, failures, mine(kind)));
    let mut source = degrading(&[("local", &node)]).await;
    for (kind, failures, built) in all {
        for _ in 0..failures {
            told(block(&mut source, &built).await);
        }
        let facts = block(&mut source, &built).await.unwrap();
        let is_proven = evidence(&facts) == Evidence::Proven;
        assert_eq!(is_proven, kind == "proven");
        assert_eq!(source.doubts.are_lasting(), !is_proven);
    }
}

/// What a node did wrong for an hour must not have its half-written receipts taken ever after.
#[tokio::test]
async fn what_was_taken_long_ago_is_tried_for_long_again() {
    let node = FakeNode::new();
    let mine = |is_proven: bool| {
        let mut built = node.mine(paying(5));
        if !is_proven {
            built.receipts[0]["cumulativeGasUsed"] = json!("0x5207");
        }
        tells(&node, &built);
        built
    };
    let mut source = degrading(&[("local", &node)]).await;
    let mut built = mine(false);
    for proved in [0, FORGOTTEN_AFTER - 1, FORGOTTEN_AFTER] {
        for _ in 0..proved {
            let facts = block(&mut source, &mine(true)).await.unwrap();
            assert_eq!(evidence(&facts), Evidence::Proven);
        }
        built = if proved == 0 { built } else { mine(false) };
        let tries = if proved == FORGOTTEN_AFTER - 1 { 1 } else { 10 };
        for _ in 1..tries {
            told(block(&mut source, &built).await);
        }
        let facts = block(&mut source, &built).await.unwrap();
        assert_eq!(evidence(&facts), Evidence::Told, "after {proved}");
    }
}

/// A liar that fails something else than all others may be asked first, or say that it is another block.
// shows: P2
#[tokio::test]
async fn one_that_fails_something_else_does_not_stop_what_a_quorum_tells() {
    type Lie = fn(&mut Built);
    let lies: [(&str, Lie); 4] = [
        ("header", |told| told.block["timestamp"] = json!("0x1")),
        ("count", |told| {
            told.receipts = json!([told.receipts[0]]);
        }),
        ("shape", |told| told.receipts = json!({})),
        ("type", |told| {
            told.block = of_unknown_type(told.block.clone());
        }),
    ];
    for (what, lie) in lies {
        let nodes = [(); 3].map(|()| FakeNode::new());
        let mut built = nodes.each_ref().map(|node| node.mine(paying(5)))[0].clone();
        built.receipts[0]["cumulativeGasUsed"] = json!("0x5207");
        for node in &nodes {
            tells(node, &built);
        }
        let mut source = with_quorum(&nodes, ["liar", "a", "b"]).await;
        let mut said = built.clone();
        lie(&mut said);
        nodes[0].fault("eth_getBlockByHash", said.block);
        nodes[0].fault("eth_getBlockReceipts", said.receipts);
        let mut refusals = 0;
        let facts = loop {
            match block(&mut source, &built).await {
                Ok(facts) => break facts,
                Err(error) => assert!(refusals < 10, "{what}: {error}"),
            }
            refusals += 1;
        };
        assert_eq!(evidence(&facts), Evidence::Told, "{what}");
        assert!(refusals >= 9, "{what}: {refusals}");
    }
}

#[tokio::test]
async fn half_an_answer_and_a_header_that_is_none_are_never_taken() {
    type Change = fn(&mut Built);
    let changes: [(&str, Change); 5] = [
        ("number of receipts", |told| {
            told.receipts = json!([told.receipts[0]]);
        }),
        ("bloom filter", |told| told.receipts[1]["logs"] = json!([])),
        ("its header", |told| told.block["timestamp"] = json!("0x1")),
        ("its number", |told| told.block["number"] = json!("0x2")),
        ("comes twice", |told| {
            told.block["transactions"][1] = told.block["transactions"][0].clone();
            told.block["transactions"][1]["transactionIndex"] = json!("0x1");
        }),
    ];
    for (words, change) in changes {
        let ([node], built) = nodes();
        let mut source = degrading(&[("local", &node)]).await;
        let asked_for = reference(&built);
        let mut lie = built.clone();
        change(&mut lie);
        node.fault("eth_getBlockByHash", lie.block);
        node.fault("eth_getBlockReceipts", lie.receipts);
        for _ in 0..10 {
            let said = told(source.blocks(&[asked_for]).await);
            assert!(said.contains(words), "{words}: {said}");
        }
        let said = told(source.blocks(&[asked_for]).await);
        assert!(said.starts_with("permanent"), "{words}: {said}");
    }
}

// shows: P2
#[tokio::test]
async fn what_one_fails_and_another_passes_is_a_lie_and_not_a_format() {
    let ([one, other], built) = nodes();
    honest(&other, &built);
    let (source, states) = source_told(&[("one", &one), ("other", &other)]);
    let mut source = ready(source.on_unverifiable(OnUnverifiable::Degrade)).await;
    let facts = block(&mut source, &built).await.unwrap();
    assert_eq!(evidence(&facts), Evidence::Proven);
    assert!(states.lock().unwrap().contains(&"one lying".to_owned()));
}

/// Nobody is left to say whether the one that answers lies.
// shows: P2
#[tokio::test]
async fn what_one_endpoint_alone_tells_is_not_taken_while_there_are_others() {
    for other_is in ["down", "behind", "otherwise", "the same"] {
        let ([one, other], built) = nodes();
        let mut source = degrading(&[("one", &one), ("other", &other)]).await;
        match other_is {
            "down" => down(&other),
            "behind" => other.fault("eth_getBlockByHash", Value::Null),
            "otherwise" => tells(&other, &inflated(&built)),
            _ => {}
        }
        for _ in 0..3 {
            let found = block(&mut source, &built).await;
            if other_is == "the same" {
                assert_eq!(evidence(&found.unwrap()), Evidence::Told);
            } else {
                let said = told(found);
                assert!(!said.starts_with("permanent"), "{other_is}: {said}");
            }
        }
    }
}

/// A bloom filter binds no log's data, so that one alone could say of anybody that he is blacklisted.
#[tokio::test]
async fn what_tokens_did_must_be_told_alike_too() {
    let blacklisting = |block: BlockBuilder| {
        let topics = vec![keccak256("AddedBlackList(address)")];
        let log = Log::new_unchecked(TOKEN, topics, SHOP.into_word().to_vec().into());
        paying(5)(block).logs(TOKEN, vec![log])
    };
    let nodes = [(); 2].map(|()| FakeNode::new());
    let mut built = nodes.each_ref().map(|node| node.mine(blacklisting))[0].clone();
    built.block = of_unknown_type(built.block);
    let mut other = built.clone();
    other.receipts[2]["logs"][0]["data"] = word(7);
    for (said, is_taken) in [(&other, false), (&built, true)] {
        tells(&nodes[0], &built);
        tells(&nodes[1], said);
        let mut source = degrading(&[("one", &nodes[0]), ("other", &nodes[1])]).await;
        assert_eq!(block(&mut source, &built).await.is_ok(), is_taken);
    }
}

/// Whether a block is taken as it is told, by what three nodes tell of it: `same`, `other` (more money),
/// `true` (it is proved), or nothing.
#[tokio::test]
async fn a_quorum_of_operators_must_tell_the_same() {
    const OWN: [&str; 3] = ["a", "b", "c"];
    for (operators, tell, expected) in [
        (OWN, ["same", "same", "same"], Some(Evidence::Told)),
        (OWN, ["same", "down", "same"], Some(Evidence::Told)),
        (OWN, ["other", "same", "same"], Some(Evidence::Told)),
        (OWN, ["same", "down", "down"], None),
        (OWN, ["same", "other", "down"], None),
        (["a", "b", "b"], ["down", "same", "same"], None),
        (["a", "b", "a"], ["same", "other", "same"], None),
        (OWN, ["same", "down", "true"], Some(Evidence::Proven)),
    ] {
        let (nodes, built) = nodes::<3>();
        let mut source = with_quorum(&nodes, operators).await;
        for (node, says) in nodes.iter().zip(tell) {
            match says {
                "other" => tells(node, &inflated(&built)),
                "true" => honest(node, &built),
                "down" => down(node),
                _ => {}
            }
        }
        let found = block(&mut source, &built).await.ok();
        let found = found.map(|facts| {
            let first = facts.credits.iter().next().unwrap();
            assert_eq!(first.amount, Amount::from_u64(1), "{tell:?}");
            evidence(&facts)
        });
        assert_eq!(found, expected, "{operators:?} {tell:?}");
    }
}

#[tokio::test]
async fn single_receipts_are_taken_as_told_too() {
    let ([node], built) = nodes();
    node.state().no_block_receipts = Some(-32601);
    let mut source = degrading(&[("local", &node)]).await;
    let facts = block(&mut source, &built).await.unwrap();
    assert_eq!(evidence(&facts), Evidence::Told);
}
