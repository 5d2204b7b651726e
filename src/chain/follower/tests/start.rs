//! Beginning, resuming and catching up.

use super::is_behind;
use crate::chain::{
    SourceError,
    follower::{
        Halt, Standing,
        testing::{Bench, Call, FakeNode},
    },
};

#[tokio::test]
async fn following_begins_at_the_nodes_tip() {
    let mut bench = Bench::new(FakeNode::with_height(200));
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["begin 200", "polled 200"]);
}

#[tokio::test]
async fn following_begins_at_genesis_where_there_is_nothing_else() {
    let mut bench = Bench::new(FakeNode::with_height(0));
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["begin 0", "polled 0", "connect 1", "polled 1"];
    assert_eq!(bench.watcher.told(), told);
}

#[tokio::test]
async fn a_node_that_moves_while_we_begin_is_asked_again() {
    let mut bench = Bench::new(FakeNode::with_height(200));
    bench.node.before(Call::Headers, 1, |node| {
        node.fork(1, 1);
        Ok(())
    });
    assert!(is_behind(&bench.poll().await));
    assert_eq!(bench.watcher.told(), [""; 0]);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

#[tokio::test]
async fn a_syncing_node_is_no_place_to_begin() {
    let mut bench = Bench::new(FakeNode::with_height(200));
    bench.node.syncing(true);
    let polled = bench.poll().await;
    assert!(matches!(
        polled,
        Err(Halt::Source(SourceError::Transient(_)))
    ));
    assert_eq!(bench.watcher.told(), [""; 0]);
    bench.node.syncing(false);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
}

#[tokio::test]
async fn a_new_block_costs_one_status_and_one_body() {
    let mut bench = Bench::following(50).await;
    let calls = [Call::Status, Call::Blocks, Call::Headers, Call::IsStale];
    let before = calls.map(|call| bench.node.count(call));
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let after = calls.map(|call| bench.node.count(call));
    let spent: Vec<usize> = after.iter().zip(before).map(|(a, b)| a - b).collect();
    assert_eq!(spent, [1, 1, 0, 0]);
    assert_eq!(bench.watcher.told(), ["connect 51", "polled 51"]);
}
