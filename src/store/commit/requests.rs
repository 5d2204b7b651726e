//! Writing what became of requests, and how far the inbox is read.

use super::Kept;
use crate::{
    domain::step::{InboxPosition, Outcome, RequestOutcome, Step},
    store::{error::Fault, rows::field::integer},
};
use rusqlite::{Connection, params};

pub(super) fn write(conn: &Connection, step: &Step, kept: &[Kept]) -> Result<(), Fault> {
    for outcome in &step.outcomes {
        let id = &outcome.request.payment_id;
        match kept.iter().find(|kept| kept.id.as_str() == id) {
            Some(kept) if outcome.version.is_some() => add(conn, step, &undone(outcome, kept))?,
            Some(_) | None => add(conn, step, outcome)?,
        }
    }
    if let Some(position) = &step.inbox {
        move_to(conn, position)?;
    }
    Ok(())
}

/// What became of a request whose payment the last guard kept as it was.
fn undone(outcome: &RequestOutcome, kept: &Kept) -> RequestOutcome {
    RequestOutcome {
        outcome: Outcome::Refused,
        code: "change_refused".to_owned(),
        message: format!("the payment was kept as it was: {}", kept.problem),
        version: None,
        ..outcome.clone()
    }
}

/// Writes an outcome unless its request has one: ids come from a file that others write, and no
/// id may make a commit fail.
fn add(conn: &Connection, step: &Step, outcome: &RequestOutcome) -> Result<(), Fault> {
    match insert(conn, step, outcome) {
        Err(fault) if fault.is_guard() && has_outcome(conn, outcome)? => Ok(()),
        done => done,
    }
}

fn has_outcome(conn: &Connection, outcome: &RequestOutcome) -> Result<bool, Fault> {
    let mut statement = conn.prepare_cached("SELECT 1 FROM request WHERE request_id = ?")?;
    Ok(statement.exists([&outcome.request.request_id])?)
}

fn insert(conn: &Connection, step: &Step, outcome: &RequestOutcome) -> Result<(), Fault> {
    let request = &outcome.request;
    let version = outcome
        .version
        .map_or(Ok(rusqlite::types::Value::Null), integer)?;
    let shown = |text| Some(text).filter(|text: &&String| !text.is_empty());
    conn.prepare_cached(
        "INSERT INTO request (request_id, payment_id, kind, outcome, code, message, actor, note,
                              event_seq, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
                 (SELECT seq FROM event WHERE version = ?9 AND payment_key =
                    (SELECT key FROM payment WHERE payment_id = ?2)), ?10)",
    )?
    .execute(params![
        request.request_id,
        request.payment_id,
        request.kind,
        outcome.outcome.as_str(),
        shown(&outcome.code),
        shown(&outcome.message),
        request.actor,
        outcome.note,
        version,
        step.at.0,
    ])?;
    Ok(())
}

fn move_to(conn: &Connection, position: &InboxPosition) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO inbox_position (one, inbox_id, seq) VALUES (1, ?1, ?2)
         ON CONFLICT (one) DO UPDATE SET inbox_id = excluded.inbox_id, seq = excluded.seq",
    )?
    .execute(params![position.inbox_id, position.seq])?;
    Ok(())
}
