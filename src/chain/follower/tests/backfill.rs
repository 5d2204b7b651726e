//! Scanning the past beside the tip.

use super::{permanent, transient};
use crate::{
    chain::{
        Ask, ChainInput,
        follower::{
            Options, Standing, Start,
            testing::{Bench, Call, FakeNode, options},
        },
    },
    domain::{block::Height, payment::ScanFrom, time::UnixMs},
};

fn ask(batch: u64, from: ScanFrom, to: u32) -> Ask {
    Ask::Backfill {
        traces: true,
        batch,
        from,
        to: Height(to),
    }
}

fn from(height: u32) -> ScanFrom {
    ScanFrom::Height(Height(height))
}

/// The time of the block at `height`, and `more` seconds.
fn at(height: u32, more: i64) -> ScanFrom {
    ScanFrom::Time(UnixMs::from_secs(i64::from(height) * 600 + more))
}

/// Works on the backfill until it is done.
async fn scan(bench: &mut Bench) -> Vec<String> {
    while bench.follower.serve().await.unwrap() {}
    bench.watcher.told()
}

/// The heights that were delivered, and up to where.
fn delivered(bench: &Bench) -> (Vec<u32>, Option<u32>) {
    let mut heights = Vec::new();
    let mut last = None;
    for input in bench.watcher.inputs() {
        let ChainInput::Backfill { blocks, to, .. } = input else {
            continue;
        };
        heights.extend(blocks.iter().map(|facts| facts.block.id.height.0));
        last = Some(to.0);
    }
    (heights, last)
}

#[tokio::test]
async fn every_block_from_the_start_to_the_end_is_delivered_once_in_order() {
    let cases = [
        (from(150), 150, 200),
        (from(200), 200, 200),
        (from(0), 0, 150),
        (from(20), 20, 199),
        (at(150, 0), 150, 200),
        (at(150, 599), 150, 200),
        (at(150, -1), 149, 200),
        (at(500, 0), 200, 200),
        (at(10, 0), 10, 90),
        (ScanFrom::Time(UnixMs(-1)), 0, 40),
    ];
    for (from, first, to) in cases {
        let mut bench = Bench::following(200).await;
        bench.follower.ask(ask(1, from, to));
        while bench.follower.serve().await.unwrap() {}
        let expected = ((first..=to).collect(), Some(to));
        assert_eq!(delivered(&bench), expected, "{from:?} to {to}");
    }
}

#[tokio::test]
async fn nothing_to_scan_costs_no_block_and_is_concluded() {
    let mut bench = Bench::following(200).await;
    let before = bench.node.count(Call::Blocks);
    bench.follower.ask(ask(3, from(200), 199));
    assert_eq!(scan(&mut bench).await, ["backfill 3: nothing to 199"]);
    assert_eq!(bench.node.count(Call::Blocks), before);
}

#[tokio::test]
async fn a_scan_that_ends_below_the_blocks_in_memory_is_linked_to_them() {
    let mut bench = Bench::new(FakeNode::with_height(1_000));
    bench.poll().await.unwrap();
    bench.follower.ask(ask(1, from(300), 310));
    while bench.follower.serve().await.unwrap() {}
    assert_eq!(delivered(&bench), ((300..=310).collect(), Some(310)));
}

#[tokio::test]
async fn a_scan_beyond_the_limit_is_refused_in_words() {
    for (from, to, refused) in [
        (from(101), 600, false),
        (from(100), 600, true),
        (at(101, 0), 600, false),
        (at(100, 0), 600, true),
        (from(0), 499, false),
        (from(0), 500, true),
    ] {
        let mut bench = Bench::following(600).await;
        bench.follower.ask(ask(1, from, to));
        while bench.follower.serve().await.unwrap() {}
        let refusals = bench.watcher.refusals();
        assert_eq!(refusals.len(), usize::from(refused), "{from:?} to {to}");
        let in_words = |words: &String| words.contains("500") && words.contains("max_rescan");
        assert!(refusals.iter().all(in_words), "{refusals:?}");
    }
}

#[tokio::test]
async fn a_pruned_block_refuses_the_scan_and_the_chain_goes_on() {
    let mut bench = Bench::following(200).await;
    bench.node.unreadable(160);
    bench.follower.ask(ask(1, from(160), 200));
    assert_eq!(scan(&mut bench).await, ["refused 1"]);
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
}

#[tokio::test]
async fn a_refused_scan_holds_up_no_later_one() {
    let mut bench = Bench::following(200).await;
    bench.node.unreadable(160);
    bench.follower.ask(ask(1, from(160), 200));
    bench.follower.serve().await.unwrap();
    assert_eq!(scan(&mut bench).await, ["refused 1"]);
    bench.follower.ask(ask(2, from(161), 200));
    while bench.follower.serve().await.unwrap() {}
    assert_eq!(delivered(&bench), ((161..=200).collect(), Some(200)));
    bench.follower.ask(ask(3, from(160), 200));
    assert_eq!(scan(&mut bench).await, ["refused 3"]);
}

#[tokio::test]
async fn new_blocks_come_live_between_two_parts_of_a_scan() {
    let mut bench = Bench::following(200).await;
    bench.follower.ask(ask(1, from(160), 200));
    assert_eq!(bench.follower.serve().await, Ok(true));
    assert_eq!(bench.follower.serve().await, Ok(true));
    bench.node.mine(1);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.follower.serve().await, Ok(true));
    let told = bench.watcher.told();
    let kinds: Vec<&str> = told
        .iter()
        .filter_map(|told| told.split(' ').next())
        .collect();
    assert_eq!(kinds, ["backfill", "connect", "polled", "backfill"]);
}

#[tokio::test]
async fn a_newer_scan_replaces_the_one_before() {
    let mut bench = Bench::following(200).await;
    bench.follower.ask(ask(1, from(100), 200));
    bench.follower.serve().await.unwrap();
    bench.follower.serve().await.unwrap();
    bench.watcher.forget();
    bench.follower.ask(ask(2, from(199), 200));
    assert_eq!(scan(&mut bench).await, ["backfill 2: 199-200 to 200"]);
}

#[tokio::test]
async fn a_failure_keeps_the_place_of_a_scan() {
    for call in [Call::Headers, Call::Blocks] {
        let mut bench = Bench::following(400).await;
        bench.follower.ask(ask(1, from(100), 400));
        bench.node.fail(call, 2, transient());
        let mut failures = 0;
        loop {
            match bench.follower.serve().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => failures += 1,
            }
        }
        assert_eq!(failures, 1);
        assert_eq!(delivered(&bench), ((100..=400).collect(), Some(400)));
    }
}

#[tokio::test]
async fn a_missing_body_in_the_past_waits_behind_the_blocks_before_it() {
    let mut bench = Bench::following(200).await;
    bench.node.without_body(195);
    bench.follower.ask(ask(1, from(190), 200));
    let stopped = loop {
        match bench.follower.serve().await {
            Ok(true) => {}
            other => break other,
        }
    };
    assert!(super::is_behind(&stopped));
    assert_eq!(delivered(&bench), ((190..=194).collect(), Some(194)));
    bench.node.with_all_bodies();
    while bench.follower.serve().await.unwrap() {}
    assert_eq!(delivered(&bench), ((195..=200).collect(), Some(200)));
}

#[tokio::test]
async fn blocks_that_leave_during_a_scan_are_not_scanned_as_the_past() {
    // Depth 3 leaves part of the span, depth 12 all of it, at every stage of the scan.
    for (depth, steps) in [(3, 0), (3, 1), (3, 2), (12, 0), (12, 1), (12, 2)] {
        let mut bench = Bench::following(220).await;
        bench.follower.ask(ask(1, from(210), 220));
        for _ in 0..steps {
            bench.follower.serve().await.unwrap();
        }
        bench.node.fork(depth, 15);
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        while bench.follower.serve().await.unwrap() {}
        let fork = 220 - u32::try_from(depth).unwrap();
        let (heights, to) = delivered(&bench);
        // The recorder has checked that each was on our chain when it came.
        assert_eq!(to, Some(fork), "depth {depth} after {steps}");
        assert!(heights.iter().all(|height| *height <= 220));
        let missing = (210..=fork).find(|height| !heights.contains(height));
        assert_eq!(missing, None, "depth {depth} after {steps}");
    }
}

#[tokio::test]
async fn headers_of_another_branch_are_not_taken_for_our_past() {
    let mut bench = Bench::following(300).await;
    bench.follower.ask(ask(1, from(100), 110));
    assert_eq!(bench.follower.serve().await, Ok(true));
    let ours = bench.node.tip();
    bench.node.fork(200, 201);
    assert!(super::is_behind(&bench.follower.serve().await));
    bench.node.switch_to(ours);
    while bench.follower.serve().await.unwrap() {}
    assert_eq!(delivered(&bench), ((100..=110).collect(), Some(110)));
}

#[tokio::test]
async fn a_scan_waits_until_the_chain_has_begun() {
    let mut bench = Bench::with(FakeNode::with_height(200), options(), Start::default());
    bench.follower.ask(ask(1, from(199), 200));
    assert_eq!(bench.follower.serve().await, Ok(false));
    bench.poll().await.unwrap();
    bench.watcher.forget();
    assert_eq!(scan(&mut bench).await, ["backfill 1: 199-200 to 200"]);
}

#[tokio::test]
async fn a_source_that_refuses_the_headers_refuses_the_scan() {
    let options = Options {
        max_rescan: 2_000,
        ..options()
    };
    let mut bench = Bench::with(FakeNode::with_height(900), options, Start::default());
    bench.poll().await.unwrap();
    bench.watcher.forget();
    bench.follower.ask(ask(1, from(1), 900));
    bench.node.fail(Call::Headers, 2, permanent());
    assert_eq!(scan(&mut bench).await, ["refused 1"]);
}
