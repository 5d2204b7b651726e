//! A payment's rows while facts are taken in, found by what names them.
//!
//! Whoever pays decides how many credits a transaction has and how many outputs it spends, so
//! nothing in here walks all rows for each fact. Knows nothing of statuses or of what money means.

use super::{dust, places::new_row};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    asset::AssetCode,
    block::TxId,
    facts::{Credit, Fact, OutPoint},
    payment::Payment,
    transfer::{Anchor, Place, Position, Transfer},
};
use std::collections::{BTreeMap, BTreeSet};

/// The money of one asset in one transaction.
type Kind = (TxId, AssetCode);

/// A payment and the indexes of its rows.
pub(super) struct Ledger<'a> {
    payment: &'a mut Payment,
    rows: BTreeMap<TxId, BTreeMap<Position, usize>>,
    /// The rows of further dust.
    dust: BTreeMap<AssetCode, usize>,
    spenders: BTreeMap<OutPoint, BTreeSet<TxId>>,
    /// Sums of rows and of what the facts bring beside them.
    sums: BTreeMap<Kind, Amount>,
    /// What the facts bring and no row holds yet.
    coming: BTreeMap<Kind, Amount>,
    /// Transactions whose inputs were compared with all others.
    compared: BTreeSet<TxId>,
}

impl<'a> Ledger<'a> {
    pub fn new(payment: &'a mut Payment, facts: &[Fact]) -> Self {
        let rows = std::mem::take(&mut payment.transfers);
        let mut ledger = Self {
            payment,
            rows: BTreeMap::new(),
            dust: BTreeMap::new(),
            spenders: BTreeMap::new(),
            sums: BTreeMap::new(),
            coming: BTreeMap::new(),
            compared: BTreeSet::new(),
        };
        for row in rows {
            ledger.add_to_sum(kind(row.txid, &row.asset), row.amount);
            ledger.insert(row);
        }
        ledger.expect(facts);
        ledger
    }

    /// Sums up the credits that no row holds yet, each once.
    fn expect(&mut self, facts: &[Fact]) {
        let mut known: BTreeSet<(TxId, &Position)> = BTreeSet::new();
        for credit in facts.iter().filter_map(credit_of) {
            let is_new = self.row(credit.txid, &credit.position).is_none()
                && known.insert((credit.txid, &credit.position));
            if is_new {
                let kind = kind(credit.txid, &credit.asset);
                let coming = self.coming.entry(kind.clone()).or_insert(Amount::ZERO);
                *coming = coming.saturating_add(credit.amount);
                self.add_to_sum(kind, credit.amount);
            }
        }
    }

    fn add_to_sum(&mut self, kind: Kind, amount: Amount) {
        let sum = self.sums.entry(kind).or_insert(Amount::ZERO);
        *sum = sum.saturating_add(amount);
    }

    /// The payment; its rows are to be changed through the ledger.
    pub const fn payment(&mut self) -> &mut Payment {
        self.payment
    }

    fn row(&self, txid: TxId, position: &Position) -> Option<usize> {
        let of_tx = self.rows.get(&txid)?;
        let first = of_tx.keys().next().filter(|_| planted(Bug::IdentityByTxid));
        of_tx.get(first.unwrap_or(position)).copied()
    }

    /// The row of a credit.
    pub fn find(&mut self, credit: &Credit) -> Option<&mut Transfer> {
        let row = self.row(credit.txid, &credit.position)?;
        self.payment.transfers.get_mut(row)
    }

    /// The first row of a transaction.
    pub fn first_of(&self, txid: TxId) -> Option<&Transfer> {
        let row = self.rows.get(&txid)?.values().min()?;
        self.payment.transfers.get(*row)
    }

    /// Whether a transaction has a row.
    pub fn pays_us(&self, txid: TxId) -> bool {
        self.rows.contains_key(&txid)
    }

    /// Changes every row of a transaction.
    pub fn each_of(&mut self, txid: TxId, change: impl Fn(&mut Transfer)) {
        for row in self.rows.get(&txid).into_iter().flat_map(BTreeMap::values) {
            if let Some(transfer) = self.payment.transfers.get_mut(*row) {
                change(transfer);
            }
        }
    }

    /// Adds the row of a credit that was coming.
    pub fn add(&mut self, row: Transfer) {
        if let Some(coming) = self.coming.get_mut(&kind(row.txid, &row.asset)) {
            *coming = coming.saturating_sub(row.amount);
        }
        self.insert(row);
    }

    fn insert(&mut self, row: Transfer) {
        let place = self.payment.transfers.len();
        let of_tx = self.rows.entry(row.txid).or_default();
        of_tx.insert(row.position.clone(), place);
        if row.position == Position::Dust {
            self.dust.entry(row.asset.clone()).or_insert(place);
        }
        for input in &row.inputs {
            self.spenders.entry(*input).or_default().insert(row.txid);
        }
        self.payment.transfers.push(row);
    }

    /// Takes note of what a transaction spends, in one row of it, and names the other
    /// transactions that spend any of the same; once.
    pub fn spends(&mut self, txid: TxId, inputs: &[OutPoint]) -> BTreeSet<TxId> {
        if inputs.is_empty() || !self.compared.insert(txid) {
            return BTreeSet::new();
        }
        self.remember_inputs(txid, inputs);
        let spenders = inputs.iter().filter_map(|input| self.spenders.get(input));
        let rivals = spenders.flatten().filter(|rival| **rival != txid);
        rivals.copied().collect()
    }

    fn remember_inputs(&mut self, txid: TxId, inputs: &[OutPoint]) {
        let Some(of_tx) = self.rows.get(&txid) else {
            return;
        };
        let rows = &mut self.payment.transfers;
        let knows = |row: &usize| rows.get(*row).is_some_and(|row| !row.inputs.is_empty());
        if of_tx.values().any(knows) {
            return;
        }
        let first = of_tx.values().min().copied();
        if let Some(row) = first.and_then(|first| rows.get_mut(first)) {
            row.inputs = inputs.to_vec();
            for input in inputs {
                self.spenders.entry(*input).or_default().insert(txid);
            }
        }
    }

    /// Whether a credit is dust beyond the rows that an address may fill.
    pub fn is_further_dust(&self, credit: &Credit) -> bool {
        let sum = self.sums.get(&kind(credit.txid, &credit.asset));
        let limit = dust::limit(&self.payment.terms, credit);
        self.payment.transfers.len() >= dust::MAX_ROWS && sum.is_some_and(|sum| *sum < limit)
    }

    /// Adds a transaction's dust to the one row that holds further dust of its asset. The row
    /// remembers the last place in the chain that it holds dust of and takes only later ones, so
    /// that the same block seen twice is added once; dust that a reorganisation brings again is
    /// not added again.
    pub fn aggregate(&mut self, credit: &Credit, anchor: Anchor) {
        let coming = self.coming.get(&kind(credit.txid, &credit.asset));
        let amount = coming.copied().unwrap_or(Amount::ZERO);
        if let Some(row) = self.further_dust(&credit.asset) {
            dust::add(row, amount, anchor);
        } else {
            let row = dust::row(
                new_row(credit, anchor.block.time, Place::Block(anchor)),
                amount,
            );
            self.insert(row);
        }
    }

    fn further_dust(&mut self, asset: &AssetCode) -> Option<&mut Transfer> {
        let row = *self.dust.get(asset)?;
        self.payment.transfers.get_mut(row)
    }
}

fn kind(txid: TxId, asset: &AssetCode) -> Kind {
    (txid, asset.clone())
}

const fn credit_of(fact: &Fact) -> Option<&Credit> {
    match fact {
        Fact::Mined { credit, .. } | Fact::Seen { credit, .. } => Some(credit),
        Fact::Disconnected { .. }
        | Fact::Weighed { .. }
        | Fact::Token { .. }
        | Fact::Untraced
        | Fact::BalanceSince { .. }
        | Fact::Balance { .. }
        | Fact::Dated { .. }
        | Fact::Listed { .. }
        | Fact::Evicted { .. }
        | Fact::Replaced { .. }
        | Fact::Conflicted { .. }
        | Fact::Scanned { .. }
        | Fact::ScanRefused { .. } => None,
    }
}
