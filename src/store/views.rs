//! Reading the public `v1_` views, as any gateway may, for the command line.
//!
//! Uses nothing but the contract: no base table, no write, no lock. Values come as JSON, with
//! truth values as such.

use crate::domain::status::Status;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params, types::ValueRef};
use serde_json::{Map, Value};
use std::{path::Path, thread::sleep, time::Duration};

/// A row by column names.
pub type Row = Map<String, Value>;

/// Why the views could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// There is no file.
    #[error("{0}; `confirmd init` makes it")]
    Missing(String),
    /// It is no database of ours, or a damaged one.
    #[error("{0}")]
    Foreign(String),
    /// The file system or SQLite does not let us read.
    #[error("{0}")]
    Unreadable(String),
}

/// How long a read waits for a checkpoint or a restarting writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a read is repeated that met a writer which was just opening or recovering the log:
/// SQLite tells a read-only connection so by an error, not by waiting.
const ATTEMPTS: u32 = 20;

/// The time between two attempts.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

/// Columns that hold 0 or 1.
const TRUTHS: &[&str] = &["needs_review", "final", "healthy", "enabled"];

/// Columns that hold JSON.
const DOCUMENTS: &[&str] = &["data", "metadata"];

/// Which payments are listed; a field that is `None` selects all.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only these statuses; empty selects all.
    pub statuses: Vec<Status>,
    /// Only this asset.
    pub asset: Option<String>,
    /// Only this chain.
    pub chain: Option<String>,
    /// Only this address.
    pub address: Option<String>,
    /// Only those that a person should look at.
    pub needs_review: bool,
    /// At most this many.
    pub limit: u32,
}

/// A read-only connection to `confirmd.db`.
#[derive(Debug)]
pub struct Views {
    connection: Connection,
    shown: String,
}

impl Views {
    /// Opens the database of a running or stopped daemon.
    ///
    /// # Errors
    /// When the file is missing, not ours, or not readable by this user.
    pub fn open(path: &Path) -> Result<Self, ViewError> {
        let shown = path.display().to_string();
        if matches!(path.try_exists(), Ok(false)) {
            return Err(ViewError::Missing(format!("{shown} does not exist")));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| {
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection.pragma_update(None, "query_only", true)?;
                Ok(connection)
            })
            .map_err(|error| explain(&shown, &error))?;
        let views = Self { connection, shown };
        views.one("SELECT schema_major FROM v1_meta", &[])?;
        Ok(views)
    }

    /// A number that changes whenever somebody commits; costs microseconds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn data_version(&self) -> Result<i64, ViewError> {
        let row = self.one("PRAGMA data_version", &[])?;
        Ok(number(row.as_ref(), "data_version"))
    }

    /// The single row about the database itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn meta(&self) -> Result<Row, ViewError> {
        let row = self.one("SELECT * FROM v1_meta", &[])?;
        Ok(row.unwrap_or_default())
    }

    /// Payments, the last changed first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Row>, ViewError> {
        let statuses: Vec<_> = filter
            .statuses
            .iter()
            .map(|status| format!("'{status}'"))
            .collect();
        let by_status = if statuses.is_empty() {
            String::new()
        } else {
            format!(" AND status IN ({})", statuses.join(", "))
        };
        let by_review = if filter.needs_review {
            " AND needs_review = 1"
        } else {
            ""
        };
        let sql = format!(
            "SELECT * FROM v1_payment WHERE (?1 IS NULL OR asset = ?1) \
             AND (?2 IS NULL OR chain = ?2) AND (?3 IS NULL OR address = ?3)\
             {by_status}{by_review} ORDER BY last_seq DESC LIMIT ?4"
        );
        let PaymentFilter {
            asset,
            chain,
            address,
            limit,
            ..
        } = filter;
        self.all(&sql, params![asset, chain, address, limit])
    }

    /// One payment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn payment(&self, payment_id: &str) -> Result<Option<Row>, ViewError> {
        let sql = "SELECT * FROM v1_payment WHERE payment_id = ?1";
        self.one(sql, params![payment_id])
    }

    /// The credits to a payment's address.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn transfers(&self, payment_id: &str) -> Result<Vec<Row>, ViewError> {
        let sql = "SELECT * FROM v1_transfer WHERE payment_id = ?1 \
                   ORDER BY first_seen_at, txid, position";
        self.all(sql, params![payment_id])
    }

    /// A payment's entries of the journal.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events_of(&self, payment_id: &str) -> Result<Vec<Row>, ViewError> {
        let sql = "SELECT * FROM v1_event WHERE payment_id = ?1 ORDER BY version";
        self.all(sql, params![payment_id])
    }

    /// What became of the requests about a payment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests_of(&self, payment_id: &str) -> Result<Vec<Row>, ViewError> {
        let sql = "SELECT * FROM v1_request WHERE payment_id = ?1 ORDER BY at, request_id";
        self.all(sql, params![payment_id])
    }

    /// What became of a request; `None` while nobody has looked at it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn request(&self, request_id: &str) -> Result<Option<Row>, ViewError> {
        let sql = "SELECT * FROM v1_request WHERE request_id = ?1";
        self.one(sql, params![request_id])
    }

    /// The journal behind `after`, at most `limit` entries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events(&self, after: i64, limit: u32) -> Result<Vec<Row>, ViewError> {
        let sql = "SELECT * FROM v1_event WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.all(sql, params![after, limit])
    }

    /// The number of the last entry of the journal; 0 when it is empty.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_seq(&self) -> Result<i64, ViewError> {
        let row = self.one("SELECT seq FROM v1_event ORDER BY seq DESC LIMIT 1", &[])?;
        Ok(number(row.as_ref(), "seq"))
    }

    /// Where each chain stands.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chains(&self) -> Result<Vec<Row>, ViewError> {
        self.all("SELECT * FROM v1_chain ORDER BY chain", &[])
    }

    /// How many payments there are of each asset and status: `asset, status, payments`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn counts(&self) -> Result<Vec<Row>, ViewError> {
        let sql = "SELECT asset, status, count(*) AS payments FROM v1_payment \
                   GROUP BY asset, status ORDER BY asset, status";
        self.all(sql, &[])
    }

    fn one(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Option<Row>, ViewError> {
        Ok(self.all(sql, params)?.pop())
    }

    fn all(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<Row>, ViewError> {
        let mut attempt = 1;
        loop {
            match self.query(sql, params) {
                Err(error) if attempt < ATTEMPTS && is_passing(&error) => sleep(ATTEMPT_PAUSE),
                result => return result.map_err(|error| explain(&self.shown, &error)),
            }
            attempt = attempt.saturating_add(1);
        }
    }

    fn query(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<Row>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map(params, |row| {
            names
                .iter()
                .enumerate()
                .map(|(i, name)| Ok((name.clone(), json(name, row.get_ref(i)?))))
                .collect()
        })?;
        rows.collect()
    }
}

fn number(row: Option<&Row>, column: &str) -> i64 {
    row.and_then(|row| row.get(column)?.as_i64()).unwrap_or(0)
}

fn json(column: &str, value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(truth) if TRUTHS.contains(&column) => Value::Bool(truth != 0),
        ValueRef::Integer(number) => number.into(),
        ValueRef::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let document = DOCUMENTS
                .contains(&column)
                .then(|| serde_json::from_str(&text));
            document
                .and_then(Result::ok)
                .unwrap_or_else(|| text.into_owned().into())
        }
        // No view has such a column.
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
    }
}

/// Whether a writer that is just opening, recovering or checkpointing explains the error.
fn is_passing(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
        )
    )
}

fn explain(shown: &str, error: &rusqlite::Error) -> ViewError {
    let words = format!("{shown}: {error}");
    if error.to_string().contains("no such table") {
        return ViewError::Foreign(format!("{shown} is no database of confirmd ({error})"));
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => ViewError::Foreign(words),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            ViewError::Unreadable(format!(
                "{words}; this user must be in the group of readers, and the daemon must have \
                 opened the database once"
            ))
        }
        Some(_) | None => ViewError::Unreadable(words),
    }
}
