//! What happens on the chains and in the inbox while the victim dies.
//!
//! What a daemon has not seen before it was undone, it never knows: so nothing is undone here (a block
//! replaced, a payment replaced) that both daemons did not know when they were last alike. Then all that
//! follows must be alike too.

use confirmd::domain::asset::ChainKind;
use serde_json::json;

use super::nodes::Coin;
use super::world::{Stage, World};

/// A deadline that passes while the test runs.
const SOON_MS: i64 = 3_000;

/// How much of the past the daemon scans in one step.
const PORTION_BLOCKS: u64 = 16;

/// A past that takes some portions.
const PAST_BLOCKS: u64 = 4 * PORTION_BLOCKS;

/// What a load begins with: both daemons alike, or the victim behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Registrations; payments of all kinds and amounts; blocks.
    Grow,
    /// Registrations, a cancellation, a payment that stays in the mempool. No block.
    Quiet,
    /// Blocks with payments are replaced on both chains.
    Reorg,
    /// A payment in the mempool is replaced by one to somebody else.
    Replace,
    /// A payment in a block of its own, with which [`Load::DoubleSpend`] begins.
    Alone,
    /// The topmost block is replaced by one that spends its payment elsewhere.
    DoubleSpend,
    /// Payments to addresses that nobody has registered yet.
    Early,
}

/// While the victim knows of everything.
impl World {
    pub fn perform(&mut self, load: Load) {
        match load {
            Load::Grow => self.grow(),
            Load::Quiet => self.quiet(),
            Load::Reorg => self.reorg(),
            Load::Replace => self.replace(),
            Load::Alone => self.pay_alone(),
            Load::DoubleSpend => self.double_spend(),
            Load::Early => self.pay_early(),
        }
    }

    fn grow(&mut self) {
        for coin in Coin::ALL {
            for order in self.orders_at(coin, &Stage::Open, 2) {
                self.pay(order);
            }
            self.register(coin);
        }
        self.mine_btc(1);
        self.mine_eth(1);
        let hopeless = json!({
            "expires_at": crate::confirmd::now_ms() + SOON_MS,
            "scan_from": self.past(Coin::Usdt),
        });
        let (coin, address) = (Coin::Usdt, self.new_address(Coin::Usdt));
        let hopeless = self.register_at(coin, &address, &hopeless);
        self.orders[hopeless].stage = Stage::Closed;
        self.mine_btc(1);
        self.mine_eth(1);
    }

    fn quiet(&mut self) {
        for order in self.orders_at(Coin::Btc, &Stage::Open, 1) {
            self.pay(order);
        }
        let canceled = self.register(Coin::Eth);
        self.orders[canceled].stage = Stage::Closed;
        let id = self.orders[canceled].id.clone();
        self.submit("cancel", &id, &json!({}));
        self.register(Coin::Btc);
        self.register(Coin::Usdt);
    }

    fn reorg(&mut self) {
        for coin in [Coin::Btc, Coin::Usdt] {
            let depth = 1 + self.dice.below(3);
            self.replace_blocks(coin.chain(), depth);
            self.register(coin);
        }
    }

    fn replace(&mut self) {
        let order = self.unmined.pop().expect("a payment in the mempool");
        let txid = self.txid(order);
        self.nodes.replace(&self.orders[order].address, &txid);
        self.give_up(order, &txid);
        self.register(Coin::Btc);
    }

    fn pay_alone(&mut self) {
        let order = self.register(Coin::Btc);
        self.mine_btc(1);
        self.pay(order);
        self.mine_btc(1);
    }

    fn double_spend(&mut self) {
        let paid = |place: &usize| matches!(self.orders[*place].stage, Stage::Paid(_));
        let mut orders = (0..self.orders.len()).rev().filter(paid);
        let order = orders.find(|place| self.orders[*place].coin == Coin::Btc);
        let order = order.expect("a payment in a block of its own");
        let txid = self.txid(order);
        self.nodes.double_spend(&self.orders[order].address, &txid);
        self.give_up(order, &txid);
        self.register(Coin::Btc);
    }

    fn pay_early(&mut self) {
        for _ in 0..2 {
            let address = self.new_address(Coin::Btc);
            let (_, _, half) = Coin::Btc.price();
            let txid = self.nodes.pay(Coin::Btc, &address, 2 * half);
            self.early.push((address, txid));
        }
        self.mine_btc(1);
        self.register(Coin::Eth);
        self.mine_btc(1);
        self.mine_eth(1);
    }

    fn give_up(&mut self, order: usize, txid: &str) {
        let order = &mut self.orders[order];
        order.stage = Stage::Closed;
        let replaced = json!({"state": "replaced"});
        self.awaited
            .push((order.id.clone(), txid.to_owned(), replaced));
        self.read_on();
    }

    fn txid(&self, order: usize) -> String {
        match &self.orders[order].stage {
            Stage::Paid(txid) => txid.clone(),
            stage @ (Stage::Open | Stage::Lost | Stage::Closed) => panic!("{stage:?} is not paid"),
        }
    }
}

/// While the victim may be behind: nothing that is undone, or mined again, may be new to it.
impl World {
    /// New payments; blocks, in bitcoin without what is in the mempool.
    pub fn go_on(&mut self) {
        for coin in Coin::ALL {
            self.register(coin);
        }
        for coin in Coin::ALL {
            for order in self.orders_at(coin, &Stage::Open, 1) {
                self.pay(order);
            }
            self.mine_eth(1);
        }
        self.mine_empty_btc();
    }

    /// Blocks that hold nothing new are replaced.
    pub fn undo(&mut self) {
        self.replace_blocks(ChainKind::Bitcoin, 2);
        self.replace_blocks(ChainKind::Ethereum, 2);
    }

    /// Registrations of what was paid before, so long that it takes two portions to find; when there is
    /// nothing of that kind, one for which everything is scanned in vain.
    pub fn register_early(&mut self) {
        if self.early.is_empty() {
            let address = self.new_address(Coin::Usdt);
            let past = json!({"scan_from": self.past(Coin::Usdt)});
            self.register_at(Coin::Usdt, &address, &past);
        }
        let past = json!({"scan_from": self.past(Coin::Btc)});
        for (address, txid) in std::mem::take(&mut self.early) {
            let order = self.register_at(Coin::Btc, &address, &past);
            self.await_paid(order, txid);
        }
    }
}

/// One thing at a time; after each the journal is read on.
impl World {
    /// Pays an order with too little, the right amount or too much.
    pub fn pay(&mut self, place: usize) {
        let order = self.orders[place].clone();
        let halves = *self.dice.pick(&[2_u64, 2, 2, 1, 3]).expect("an amount");
        let (_, _, half) = order.coin.price();
        let txid = self.nodes.pay(order.coin, &order.address, halves * half);
        if order.coin == Coin::Btc {
            self.unmined.push(place);
        }
        self.await_paid(place, txid);
        self.read_on();
    }

    fn await_paid(&mut self, place: usize, txid: String) {
        let order = &mut self.orders[place];
        order.stage = Stage::Paid(txid.clone());
        self.awaited.push((order.id.clone(), txid, json!({})));
    }

    pub fn mine_btc(&mut self, count: u64) {
        self.nodes.mine(ChainKind::Bitcoin, count);
        self.unmined.clear();
        self.read_on();
    }

    pub fn mine_empty_btc(&mut self) {
        self.nodes.mine_empty();
        self.read_on();
    }

    pub fn mine_eth(&mut self, count: u64) {
        self.nodes.mine(ChainKind::Ethereum, count);
        self.read_on();
    }

    /// Replaces the topmost blocks by empty ones.
    pub fn replace_blocks(&mut self, chain: ChainKind, depth: u64) {
        self.nodes.replace_blocks(chain, depth);
        for order in &mut self.orders {
            if let Stage::Paid(txid) = &order.stage
                && order.coin.chain() == chain
                && self.nodes.has_forgotten(order.coin, txid)
            {
                order.stage = Stage::Lost;
            }
        }
        self.read_on();
    }

    fn past(&self, coin: Coin) -> u64 {
        self.nodes.height(coin.chain()).saturating_sub(PAST_BLOCKS)
    }
}
