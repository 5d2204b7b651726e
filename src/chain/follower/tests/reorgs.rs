//! Leaving blocks for others.

use crate::chain::follower::{Standing, testing::Bench};

#[tokio::test]
async fn a_replaced_block_leaves_in_the_step_that_brings_its_successors() {
    let mut bench = Bench::following(50).await;
    bench.node.fork(1, 2);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(
        bench.watcher.told(),
        ["back to 49, connect 50-51", "polled 51"]
    );
    bench.assert_in_step();
}
