//! Flags that follow from the facts, and the causes for a person to look.
//!
//! Knows money, decision and history; changes nothing.

use super::{amounts::disposition, decision::Decision, money::Money, ruling::Ruling};
use crate::domain::{
    flags::{Flag, Flags},
    payment::Payment,
    status::{Reason, Status},
    terms::Policy,
    transfer::Disposition,
};

/// The prefix of the cause that only `ack` and `reject` put away.
pub const REVERSAL: &str = "reversal:";

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

/// Why a person should look, one name a cause. A cause names its transaction, so that new money
/// is a new cause.
#[must_use]
pub fn review_causes(
    payment: &Payment,
    money: &[Money],
    decision: Option<&Decision>,
    ruling: &Ruling,
) -> Vec<String> {
    let history = &payment.history;
    let mut causes = Vec::new();
    if history.reversals > 0 {
        causes.push(format!("{REVERSAL}{}", history.reversals));
    }
    if let Some(hold) = &history.held {
        causes.push(format!("held:{}", hold.at.0));
    }
    if payment.scan_refusal().is_some() {
        causes.push(format!("scan_refused:{}", payment.scan.from));
    }
    if let Some(status) = history.impossible {
        causes.push(format!("impossible:{status}"));
    }
    if ruling.status == Status::Invalid {
        causes.push(format!(
            "invalid:{}",
            ruling.reason.map_or("", Reason::as_str)
        ));
    }
    for (index, group) in money.iter().enumerate().filter(|(_, m)| m.significant) {
        let meaning = disposition(payment, index, group, decision);
        let about = |cause: &str| format!("{cause}:{}", short_id(group));
        causes.extend(cause_of(payment, group, meaning, ruling).map(about));
        if is_after_refund(payment, group) && group.is_live() {
            causes.push(about("after_refund"));
        }
    }
    causes.extend(excess_cause(payment, money, decision));
    causes
}

/// Transaction ids are cut to what tells them apart within one payment.
fn short_id(money: &Money) -> String {
    money.txid.to_string().chars().take(16).collect()
}

fn cause_of(
    payment: &Payment,
    group: &Money,
    meaning: Disposition,
    ruling: &Ruling,
) -> Option<&'static str> {
    if !group.is_live() {
        let lost = payment.history.is_final && meaning == Disposition::Counted;
        return lost.then_some("lost");
    }
    match meaning {
        Disposition::WrongAsset
        | Disposition::AfterCancel
        | Disposition::Late
        | Disposition::Surplus => Some(meaning.as_str()),
        Disposition::Short | Disposition::Counted => {
            (ruling.status == Status::Invalid).then_some("money")
        }
        Disposition::Dust => None,
    }
}

/// The deciding money exceeds what was asked for.
fn excess_cause(payment: &Payment, money: &[Money], decision: Option<&Decision>) -> Option<String> {
    let decision = decision.filter(|d| d.covers() && d.total > payment.terms.amount_expected)?;
    let last = money.get(*decision.members.last()?)?;
    let name = match payment.terms.policy {
        Policy::Single => "excess",
        Policy::Sum => "excess_sum",
    };
    Some(format!("{name}:{}", short_id(last)))
}
