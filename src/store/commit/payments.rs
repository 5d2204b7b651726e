//! Writing payments with their transfers and entries.
//!
//! Knows nothing of what becomes of a payment whose change is refused.

use super::journal::Journal;
use crate::{
    domain::{payment::Payment, status::Status, step::PaymentStep},
    store::{
        error::Fault,
        rows::{self, field::integer},
    },
};
use rusqlite::{Connection, params, params_from_iter};

/// Writes a payment: when it is new its first entry with the row, then transfers and entries, then
/// the row's changes. A row starts as its first entry says and the others move its status, so it
/// can say nothing that the journal does not. Says whether the payment took an address again that
/// it had given up.
pub(super) fn write(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
) -> Result<bool, Fault> {
    let payment = &step.payment;
    let window_open = payment.is_watched_at(journal.recorded_at());
    let mut entries = step.entries.iter();
    if step.is_new {
        let first = entries.next().ok_or_else(untold)?;
        insert(conn, payment, window_open, journal.add_of(payment, first)?)?;
    }
    write_transfers(conn, step)?;
    for entry in entries {
        journal.add_of(payment, entry)?;
    }
    if !step.is_new {
        update(conn, payment)?;
        return Ok(window_open && watch_again(conn, payment)?);
    }
    agrees_with_journal(conn, step).map(|()| false)
}

/// Writes the row of a payment whose first entry has this number.
fn insert(conn: &Connection, payment: &Payment, window_open: bool, seq: i64) -> Result<(), Fault> {
    let values = rows::payment::insert(payment, window_open, seq)?;
    conn.prepare_cached(&rows::payment::INSERT)?
        .execute(params_from_iter(values))?;
    Ok(())
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

fn untold() -> Fault {
    Fault::Guard("the payment's status or version is not what its entries tell".to_owned())
}

/// Whether a new payment's row, which only its entries moved, says what the payment does.
fn agrees_with_journal(conn: &Connection, step: &PaymentStep) -> Result<(), Fault> {
    let payment = &step.payment;
    let (status, version) = (payment.judged.status, payment.version);
    let agrees = match step.entries.len() {
        // The database takes no other row for it.
        1 => (status, version) == (Status::New, 1),
        _ => conn
            .prepare_cached("SELECT 1 FROM payment WHERE key = ? AND status = ? AND version = ?")?
            .exists(params![payment.key.0, status.as_str(), integer(version)?])?,
    };
    agrees.then_some(()).ok_or_else(untold)
}

/// Writes the changing columns of a payment whose entries are written.
pub(super) fn update(conn: &Connection, payment: &Payment) -> Result<(), Fault> {
    let values = rows::payment::update(payment)?;
    let changed = conn
        .prepare_cached(&rows::payment::UPDATE)?
        .execute(params_from_iter(values))?;
    (changed == 1).then_some(()).ok_or_else(untold)
}
