//! The amount columns of a payment and what each transfer means for it.
//!
//! Knows money and decision; knows nothing of statuses or of the chain.

use super::{
    decision::{self, Decision, Pool},
    money::{self, Money},
};
use crate::domain::{
    amount::Amount,
    payment::Payment,
    transfer::{Disposition, Transfer},
};

/// The amount columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// Live significant money of the expected asset.
    pub received: Amount,
    /// What of it pays.
    pub counted: Amount,
    /// What is missing.
    pub shortfall: Amount,
    /// What is too much, once the amount is covered.
    pub surplus: Amount,
}

/// The amount columns of a payment with this money.
#[must_use]
pub fn amounts(payment: &Payment, money: &[Money], decision: Option<&Decision>) -> Amounts {
    let received = money
        .iter()
        .filter(|money| money.expected && money.significant && money.is_live())
        .fold(Amount::ZERO, |sum, money| sum.saturating_add(money.amount));
    let expected = payment.terms.amount_expected;
    let counted = decision.map_or(Amount::ZERO, |decision| match decision.pool {
        Pool::OnTime | Pool::Accepted => decision.total.min(expected),
        Pool::Late | Pool::AfterCancel => Amount::ZERO,
    });
    let covered = decision.is_some_and(Decision::covers);
    Amounts {
        received,
        counted,
        shortfall: expected.saturating_sub(counted),
        surplus: if covered {
            received.saturating_sub(counted)
        } else {
            Amount::ZERO
        },
    }
}

/// What each transfer means, in the order of the payment's transfers.
#[must_use]
pub fn dispositions(
    payment: &Payment,
    money: &[Money],
    decision: Option<&Decision>,
) -> Vec<Disposition> {
    // What nobody vouches for means nothing.
    let before = |transfer: &Transfer| {
        if money::is_vouched_for(transfer) {
            transfer.disposition
        } else {
            Disposition::Dust
        }
    };
    let mut by_row: Vec<Disposition> = payment.transfers.iter().map(before).collect();
    for (index, group) in money.iter().enumerate() {
        let meaning = disposition(payment, index, group, decision);
        for row in &group.rows {
            if let Some(slot) = by_row.get_mut(*row) {
                *slot = meaning;
            }
        }
    }
    by_row
}

/// The first that fits. Money that is gone is short of everything, `counted` only where finality
/// fixed it. Under an amount that is not covered all money on time is `short`, so that
/// `surplus` transfers exist only where the column `surplus` does.
#[must_use]
pub fn disposition(
    payment: &Payment,
    index: usize,
    group: &Money,
    decision: Option<&Decision>,
) -> Disposition {
    let decides = decision.is_some_and(|decision| decision.members.contains(&index));
    let settled = decides && decision.is_some_and(Decision::covers);
    if !group.significant {
        Disposition::Dust
    } else if !group.expected {
        Disposition::WrongAsset
    } else if settled {
        Disposition::Counted
    } else if decision::is_canceled(payment) {
        Disposition::AfterCancel
    } else if group.since > decision::last_accepted_at(&payment.terms) {
        Disposition::Late
    } else if group.is_live() && decision.is_some_and(Decision::covers) {
        Disposition::Surplus
    } else {
        Disposition::Short
    }
}
