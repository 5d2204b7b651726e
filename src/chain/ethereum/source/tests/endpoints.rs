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

pub(super) type Told = Arc<Mutex<Vec<String>>>;

pub(super) fn source_told(nodes: &[(&str, &FakeNode)]) -> (Source, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let observer = move |name: &str, standing: &str, _: &str| {
        tell.lock().unwrap().push(format!("{name} {standing}"));
    };
    (source_of(nodes).observed(Arc::new(observer)), told)
}

pub(super) fn down(node: &FakeNode) {
    node.fault("", error(-32603, "is down"));
}

pub(super) fn asked(node: &FakeNode, call: &str) -> usize {
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
