//! Following a chain: what a source must offer, and what a follower tells the watcher.
//!
//! Only this folder speaks JSON-RPC. A source fetches and verifies; the follower walks the chain
//! in order, once for all chains; neither knows who is watched.

pub mod bitcoin;
pub mod ethereum;
pub mod follower;
pub mod rpc;

use crate::domain::{
    amount::Amount,
    block::{BlockId, BlockRef, Height, TxId},
    facts::{BlockFacts, Destination, MempoolSnapshot, OutPoint, TxFacts},
    payment::ScanFrom,
    view::{FreezeReason, TracedBy},
};
use std::future::Future;

/// How many steps, each twice as long as the one before, are taken along a chain when what others hold is
/// looked for: deeper than any reorganisation of a healthy network.
pub(crate) const STEPS: u32 = 8;

/// Nodes keep the state of so many last blocks at least; tracing a block and old balances need it.
pub(crate) const STATE_BLOCKS: u32 = 128;

/// How many operators must say the same of what no hash binds, for it to be more than one's word.
pub(crate) const WITNESSES: usize = 2;

/// The same where so many operators must hold a block: what lies in it rests on no fewer of them.
pub(crate) fn witnesses(quorum: usize) -> usize {
    WITNESSES.max(quorum)
}

/// How many operators must be able to tell what contracts moved: under a quorum, what one leaves out another must
/// show.
pub(crate) fn tracers(quorum: usize) -> usize {
    if quorum > 1 { witnesses(quorum) } else { 1 }
}

/// A height and some below it: 1, 2, 4 … lower.
pub(crate) fn ever_lower(top: Height) -> impl Iterator<Item = Height> {
    let below = (0..STEPS).map_while(move |step| top.0.checked_sub(1 << step));
    std::iter::once(top.0).chain(below).map(Height)
}

/// What a node says of itself in one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its best block.
    pub tip: BlockRef,
    /// The highest block that it calls final (Ethereum's tag); `None` without tags.
    pub finalized: Option<BlockId>,
    /// The highest block that it calls safe; `None` without tags.
    pub safe: Option<BlockId>,
    /// Whether it names final blocks, though perhaps none that counts: depth says nothing then.
    pub tagged: bool,
    /// Whether it is still catching up with its network.
    pub syncing: bool,
    /// Whether its mempool is complete; true where there is none.
    pub mempool_loaded: bool,
}

/// Why a source could not answer, by what the caller does about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Try again later: the network, a busy node, an answer that contradicts the last one.
    #[error("{0}")]
    Transient(String),
    /// The node does not have what was asked for yet, or any more at this moment; ask again from
    /// the tip.
    #[error("{0}")]
    Behind(String),
    /// No repetition helps and an operator must act: another network, wrong credentials, a
    /// pruned block, a block that fails verification.
    #[error("{0}")]
    Permanent(String),
}

/// Whether two errors in words differ in their numbers alone: one that counts seconds is no new one.
#[must_use]
pub fn says_the_same(one: &str, other: &str) -> bool {
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    words(one) == words(other)
}

/// What a follower needs of a node. Everything returned is verified as far as the chain's
/// format binds it; a source never returns a block other than the one asked for.
pub trait ChainSource: Send + 'static {
    /// Connects for the first time or again: network, genesis, capabilities.
    fn connect(&mut self) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// The node's best block and state.
    fn status(&mut self) -> impl Future<Output = Result<NodeStatus, SourceError>> + Send;

    /// Up to `count` consecutive headers of the node's best chain, ascending from `from`;
    /// fewer at its tip, none above it. Linkage among them is the caller's to check. The caller
    /// asks for at most 128 at once.
    fn headers(
        &mut self,
        from: Height,
        count: u32,
    ) -> impl Future<Output = Result<Vec<BlockRef>, SourceError>> + Send;

    /// The verified contents of these blocks, in the order asked, fetched by hash; all of them or
    /// an error, which names the block. The caller asks for at most 16 at once.
    fn blocks(
        &mut self,
        blocks: &[BlockRef],
    ) -> impl Future<Output = Result<Vec<BlockFacts>, SourceError>> + Send;

    /// Whether the node knows this block and says that it is off its best chain. A node that
    /// does not know the block is behind, and the answer is no. So it is for a block above the
    /// node's tip that it knows but may not have adopted yet, where the node cannot tell that
    /// from one that it has given up.
    fn is_stale(
        &mut self,
        block: BlockId,
    ) -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// What contracts moved in blocks whose facts await it, as far as that is known by now: it is looked for
    /// in the background, and asked for again.
    ///
    /// Those that cannot be told now say why; `Permanent` when
    /// every node that can trace refuses.
    fn traces(&mut self, blocks: &[BlockRef]) -> impl Future<Output = Vec<TracedBlock>> + Send {
        let _ = blocks;
        std::future::ready(Vec::new())
    }

    /// By how much each balance grew in a block, as each operator who could tell says: nothing where it
    /// fell. One list a destination.
    fn growth(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> impl Future<Output = Result<Vec<Vec<Amount>>, SourceError>> + Send {
        let _ = block;
        std::future::ready(Ok(vec![Vec::new(); destinations.len()]))
    }

    /// What these destinations had after a block, as each operator who could tell says. One list a destination.
    fn balances(
        &mut self,
        block: BlockRef,
        destinations: &[Destination],
    ) -> impl Future<Output = Result<Vec<Vec<Amount>>, SourceError>> + Send {
        let _ = block;
        std::future::ready(Ok(vec![Vec::new(); destinations.len()]))
    }

    /// How it is known what contracts move; nothing where that is not known yet, or does not matter.
    fn traced_by(&self) -> Option<TracedBy> {
        None
    }

    /// Whether a quorum of operators holds the tip of the last status; no where nobody else is asked.
    fn has_agreed_tip(&self) -> bool {
        false
    }

    /// Who has blocks well beyond that tip, in words.
    fn beyond_agreed(&self) -> Vec<String> {
        Vec::new()
    }

    /// The way to an agreed tip did not come, or does not lead there: another may know it better.
    fn doubt_leader(&mut self) {}

    /// How far other operators hold what we hold: asked of some blocks of our chain, ascending. Where
    /// nobody else is asked, all of them are held.
    fn agreement(&mut self, ours: &[BlockRef]) -> impl Future<Output = Agreement> + Send {
        std::future::ready(Agreement::with_all(ours))
    }

    /// News of the mempool since the last call; nothing where there is no mempool.
    fn mempool(&mut self) -> impl Future<Output = Result<MempoolNews, SourceError>> + Send;

    /// Unconfirmed transactions that a push of the node named since the last call, without a list of
    /// the others, and no more than can be asked for soon; nothing where nothing is pushed.
    fn named(&mut self) -> impl Future<Output = Result<MempoolNews, SourceError>> + Send {
        std::future::ready(Ok(MempoolNews::default()))
    }

    /// Whether more were named than the last call was about.
    fn has_named(&self) -> bool {
        false
    }

    /// Unconfirmed transactions already known that pay one of these destinations.
    fn unconfirmed(
        &mut self,
        destinations: &[Destination],
    ) -> impl Future<Output = Result<Vec<TxFacts>, SourceError>> + Send;

    /// For each output, the unconfirmed transaction that spends it, if any.
    fn spenders(
        &mut self,
        outpoints: &[OutPoint],
    ) -> impl Future<Output = Result<Vec<Option<TxId>>, SourceError>> + Send;
}

/// What contracts moved in a block.
#[derive(Debug, Clone)]
pub struct Moves {
    /// With these credits alone. Facts that await their traces still are what one operator alone tells, where
    /// others should have.
    pub facts: BlockFacts,
    /// Of some transactions operators tell different moves: these are left out, and asked for again.
    pub dispute: Option<SourceError>,
}

/// Nobody contradicts them.
impl From<BlockFacts> for Moves {
    fn from(facts: BlockFacts) -> Self {
        let dispute = None;
        Self { facts, dispute }
    }
}

/// A block, and what came of tracing it.
pub type TracedBlock = (BlockRef, Result<Moves, SourceError>);

/// What the operators of a chain's endpoints say of our blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The highest of them that enough operators hold.
    pub held: Option<BlockRef>,
    /// What those who do not hold the highest say instead, in words.
    pub dissent: Vec<String>,
    /// Who has blocks well beyond what enough of them hold, in words.
    pub beyond: Vec<String>,
    /// That enough of them hold one block and enough hold another at the same height, in words: then none is
    /// held.
    pub split: Option<String>,
}

impl Agreement {
    /// All of these blocks are held.
    #[must_use]
    pub fn with_all(ours: &[BlockRef]) -> Self {
        Self {
            held: ours.last().copied(),
            ..Self::default()
        }
    }
}

/// What changed in a mempool.
#[derive(Debug, Clone, Default)]
pub struct MempoolNews {
    /// Transactions that were not known before.
    pub arrived: Vec<TxFacts>,
    /// The whole list, when it belongs to one stable tip and the node had loaded it.
    pub snapshot: Option<MempoolSnapshot>,
    /// How many destinations of [`Ask::Unconfirmed`] this answers, oldest first; 0 for news.
    pub answered: usize,
}

/// What a follower tells the watcher, in one sequence per chain.
#[derive(Debug)]
pub enum ChainInput {
    /// The node answered.
    Status(NodeStatus),
    /// Following begins at this block.
    Began {
        /// Those below it, ascending, without their contents: a later reorg of the first blocks
        /// followed has a known fork point, also after a restart.
        history: Vec<BlockRef>,
        /// The first whose contents are known.
        first: Box<BlockFacts>,
    },
    /// The best chain changed: blocks above `disconnect_to` left it, `connected` joined it.
    Advance {
        /// The fork point, when blocks left: the highest block that stayed.
        disconnect_to: Option<BlockRef>,
        /// Consecutive blocks, ascending, after the fork point or the cursor.
        connected: Vec<BlockFacts>,
    },
    /// News of the mempool.
    Mempool(MempoolNews),
    /// What contracts moved in blocks of our chain that were told without it.
    Traced {
        /// Those blocks, with these credits alone.
        blocks: Vec<BlockFacts>,
        /// Up to where nothing is missing any more.
        to: Height,
        /// Blocks of which nobody can tell it any more.
        given_up: Vec<BlockRef>,
        /// Why others wait, without secrets.
        problem: Option<String>,
    },
    /// By how much balances grew in a block.
    Grown {
        /// Which block.
        block: BlockRef,
        /// For each destination, what each operator who could tell says.
        growth: Vec<(Destination, Vec<Amount>)>,
        /// Whether it is deep, and has been asked about for so long that nobody will tell more.
        is_last: bool,
    },
    /// How it is known from now on what contracts move.
    TracedBy(TracedBy),
    /// What addresses had after a block.
    Balances {
        /// Which block.
        block: BlockRef,
        /// For each destination, what each operator who could tell says.
        told: Vec<(Destination, Vec<Amount>)>,
        /// Why nobody tells any, without secrets.
        problem: Option<String>,
    },
    /// A full poll is done: every block up to the tip and the mempool were delivered before.
    Polled {
        /// When it began, on the monotonic clock.
        began_ms: u64,
        /// What the node said then.
        status: NodeStatus,
    },
    /// The source did not answer or may not be used; nothing else changed.
    Failed {
        /// What happened, without secrets.
        error: SourceError,
    },
    /// Past blocks for late registrations.
    Backfill {
        /// Which scan, as the ask named it.
        batch: u64,
        /// Consecutive ascending blocks.
        blocks: Vec<BlockFacts>,
        /// Scanned up to and including this height.
        to: Height,
        /// Whether of some of them nobody can tell any more what contracts moved.
        untraced: bool,
    },
    /// A scan cannot be done: pruned, or too far back.
    BackfillRefused {
        /// Which scan.
        batch: u64,
        /// Why, and what to do.
        message: String,
    },
    /// Answers about outputs of vanished transactions.
    Spenders {
        /// The vanished transaction, and who spends one of its inputs now.
        answers: Vec<(TxId, Option<TxId>)>,
    },
    /// No payment may rise until the next `Thawed`.
    Frozen {
        /// Why.
        reason: FreezeReason,
        /// In words.
        message: String,
    },
    /// The node is back on our final block's chain.
    Thawed,
    /// Enough operators hold our chain up to here.
    Agreed {
        /// The highest block that they hold; `None` for none that was asked about.
        block: Option<BlockRef>,
        /// Why no payment may rise: for too long there was no progress, and who says what.
        lost: Option<String>,
    },
}

impl ChainInput {
    /// The blocks that join our chain by it.
    #[must_use]
    pub fn joined(&self) -> &[BlockFacts] {
        match self {
            Self::Began { first, .. } => std::slice::from_ref(first.as_ref()),
            Self::Advance { connected, .. } => connected,
            Self::Status(_)
            | Self::Mempool(_)
            | Self::Traced { .. }
            | Self::Grown { .. }
            | Self::TracedBy(_)
            | Self::Balances { .. }
            | Self::Polled { .. }
            | Self::Failed { .. }
            | Self::Backfill { .. }
            | Self::BackfillRefused { .. }
            | Self::Spenders { .. }
            | Self::Frozen { .. }
            | Self::Thawed
            | Self::Agreed { .. } => &[],
        }
    }
}

/// What the watcher asks of a follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Scan the past, up to and including the block `to` of our chain.
    Backfill {
        /// Names the scan; a later one replaces it.
        batch: u64,
        /// Where to start.
        from: ScanFrom,
        /// Where to end.
        to: Height,
        /// Whether it matters what contracts moved.
        traces: bool,
    },
    /// Who spends the inputs of these vanished transactions?
    Spenders(Vec<(TxId, Vec<OutPoint>)>),
    /// Which known unconfirmed transactions pay these destinations?
    Unconfirmed(Vec<Destination>),
    /// By how much did these balances grow in this block?
    Growth(BlockRef, Vec<Destination>),
    /// What did these addresses have after this block?
    Balances(BlockRef, Vec<Destination>),
}

#[cfg(test)]
mod tests;
