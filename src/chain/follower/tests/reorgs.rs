//! Leaving blocks for others.

use super::{is_behind, transient};
use crate::chain::follower::{
    Options, Standing, Start,
    testing::{Bench, Call, FakeNode, options},
};

#[tokio::test]
async fn a_replaced_block_leaves_in_the_step_that_brings_its_successors() {
    let mut bench = Bench::following(50).await;
    bench.node.fork(1, 2);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 49, connect 50-51", "polled 51"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

// shows: F2
#[tokio::test]
async fn reorgs_of_depth_one_to_ten_resume_at_the_fork_point() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(10);
    bench.catch_up().await.unwrap();
    for depth in 1..=10 {
        let tip = bench.node.tip().id.height.0;
        bench.watcher.forget();
        bench.node.fork(depth, u32::try_from(depth).unwrap() + 1);
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        let fork = tip - u32::try_from(depth).unwrap();
        let told = format!("back to {fork}, connect {}-{}", fork + 1, tip + 1);
        assert_eq!(bench.watcher.told()[0], told, "depth {depth}");
        bench.assert_in_step();
    }
}

#[tokio::test]
async fn a_reorg_is_followed_though_the_node_never_heard_of_our_tip() {
    let mut bench = Bench::following(50).await;
    bench.node.fork(3, 4).forget_stale();
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

#[tokio::test]
async fn a_reorg_that_comes_with_many_blocks_brings_them_all() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(3);
    bench.poll().await.unwrap();
    bench.watcher.forget();
    bench.node.fork(2, 400);
    assert_eq!(bench.poll().await, Ok(Standing::More));
    assert!(bench.watcher.told()[0].starts_with("back to 51, connect 52-"));
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

// shows: F5
#[tokio::test]
async fn a_pure_rollback_takes_blocks_back_at_once() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(5);
    bench.poll().await.unwrap();
    bench.watcher.forget();
    bench.node.roll_back(3);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 52, connect nothing", "polled 52"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

// shows: F7
#[tokio::test]
async fn a_replacement_at_equal_height_is_seen_without_a_further_block() {
    let mut bench = Bench::following(50).await;
    bench.node.fork(1, 1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 49, connect 50", "polled 50"];
    assert_eq!(bench.watcher.told(), told);
}

#[tokio::test]
async fn a_reorg_to_a_lower_tip_is_followed_when_the_node_disowns_ours() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(6);
    bench.poll().await.unwrap();
    bench.watcher.forget();
    bench.node.fork(5, 2);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 51, connect 52-53", "polled 53"];
    assert_eq!(bench.watcher.told(), told);
}

// shows: F8
#[tokio::test]
async fn another_reorg_during_the_walk_disconnects_nothing_on_the_way() {
    // The headers above our tip are the first call; the walk down is the second and third.
    for (call, depth, breaks) in [(1, 16, false), (2, 1, false), (2, 16, true), (3, 16, true)] {
        let mut bench = Bench::following(50).await;
        bench.node.mine(20);
        bench.catch_up().await.unwrap();
        bench.watcher.forget();
        bench
            .node
            .fork(15, 17)
            .before(Call::Headers, call, move |node| {
                node.fork(depth + 1, 20);
                Ok(())
            });
        let polled = bench.poll().await;
        assert_eq!(
            is_behind(&polled),
            breaks,
            "call {call}, depth {depth}: {polled:?}"
        );
        if breaks {
            assert_eq!(bench.watcher.told(), [""; 0], "call {call}, depth {depth}");
        }
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        bench.assert_in_step();
    }
}

#[tokio::test]
async fn an_error_during_the_walk_disconnects_nothing() {
    for call in 1..=2 {
        let mut bench = Bench::following(50).await;
        bench.node.mine(20);
        bench.catch_up().await.unwrap();
        bench.watcher.forget();
        bench
            .node
            .fork(15, 17)
            .fail(Call::Headers, call, transient());
        assert_eq!(bench.poll().await, Err(transient().into()));
        assert_eq!(bench.watcher.told(), [""; 0]);
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        bench.assert_in_step();
    }
}

// shows: F17
#[tokio::test]
async fn headers_in_random_order_find_the_same_fork() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(20);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.shuffled().fork(12, 20);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert!(bench.watcher.told()[0].starts_with("back to 58, "));
    bench.assert_in_step();
}

// shows: F10
#[tokio::test]
async fn a_branch_that_comes_back_is_connected_again() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(2);
    bench.poll().await.unwrap();
    let first = bench.node.tip();
    bench.node.fork(2, 3);
    bench.poll().await.unwrap();
    bench.watcher.forget();
    bench.node.switch_to(first).mine(2);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 50, connect 51-54", "polled 54"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

// shows: F9
#[tokio::test]
async fn the_first_block_followed_may_be_replaced() {
    let mut bench = Bench::following(200).await;
    bench.node.fork(3, 4);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 197, connect 198-201", "polled 201"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

#[tokio::test]
async fn the_first_block_followed_may_be_rolled_back() {
    let mut bench = Bench::following(200).await;
    bench.node.roll_back(3);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["back to 197, connect nothing", "polled 197"];
    assert_eq!(bench.watcher.told(), told);
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

// shows: F9
#[tokio::test]
async fn a_reorg_while_we_were_away_is_found_at_start() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(8);
    bench.catch_up().await.unwrap();
    bench.node.fork(5, 9);
    bench.restart();
    bench.watcher.forget();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert!(bench.watcher.told()[0].starts_with("back to 53, connect 54-"));
    bench.assert_in_step();
}

// shows: F9
#[tokio::test]
async fn the_first_block_ever_may_be_replaced_while_we_were_away() {
    for depth in [1, 2, 5] {
        let mut bench = Bench::following(200).await;
        bench.node.fork(depth, 8);
        bench.restart();
        assert_eq!(bench.watcher.chain().len(), 128);
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep), "{depth}");
        assert!(!bench.watcher.is_frozen());
        bench.assert_in_step();
    }
}

// shows: F15
#[tokio::test]
async fn a_crash_in_the_middle_of_a_deep_reorg_ends_on_the_nodes_chain() {
    let mut bench = Bench::new(FakeNode::with_height(60));
    bench.poll().await.unwrap();
    bench.node.mine(25);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.fork(24, 30).fail(Call::Blocks, 2, transient());
    assert_eq!(bench.poll().await, Err(transient().into()));
    let told = bench.watcher.told();
    assert_eq!(told, ["back to 61, connect 62-77"]);
    bench.restart();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

#[tokio::test]
async fn a_restart_resumes_on_the_linked_end_of_what_was_stored() {
    let node = FakeNode::with_height(300);
    let mut recent = node.best_from(crate::domain::block::Height(250));
    recent.remove(20);
    let start = Start {
        recent: recent.clone(),
        ..Start::default()
    };
    let options = Options {
        final_depth: 10,
        ..options()
    };
    let mut bench = Bench::with(node, options, start);
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["connect 301", "polled 301"]);
}
