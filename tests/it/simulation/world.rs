//! The true world: two chains with all their branches, and what one node of each believes.

use super::{bitcoin_side::BitcoinSide, ethereum_side::EthereumSide, sight::Sight, truth::Truth};
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        facts::Destination,
        time::UnixMs,
    },
    random::Random,
    sandbox::tree::{Branch, Linked, Tree},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    Bitcoin,
    Ethereum,
}

impl Which {
    pub const BOTH: [Self; 2] = [Self::Bitcoin, Self::Ethereum];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Ethereum => "ethereum",
        }
    }
}

/// A chain, its miners, and one node.
pub trait Side {
    fn respond(&self, request: &HttpRequest) -> HttpResponse;

    fn truth(&self) -> &Truth;

    /// The node's best block.
    fn head(&self) -> BlockRef;

    /// The best block of all.
    fn best(&self) -> BlockRef;

    /// The last block of the true branch that a head's branch has too.
    fn in_common(&self, head: BlockRef) -> Option<BlockRef>;

    /// How many blocks would leave if this head were the best one.
    fn fork_depth(&self, head: BlockRef) -> Option<u32> {
        let fork = self.in_common(head)?.id.height;
        Some(self.best().id.height.minus(fork.0).0)
    }

    /// The branch that ends in a block; `None` when no such block was ever mined.
    fn branch_to(&self, head: BlockHash) -> Option<Arc<Branch>>;

    /// Whether one node alone, that was not as the others, ever showed a block.
    fn is_forged(&self, _: BlockHash) -> bool {
        false
    }

    /// Whether the node does not hear of everything, or does not show everything.
    fn is_away(&self) -> bool;

    /// What pays somebody and is held unconfirmed by the node.
    fn unconfirmed(&self) -> Vec<TxId>;

    /// Whether the node holds it unconfirmed.
    fn has_unconfirmed(&self, txid: TxId) -> bool;

    /// A block with about this share of what waits, in a thousand.
    fn mine(&mut self, at: UnixMs, share: u64);

    /// The last `depth` blocks are replaced by `grow` others, which hold about this share of
    /// their transactions. With `grow` 0 they just leave.
    fn reorg(&mut self, at: UnixMs, depth: u32, grow: u32, share: u64);

    /// How many blocks may leave without touching a final one.
    fn loose_blocks(&self) -> u32;

    /// No higher block is final.
    fn final_height(&self) -> Height;

    /// No higher block was ever called safe.
    fn safe_height(&self) -> Height {
        self.final_height()
    }

    /// A block that was the best one before is it again.
    fn return_to(&mut self, head: BlockRef);

    /// From now on the node hears of nothing new.
    fn lag(&mut self);

    /// A node that lags falls back to so many blocks below where it stopped; whether it does.
    fn fall_back(&mut self, by: u32) -> bool {
        let lower = self.stopped_below(by);
        let Some(lower) = lower.filter(|lower| *lower != self.head()) else {
            return false;
        };
        self.hear_of(lower);
        true
    }

    /// So many blocks below where a node that lags stopped.
    fn stopped_below(&self, by: u32) -> Option<BlockRef>;

    /// The node holds this head for the best.
    fn hear_of(&mut self, head: BlockRef);

    /// From now on the node holds a branch for the best that leaves the true one at this height.
    fn stray(&mut self, at: UnixMs, fork: Height, share: u64);

    /// Whether the node says so now.
    fn is_syncing(&self) -> bool;

    /// Whether the node says from now on that it is not done with its own network.
    fn sync(&mut self, is_on: bool);

    /// The node hears of everything that it missed.
    fn catch_up(&mut self);

    /// Somebody pays; the transaction, when it was taken.
    fn pay(&mut self, how: &Payment, at: UnixMs) -> Option<TxId>;

    /// Something that customers or strangers do with what was paid last.
    fn meddle(&mut self, last: TxId, how: &Meddling, at: UnixMs) -> Option<TxId>;

    /// A fault of the node's memory; whether there was something to forget.
    fn forget(&mut self, how: Forgetting, random: &mut Random) -> bool;
}

/// The branch that was asked for last. The next one differs from it by a few blocks, of years of them.
#[derive(Debug, Default)]
pub struct LastBranch(Mutex<Arc<Branch>>);

impl LastBranch {
    /// The branch that ends in a block; `None` when the tree has no such block.
    pub fn to<B: Linked>(&self, tree: &Tree<B>, head: BlockHash) -> Option<Arc<Branch>> {
        tree.get(head)?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.head() != Some(head) {
            Arc::make_mut(&mut last).switch(tree, head);
        }
        Some(Arc::clone(&last))
    }
}

/// The last block of a branch that a head's branch has too.
pub fn in_common<B: Linked>(tree: &Tree<B>, ours: &Branch, head: BlockRef) -> Option<BlockRef> {
    let mut down = tree.down_from(head.id.hash).map(Linked::reference);
    down.find(|block| ours.holds(*block))
}

/// A payment in one transaction.
#[derive(Debug, Clone)]
pub struct Payment {
    pub to: Destination,
    pub asset: &'static str,
    pub amount: u64,
    /// In how many credits.
    pub parts: u64,
    /// Whom the same transaction pays too.
    pub beside: Vec<(Destination, u64)>,
    pub trick: Trick,
}

/// What is special about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    None,
    /// From an unconfirmed output.
    FromChange,
    /// From what was left of this transaction.
    ChangeOf(TxId),
    /// No miner ever takes it.
    Stuck,
    /// It carries calldata.
    Calldata,
    /// It is mined, and fails.
    Fails,
    /// It fails, or moves nothing though it looks as if.
    Sham(u64),
}

/// What is done with what was paid.
#[derive(Debug, Clone)]
pub enum Meddling {
    /// Replaced by a transaction that pays this much to the same, or nothing.
    Replace(Option<(Destination, u64)>),
    /// Another transaction that spends the same is mined.
    DoubleSpend,
    /// It falls out of the node's mempool.
    Drop,
    /// It is sent again.
    Resend,
}

/// How a node's mempool suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgetting {
    One,
    Everything,
    /// It is loaded again.
    NoMore,
}

/// Both.
pub struct World {
    pub bitcoin: BitcoinSide,
    pub ethereum: EthereumSide,
    /// When each node's chain last did something else than grow at once with the true one.
    pub odd_at: [UnixMs; 2],
    /// What must have been seen of each.
    pub sights: [Sight; 2],
}

impl World {
    pub fn side(&self, which: Which) -> &dyn Side {
        match which {
            Which::Bitcoin => &self.bitcoin,
            Which::Ethereum => &self.ethereum,
        }
    }

    /// A node whose chain does now something else than grow with the true one.
    pub fn odd_side(&mut self, which: Which, at: UnixMs) -> &mut dyn Side {
        let [bitcoin, ethereum] = &mut self.odd_at;
        match which {
            Which::Bitcoin => *bitcoin = at,
            Which::Ethereum => *ethereum = at,
        }
        self.side_mut(which)
    }

    /// The same, if it does.
    pub fn odd_if(
        &mut self,
        which: Which,
        at: UnixMs,
        act: impl FnOnce(&mut dyn Side) -> bool,
    ) -> bool {
        let did = act(self.side_mut(which));
        if did {
            self.odd_side(which, at);
        }
        did
    }

    /// When it last did.
    pub fn was_odd_at(&self, which: Which) -> UnixMs {
        let [bitcoin, ethereum] = self.odd_at;
        match which {
            Which::Bitcoin => bitcoin,
            Which::Ethereum => ethereum,
        }
    }

    pub fn sight(&self, which: Which) -> &Sight {
        let [bitcoin, ethereum] = &self.sights;
        match which {
            Which::Bitcoin => bitcoin,
            Which::Ethereum => ethereum,
        }
    }

    /// Looks at what a daemon can see of a chain now.
    pub fn look(&mut self, which: Which, is_hard: bool, is_clock_wrong: bool, now: UnixMs) {
        let side = self.side(which);
        let is_blind = side.is_away() || is_clock_wrong;
        let is_hard = is_hard || is_blind || side.is_syncing();
        let held = side.unconfirmed();
        let [bitcoin, ethereum] = &mut self.sights;
        match which {
            Which::Bitcoin => bitcoin.look(is_hard, is_blind, &held, now),
            Which::Ethereum => ethereum.look(is_hard, is_blind, &held, now),
        }
    }

    /// Whether for some time a daemon could follow a node that followed the true chain.
    pub fn is_calm(&self, which: Which, now: UnixMs) -> bool {
        self.sight(which).is_calm(self.was_odd_at(which), now)
    }

    pub fn side_mut(&mut self, which: Which) -> &mut dyn Side {
        match which {
            Which::Bitcoin => &mut self.bitcoin,
            Which::Ethereum => &mut self.ethereum,
        }
    }
}
