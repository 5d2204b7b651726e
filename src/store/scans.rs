//! Which past blocks payments still need.

pub(super) mod past;

use super::{
    Store,
    error::{Fault, StoreError},
    rows::field::Fields,
};
use crate::domain::{
    asset::ChainName,
    block::Height,
    payment::{PaymentKey, ScanFrom},
};
use rusqlite::{Row, params};

/// Past blocks that some payments still need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanBatch {
    /// Where to start: no payment of the batch needs anything before.
    pub from: ScanFrom,
    /// Where to end.
    pub goal: Height,
    /// The last payment of the batch: every unfinished one up to it is in the batch.
    pub up_to: PaymentKey,
    /// How many payments it is for.
    pub payments: u32,
}

pub(super) const SCANNING: &str =
    "SELECT key, scan_from_height, scan_from_at, scanned_to, scan_goal
   FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 1
    AND scan_goal IS NOT NULL AND held = 0 AND scan_refused = 0
  ORDER BY key";

pub(super) const SCAN_REFUSED: &str =
    "SELECT key, scan_from_height, scan_from_at, scanned_to, scan_goal
   FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 1
    AND scan_goal IS NOT NULL AND held = 0 AND scan_refused = 1 AND key > ?2
  ORDER BY key LIMIT 1";

impl Store {
    /// The next scan of the past that payments of this chain need, for at most `limit` of them;
    /// `None` when every past is scanned or the chain has no cursor. A payment whose change was
    /// refused waits for a person, and one that cannot be scanned holds up no other.
    /// Starts by height and by time are never mixed in one batch: it ends before the first
    /// payment that starts the other way.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_scan(
        &self,
        chain: &ChainName,
        limit: u32,
    ) -> Result<Option<ScanBatch>, StoreError> {
        let read = || -> Result<Option<ScanBatch>, Fault> {
            let mut statement = self.conn.prepare_cached(SCANNING)?;
            let mut rows = statement.query([chain.as_str()])?;
            let mut batch: Option<ScanBatch> = None;
            while batch.is_none_or(|batch| batch.payments < limit)
                && let Some(row) = rows.next()?
            {
                match join(batch, read_scan(row)?) {
                    Ok(larger) => batch = Some(larger),
                    Err(complete) => return Ok(Some(complete)),
                }
            }
            Ok(batch)
        };
        Ok(read()?)
    }

    /// The scan of the first payment behind `after` that was refused its scan, for that payment
    /// alone; `None` when there is none behind.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn refused_scan(
        &self,
        chain: &ChainName,
        after: PaymentKey,
    ) -> Result<Option<ScanBatch>, StoreError> {
        let mut found = None;
        self.each(SCAN_REFUSED, params![chain.as_str(), after.0], |row| {
            found = Some(read_scan(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}

fn read_scan(row: &Row<'_>) -> Result<ScanBatch, Fault> {
    let mut fields = Fields::new(row);
    let key = PaymentKey(fields.next()?);
    let (from_height, from_at) = (fields.height_opt()?, fields.at_opt()?);
    let (scanned_to, goal) = (fields.height_opt()?, fields.height_opt()?);
    let from = scanned_to
        .map(|to| to.plus(1))
        .or(from_height)
        .map(ScanFrom::Height)
        .or(from_at.map(ScanFrom::Time));
    match (from, goal) {
        (Some(from), Some(goal)) => Ok(ScanBatch {
            from,
            goal,
            up_to: key,
            payments: 1,
        }),
        _ => Err(Fault::Decode("a scan has no start".to_owned())),
    }
}

/// The batch with one more payment, or the batch as it was when that one starts the other way.
fn join(batch: Option<ScanBatch>, next: ScanBatch) -> Result<ScanBatch, ScanBatch> {
    let Some(batch) = batch else {
        return Ok(next);
    };
    let from = match (batch.from, next.from) {
        (ScanFrom::Height(a), ScanFrom::Height(b)) => ScanFrom::Height(a.min(b)),
        (ScanFrom::Time(a), ScanFrom::Time(b)) => ScanFrom::Time(a.min(b)),
        (ScanFrom::Height(_), ScanFrom::Time(_)) | (ScanFrom::Time(_), ScanFrom::Height(_)) => {
            return Err(batch);
        }
    };
    Ok(ScanBatch {
        from,
        goal: batch.goal.max(next.goal),
        up_to: next.up_to,
        payments: batch.payments.saturating_add(next.payments),
    })
}

#[cfg(test)]
mod tests;
