//! What is left of a payment's change that the last guard refuses.
//!
//! The payment keeps its status and is held until a person looks: no verdict, no scan. Of its
//! transfers everything is written that can be, since the cursor passes the blocks of the step;
//! nothing stays anchored in a block that left the chain.

use super::{Kept, journal::Journal, payments};
use crate::{
    domain::{
        asset::ChainKind,
        block::Height,
        event::{Entry, EventKind},
        payment::{Due, Hold, Payment},
        snapshot::{About, Row, attention},
        step::{ChainStep, PaymentStep},
        transfer::{Position, Transfer},
        view::ChainView,
    },
    store::{
        error::Fault,
        load,
        queries::{self, holder},
        rows,
    },
};
use rusqlite::{Connection, params, params_from_iter};

/// The code of the entry that tells so.
const CHANGE_REFUSED: &str = "change_refused";

/// Writes a payment, or keeps it as it was when a guard refuses the change.
pub(super) fn write_or_keep(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
    chain: Option<&ChainStep>,
) -> Result<Result<bool, Kept>, Fault> {
    let mark = journal.mark();
    match within_savepoint(conn, || payments::write(conn, journal, step))? {
        Ok(watches_again) => Ok(Ok(watches_again)),
        Err(problem) => {
            journal.rewind(mark);
            let payment = keep(conn, journal, step, chain, &problem)?;
            Ok(Err(Kept {
                key: step.payment.key,
                id: step.payment.id.clone(),
                problem,
                payment: payment.map(Box::new),
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
    chain: Option<&ChainStep>,
    problem: &str,
) -> Result<Option<Payment>, Fault> {
    let stored = load::find(conn, &step.payment.id)?;
    let Some(stored) = stored.filter(|stored| stored.key == step.payment.key) else {
        journal.add(&unregistered(journal, step, problem))?;
        return Ok(None);
    };
    let chain = chain.filter(|chain| chain.view.name == stored.chain);
    if let Some(fork) = chain.and_then(|chain| chain.disconnected_to) {
        unanchor(conn, &stored, fork)?;
    }
    let complete = record(conn, step, &stored)?;
    let view = match chain {
        Some(chain) => chain.view.clone(),
        None => stored_view(conn, &stored)?,
    };
    hold(conn, journal, step, stored, &view, (problem, complete))?;
    load::find(conn, &step.payment.id)
}

/// Takes a payment's transfers out of blocks above the fork, as the domain does: the money falls
/// back to the mempool where there is one. What the step knows better is written afterwards.
fn unanchor(conn: &Connection, stored: &Payment, fork: Height) -> Result<(), Fault> {
    let loose = match stored.kind {
        ChainKind::Bitcoin => "mempool",
        ChainKind::Ethereum => "orphaned",
    };
    conn.prepare_cached(
        "UPDATE transfer
            SET state = CASE coinbase WHEN 1 THEN 'orphaned' ELSE ?3 END, block_height = NULL,
                block_hash = NULL, block_parent = NULL, block_at = NULL, tx_index = NULL
          WHERE payment_key = ?1 AND block_height > ?2 AND position <> 'dust'",
    )?
    .execute(params![stored.key.0, fork.0, loose])?;
    conn.prepare_cached(
        "UPDATE transfer
            SET conflict_height = NULL, conflict_hash = NULL, conflict_parent = NULL,
                conflict_at = NULL
          WHERE payment_key = ?1 AND conflict_height > ?2",
    )?
    .execute(params![stored.key.0, fork.0])?;
    Ok(())
}

/// Writes each changed transfer that can be written; whether none is missing. One that belongs to
/// another payment stays there and is not missing here.
fn record(conn: &Connection, step: &PaymentStep, stored: &Payment) -> Result<bool, Fault> {
    let mut complete = true;
    let mut next = stored.transfers.len();
    for &index in &step.changed {
        let Some(transfer) = step.payment.transfers.get(index) else {
            complete = false;
            continue;
        };
        let known = ordinal_of(stored, transfer);
        let holder = holder(conn, stored, transfer)?;
        if known.is_none() && holder.is_some_and(|holder| holder != stored.key) {
            continue;
        }
        let write = || {
            let values = rows::transfer::upsert(stored, known.unwrap_or(next), transfer)?;
            let mut statement = conn.prepare_cached(&rows::transfer::UPSERT)?;
            Ok(statement.execute(params_from_iter(values))?)
        };
        let written = within_savepoint(conn, write)?.is_ok();
        complete &= written;
        if written && known.is_none() {
            next = next.saturating_add(1);
        }
    }
    Ok(complete)
}

/// The row that a transfer has already; further dust is one row an asset.
fn ordinal_of(stored: &Payment, transfer: &Transfer) -> Option<usize> {
    stored.transfers.iter().position(|row| {
        row.is(transfer.txid, &transfer.position)
            && (transfer.position != Position::Dust || row.asset == transfer.asset)
    })
}

fn stored_view(conn: &Connection, payment: &Payment) -> Result<ChainView, Fault> {
    let chain = queries::chain(conn, &payment.chain)?;
    let gone = || Fault::Guard(format!("there is no chain {}", payment.chain));
    Ok(chain.ok_or_else(gone)?.view)
}

/// Holds the payment and tells so, unless the same was refused before and nobody looked since.
/// Nothing is due for it: it is judged again when something happens to it.
fn hold(
    conn: &Connection,
    journal: &mut Journal<'_>,
    step: &PaymentStep,
    mut payment: Payment,
    view: &ChainView,
    (problem, complete): (&str, bool),
) -> Result<(), Fault> {
    let status = step.payment.judged.status;
    let same = |hold: &Hold| hold.status == status && hold.problem == problem;
    let told = payment.history.held.as_ref().is_some_and(same);
    payment.judged.due = Due::default();
    if !told {
        let at = journal.recorded_at();
        payment.history.held = Some(Hold {
            at,
            status,
            problem: problem.to_owned(),
        });
        payment.judged.needs_review = true;
        payment.updated_at = at;
        payment.version = payment.version.saturating_add(1);
        journal.add_of(&payment, &refusal(&payment, view, complete))?;
    }
    payments::update(conn, &payment)
}

/// The entry that tells of a held payment.
fn refusal(payment: &Payment, view: &ChainView, complete: bool) -> Entry {
    let mut message = payment
        .history
        .held
        .as_ref()
        .map_or_else(String::new, |hold| {
            format!(
                "the database refused the change to {}: {}",
                hold.status, hold.problem
            )
        });
    if !complete {
        message.push_str("; not all of its transfers could be recorded");
    }
    let about = About::Attention(attention(CHANGE_REFUSED, &message));
    Entry {
        payment: Some((payment.id.clone(), payment.version)),
        kind: EventKind::Attention,
        from: Some(payment.judged.status),
        to: Some(payment.judged.status),
        reason: payment.judged.reason,
        data: Row::of(payment, view).tell(Some(about)),
        occurred_at: payment.updated_at,
    }
}

/// The entry that tells of a payment that is not there: there is nothing to show of it.
fn unregistered(journal: &Journal<'_>, step: &PaymentStep, problem: &str) -> Entry {
    let payment = &step.payment;
    let message = format!("the database refused payment {}: {problem}", payment.id);
    Entry {
        payment: None,
        kind: EventKind::Attention,
        from: None,
        to: None,
        reason: None,
        data: serde_json::json!({
            "payment_id": payment.id.as_str(),
            "chain": payment.chain.as_str(),
            "attention": attention(CHANGE_REFUSED, &message),
        })
        .to_string(),
        occurred_at: journal.recorded_at(),
    }
}
