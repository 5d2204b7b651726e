//! The loop: when it polls, answers, waits and ends. Time is virtual.

use super::{permanent, transient};
use crate::{
    chain::{
        Ask, ChainInput, SourceError,
        follower::{
            Bell, Follower, Gone, Signals, Sink, Start,
            testing::{Bench, Call, FakeNode, Recorder, SteppingClock, hash, options, tx},
        },
    },
    domain::{
        block::{Height, TxId},
        payment::ScanFrom,
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};

/// A follower that runs, and the ends of its channels.
struct Running {
    node: FakeNode,
    watcher: Recorder,
    asks: mpsc::Sender<Ask>,
    bell: Arc<Bell>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn start(node: FakeNode) -> Running {
    let bench = Bench::new(node);
    let (asks, asked) = mpsc::channel(8);
    let (shutdown, stopping) = watch::channel(false);
    let bell = Arc::new(Bell::default());
    let signals = Signals {
        asks: asked,
        bell: Arc::clone(&bell),
        shutdown: stopping,
    };
    Running {
        node: bench.node,
        watcher: bench.watcher,
        asks,
        bell,
        shutdown,
        task: tokio::spawn(bench.follower.run(signals)),
    }
}

async fn after(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

fn statuses(running: &Running) -> usize {
    running.node.count(Call::Status)
}

#[tokio::test(start_paused = true)]
async fn it_polls_once_an_interval() {
    let running = start(FakeNode::with_height(50));
    after(10_001).await;
    assert_eq!(statuses(&running), 6);
}

#[tokio::test(start_paused = true)]
async fn a_ring_polls_at_once_but_a_storm_of_rings_does_not() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.node.mine(1);
    running.bell.ring();
    after(1).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
    let before = statuses(&running);
    for _ in 0..1_000 {
        running.bell.ring();
        after(1).await;
    }
    let polls = statuses(&running) - before;
    assert!((60..=101).contains(&polls), "{polls} polls in a second");
}

#[tokio::test(start_paused = true)]
async fn after_a_slow_poll_the_first_ring_is_heard_at_once_and_those_after_it_half_of_the_time() {
    let running = start(FakeNode::with_height(50));
    running.node.state().status_takes = Duration::from_millis(500);
    after(2_600).await;
    assert_eq!(statuses(&running), 2, "both of the clock");
    for (wait, polls) in [(20, 3), (500, 3), (470, 3), (20, 4)] {
        running.bell.ring();
        after(wait).await;
        assert_eq!(statuses(&running), polls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ring_ends_the_wait_after_a_failure_but_not_within_a_second_of_it() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    for call in 1..=9 {
        running.node.fail(Call::Status, call, permanent());
    }
    after(4_000).await;
    let failed = statuses(&running);
    for _ in 0..30 {
        running.bell.ring_for_transactions();
        after(100).await;
    }
    let tried = statuses(&running) - failed;
    assert!((2..=4).contains(&tried), "{tried} tries in three seconds");
}

#[tokio::test(start_paused = true)]
async fn named_transactions_are_told_without_a_poll_and_those_of_a_moment_together() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.watcher.forget();
    let polls = statuses(&running);
    running.node.named(vec![tx(1)]);
    running.bell.ring_for_transactions();
    after(1).await;
    assert_eq!(running.watcher.told(), ["mempool +1"]);
    for number in 2..=6 {
        running.node.named(vec![tx(number)]);
        running.bell.ring_for_transactions();
        after(1).await;
    }
    after(30).await;
    assert_eq!(running.watcher.told(), ["mempool +5"]);
    running.node.fail(Call::Named, 1, transient());
    running.bell.ring_for_transactions();
    after(100).await;
    assert_eq!(statuses(&running), polls);
    let told = running.watcher.told();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_one_look_leaves_of_the_named_is_looked_at_next_without_another_ring() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.watcher.forget();
    let polls = statuses(&running);
    running.node.named_a_look(2);
    running.node.named((1..=5).map(tx).collect());
    running.bell.ring_for_transactions();
    after(100).await;
    let told = ["mempool +2", "mempool +2", "mempool +1"];
    assert_eq!(running.watcher.told(), told);
    after(100).await;
    assert_eq!(running.node.count(Call::Named), 3, "and no more looks");
    assert_eq!(statuses(&running), polls);
}

#[tokio::test(start_paused = true)]
async fn what_is_named_waits_for_a_poll_that_could_read_the_mempool() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running
        .node
        .fail(Call::Status, 1, SourceError::Behind("no body".into()));
    running.bell.ring();
    after(100).await;
    running.node.named(vec![tx(1)]);
    running.bell.ring_for_transactions();
    after(100).await;
    assert_eq!(running.node.count(Call::Named), 0);
    after(2_000).await;
    running.bell.ring_for_transactions();
    after(100).await;
    assert_eq!(running.node.count(Call::Named), 1, "a poll went well since");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_a_node_that_was_not_connected_to() {
    let node = FakeNode::with_height(50);
    node.fail(Call::Connect, 1, permanent());
    node.named(vec![tx(1)]);
    let running = start(node);
    after(1).await;
    running.bell.ring_for_transactions();
    after(10).await;
    assert_eq!(running.node.count(Call::Named), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_catch_up_does_not_wait_between_polls() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.node.mine(1_000);
    after(2_000).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
}

#[tokio::test(start_paused = true)]
async fn a_failing_node_is_tried_again_ever_more_slowly_and_found_when_it_is_back() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    for call in 1..=20 {
        running.node.fail(Call::Status, call, transient());
    }
    let before = statuses(&running);
    after(60_000).await;
    let tries = statuses(&running) - before;
    assert!((6..=14).contains(&tries), "{tries} tries in a minute");
    let told = running.watcher.told();
    assert_eq!(
        told.iter()
            .filter(|told| *told == "failed transient")
            .count(),
        tries
    );
    running.node.behave().mine(1);
    after(15_001).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_told_and_looked_at_again_slowly_for_ever() {
    let running = start(FakeNode::with_height(50));
    for call in 1..=100 {
        running.node.fail(Call::Connect, call, permanent());
    }
    after(3_600_000).await;
    let tries = running.node.count(Call::Connect);
    assert!((60..=100).contains(&tries), "{tries} tries in an hour");
    assert!(
        running
            .watcher
            .told()
            .iter()
            .all(|told| told == "failed permanent")
    );
    assert_eq!(statuses(&running), 0);
    running.node.behave();
    after(60_001).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
}

#[tokio::test(start_paused = true)]
async fn a_missing_body_is_reported_only_when_it_stays_missing() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.watcher.forget();
    running.node.mine(1).without_body(51);
    after(6_000).await;
    assert_eq!(running.watcher.told(), [""; 0]);
    after(4_000).await;
    assert_eq!(running.watcher.told(), ["failed behind", "failed behind"]);
    running.node.with_all_bodies();
    after(2_000).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
}

#[tokio::test(start_paused = true)]
async fn an_ask_is_answered_without_waiting_for_the_next_poll() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.watcher.forget();
    let ask = Ask::Spenders(vec![(TxId(hash(1).0), vec![])]);
    running.asks.send(ask).await.unwrap();
    after(1).await;
    assert_eq!(running.watcher.told(), ["spenders 1"]);
}

/// A node of which each look at four blocks' traces takes a while, and much to trace.
async fn tracing_slowly() -> Running {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.node.mine(200);
    running.node.state().traced = true;
    running.node.state().tracing_takes = Duration::from_millis(40);
    running.bell.ring();
    // The last poll, and a tenth of a second more.
    after(250).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
    running
}

fn looks(running: &Running) -> usize {
    running.node.count(Call::Traces)
}

#[tokio::test(start_paused = true)]
async fn a_new_block_is_told_between_two_looks_at_what_contracts_moved() {
    let running = tracing_slowly().await;
    let before = looks(&running);
    assert!(before > 0);
    running.node.mine(1);
    running.bell.ring();
    after(60).await;
    assert_eq!(running.watcher.tip(), running.node.tip());
    assert!(looks(&running) < 201 / 4, "not all was traced before");
    // All is traced within the time that its looks take.
    after(3_000).await;
    let told = running.watcher.told();
    let last = told.iter().rfind(|told| told.starts_with("traced"));
    assert!(
        last.is_some_and(|told| told.ends_with("to 251")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_rings_all_the_time_does_not_keep_blocks_from_being_traced() {
    let running = tracing_slowly().await;
    let before = looks(&running);
    for _ in 0..1_000 {
        running.bell.ring();
        after(1).await;
    }
    let looks = looks(&running) - before;
    assert!(looks >= 10, "{looks} looks in a second");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_traced_now_is_tried_again_at_the_pace_of_polls() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.node.mine(1);
    running.node.state().traced = true;
    let hash = running.node.tip().id.hash;
    running
        .node
        .state()
        .untraced
        .insert(hash, Some(transient()));
    running.bell.ring();
    after(10_000).await;
    assert_eq!(looks(&running), 5);
    // One that is still under way is looked for sooner.
    running.node.state().untraced.insert(hash, None);
    after(2_000).await;
    assert!(looks(&running) > 15, "{}", looks(&running));
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_the_past_runs_between_two_polls() {
    let running = start(FakeNode::with_height(400));
    after(100).await;
    running.watcher.forget();
    let ask = Ask::Backfill {
        traces: true,
        batch: 1,
        from: ScanFrom::Height(Height(200)),
        to: Height(400),
    };
    running.asks.send(ask).await.unwrap();
    after(1).await;
    let told = running.watcher.told();
    assert!(told.last().unwrap().ends_with("to 400"), "{told:?}");
    assert_eq!(statuses(&running), 1);
}

#[tokio::test(start_paused = true)]
async fn asks_wait_while_the_node_fails_and_are_answered_after() {
    let running = start(FakeNode::with_height(50));
    after(100).await;
    running.node.fail(Call::Status, 1, transient());
    after(2_000).await;
    running.watcher.forget();
    let ask = Ask::Spenders(vec![(TxId(hash(1).0), vec![])]);
    running.asks.send(ask).await.unwrap();
    let asked = running.node.count(Call::Spenders);
    after(10).await;
    assert_eq!(running.node.count(Call::Spenders), asked);
    after(2_000).await;
    assert_eq!(running.watcher.told(), ["polled 50", "spenders 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_it_at_once_even_in_a_long_backoff() {
    let running = start(FakeNode::with_height(50));
    for call in 1..=9 {
        running.node.fail(Call::Connect, call, permanent());
    }
    after(1_000).await;
    let began = Instant::now();
    running.shutdown.send(true).unwrap();
    running.task.await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_those_who_could_stop_it_ends_it() {
    let Running { shutdown, task, .. } = start(FakeNode::with_height(50));
    drop(shutdown);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_those_who_ask_does_not_end_it() {
    let running = start(FakeNode::with_height(50));
    drop(running.asks);
    after(4_100).await;
    assert_eq!(running.node.count(Call::Status), 3);
    assert!(!running.task.is_finished());
}

struct Queue(mpsc::Sender<ChainInput>);

impl Sink for Queue {
    async fn deliver(&mut self, input: ChainInput) -> Result<(), Gone> {
        self.0.send(input).await.map_err(|_| Gone)
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_watcher_ends_it() {
    let (inputs, mut received) = mpsc::channel(1);
    let node = FakeNode::with_height(50);
    let clock = Arc::new(SteppingClock::default());
    let follower = Follower::new(
        node.source(),
        Queue(inputs),
        clock,
        options(),
        Start::default(),
    );
    let (_asks, asks) = mpsc::channel(1);
    let (_shutdown, shutdown) = watch::channel(false);
    let bell = Arc::default();
    let running = tokio::spawn(follower.run(Signals {
        asks,
        bell,
        shutdown,
    }));
    let input = received.recv().await.unwrap();
    assert!(matches!(input, ChainInput::Status(_)));
    drop(received);
    running.await.unwrap();
}
