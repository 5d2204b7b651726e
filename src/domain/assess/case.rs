//! A payment before its judge: what is known about its money and what may be said now.
//!
//! Answers questions and collects what the answers wait for; decides no status.

use super::{
    decision::{self, Decision, Pool},
    gate::{Gate, Wait},
    money::Money,
};
use crate::domain::{
    block::Height,
    payment::Payment,
    status::{Reason, Status},
    time::UnixMs,
    view::ChainView,
};

/// A payment before its judge.
pub(super) struct Case<'a> {
    pub(super) payment: &'a Payment,
    view: &'a ChainView,
    now: UnixMs,
    money: &'a [Money],
    pub(super) decision: Option<&'a Decision>,
    pub(super) gate: Gate<'a>,
    pub(super) waits: Vec<Wait>,
}

/// How far a group of transactions has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// A part of it is in no block.
    Unconfirmed,
    /// In blocks, not yet deep enough.
    Below,
    /// Deep enough as a whole.
    Enough,
}

impl<'a> Case<'a> {
    /// A payment with its gathered money and the decision about it.
    pub(super) const fn new(
        payment: &'a Payment,
        view: &'a ChainView,
        now: UnixMs,
        money: &'a [Money],
        decision: Option<&'a Decision>,
    ) -> Self {
        Self {
            payment,
            view,
            now,
            money,
            decision,
            gate: Gate::new(payment, view, now),
            waits: Vec::new(),
        }
    }

    /// Whether a verdict other than `paid` may be said. Staying in it needs no permission, not even
    /// for another reason.
    pub(super) fn may_say(&mut self, status: Status) -> bool {
        let gate = self.gate.verdict();
        self.stays_or_may(status, gate)
    }

    fn stays_or_may(&mut self, status: Status, gate: Result<(), Wait>) -> bool {
        self.payment.judged.status == status || self.permitted(gate)
    }

    /// Whether `paid` may be said: it stays while the money that made it so stays where it was.
    pub(super) fn may_pay(&mut self, decision: &Decision) -> bool {
        self.still_paid() || self.permitted(self.gate.rest_on(self.buried_at(decision)))
    }

    /// Whether `invalid` may be said of money that decides.
    pub(super) fn may_refuse(&mut self, decision: &Decision) -> bool {
        self.may_refuse_by(self.buried_at(decision))
    }

    /// Whether `invalid` may be said because of blocks up to this height.
    pub(super) fn may_refuse_by(&mut self, top: Height) -> bool {
        let gate = self.refusal(top);
        self.stays_or_may(Status::Invalid, gate)
    }

    /// What stands against saying `invalid` because of blocks up to this height: more money may be in them.
    fn refusal(&self, top: Height) -> Result<(), Wait> {
        self.gate.rest_on(top)?;
        self.gate.traced_to(top)
    }

    /// Whether `invalid` may be said of money that was seen, wherever it is; what is in a block must be
    /// in one that is agreed on.
    pub(super) fn may_refuse_seen(&mut self, fits: impl Fn(&Money) -> bool) -> bool {
        let seen = self.money.iter().filter(|m| m.significant && fits(m));
        let heights = seen.map(Money::height);
        match heights.min().flatten() {
            Some(lowest) => self.may_refuse_by(lowest),
            None => self.may_say(Status::Invalid),
        }
    }

    /// The block that buried all of this money.
    fn buried_at(&self, decision: &Decision) -> Height {
        let depth = self.payment.terms.depth;
        let members = self.members(decision);
        let buried_at = members.iter().filter_map(|money| money.buried_at(depth));
        buried_at.max().unwrap_or_default()
    }

    pub(super) fn still_paid(&self) -> bool {
        let prior = &self.payment.judged;
        let stands = |m: &Money| {
            let block = m.anchor().map(|anchor| anchor.block.id);
            Some(m.txid) == prior.txid && block == prior.block.map(|b| b.id) && self.is_deep(m)
        };
        prior.status == Status::Paid && prior.block.is_some() && self.any(stands)
    }

    pub(super) fn permitted(&mut self, gate: Result<(), Wait>) -> bool {
        match gate {
            Ok(()) => true,
            Err(wait) => {
                self.waits.push(wait);
                false
            }
        }
    }

    /// Whether the money was seen, but in no block, for too long.
    pub(super) fn timed_out(&mut self, decision: &Decision) -> bool {
        let members = self.members(decision);
        let unconfirmed = members.iter().filter(|money| money.anchor().is_none());
        let Some(seen) = unconfirmed.map(|money| money.first_seen_at).min() else {
            return false;
        };
        let at = seen.plus(self.payment.terms.confirm_timeout);
        let prior = &self.payment.judged;
        let stays = prior.status == Status::Invalid
            && prior.reason == Some(Reason::ConfirmTimeout)
            && self.now > at;
        stays || self.permitted(self.gate.passed(at))
    }

    /// Whether what pays can no longer change.
    pub(super) fn finalizes(&mut self) -> bool {
        if self.payment.history.is_final {
            return false;
        }
        let Some(decision) = self.decision else {
            return false;
        };
        let members = self.members(decision);
        let heights = members.iter().map(|money| money.height());
        let Some(Some(top)) = heights
            .collect::<Option<Vec<_>>>()
            .map(|h| h.into_iter().max())
        else {
            return false;
        };
        if !self.view.is_final(top) {
            self.waits.push(Wait::Final(top));
            return false;
        }
        self.permitted(self.gate.rest_on(top))
    }

    pub(super) fn wait_for_depths(&mut self) {
        let depth = self.payment.terms.depth;
        for money in self.money.iter().filter(|money| money.significant) {
            self.waits.extend(money.waits(depth, self.view));
        }
    }

    pub(super) fn on_time(&self) -> Option<&'a Decision> {
        self.decision
            .filter(|decision| decision.pool == Pool::OnTime)
    }

    pub(super) fn members(&self, decision: &Decision) -> Vec<&'a Money> {
        let of = |index: &usize| self.money.get(*index);
        decision.members.iter().filter_map(of).collect()
    }

    pub(super) fn depth_of(&self, decision: &Decision) -> Depth {
        let members = self.members(decision);
        if decision::is_unconfirmed(&members) {
            Depth::Unconfirmed
        } else if members.iter().all(|money| self.is_deep(money)) {
            Depth::Enough
        } else {
            Depth::Below
        }
    }

    pub(super) fn is_deep(&self, money: &Money) -> bool {
        money.is_deep(self.payment.terms.depth, self.view)
    }

    pub(super) fn any(&self, fits: impl Fn(&Money) -> bool) -> bool {
        self.money.iter().any(|m| m.significant && fits(m))
    }

    /// The block that first buried money of this kind, if any is deep.
    pub(super) fn first_buried_at(&self, fits: impl Fn(&Money) -> bool) -> Option<Height> {
        let depth = self.payment.terms.depth;
        let is_deep = |m: &&Money| m.significant && fits(m) && self.is_deep(m);
        let deep = self.money.iter().filter(is_deep);
        deep.filter_map(|money| money.buried_at(depth)).min()
    }

    /// Whether a conflict confirmed against money of the payment.
    pub(super) fn double_spent(&self, in_time: bool) -> bool {
        let limit = decision::last_accepted_at(&self.payment.terms);
        self.any(|m| m.expected && m.conflicted && !m.is_live() && (!in_time || m.since <= limit))
    }
}
