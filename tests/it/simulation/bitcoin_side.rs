//! Bitcoin: miners and a node that may lag behind them.

use super::{
    strangers::Strangers,
    truth::{Credit, Mined, Truth},
    world::{Forgetting, LastBranch, Meddling, Payment, Side, Trick, Which, in_common},
};
use confirmd::{
    chain::{
        bitcoin::tx_id,
        rpc::{HttpRequest, HttpResponse},
    },
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        facts::{Destination, OutPoint},
        time::UnixMs,
    },
    random::Random,
    sandbox::{
        bitcoin::{Chain, Coins, Node, Tx, View},
        json_rpc,
        tree::{Branch, Linked as _},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub struct BitcoinSide {
    chain: Chain,
    view: View,
    miners: View,
    last_branch: LastBranch,
    /// Where a node that lags stopped, or strayed to.
    lagging: Option<BlockRef>,
    coins: Coins,
    random: Random,
    truth: Truth,
    sent: BTreeMap<TxId, Tx>,
    /// What no miner takes.
    stuck: BTreeSet<TxId>,
    strangers: Strangers,
    /// What the coinbase of the next block pays.
    rewards: Vec<(Destination, u64)>,
    final_depth: u32,
    /// The highest block ever: final ones are counted from here.
    highest: Height,
}

impl BitcoinSide {
    /// A chain that was there before anybody was paid.
    pub fn new(mut random: Random, at: UnixMs, premined: u32, final_depth: u32) -> Self {
        let mut chain = Chain::new();
        let mut view = View::new(&chain);
        view.rest = random.chance(500);
        let mut head = chain.genesis().id.hash;
        for n in 0..premined {
            let at = UnixMs(at.0 - i64::from(premined - n) * 600_000);
            head = chain.extend(head, at, Vec::new()).unwrap().id.hash;
        }
        view.adopt(&chain, head);
        Self {
            chain,
            miners: view.clone(),
            view,
            last_branch: LastBranch::default(),
            lagging: None,
            coins: Coins::default(),
            random,
            truth: Truth::default(),
            sent: BTreeMap::new(),
            stuck: BTreeSet::new(),
            strangers: Strangers::default(),
            rewards: Vec::new(),
            final_depth,
            highest: Height(premined),
        }
    }

    /// Its node serves no REST.
    pub const fn speak_only_rpc(&mut self) {
        self.view.rest = false;
    }

    /// From now on blocks hold up to so many transactions of people who pay each other.
    pub fn meet(&mut self, random: Random, most: u64) {
        self.strangers = Strangers { random, most };
    }

    /// All blocks, and what the node holds for true.
    pub const fn node(&self) -> (&Chain, &View) {
        (&self.chain, &self.view)
    }

    /// The coinbase of the next block pays this.
    pub fn mint(&mut self, to: Destination, sats: u64) {
        self.rewards.push((to, sats));
    }

    /// So many transactions of people who pay each other wait in the node's mempool.
    pub fn crowd(&mut self, count: u32) {
        for _ in 0..count {
            let tx = Tx::new(&[self.coins.fresh()], &[(elsewhere(), 1_000)]);
            self.view.receive(tx).unwrap();
        }
    }

    fn note_coinbase(&mut self, block: BlockRef) {
        let mined = self.chain.tree().get(block.id.hash).unwrap();
        let coinbase = mined.transactions()[0].clone();
        let credits = credits(&coinbase);
        let txid = coinbase.txid;
        self.truth.note(txid, &credits, &[], block.time);
        let mined = Mined {
            block,
            index: 0,
            credits,
        };
        self.truth.mined(txid, mined);
    }

    fn of_strangers(&mut self) -> impl Iterator<Item = Tx> {
        let Self {
            strangers, coins, ..
        } = self;
        strangers
            .payments(Which::Bitcoin)
            .map(|(to, amount)| Tx::new(&[coins.fresh()], &[(to, amount)]))
    }

    fn miners_head(&self) -> BlockRef {
        let hash = self.miners.head(&self.chain);
        self.chain.tree().get(hash).unwrap().reference()
    }

    fn broadcast(&mut self, tx: &Tx, at: UnixMs) -> Option<TxId> {
        let by_miners = self.miners.receive(tx.clone()).is_ok();
        let taken = self.view.receive(tx.clone()).is_ok() || by_miners;
        if taken {
            self.truth.note(tx.txid, &credits(tx), &inputs(tx), at);
            self.sent.insert(tx.txid, tx.clone());
        }
        taken.then_some(tx.txid)
    }

    /// The miners agree on this block, and the node hears of it.
    fn adopt(&mut self, block: BlockRef) {
        self.miners.adopt(&self.chain, block.id.hash);
        if self.lagging.is_none() {
            self.hear_of(block);
        }
        self.highest = self.highest.max(block.id.height);
    }

    fn pick_from_mempool(&mut self, share: u64) -> Vec<Tx> {
        let mut picked: Vec<Tx> = Vec::new();
        let all: Vec<Tx> = self.miners.unconfirmed().cloned().collect();
        for tx in all.iter().filter(|tx| !self.stuck.contains(&tx.txid)) {
            if has_parents(tx, &all, &picked) && self.random.chance(share) {
                picked.push(tx.clone());
            }
        }
        picked
    }

    fn mine_on(&mut self, parent: BlockRef, at: UnixMs, transactions: Vec<Tx>) -> BlockRef {
        let after = UnixMs(at.0.max(parent.time.0));
        let mined = transactions.clone();
        let rewards = std::mem::take(&mut self.rewards);
        let block = self
            .chain
            .extend_paying(parent.id.hash, after, transactions, &rewards)
            .unwrap();
        if !rewards.is_empty() {
            self.note_coinbase(block);
        }
        for (index, tx) in (1..).zip(mined) {
            let credits = credits(&tx);
            let mined = Mined {
                block,
                index,
                credits,
            };
            self.truth.mined(tx.txid, mined);
        }
        block
    }
}

/// Whether what it spends is in no transaction that waits and is left out.
fn has_parents(tx: &Tx, waiting: &[Tx], picked: &[Tx]) -> bool {
    let makes = |other: &&Tx| tx.inputs.iter().any(|i| *i == other.out_point(i.vout));
    waiting
        .iter()
        .filter(makes)
        .all(|parent| picked.iter().any(|other| other.txid == parent.txid))
}

impl Side for BitcoinSide {
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let node = Node {
            chain: &self.chain,
            view: &self.view,
        };
        json_rpc::respond(&node, request)
    }

    fn truth(&self) -> &Truth {
        &self.truth
    }

    fn head(&self) -> BlockRef {
        let hash = self.view.head(&self.chain);
        self.chain.tree().get(hash).unwrap().reference()
    }

    fn best(&self) -> BlockRef {
        self.miners_head()
    }

    fn in_common(&self, head: BlockRef) -> Option<BlockRef> {
        in_common(self.chain.tree(), self.miners.branch(), head)
    }

    fn branch_to(&self, head: BlockHash) -> Option<Arc<Branch>> {
        self.last_branch.to(self.chain.tree(), head)
    }

    fn is_away(&self) -> bool {
        self.lagging.is_some() || !self.view.mempool_loaded
    }

    fn unconfirmed(&self) -> Vec<TxId> {
        let ids = self.view.unconfirmed().map(|tx| tx.txid);
        ids.filter(|txid| self.sent.contains_key(txid)).collect()
    }

    fn has_unconfirmed(&self, txid: TxId) -> bool {
        self.view.has_unconfirmed(txid)
    }

    fn mine(&mut self, at: UnixMs, share: u64) {
        let mut picked = self.pick_from_mempool(share);
        picked.extend(self.of_strangers());
        let block = self.mine_on(self.miners_head(), at, picked);
        self.adopt(block);
    }

    fn reorg(&mut self, at: UnixMs, depth: u32, grow: u32, share: u64) {
        let head = self.miners_head();
        let fork = self.miners.branch().at(head.id.height.minus(depth));
        let Some(fork) = fork.and_then(|hash| self.chain.tree().get(hash)) else {
            return;
        };
        let mut parent = fork.reference();
        let lost = self.chain.tree().down_from(head.id.hash);
        let lost: Vec<&[Tx]> = lost
            .take(usize::try_from(depth).unwrap())
            .map(|block| &block.transactions()[1..])
            .collect();
        // Parents before children, as they were mined.
        let mut rest: Vec<Tx> = lost.into_iter().rev().flatten().cloned().collect();
        for _ in 0..grow {
            let (mut picked, mut left) = (Vec::new(), Vec::new());
            for tx in rest.clone() {
                if has_parents(&tx, &rest, &picked) && self.random.chance(share) {
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

    fn loose_blocks(&self) -> u32 {
        let lowest = self.highest.minus(self.final_depth.saturating_sub(1));
        self.miners_head()
            .id
            .height
            .minus(lowest.max(Height(1)).0)
            .0
    }

    fn final_height(&self) -> Height {
        self.highest.minus(self.final_depth)
    }

    fn return_to(&mut self, head: BlockRef) {
        self.adopt(head);
    }

    fn lag(&mut self) {
        self.lagging.get_or_insert(self.head());
    }

    fn stopped_below(&self, by: u32) -> Option<BlockRef> {
        let mut down = self.chain.tree().down_from(self.lagging?.id.hash);
        Some(down.nth(usize::try_from(by).ok()?)?.reference())
    }

    fn hear_of(&mut self, head: BlockRef) {
        self.view.adopt(&self.chain, head.id.hash);
    }

    fn stray(&mut self, at: UnixMs, fork: Height, share: u64) {
        let parent = self.miners.branch().at(fork);
        let mut parent = self.chain.tree().get(parent.unwrap()).unwrap().reference();
        let height = self.miners_head().id.height;
        while parent.id.height < height {
            parent = self.mine_on(parent, at, Vec::new());
        }
        let mut picked = self.pick_from_mempool(share);
        let is_old = |input: &bitcoin::OutPoint| !self.sent.contains_key(&tx_id(input.txid));
        picked.retain(|tx| tx.inputs.iter().all(is_old));
        let head = self.mine_on(parent, at, picked);
        self.lagging = Some(head);
        self.hear_of(head);
    }

    fn is_syncing(&self) -> bool {
        self.view.initial_block_download
    }

    fn sync(&mut self, is_on: bool) {
        self.view.initial_block_download = is_on;
    }

    fn catch_up(&mut self) {
        self.lagging = None;
        self.hear_of(self.miners_head());
    }

    fn pay(&mut self, how: &Payment, at: UnixMs) -> Option<TxId> {
        let mut coin = self.coins.fresh();
        if how.trick == Trick::FromChange {
            let parent = Tx::new(&[coin], &[(elsewhere(), how.amount + 5_000)]);
            self.broadcast(&parent, at);
            coin = parent.out_point(0);
        }
        if let Trick::ChangeOf(txid) = how.trick {
            let parent = self.sent.get(&txid)?;
            coin = parent.out_point(u32::try_from(parent.credits.len()).ok()? - 1);
        }
        let part = how.amount / how.parts;
        let mut paid: Vec<(Destination, u64)> = (1..how.parts).map(|_| (how.to, part)).collect();
        paid.push((how.to, how.amount - part * (how.parts - 1)));
        paid.extend(&how.beside);
        paid.push((elsewhere(), 1_000));
        let tx = Tx::new(&[coin], &paid);
        if how.trick == Trick::Stuck {
            self.stuck.insert(tx.txid);
        }
        self.broadcast(&tx, at)
    }

    fn meddle(&mut self, last: TxId, how: &Meddling, at: UnixMs) -> Option<TxId> {
        let tx = self.sent.get(&last)?.clone();
        match how {
            Meddling::Replace(to) => {
                let to = to.unwrap_or((elsewhere(), 700));
                let replacement = Tx::new(&tx.inputs, &[to, (elsewhere(), 800)]);
                self.broadcast(&replacement, at)
            }
            Meddling::DoubleSpend => {
                let rival = Tx::new(&tx.inputs, &[(elsewhere(), 900)]);
                if self.broadcast(&rival, at).is_some() && self.miners.has_unconfirmed(rival.txid) {
                    let parents = self.pick_from_mempool(1000);
                    let block = self.mine_on(self.miners_head(), at, parents);
                    self.adopt(block);
                }
                Some(last)
            }
            Meddling::Drop => {
                self.view.evict(last);
                Some(last)
            }
            Meddling::Resend => {
                self.broadcast(&tx, at);
                Some(last)
            }
        }
    }

    fn forget(&mut self, how: Forgetting, random: &mut Random) -> bool {
        let held = self.unconfirmed().len();
        match how {
            Forgetting::One => {
                if let Some(txid) = random.pick(&self.unconfirmed()) {
                    self.view.evict(*txid);
                }
            }
            Forgetting::Everything => {
                self.view.empty_mempool();
                self.view.mempool_loaded = false;
            }
            Forgetting::NoMore => self.view.mempool_loaded = true,
        }
        self.unconfirmed().len() < held
    }
}

fn elsewhere() -> Destination {
    Destination::new(&[&[0x00, 0x14][..], &[0xee; 20]].concat()).unwrap()
}

fn inputs(tx: &Tx) -> Vec<OutPoint> {
    let own = |input: &bitcoin::OutPoint| OutPoint {
        txid: tx_id(input.txid),
        vout: input.vout,
    };
    tx.inputs.iter().map(own).collect()
}

fn credits(tx: &Tx) -> Vec<Credit> {
    let credit = |credit: &confirmd::sandbox::bitcoin::TrueCredit| Credit {
        position: credit.position.to_string(),
        asset: "BTC".to_owned(),
        to: credit.to,
        amount: u64::try_from(credit.amount.base()).unwrap(),
    };
    tx.credits.iter().map(credit).collect()
}
