//! Ethereum: proposers and a node that may lag behind them; tokens with their administrations.

mod apart;
mod side;

pub use apart::Forged;

use super::{
    ethereum_intents::{account, asset_of},
    providers::{Providers, Tracing},
    strangers::Strangers,
    truth::{Credit, Mined, Truth},
    world::{LastBranch, Side as _, Which},
};
use alloy_primitives::U256;
use confirmd::{
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        facts::Destination,
        time::UnixMs,
    },
    random::Random,
    sandbox::{
        ethereum::{
            Chain, Change, Contents, CreditKind, Intent, Sender, Token, TokenKind, Tx, View,
        },
        tree::{Branch, Linked as _},
    },
};
use std::collections::{BTreeMap, HashSet};

/// Not one of those that developers use.
pub const CHAIN_ID: u64 = 7_777;
pub const USDT: [u8; 20] = [0xd1; 20];
pub const USDC: [u8; 20] = [0xc1; 20];
pub const FAKE: [u8; 20] = [0xfa; 20];
pub const ROUTER: [u8; 20] = [0xcc; 20];
/// With one more, more than any tag is deep: a node that calls genesis final says nothing by it.
const PREMINED: u32 = 100;
/// Bodies below this depth are forgotten, for the sake of memory: no daemon is kept from its node for
/// a day of blocks every 12 seconds.
const KEPT: u32 = 8_000;
/// Looking for them costs as much as there are.
const PRUNED_EVERY: u32 = 128;

/// How far below the head a block is safe where one so far below is final.
pub const fn half(depth: u32) -> u32 {
    depth / 2
}

pub struct EthereumSide {
    chain: Chain,
    view: View,
    branch: Branch,
    last_branch: LastBranch,
    /// Where a node that lags stopped, or strayed to.
    lagging: Option<BlockRef>,
    sender: Sender,
    strangers: Strangers,
    stranger: Sender,
    random: Random,
    truth: Truth,
    waiting: Vec<Tx>,
    /// What stakers take out in the next block: the account, and how many gwei.
    withdrawals: Vec<([u8; 20], u64)>,
    sent: BTreeMap<TxId, Tx>,
    /// How many of a thousand that are mined again fail then.
    pub fails_again: u64,
    /// How many of a thousand that are not mined again at once wait for it.
    pub waits_again: u64,
    tags: Option<u32>,
    final_depth: u32,
    /// The highest block that nodes ever called final.
    tagged: Option<Height>,
    /// The highest block that nodes ever called safe.
    safest: Option<Height>,
    highest: Height,
    has_fee: bool,
    /// What one operator's node believes, where it is not what the others' do.
    apart: Option<apart::Apart>,
    /// Blocks that one node alone ever showed.
    forged: HashSet<BlockHash>,
    forger: Random,
    /// How many payments in ether of a thousand a contract makes.
    contracts: u64,
    payers: Random,
    /// Whether nobody tells what contracts move.
    only_balances: bool,
}

impl EthereumSide {
    /// A chain that was there before anybody was paid. With `tags` its nodes name final blocks
    /// that far below the head; without, depth counts.
    pub fn new(
        random: Random,
        at: UnixMs,
        premined: u32,
        tags: Option<u32>,
        final_depth: u32,
    ) -> Self {
        let token = |contract, symbol: &str, kind| Token {
            contract,
            symbol: symbol.to_owned(),
            decimals: 6,
            kind,
        };
        let tokens = vec![
            token(USDT, "USDT", TokenKind::Tether),
            token(USDC, "USDC", TokenKind::Circle),
            token(FAKE, "USDT", TokenKind::Plain),
        ];
        let premined = i64::from(PREMINED + premined);
        let began = UnixMs(at.0 - premined * 12_000);
        let mut chain = Chain::new(CHAIN_ID, began, tokens).with_contract(ROUTER);
        let mut head = chain.genesis();
        for n in 1..premined {
            let at = UnixMs(began.0 + n * 12_000);
            head = chain.extend(head.id.hash, at, Vec::new()).unwrap();
        }
        let mut view = View::new(&chain);
        // However long an outage was: what no node can tell any more is shown elsewhere.
        view.traces = Some(u32::MAX);
        let mut side = Self {
            branch: view.branch().clone(),
            chain,
            view,
            last_branch: LastBranch::default(),
            lagging: None,
            sender: Sender::new(CHAIN_ID, 1),
            strangers: Strangers::default(),
            stranger: Sender::new(CHAIN_ID, 2),
            random,
            truth: Truth::default(),
            waiting: Vec::new(),
            withdrawals: Vec::new(),
            sent: BTreeMap::new(),
            fails_again: 50,
            waits_again: 350,
            tags,
            final_depth,
            tagged: None,
            safest: None,
            highest: Height(0),
            has_fee: false,
            apart: None,
            forged: HashSet::new(),
            forger: Random::new(0),
            contracts: 0,
            payers: Random::new(0),
            only_balances: false,
        };
        side.adopt(head);
        side
    }

    /// From now on blocks hold up to so many transactions of people who pay each other.
    pub fn meet(&mut self, random: Random, most: u64) {
        self.strangers = Strangers { random, most };
    }

    /// Its nodes are these, and so many payments are made by contracts.
    pub fn provide(&mut self, mut random: Random, providers: Providers) {
        (self.forger, self.payers) = (random.fork(), random);
        self.contracts = providers.contracts;
        self.only_balances = providers.tracing == Tracing::Balances;
        if self.only_balances {
            self.view.traces = None;
        }
    }

    /// Its first block.
    pub const fn genesis(&self) -> BlockHash {
        self.chain.genesis().id.hash
    }

    fn of_strangers(&mut self) -> impl Iterator<Item = Tx> {
        let Self {
            strangers,
            stranger,
            ..
        } = self;
        (0..)
            .zip(strangers.payments(Which::Ethereum))
            .map(|(n, (to, amount))| {
                let (to, amount) = (account(&to), U256::from(amount));
                stranger.sign(if n % 2 == 0 {
                    Intent::token(USDT, to, amount)
                } else {
                    Intent::ether(to, amount)
                })
            })
    }

    fn proposers_head(&self) -> BlockRef {
        let hash = self.branch.head().unwrap();
        self.chain.block(hash).unwrap().reference()
    }

    /// What customers sent that so many blocks above a height of the true branch hold.
    fn mined_above(&self, height: Height, blocks: u32) -> Vec<Tx> {
        let above = (1..=blocks).filter_map(|n| self.branch.at(height.plus(n)));
        let above: Vec<BlockHash> = above.collect();
        let is_there = |tx: &&Tx| {
            let paying = self.truth.get(tx.id());
            let mined = paying.map_or(&[][..], |paying| &paying.mined);
            mined
                .iter()
                .any(|mined| above.contains(&mined.block.id.hash))
        };
        let mut all: Vec<Tx> = self.sent.values().filter(is_there).cloned().collect();
        all.sort_by_key(Tx::nonce);
        all
    }

    fn adopt(&mut self, block: BlockRef) {
        self.branch.switch(self.chain.tree(), block.id.hash);
        self.highest = self.highest.max(block.id.height);
        if self.lagging.is_none() {
            self.hear_of(block);
        }
        if block.id.height.0.is_multiple_of(PRUNED_EVERY) {
            self.chain.prune_below(self.highest.minus(KEPT));
        }
    }

    fn mine_on(&mut self, parent: BlockRef, at: UnixMs, transactions: Vec<Tx>) -> BlockRef {
        let after = UnixMs(at.0.max(parent.time.0 + 1_000));
        let ids: Vec<TxId> = transactions.iter().map(Tx::id).collect();
        let contents = Contents {
            transactions,
            withdrawals: std::mem::take(&mut self.withdrawals),
        };
        let block = self.chain.extend(parent.id.hash, after, contents).unwrap();
        let mut by_tx: BTreeMap<TxId, Vec<Credit>> = BTreeMap::new();
        for credit in &self.chain.block(block.id.hash).unwrap().credits {
            let Some(asset) = asset_of(credit.token) else {
                continue;
            };
            if self.only_balances && credit.kind == CreditKind::Inner {
                let to = Destination::new(&credit.to).unwrap();
                let amount = u64::try_from(credit.amount).unwrap();
                self.truth.gave(to, block, amount);
                continue;
            }
            by_tx.entry(credit.txid).or_default().push(Credit {
                position: credit.position.to_string(),
                asset: asset.to_owned(),
                to: Destination::new(&credit.to).unwrap(),
                amount: u64::try_from(credit.amount).unwrap(),
            });
        }
        for (index, txid) in (0..).zip(ids) {
            let credits = by_tx.remove(&txid).unwrap_or_default();
            self.truth.note(txid, &credits, &[], after);
            let mined = Mined {
                block,
                index,
                credits,
            };
            self.truth.mined(txid, mined);
        }
        block
    }

    /// A staker takes ether out, in the next block.
    pub fn withdraw(&mut self, to: &Destination, wei: u64) {
        self.withdrawals.push((account(to), wei / 1_000_000_000));
    }

    /// This account lends its code from a contract.
    pub fn delegate(&mut self, of: &Destination) {
        let chain = self.chain.clone();
        self.chain = chain.with_delegation(account(of), ROUTER);
    }

    /// From now on every move of ether leaves a log.
    pub fn log_moved_ether(&mut self) {
        self.chain = self.chain.clone().with_system_logs();
    }

    /// From now on nodes name final blocks so far below the head, or none.
    pub fn tag(&mut self, depth: Option<u32>) {
        self.tags = depth;
        let head = self.proposers_head().id.height;
        let below = |depth: Option<u32>| depth.map(|depth| head.minus(depth));
        self.name(below(depth), below(depth.map(half)));
    }

    fn name(&mut self, finalized: Option<Height>, safe: Option<Height>) {
        self.tagged = self.tagged.max(finalized);
        self.safest = self.safest.max(safe);
        self.view.finalize_to(finalized);
        self.view.make_safe_to(safe);
    }

    /// Switches USDT's fee on when it is off, and off when it is on.
    pub fn switch_fee(&mut self) {
        self.set_fee(!self.has_fee);
    }

    /// Switches USDT's fee on or off.
    pub fn set_fee(&mut self, is_on: bool) {
        self.has_fee = is_on;
        let change = Change::Fee {
            basis_points: if is_on { 200 } else { 0 },
            maximum: U256::from(50_000_000_u64),
        };
        self.administer(USDT, change);
    }

    /// A token's issuer changes its rules.
    pub fn administer(&mut self, token: [u8; 20], change: Change) {
        let tx = self.sender.sign(Intent::administer(token, change));
        self.waiting.push(tx);
    }
}
