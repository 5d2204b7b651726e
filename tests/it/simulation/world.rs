//! The true world: the chain with all its branches, what one node believes of it, and books of
//! who was really paid what, kept by those who pay.

use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{
        block::{BlockId, BlockRef, Height, TxId},
        facts::Destination,
        time::UnixMs,
    },
    random::Random,
    sandbox::{
        bitcoin::{Chain, Coins, Node, Tx, View},
        json_rpc,
        tree::{Branch, Linked as _},
    },
};
use std::collections::{BTreeMap, HashMap};

/// A transaction that pays somebody we know.
#[derive(Debug, Clone)]
pub struct Paying {
    pub tx: Tx,
    /// When the node could first be asked for it, in a mempool or in a block.
    pub visible_at: UnixMs,
    /// Every block that holds it, on any branch, and its place there.
    pub mined: Vec<(BlockRef, u32)>,
}

/// The Bitcoin side.
pub struct World {
    pub chain: Chain,
    pub view: View,
    pub coins: Coins,
    pub random: Random,
    /// Every transaction that pays a customer, by id.
    pub paying: BTreeMap<TxId, Paying>,
    /// Which of them pay a script.
    pub by_script: HashMap<Destination, Vec<TxId>>,
    /// What the miners hold for true; the node follows, unless it lags.
    miners: View,
    /// Whether the node hears of nothing new.
    lagging: bool,
    /// The highest block that any branch has reached, less the final depth: nothing below it is
    /// ever reorganised, but by a fault that says so.
    floor: Height,
}

impl World {
    pub fn new(seed: u64, at: UnixMs) -> Self {
        let mut chain = Chain::new();
        let mut view = View::new(&chain);
        let mut head = chain.genesis().id.hash;
        // A chain that was there before anybody was paid.
        for n in 0..20 {
            let at = UnixMs(at.0 - (20 - n) * 600_000);
            head = chain.extend(head, at, Vec::new()).unwrap().id.hash;
        }
        view.adopt(&chain, head);
        Self {
            chain,
            miners: view.clone(),
            view,
            lagging: false,
            coins: Coins::default(),
            random: Random::new(seed),
            paying: BTreeMap::new(),
            by_script: HashMap::new(),
            floor: Height(0),
        }
    }

    pub fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let node = Node {
            chain: &self.chain,
            view: &self.view,
        };
        json_rpc::respond(&node, request)
    }

    pub fn head(&self) -> BlockRef {
        let hash = self.view.head(&self.chain);
        self.chain.tree().get(hash).unwrap().reference()
    }

    fn miners_head(&self) -> BlockRef {
        let hash = self.miners.head(&self.chain);
        self.chain.tree().get(hash).unwrap().reference()
    }

    /// From now on the node hears of nothing new.
    pub fn lag(&mut self) {
        self.lagging = true;
    }

    /// The node hears of everything that it missed.
    pub fn catch_up(&mut self) {
        self.lagging = false;
        self.view.adopt(&self.chain, self.miners.head(&self.chain));
    }

    /// The miners agree on this block, and the node hears of it.
    fn adopt(&mut self, block: BlockRef) {
        self.miners.adopt(&self.chain, block.id.hash);
        if !self.lagging {
            self.view.adopt(&self.chain, block.id.hash);
        }
        self.floor = self.floor.max(block.id.height);
    }

    /// Writes a transaction into the books.
    pub fn note(&mut self, tx: &Tx, at: UnixMs) {
        let known = self.paying.entry(tx.txid).or_insert_with(|| Paying {
            tx: tx.clone(),
            visible_at: at,
            mined: Vec::new(),
        });
        known.visible_at = known.visible_at.min(at);
        for credit in &tx.credits {
            let of = self.by_script.entry(credit.to).or_default();
            if !of.contains(&tx.txid) {
                of.push(tx.txid);
            }
        }
    }

    /// Sends a transaction to the node. Whether it took it.
    pub fn broadcast(&mut self, tx: &Tx, at: UnixMs) -> bool {
        let by_miners = self.miners.receive(tx.clone()).is_ok();
        let taken = self.view.receive(tx.clone()).is_ok() || by_miners;
        if taken {
            self.note(tx, at);
        }
        taken
    }

    /// A block with about this share of the miners' mempool, in a thousand.
    pub fn mine(&mut self, at: UnixMs, share: u64) {
        let picked = self.pick_from_mempool(share);
        self.mine_these(at, picked);
    }

    /// A block with exactly these transactions.
    pub fn mine_these(&mut self, at: UnixMs, transactions: Vec<Tx>) {
        let block = self.mine_on(self.miners_head(), at, transactions);
        self.adopt(block);
    }

    fn pick_from_mempool(&mut self, share: u64) -> Vec<Tx> {
        let mut picked: Vec<Tx> = Vec::new();
        let all: Vec<Tx> = self.miners.unconfirmed().cloned().collect();
        for tx in all {
            // A child needs its parent before it.
            let orphan = |input: &bitcoin::OutPoint| {
                let unconfirmed = |other: &&Tx| *input == other.out_point(input.vout);
                self.miners.unconfirmed().any(|other| unconfirmed(&other))
                    && !picked.iter().any(|other| unconfirmed(&other))
            };
            if !tx.inputs.iter().any(orphan) && self.random.chance(share) {
                picked.push(tx);
            }
        }
        picked
    }

    fn mine_on(&mut self, parent: BlockRef, at: UnixMs, transactions: Vec<Tx>) -> BlockRef {
        let after = UnixMs(at.0.max(parent.time.0));
        let mined = transactions.clone();
        let block = self
            .chain
            .extend(parent.id.hash, after, transactions)
            .unwrap();
        for (place, tx) in (1..).zip(mined) {
            if let Some(paying) = self.paying.get_mut(&tx.txid) {
                paying.mined.push((block, place));
            }
        }
        block
    }

    /// The last `depth` blocks of the node's chain are replaced by `grow` others, which hold some
    /// of their transactions. With `grow` 0 they just leave.
    pub fn reorg(&mut self, at: UnixMs, depth: u32, grow: u32, share: u64) {
        let head = self.miners_head();
        let fork = self.miners.branch().at(head.id.height.minus(depth));
        let Some(fork) = fork.and_then(|hash| self.chain.tree().get(hash)) else {
            return;
        };
        let fork = fork.reference();
        let lost: Vec<Tx> = self
            .chain
            .tree()
            .down_from(head.id.hash)
            .take(usize::try_from(depth).unwrap())
            .flat_map(|block| block.transactions()[1..].to_vec())
            .collect();
        let mut rest = lost;
        let mut parent = fork;
        for _ in 0..grow {
            let mut picked: Vec<Tx> = Vec::new();
            let mut left = Vec::new();
            for tx in rest {
                if self.random.chance(share) && self.has_parents(&tx, fork, &picked, parent) {
                    picked.push(tx);
                } else {
                    left.push(tx);
                }
            }
            rest = left;
            parent = self.mine_on(parent, at, picked);
        }
        self.adopt(parent);
    }

    /// Whether what a transaction spends is not made by one that is in none of the new blocks.
    fn has_parents(&self, tx: &Tx, fork: BlockRef, picked: &[Tx], parent: BlockRef) -> bool {
        tx.inputs.iter().all(|input| {
            let Some(maker) = self
                .paying
                .values()
                .find(|paying| paying.tx.out_point(input.vout) == *input)
            else {
                return true;
            };
            let branch = self.chain.tree().down_from(parent.id.hash);
            let below = maker.mined.iter().any(|(block, _)| {
                self.chain
                    .tree()
                    .down_from(fork.id.hash)
                    .any(|known| known.reference().id == block.id)
            });
            let above = branch
                .take_while(|block| block.reference().id != fork.id)
                .any(|block| block.transactions().iter().any(|t| t.txid == maker.tx.txid));
            below || above || picked.iter().any(|t| t.txid == maker.tx.txid)
        })
    }

    /// How many blocks may leave without touching a final one.
    pub fn loose_blocks(&self, final_depth: u32) -> u32 {
        let lowest = self
            .floor
            .minus(final_depth.saturating_sub(1))
            .max(Height(1));
        self.miners_head().id.height.minus(lowest.0).0
    }

    /// What the node's best block holds of what customers paid.
    pub fn newest_payments(&self) -> Vec<(Tx, BlockId)> {
        let head = self.view.head(&self.chain);
        let block = self.chain.tree().get(head).unwrap();
        let paying = block
            .transactions()
            .iter()
            .filter(|tx| self.paying.contains_key(&tx.txid));
        paying
            .map(|tx| (tx.clone(), block.reference().id))
            .collect()
    }

    /// Where a transaction stands on the chain that ends in this branch's head.
    pub fn place(&self, txid: TxId, branch: &Branch) -> Option<(BlockRef, u32)> {
        let mined = &self.paying.get(&txid)?.mined;
        mined
            .iter()
            .find(|(block, _)| branch.holds(*block))
            .copied()
    }

    /// A transaction in a block of this branch that spends an input of `txid`, and where.
    pub fn confirmed_conflict(&self, txid: TxId, branch: &Branch) -> Option<Height> {
        let tx = &self.paying.get(&txid)?.tx;
        self.paying.values().find_map(|other| {
            if other.tx.txid == txid || !other.tx.conflicts_with(tx) {
                return None;
            }
            let (block, _) = self.place(other.tx.txid, branch)?;
            Some(block.id.height)
        })
    }
}
