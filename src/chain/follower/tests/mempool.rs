//! What is unconfirmed, and when a poll of it is full.

use crate::chain::{
    ChainInput,
    follower::{
        Options, Standing, Start,
        testing::{Bench, Call, FakeNode, options, tx},
    },
};

async fn following() -> Bench {
    let node = FakeNode::with_height(50);
    node.mempool(vec![tx(1)]);
    let options = Options {
        has_mempool: true,
        ..options()
    };
    let mut bench = Bench::with(node, options, Start::default());
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench
}

#[tokio::test]
async fn the_mempool_is_told_after_the_blocks_and_before_the_full_poll() {
    let bench = following().await;
    let told = ["begin 50", "mempool +1, snapshot", "polled 50"];
    assert_eq!(bench.watcher.told(), told);
}

#[tokio::test]
async fn a_node_that_loads_its_mempool_gives_no_snapshot_and_no_full_poll() {
    let mut bench = following().await;
    bench.watcher.forget();
    bench.node.mempool_loading(true).mempool(vec![tx(2)]);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["mempool +1"]);
    bench.node.mempool_loading(false);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["mempool +0, snapshot", "polled 50"]);
}

#[tokio::test]
async fn a_snapshot_at_another_tip_makes_no_full_poll() {
    let mut bench = following().await;
    bench.watcher.forget();
    bench.node.before(Call::Mempool, 1, |node| {
        node.mine(1);
        Ok(())
    });
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["mempool +0, snapshot"]);
}

#[tokio::test]
async fn the_mempool_waits_while_the_chain_catches_up() {
    let mut bench = following().await;
    bench.watcher.forget();
    bench.node.mine(200).mempool(vec![tx(2)]);
    assert_eq!(bench.poll().await, Ok(Standing::More));
    let told = bench.watcher.told();
    assert!(told.iter().all(|told| told.starts_with("connect")));
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    let told = bench.watcher.told();
    let last = &told[told.len() - 2..];
    assert_eq!(last, ["mempool +1, snapshot", "polled 250"]);
}

#[tokio::test]
async fn a_lagging_node_still_brings_new_transactions() {
    let mut bench = following().await;
    bench.watcher.forget();
    bench.node.lag(1).mempool(vec![tx(2)]);
    assert_eq!(bench.poll().await, Ok(Standing::Behind));
    assert_eq!(bench.watcher.told(), ["mempool +1, snapshot"]);
}

#[tokio::test]
async fn a_full_poll_bears_the_time_before_the_node_was_asked() {
    let mut bench = following().await;
    bench.watcher.forget();
    bench.poll().await.unwrap();
    let inputs = bench.watcher.inputs();
    let Some(ChainInput::Polled { began_ms, .. }) = inputs.last() else {
        panic!("{inputs:?}");
    };
    // The clock gives 0 s to the first poll and moves by a second at every look.
    assert_eq!(*began_ms, 1_000);
}
