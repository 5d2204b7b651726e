//! Committing a step: one transaction, all of it or nothing.
//!
//! Knows the order in which a step's parts are written and what the last guard does; each part
//! has its file. Nothing here judges a payment.

mod chain;
mod journal;
mod keep;
mod payments;
mod requests;

use super::{
    Store,
    error::{Fault, StoreError},
    head::Mark,
    watches::Watched,
};
use crate::{
    bugs::{Bug, planted},
    crash,
    domain::{
        payment::{Payment, PaymentId, PaymentKey},
        step::Step,
    },
};
use journal::Journal;
use rusqlite::{Transaction, TransactionBehavior};

pub(super) use chain::recent;
pub(super) use journal::last_seq;

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The first journal number of the step; `None` when it told nothing.
    pub first_seq: Option<i64>,
    /// The highest number of the whole journal; 0 for an empty one.
    pub last_seq: i64,
    /// Payments that the last guard kept as they were; the rest of the step is committed.
    pub kept: Vec<Kept>,
    /// Payments that are watched again though they had given up their address: look out for it.
    pub watched_again: Vec<Watched>,
}

/// A payment whose change the last guard refused: its status stays, it gets no verdict until a
/// person looked, and the journal says so once. Its transfers left the blocks that left the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub key: PaymentKey,
    /// Its name.
    pub id: PaymentId,
    /// What was refused.
    pub problem: String,
    /// The payment as its row is now; `None` when it was to be registered.
    pub payment: Option<Box<Payment>>,
}

/// What happens to the rest of a step when one payment's change is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nothing is committed: the ordinary way, without savepoints.
    FailsStep,
    /// The payment is kept as it was, the rest is committed.
    KeepsPayment,
}

impl Store {
    /// Commits a step: payments, transfers, journal, outcomes, cursor and inbox position. A
    /// failed commit leaves no trace.
    ///
    /// # Errors
    /// By what the caller does; see [`StoreError`]. After [`StoreError::Io`] and
    /// [`StoreError::Corrupt`] every later commit fails the same.
    pub fn commit(&mut self, step: &Step) -> Result<Committed, StoreError> {
        self.sound()?;
        let outcome = match self.attempt(step, Refusal::FailsStep) {
            Err(fault) if fault.is_guard() => self.attempt(step, Refusal::KeepsPayment),
            outcome => outcome,
        };
        let committed = outcome.map_err(|fault| self.note(fault.into()))?;
        self.head.write(&Mark {
            database_id: self.database_id.clone(),
            seq: committed.last_seq,
        });
        Ok(committed)
    }

    /// Whether the disk and the file may still be written.
    pub(super) fn sound(&self) -> Result<(), StoreError> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Remembers an error after which nothing may be written any more.
    pub(super) fn note(&mut self, error: StoreError) -> StoreError {
        match error {
            StoreError::Io(_) | StoreError::Corrupt(_) => self.broken = Some(error.clone()),
            StoreError::Unwritable(_) | StoreError::Busy(_) | StoreError::Refused(_) => {}
        }
        error
    }

    fn attempt(&mut self, step: &Step, refusal: Refusal) -> Result<Committed, Fault> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        crash::point("after_begin");
        let mut journal = Journal::open(&tx, &self.database_id, step.at)?;
        let mut committed = Committed::default();
        write(&tx, &mut journal, step, refusal, &mut committed)?;
        (committed.first_seq, committed.last_seq) = journal.close();
        if let Some(fault) = Fault::of(crash::disk()) {
            return Err(fault);
        }
        tx.commit()?;
        Ok(committed)
    }
}

fn write(
    tx: &Transaction<'_>,
    journal: &mut Journal<'_>,
    step: &Step,
    refusal: Refusal,
    committed: &mut Committed,
) -> Result<(), Fault> {
    let chain_first = step.chain.as_ref().filter(|_| planted(Bug::CursorFirst));
    if let Some(chain) = chain_first {
        chain::write(tx, chain, step.at)?;
        tx.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    for payment in &step.payments {
        let written = match refusal {
            Refusal::FailsStep => Ok(payments::write(tx, journal, payment)?),
            Refusal::KeepsPayment => {
                keep::write_or_keep(tx, journal, payment, step.chain.as_ref())?
            }
        };
        match written {
            Ok(true) => committed.watched_again.push(Watched::by(&payment.payment)),
            Ok(false) => {}
            Err(kept) => committed.kept.push(kept),
        }
    }
    if step.chain.is_some() && !step.payments.is_empty() {
        crash::point("mid_step");
    }
    for entry in &step.entries {
        journal.add(entry)?;
    }
    if let (Some(chain), None) = (&step.chain, chain_first) {
        chain::write(tx, chain, step.at)?;
    }
    requests::write(tx, step, &committed.kept)
}

#[cfg(test)]
mod tests;
