//! Random reorgs, lags, failures and restarts, by seed: whatever happens, the watcher is told a
//! consistent story, and once the faults stop it has the node's best chain, every block of it.

use super::transient;
use crate::{
    chain::{
        Ask,
        follower::{
            Standing,
            testing::{Bench, Call, FakeNode, State},
        },
    },
    domain::{block::Height, payment::ScanFrom},
    random::Random,
};

/// Chance, so that a seed names a run.
struct Dice(Random);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    fn count(&mut self, limit: u64) -> u32 {
        u32::try_from(self.below(limit)).unwrap()
    }

    fn index(&mut self, limit: u64) -> usize {
        usize::try_from(self.below(limit)).unwrap()
    }

    fn call(&mut self) -> Call {
        const CALLS: [Call; 6] = [
            Call::Connect,
            Call::Status,
            Call::Headers,
            Call::Blocks,
            Call::IsStale,
            Call::Mempool,
        ];
        CALLS[self.index(6)]
    }
}

/// Something happens to the node, or to us.
fn disturb(bench: &mut Bench, dice: &mut Dice) {
    let (depth, count, nth) = (dice.index(12), dice.count(8), 1 + dice.index(3));
    match dice.below(14) {
        0..=2 => drop(bench.node.mine(count)),
        3 | 4 => bench.node.state().fork_shallow(depth, count),
        5 => bench.node.state().fork_shallow(depth, 0),
        6 => drop(bench.node.lag(dice.index(4))),
        7 => drop(bench.node.forget_stale()),
        8 => {
            let tip = bench.node.tip().id.height.0;
            bench.node.without_body(tip - dice.count(4));
        }
        9 => drop(bench.node.with_all_bodies()),
        10 => drop(bench.node.fail(dice.call(), nth, transient())),
        11 => {
            let moves = move |node: &mut State| {
                node.fork_shallow(depth, count);
                Ok(())
            };
            bench.node.before(dice.call(), nth, moves);
        }
        12 => bench.restart(),
        _ => {
            let to = bench.watcher.tip().id.height;
            let from = ScanFrom::Height(Height(to.0 - dice.count(40)));
            bench.follower.ask(Ask::Backfill {
                batch: 1,
                from,
                to,
                traces: true,
            });
        }
    }
}

async fn run(seed: u64) {
    let dice = &mut Dice(Random::new(seed));
    let mut bench = Bench::new(FakeNode::with_height(80));
    bench.poll().await.unwrap();
    if dice.below(2) == 0 {
        bench.node.shuffled();
    }
    for _ in 0..60 {
        disturb(&mut bench, dice);
        for _ in 0..dice.below(3) {
            // What a poll answers is of no interest here: the recorder checks what it tells.
            let _ = bench.poll().await;
            let _ = bench.follower.serve().await;
        }
    }
    bench.node.behave().lag(0).with_all_bodies();
    let behind = bench.watcher.tip().id.height.0 + 1;
    bench
        .node
        .mine(behind.saturating_sub(bench.node.tip().id.height.0).max(1));
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep), "seed {seed}");
    while bench.follower.serve().await.unwrap() {}
    bench.assert_in_step();
    assert!(!bench.watcher.is_frozen());
}

#[tokio::test]
async fn whatever_happens_the_story_is_consistent_and_ends_on_the_best_chain() {
    for seed in 0..500 {
        let panicked = tokio::spawn(run(seed)).await.is_err();
        assert!(!panicked, "seed {seed}");
    }
}
