//! Writing payments with their transfers and entries, and what is left when that is refused.

use super::{Kept, journal::Journal};
use crate::{
    domain::{
        event::{Entry, EventKind},
        payment::Payment,
        step::PaymentStep,
    },
    store::{
        error::Fault,
        rows::{self, field::integer},
    },
};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// Writes a payment: the row when it is new, then transfers and entries, then the row's changes.
/// The entries move its status, so a row can say nothing that the journal does not. Says whether
/// the payment took an address again that it had given up.
pub(super) fn write(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
) -> Result<bool, Fault> {
    let payment = &step.payment;
    let window_open = payment.is_watched_at(journal.recorded_at());
    if step.is_new {
        let values = rows::payment::insert(payment, window_open)?;
        conn.prepare_cached(&rows::payment::INSERT)?
            .execute(params_from_iter(values))?;
    }
    write_transfers(conn, step)?;
    for entry in &step.entries {
        if entry.payment.as_ref().map(|(id, _)| id) != Some(&payment.id) {
            return Err(Fault::Guard("an entry tells of another payment".to_owned()));
        }
        journal.add(entry)?;
    }
    if step.is_new {
        agrees_with_journal(conn, payment).map(|()| false)
    } else {
        update(conn, payment)?;
        Ok(window_open && watch_again(conn, payment)?)
    }
}

/// Takes an address again that was given up, unless another payment has it by now.
fn watch_again(conn: &Connection, payment: &Payment) -> Result<bool, Fault> {
    let changed = conn
        .prepare_cached(
            "UPDATE payment SET watching = 1
              WHERE key = ?1 AND watching = 0
                AND NOT EXISTS (SELECT 1 FROM payment AS other
                     WHERE other.chain_key = payment.chain_key
                       AND other.destination = payment.destination AND other.watching = 1)",
        )?
        .execute([payment.key.0])?;
    Ok(changed == 1)
}

fn write_transfers(conn: &Connection, step: &PaymentStep) -> Result<(), Fault> {
    for &ordinal in &step.changed {
        let transfer = step.payment.transfers.get(ordinal);
        let transfer =
            transfer.ok_or_else(|| Fault::Guard("a changed transfer is missing".to_owned()))?;
        let values = rows::transfer::upsert(&step.payment, ordinal, transfer)?;
        conn.prepare_cached(&rows::transfer::UPSERT)?
            .execute(params_from_iter(values))?;
    }
    Ok(())
}

const UNTOLD: &str = "the payment's status or version is not what its entries tell";

fn agrees_with_journal(conn: &Connection, payment: &Payment) -> Result<(), Fault> {
    let agrees = conn
        .prepare_cached("SELECT 1 FROM payment WHERE key = ? AND status = ? AND version = ?")?
        .exists(params![
            payment.key.0,
            payment.judged.status.as_str(),
            integer(payment.version)?
        ])?;
    agrees
        .then_some(())
        .ok_or_else(|| Fault::Guard(UNTOLD.to_owned()))
}

fn update(conn: &Connection, payment: &Payment) -> Result<(), Fault> {
    let values = rows::payment::update(payment)?;
    let changed = conn
        .prepare_cached(&rows::payment::UPDATE)?
        .execute(params_from_iter(values))?;
    (changed == 1)
        .then_some(())
        .ok_or_else(|| Fault::Guard(UNTOLD.to_owned()))
}

/// Writes a payment, or keeps it as it was when a guard refuses the change. What was seen on the
/// chain is recorded even then, where it can be: the cursor passes those blocks.
pub(super) fn write_or_keep(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
) -> Result<Result<bool, Kept>, Fault> {
    let mark = journal.mark();
    match within_savepoint(conn, || write(conn, journal, step))? {
        Ok(watches_again) => Ok(Ok(watches_again)),
        Err(problem) => {
            journal.rewind(mark);
            keep(conn, journal, step, &problem)?;
            Ok(Err(Kept {
                key: step.payment.key,
                id: step.payment.id.clone(),
                problem,
            }))
        }
    }
}

/// Runs `change` and undoes it when a guard refuses it; the text says what was refused.
fn within_savepoint<T>(
    conn: &Connection,
    change: impl FnOnce() -> Result<T, Fault>,
) -> Result<Result<T, String>, Fault> {
    conn.execute_batch("SAVEPOINT payment")?;
    match change() {
        Ok(done) => {
            conn.execute_batch("RELEASE payment")?;
            Ok(Ok(done))
        }
        Err(fault) if fault.is_guard() => {
            conn.execute_batch("ROLLBACK TO payment; RELEASE payment")?;
            Ok(Err(fault.text()))
        }
        Err(fault) => Err(fault),
    }
}

fn keep(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
    problem: &str,
) -> Result<(), Fault> {
    let id = &step.payment.id;
    let at = journal.recorded_at();
    let version: Option<i64> = conn
        .prepare_cached("SELECT version FROM payment WHERE key = ? AND payment_id = ?")?
        .query_row(params![step.payment.key.0, id.as_str()], |row| row.get(0))
        .optional()?;
    let version = version.and_then(|version| u64::try_from(version).ok());
    let transfers = match version {
        Some(_) => within_savepoint(conn, || write_transfers(conn, step))?,
        None => Ok(()),
    };
    if version.is_some() {
        conn.prepare_cached("UPDATE payment SET needs_review = 1, updated_at = ? WHERE key = ?")?
            .execute(params![at.0, step.payment.key.0])?;
    }
    journal.add(&Entry {
        payment: version.map(|version| (id.clone(), version.saturating_add(1))),
        kind: EventKind::Attention,
        from: None,
        to: None,
        reason: None,
        data: serde_json::json!({
            "payment_id": id.as_str(),
            "chain": step.payment.chain.as_str(),
            "attention": "change_refused",
            "message": problem,
            "refused_status": step.payment.judged.status.as_str(),
            "transfers_recorded": transfers.is_ok(),
        }),
        occurred_at: at,
    })
}
