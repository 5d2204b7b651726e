//! Writing payments with their transfers and entries.
//!
//! Knows nothing of what becomes of a payment whose change is refused.

use super::journal::Journal;
use crate::{
    domain::{payment::Payment, step::PaymentStep},
    store::{
        error::Fault,
        rows::{self, field::integer},
    },
};
use rusqlite::{Connection, params, params_from_iter};

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
        journal.add_with(entry, payment.terms.metadata.as_deref())?;
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

/// Writes the changing columns of a payment whose entries are written.
pub(super) fn update(conn: &Connection, payment: &Payment) -> Result<(), Fault> {
    let values = rows::payment::update(payment)?;
    let changed = conn
        .prepare_cached(&rows::payment::UPDATE)?
        .execute(params_from_iter(values))?;
    (changed == 1)
        .then_some(())
        .ok_or_else(|| Fault::Guard(UNTOLD.to_owned()))
}
