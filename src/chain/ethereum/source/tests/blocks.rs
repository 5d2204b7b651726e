//! Headers, blocks and their being stale.

use super::*;

#[tokio::test]
async fn headers_come_in_order_and_end_at_the_tip() {
    let node = FakeNode::new();
    node.mine_empty(250, "a");
    let mut source = connected(&node).await;
    for (from, count, expected) in [
        (0, 3, 3),
        (248, 10, 3),
        (250, 1, 1),
        (251, 5, 0),
        (1, 250, 250),
    ] {
        let headers = source.headers(Height(from), count).await.unwrap();
        assert_eq!(headers.len(), expected);
        for (index, header) in headers.iter().enumerate() {
            let height = usize::try_from(from).unwrap() + index;
            assert_eq!(*header, reference(&node.state().chain[height]));
        }
    }
}

// shows: P3
#[tokio::test]
async fn a_header_of_another_height_than_asked_is_refused() {
    let node = FakeNode::new();
    node.mine_empty(2, "a");
    let mut source = connected(&node).await;
    let second = node.state().chain[2].block.clone();
    node.fault("eth_getBlockByNumber", second);
    let said = told(source.headers(Height(1), 1).await);
    assert!(said.ends_with("its number contradicts its hash"), "{said}");
}

#[tokio::test]
async fn many_blocks_come_verified_in_the_order_asked() {
    let node = FakeNode::new();
    let built: Vec<Built> = (1..=11).map(|amount| node.mine(paying(amount))).collect();
    let mut source = connected(&node).await;
    let asked: Vec<BlockRef> = built.iter().map(reference).collect();
    let facts = source.blocks(&asked).await.unwrap();
    assert_eq!(facts.iter().map(|one| one.block).collect::<Vec<_>>(), asked);
    for (one, amount) in facts.iter().zip(1..) {
        assert_eq!(
            one.credits.iter().nth(1).unwrap().amount,
            crate::domain::amount::Amount::from_u64(amount)
        );
    }
    assert!(source.blocks(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_block_off_the_best_chain_is_still_served_by_its_hash() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    node.roll_back(1);
    node.mine_empty(1, "b");
    let mut source = connected(&node).await;
    assert_eq!(
        source.blocks(&[reference(&built)]).await.unwrap()[0].block,
        reference(&built)
    );
}

// shows: P3
#[tokio::test]
async fn a_block_or_receipts_that_are_not_there_mean_behind() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    for method in ["eth_getBlockByHash", "eth_getBlockReceipts"] {
        node.fault(method, Value::Null);
        let said = told(source.blocks(&[reference(&built)]).await);
        assert_eq!(
            said,
            format!(
                "behind: local (memory) {method}: block 1 ({}) is not there (yet)",
                built.hash
            )
        );
        node.heal();
    }
}

// shows: P1
#[tokio::test]
async fn receipts_that_are_complete_a_moment_later_are_found() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    let mut without_logs = built.receipts.clone();
    without_logs[1]["logs"] = json!([]);
    for half_written in [json!([]), without_logs] {
        node.fault("eth_getBlockReceipts", half_written);
        assert!(told(source.blocks(&[reference(&built)]).await).starts_with("transient"));
        node.heal();
    }
    assert_eq!(
        source.blocks(&[reference(&built)]).await.unwrap()[0]
            .credits
            .len(),
        2
    );
}

#[tokio::test]
async fn a_block_that_never_verifies_becomes_the_operator_s_matter_until_it_does() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let asked = [reference(&built)];
    let mut source = connected(&node).await;
    node.fault("eth_getBlockReceipts", json!([]));
    for _ in 1..10 {
        assert!(told(source.blocks(&asked).await).starts_with("transient"));
    }
    let said = told(source.blocks(&asked).await);
    assert_eq!(
        said,
        format!(
            "permanent: local (memory): block 1 ({}): its number of receipts contradicts its hash",
            built.hash
        )
    );
    node.heal();
    source.blocks(&asked).await.unwrap();
    node.fault("eth_getBlockReceipts", json!([]));
    assert!(told(source.blocks(&asked).await).starts_with("transient"));
}

#[tokio::test]
async fn an_unknown_transaction_type_is_the_operator_s_matter_at_once() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    let mut block = built.block.clone();
    block["transactions"][1]["type"] = json!("0x6");
    node.fault("eth_getBlockByHash", block);
    let said = told(source.blocks(&[reference(&built)]).await);
    assert!(
        said.starts_with("permanent") && said.contains("of the unknown type 6"),
        "{said}"
    );
}

#[tokio::test]
async fn pruned_history_is_the_operator_s_matter() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    node.fault(
        "eth_getBlockReceipts",
        error(4444, "pruned history unavailable"),
    );
    assert!(told(source.blocks(&[reference(&built)]).await).starts_with("permanent"));
}

#[tokio::test]
async fn only_another_block_at_the_same_height_makes_a_block_stale() {
    let node = FakeNode::new();
    node.mine_empty(3, "a");
    let ours = reference(&node.state().chain[3]).id;
    let mut source = connected(&node).await;
    assert!(!source.is_stale(ours).await.unwrap(), "it is the tip");
    node.mine_empty(1, "a");
    assert!(!source.is_stale(ours).await.unwrap(), "it is below the tip");
    node.roll_back(3);
    assert!(!source.is_stale(ours).await.unwrap(), "the head is lower");
    node.mine_empty(2, "b");
    assert!(
        source.is_stale(ours).await.unwrap(),
        "another block is the tip"
    );
    node.state().aside.clear();
    assert!(
        source.is_stale(ours).await.unwrap(),
        "and ours is forgotten"
    );
}

#[tokio::test]
async fn filters_and_ranges_are_never_asked_for() {
    let node = FakeNode::new();
    let built = node.mine(paying(1));
    let mut source = connected(&node).await;
    source.headers(Height(0), 2).await.unwrap();
    source.blocks(&[reference(&built)]).await.unwrap();
    source.is_stale(reference(&built).id).await.unwrap();
    assert!(source.mempool().await.unwrap().snapshot.is_none());
    let asked = node.state().log.join("\n");
    for never in ["eth_newFilter", "eth_getLogs", "eth_getFilter"] {
        assert!(!asked.contains(never));
    }
    assert!(asked.contains(&format!("eth_getBlockReceipts [\"{}\"]", built.hash)));
}

#[test]
fn the_future_of_a_source_may_move_between_threads() {
    fn is_source<S: ChainSource>() {}
    is_source::<EthereumSource<HttpTransport>>();
}
