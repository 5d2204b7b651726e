//! Which status the facts call for.
//!
//! One function a situation: open, expired, canceled, once paid, or settled by a person. Knows
//! money, decision and gate; knows nothing of amounts in the row, of flags or of the journal.

use super::{
    case::{Case, Depth},
    decision::{self, Decision, Pool},
    gate::Wait,
    money::Money,
};
use crate::domain::{
    amount::Amount,
    status::{Reason, Status},
};

/// A status that the facts call for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The status.
    pub status: Status,
    /// Why.
    pub reason: Option<Reason>,
    /// Whether the deadline was found passed just now.
    pub closes: bool,
    /// Whether the payment can no longer change from now on.
    pub finalizes: bool,
    /// What could change it without a new fact.
    pub waits: Vec<Wait>,
}

/// A status and its reason.
type Verdict = (Status, Option<Reason>);

impl Case<'_> {
    /// Judges.
    pub(super) fn rule(mut self) -> Ruling {
        let mut closes = false;
        let (status, reason) = match self.settled() {
            Some(verdict) => verdict,
            None => self.by_the_facts(&mut closes),
        };
        let finalizes = status == Status::Paid && self.finalizes();
        Ruling {
            status,
            reason,
            closes,
            finalizes,
            waits: if finalizes { Vec::new() } else { self.waits },
        }
    }

    /// What people or finality have settled and the facts no longer move.
    fn settled(&self) -> Option<Verdict> {
        let (history, prior) = (&self.payment.history, &self.payment.judged);
        if let Some(forced) = history.forced {
            Some((forced, Some(Reason::Forced)))
        } else if let Some(refund) = &history.refunded {
            Some((Status::Refunded, Some(refund.reason)))
        } else if history.is_final {
            Some((Status::Paid, prior.reason))
        } else if history.rejected {
            Some((Status::Invalid, prior.reason))
        } else if history.accepted.is_some() {
            Some((Status::Paid, Some(Reason::Operator)))
        } else {
            None
        }
    }

    fn by_the_facts(&mut self, closes: &mut bool) -> Verdict {
        self.wait_for_depths();
        if self.payment.history.ever_paid {
            self.once_paid()
        } else if decision::is_canceled(self.payment) {
            self.canceled()
        } else if self.payment.history.closed.is_some() {
            self.expired()
        } else {
            self.open(closes)
        }
    }

    /// Before the deadline, or beyond it with money that was on time.
    fn open(&mut self, closes: &mut bool) -> Verdict {
        if let Some(decision) = self.on_time() {
            return self.in_progress(decision);
        }
        if self.double_spent(true) && self.may_say(Status::Invalid) {
            return (Status::Invalid, Some(Reason::DoubleSpent));
        }
        match self.gate.deadline() {
            Ok(()) => {
                *closes = true;
                self.expired()
            }
            Err(wait) => {
                self.waits.push(wait);
                (Status::New, self.why_new())
            }
        }
    }

    /// Money on time decides by where it is and how much it is.
    fn in_progress(&mut self, decision: &Decision) -> Verdict {
        match self.depth_of(decision) {
            Depth::Unconfirmed if self.timed_out(decision) => {
                (Status::Invalid, Some(Reason::ConfirmTimeout))
            }
            Depth::Unconfirmed => (Status::Pending, None),
            Depth::Below => (Status::Confirming, None),
            Depth::Enough => self
                .at_depth(decision)
                .unwrap_or((Status::Confirming, None)),
        }
    }

    /// The verdict on money at depth; `None` while it may not be made.
    fn at_depth(&mut self, decision: &Decision) -> Option<Verdict> {
        match decision.pool {
            Pool::OnTime | Pool::Accepted if decision.covers() => self
                .may_pay(decision)
                .then(|| (Status::Paid, Some(self.paid_reason(decision.total)))),
            Pool::OnTime | Pool::Accepted => self.refused(decision, short_reason(decision)),
            Pool::Late => self.refused(decision, Reason::Late),
            Pool::AfterCancel => self.refused(decision, Reason::AfterCancel),
        }
    }

    fn refused(&mut self, decision: &Decision, reason: Reason) -> Option<Verdict> {
        self.may_refuse(decision)
            .then_some((Status::Invalid, Some(reason)))
    }

    /// After the deadline: money moves the status at depth only, wrong money that was in time at
    /// once.
    fn expired(&mut self) -> Verdict {
        let at_depth = match self.on_time() {
            Some(decision) if self.depth_of(decision) == Depth::Enough => {
                Some(self.at_depth(decision))
            }
            Some(_) | None => None,
        };
        match at_depth {
            Some(Some(verdict)) => verdict,
            Some(None) => self.as_it_was_after_the_deadline(),
            None => self.expired_without(),
        }
    }

    fn expired_without(&mut self) -> Verdict {
        let limit = decision::last_accepted_at(&self.payment.terms);
        let late = |m: &Money| m.expected && m.since > limit;
        let wrong = |m: &Money| !m.expected && m.is_live() && m.since <= limit;
        let wrong_late = |m: &Money| !m.expected;
        let (may_say, reason) = if let Some(top) = self.first_buried_at(late) {
            (self.may_refuse_by(top), Reason::Late)
        } else if self.any(wrong) {
            (self.may_refuse_seen(wrong), Reason::WrongAsset)
        } else if let Some(top) = self.first_buried_at(wrong_late) {
            (self.may_refuse_by(top), Reason::WrongAsset)
        } else {
            (false, Reason::Deadline)
        };
        if may_say {
            (Status::Invalid, Some(reason))
        } else {
            (Status::Expired, Some(Reason::Deadline))
        }
    }

    /// A rise that must wait leaves an expired payment where it was.
    fn as_it_was_after_the_deadline(&self) -> Verdict {
        let prior = &self.payment.judged;
        if prior.status == Status::Invalid {
            (prior.status, prior.reason)
        } else {
            (Status::Expired, Some(Reason::Deadline))
        }
    }

    /// After a cancel: only money of the expected asset moves the status, at depth.
    fn canceled(&mut self) -> Verdict {
        let closed = self.payment.history.closed.as_ref();
        let reason = closed.map_or(Reason::Gateway, |closed| closed.reason);
        match self.first_buried_at(|m: &Money| m.expected) {
            Some(top) if self.may_refuse_by(top) => (Status::Invalid, Some(Reason::AfterCancel)),
            Some(_) | None => (Status::Canceled, Some(reason)),
        }
    }

    /// Once paid, never again `new`, `expired` or `canceled`. That its money is gone is said at
    /// once, whatever the source's health: it would be `paid` on nothing otherwise.
    fn once_paid(&mut self) -> Verdict {
        let Some(decision) = self.decision else {
            return (Status::Invalid, Some(self.why_gone()));
        };
        match self.depth_of(decision) {
            Depth::Unconfirmed => (Status::Pending, None),
            Depth::Below => (Status::Confirming, None),
            Depth::Enough => self
                .at_depth(decision)
                .unwrap_or((Status::Confirming, None)),
        }
    }

    fn why_gone(&self) -> Reason {
        if self.double_spent(false) {
            Reason::DoubleSpent
        } else if self.any(|m| !m.expected && m.is_live()) {
            Reason::WrongAsset
        } else {
            Reason::Reorged
        }
    }

    /// Why nothing is live any more, if something was.
    fn why_new(&self) -> Option<Reason> {
        let gone = |m: &Money| m.expected && !m.is_live();
        if self.any(|m| gone(m) && m.ever_mined) {
            Some(Reason::Reorged)
        } else {
            self.any(gone).then_some(Reason::Dropped)
        }
    }

    fn paid_reason(&self, total: Amount) -> Reason {
        match total.cmp(&self.payment.terms.amount_expected) {
            std::cmp::Ordering::Less => Reason::WithinTolerance,
            std::cmp::Ordering::Equal => Reason::Exact,
            std::cmp::Ordering::Greater => Reason::Overpaid,
        }
    }
}

fn short_reason(decision: &Decision) -> Reason {
    if decision.split {
        Reason::Split
    } else {
        Reason::Underpaid
    }
}
