//! Flags that follow from the facts, and the causes for a person to look.
//!
//! Knows money, decision and history; changes nothing.

use super::{
    amounts::disposition,
    cause::{About, Cause},
    decision::Decision,
    money::Money,
    ruling::Ruling,
};
use crate::bugs::{Bug, planted};
use crate::domain::{
    block::TxId,
    evidence::Evidence,
    flags::{Flag, Flags},
    payment::Payment,
    status::Status,
    terms::Policy,
    token,
    transfer::Disposition,
};

/// The derived flags; the sticking ones are in the payment's history.
///
/// `duplicate` needs a deciding transaction that suffices: several insufficient ones are `split`.
/// After a refund any later money is `duplicate`.
#[must_use]
pub fn derived_flags(payment: &Payment, money: &[Money], decision: Option<&Decision>) -> Flags {
    let live = || money.iter().filter(|m| m.significant && m.is_live());
    let mut flags = Flags::NONE
        .with_if(Flag::WrongAsset, live().any(|m| !m.expected))
        .with_if(Flag::Late, live().any(|m| is_late(payment, m)))
        .with_if(Flag::Duplicate, live().any(|m| is_after_refund(payment, m)));
    if let Some(decision) = decision {
        let beside = money.iter().enumerate().any(|(index, m)| {
            m.expected && m.significant && m.is_live() && !decision.members.contains(&index)
        });
        let short = !decision.sufficient && !decision.total.is_zero();
        flags = flags
            .with_if(
                Flag::Overpaid,
                decision.total > payment.terms.amount_expected,
            )
            .with_if(Flag::Underpaid, short)
            .with_if(Flag::Split, decision.split)
            .with_if(Flag::Duplicate, decision.sufficient && beside);
    }
    flags
}

/// Whether money of the expected asset came after the deadline and its grace.
fn is_late(payment: &Payment, money: &Money) -> bool {
    money.expected && money.since > payment.terms.deadline()
}

fn is_after_refund(payment: &Payment, money: &Money) -> bool {
    let refund = payment.history.refunded.as_ref();
    refund.is_some_and(|refund| money.first_seen_at > refund.at)
}

/// Why a person should look.
#[must_use]
pub fn review_causes(
    payment: &Payment,
    money: &[Money],
    decision: Option<&Decision>,
    ruling: &Ruling,
) -> Vec<Cause> {
    let mut causes = causes_of_history(payment);
    if ruling.status == Status::Invalid {
        causes.push(Cause::Invalid(ruling.reason));
    }
    for (index, group) in money.iter().enumerate().filter(|(_, m)| m.significant) {
        let meaning = disposition(payment, index, group, decision);
        let about = |about: About| Cause::Money(about, group.txid);
        causes.extend(cause_of(payment, group, meaning, ruling).map(about));
        if is_after_refund(payment, group) && group.is_live() {
            causes.push(about(About::AfterRefund));
        }
    }
    causes.extend(doubted(payment));
    causes.extend(grown(payment));
    causes.extend(deprived(payment));
    causes.extend(untraced(payment, ruling));
    causes.extend(excess_cause(payment, money, decision));
    causes
}

fn causes_of_history(payment: &Payment) -> Vec<Cause> {
    let history = &payment.history;
    let reversals = Some(history.reversals).filter(|count| *count > 0);
    let refusal = payment.scan_refusal();
    let causes = [
        reversals.map(Cause::Reversal),
        history.held.as_ref().map(|hold| Cause::Held(hold.at)),
        refusal.map(|_| Cause::ScanRefused(payment.scan.from)),
        history.impossible.map(Cause::Impossible),
    ];
    causes.into_iter().flatten().collect()
}

fn cause_of(
    payment: &Payment,
    group: &Money,
    meaning: Disposition,
    ruling: &Ruling,
) -> Option<About> {
    if !group.is_live() {
        let lost = payment.history.is_final && meaning == Disposition::Counted;
        return lost.then_some(About::Lost);
    }
    match meaning {
        Disposition::WrongAsset => Some(About::WrongAsset),
        Disposition::AfterCancel => Some(About::AfterCancel),
        Disposition::Late => Some(About::Late),
        Disposition::Surplus => (!planted(Bug::SurplusUnflagged)).then_some(About::Surplus),
        Disposition::Short | Disposition::Counted => {
            (ruling.status == Status::Invalid).then_some(About::Invalid)
        }
        Disposition::Dust => None,
    }
}

/// Credits that one operator tells of and the balance contradicts.
fn doubted(payment: &Payment) -> impl Iterator<Item = Cause> {
    let transfers = payment.transfers.iter();
    let doubted = transfers.filter(|transfer| transfer.evidence == Evidence::Doubted);
    let live = doubted.filter(|t| t.place.is_live() && t.amount >= t.dust);
    live.map(|transfer| Cause::Money(About::Doubted, transfer.txid))
}

/// Money of which only is known that the balance grew by it.
fn grown(payment: &Payment) -> impl Iterator<Item = Cause> {
    let transfers = payment.transfers.iter();
    let grown = transfers.filter(|transfer| transfer.is_growth() && transfer.place.is_live());
    grown.map(|transfer| Cause::Money(About::Grown, transfer.txid))
}

/// A token's contract took the money on its address away, or keeps it there.
fn deprived(payment: &Payment) -> impl Iterator<Item = Cause> {
    let losses = token::losses(&payment.history.token_notices);
    losses.filter_map(|notice| Some(Cause::Token(notice.act, TxId::from_hex(&notice.txid)?)))
}

/// It is closed without knowing all that came.
fn untraced(payment: &Payment, ruling: &Ruling) -> Option<Cause> {
    let history = &payment.history;
    let is_degraded = history.needs_traces && history.sticky.has(Flag::Degraded);
    (ruling.status == Status::Expired && is_degraded).then_some(Cause::Untraced)
}

/// The deciding money exceeds what was asked for.
fn excess_cause(payment: &Payment, money: &[Money], decision: Option<&Decision>) -> Option<Cause> {
    let decision = decision.filter(|d| d.covers() && d.total > payment.terms.amount_expected)?;
    let last = money.get(*decision.members.last()?)?;
    let about = match payment.terms.policy {
        Policy::Single => About::Excess,
        Policy::Sum => About::ExcessSum,
    };
    Some(Cause::Money(about, last.txid))
}
