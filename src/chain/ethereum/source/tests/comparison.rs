//! Where no quorum is asked: when a leader is left for another, and when it is gone back to. On a paused clock.

use super::{distant::Distant, *};
use tokio::time::sleep;

struct World {
    nodes: [Distant; 3],
    source: EthereumSource<Distant>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl World {
    /// Three endpoints with the same six blocks, long ago, one poll after they were met.
    async fn new() -> Self {
        Self::at(SystemClock::new().now().wall).await
    }

    /// The same at this time.
    async fn at(now: UnixMs) -> Self {
        let nodes = [(); 3].map(|()| Distant::new(FakeNode::new()));
        let named = NAMES.into_iter().zip(nodes.iter().cloned());
        let mut source = source_over(named, &Paused::at(now));
        for amount in 1..=6 {
            for node in &nodes {
                node.node.mine(paying(amount));
            }
        }
        source.connect().await.unwrap();
        source.status().await.unwrap();
        Self { nodes, source }
    }

    fn takes(&self, at: usize, ms: u64) {
        self.nodes[at].takes(move |_| Duration::from_millis(ms));
    }

    /// Polls once a second for so many minutes, while some mine a block every twelve.
    async fn minutes(&mut self, minutes: u64, mining: &[usize]) {
        for second in 0..minutes * 60 {
            if second % 12 == 0 {
                for at in mining {
                    self.nodes[*at].node.mine(paying(second));
                }
            }
            self.source.status().await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn leader(&self) -> &str {
        self.source.endpoints.leader().unwrap().name()
    }

    fn asked(&self, at: usize) -> usize {
        self.nodes[at].node.state().log.len()
    }
}

// shows: P1
#[tokio::test(start_paused = true)]
async fn a_leader_that_falls_behind_is_left_whether_its_tip_moves_or_not() {
    for lag in [4, 5] {
        let mut world = World::new().await;
        for node in &world.nodes[1..] {
            (0..lag).for_each(|amount| drop(node.node.mine(paying(amount))));
        }
        // It moves, as many blocks behind as before.
        let lagging = world.nodes[0].node.clone();
        for second in 0..150_u64 {
            if second.is_multiple_of(12) {
                let amount = second / 12;
                if amount >= lag {
                    lagging.mine(paying(amount - lag));
                } else {
                    lagging.mine(paying(amount));
                }
                world.nodes[1..]
                    .iter()
                    .for_each(|node| drop(node.node.mine(paying(amount))));
            }
            world.source.status().await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.leader(), if lag < 5 { "a" } else { "b" }, "{lag}");
    }
    let mut world = World::new().await;
    world.minutes(3, &[1, 2]).await;
    assert_eq!(world.leader(), "b", "one that stands still");
}

/// Headers are made up for nothing.
// shows: P1
#[tokio::test(start_paused = true)]
async fn a_leader_with_a_young_tip_is_not_left_for_a_tale_of_later_blocks() {
    // The sixth block is of this time.
    let young = UnixMs::from_secs(1_700_000_000 + 6 * 12);
    for (now, leader) in [(young, "a"), (young.plus(SpanMs::from_secs(3600)), "b")] {
        let mut world = World::at(now).await;
        for second in 0..180_u64 {
            if second.is_multiple_of(12) {
                world.nodes[0].node.mine(paying(second));
            }
            let chain = world.nodes[0].node.state().chain.clone();
            world.nodes[1].node.state().chain = chain;
            world.nodes[1].node.mine_empty(5, "forged");
            world.source.status().await.unwrap();
            if world.leader() == "b" {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.leader(), leader);
    }
}

#[tokio::test(start_paused = true)]
async fn who_told_what_is_not_so_is_not_gone_back_to() {
    let mut world = World::new().await;
    let block = reference(&world.nodes[0].node.state().chain[6].clone());
    world.nodes[0].node.fault("eth_getBlockReceipts", json!([]));
    world.source.blocks(&[block]).await.unwrap();
    world.source.status().await.unwrap();
    assert_eq!(world.leader(), "b");
    world.nodes[0].node.heal();
    world.minutes(5, &[0, 1, 2]).await;
    assert_eq!(world.leader(), "b");
    // Who fails then is not followed by it while there is another.
    world.takes(1, 60_000);
    world.minutes(1, &[0, 1, 2]).await;
    assert_eq!(world.leader(), "c");
    // It is better than none, and than one that stands still.
    world.takes(1, 0);
    world.takes(2, 60_000);
    world.minutes(5, &[0]).await;
    assert_eq!(world.leader(), "a");
}

#[tokio::test(start_paused = true)]
async fn who_is_on_another_branch_or_slow_itself_is_not_gone_to() {
    let mut world = World::new().await;
    let forger = &world.nodes[1].node;
    forger.roll_back(1);
    forger.mine_empty(50, "forged");
    world.takes(2, 150);
    world.minutes(5, &[]).await;
    assert_eq!(world.leader(), "a");
}

// shows: P5
#[tokio::test(start_paused = true)]
async fn a_slow_leader_is_left_for_a_quick_one_and_leads_again_when_it_is_quick() {
    let mut world = World::new().await;
    for (ms, leader) in [(90, "a"), (600, "b"), (20, "a")] {
        world.takes(0, ms);
        world.takes(1, 10);
        world.takes(2, 10);
        world.minutes(12, &[0, 1, 2]).await;
        assert_eq!(world.leader(), leader, "{ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_first_configured_leads_again() {
    let mut world = World::new().await;
    world.nodes[0]
        .node
        .fault("eth_getBlockByNumber", Value::Null);
    world.source.status().await.unwrap();
    assert_eq!(world.leader(), "b");
    world.nodes[0].node.heal();
    // Not at once: who answers small questions may fail at others.
    for (minutes, leader) in [(9, "b"), (3, "a")] {
        world.minutes(minutes, &[0, 1, 2]).await;
        assert_eq!(world.leader(), leader);
    }
}

#[tokio::test(start_paused = true)]
async fn spares_are_met_before_they_are_needed_and_asked_once_a_minute() {
    let mut world = World::new().await;
    assert_eq!(world.asked(1), 0);
    world.minutes(2, &[]).await;
    let met = world.asked(1);
    assert!(met > 0);
    world.minutes(10, &[]).await;
    let asked = world.asked(1) - met;
    assert!(
        (9 * 2..=11 * 2).contains(&asked),
        "two blocks a minute: {asked}"
    );
    assert!(!world.source.endpoints.is_slow(1));
}

/// As a node does that asks for mercy.
fn busy(node: &FakeNode) {
    node.fault("eth_getBlockByNumber", error(429, "too many requests"));
}

// shows: P5
#[tokio::test(start_paused = true)]
async fn one_that_is_asked_too_often_is_not_asked_who_it_is_again() {
    let mut world = World::new().await;
    let connections = world.source.endpoints.connection(0);
    let before = world.asked(0);
    busy(&world.nodes[0].node);
    world.source.status().await.unwrap();
    assert_eq!(world.leader(), "b");
    // As the follower does after a failure.
    world.source.connect().await.unwrap();
    world.nodes[0].node.heal();
    world.minutes(13, &[0, 1, 2]).await;
    assert_eq!(world.leader(), "a");
    assert_eq!(world.source.endpoints.connection(0), connections);
    let log = world.nodes[0].node.state().log[before..].to_vec();
    let chain_ids = log.iter().filter(|call| call.contains("eth_chainId"));
    assert_eq!(chain_ids.count(), 0, "{log:?}");
}
