//! From two states of a payment to the entries that tell the difference.
//!
//! Knows nothing of why a payment was judged as it was; compares what was with what is.

use crate::bugs::{Bug, planted};
use crate::domain::{
    assess::is_reversal,
    event::{Entry, EventKind},
    payment::Payment,
    snapshot::{self, About, Row},
    status::{Reason, Status},
    time::UnixMs,
    token::TokenNotice,
    transfer::{Disposition, Place, Position, Transfer},
    view::ChainView,
};
use serde_json::{Map, Value};

/// Writes the entries of one step, each with the next version.
pub(super) struct Journal<'a> {
    before: &'a Payment,
    after: Payment,
    view: &'a ChainView,
    now: UnixMs,
    status: (Status, Option<Reason>),
    is_final: bool,
    entries: Vec<Entry>,
}

/// The payment with its new version, and the entries that lead there.
///
/// The order is: the request that was carried out, the transfers that it or the chain brought,
/// what a person should know, the new status, finality. Each entry shows the row as it is after
/// it; status, reason and `final` turn with their own entry.
pub(super) fn write(
    before: &Payment,
    after: Payment,
    command: Option<Map<String, Value>>,
    refund_lost: bool,
    view: &ChainView,
    now: UnixMs,
) -> (Payment, Vec<Entry>) {
    let mut journal = Journal {
        before,
        status: (before.judged.status, before.judged.reason),
        is_final: before.judged.is_final,
        after,
        view,
        now,
        entries: Vec::new(),
    };
    if let Some(command) = command {
        journal.add(EventKind::Command, Some(About::Command(command.into())));
    }
    journal.transfers();
    journal.attention();
    journal.status(refund_lost);
    journal.finality();
    journal.anything_else();
    if !journal.entries.is_empty() {
        journal.after.updated_at = now;
    }
    (journal.after, journal.entries)
}

impl Journal<'_> {
    fn transfers(&mut self) {
        let moved: Vec<Value> = self
            .after
            .transfers
            .iter()
            .enumerate()
            .filter(|(row, transfer)| is_news(self.before.transfers.get(*row), transfer))
            .map(|(_, transfer)| snapshot::transfer(transfer, self.after.kind, self.view))
            .collect();
        for transfer in moved {
            self.add(EventKind::Transfer, Some(About::Transfer(transfer)));
        }
    }

    fn attention(&mut self) {
        let mut causes: Vec<(&str, String)> = Vec::new();
        for (row, transfer) in self.after.transfers.iter().enumerate() {
            if is_newly_live(self.before.transfers.get(row), transfer) {
                causes.extend(about_new_money(&self.after, transfer));
            }
        }
        let impossible = self.after.history.impossible;
        if let Some(status) = impossible.filter(|_| impossible != self.before.history.impossible) {
            let from = self.before.judged.status;
            causes.push((
                "impossible_transition",
                format!("the facts ask for a step from {from} to {status}, which does not exist"),
            ));
        }
        if let Some(why) = self.after.scan_refusal()
            && self.before.scan_refusal() != Some(why)
        {
            let text = format!("past blocks cannot be scanned for it: {why}");
            causes.push(("scan_refused", text));
        }
        if self.after.history.is_final && lost_final_money(self.before, &self.after) {
            let text = "money of a final payment has left the chain".to_owned();
            causes.push(("final_money_lost", text));
        }
        causes.extend(new_acts(self.before, &self.after));
        for (code, message) in causes {
            let about = About::Attention(snapshot::attention(code, &message));
            self.add(EventKind::Attention, Some(about));
        }
    }

    fn status(&mut self, refund_lost: bool) {
        let from = self.status.0;
        let to = (self.after.judged.status, self.after.judged.reason);
        let is_reversal = is_reversal(from, to.0) && !planted(Bug::ReversalSilent);
        if refund_lost || is_reversal {
            self.turn(EventKind::Reversed, to);
        } else if self.status != to {
            self.turn(EventKind::Status, to);
        }
    }

    fn finality(&mut self) {
        if self.after.judged.is_final && !self.is_final {
            self.is_final = true;
            self.add(EventKind::Finalized, None);
        }
    }

    /// The row never differs from its last entry.
    fn anything_else(&mut self) {
        let changed = || Row::of(self.before, self.view) != Row::of(&self.after, self.view);
        if self.entries.is_empty() && changed() {
            self.turn(EventKind::Status, self.status);
        }
    }

    fn turn(&mut self, kind: EventKind, to: (Status, Option<Reason>)) {
        let from = self.status.0;
        self.status = to;
        self.add(kind, None);
        if let Some(entry) = self.entries.last_mut() {
            entry.from = Some(from);
        }
    }

    fn add(&mut self, kind: EventKind, about: Option<About<'_>>) {
        self.after.version = self.after.version.saturating_add(1);
        let (status, reason) = self.status;
        let row = Row::of(&self.after, self.view).amid(status, reason, self.is_final, self.now);
        let data = row.tell(about);
        self.entries.push(Entry {
            payment: Some((self.after.id.clone(), self.after.version)),
            kind,
            from: Some(status),
            to: Some(status),
            reason,
            data,
            occurred_at: self.now,
        });
    }
}

/// Whether a row is new or stands elsewhere, or less than before is only known to have grown; the row of further
/// dust is told of once.
fn is_news(before: Option<&Transfer>, after: &Transfer) -> bool {
    before.is_none_or(|before| {
        let is_explained = after.is_growth() && before.amount != after.amount;
        is_explained || (before.place != after.place && after.position != Position::Dust)
    })
}

fn is_newly_live(before: Option<&Transfer>, after: &Transfer) -> bool {
    after.place.is_live() && before.is_none_or(|before| !before.place.is_live())
}

fn about_new_money(payment: &Payment, transfer: &Transfer) -> Vec<(&'static str, String)> {
    let mut causes = Vec::new();
    let refund = payment.history.refunded.as_ref();
    if transfer.is_growth() {
        let amount = transfer.amount.display(transfer.decimals);
        let text = format!(
            "the balance of its address grew by {amount} {}, and by which transaction nobody can \
             tell: a person must look, and may accept it",
            transfer.asset
        );
        causes.push(("balance_grew", text));
    }
    if transfer.disposition == Disposition::Dust {
        return causes;
    }
    if transfer.disposition == Disposition::WrongAsset {
        let (asset, expected) = (&transfer.asset, &payment.terms.asset);
        let text = format!("{asset} came to an address that expects {expected}; it is not counted");
        causes.push(("wrong_asset", text));
    }
    if refund.is_some_and(|refund| transfer.first_seen_at > refund.at) {
        let text = "money came after the payment was refunded".to_owned();
        causes.push(("after_refund", text));
    }
    causes
}

fn lost_final_money(before: &Payment, after: &Payment) -> bool {
    before
        .transfers
        .iter()
        .zip(&after.transfers)
        .any(|(was, is)| {
            // What a balance grew by is still there once it is known what brought it.
            let is_explained = is.is_growth() && matches!(is.place, Place::Replaced { .. });
            let was_counted = was.disposition == Disposition::Counted && was.place.is_live();
            was_counted && !is.place.is_live() && !is_explained
        })
}

/// What tokens' administrations did that was not told before; the same log in another block was.
fn new_acts(before: &Payment, after: &Payment) -> Vec<(&'static str, String)> {
    let known = &before.history.token_notices;
    let is_known = |new: &TokenNotice| known.iter().any(|known| known.is_of_log_of(new));
    let acts = after.history.token_notices.iter();
    acts.filter(|notice| !is_known(notice))
        .map(|notice| (notice.act.as_str(), notice.sentence(after)))
        .collect()
}
