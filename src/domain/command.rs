//! Requests about a payment that exists: when each is allowed and what it changes.
//!
//! A request changes the history or the terms; the judgement then follows as from any fact.
//! Whether a request has to wait for its chain ([`Command::waits_for_chain`]) and whether the
//! configuration allows it is decided before.

use super::{
    amount::Amount,
    apply::conclude,
    assess::{self, cause::Cause, money, money::Money},
    block::Height,
    flags::Flag,
    payment::{Acceptance, Closed, Payment, Refund, Scan, ScanFrom},
    register::{self, MAX_OPEN},
    request::{Command, Refusal, Request},
    status::{Reason, Status},
    step::PaymentStep,
    time::UnixMs,
    view::ChainView,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The longest transaction id in a request, in bytes.
const MAX_TXID: usize = 128;

/// What became of a request that was not refused.
#[derive(Debug, Clone, PartialEq)]
pub enum CarriedOut {
    /// It changed the payment; the first entry is its `command`.
    Applied(Box<PaymentStep>),
    /// The payment is already so.
    Duplicate(&'static str),
}

/// Carries a request out. A `register` for a payment that exists is refused; whether it asks for
/// the [same terms](register::same_terms) and is a duplicate is decided before.
///
/// # Errors
/// A refusal, when the payment's state does not allow it; nothing is changed then.
pub fn carry_out(
    payment: &Payment,
    command: &Command,
    request: &Request,
    view: &ChainView,
    now: UnixMs,
) -> Result<CarriedOut, Refusal> {
    if let Some(already) = already_so(payment, command) {
        return Ok(CarriedOut::Duplicate(already));
    }
    let case = Case {
        payment,
        view,
        now,
        by: request.decided_by(),
        money: money::gather_for_person(payment),
    };
    let after = case.after(command)?;
    let record = record(command, request);
    match conclude(payment, after, Some(record), view, now) {
        Some(step) => Ok(CarriedOut::Applied(Box::new(step))),
        None => Ok(CarriedOut::Duplicate("the request changes nothing")),
    }
}

fn already_so(payment: &Payment, command: &Command) -> Option<&'static str> {
    let status = payment.judged.status;
    match command {
        Command::Cancel if status == Status::Canceled => Some("the payment is canceled already"),
        Command::Reject { .. } if payment.history.rejected && !payment.judged.needs_review => {
            Some("the payment is rejected already")
        }
        Command::Refunded { .. } if status == Status::Refunded => {
            Some("the payment is refunded already")
        }
        Command::Force { status: wanted } if status == *wanted => {
            Some("the payment has that status already")
        }
        Command::Register(_)
        | Command::Force { .. }
        | Command::Cancel
        | Command::Accept { .. }
        | Command::Reject { .. }
        | Command::Ack { .. }
        | Command::Extend { .. }
        | Command::Refunded { .. }
        | Command::Rescan { .. } => None,
    }
}

/// A payment and a request about it.
struct Case<'a> {
    payment: &'a Payment,
    view: &'a ChainView,
    now: UnixMs,
    by: Reason,
    money: Vec<Money>,
}

impl Case<'_> {
    /// The payment as the request makes it, before it is judged again.
    fn after(&self, command: &Command) -> Result<Payment, Refusal> {
        match command {
            Command::Register(_) => Err(register::known_id_other_terms(&self.payment.id)),
            Command::Cancel => self.cancel(),
            Command::Accept { amount, .. } => self.accept(amount.as_deref()),
            Command::Reject { .. } => self.reject(),
            Command::Ack { .. } => Ok(self.ack()),
            Command::Extend { expires_at } => self.extend(*expires_at),
            Command::Refunded { txid, amount, .. } => {
                self.refunded(txid.as_deref(), amount.as_deref())
            }
            Command::Rescan { scan_from } => self.rescan(*scan_from),
            Command::Force { status } => self.force(*status),
        }
    }

    fn cancel(&self) -> Result<Payment, Refusal> {
        self.must_be("cancel", "not_new", &[Status::New])?;
        self.nothing_may_be_live("cancel")?;
        let mut after = self.payment.clone();
        after.history.closed = Some(Closed {
            status: Status::Canceled,
            reason: self.by,
            at: self.now,
        });
        Ok(after)
    }

    fn extend(&self, expires_at: UnixMs) -> Result<Payment, Refusal> {
        self.must_be("extend", "not_extendable", &[Status::New, Status::Expired])?;
        self.nothing_may_be_live("extend")?;
        if expires_at <= self.payment.terms.expires_at || expires_at <= self.now {
            let message = "the new expires_at is not later than the present one and than now";
            return Err(Refusal::new("deadline_passed", message));
        }
        if expires_at > self.now.plus(MAX_OPEN) {
            let message = "the new expires_at is more than a year ahead";
            return Err(Refusal::new("deadline_too_far", message));
        }
        let mut after = self.payment.clone();
        after.terms.expires_at = expires_at;
        after.history.closed = None;
        Ok(after)
    }

    fn accept(&self, amount: Option<&str>) -> Result<Payment, Refusal> {
        let allowed = [
            Status::New,
            Status::Pending,
            Status::Confirming,
            Status::Invalid,
            Status::Expired,
            Status::Canceled,
        ];
        self.must_be("accept", "not_acceptable", &allowed)?;
        self.check_amount(amount)?;
        if self.view.frozen.is_some() {
            let message = "the chain is frozen: no payment may become paid until it is released";
            return Err(Refusal::new("chain_frozen", message));
        }
        let txids = self.at_depth();
        if txids.is_empty() {
            let message = "no money to the address is at the required depth yet";
            return Err(Refusal::new("nothing_at_depth", message));
        }
        let mut after = self.reviewed(&|cause| !cause.is_reversal());
        after.history.sticky = after.history.sticky.with(Flag::Manual);
        after.history.rejected = false;
        after.history.accepted = Some(Acceptance {
            at: self.now,
            txids,
        });
        Ok(after)
    }

    fn reject(&self) -> Result<Payment, Refusal> {
        self.must_be("reject", "not_invalid", &[Status::Invalid])?;
        let mut after = self.reviewed(&|_| true);
        after.history.rejected = true;
        Ok(after)
    }

    fn ack(&self) -> Payment {
        self.reviewed(&|_| true)
    }

    /// A smaller amount than what was counted is a record of a partial refund and no more.
    fn refunded(&self, txid: Option<&str>, amount: Option<&str>) -> Result<Payment, Refusal> {
        self.must_be(
            "refunded",
            "not_refundable",
            &[Status::Paid, Status::Invalid],
        )?;
        if txid.is_some_and(|txid| txid.len() > MAX_TXID) {
            let message = format!("the txid is longer than {MAX_TXID} bytes");
            return Err(Refusal::new("bad_txid", message));
        }
        let amount = self.check_amount(amount)?;
        if amount.is_some_and(|amount| amount < self.payment.judged.counted) {
            return Ok(self.payment.clone());
        }
        let mut after = self.reviewed(&|cause| !cause.is_reversal());
        after.history.refunded = Some(Refund {
            at: self.now,
            reason: self.by,
        });
        Ok(after)
    }

    fn rescan(&self, from: ScanFrom) -> Result<Payment, Refusal> {
        if !self.payment.scan.is_complete() && self.payment.scan_refusal().is_none() {
            let message = "a scan of past blocks for this payment is under way";
            return Err(Refusal::new("scan_under_way", message));
        }
        if !self.payment.is_watched_at(self.now) {
            let message = "the address is watched no more; its later money may be another's";
            return Err(Refusal::new("watch_over", message));
        }
        let cursor = self.view.scanned.map(|cursor| cursor.id.height);
        if let ScanFrom::Height(from) = from
            && cursor.is_some_and(|cursor: Height| from > cursor)
        {
            let message = "scan_from is above the last scanned block";
            return Err(Refusal::new("nothing_to_scan", message));
        }
        let mut after = self.payment.clone();
        after.history.registered_from = Some(self.payment.registered_scan_from());
        after.history.scan_refused = None;
        after.scan = Scan::starting(from, cursor);
        Ok(after)
    }

    /// From now on nothing but another `force` moves it; readers see the steps of the table only.
    fn force(&self, status: Status) -> Result<Payment, Refusal> {
        let from = self.payment.judged.status;
        let may_become = |to: Status| {
            from.may_become(to) && (!self.payment.history.is_final || to == Status::Refunded)
        };
        if !may_become(status) {
            let next = Status::names(Status::ALL.iter().filter(|to| may_become(**to)), " or ");
            let next = if next.is_empty() {
                "nothing else"
            } else {
                &next
            };
            let message = format!("this payment is {from} and may become {next}, not {status}");
            return Err(Refusal::new("not_reachable", message));
        }
        let mut after = self.payment.clone();
        after.history.forced = Some(status);
        if matches!(status, Status::Expired | Status::Canceled) {
            after.history.closed = Some(Closed {
                status,
                reason: Reason::Forced,
                at: self.now,
            });
        }
        Ok(after)
    }

    fn must_be(&self, verb: &str, code: &'static str, allowed: &[Status]) -> Result<(), Refusal> {
        let status = self.payment.judged.status;
        if allowed.contains(&status) {
            return Ok(());
        }
        let message = format!(
            "{verb} needs a payment that is {}; this one is {status}",
            Status::names(allowed, " or ")
        );
        Err(Refusal::new(code, message))
    }

    fn nothing_may_be_live(&self, verb: &str) -> Result<(), Refusal> {
        if self.money.iter().any(|m| m.significant && m.is_live()) {
            let message = format!("money has come to the address; {verb} is not possible any more");
            return Err(Refusal::new("money_seen", message));
        }
        Ok(())
    }

    /// The transactions, of any asset, that an acceptance may rest on.
    fn at_depth(&self) -> Vec<String> {
        let may_rest = |money: &&Money| {
            let depth = self.payment.terms.depth;
            let buried_at = money.buried_at(depth);
            money.significant
                && money.is_deep(depth, self.view)
                && buried_at.is_some_and(|height| self.view.is_agreed(height))
        };
        let txids = self
            .money
            .iter()
            .filter(may_rest)
            .map(|m| m.txid.to_string());
        let unique: BTreeSet<String> = txids.collect();
        unique.into_iter().collect()
    }

    fn check_amount(&self, text: Option<&str>) -> Result<Option<Amount>, Refusal> {
        let Some(text) = text else {
            return Ok(None);
        };
        let bad = |why: String| Refusal::new("bad_amount", format!("the amount {why}"));
        let amount = Amount::parse(text, self.payment.terms.decimals)
            .map_err(|error| bad(error.to_string()))?;
        if amount.is_zero() {
            return Err(bad("is zero".to_owned()));
        }
        Ok(Some(amount))
    }

    /// The payment with these present causes for review put away. A refused change is always
    /// among them: a person looked.
    fn reviewed(&self, seen: &dyn Fn(Cause) -> bool) -> Payment {
        let mut after = self.payment.clone();
        let causes = assess::assess(self.payment, self.view, self.now).causes;
        let causes = causes.into_iter().filter(|cause| seen(*cause));
        let names = causes.map(|cause| cause.to_string());
        after.history.acked.extend(names);
        after.history.held = None;
        after
    }
}

/// What the entry `command` says of its request.
fn record(command: &Command, request: &Request) -> Map<String, Value> {
    let mut record = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        record.insert(name.to_owned(), value.unwrap_or(Value::Null));
    };
    let (txid, amount) = match command {
        Command::Accept { amount, .. } => (None, amount.clone()),
        Command::Refunded { txid, amount, .. } => (txid.clone(), amount.clone()),
        Command::Register(_)
        | Command::Cancel
        | Command::Reject { .. }
        | Command::Ack { .. }
        | Command::Extend { .. }
        | Command::Rescan { .. }
        | Command::Force { .. } => (None, None),
    };
    put("request_id", Some(request.request_id.clone().into()));
    put("kind", Some(request.kind.clone().into()));
    put("actor", request.actor.clone().map(Value::from));
    put("note", command.note().map(Value::from));
    put("amount", amount.map(Value::from));
    put("txid", txid.map(Value::from));
    record
}
