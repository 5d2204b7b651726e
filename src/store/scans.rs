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
    step::ScanStep,
};
use rusqlite::{Row, params, types::Value};

/// The past that a payment still needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unscanned {
    /// The payment.
    pub key: PaymentKey,
    /// Where it goes on.
    pub from: ScanFrom,
    /// Where it ends.
    pub goal: Height,
}

/// A payment that a scan moves on, by the numbers that [`moved`] gives: what
/// [`ScanStep::moves`] says of a payment.
pub(super) const MOVED: &str = "scanning = 1 AND scan_goal IS NOT NULL AND key <= ?3
    AND held = 0 AND scan_refused = 0
    AND coalesce(json_extract(history, '$.needs_traces'), 0) <= ?4
    AND (coalesce(scanned_to + 1, scan_from_height) >= ?5
         OR scanned_to IS NULL AND scan_from_at >= ?6)
    AND (scan_from_height IS NULL OR scan_from_height <= ?2)";

/// The values of [`MOVED`] on a chain, which is the first.
pub(super) fn moved(chain: i64, scan: ScanStep) -> [Value; 6] {
    let (height, at) = match scan.from {
        ScanFrom::Height(from) => (Value::Integer(from.0.into()), Value::Null),
        ScanFrom::Time(from) => (Value::Null, Value::Integer(from.0)),
    };
    [
        Value::Integer(chain),
        Value::Integer(scan.to.0.into()),
        Value::Integer(scan.up_to.0),
        Value::Integer(scan.traced.into()),
        height,
        at,
    ]
}

pub(super) const SCANNING: &str =
    "SELECT key, scan_from_height, scan_from_at, scanned_to, scan_goal
   FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 1
    AND scan_goal IS NOT NULL AND held = 0 AND scan_refused = 0
    AND coalesce(json_extract(history, '$.needs_traces'), 0) = ?2
  ORDER BY key";

pub(super) const SCAN_REFUSED: &str =
    "SELECT key, scan_from_height, scan_from_at, scanned_to, scan_goal
   FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND scanning = 1
    AND scan_goal IS NOT NULL AND held = 0 AND scan_refused = 1 AND key > ?3
    AND coalesce(json_extract(history, '$.needs_traces'), 0) = ?2
  ORDER BY key LIMIT 1";

impl Store {
    /// The payments of this chain whose past is not scanned, by key: of those that need to know what
    /// contracts moved, or of the others. None while the chain has no cursor. A payment whose change was
    /// refused waits for a person, and one that cannot be scanned holds up no other.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn unscanned(&self, chain: &ChainName, traced: bool) -> Result<Vec<Unscanned>, StoreError> {
        let mut found = Vec::new();
        self.each(SCANNING, params![chain.as_str(), traced], |row| {
            found.push(read_scan(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first payment behind `after` that was refused its scan; `None` when there is none behind.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn refused_scan(
        &self,
        chain: &ChainName,
        traced: bool,
        after: PaymentKey,
    ) -> Result<Option<Unscanned>, StoreError> {
        let mut found = None;
        let values = params![chain.as_str(), traced, after.0];
        self.each(SCAN_REFUSED, values, |row| {
            found = Some(read_scan(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The payments that a scan moves on.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn moved_by(
        &self,
        chain: &ChainName,
        scan: ScanStep,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let key = "SELECT key FROM chain WHERE name = ?";
        let mut chain_key = None;
        self.each(key, [chain.as_str()], |row| {
            chain_key = Some(row.get(0)?);
            Ok(())
        })?;
        let Some(chain_key) = chain_key else {
            return Ok(Vec::new());
        };
        let sql = format!("SELECT key FROM payment WHERE chain_key = ?1 AND {MOVED} ORDER BY key");
        let mut keys = Vec::new();
        self.each(&sql, moved(chain_key, scan), |row| {
            keys.push(PaymentKey(row.get(0)?));
            Ok(())
        })?;
        Ok(keys)
    }
}

fn read_scan(row: &Row<'_>) -> Result<Unscanned, Fault> {
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
        (Some(from), Some(goal)) => Ok(Unscanned { key, from, goal }),
        _ => Err(Fault::Decode("a scan has no start".to_owned())),
    }
}

#[cfg(test)]
mod tests;
