//! A node's mempool: which unconfirmed transactions it holds, and what each spends.
//!
//! Every transaction may be replaced (full RBF); fees do not exist.

use super::transaction::Tx;
use crate::domain::block::TxId;
use bitcoin::OutPoint;
use std::collections::{BTreeMap, HashMap};

/// Unconfirmed transactions, none of which conflict.
#[derive(Debug, Clone, Default)]
pub(super) struct Mempool {
    held: BTreeMap<TxId, Tx>,
    spent: HashMap<OutPoint, TxId>,
}

impl Mempool {
    pub(super) fn txids(&self) -> impl ExactSizeIterator<Item = &TxId> {
        self.held.keys()
    }

    pub(super) fn transactions(&self) -> impl Iterator<Item = &Tx> {
        self.held.values()
    }

    pub(super) fn get(&self, txid: TxId) -> Option<&Tx> {
        self.held.get(&txid)
    }

    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<TxId> {
        self.spent.get(outpoint).copied()
    }

    /// Takes a transaction in; whatever conflicts with it leaves, with its descendants.
    pub(super) fn insert(&mut self, tx: Tx) {
        self.remove_conflicts(&tx);
        for input in &tx.inputs {
            self.spent.insert(*input, tx.txid);
        }
        self.held.insert(tx.txid, tx);
    }

    /// Removes what spends the same outputs as `tx`, unless it is `tx` itself.
    pub(super) fn remove_conflicts(&mut self, tx: &Tx) {
        for input in &tx.inputs {
            if let Some(spender) = self.spender(input)
                && spender != tx.txid
            {
                self.remove(spender);
            }
        }
    }

    /// Removes a transaction and all that spend its outputs.
    pub(super) fn remove(&mut self, txid: TxId) {
        let mut leaving = vec![txid];
        while let Some(txid) = leaving.pop() {
            let Some(tx) = self.take(txid) else {
                continue;
            };
            let outputs = (0..).zip(&tx.decoded.output);
            leaving.extend(outputs.filter_map(|(vout, _)| self.spender(&tx.out_point(vout))));
        }
    }

    /// Removes a transaction alone: it is in a block now.
    pub(super) fn take(&mut self, txid: TxId) -> Option<Tx> {
        let tx = self.held.remove(&txid)?;
        for input in &tx.inputs {
            if self.spender(input) == Some(txid) {
                self.spent.remove(input);
            }
        }
        Some(tx)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
