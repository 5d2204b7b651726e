//! What the watcher asks when a token's administration acts: whom that concerns, and what was told
//! before. Every answer is bounded, and found through an index.

use super::{Store, error::StoreError};
use crate::domain::{asset::AssetCode, payment::PaymentKey, status::Status};
use rusqlite::params;

/// The open statuses, those first under which money is on its way.
const OPEN: [Status; 3] = [Status::Confirming, Status::Pending, Status::New];

pub(super) const OPEN_KEYS: &str =
    "SELECT key FROM payment WHERE status = ?1 AND asset = ?2 ORDER BY key LIMIT ?3";

pub(super) const OPEN_COUNT: &str = "SELECT count(*) FROM payment WHERE status = ?1 AND asset = ?2";

pub(super) const CHAIN_WIDE: &str = "SELECT data FROM event
  WHERE payment_key IS NULL AND version IS NULL ORDER BY seq DESC LIMIT ?1";

/// Payments that wait for money of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The first of them: those with money on its way, then those that were registered first.
    pub first: Vec<PaymentKey>,
    /// How many there are.
    pub payments: u64,
}

impl Store {
    /// Payments that are `new`, `pending` or `confirming` and expect an asset: the first `limit`, and
    /// how many there are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_payments(&self, asset: &AssetCode, limit: u32) -> Result<Open, StoreError> {
        let mut open = Open {
            first: Vec::new(),
            payments: 0,
        };
        for status in OPEN {
            let found = u32::try_from(open.first.len()).unwrap_or(u32::MAX);
            let left = limit.saturating_sub(found);
            let mut statement = self.conn.prepare_cached(OPEN_COUNT)?;
            let (status, asset) = (status.as_str(), asset.as_str());
            let count: i64 = statement.query_row(params![status, asset], |row| row.get(0))?;
            let count = u64::try_from(count).unwrap_or(0);
            open.payments = open.payments.saturating_add(count);
            open.first
                .extend(self.keys(OPEN_KEYS, params![status, asset, left])?);
        }
        Ok(open)
    }

    /// The data of the last entries of the journal that are about no payment, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn last_chain_wide(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let mut data = Vec::new();
        self.each(CHAIN_WIDE, [limit], |row| {
            data.push(row.get(0)?);
            Ok(())
        })?;
        Ok(data)
    }
}
