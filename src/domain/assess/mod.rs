//! The judgement of one payment: a pure function of its facts, its history, the chain and the
//! clock.
//!
//! A judgement looks at everything anew each time; a transition is the difference between two of
//! them. Nothing in here changes a transfer or writes a journal.

pub mod amounts;
pub mod case;
pub mod cause;
pub mod decision;
pub mod gate;
pub mod marks;
pub mod money;
pub mod ruling;

use self::{
    amounts::Amounts,
    case::Case,
    cause::Cause,
    decision::Decision,
    gate::{Wait, just_after},
    money::{Money, Standing},
    ruling::Ruling,
};
use super::{
    block::BlockRef,
    flags::Flag,
    payment::{Closed, History, Judgement, Payment, ScanFrom},
    register::slack,
    status::{Reason, Status},
    time::{SpanMs, UnixMs},
    transfer::Disposition,
    view::ChainView,
};

/// After so long nodes drop what was not mined (`-mempoolexpiry` of Bitcoin Core: 336 hours). One that keeps it longer
/// keeps no address watched.
const MEMPOOL_EXPIRY: SpanMs = SpanMs::from_secs(336 * 3600);

/// A payment judged, and what the judgement adds to its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The derived columns of its row.
    pub judgement: Judgement,
    /// The history from now on.
    pub history: History,
    /// What each transfer means, in the order of the payment's transfers.
    pub dispositions: Vec<Disposition>,
    /// Every cause for review, acknowledged or not.
    pub causes: Vec<Cause>,
    /// What could change the judgement without a new fact.
    pub waits: Vec<Wait>,
}

/// Judges a payment now.
///
/// The payment's own last judgement counts as what was announced: a verdict that needed
/// permission to be said needs none to stay. A status that the transition table does not have is
/// not taken: the payment stays as it was and `history.impossible` names it.
#[must_use]
pub fn assess(payment: &Payment, view: &ChainView, now: UnixMs) -> Assessment {
    let money = money::gather(payment);
    let decision = decision::decide(payment, &money);
    let wanted = Case::new(payment, view, now, &money, decision.as_ref()).rule();
    let (ruling, impossible) = lawful(payment, wanted);
    let judged = Payment {
        history: History {
            impossible,
            ..remember(payment, &ruling, view, now)
        },
        ..payment.clone()
    };
    conclude(&judged, &money, decision.as_ref(), &ruling, view, now)
}

/// The ruling, or what was when the transition table has no such step.
fn lawful(payment: &Payment, wanted: Ruling) -> (Ruling, Option<Status>) {
    let prior = &payment.judged;
    if prior.status == wanted.status || prior.status.may_become(wanted.status) {
        return (wanted, None);
    }
    let kept = Ruling {
        status: prior.status,
        reason: prior.reason,
        closes: false,
        finalizes: false,
        waits: Vec::new(),
    };
    (kept, Some(wanted.status))
}

/// What the ruling adds to the payment's history.
fn remember(payment: &Payment, ruling: &Ruling, view: &ChainView, now: UnixMs) -> History {
    let (mut history, prior) = (payment.history.clone(), &payment.judged);
    if (prior.status, prior.reason) != (ruling.status, ruling.reason) {
        history.status_at = Some(now);
    }
    if ruling.closes {
        history.closed = Some(Closed {
            status: Status::Expired,
            reason: Reason::Deadline,
            at: now,
        });
        if may_lack_traces(payment, view) {
            history.sticky = history.sticky.with(Flag::Degraded);
        }
    }
    if is_reversal(prior.status, ruling.status) {
        history.reversals = history.reversals.saturating_add(1);
        history.sticky = history.sticky.with(Flag::Reversed);
    }
    match ruling.status {
        Status::Paid => {
            history.ever_paid = true;
            history.paid_at = history.paid_at.or(Some(now));
        }
        Status::Refunded => {}
        Status::New
        | Status::Pending
        | Status::Confirming
        | Status::Invalid
        | Status::Expired
        | Status::Canceled => history.paid_at = None,
    }
    history.is_final |= ruling.finalizes;
    history
}

/// Whether nobody can tell what contracts moved in a block that may hold the payment's money. When it was registered says
/// nothing of that: blocks have times of their own, and after an outage old ones come after the requests.
fn may_lack_traces(payment: &Payment, view: &ChainView) -> bool {
    let is_in_it = match payment.registered_scan_from() {
        ScanFrom::Time(from) => {
            let since = from.minus(slack(payment.kind));
            view.untraced_at.is_some_and(|at| at >= since)
        }
        ScanFrom::Height(from) => view.untraced_height.is_some_and(|height| height >= from),
    };
    payment.history.needs_traces && is_in_it
}

/// Whether a step withdraws a `paid`; a refund does not.
#[must_use]
pub const fn is_reversal(from: Status, to: Status) -> bool {
    match to {
        Status::Paid | Status::Refunded => false,
        Status::New
        | Status::Pending
        | Status::Confirming
        | Status::Invalid
        | Status::Expired
        | Status::Canceled => matches!(from, Status::Paid),
    }
}

/// Derives every column from the payment with its new history.
fn conclude(
    payment: &Payment,
    money: &[Money],
    decision: Option<&Decision>,
    ruling: &Ruling,
    view: &ChainView,
    now: UnixMs,
) -> Assessment {
    let sums = amounts::amounts(payment, money, decision);
    let causes = marks::review_causes(payment, money, decision, ruling);
    let is_open = |cause: &Cause| !payment.history.acked.contains(&cause.to_string());
    let mut waits = ruling.waits.clone();
    let watch_until_at = watch_until(payment, money, ruling);
    waits.extend(watch_wait(watch_until_at, view));
    Assessment {
        judgement: Judgement {
            needs_review: causes.iter().any(is_open),
            watch_until_at,
            due: gate::due(&waits),
            flags: marks::derived_flags(payment, money, decision).union(payment.history.sticky),
            closed_at: payment.history.closed.as_ref().map(|closed| closed.at),
            paid_at: payment.history.paid_at,
            is_final: payment.history.is_final,
            ..judgement(payment, money, decision, ruling, sums, now)
        },
        history: payment.history.clone(),
        dispositions: amounts::dispositions(payment, money, decision),
        causes,
        waits,
    }
}

/// The columns about money.
fn judgement(
    payment: &Payment,
    money: &[Money],
    decision: Option<&Decision>,
    ruling: &Ruling,
    sums: Amounts,
    now: UnixMs,
) -> Judgement {
    let last = decision
        .and_then(|decision| decision.members.last())
        .and_then(|index| money.get(*index));
    let block = last.and_then(Money::anchor).map(|anchor| anchor.block);
    let first_seen = money
        .iter()
        .filter(|m| m.expected && m.significant && m.is_live())
        .map(|m| m.first_seen_at);
    Judgement {
        status: ruling.status,
        reason: ruling.reason,
        received: sums.received,
        counted: sums.counted,
        shortfall: sums.shortfall,
        surplus: sums.surplus,
        txid: last.map(|money| money.txid),
        block,
        first_seen_at: first_seen.min(),
        confirmed_at: confirmed_at(payment, last, block, now),
        ..payment.judged.clone()
    }
}

/// When the deciding transaction was first seen in a block; kept when it moves to another one.
fn confirmed_at(
    payment: &Payment,
    last: Option<&Money>,
    block: Option<BlockRef>,
    now: UnixMs,
) -> Option<UnixMs> {
    let prior = &payment.judged;
    let same = last.map(|money| money.txid) == prior.txid;
    block?;
    prior.confirmed_at.filter(|_| same).or(Some(now))
}

/// Until when the address is watched; without end while money is on its way or may still be
/// taken back. Money that comes too late to be waited for may be mined as long as nodes keep it.
fn watch_until(payment: &Payment, money: &[Money], ruling: &Ruling) -> Option<UnixMs> {
    let history = &payment.history;
    let open = match ruling.status {
        Status::Pending | Status::Confirming => true,
        Status::Paid => !history.is_final,
        Status::New | Status::Invalid | Status::Expired | Status::Canceled | Status::Refunded => {
            false
        }
    };
    let last = [history.status_at, history.money_at];
    let last = last.into_iter().flatten().max();
    let from = last.map_or(payment.terms.expires_at, |at| {
        at.max(payment.terms.expires_at)
    });
    let unconfirmed = money
        .iter()
        .filter(|money| money.significant && money.standing == Standing::Mempool);
    let kept = unconfirmed.map(|money| {
        let came = history
            .money_at
            .map_or(money.first_seen_at, |at| at.max(money.first_seen_at));
        came.plus(MEMPOOL_EXPIRY)
    });
    let end = from.plus(payment.terms.watch_after_close);
    (!open).then(|| kept.fold(end, UnixMs::max))
}

/// The end of the watch changes nothing in the row, but the watcher forgets the address then.
fn watch_wait(watch_until: Option<UnixMs>, view: &ChainView) -> Option<Wait> {
    let end = just_after(watch_until?);
    let reached = view.polled_at.is_some_and(|polled| polled >= end);
    (!reached).then_some(Wait::Poll(end))
}
