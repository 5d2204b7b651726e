//! Loading payments as they were committed; the same code serves the daemon and the reader.

use super::{
    Store,
    error::{Fault, StoreError},
    rows,
};
use crate::domain::payment::{Payment, PaymentId, PaymentKey};
use rusqlite::{Connection, Params};
use std::sync::LazyLock;

static BY_KEY: LazyLock<String> =
    LazyLock::new(|| format!("{} WHERE p.key = ?", *rows::payment::SELECT));

static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("{} WHERE p.payment_id = ?", *rows::payment::SELECT));

impl Store {
    /// Loads these payments with their transfers, in the order asked; unknown keys are left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn load(&self, keys: &[PaymentKey]) -> Result<Vec<Payment>, StoreError> {
        let load = |key: &PaymentKey| one(&self.conn, &BY_KEY, [key.0]);
        let payments: Result<Vec<_>, Fault> = keys.iter().map(load).collect();
        Ok(payments?.into_iter().flatten().collect())
    }

    /// Loads the payment with this name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn find(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(find(&self.conn, id)?)
    }
}

pub(super) fn find(conn: &Connection, id: &PaymentId) -> Result<Option<Payment>, Fault> {
    one(conn, &BY_ID, [id.as_str()])
}

fn one(conn: &Connection, sql: &str, params: impl Params) -> Result<Option<Payment>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut payment = rows::payment::read(row)?;
    let mut statement = conn.prepare_cached(&rows::transfer::SELECT)?;
    let mut rows = statement.query([payment.key.0])?;
    while let Some(row) = rows.next()? {
        payment.transfers.push(rows::transfer::read(row)?);
    }
    Ok(Some(payment))
}
