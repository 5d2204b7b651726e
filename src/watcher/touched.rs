//! Which payments an input touches, and with which facts.

use crate::domain::{
    block::{BlockRef, TxId},
    facts::{Credit, Destination, Fact},
    payment::{Payment, PaymentKey},
    transfer::Position,
};
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
};

/// Facts by payment, each in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Touched {
    facts: BTreeMap<PaymentKey, Vec<Observed>>,
    loaded: BTreeMap<PaymentKey, Payment>,
}

/// A fact, and for one about an address its exact bytes.
#[derive(Debug)]
struct Observed {
    destination: Option<Destination>,
    fact: Fact,
}

impl Touched {
    /// Something happened to a payment, whatever its address.
    pub fn add(&mut self, key: PaymentKey, fact: Fact) {
        self.facts.entry(key).or_default().push(Observed {
            destination: None,
            fact,
        });
    }

    /// A credit, or what else happened to an address, that is the payment's if its address is exactly this.
    pub fn add_credit(&mut self, key: PaymentKey, destination: Destination, fact: Fact) {
        let destination = Some(destination);
        self.facts
            .entry(key)
            .or_default()
            .push(Observed { destination, fact });
    }

    /// The same happened to every touched and loaded payment of these.
    pub fn add_where(&mut self, is_meant: impl Fn(&Payment) -> bool, fact: &Fact) {
        for (key, observed) in &mut self.facts {
            if self.loaded.get(key).is_some_and(&is_meant) {
                observed.push(Observed {
                    destination: None,
                    fact: fact.clone(),
                });
            }
        }
    }

    /// Judge a payment again though nothing happened to it.
    pub fn again(&mut self, key: PaymentKey) {
        self.facts.entry(key).or_default();
    }

    /// Keeps payments that were loaded already.
    pub fn keep_loaded(&mut self, payments: Vec<Payment>) {
        self.loaded
            .extend(payments.into_iter().map(|payment| (payment.key, payment)));
    }

    /// Of blocks that are scanned for some payments, the others take nothing new: what lies before
    /// their own start is not theirs, and what they know is recorded.
    pub fn leave_to_those_who_look(&mut self) {
        self.leave(|payment, block| payment.scan.looks_at(block, payment.kind));
    }

    /// What is told late of a block belongs to those who had begun by then.
    pub fn leave_to_those_who_had_begun(&mut self) {
        self.leave(|payment, block| payment.scan.begins_before(block, payment.kind));
    }

    /// Others than these take nothing new.
    fn leave(&mut self, takes: impl Fn(&Payment, &BlockRef) -> bool) {
        for (key, observed) in &mut self.facts {
            let Some(payment) = self.loaded.get(key) else {
                continue;
            };
            let rows = LazyCell::new(|| Held::by(payment));
            observed.retain(|seen| match &seen.fact {
                Fact::Mined { credit, block, .. } => takes(payment, block) || rows.hold(credit),
                Fact::Token { block, .. } => takes(payment, block),
                Fact::Disconnected { .. }
                | Fact::Weighed { .. }
                | Fact::Untraced
                | Fact::BalanceSince { .. }
                | Fact::Balance { .. }
                | Fact::Seen { .. }
                | Fact::Dated { .. }
                | Fact::Listed { .. }
                | Fact::Evicted { .. }
                | Fact::Replaced { .. }
                | Fact::Conflicted { .. }
                | Fact::Scanned { .. }
                | Fact::ScanRefused { .. } => true,
            });
        }
    }

    /// Whether a payment is touched.
    pub fn contains(&self, key: PaymentKey) -> bool {
        self.facts.contains_key(&key)
    }

    /// The touched payments that are not loaded yet.
    pub fn unloaded(&self) -> Vec<PaymentKey> {
        self.facts
            .keys()
            .filter(|key| !self.loaded.contains_key(*key))
            .copied()
            .collect()
    }

    /// Every loaded payment with its facts; credits to another address are left out.
    pub fn into_payments(mut self) -> impl Iterator<Item = (Payment, Vec<Fact>)> {
        self.facts.into_iter().filter_map(move |(key, observed)| {
            let payment = self.loaded.remove(&key)?;
            let facts = observed
                .into_iter()
                .filter(|seen| {
                    seen.destination
                        .is_none_or(|bytes| bytes == payment.destination)
                })
                .map(|seen| seen.fact)
                .collect();
            Some((payment, facts))
        })
    }
}

/// What the rows of a payment are called.
struct Held<'a>(BTreeSet<(TxId, &'a Position)>);

impl<'a> Held<'a> {
    fn by(payment: &'a Payment) -> Self {
        let rows = payment.transfers.iter();
        Self(rows.map(|row| (row.txid, &row.position)).collect())
    }

    /// Whether one of them is this credit, or sums up such ones.
    fn hold(&self, credit: &Credit) -> bool {
        let sum = Position::Sum(credit.asset.clone());
        [&credit.position, &sum]
            .into_iter()
            .any(|position| self.0.contains(&(credit.txid, position)))
    }
}
