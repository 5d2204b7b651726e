//! Reading `confirmd.db` beside the daemon or without it, for commands that show things.
//!
//! Strictly read-only. Shows the public views as they are; a payment to be explained is loaded
//! by the daemon's own code.

mod progress;

use super::{
    commit, connection,
    error::{Fault, OpenError, StoreError},
    load, queries,
    rows::chain::StoredChain,
    schema::{self, Found, Kind, MIGRATIONS},
};
use crate::domain::{
    asset::ChainName,
    payment::{Payment, PaymentId},
    status::Status,
};
use rusqlite::{
    Connection, OpenFlags, ToSql, params_from_iter,
    types::{Value, ValueRef},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a command waits for the daemon.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often an open is tried again: while the daemon starts, stops or checkpoints, a read-only
/// open may fail for a moment.
const OPEN_ATTEMPTS: u32 = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// Rows of a public view.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// One value of a public view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL.
    Nothing,
    /// An integer: a time, a height, a flag.
    Integer(i64),
    /// A text: an amount, a hash, a name.
    Text(String),
}

/// Which payments to list.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only these statuses; every status when empty.
    pub statuses: Vec<Status>,
    /// Only payments that a person should look at.
    pub needs_review: bool,
    /// Only this asset.
    pub asset: Option<String>,
    /// Only this address.
    pub address: Option<String>,
    /// Only this chain.
    pub chain: Option<String>,
}

/// A read-only connection.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    path: PathBuf,
    kind: Kind,
}

impl Reader {
    /// Opens an existing database of either kind.
    ///
    /// # Errors
    /// By what the operator does; see [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut attempt = 0_u32;
        loop {
            attempt = attempt.saturating_add(1);
            match Self::try_open(path) {
                Err(OpenError::Io { .. }) if attempt < OPEN_ATTEMPTS && path.exists() => {
                    std::thread::sleep(OPEN_PAUSE);
                }
                outcome => return outcome,
            }
        }
    }

    fn try_open(path: &Path) -> Result<Self, OpenError> {
        connection::check_version()?;
        let conn = connection::open_reader(path, OpenFlags::empty(), PATIENCE)
            .map_err(|fault| schema::unreadable(path, &fault))?;
        let mut refusal = None;
        for kind in [Kind::Live, Kind::Sandbox] {
            match schema::inspect(&conn, path, kind, MIGRATIONS) {
                Ok(Found::Ours(version)) if usize::try_from(version) == Ok(MIGRATIONS.len()) => {
                    let path = path.to_owned();
                    return Ok(Self { conn, path, kind });
                }
                Ok(Found::Ours(_) | Found::Empty) => {
                    return Err(OpenError::Foreign {
                        path: path.to_owned(),
                        problem: "its schema is not set up yet; start the daemon first".to_owned(),
                    });
                }
                Err(error @ OpenError::Foreign { .. }) => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(|| OpenError::Foreign {
            path: path.to_owned(),
            problem: "another program's database".to_owned(),
        }))
    }

    /// What the database is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Loads a payment as the daemon does.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn find(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(load::find(&self.conn, id)?)
    }

    /// A chain as it was last committed, with its last blocks.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn chain(&self, name: &ChainName) -> Result<Option<StoredChain>, StoreError> {
        Ok(queries::chain(&self.conn, name)?)
    }

    /// `v1_payment`: the latest registered first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn payments(&self, filter: &PaymentFilter, limit: u32) -> Result<Table, StoreError> {
        let (condition, mut params) = filter.condition();
        params.push(Value::Integer(limit.into()));
        let sql = format!(
            "SELECT * FROM v1_payment WHERE {condition} ORDER BY created_at DESC, payment_id LIMIT ?"
        );
        self.table(&sql, &params)
    }

    /// `v1_payment` of one payment: one row or none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn payment(&self, id: &str) -> Result<Table, StoreError> {
        self.table("SELECT * FROM v1_payment WHERE payment_id = ?", &[text(id)])
    }

    /// `v1_transfer` of one payment, in the order in which they were first seen.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn transfers(&self, id: &str) -> Result<Table, StoreError> {
        self.table(
            "SELECT * FROM v1_transfer WHERE payment_id = ? ORDER BY first_seen_at, position",
            &[text(id)],
        )
    }

    /// `v1_transfer` of one transaction, whomever it pays.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn transfers_of(&self, txid: &str) -> Result<Table, StoreError> {
        self.table("SELECT * FROM v1_transfer WHERE txid = ?", &[text(txid)])
    }

    /// `v1_event` after a number, ascending, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn events(&self, after: i64, limit: u32) -> Result<Table, StoreError> {
        self.table(
            "SELECT * FROM v1_event WHERE seq > ? ORDER BY seq LIMIT ?",
            &[Value::Integer(after), Value::Integer(limit.into())],
        )
    }

    /// The number of the journal's last entry; 0 for an empty one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn last_seq(&self) -> Result<i64, StoreError> {
        Ok(commit::last_seq(&self.conn)?)
    }

    /// `v1_event` of one payment, ascending.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn events_of(&self, id: &str) -> Result<Table, StoreError> {
        self.table(
            "SELECT * FROM v1_event WHERE payment_id = ? ORDER BY version",
            &[text(id)],
        )
    }

    /// `v1_request` of one request: one row, or none while it has no outcome.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn request(&self, request_id: &str) -> Result<Table, StoreError> {
        self.table(
            "SELECT * FROM v1_request WHERE request_id = ?",
            &[text(request_id)],
        )
    }

    /// `v1_request` of one payment, in the order of their outcomes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn requests_of(&self, id: &str) -> Result<Table, StoreError> {
        self.table(
            "SELECT * FROM v1_request WHERE payment_id = ? ORDER BY at, request_id",
            &[text(id)],
        )
    }

    /// `v1_chain`, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn chains(&self) -> Result<Table, StoreError> {
        self.table("SELECT * FROM v1_chain ORDER BY chain", &[])
    }

    /// `v1_asset`, by code.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn assets(&self) -> Result<Table, StoreError> {
        self.table("SELECT * FROM v1_asset ORDER BY asset", &[])
    }

    /// `v1_meta`: one row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn meta(&self) -> Result<Table, StoreError> {
        self.table("SELECT * FROM v1_meta", &[])
    }

    /// How many payments there are: `asset, status, payments`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn counts(&self) -> Result<Table, StoreError> {
        self.table(
            "SELECT asset, status, count(*) AS payments FROM payment
              GROUP BY status, asset ORDER BY asset, status",
            &[],
        )
    }

    /// A number that changes whenever the daemon commits; asking costs microseconds.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(connection::number(&self.conn, "data_version")?)
    }

    fn table(&self, sql: &str, params: &[Value]) -> Result<Table, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let params = params.iter().map(|value| -> &dyn ToSql { value });
        let mut found = statement.query(params_from_iter(params))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cells = (0..columns.len()).map(|index| cell(row.get_ref(index)?));
            rows.push(cells.collect::<Result<_, Fault>>()?);
        }
        Ok(Table { columns, rows })
    }
}

impl PaymentFilter {
    /// A condition that is always true, or the filter's parts joined by AND.
    fn condition(&self) -> (String, Vec<Value>) {
        let mut parts = vec!["1".to_owned()];
        let mut params = Vec::new();
        if !self.statuses.is_empty() {
            let marks = vec!["?"; self.statuses.len()].join(", ");
            parts.push(format!("status IN ({marks})"));
            params.extend(self.statuses.iter().map(|status| text(status.as_str())));
        }
        if self.needs_review {
            parts.push("needs_review = 1".to_owned());
        }
        for (column, wanted) in [
            ("asset", &self.asset),
            ("address", &self.address),
            ("chain", &self.chain),
        ] {
            if let Some(wanted) = wanted {
                parts.push(format!("{column} = ?"));
                params.push(text(wanted));
            }
        }
        (parts.join(" AND "), params)
    }
}

impl Table {
    /// Every row as a JSON object, with the columns' names as keys.
    #[must_use]
    pub fn to_json(&self) -> Vec<serde_json::Value> {
        let object = |row: &Vec<Cell>| {
            let pairs = self
                .columns
                .iter()
                .cloned()
                .zip(row.iter().map(Cell::to_json));
            serde_json::Value::Object(pairs.collect())
        };
        self.rows.iter().map(object).collect()
    }

    /// The cell of a row under this column; nothing for an unknown column.
    #[must_use]
    pub fn cell<'a>(&self, row: &'a [Cell], column: &str) -> &'a Cell {
        let index = self.columns.iter().position(|name| name == column);
        index
            .and_then(|index| row.get(index))
            .unwrap_or(&Cell::Nothing)
    }
}

impl Cell {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Nothing => serde_json::Value::Null,
            Self::Integer(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

/// The text as a person reads it; empty for NULL.
impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.pad(""),
            Self::Integer(number) => std::fmt::Display::fmt(number, f),
            Self::Text(text) => f.pad(text),
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn cell(value: ValueRef<'_>) -> Result<Cell, Fault> {
    match value {
        ValueRef::Null => Ok(Cell::Nothing),
        ValueRef::Integer(number) => Ok(Cell::Integer(number)),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map(|text| Cell::Text(text.to_owned()))
            .map_err(|_| Fault::Decode("a text is not UTF-8".to_owned())),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(Fault::Decode("a view holds a float or bytes".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
