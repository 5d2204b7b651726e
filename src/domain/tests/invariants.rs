//! What holds after every step of every story.

use super::{setup::shown, story::Story};
use crate::domain::{
    amount::Amount, apply::apply, event::EventKind, facts::Fact, payment::Payment, snapshot::Row,
    status::Status, step::PaymentStep, time::UnixMs, transfer::Disposition, view::ChainView,
};

/// Judging again at the same moment changes nothing, and neither do the last facts once more.
pub fn settled(payment: &Payment, facts: &[Fact], view: &ChainView, now: UnixMs) {
    unchanged(payment, &[], view, now);
    let rolls_back = |fact: &Fact| matches!(fact, Fact::Disconnected { .. });
    if !facts.iter().any(rolls_back) {
        unchanged(payment, facts, view, now);
    }
}

fn unchanged(payment: &Payment, facts: &[Fact], view: &ChainView, now: UnixMs) {
    if let Some(step) = apply(payment, facts, view, now) {
        assert_eq!(
            payment.judged, step.payment.judged,
            "judged twice: {facts:?}"
        );
        assert_eq!(
            payment.history, step.payment.history,
            "judged twice: {facts:?}"
        );
        panic!("changed without facts: {facts:?}");
    }
}

/// What a step says about itself.
pub fn of_step(before: &Payment, step: &PaymentStep, view: &ChainView) {
    for (row, transfer) in step.payment.transfers.iter().enumerate() {
        let differs = before.transfers.get(row) != Some(transfer);
        assert_eq!(differs, step.changed.contains(&row), "changed rows");
    }
    amounts_add_up(&step.payment);
    assert_eq!(step.payment.history.impossible, None, "impossible step");
    if let Some(last) = step.entries.last() {
        let row = serde_json::to_value(Row::of(&step.payment, view)).unwrap();
        let told = shown(last);
        for (name, value) in row.as_object().unwrap() {
            assert_eq!(told.get(name), Some(value), "column {name}");
        }
    } else {
        assert_eq!(before.judged_row(), step.payment.judged_row());
    }
}

/// `counted + surplus + short + late + after_cancel = received`, by transfers and by columns.
fn amounts_add_up(payment: &Payment) {
    let of = |wanted: &[Disposition]| {
        let rows = payment.transfers.iter();
        rows.filter(|t| t.place.is_live() && wanted.contains(&t.disposition))
            .fold(Amount::ZERO, |sum, t| sum.saturating_add(t.amount))
    };
    let judged = &payment.judged;
    let all = of(&[
        Disposition::Counted,
        Disposition::Surplus,
        Disposition::Short,
        Disposition::Late,
        Disposition::AfterCancel,
    ]);
    assert_eq!(all, judged.received, "received");
    let history = &payment.history;
    let settled = history.accepted.is_some() || history.is_final;
    if of(&[Disposition::Counted]).is_zero() && !settled {
        assert!(judged.surplus.is_zero(), "surplus of nothing");
    } else {
        let beyond = judged.received.saturating_sub(judged.counted);
        assert_eq!(judged.surplus, beyond, "counted + surplus");
        assert!(history.is_final || judged.received >= judged.counted);
    }
    let owed = judged.counted.saturating_add(judged.shortfall);
    assert_eq!(owed, payment.terms.amount_expected, "counted + shortfall");
}

/// A payment that changed without facts was due.
pub fn was_due(before: &Payment, after: &Payment, view: &ChainView) {
    if before.judged_row() == after.judged_row() {
        return;
    }
    let due = before.judged.due;
    let cursor = view.scanned.map(|cursor| cursor.id.height);
    let calm = view.healthy && view.frozen.is_none();
    let (was, is) = (&before.judged, &after.judged);
    if was.status == is.status && !calm {
        return; // Another reason for the same status is no verdict.
    }
    assert!(
        calm && before.scan.is_complete(),
        "a verdict out of season: {was:?}\n{is:?}"
    );
    let by_height = due.height.is_some() && due.height <= cursor;
    let by_safe = due.safe_height.is_some() && due.safe_height <= view.safe_height();
    let by_final = due.final_height.is_some() && due.final_height <= view.finalized;
    let by_traces = due.traced_height.is_some() && due.traced_height <= view.traced;
    let by_time = due.at.is_some() && due.at <= view.polled_at;
    assert!(
        by_height || by_safe || by_final || by_traces || by_time,
        "not due: {due:?}"
    );
}

/// Versions are dense, statuses form a path in the table, `paid` never goes silently.
pub fn of_journal(story: &Story) {
    let mut status = None;
    for (index, entry) in story.entries.iter().enumerate() {
        let version = u64::try_from(index).unwrap() + 1;
        assert_eq!(entry.payment.as_ref().unwrap().1, version, "dense versions");
        assert_eq!(entry.from, status, "path is broken");
        let to = entry.to.unwrap();
        if let Some(from) = entry.from {
            assert!(from == to || from.may_become(to), "{from} → {to}");
            let withdrawn = from == Status::Paid && !matches!(to, Status::Paid | Status::Refunded);
            let told = entry.kind == EventKind::Reversed;
            assert!(!withdrawn || told, "silent reversal");
            assert!(from == to || withdrawn || entry.kind == EventKind::Status);
        }
        assert_eq!(
            shown(entry)["status"],
            to.as_str(),
            "status in the snapshot"
        );
        status = Some(to);
    }
    assert_eq!(status, Some(story.payment.judged.status));
    let last = story.entries.last().unwrap();
    assert_eq!(story.payment.version, last.payment.as_ref().unwrap().1);
}

impl Payment {
    /// Every visible column but those that change with each entry.
    fn judged_row(&self) -> crate::domain::payment::Judgement {
        crate::domain::payment::Judgement {
            due: crate::domain::payment::Due::default(),
            ..self.judged.clone()
        }
    }
}
