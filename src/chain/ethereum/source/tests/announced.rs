//! A block that was announced is asked for before its turn, and checked as any other.

use super::{
    endpoints::{asked, down},
    *,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const BODY: &str = "eth_getBlockByHash";
const RECEIPTS: &str = "eth_getBlockReceipts";

/// So often were a block and its receipts asked for since.
fn parts(node: &FakeNode) -> (usize, usize) {
    (asked(node, BODY), asked(node, RECEIPTS))
}

async fn asks(node: &FakeNode, expected: (usize, usize)) {
    until(|| parts(node) == expected).await;
}

async fn asks_for_body(node: &FakeNode) {
    until(|| asked(node, BODY) == 1).await;
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it is asked");
}

/// In step with a node, which then mines a block and announces it.
async fn announcing(node: &FakeNode) -> (Source, BlockRef) {
    let mut source = connected(node).await;
    source.status().await.unwrap();
    let block = reference(&node.mine(paying(5)));
    node.state().log.clear();
    source.announced().say(block.id);
    (source, block)
}

#[tokio::test]
async fn an_announced_block_is_asked_for_once_with_the_status() {
    let node = FakeNode::new();
    let (mut source, block) = announcing(&node).await;
    source.status().await.unwrap();
    asks(&node, (1, 1)).await;
    let facts = source.blocks(&[block]).await.unwrap();
    assert_eq!(facts[0].block, block);
    assert_eq!(parts(&node), (1, 1));
    // Used up: whoever wants it again asks again.
    source.blocks(&[block]).await.unwrap();
    assert_eq!(parts(&node), (2, 2));
}

#[tokio::test]
async fn what_was_answered_too_early_or_wrongly_is_asked_again() {
    for wrong in [Value::Null, error(-32000, "unknown block")] {
        let node = FakeNode::new();
        let (mut source, block) = announcing(&node).await;
        node.fault(RECEIPTS, wrong);
        source.status().await.unwrap();
        asks(&node, (1, 1)).await;
        node.heal();
        source.blocks(&[block]).await.unwrap();
        assert_eq!(parts(&node), (2, 2));
    }
    // Other receipts are no more believed than those that come in their turn.
    let node = FakeNode::new();
    let (mut source, block) = announcing(&node).await;
    node.fault(RECEIPTS, json!([]));
    source.status().await.unwrap();
    asks(&node, (1, 1)).await;
    node.heal();
    assert!(source.blocks(&[block]).await.is_err());
    assert_eq!(source.blocks(&[block]).await.unwrap()[0].block, block);
}

#[tokio::test]
async fn a_block_that_cannot_be_the_next_is_not_asked_for() {
    let node = FakeNode::new();
    let (mut source, block) = announcing(&node).await;
    let far = BlockId {
        height: block.id.height.plus(NEAR + 1),
        ..block.id
    };
    source.announced().say(far);
    source.status().await.unwrap();
    source.blocks(&[block]).await.unwrap();
    assert_eq!(parts(&node), (1, 1), "in its turn");
}

#[tokio::test]
async fn whoever_does_not_lead_any_more_holds_no_announced_block() {
    let (first, second) = (FakeNode::new(), FakeNode::new());
    let mut source = source_of(&[("first", &first), ("second", &second)]);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let block = reference(&first.mine(paying(5)));
    second.mine(paying(5));
    source.announced().say(block.id);
    source.status().await.unwrap();
    asks_for_body(&first).await;
    down(&first);
    source.status().await.unwrap();
    first.heal();
    first.state().log.clear();
    second.state().log.clear();
    source.announced().say(block.id);
    source.status().await.unwrap();
    asks_for_body(&second).await;
    assert_eq!(parts(&first), (0, 0));
    source.blocks(&[block]).await.unwrap();
}
