//! What may be decided at this moment, and what a decision that may not be made waits for.
//!
//! Knows the chain's health, its progress and the clock; knows nothing of money.

use super::cause::{About, Cause};
use crate::bugs::{Bug, planted};
use crate::domain::{
    asset::ChainKind, balance, balance::Balance, block::Height, payment::Due, payment::Payment,
    time::CLOCK_STEP_MAX, time::SpanMs, time::UnixMs, transfer::Transfer, view::ChainView,
    view::TracedBy,
};

/// What must happen before a judgement can change by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// A person must look: the database refused a change.
    Review,
    /// The scan of past blocks for this payment must end.
    Scan,
    /// The source must be healthy again.
    Health,
    /// The chain must be released from its freeze.
    Thaw,
    /// A quorum of operators must hold our block at this height.
    Agreement(Height),
    /// A full poll must begin at or after this time.
    Poll(UnixMs),
    /// It must be known what contracts moved up to this height.
    Traces(Height),
    /// The balance of its address must be looked at, where nobody tells what contracts move.
    Balance,
    /// What one operator claims that contracts moved must be compared with somebody else's word.
    Witness,
    /// The cursor must reach this height.
    Cursor(Height),
    /// The block at this height must be called safe.
    Safe(Height),
    /// Finality must reach this height.
    Final(Height),
}

/// The state of the chain and the clock, as far as it holds judgements back.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    payment: &'a Payment,
    view: &'a ChainView,
    now: UnixMs,
}

impl<'a> Gate<'a> {
    /// The gate of one payment now.
    #[must_use]
    pub const fn new(payment: &'a Payment, view: &'a ChainView, now: UnixMs) -> Self {
        Self { payment, view, now }
    }

    /// Whether a verdict (`paid`, `expired`, `invalid`) may be made now: the source is healthy,
    /// the chain is not frozen, the payment's past is scanned, and no change of it was refused.
    ///
    /// A frozen chain holds back `expired` and `invalid` too: while our view of the chain is in
    /// doubt, nobody is told that their money did not come.
    ///
    /// # Errors
    /// What to wait for.
    pub fn verdict(&self) -> Result<(), Wait> {
        if self.payment.history.held.is_some() {
            Err(Wait::Review)
        } else if !self.payment.scan.is_complete() && !planted(Bug::PastUnscanned) {
            Err(Wait::Scan)
        } else if !self.view.healthy && !planted(Bug::UnhealthyJudges) {
            Err(Wait::Health)
        } else if self.view.frozen.is_some() && !planted(Bug::FrozenPays) {
            Err(Wait::Thaw)
        } else {
            Ok(())
        }
    }

    /// Whether a verdict on money at depth may rest on blocks up to this height, the one that
    /// buried it: enough operators must hold that block, and with it all below.
    ///
    /// # Errors
    /// What to wait for.
    pub fn rest_on(&self, top: Height) -> Result<(), Wait> {
        self.verdict()?;
        if self.view.is_agreed(top) || planted(Bug::QuorumIgnored) {
            Ok(())
        } else {
            Err(Wait::Agreement(top))
        }
    }

    /// Whether `at` is over for certain: the clock is beyond it, and so is the beginning of a
    /// full poll, so that everything that happened until then is known. A poll that began before
    /// the payment was registered knows nothing of it.
    ///
    /// # Errors
    /// What to wait for.
    pub fn passed(&self, at: UnixMs) -> Result<(), Wait> {
        // A time that is far from coming was told by a clock that was wrong then, and every poll
        // since that clock was mended is later.
        let registered_at = self.payment.history.registered_at;
        let soon = self.now.plus(CLOCK_STEP_MAX);
        let registered_at = registered_at.filter(|registered| *registered <= soon);
        let at = registered_at.map_or(at, |registered| at.max(registered));
        let polled = self.view.polled_at.is_some_and(|polled| polled > at);
        if self.now > at && (polled || planted(Bug::ExpireByWallClock)) {
            self.verdict()
        } else {
            Err(Wait::Poll(just_after(at)))
        }
    }

    /// Whether the payment's deadline is passed. On Ethereum a block that is agreed on must be later
    /// too, since there a block's time says when it was made; native money must also be traced.
    ///
    /// # Errors
    /// What to wait for.
    pub fn deadline(&self) -> Result<(), Wait> {
        let at = self.payment.terms.deadline();
        self.passed(at)?;
        if !self.scanned_beyond(at) {
            return Err(self.next_block());
        }
        let is_later = self.view.traced_at.is_some_and(|traced| traced > at);
        let top = self.view.agreed_height().unwrap_or_default();
        self.looked_at(|balance| balance.is_checked_beyond(at))?;
        self.traced(self.view.traced.is_none() || is_later, top)
    }

    /// Whether it is known what contracts moved up to this height, as far as that matters to the payment.
    ///
    /// # Errors
    /// What to wait for.
    pub fn traced_to(&self, top: Height) -> Result<(), Wait> {
        let traced = self.view.traced;
        self.looked_at(|balance| balance.is_checked_to(top))?;
        self.traced(traced.is_none_or(|traced| traced >= top), top)
    }

    /// Whether the balance was looked at, where that is how it is known what contracts move.
    fn looked_at(&self, is_enough: impl Fn(Balance) -> bool) -> Result<(), Wait> {
        let matters = self.view.traced_by == Some(TracedBy::Balance)
            && balance::is_looked_at(self.payment)
            && !planted(Bug::BalanceUnlooked);
        if !matters || self.payment.history.balance.is_some_and(is_enough) {
            Ok(())
        } else {
            Err(Wait::Balance)
        }
    }

    /// Whether a request may rest on what came up to this height. What only a balance tells of holds it not
    /// back: it waits for a person. Nor does a balance that was not looked at hold back who accepts.
    ///
    /// # Errors
    /// What to wait for.
    pub fn known_to(&self, top: Height, accepts: bool) -> Result<(), Wait> {
        if !accepts {
            self.looked_at(|balance| balance.is_checked_to(top))?;
        }
        let traced = self.view.traced;
        self.told(traced.is_none_or(|traced| traced >= top), top)
    }

    fn traced(&self, is_traced: bool, top: Height) -> Result<(), Wait> {
        if self.payment.history.needs_traces && self.has_live(|growth| self.is_open_growth(growth))
        {
            return Err(Wait::Witness);
        }
        self.told(is_traced, top)
    }

    /// What a person looked at and did not accept holds nothing back.
    fn is_open_growth(&self, transfer: &Transfer) -> bool {
        let cause = || Cause::Money(About::Grown, transfer.txid).to_string();
        transfer.is_growth() && !self.payment.history.acked.contains(&cause())
    }

    fn has_live(&self, is_meant: impl Fn(&Transfer) -> bool) -> bool {
        let mut transfers = self.payment.transfers.iter();
        transfers.any(|transfer| is_meant(transfer) && transfer.place.is_live())
    }

    fn told(&self, is_traced: bool, top: Height) -> Result<(), Wait> {
        if !self.payment.history.needs_traces || planted(Bug::UntracedJudged) {
            return Ok(());
        }
        if self.has_live(Transfer::is_claim) {
            Err(Wait::Witness)
        } else if is_traced {
            Ok(())
        } else {
            Err(Wait::Traces(top))
        }
    }

    fn scanned_beyond(&self, at: UnixMs) -> bool {
        match self.view.kind {
            ChainKind::Bitcoin => true,
            ChainKind::Ethereum => self.view.agreed.is_some_and(|block| block.time > at),
        }
    }

    /// Later blocks come with the cursor.
    fn next_block(&self) -> Wait {
        let agreed = self.view.agreed_height().unwrap_or_default();
        Wait::Cursor(agreed.plus(1))
    }
}

/// The first millisecond after a time.
#[must_use]
pub const fn just_after(at: UnixMs) -> UnixMs {
    at.plus(SpanMs(1))
}

/// When a payment with these waits must be judged again.
#[must_use]
pub fn due(waits: &[Wait]) -> Due {
    let mut due = Due::default();
    for wait in waits {
        match *wait {
            // Time and blocks change nothing about it; the request or the fact that ends it judges anew.
            Wait::Review | Wait::Witness | Wait::Balance => {}
            // Before every block on purpose: found by the first look that is allowed.
            Wait::Scan | Wait::Health | Wait::Thaw => {
                due.at = Some(UnixMs(0));
            }
            Wait::Poll(at) => due.at = Some(earliest(due.at, at)),
            Wait::Cursor(height) | Wait::Agreement(height) => {
                due.height = Some(earliest(due.height, height));
            }
            Wait::Traces(height) => {
                due.traced_height = Some(earliest(due.traced_height, height));
            }
            Wait::Safe(height) => due.safe_height = Some(earliest(due.safe_height, height)),
            Wait::Final(height) => due.final_height = Some(earliest(due.final_height, height)),
        }
    }
    due
}

fn earliest<T: Ord>(known: Option<T>, new: T) -> T {
    match known {
        Some(known) => known.min(new),
        None => new,
    }
}
