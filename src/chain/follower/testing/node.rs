//! A node in memory: it mines, reorganises, lags, forgets, fails and lies on command.

mod source;

use super::{child, hash};
use crate::{
    chain::SourceError,
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::{OutPoint, TxFacts},
        view::TracedBy,
    },
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// The calls of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Connect,
    Status,
    Headers,
    Blocks,
    IsStale,
    Mempool,
    Named,
    Unconfirmed,
    Spenders,
    Traces,
    Growth,
}

type Action = Box<dyn FnOnce(&mut State) -> Result<(), SourceError> + Send>;

/// A hand on the node, for the test.
#[derive(Clone, Default)]
pub(crate) struct FakeNode(Arc<Mutex<State>>);

/// What the follower holds.
pub(crate) struct FakeSource(FakeNode);

/// The node itself.
#[derive(Default)]
pub(crate) struct State {
    known: HashMap<BlockHash, BlockRef>,
    best: Vec<BlockRef>,
    mined: u64,
    highest: u32,
    lag: usize,
    bodiless: HashSet<BlockHash>,
    unreadable: HashSet<BlockHash>,
    tags: (Option<BlockId>, Option<BlockId>),
    syncing: bool,
    mempool: Option<Vec<TxFacts>>,
    mempool_loading: bool,
    named: Vec<TxFacts>,
    named_a_look: Option<usize>,
    spenders: HashMap<OutPoint, TxId>,
    shuffled: bool,
    counts: HashMap<Call, usize>,
    script: Vec<(Call, usize, Action)>,
    header_counts: Vec<u32>,
    lies: HashMap<Height, BlockRef>,
    swapped: HashMap<BlockHash, BlockRef>,
    /// Whether every block awaits its traces.
    pub(crate) traced: bool,
    /// How it knows what contracts move.
    pub(crate) traced_by: Option<TracedBy>,
    /// Whether one operator alone tells of traces, where others should.
    pub(crate) sole: bool,
    /// How long it takes to say its status.
    pub(crate) status_takes: Duration,
    /// How long a look at traces takes.
    pub(crate) tracing_takes: Duration,
    /// What comes of tracing a block; nothing for a trace that is still under way.
    pub(crate) untraced: HashMap<BlockHash, Option<SourceError>>,
    /// Those of which operators tell different moves of some transactions.
    pub(crate) disputed: HashMap<BlockHash, SourceError>,
    /// What other operators hold, where they are asked.
    held: Option<HashSet<BlockHash>>,
    /// That two quorums contradict each other, in words.
    split: Option<String>,
}

impl State {
    fn seen(&self) -> &[BlockRef] {
        &self.best[..self.best.len() - self.lag]
    }

    fn tip(&self) -> BlockRef {
        *self.seen().last().expect("genesis stays")
    }

    pub(crate) fn mine(&mut self, count: u32) {
        for _ in 0..count {
            self.mined += 1;
            let tip = self.best.last().map(|tip| tip.id);
            let parent = tip.map_or(hash(u64::MAX), |tip| tip.hash);
            let height = tip.map_or(0, |tip| tip.height.0 + 1);
            let block = child(parent, height, self.mined);
            self.known.insert(block.id.hash, block);
            self.best.push(block);
        }
    }

    pub(crate) fn roll_back(&mut self, depth: usize) {
        self.best.truncate(self.best.len() - depth);
    }

    pub(crate) fn fork(&mut self, depth: usize, count: u32) {
        self.roll_back(depth);
        self.mine(count);
    }

    /// Forks, but nowhere below the 29 blocks under the highest tip there ever was.
    pub(crate) fn fork_shallow(&mut self, depth: usize, count: u32) {
        let highest = self.known.values().map(|block| block.id.height.0).max();
        self.highest = self.highest.max(highest.unwrap_or(0));
        let lowest_fork = usize::try_from(self.highest.saturating_sub(29)).expect("small");
        let deepest = (self.best.len() - 1).saturating_sub(lowest_fork);
        self.fork(depth.min(deepest), count);
    }

    /// Shows another header at this height.
    pub(crate) fn lie_at(&mut self, height: u32, block: BlockRef) {
        let id = BlockId {
            height: Height(height),
            ..block.id
        };
        self.lies.insert(id.height, BlockRef { id, ..block });
    }

    /// Gives another block's body for the best one at this height.
    pub(crate) fn swap_body(&mut self, height: u32, block: BlockRef) {
        let at = usize::try_from(height).expect("small");
        self.swapped.insert(self.best[at].id.hash, block);
    }

    fn enter(&mut self, call: Call) -> Result<(), SourceError> {
        let count = self.counts.entry(call).or_default();
        *count += 1;
        let now = *count;
        let due = self
            .script
            .iter()
            .position(|(c, n, _)| *c == call && *n == now);
        due.map_or(Ok(()), |due| (self.script.remove(due).2)(self))
    }
}

impl FakeNode {
    /// A node with blocks 0 to `height`.
    pub(crate) fn with_height(height: u32) -> Self {
        let node = Self::default();
        node.state().mine(height + 1);
        node
    }

    pub(crate) fn source(&self) -> FakeSource {
        FakeSource(self.clone())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no test panics while it holds the node")
    }

    /// Mines on the best chain.
    pub(crate) fn mine(&self, count: u32) -> &Self {
        self.state().mine(count);
        self
    }

    /// Replaces the top `depth` blocks by `count` others.
    pub(crate) fn fork(&self, depth: usize, count: u32) -> &Self {
        self.state().fork(depth, count);
        self
    }

    /// Drops the top `depth` blocks from the best chain without replacement.
    pub(crate) fn roll_back(&self, depth: usize) -> &Self {
        self.state().roll_back(depth);
        self
    }

    /// Goes over to the branch with this tip.
    pub(crate) fn switch_to(&self, tip: BlockRef) -> &Self {
        let mut state = self.state();
        let mut branch = vec![tip];
        while let Some(parent) = state.known.get(&branch[branch.len() - 1].parent) {
            branch.push(*parent);
        }
        branch.reverse();
        state.best = branch;
        drop(state);
        self
    }

    /// Shows the chain without its top `blocks`, as a node does that never heard of them.
    pub(crate) fn lag(&self, blocks: usize) -> &Self {
        self.state().lag = blocks;
        self
    }

    /// Forgets every block that is not on the best chain, as some nodes do after a reorg.
    pub(crate) fn forget_stale(&self) -> &Self {
        let mut state = self.state();
        let best: HashSet<BlockHash> = state.best.iter().map(|block| block.id.hash).collect();
        state.known.retain(|hash, _| best.contains(hash));
        drop(state);
        self
    }

    /// Has the header of this best block but not its body.
    pub(crate) fn without_body(&self, height: u32) -> &Self {
        let hash = self.at(height).id.hash;
        self.state().bodiless.insert(hash);
        self
    }

    /// Has a body of this best block that cannot be read.
    pub(crate) fn unreadable(&self, height: u32) -> &Self {
        let hash = self.at(height).id.hash;
        self.state().unreadable.insert(hash);
        self
    }

    /// Has every body again.
    pub(crate) fn with_all_bodies(&self) -> &Self {
        let mut state = self.state();
        state.bodiless.clear();
        state.unreadable.clear();
        drop(state);
        self
    }

    /// Names a final and a safe block.
    pub(crate) fn tag(&self, finalized: Option<BlockId>, safe: Option<BlockId>) -> &Self {
        self.state().tags = (finalized, safe);
        self
    }

    /// Other operators hold these blocks, and what they hold is asked.
    pub(crate) fn others_hold(&self, blocks: &[BlockRef]) -> &Self {
        let hashes = blocks.iter().map(|block| block.id.hash);
        self.state().held = Some(hashes.collect());
        self
    }

    /// As many operators hold one block as hold another, or no more.
    pub(crate) fn split(&self, words: Option<&str>) -> &Self {
        self.state().split = words.map(str::to_owned);
        self
    }

    /// Other operators hold what it holds.
    pub(crate) fn others_agree(&self) -> &Self {
        self.state().held = None;
        self
    }

    /// Is, or is no longer, catching up with its network.
    pub(crate) fn syncing(&self, syncing: bool) -> &Self {
        self.state().syncing = syncing;
        self
    }

    /// Has a mempool with these transactions, each new to the follower.
    pub(crate) fn mempool(&self, transactions: Vec<TxFacts>) -> &Self {
        self.state().mempool = Some(transactions);
        self
    }

    /// These further ones were named by a push.
    pub(crate) fn named(&self, transactions: Vec<TxFacts>) -> &Self {
        self.state().named.extend(transactions);
        self
    }

    /// Looks at no more than so many named ones in one call.
    pub(crate) fn named_a_look(&self, most: usize) -> &Self {
        self.state().named_a_look = Some(most);
        self
    }

    /// Is, or is no longer, loading its mempool.
    pub(crate) fn mempool_loading(&self, loading: bool) -> &Self {
        self.state().mempool_loading = loading;
        self
    }

    /// Knows who spends this output.
    pub(crate) fn spent(&self, outpoint: OutPoint, by: TxId) -> &Self {
        self.state().spenders.insert(outpoint, by);
        self
    }

    /// Answers headers in another order than asked.
    pub(crate) fn shuffled(&self) -> &Self {
        self.state().shuffled = true;
        self
    }

    /// Does something just before it answers the `nth` further call of this kind, counting from 1.
    pub(crate) fn before(
        &self,
        call: Call,
        nth: usize,
        action: impl FnOnce(&mut State) -> Result<(), SourceError> + Send + 'static,
    ) -> &Self {
        let mut state = self.state();
        let at = state.counts.get(&call).copied().unwrap_or(0) + nth;
        state.script.push((call, at, Box::new(action)));
        drop(state);
        self
    }

    /// Fails the `nth` further call of this kind.
    pub(crate) fn fail(&self, call: Call, nth: usize, error: SourceError) -> &Self {
        self.before(call, nth, |_| Err(error))
    }

    /// Shows the headers that it has.
    pub(crate) fn be_honest(&self) -> &Self {
        self.state().lies.clear();
        self
    }

    /// Forgets what was planned and did not happen.
    pub(crate) fn behave(&self) -> &Self {
        self.state().script.clear();
        self
    }

    pub(crate) fn tip(&self) -> BlockRef {
        self.state().tip()
    }

    /// The best chain's block at this height.
    pub(crate) fn at(&self, height: u32) -> BlockRef {
        *self
            .best_from(Height(height))
            .first()
            .expect("a block there")
    }

    /// The best chain from this height on.
    pub(crate) fn best_from(&self, height: Height) -> Vec<BlockRef> {
        let state = self.state();
        let best = state.best.iter().copied();
        best.filter(|block| block.id.height >= height).collect()
    }

    /// How often it was called in this way.
    pub(crate) fn count(&self, call: Call) -> usize {
        self.state().counts.get(&call).copied().unwrap_or(0)
    }

    /// The largest number of headers asked for at once.
    pub(crate) fn largest_header_batch(&self) -> u32 {
        let state = self.state();
        state.header_counts.iter().copied().max().unwrap_or(0)
    }
}

/// An unconfirmed transaction that is called `number`.
pub(crate) fn tx(number: u64) -> TxFacts {
    TxFacts {
        txid: TxId(hash(number).0),
        first_seen_ms: 0,
        credits: Vec::new(),
        inputs: Vec::new(),
    }
}
