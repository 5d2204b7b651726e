//! Which past blocks payments still need.

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
use rusqlite::Row;

/// Past blocks that some payments still need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanBatch {
    /// Where to start: no payment of the batch needs anything before.
    pub from: ScanFrom,
    /// Where to end.
    pub goal: Height,
    /// The last payment of the batch: every unfinished one up to it is in the batch.
    pub up_to: PaymentKey,
}

pub(super) const SCANNING: &str =
    "SELECT key, scan_from_height, scan_from_at, scanned_to, scan_goal
   FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 1
    AND scan_goal IS NOT NULL AND held = 0
  ORDER BY key";

impl Store {
    /// The next scan of the past that payments of this chain need; `None` when every past is
    /// scanned or the chain has no cursor. A payment whose change was refused waits for a person.
    /// Starts by height and by time are never mixed in one batch: it ends before the first
    /// payment that starts the other way.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_scan(&self, chain: &ChainName) -> Result<Option<ScanBatch>, StoreError> {
        let read = || -> Result<Option<ScanBatch>, Fault> {
            let mut statement = self.conn.prepare_cached(SCANNING)?;
            let mut rows = statement.query([chain.as_str()])?;
            let mut batch = None;
            while let Some(row) = rows.next()? {
                match join(batch, read_scan(row)?) {
                    Ok(larger) => batch = Some(larger),
                    Err(complete) => return Ok(Some(complete)),
                }
            }
            Ok(batch)
        };
        Ok(read()?)
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
    })
}

#[cfg(test)]
mod tests;
