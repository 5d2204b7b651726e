//! Scans of the past whose traces are late, refused, disputed, or never come.

use super::{permanent, transient};
use crate::{
    chain::{
        Ask, ChainInput,
        follower::{
            Bell, Follower, Options, Signals, Standing, Start,
            testing::{Bench, Call, FakeNode, options},
        },
    },
    clock::{Clock, Now},
    domain::{block::Height, payment::ScanFrom, time::UnixMs},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

fn ask(bench: &mut Bench, batch: u64, traces: bool, from: u32, to: u32) {
    bench.follower.ask(Ask::Backfill {
        batch,
        from: ScanFrom::Height(Height(from)),
        to: Height(to),
        traces,
    });
}

/// In step with a chain of this height whose past blocks all await their traces.
async fn following(height: u32) -> Bench {
    let bench = Bench::following(height).await;
    bench.node.state().traced = true;
    bench
}

/// Works until nothing is left, within reason.
async fn finish(bench: &mut Bench) {
    for _ in 0..2_000 {
        if !bench.follower.serve().await.unwrap() {
            return;
        }
    }
    panic!("it never ends: {:?}", bench.watcher.told());
}

/// The blocks that were delivered since the last time, and whether each awaits its traces still.
fn delivered(bench: &Bench) -> Vec<(u32, bool)> {
    let mut all = Vec::new();
    for input in bench.watcher.inputs() {
        let ChainInput::Backfill {
            blocks, untraced, ..
        } = input
        else {
            continue;
        };
        let awaits = blocks.iter().any(|facts| facts.awaits_trace);
        assert_eq!(awaits, untraced, "it says that some are without");
        let blocks = blocks.iter();
        all.extend(blocks.map(|facts| (facts.block.id.height.0, facts.awaits_trace)));
    }
    all
}

// shows: T12
#[tokio::test(start_paused = true)]
async fn a_block_whose_traces_never_come_is_given_up_after_a_while_and_the_scan_goes_on() {
    let silence = None;
    for trouble in [silence, Some(transient()), Some(permanent())] {
        let mut bench = following(300).await;
        let hash = bench.node.at(292).id.hash;
        bench.node.state().untraced.insert(hash, trouble.clone());
        ask(&mut bench, 1, true, 290, 300);
        finish(&mut bench).await;
        let expected: Vec<(u32, bool)> =
            (290..=300).map(|height| (height, height == 292)).collect();
        assert_eq!(delivered(&bench), expected, "{trouble:?}");
    }
}

// shows: T12
#[tokio::test(start_paused = true)]
async fn of_a_disputed_block_what_is_told_alike_is_taken_when_the_rest_is_given_up() {
    let mut bench = following(300).await;
    let hash = bench.node.at(292).id.hash;
    bench.node.state().disputed.insert(hash, transient());
    ask(&mut bench, 1, true, 290, 300);
    // It may come yet: nothing is given up at once.
    for _ in 0..20 {
        assert_eq!(bench.follower.serve().await, Ok(true));
    }
    let mut all = delivered(&bench);
    assert!(all.iter().all(|(height, _)| *height < 292));
    finish(&mut bench).await;
    all.extend(delivered(&bench));
    let expected: Vec<(u32, bool)> = (290..=300).map(|height| (height, height == 292)).collect();
    assert_eq!(all, expected);
    assert!(bench.node.count(Call::Traces) > 20);
    // Where it is settled in time all is told.
    let mut bench = following(300).await;
    bench.node.state().disputed.insert(hash, transient());
    ask(&mut bench, 1, true, 290, 300);
    for _ in 0..20 {
        assert_eq!(bench.follower.serve().await, Ok(true));
    }
    bench.node.state().disputed.clear();
    finish(&mut bench).await;
    assert!(delivered(&bench).iter().all(|(_, awaits)| !awaits));
}

/// Those that do not come take their turns with those behind them.
#[tokio::test(start_paused = true)]
async fn a_silent_block_does_not_keep_others_from_being_asked_about() {
    let mut bench = following(300).await;
    for height in 285..=290 {
        let hash = bench.node.at(height).id.hash;
        bench.node.state().untraced.insert(hash, None);
    }
    ask(&mut bench, 1, true, 285, 300);
    finish(&mut bench).await;
    let expected: Vec<(u32, bool)> = (285..=300).map(|height| (height, height <= 290)).collect();
    assert_eq!(delivered(&bench), expected);
}

// shows: T12
#[tokio::test(start_paused = true)]
async fn a_scan_without_traces_waits_for_no_scan_with_them() {
    let mut bench = following(300).await;
    for height in 290..=300 {
        let hash = bench.node.at(height).id.hash;
        bench.node.state().untraced.insert(hash, None);
    }
    ask(&mut bench, 1, true, 290, 300);
    for _ in 0..5 {
        assert_eq!(bench.follower.serve().await, Ok(true));
    }
    bench.watcher.forget();
    ask(&mut bench, 2, false, 280, 300);
    for _ in 0..20 {
        assert_eq!(bench.follower.serve().await, Ok(true));
    }
    let told = bench.watcher.told();
    assert!(
        told.iter().all(|told| told.starts_with("backfill 2")),
        "{told:?}"
    );
    assert!(
        told.last().is_some_and(|told| told.ends_with("to 300")),
        "{told:?}"
    );
    finish(&mut bench).await;
    let told = bench.watcher.told();
    assert!(
        told.iter().any(|told| told.starts_with("backfill 1")),
        "{told:?}"
    );
}

/// Blocks at the tip that come well are no progress of a scan.
#[tokio::test]
async fn a_scan_that_never_goes_on_is_given_back_though_the_tip_does() {
    let mut bench = Bench::following(200).await;
    bench.node.without_body(190);
    ask(&mut bench, 1, false, 190, 200);
    for _ in 0..30 {
        bench.node.mine(1);
        assert_eq!(bench.poll().await, Ok(Standing::InStep));
        while bench.follower.serve().await == Ok(true) {}
    }
    let told = bench.watcher.told();
    assert!(told.contains(&"refused 1".to_owned()), "{told:?}");
}

#[tokio::test]
async fn scans_that_take_turns_do_not_walk_the_same_way_again() {
    let options = Options {
        max_rescan: 5_000,
        ..options()
    };
    let mut bench = Bench::with(FakeNode::with_height(3_000), options, Start::default());
    bench.poll().await.unwrap();
    ask(&mut bench, 1, false, 100, 3_000);
    let mut all = Vec::new();
    while all.is_empty() {
        assert_eq!(bench.follower.serve().await, Ok(true));
        all = delivered(&bench);
    }
    let walked = bench.node.count(Call::Headers);
    ask(&mut bench, 2, false, 2_990, 3_000);
    bench.node.mine(3);
    bench.poll().await.unwrap();
    bench.follower.serve().await.unwrap();
    let next = all.last().map_or(100, |(height, _)| height + 1);
    ask(&mut bench, 3, false, next, 3_000);
    delivered(&bench);
    finish(&mut bench).await;
    let heights: Vec<u32> = delivered(&bench)
        .iter()
        .map(|(height, _)| *height)
        .collect();
    assert_eq!(heights, (next..=3_000).collect::<Vec<_>>());
    let again = bench.node.count(Call::Headers) - walked;
    assert!(
        walked > 10 && again <= 2,
        "{again} more for what {walked} brought"
    );
}

/// Time as the runtime tells it, which a test moves on.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Now {
        let passed = self.0.elapsed().as_millis();
        Now {
            wall: UnixMs(i64::try_from(passed).unwrap()),
            monotonic_ms: u64::try_from(passed).unwrap(),
        }
    }
}

async fn after(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

// shows: T12
#[tokio::test(start_paused = true)]
async fn while_a_scan_waits_for_its_traces_rings_are_heard_at_once() {
    let Bench { node, watcher, .. } = Bench::new(FakeNode::with_height(300));
    let (source, clock) = (node.source(), Arc::new(RuntimeClock(Instant::now())));
    let follower = Follower::new(source, watcher.clone(), clock, options(), Start::default());
    let (asks, asked) = mpsc::channel(8);
    let (_running, shutdown) = watch::channel(false);
    let bell = Arc::new(Bell::default());
    let signals = Signals {
        asks: asked,
        bell: Arc::clone(&bell),
        shutdown,
    };
    tokio::spawn(follower.run(signals));
    after(100).await;
    node.state().traced = true;
    let hash = node.at(290).id.hash;
    node.state().untraced.insert(hash, None);
    let scan = Ask::Backfill {
        batch: 1,
        from: ScanFrom::Height(Height(290)),
        to: Height(300),
        traces: true,
    };
    asks.send(scan).await.unwrap();
    after(1_000).await;
    for gap in 0..40 {
        let polls = node.count(Call::Status);
        bell.ring();
        after(15).await;
        assert!(node.count(Call::Status) > polls, "heard after {gap} rings");
        after(10 + gap * 7).await;
    }
    // Neither do rings make it look more often, nor does it look less often without.
    for rings in [0, 50] {
        let looks = node.count(Call::Traces);
        for _ in 0..rings {
            bell.ring();
            after(100).await;
        }
        after(5_000 - rings * 100).await;
        let looks = node.count(Call::Traces) - looks;
        assert!((18..=21).contains(&looks), "{looks} looks in five seconds");
    }
    after(120_000).await;
    let told = watcher.told();
    assert!(
        told.iter().any(|told| told.contains("not all traced")),
        "{told:?}"
    );
}
