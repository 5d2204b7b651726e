//! Blocks whose contents are missing or bad, and catching up.

use super::is_behind;
use crate::chain::{
    SourceError,
    follower::{
        Halt, Standing,
        testing::{Bench, Call},
    },
};

// shows: F1 F16
#[tokio::test]
async fn a_burst_of_blocks_is_applied_in_order_and_none_is_skipped() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(5);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = ["connect 51-54", "connect 55", "polled 55"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

// shows: F11
#[tokio::test]
async fn a_missing_body_stops_at_the_block_before_it() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(5).without_body(53);
    assert!(is_behind(&bench.poll().await));
    assert_eq!(bench.watcher.told(), ["connect 51", "connect 52"]);
    assert!(is_behind(&bench.poll().await));
    assert_eq!(bench.watcher.told(), [""; 0]);
    bench.node.with_all_bodies();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

// shows: F11
#[tokio::test]
async fn a_missing_body_in_a_reorg_disconnects_nothing() {
    for missing in 49..=52 {
        let mut bench = Bench::following(50).await;
        bench.node.fork(2, 4).without_body(missing);
        let needed = missing <= 51;
        assert!(is_behind(&bench.poll().await));
        assert_eq!(bench.watcher.told(), [""; 0], "{missing}");
        assert!(is_behind(&bench.poll().await));
        let told = bench.watcher.told();
        if needed {
            assert_eq!(told, [""; 0], "{missing}");
        } else {
            assert_eq!(told, ["back to 48, connect 49-51"]);
        }
        bench.node.with_all_bodies();
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        bench.assert_in_step();
    }
}

// shows: F20
#[tokio::test]
async fn a_block_that_cannot_be_read_stops_the_chain_and_is_named() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(5).unreadable(53);
    let hash = bench.node.at(53).id.hash.to_string();
    let polled = bench.poll().await;
    let Err(Halt::Source(SourceError::Permanent(message))) = polled else {
        panic!("{polled:?}");
    };
    assert!(
        message.contains(&hash) && message.contains("53"),
        "{message}"
    );
    assert_eq!(bench.watcher.told(), ["connect 51", "connect 52"]);
    assert_eq!(bench.watcher.tip(), bench.node.at(52));
}

// shows: F19
#[tokio::test]
async fn three_days_of_downtime_are_scanned_whole_in_bounded_batches() {
    let mut bench = Bench::following(50).await;
    let three_days = 3 * 24 * 60 * 5;
    bench.node.mine(three_days);
    bench.restart();
    assert_eq!(bench.poll().await, Ok(Standing::More));
    let connected = bench.watcher.tip().id.height.minus(50).0;
    assert!(
        (100..=130).contains(&connected),
        "one poll took {connected} blocks"
    );
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
    assert!(bench.node.largest_header_batch() <= 128);
    // Sixteen blocks a request: the rest would be round trips.
    let requests = u32::try_from(bench.node.count(Call::Blocks)).unwrap();
    assert!(requests < three_days / 15, "{requests}");
}

#[tokio::test]
async fn a_full_poll_is_told_only_once_every_block_is() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(300);
    while bench.poll().await == Ok(Standing::More) {
        let told = bench.watcher.told();
        assert!(!told.iter().any(|told| told.starts_with("polled")));
    }
    assert_eq!(bench.watcher.told().last().unwrap(), "polled 350");
}

#[tokio::test]
async fn a_node_that_syncs_is_followed_but_no_poll_of_it_is_full() {
    let mut bench = Bench::following(50).await;
    bench.node.mine(1).syncing(true);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["connect 51"]);
}
