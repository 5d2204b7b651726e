//! Ethereum: proposers and a node that may lag behind them; tokens with their administrations.

mod apart;

pub use apart::Forged;

use super::{
    ethereum_intents::{account, asset_of, by_contract, intent},
    providers::{Providers, Tracing},
    strangers::Strangers,
    truth::{Credit, Mined, Truth},
    world::{Forgetting, LastBranch, Meddling, Payment, Side, Trick, Which, in_common},
};
use alloy_primitives::U256;
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        facts::Destination,
        time::UnixMs,
    },
    random::Random,
    sandbox::{
        ethereum::{
            Chain, Change, Contents, CreditKind, Intent, Kind, Sender, SimulatedNode, Token, TokenKind, Tx,
            View,
        },
        json_rpc,
        tree::{Branch, Linked as _},
    },
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

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

impl Side for EthereumSide {
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let node = SimulatedNode {
            chain: &self.chain,
            view: &self.view,
        };
        json_rpc::respond(&node, request)
    }

    fn truth(&self) -> &Truth {
        &self.truth
    }

    fn head(&self) -> BlockRef {
        self.view.head(&self.chain).unwrap().reference()
    }

    fn best(&self) -> BlockRef {
        self.proposers_head()
    }

    fn in_common(&self, head: BlockRef) -> Option<BlockRef> {
        in_common(self.chain.tree(), &self.branch, head)
    }

    fn branch_to(&self, head: BlockHash) -> Option<Arc<Branch>> {
        self.last_branch.to(self.chain.tree(), head)
    }

    fn is_forged(&self, block: BlockHash) -> bool {
        self.forged.contains(&block)
    }

    fn is_away(&self) -> bool {
        self.lagging.is_some()
    }

    fn unconfirmed(&self) -> Vec<TxId> {
        Vec::new()
    }

    fn has_unconfirmed(&self, _: TxId) -> bool {
        false
    }

    fn mine(&mut self, at: UnixMs, share: u64) {
        let (mut picked, mut left) = (Vec::new(), Vec::new());
        for tx in std::mem::take(&mut self.waiting) {
            if self.random.chance(share) {
                picked.push(tx);
            } else {
                left.push(tx);
            }
        }
        self.waiting = left;
        let waited: Vec<Tx> = picked.iter().chain(&self.waiting).cloned().collect();
        self.go_on_apart(at, &waited);
        picked.extend(self.of_strangers());
        let block = self.mine_on(self.proposers_head(), at, picked);
        self.adopt(block);
    }

    fn reorg(&mut self, at: UnixMs, depth: u32, grow: u32, share: u64) {
        let head = self.proposers_head();
        let Some(fork) = self.branch.at(head.id.height.minus(depth)) else {
            return;
        };
        let mut parent = self.chain.block(fork).unwrap().reference();
        let mut rest = self.mined_above(parent.id.height, depth);
        for _ in 0..grow {
            let (mut picked, mut left) = (Vec::new(), Vec::new());
            for tx in rest {
                if self.random.chance(share) {
                    let fails = self.random.chance(self.fails_again);
                    picked.push(if fails { tx.failing() } else { tx });
                } else {
                    left.push(tx);
                }
            }
            rest = left;
            parent = self.mine_on(parent, at, picked);
        }
        // Most of what was left out waits again; some is never seen any more.
        for tx in rest {
            if self.random.chance(self.waits_again) {
                self.waiting.push(tx);
            }
        }
        self.adopt(parent);
    }

    fn loose_blocks(&self) -> u32 {
        let depth = self.tags.unwrap_or(self.final_depth.saturating_sub(1));
        let lowest = self.highest.minus(depth).max(Height(1));
        self.proposers_head().id.height.minus(lowest.0).0
    }

    fn final_height(&self) -> Height {
        let by_depth = self.highest.minus(self.final_depth);
        self.tagged.unwrap_or(by_depth)
    }

    fn safe_height(&self) -> Height {
        self.final_height().max(self.safest.unwrap_or_default())
    }

    fn return_to(&mut self, head: BlockRef) {
        self.adopt(head);
        let waits = |tx: &Tx| self.truth.place(tx.id(), &self.branch).is_none();
        self.waiting.retain(waits);
    }

    fn lag(&mut self) {
        self.lagging.get_or_insert(self.head());
    }

    fn stopped_below(&self, by: u32) -> Option<BlockRef> {
        let mut down = self.chain.tree().down_from(self.lagging?.id.hash);
        Some(down.nth(usize::try_from(by).ok()?)?.reference())
    }

    fn hear_of(&mut self, head: BlockRef) {
        self.view.set_head(&self.chain, head.id.hash);
        if let Some(depth) = self.tags {
            // Nothing that the proposers left is called final by anybody.
            let common = self
                .in_common(head)
                .map_or(Height(0), |block| block.id.height);
            let [tagged, safe] = [depth, half(depth)].map(|d| self.highest.minus(d).min(common));
            self.name(Some(tagged), Some(safe));
        }
    }

    fn stray(&mut self, at: UnixMs, fork: Height, share: u64) {
        let parent = self.branch.at(fork).unwrap();
        let mut parent = self.chain.block(parent).unwrap().reference();
        let height = self.proposers_head().id.height;
        while parent.id.height < height {
            parent = self.mine_on(parent, at, Vec::new());
        }
        let mut picked = self.waiting.clone();
        picked.retain(|_| self.random.chance(share));
        let head = self.mine_on(parent, at, picked);
        self.lagging = Some(head);
        self.hear_of(head);
    }

    fn is_syncing(&self) -> bool {
        self.view.syncing
    }

    fn sync(&mut self, is_on: bool) {
        self.view.syncing = is_on;
    }

    fn catch_up(&mut self) {
        self.lagging = None;
        self.hear_of(self.proposers_head());
    }

    fn pay(&mut self, how: &Payment, _: UnixMs) -> Option<TxId> {
        let kinds = [
            Kind::Legacy,
            Kind::AccessList,
            Kind::DynamicFee,
            Kind::Blob,
            Kind::SetCode,
        ];
        let kind = *self.random.pick(&kinds).unwrap();
        let is_plain = how.trick == Trick::None && how.beside.is_empty();
        let by_a_contract =
            how.asset == "ETH" && is_plain && self.payers.chance(self.contracts);
        let intent = if by_a_contract {
            by_contract(how, self.payers.below(5))
        } else {
            intent(how, kind)
        };
        let mut tx = self.sender.sign(intent);
        if how.trick == Trick::Fails {
            tx = tx.failing();
        }
        let txid = tx.id();
        self.sent.insert(txid, tx.clone());
        if how.trick != Trick::Stuck {
            self.waiting.push(tx);
        }
        Some(txid)
    }

    fn meddle(&mut self, last: TxId, how: &Meddling, _: UnixMs) -> Option<TxId> {
        match how {
            Meddling::Replace(_) | Meddling::DoubleSpend | Meddling::Drop => {
                // What waits is in no mempool that anybody looks at.
                self.waiting.retain(|tx| tx.id() != last);
            }
            Meddling::Resend => {
                let is_waiting = self.waiting.iter().any(|tx| tx.id() == last);
                let is_mined = self.truth.place(last, &self.branch).is_some();
                if let (false, false, Some(tx)) = (is_waiting, is_mined, self.sent.get(&last)) {
                    self.waiting.push(tx.clone());
                }
            }
        }
        Some(last)
    }

    fn forget(&mut self, _: Forgetting, _: &mut Random) -> bool {
        false
    }
}
