//! The real follower over the real sources, each on a node in memory: one table of cases for both
//! chains, from the JSON-RPC answer to what the watcher is told.
//!
//! What a follower decides in every turn of events is tested on a fake source, in its own folder;
//! here it is whether both sources give it what those decisions rest on.

mod bitcoin;
mod ethereum;
mod quorum;

use super::{
    Ask, ChainInput, ChainSource, SourceError,
    follower::{
        Follower, Halt, Options, Standing, Start,
        testing::{Recorder, SteppingClock, options},
    },
};
use crate::domain::{
    block::{BlockRef, Height},
    facts::BlockFacts,
    payment::ScanFrom,
};
use std::{ops::RangeInclusive, sync::Arc};

/// A node in memory behind the real transport, for the cases below.
trait Node {
    /// What follows it.
    type Source: ChainSource;
    const HAS_MEMPOOL: bool;
    /// Whether it can tell blocks that it gave up, while none replaces them, from ones that it
    /// does not have yet.
    const SHOWS_PURE_ROLLBACKS: bool;

    /// A node with genesis alone.
    fn new() -> Self;
    fn source(&self) -> Self::Source;
    /// Adds a block that pays somebody.
    fn mine_one(&mut self);
    /// Takes the top blocks off the best chain; they stay known.
    fn roll_back(&mut self, depth: usize);
    /// Shows the chain without its top blocks, as if it had never heard of them.
    fn lag(&mut self, depth: usize);
    /// Has heard of all of them again.
    fn keep_up(&mut self);
    /// The best chain from genesis.
    fn best(&self) -> Vec<BlockRef>;
    /// Has the header of this best block, but not its body.
    fn lose_body(&mut self, height: u32);
    /// Answers for its tip, which is at this height, what is not in the block.
    fn forge(&mut self, height: u32);
    /// Answers everything, and truly.
    fn heal(&mut self);
}

/// A follower between a node and a recording watcher.
struct Bench<N: Node> {
    node: N,
    watcher: Recorder,
    follower: Follower<N::Source, Recorder>,
}

impl<N: Node> Bench<N> {
    /// A follower in step with a chain of this height.
    async fn following(height: u32) -> Self {
        let mut node = N::new();
        mine(&mut node, height);
        let watcher = Recorder::default();
        let options = Options {
            has_mempool: N::HAS_MEMPOOL,
            ..options()
        };
        let clock = Arc::new(SteppingClock::default());
        let follower = Follower::new(
            node.source(),
            watcher.clone(),
            clock,
            options,
            Start::default(),
        );
        let mut bench = Self {
            node,
            watcher,
            follower,
        };
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        bench.watcher.forget();
        bench
    }

    /// Polls until nothing more comes at once.
    async fn catch_up(&mut self) -> Result<Standing, Halt> {
        loop {
            match self.follower.poll_once().await {
                Ok(Standing::More) => {}
                other => return other,
            }
        }
    }

    /// What the watcher was told of blocks since the last look.
    fn told(&self) -> Vec<String> {
        let mut told = self.watcher.told();
        told.retain(|told| !told.starts_with("mempool"));
        told
    }

    /// The blocks that the watcher was given since the last look.
    fn connected(&self) -> Vec<BlockFacts> {
        let mut all = Vec::new();
        for input in self.watcher.inputs() {
            all.extend_from_slice(input.joined());
        }
        all
    }

    fn assert_in_step(&self) {
        let ours = self.watcher.chain();
        let first = usize::try_from(ours[0].id.height.0).unwrap();
        assert_eq!(ours, self.node.best()[first..]);
        self.watcher.assert_all_scanned();
    }
}

fn mine(node: &mut impl Node, count: u32) {
    for _ in 0..count {
        node.mine_one();
    }
}

/// The best blocks at these heights.
fn best(node: &impl Node, heights: RangeInclusive<usize>) -> Vec<BlockRef> {
    node.best()[heights].to_vec()
}

/// Asserts that these are the facts of these blocks, with the money of each.
fn assert_scanned(facts: &[BlockFacts], blocks: &[BlockRef]) {
    let found: Vec<BlockRef> = facts.iter().map(|facts| facts.block).collect();
    assert_eq!(found, blocks);
    assert!(facts.iter().all(|facts| !facts.credits.is_empty()));
}

fn is_behind<T>(polled: &Result<T, Halt>) -> bool {
    matches!(polled, Err(Halt::Source(SourceError::Behind(_))))
}

async fn several_blocks_are_caught_up_in_order_with_their_money<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 20);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_scanned(&bench.connected(), &best(&bench.node, 6..=25));
    bench.assert_in_step();
}

async fn replaced_blocks_leave_in_the_step_that_connects_the_new_ones<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 3);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.roll_back(2);
    mine(&mut bench.node, 3);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(bench.told(), ["back to 6, connect 7-9", "polled 9"]);
    bench.assert_in_step();
}

async fn blocks_replaced_at_the_same_height_are_followed<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 2);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.roll_back(2);
    mine(&mut bench.node, 2);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(bench.told(), ["back to 5, connect 6-7", "polled 7"]);
    bench.assert_in_step();
}

async fn a_pure_rollback_is_followed_where_the_chain_shows_it<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 3);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.roll_back(2);
    if N::SHOWS_PURE_ROLLBACKS {
        assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
        assert_eq!(bench.told(), ["back to 6, connect nothing", "polled 6"]);
    } else {
        assert_eq!(bench.catch_up().await, Ok(Standing::Behind));
        assert_eq!(bench.told(), [""; 0]);
    }
    mine(&mut bench.node, 3);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.assert_in_step();
}

async fn a_node_that_lags_rolls_nothing_back<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 3);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.lag(2);
    assert_eq!(bench.catch_up().await, Ok(Standing::Behind));
    assert_eq!(bench.told(), [""; 0]);
    bench.node.keep_up();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(bench.told(), ["polled 8"]);
    bench.assert_in_step();
}

async fn a_missing_body_holds_back_its_block_until_it_is_there<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 5);
    bench.node.lose_body(7);
    for expected in [best(&bench.node, 6..=6), Vec::new()] {
        assert!(is_behind(&bench.catch_up().await));
        assert_scanned(&bench.connected(), &expected);
    }
    bench.node.heal();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_scanned(&bench.connected(), &best(&bench.node, 7..=10));
    bench.assert_in_step();
}

async fn a_missing_body_in_a_reorg_rolls_nothing_back<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 2);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench.node.roll_back(2);
    mine(&mut bench.node, 3);
    bench.node.lose_body(7);
    assert!(is_behind(&bench.catch_up().await));
    assert_eq!(bench.told(), [""; 0]);
    bench.node.heal();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(bench.told()[0], "back to 5, connect 6-8");
    bench.assert_in_step();
}

async fn the_past_is_scanned_beside_the_tip<N: Node>() {
    let mut bench = Bench::<N>::following(40).await;
    let wanted = best(&bench.node, 3..=30);
    for from in [ScanFrom::Height(Height(3)), ScanFrom::Time(wanted[0].time)] {
        bench.follower.ask(Ask::Backfill {
            traces: true,
            batch: 1,
            from,
            to: Height(30),
        });
        while bench.follower.serve().await.unwrap() {}
        let mut scanned = Vec::new();
        for input in bench.watcher.inputs() {
            let ChainInput::Backfill { blocks, .. } = input else {
                panic!("{input:?}");
            };
            scanned.extend(blocks);
        }
        assert_scanned(&scanned[scanned.len() - wanted.len()..], &wanted);
    }
    mine(&mut bench.node, 1);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(bench.told(), ["connect 41", "polled 41"]);
}

async fn a_forged_block_stops_the_chain_until_the_true_one_comes<N: Node>() {
    let mut bench = Bench::<N>::following(5).await;
    mine(&mut bench.node, 1);
    bench.node.forge(6);
    let mut polls = 0;
    while !is_permanent(&bench.catch_up().await) {
        polls += 1;
        assert!(polls < 20, "it is never refused for good");
    }
    assert_eq!(bench.told(), [""; 0]);
    bench.node.heal();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_scanned(&bench.connected(), &best(&bench.node, 6..=6));
    bench.assert_in_step();
}

fn is_permanent<T>(polled: &Result<T, Halt>) -> bool {
    matches!(polled, Err(Halt::Source(SourceError::Permanent(_))))
}

macro_rules! on_every_chain {
    ($($case:ident),* $(,)?) => {
        mod on_bitcoin {
            $(#[tokio::test]
            async fn $case() {
                super::$case::<super::bitcoin::Bitcoind>().await;
            })*
        }

        mod on_ethereum {
            $(#[tokio::test]
            async fn $case() {
                super::$case::<super::ethereum::Geth>().await;
            })*
        }
    };
}

on_every_chain!(
    several_blocks_are_caught_up_in_order_with_their_money,
    replaced_blocks_leave_in_the_step_that_connects_the_new_ones,
    blocks_replaced_at_the_same_height_are_followed,
    a_pure_rollback_is_followed_where_the_chain_shows_it,
    a_node_that_lags_rolls_nothing_back,
    a_missing_body_holds_back_its_block_until_it_is_there,
    a_missing_body_in_a_reorg_rolls_nothing_back,
    the_past_is_scanned_beside_the_tip,
    a_forged_block_stops_the_chain_until_the_true_one_comes,
);
