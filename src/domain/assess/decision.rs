//! Which transactions decide about a payment, and whether they suffice.
//!
//! Knows amounts and times of the money; knows nothing of depth or health.

use super::money::{Money, Standing};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    block::TxId,
    payment::Payment,
    status::Status,
    terms::{Policy, Terms},
    time::UnixMs,
    transfer::Disposition,
};

/// Why the deciding money was chosen from where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// It was on time, or inside `late_accept`.
    OnTime,
    /// Nothing was on time; it was late.
    Late,
    /// It came to a payment that had been withdrawn.
    AfterCancel,
    /// An operator accepted it.
    Accepted,
}

/// The deciding transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// As indexes into the gathered money, in order.
    pub members: Vec<usize>,
    /// Their sum in the expected asset.
    pub total: Amount,
    /// Whether the sum satisfies the amount rule, whatever the time.
    pub sufficient: bool,
    /// Where they were chosen from.
    pub pool: Pool,
    /// Whether the pool held several transactions and none sufficed (never under `sum`).
    pub split: bool,
}

impl Decision {
    /// Whether the payment's amount is covered: enough and in time, or accepted.
    #[must_use]
    pub fn covers(&self) -> bool {
        match self.pool {
            Pool::Accepted => true,
            Pool::OnTime => self.sufficient,
            Pool::Late | Pool::AfterCancel => false,
        }
    }
}

/// The last moment at which money counts as on time for the judgement, `late_accept` included.
#[must_use]
pub fn last_accepted_at(terms: &Terms) -> UnixMs {
    terms.deadline().plus(terms.late_accept)
}

/// Whether an amount satisfies the amount rule.
#[must_use]
pub fn suffices(terms: &Terms, amount: Amount) -> bool {
    amount.saturating_add(terms.allowed_shortfall) >= terms.amount_expected
}

/// Chooses the deciding transactions; `None` without significant live money of the asset.
#[must_use]
pub fn decide(payment: &Payment, money: &[Money]) -> Option<Decision> {
    if let Some(acceptance) = &payment.history.accepted {
        return Some(accepted(payment, money, &acceptance.txids));
    }
    if payment.history.is_final {
        return Some(settled(payment, money));
    }
    let live = |money: &Money| money.expected && money.significant && money.is_live();
    if is_canceled(payment) {
        return choose(payment, money, Pool::AfterCancel, live);
    }
    let limit = last_accepted_at(&payment.terms);
    choose(payment, money, Pool::OnTime, |money| {
        live(money) && (money.since <= limit || planted(Bug::LateCounted))
    })
    .or_else(|| choose(payment, money, Pool::Late, live))
}

/// Whether the gateway withdrew the payment.
#[must_use]
pub fn is_canceled(payment: &Payment) -> bool {
    let closed = payment.history.closed.as_ref();
    closed.is_some_and(|closed| closed.status == Status::Canceled)
}

fn choose(
    payment: &Payment,
    money: &[Money],
    pool: Pool,
    belongs: impl Fn(&Money) -> bool,
) -> Option<Decision> {
    let candidates: Vec<(usize, &Money)> = money
        .iter()
        .enumerate()
        .filter(|(_, money)| belongs(money))
        .collect();
    let members = match payment.terms.policy {
        Policy::Single => single(&payment.terms, &candidates),
        Policy::Sum => shortest_prefix(&payment.terms, &candidates),
    };
    if members.is_empty() {
        return None;
    }
    let total = total(money, &members);
    let sufficient = suffices(&payment.terms, total);
    let split =
        !sufficient && candidates.len() > 1 && matches!(payment.terms.policy, Policy::Single);
    Some(Decision {
        members,
        total,
        sufficient,
        pool,
        split,
    })
}

/// The earliest sufficient transaction, else the largest; of equals the earliest.
fn single(terms: &Terms, candidates: &[(usize, &Money)]) -> Vec<usize> {
    let sufficient = candidates
        .iter()
        .find(|(_, money)| suffices(terms, money.amount));
    let largest = || candidates.iter().rev().max_by_key(|(_, m)| m.amount);
    sufficient
        .or_else(largest)
        .map(|(index, _)| vec![*index])
        .unwrap_or_default()
}

/// As many transactions in order as suffice, else all.
fn shortest_prefix(terms: &Terms, candidates: &[(usize, &Money)]) -> Vec<usize> {
    let mut sum = Amount::ZERO;
    let mut members = Vec::new();
    for (index, money) in candidates {
        members.push(*index);
        sum = sum.saturating_add(money.amount);
        if suffices(terms, sum) {
            break;
        }
    }
    members
}

/// What an operator accepted, whatever the rules say of it.
fn accepted(payment: &Payment, money: &[Money], txids: &[String]) -> Decision {
    let is_accepted = |txid: &TxId| txids.contains(&txid.to_string());
    let members = money
        .iter()
        .enumerate()
        .filter(|(_, money)| money.significant && is_accepted(&money.txid))
        .map(|(index, _)| index)
        .collect();
    fixed(payment, money, members, Pool::Accepted)
}

/// What counted when the payment became final; it stays so.
fn settled(payment: &Payment, money: &[Money]) -> Decision {
    let counted = |row: &usize| {
        let transfer = payment.transfers.get(*row);
        transfer.is_some_and(|transfer| transfer.disposition == Disposition::Counted)
    };
    let members = money
        .iter()
        .enumerate()
        .filter(|(_, money)| money.rows.iter().any(counted))
        .map(|(index, _)| index)
        .collect();
    fixed(payment, money, members, Pool::OnTime)
}

fn fixed(payment: &Payment, money: &[Money], members: Vec<usize>, pool: Pool) -> Decision {
    let total = total(money, &members);
    Decision {
        members,
        total,
        sufficient: pool == Pool::OnTime || suffices(&payment.terms, total),
        pool,
        split: false,
    }
}

fn total(money: &[Money], members: &[usize]) -> Amount {
    members
        .iter()
        .filter_map(|index| money.get(*index))
        .filter(|money| money.expected)
        .fold(Amount::ZERO, |sum, money| sum.saturating_add(money.amount))
}

/// Whether any member is still without a block.
#[must_use]
pub fn is_unconfirmed(members: &[&Money]) -> bool {
    members
        .iter()
        .any(|money| !matches!(money.standing, Standing::Mined(_)))
}
