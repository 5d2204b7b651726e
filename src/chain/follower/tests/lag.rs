//! Nodes that are behind, or contradict themselves: nothing is rolled back for them.

use super::{is_behind, transient};
use crate::chain::{
    SourceError,
    follower::{
        Halt, Standing,
        testing::{Bench, Call, block},
    },
};

// shows: F6
#[tokio::test]
async fn a_lower_tip_on_our_chain_rolls_nothing_back() {
    let mut bench = Bench::following(50).await;
    bench.node.lag(5);
    assert_eq!(bench.poll().await, Ok(Standing::Behind));
    assert_eq!(bench.watcher.told(), [""; 0]);
    bench.node.lag(0).mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["connect 51", "polled 51"]);
}

#[tokio::test]
async fn a_lower_or_equal_tip_elsewhere_rolls_nothing_back_unless_ours_is_disowned() {
    for blocks in [2, 3] {
        let mut bench = Bench::following(50).await;
        bench.node.fork(3, blocks).forget_stale();
        assert_eq!(bench.poll().await, Ok(Standing::Behind));
        assert_eq!(bench.watcher.told(), [""; 0]);
        bench.node.mine(2);
        assert_eq!(bench.poll().await, Ok(Standing::InStep));
        bench.assert_in_step();
    }
}

// shows: P4
#[tokio::test]
async fn a_flapping_head_changes_nothing_and_loses_nothing() {
    let mut bench = Bench::following(50).await;
    for round in 0..20 {
        bench.node.mine(1).lag(round % 3);
        bench.catch_up().await.unwrap();
        let told = bench.watcher.told();
        assert!(!told.iter().any(|told| told.contains("back")), "{told:?}");
    }
    bench.node.lag(0);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

#[tokio::test]
async fn headers_that_do_not_link_change_nothing() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(6).before(Call::Headers, 1, |node| {
        node.fork(2, 2);
        node.lie_at(53, block(1_000));
        Ok(())
    });
    assert!(is_behind(&bench.poll().await));
    assert_eq!(bench.watcher.told(), [""; 0]);
    bench.node.be_honest();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

#[tokio::test]
async fn missing_headers_of_an_announced_head_change_nothing() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(6).before(Call::Headers, 1, |node| {
        node.roll_back(6);
        Ok(())
    });
    assert!(is_behind(&bench.poll().await));
    assert_eq!(bench.watcher.told(), [""; 0]);
}

#[tokio::test]
async fn a_block_other_than_the_one_asked_for_is_refused() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(1).before(Call::Blocks, 1, |node| {
        node.swap_body(51, block(52));
        Ok(())
    });
    let polled = bench.poll().await;
    assert!(matches!(
        polled,
        Err(Halt::Source(SourceError::Transient(_)))
    ));
    assert_eq!(bench.watcher.told(), [""; 0]);
}

#[tokio::test]
async fn a_failure_of_any_call_changes_nothing_and_connects_again() {
    for call in [Call::Connect, Call::Status, Call::IsStale, Call::Blocks] {
        let mut bench = Bench::following(50).await;
        bench.node.fork(2, 2).fail(call, 1, transient());
        if call == Call::Connect {
            bench.node.fail(Call::Status, 1, transient());
            bench.poll().await.unwrap_err();
        }
        let connected = bench.node.count(Call::Connect);
        let polled = bench.poll().await;
        assert!(matches!(
            polled,
            Err(Halt::Source(SourceError::Transient(_)))
        ));
        assert_eq!(bench.watcher.told(), [""; 0]);
        assert_eq!(bench.poll().await, Ok(Standing::InStep), "{call:?}");
        assert!(bench.node.count(Call::Connect) > connected);
        bench.assert_in_step();
    }
}

// shows: F18
#[tokio::test]
async fn another_network_at_a_reconnect_is_never_asked_for_blocks() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(1).fail(Call::Status, 1, transient());
    bench.poll().await.unwrap_err();
    bench.node.fail(Call::Connect, 1, super::permanent());
    let statuses = bench.node.count(Call::Status);
    assert_eq!(bench.poll().await, Err(super::permanent().into()));
    assert_eq!(bench.node.count(Call::Status), statuses);
    assert_eq!(bench.watcher.told(), [""; 0]);
}
