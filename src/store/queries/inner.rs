//! Who may have got ether from contracts: whose balances are looked at, and what one operator alone claims.

use super::super::{Store, error::StoreError};
use super::Claim;
use crate::domain::{
    asset::{AssetCode, ChainName},
    block::Height,
    payment::PaymentKey,
    time::UnixMs,
};
use rusqlite::{Params, params};

pub(super) const OPEN: &str = "SELECT key FROM payment INDEXED BY payment_open
  WHERE asset = ?1 AND (status = 'new' OR status = 'pending' OR status = 'confirming')";

pub(super) const OPEN_UNTIL: &str = "SELECT key FROM payment INDEXED BY payment_open
  WHERE asset = ?1 AND (status = 'new' OR status = 'pending' OR status = 'confirming')
    AND expires_at <= ?2
  ORDER BY expires_at LIMIT ?3";

pub(super) const OPEN_AFTER: &str = "SELECT key FROM payment INDEXED BY payment_open_round
  WHERE asset = ?1 AND (status = 'new' OR status = 'pending' OR status = 'confirming')
    AND key > ?2
  ORDER BY key LIMIT ?3";

pub(super) const UNLOOKED_AFTER: &str = "SELECT key FROM payment INDEXED BY payment_open_round
  WHERE asset = ?1 AND (status = 'new' OR status = 'pending' OR status = 'confirming')
    AND key > ?2 AND looked_height IS NULL
  ORDER BY key LIMIT ?3";

pub(super) const LAST_OPEN: &str = "SELECT key FROM payment INDEXED BY payment_open_round
  WHERE asset = ?1 AND (status = 'new' OR status = 'pending' OR status = 'confirming')
  ORDER BY key DESC LIMIT 1";

pub(super) const LOOKED_ABOVE: &str = "SELECT key FROM payment
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND looked_height > ?2";

pub(super) const CLAIMED: &str = "SELECT DISTINCT block_height, payment_key FROM transfer
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND evidence = 'claimed'
    AND (block_height, payment_key) > (?2, ?3)
  ORDER BY block_height, payment_key LIMIT ?4";

pub(super) const CLAIMED_AT: &str = "SELECT DISTINCT payment_key FROM transfer
  WHERE chain_key = (SELECT key FROM chain WHERE name = ?1) AND evidence = 'claimed'
    AND block_height = ?2";

impl Store {
    /// Payments of whose addresses' balances something is known that comes from a block above this height;
    /// ascending. Without a limit: a disconnect concerns all of them at once.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn looked_above(
        &self,
        chain: &ChainName,
        height: Height,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let keys = self.keys(LOOKED_ABOVE, params![chain.as_str(), height.0])?;
        Ok(keys.into_iter().collect())
    }

    /// All payments in an asset that still wait for money or for its depth, ascending.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_in(&self, asset: &AssetCode) -> Result<Vec<PaymentKey>, StoreError> {
        let keys = self.keys(OPEN, params![asset.as_str()])?;
        Ok(keys.into_iter().collect())
    }

    /// Those of them whose deadline, without the grace, is at this time or before, the earliest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_until(
        &self,
        asset: &AssetCode,
        until: UnixMs,
        limit: u32,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        self.in_order(OPEN_UNTIL, params![asset.as_str(), until.0, limit])
    }

    /// Those of them that come after one, from the first where there is none, in the order of their keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open_after(
        &self,
        asset: &AssetCode,
        after: Option<PaymentKey>,
        limit: usize,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        self.after(OPEN_AFTER, asset, after, limit)
    }

    /// The same of those of whose balance nothing is known yet.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn unlooked_after(
        &self,
        asset: &AssetCode,
        after: Option<PaymentKey>,
        limit: usize,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        self.after(UNLOOKED_AFTER, asset, after, limit)
    }

    /// The newest of all that are open.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn last_open(&self, asset: &AssetCode) -> Result<Option<PaymentKey>, StoreError> {
        let last = self.in_order(LAST_OPEN, params![asset.as_str()])?;
        Ok(last.first().copied())
    }

    fn after(
        &self,
        sql: &str,
        asset: &AssetCode,
        after: Option<PaymentKey>,
        limit: usize,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let after = after.map_or(i64::MIN, |key| key.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.in_order(sql, params![asset.as_str(), after, limit])
    }

    fn in_order(&self, sql: &str, params: impl Params) -> Result<Vec<PaymentKey>, StoreError> {
        let mut keys = Vec::new();
        self.each(sql, params, |row| {
            keys.push(PaymentKey(row.get(0)?));
            Ok(())
        })?;
        Ok(keys)
    }

    /// What one operator alone claims, once for each block and payment, those of the oldest blocks first;
    /// beyond the given one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn claimed(
        &self,
        chain: &ChainName,
        beyond: Option<Claim>,
        limit: u32,
    ) -> Result<Vec<Claim>, StoreError> {
        let (height, PaymentKey(key)) = beyond.unwrap_or((Height(0), PaymentKey(0)));
        let mut claims = Vec::new();
        let values = params![chain.as_str(), height.0, key, limit];
        self.each(CLAIMED, values, |row| {
            claims.push((Height(row.get(0)?), PaymentKey(row.get(1)?)));
            Ok(())
        })?;
        Ok(claims)
    }

    /// Payments that got what one operator alone claims in the block at this height.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn claimed_at(
        &self,
        chain: &ChainName,
        height: Height,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let keys = self.keys(CLAIMED_AT, params![chain.as_str(), height.0])?;
        Ok(keys.into_iter().collect())
    }
}
