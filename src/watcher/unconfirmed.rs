//! The unconfirmed transactions that matter to payments, and what they spend.

use crate::domain::{
    block::TxId,
    facts::OutPoint,
    payment::{Payment, PaymentKey},
    transfer::{Place, Transfer},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Unconfirmed transactions that pay watched addresses on one chain. Its size follows the open
/// payments, not the mempool.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    transactions: BTreeMap<TxId, Relevant>,
    spenders: HashMap<OutPoint, BTreeSet<TxId>>,
}

/// One unconfirmed transaction.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Relevant {
    /// The payments that it pays.
    pub payments: BTreeSet<PaymentKey>,
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// Whether it is believed to be in the mempool, rather than known to be gone.
    pub in_mempool: bool,
}

impl Unconfirmed {
    /// Takes over how a payment's transfers stand now.
    pub fn absorb(&mut self, payment: &Payment) {
        for transfer in &payment.transfers {
            if may_conflict(transfer) {
                let in_mempool = matches!(transfer.place, Place::Mempool);
                self.insert(transfer.txid, payment.key, &transfer.inputs, in_mempool);
            } else {
                self.remove(transfer.txid, payment.key);
            }
        }
    }

    /// Adds a transaction, or a payment to a known one.
    pub fn insert(
        &mut self,
        txid: TxId,
        payment: PaymentKey,
        inputs: &[OutPoint],
        in_mempool: bool,
    ) {
        let relevant = self.transactions.entry(txid).or_default();
        relevant.in_mempool = in_mempool;
        relevant.payments.insert(payment);
        if relevant.inputs.is_empty() {
            relevant.inputs = inputs.to_vec();
        }
        for input in inputs {
            self.spenders.entry(*input).or_default().insert(txid);
        }
    }

    fn remove(&mut self, txid: TxId, payment: PaymentKey) {
        let Some(relevant) = self.transactions.get_mut(&txid) else {
            return;
        };
        relevant.payments.remove(&payment);
        if !relevant.payments.is_empty() {
            return;
        }
        let gone = self.transactions.remove(&txid).unwrap_or_default();
        for input in gone.inputs {
            if let Some(spenders) = self.spenders.get_mut(&input) {
                spenders.remove(&txid);
                if spenders.is_empty() {
                    self.spenders.remove(&input);
                }
            }
        }
    }

    /// Leaves out a payment whose address is watched no more, but for what is still in the
    /// mempool.
    pub fn forget(&mut self, payment: PaymentKey) {
        let paying = self.transactions.iter();
        let paying = paying
            .filter(|(_, relevant)| !relevant.in_mempool && relevant.payments.contains(&payment));
        let txids: Vec<TxId> = paying.map(|(txid, _)| *txid).collect();
        for txid in txids {
            self.remove(txid, payment);
        }
    }

    /// The transactions of ours that spend this output: more than one when they replace each
    /// other.
    pub fn spenders(&self, outpoint: &OutPoint) -> impl Iterator<Item = TxId> {
        self.spenders.get(outpoint).into_iter().flatten().copied()
    }

    /// The payments that a transaction pays.
    pub fn payments(&self, txid: TxId) -> impl Iterator<Item = PaymentKey> {
        let relevant = self.transactions.get(&txid).into_iter();
        relevant.flat_map(|relevant| relevant.payments.iter().copied())
    }

    /// Transactions believed to be in the mempool that a complete, sorted list of it lacks.
    pub fn missing_from<'a>(
        &'a self,
        sorted: &'a [TxId],
    ) -> impl Iterator<Item = (TxId, &'a Relevant)> {
        self.transactions
            .iter()
            .filter(|(txid, relevant)| relevant.in_mempool && sorted.binary_search(txid).is_err())
            .map(|(txid, relevant)| (*txid, relevant))
    }

    /// Transactions known to be gone that a sorted list of the mempool holds all the same.
    pub fn returned_in<'a>(
        &'a self,
        sorted: &'a [TxId],
    ) -> impl Iterator<Item = (TxId, &'a Relevant)> {
        self.transactions
            .iter()
            .filter(|(txid, relevant)| !relevant.in_mempool && sorted.binary_search(txid).is_ok())
            .map(|(txid, relevant)| (*txid, relevant))
    }
}

/// Whether another transaction may still take the place of a transfer's.
fn may_conflict(transfer: &Transfer) -> bool {
    match transfer.place {
        Place::Mempool | Place::Evicted | Place::Orphaned => true,
        Place::Replaced { confirmed_in, .. } => confirmed_in.is_none(),
        Place::Block(_) => false,
    }
}
