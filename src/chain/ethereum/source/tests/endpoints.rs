//! Several endpoints: who is asked after whom, and what is said of each.

use super::*;
use std::sync::Mutex;

/// Two nodes with the same blocks.
fn twins() -> (FakeNode, FakeNode, Built) {
    let (one, other) = (FakeNode::new(), FakeNode::new());
    let built = one.mine(paying(1));
    assert_eq!(other.mine(paying(1)).hash, built.hash);
    (one, other, built)
}

type Told = Arc<Mutex<Vec<String>>>;

fn source_told(nodes: &[(&str, &FakeNode)]) -> (Source, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let observer = move |name: &str, standing: &str| {
        tell.lock().unwrap().push(format!("{name} {standing}"));
    };
    (source_of(nodes).observed(Arc::new(observer)), told)
}

fn down(node: &FakeNode) {
    node.fault("", error(-32603, "is down"));
}

fn asked(node: &FakeNode, call: &str) -> usize {
    let state = node.state();
    let calls = state.log.iter();
    calls.filter(|said| said.starts_with(call)).count()
}

#[tokio::test]
async fn while_the_first_answers_nobody_else_is_asked() {
    let (one, other, built) = twins();
    let (mut source, told) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    source.blocks(&[reference(&built)]).await.unwrap();
    source.status().await.unwrap();
    assert_eq!(asked(&other, ""), 0);
    assert_eq!(
        *told.lock().unwrap(),
        ["one untried", "other untried", "one alive"]
    );
}

/// A lower head of one and a sibling that another holds would look like blocks that left.
#[tokio::test]
async fn only_the_one_whose_head_it_is_says_which_blocks_left() {
    let (one, other, built) = twins();
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    down(&one);
    other.roll_back(1);
    other.mine_empty(1, "sibling");
    assert!(source.is_stale(reference(&built).id).await.is_err());
    assert!(source.headers(Height(1), 1).await.is_err());
    assert_eq!(asked(&other, ""), 0);
    source.status().await.unwrap();
    assert!(source.is_stale(reference(&built).id).await.unwrap());
}

#[tokio::test]
async fn when_one_is_down_another_is_asked_the_same() {
    let (one, other, built) = twins();
    let (mut source, told) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    down(&one);
    let status = source.status().await.unwrap();
    assert_eq!(status.tip.id, reference(&built).id);
    source.blocks(&[reference(&built)]).await.unwrap();
    assert!(told.lock().unwrap().contains(&"one unreachable".to_owned()));
    one.heal();
    let before = asked(&one, "eth_getBlockByNumber");
    source.status().await.unwrap();
    assert_eq!(
        asked(&one, "eth_getBlockByNumber"),
        before,
        "it is left alone"
    );
}

#[tokio::test]
async fn when_all_are_down_each_is_named_and_one_is_always_asked_again() {
    let (one, other, _) = twins();
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    down(&one);
    down(&other);
    let said = told(source.status().await);
    assert!(said.starts_with("transient: one (memory)"), "{said}");
    assert!(said.contains("; other (memory)"), "{said}");
    one.heal();
    other.heal();
    source.connect().await.unwrap();
    source.status().await.unwrap();
}

// shows: P2
#[tokio::test]
async fn a_block_that_fails_with_one_comes_from_another_which_shows_the_lie() {
    let (one, other, built) = twins();
    let (mut source, told) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let mut withheld = built.receipts.clone();
    withheld[1]["logs"] = json!([]);
    one.fault("eth_getBlockReceipts", withheld);
    let facts = source.blocks(&[reference(&built)]).await.unwrap();
    assert_eq!(facts[0].credits.len(), 2);
    assert!(told.lock().unwrap().contains(&"one lying".to_owned()));
    let before = asked(&one, "");
    source.status().await.unwrap();
    source.blocks(&[reference(&built)]).await.unwrap();
    assert_eq!(asked(&one, ""), before);
    assert_eq!(source.endpoints.leader().unwrap().name(), "other");
}

#[tokio::test]
async fn what_fails_with_everybody_is_nobody_s_lie() {
    let (one, other, built) = twins();
    let (mut source, states) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    for node in [&one, &other] {
        node.fault("eth_getBlockReceipts", json!([]));
    }
    for times in 1..=10 {
        let said = told(source.blocks(&[reference(&built)]).await);
        let kind = if times < 10 { "transient" } else { "permanent" };
        assert!(said.starts_with(kind), "{times}: {said}");
        assert!(said.contains("one (memory)") && said.contains("other (memory)"));
    }
    let lies = states.lock().unwrap();
    assert!(
        !lies.iter().any(|state| state.ends_with("lying")),
        "{lies:?}"
    );
}

#[tokio::test]
async fn only_the_missing_blocks_are_asked_of_another() {
    let (one, other, first) = twins();
    let second = one.mine(paying(2));
    other.mine(paying(2));
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let missing = format!("eth_getBlockByHash [\"{}", second.hash);
    one.fault(Box::leak(missing.into_boxed_str()), Value::Null);
    let asked_for = [reference(&first), reference(&second)];
    let facts = source.blocks(&asked_for).await.unwrap();
    let found: Vec<BlockRef> = facts.iter().map(|facts| facts.block).collect();
    assert_eq!(found, asked_for);
    assert_eq!(asked(&other, "eth_getBlockByHash"), 1);
}

#[tokio::test]
async fn one_on_another_chain_is_unfit_and_the_others_go_on() {
    let (one, other, built) = twins();
    one.state().chain_id = 5;
    let (mut source, told) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    let status = source.status().await.unwrap();
    assert_eq!(status.tip.id, reference(&built).id);
    assert!(told.lock().unwrap().contains(&"one unfit".to_owned()));
}

#[tokio::test]
async fn all_must_have_the_genesis_that_the_first_was_found_to_have() {
    let (one, _, _) = twins();
    let stranger = FakeNode::new();
    stranger.state().chain =
        vec![BlockBuilder::new(0, alloy_primitives::B256::repeat_byte(7)).build()];
    let (mut source, told_states) = source_told(&[("one", &one), ("stranger", &stranger)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    down(&one);
    let said = told(source.status().await);
    assert!(said.contains("genesis: expected"), "{said}");
    assert!(
        told_states
            .lock()
            .unwrap()
            .contains(&"stranger unfit".to_owned())
    );
}

#[tokio::test]
async fn one_without_the_tokens_is_unfit_and_another_leads() {
    let (one, other, _) = twins();
    one.state().decimals = json!(format!("{:#066x}", 18));
    let (mut source, states) = source_told(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    assert!(states.lock().unwrap().contains(&"one unfit".to_owned()));
    other.state().decimals = json!(format!("{:#066x}", 18));
    source.status().await.unwrap();
    source.connect().await.unwrap();
    let said = told(source.status().await);
    assert!(said.contains("USDT"), "{said}");
}

#[tokio::test]
async fn one_that_is_syncing_leads_only_while_all_are() {
    let (one, other, _) = twins();
    one.state().syncing = json!({"currentBlock": "0x1"});
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    assert!(!source.status().await.unwrap().syncing);
    other.state().syncing = json!({"currentBlock": "0x1"});
    assert!(source.status().await.unwrap().syncing);
}

#[tokio::test]
async fn one_that_names_what_nobody_has_does_not_lead_for_long() {
    let (one, other, _) = twins();
    let own = one.mine(paying(2));
    one.fault("eth_getBlockByHash", Value::Null);
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    for _ in 0..5 {
        assert_eq!(source.status().await.unwrap().tip.id, reference(&own).id);
        let said = told(source.blocks(&[reference(&own)]).await);
        assert!(said.starts_with("behind"), "{said}");
    }
    assert_eq!(source.status().await.unwrap().tip.id.height, Height(1));
}

#[tokio::test]
async fn what_one_has_pruned_is_no_operator_s_matter_while_another_was_not_asked() {
    let (one, other, built) = twins();
    let mut source = source_of(&[("one", &one), ("other", &other)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    one.fault("eth_getBlockByHash", error(4444, "pruned"));
    down(&other);
    let said = told(source.blocks(&[reference(&built)]).await);
    assert!(said.starts_with("transient"), "{said}");
    let said = told(source.blocks(&[reference(&built)]).await);
    assert!(
        said.starts_with("transient"),
        "the other is left alone: {said}"
    );
    other.heal();
    assert_eq!(source.status().await.unwrap().tip.id, reference(&built).id);
}

/// Three nodes with the same blocks, of which two operators must hold each.
fn three() -> ([FakeNode; 3], Vec<BlockRef>) {
    let nodes = [FakeNode::new(), FakeNode::new(), FakeNode::new()];
    let mut blocks = Vec::new();
    for amount in 1..=6 {
        let built = nodes.each_ref().map(|node| node.mine(paying(amount)));
        blocks.push(reference(&built[0]));
    }
    (nodes, blocks)
}

async fn of_operators(nodes: &[FakeNode; 3], operators: [&str; 3]) -> (Source, Told) {
    let [a, b, c] = nodes;
    let (source, told) = source_told(&[("a", a), ("b", b), ("c", c)]);
    let operators = operators.map(str::to_owned).to_vec();
    let mut source = source.with_quorum(2, operators);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    (source, told)
}

fn leader(source: &Source) -> String {
    source.endpoints.leader().unwrap().name().to_owned()
}

// shows: P7
#[tokio::test]
async fn so_many_operators_must_hold_a_block() {
    let (nodes, blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]).await;
    let tip = blocks.last().copied();
    assert_eq!(source.agreement(&blocks).await.held, tip);
    down(&nodes[2]);
    assert_eq!(source.agreement(&blocks).await.held, tip);
    nodes[1].roll_back(2);
    let agreement = source.agreement(&blocks).await;
    assert_eq!(agreement.held, Some(blocks[3]));
    let [b, c] = &agreement.dissent[..] else {
        panic!("{agreement:?}")
    };
    assert_eq!(b, "b (memory) is at block 4");
    assert!(c.starts_with("c (memory)"), "{c}");
    down(&nodes[1]);
    assert_eq!(source.agreement(&blocks).await.held, None);
    nodes[2].heal();
    assert_eq!(source.agreement(&blocks).await.held, tip);
}

// shows: P7
#[tokio::test]
async fn two_endpoints_of_one_operator_are_one() {
    let (nodes, blocks) = three();
    down(&nodes[2]);
    let (mut source, _) = of_operators(&nodes, ["a", "a", "c"]).await;
    assert_eq!(source.agreement(&blocks).await.held, None);
    nodes[2].heal();
    let tip = blocks.last().copied();
    assert_eq!(source.agreement(&blocks).await.held, tip);
}

#[tokio::test]
async fn a_leader_whose_branch_a_quorum_does_not_hold_is_followed_no_more() {
    let (nodes, mut blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]).await;
    nodes[0].roll_back(2);
    nodes[0].mine_empty(9, "forged");
    let forged: Vec<BlockRef> = nodes[0].state().chain[1..].iter().map(reference).collect();
    let agreement = source.agreement(&forged).await;
    assert_eq!(agreement.held, Some(blocks[3]));
    assert_eq!(leader(&source), "b");
    assert_eq!(source.status().await.unwrap().tip, blocks.pop().unwrap());
    // The honest chain is shorter, and yet ours is off it.
    let ours = forged.last().unwrap().id;
    assert!(source.is_stale(ours).await.unwrap());
    source.agreement(&blocks).await;
    assert!(!source.is_stale(ours).await.unwrap(), "nobody is outvoted");
}

#[tokio::test]
async fn a_leader_that_leaves_what_a_quorum_holds_leads_no_more_and_lies_at_last() {
    let (nodes, blocks) = three();
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]).await;
    nodes[0].roll_back(1);
    nodes[0].mine_empty(4, "forged");
    for round in 1..=10 {
        assert_eq!(
            leader(&source),
            if round <= 3 { "a" } else { "b" },
            "{round}"
        );
        let lies = told.lock().unwrap().contains(&"a lying".to_owned());
        assert!(!lies, "{round}");
        let agreement = source.agreement(&blocks).await;
        assert_eq!(agreement.held, blocks.last().copied());
    }
    assert!(told.lock().unwrap().contains(&"a lying".to_owned()));
    source.agreement(&blocks).await;
    assert_eq!(
        told.lock().unwrap().last().unwrap(),
        "a lying",
        "it stays so"
    );
}

#[tokio::test]
async fn one_that_is_on_another_branch_for_a_moment_leads_on() {
    let (nodes, blocks) = three();
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]).await;
    for _ in 0..5 {
        nodes[0].roll_back(1);
        nodes[0].mine_empty(1, "sibling");
        source.agreement(&blocks).await;
        source.agreement(&blocks).await;
        nodes[0].roll_back(1);
        nodes[0].mine(paying(6));
        source.agreement(&blocks).await;
        assert_eq!(leader(&source), "a");
    }
    assert!(
        !told
            .lock()
            .unwrap()
            .iter()
            .any(|said| said.ends_with("lying"))
    );
}

#[tokio::test]
async fn one_five_blocks_behind_does_not_lead() {
    for quorum in [2, 1] {
        let soon = if quorum == 1 { "a" } else { "b" };
        for (lag, expected) in [(4, soon), (5, "b")] {
            let (nodes, _) = three();
            nodes[0].roll_back(lag);
            let [a, b, c] = &nodes;
            let (source, told) = source_told(&[("a", a), ("b", b), ("c", c)]);
            let operators = ["a", "b", "c"].map(str::to_owned).to_vec();
            let mut source = source.with_quorum(quorum, operators);
            source.compared_at_ms = 0;
            source.connect().await.unwrap();
            let tip = source.status().await.unwrap().tip;
            if quorum == 1 {
                source.compare(&[tip]).await;
            } else {
                source.agreement(&[tip]).await;
            }
            assert_eq!(leader(&source), expected, "{quorum}");
            let behind = told.lock().unwrap().contains(&"a behind".to_owned());
            assert_eq!(behind, lag == 5);
        }
    }
}

/// It claims a high head on another branch: nobody is behind it.
#[tokio::test]
async fn a_high_head_elsewhere_makes_nobody_lag() {
    let (nodes, blocks) = three();
    nodes[2].roll_back(3);
    nodes[2].mine_empty(40, "forged");
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]).await;
    source.agreement(&blocks).await;
    assert_eq!(leader(&source), "a");
    let told = told.lock().unwrap();
    assert!(
        !told.iter().any(|said| said.ends_with("behind")),
        "{told:?}"
    );
}

#[tokio::test]
async fn an_endpoint_on_another_chain_has_no_voice() {
    let (nodes, blocks) = three();
    nodes[1].state().chain_id = 5;
    down(&nodes[2]);
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]).await;
    let agreement = source.agreement(&blocks).await;
    assert_eq!(agreement.held, None);
    let said = agreement.dissent.join("; ");
    assert!(said.contains("chain id: expected 31337, found 5"), "{said}");
}

/// Tokens are checked at each connection, also where the quorum made it.
#[tokio::test]
async fn who_was_asked_for_the_quorum_only_has_shown_no_tokens() {
    let (nodes, blocks) = three();
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]).await;
    nodes[1].state().decimals = json!(format!("{:#066x}", 18));
    source.agreement(&blocks).await;
    down(&nodes[0]);
    source.status().await.unwrap();
    assert_eq!(leader(&source), "c");
    assert!(told.lock().unwrap().contains(&"b unfit".to_owned()));
}
