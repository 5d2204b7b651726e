//! The books of those who pay: every transaction that pays a customer, what it credits, and every
//! block that holds it. Kept by the world, never by confirmd.

use confirmd::{
    domain::{
        block::{BlockRef, Height, TxId},
        facts::{Destination, OutPoint},
        time::UnixMs,
    },
    sandbox::tree::Branch,
};
use std::collections::{BTreeMap, HashMap};

/// Money that a transaction moves to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    pub position: String,
    pub asset: String,
    pub to: Destination,
    /// In base units.
    pub amount: u64,
}

impl Credit {
    /// Whether a contract moves it: a block's hash does not bind that.
    pub fn is_inner(&self) -> bool {
        self.position.starts_with("trace:")
    }
}

/// A block that holds a transaction.
#[derive(Debug, Clone)]
pub struct Mined {
    pub block: BlockRef,
    pub index: u32,
    /// What the transaction does in that block.
    pub credits: Vec<Credit>,
}

/// A transaction that pays somebody we know.
#[derive(Debug, Clone)]
pub struct Paying {
    /// What it pays while it is in no block.
    pub credits: Vec<Credit>,
    pub inputs: Vec<OutPoint>,
    /// When a node could first be asked for it, in a mempool or in a block.
    pub visible_at: UnixMs,
    pub mined: Vec<Mined>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Truth {
    paying: BTreeMap<TxId, Paying>,
    by_destination: HashMap<Destination, Vec<TxId>>,
    spenders: HashMap<OutPoint, Vec<TxId>>,
    given: HashMap<Destination, Vec<(BlockRef, u64)>>,
}

impl Truth {
    /// Takes note of a transaction that may be seen from now on.
    pub fn note(&mut self, txid: TxId, credits: &[Credit], inputs: &[OutPoint], at: UnixMs) {
        let known = self.paying.entry(txid).or_insert_with(|| Paying {
            credits: credits.to_vec(),
            inputs: inputs.to_vec(),
            visible_at: at,
            mined: Vec::new(),
        });
        known.visible_at = known.visible_at.min(at);
        for credit in credits {
            let of = self.by_destination.entry(credit.to).or_default();
            if !of.contains(&txid) {
                of.push(txid);
            }
        }
        for input in inputs {
            let of = self.spenders.entry(*input).or_default();
            if !of.contains(&txid) {
                of.push(txid);
            }
        }
    }

    /// Takes note that a block holds it.
    pub fn mined(&mut self, txid: TxId, mined: Mined) {
        if let Some(paying) = self.paying.get_mut(&txid) {
            paying.mined.push(mined);
        }
    }

    /// Takes note that a contract gave somebody so much ether in a block, which only balances tell.
    pub fn gave(&mut self, to: Destination, block: BlockRef, amount: u64) {
        self.given.entry(to).or_default().push((block, amount));
    }

    /// What contracts gave somebody, in blocks of all branches, where only balances tell it.
    pub fn given(&self, to: &Destination) -> &[(BlockRef, u64)] {
        self.given.get(to).map_or(&[], Vec::as_slice)
    }

    pub fn get(&self, txid: TxId) -> Option<&Paying> {
        self.paying.get(&txid)
    }

    /// Every transaction that ever paid this.
    pub fn to(&self, destination: &Destination) -> &[TxId] {
        self.by_destination
            .get(destination)
            .map_or(&[], Vec::as_slice)
    }

    /// Where a transaction stands on a branch.
    pub fn place(&self, txid: TxId, branch: &Branch) -> Option<&Mined> {
        let mined = &self.paying.get(&txid)?.mined;
        mined.iter().find(|mined| branch.holds(mined.block))
    }

    /// Transactions that spend an output that this one spends too, itself among them.
    pub fn rivals(&self, txid: TxId) -> Vec<TxId> {
        let inputs = self
            .paying
            .get(&txid)
            .map_or(&[][..], |paying| &paying.inputs);
        let spenders = inputs.iter().filter_map(|input| self.spenders.get(input));
        let mut rivals: Vec<TxId> = spenders.flatten().copied().collect();
        rivals.push(txid);
        rivals
    }

    /// The block on this branch that holds a rival.
    pub fn confirmed_rival(&self, txid: TxId, branch: &Branch) -> Option<Height> {
        let mut others = self.rivals(txid).into_iter().filter(|other| *other != txid);
        others.find_map(|other| Some(self.place(other, branch)?.block.id.height))
    }

    /// When it, or a rival that pays the same address and whose time it may inherit, was first
    /// there to be seen.
    pub fn first_visible(&self, txid: TxId, to: &Destination) -> UnixMs {
        let rivals = self.rivals(txid).into_iter();
        let pays = |paying: &&Paying| paying.credits.iter().any(|credit| credit.to == *to);
        let seen = rivals.filter_map(|rival| self.paying.get(&rival));
        let seen = seen.filter(pays).chain(self.paying.get(&txid));
        seen.map(|paying| paying.visible_at)
            .min()
            .unwrap_or(UnixMs(i64::MAX))
    }
}
