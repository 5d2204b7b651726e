//! A chain in memory behind the real source trait, and a watcher that believes only what is
//! consistent: for tests of the follower.

mod node;
mod recorder;

pub(crate) use node::{Call, FakeNode, FakeSource, State, tx};
pub(crate) use recorder::Recorder;

use super::{Follower, Halt, Options, Standing, Start};
use crate::{
    clock::{Clock, Now},
    domain::{
        asset::ChainName,
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::BlockFacts,
        time::UnixMs,
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// A hash that shows its number.
pub(crate) fn hash(number: u64) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    BlockHash(bytes)
}

/// Block `number` at that height, above the block of the number before.
pub(crate) fn block(number: u32) -> BlockRef {
    child(
        hash(u64::from(number).wrapping_sub(1)),
        number,
        number.into(),
    )
}

/// A block at `height` named `number` on that parent.
pub(crate) fn child(parent: BlockHash, height: u32, number: u64) -> BlockRef {
    BlockRef {
        id: BlockId {
            height: Height(height),
            hash: hash(number),
        },
        parent,
        time: UnixMs::from_secs(i64::from(height) * 600),
    }
}

/// The facts of block `number`.
pub(crate) fn facts(number: u32) -> BlockFacts {
    facts_of(block(number))
}

/// Facts that name their block: one transaction, called like it.
pub(crate) fn facts_of(block: BlockRef) -> BlockFacts {
    BlockFacts {
        transactions: vec![TxId(block.id.hash.0)],
        ..BlockFacts::empty(block)
    }
}

/// A clock that moves by a second each time it is read.
#[derive(Debug, Default)]
pub(crate) struct SteppingClock(AtomicI64);

impl SteppingClock {
    /// So many minutes go by.
    pub(crate) fn forward(&self, minutes: i64) {
        self.0.fetch_add(minutes * 60, Ordering::Relaxed);
    }
}

impl Clock for SteppingClock {
    fn now(&self) -> Now {
        let secs = self.0.fetch_add(1, Ordering::Relaxed);
        Now {
            wall: UnixMs::from_secs(secs),
            monotonic_ms: u64::try_from(secs).unwrap() * 1000,
        }
    }
}

/// Options for a chain whose blocks are final at depth 30.
pub(crate) fn options() -> Options {
    Options {
        chain: ChainName::new("fake"),
        poll_interval: Duration::from_secs(2),
        final_depth: 30,
        max_rescan: 500,
        quorum: 1,
        has_mempool: false,
        seed: 1,
    }
}

/// A follower between a fake node and a recording watcher.
pub(crate) struct Bench {
    pub(crate) node: FakeNode,
    pub(crate) watcher: Recorder,
    pub(crate) follower: Follower<FakeSource, Recorder>,
    pub(crate) options: Options,
    pub(crate) clock: Arc<SteppingClock>,
}

impl Bench {
    pub(crate) fn new(node: FakeNode) -> Self {
        Self::with(node, options(), Start::default())
    }

    pub(crate) fn with(node: FakeNode, options: Options, start: Start) -> Self {
        let watcher = Recorder::default();
        watcher.resume(&start.recent);
        let (source, clock) = (node.source(), Arc::new(SteppingClock::default()));
        let as_clock = Arc::<SteppingClock>::clone(&clock);
        let follower = Follower::new(source, watcher.clone(), as_clock, options.clone(), start);
        Self {
            node,
            watcher,
            follower,
            options,
            clock,
        }
    }

    /// A follower that has begun at the tip of a chain of this height.
    pub(crate) async fn following(height: u32) -> Self {
        let mut bench = Self::new(FakeNode::with_height(height));
        assert_eq!(bench.poll().await, Ok(Standing::InStep));
        bench.watcher.forget();
        bench
    }

    pub(crate) async fn poll(&mut self) -> Result<Standing, Halt> {
        self.follower.poll_once().await
    }

    /// Polls until nothing more comes at once.
    pub(crate) async fn catch_up(&mut self) -> Result<Standing, Halt> {
        loop {
            match self.poll().await {
                Ok(Standing::More) => {}
                other => return other,
            }
        }
    }

    /// Stops the follower and starts another on what the watcher knows.
    pub(crate) fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&mut Start)) {
        let mut start = Start {
            traced: None,
            traced_by: None,
            recent: self.watcher.chain(),
            finalized: Some(self.follower.finality.height()),
            tagged: self.follower.finality.tag().is_some(),
            frozen: self.watcher.is_frozen(),
            lost_quorum: false,
            held: Some(self.follower.agreed.highest()),
            released: false,
        };
        change(&mut start);
        let clock = Arc::new(SteppingClock::default());
        let (source, watcher) = (self.node.source(), self.watcher.clone());
        self.follower = Follower::new(source, watcher, clock, self.options.clone(), start);
    }

    /// Asserts that the watcher's chain is the node's best chain, every block delivered.
    pub(crate) fn assert_in_step(&self) {
        let ours = self.watcher.chain();
        let first = ours.first().expect("a chain").id.height;
        assert_eq!(ours, self.node.best_from(first));
        self.watcher.assert_all_scanned();
    }
}
