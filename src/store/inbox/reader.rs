//! Reading the inbox as a file that a stranger wrote.
//!
//! The daemon's inbox thread calls this; it holds no lock and no open file between two reads, so
//! a gateway is never kept waiting for longer than one read takes.

use super::{
    Expected,
    limits::{self, Budget},
    plain_file,
};
use crate::{
    domain::{request::Request, step::InboxPosition, time::UnixMs},
    store::{connection, error::Fault},
};
use rusqlite::{ErrorCode, OpenFlags, Row, types::ValueRef};
use std::{path::PathBuf, time::Duration};

/// The most requests of one read: a gateway that adds while the daemon reads waits for a few
/// milliseconds, and the step that carries them out keeps a chain's news waiting no longer.
pub const ROWS_PER_READ: u32 = 250;

/// How long a read waits for a gateway that is writing; the next read comes soon anyway.
const PATIENCE: Duration = Duration::from_millis(100);

/// Requests that were not read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which inbox they are from.
    pub inbox_id: String,
    /// At most [`ROWS_PER_READ`], ascending by number.
    pub requests: Vec<Request>,
}

/// Why the inbox was not read; either way it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// A gateway is writing at this moment.
    #[error("a gateway is writing to the inbox")]
    Busy,
    /// It cannot be read until somebody does something.
    #[error("the inbox cannot be read: {0}")]
    NotReadable(String),
}

/// Reads one inbox.
#[derive(Debug, Clone)]
pub struct InboxReader {
    path: PathBuf,
    expected: Expected,
}

impl InboxReader {
    /// For the inbox at this path; opens nothing yet.
    ///
    /// # Errors
    /// [`InboxError::NotReadable`] when SQLite does not work at all.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, InboxError> {
        Ok(Self {
            path: path.into(),
            expected: Expected::new().map_err(|fault| describe(&fault))?,
        })
    }

    /// The requests after this position; all of them when the position is of another inbox.
    ///
    /// # Errors
    /// See [`InboxError`].
    pub fn read(&self, after: Option<&InboxPosition>) -> Result<Batch, InboxError> {
        let path = plain_file(&self.path).map_err(InboxError::NotReadable)?;
        let read = || -> Result<Result<Batch, &'static str>, Fault> {
            let mut conn =
                connection::open_reader(&path, OpenFlags::SQLITE_OPEN_NOFOLLOW, PATIENCE)?;
            let budget = Budget::for_opening(&mut conn)?;
            let tx = conn.unchecked_transaction()?;
            if let Some(problem) = self.expected.compare(&tx)? {
                return Ok(Err(problem));
            }
            budget.for_reading();
            select(&tx, after).map(Ok)
        };
        match read() {
            Ok(Ok(batch)) => Ok(batch),
            Ok(Err(problem)) => Err(InboxError::NotReadable(format!(
                "{}: {problem}",
                self.path.display()
            ))),
            Err(fault) => Err(describe(&fault)),
        }
    }
}

/// A text of a reasonable size, or NULL: the table's own limits may have been circumvented.
macro_rules! bounded {
    ($column:literal, $limit:literal) => {
        concat!(
            "CASE WHEN typeof(",
            $column,
            ") = 'text' AND octet_length(",
            $column,
            ") <= ",
            $limit,
            " THEN ",
            $column,
            " END"
        )
    };
}

const SELECT: &str = concat!(
    "SELECT seq, ",
    bounded!("request_id", 128),
    ", ",
    bounded!("kind", 64),
    ", ",
    bounded!("payment_id", 1024),
    ", ",
    bounded!("body", 8192),
    ", ",
    bounded!("actor", 256),
    ", created_at FROM request WHERE seq > ?1 ORDER BY seq LIMIT ?2"
);

fn select(conn: &rusqlite::Connection, after: Option<&InboxPosition>) -> Result<Batch, Fault> {
    let inbox_id: String = conn.query_row(
        concat!("SELECT ", bounded!("inbox_id", 128), " FROM inbox"),
        [],
        |row| row.get(0),
    )?;
    let seq = after
        .filter(|position| position.inbox_id == inbox_id)
        .map_or(0, |position| position.seq);
    let mut statement = conn.prepare(SELECT)?;
    let read = |row: &Row<'_>| read_request(row, &inbox_id);
    let requests = statement
        .query_map((seq, ROWS_PER_READ), read)?
        .collect::<Result<_, _>>()?;
    Ok(Batch { inbox_id, requests })
}

fn read_request(row: &Row<'_>, inbox_id: &str) -> rusqlite::Result<Request> {
    let seq: i64 = row.get(0)?;
    let request_id = id(row.get_ref(1)?).unwrap_or_else(|| format!("unreadable:{inbox_id}:{seq}"));
    let or_empty = |value| text(value).unwrap_or_default();
    Ok(Request {
        seq,
        request_id,
        kind: or_empty(row.get_ref(2)?),
        payment_id: or_empty(row.get_ref(3)?),
        body: or_empty(row.get_ref(4)?),
        actor: text(row.get_ref(5)?),
        created_at: UnixMs(row.get_ref(6)?.as_i64().unwrap_or(0)),
    })
}

/// An id to the letter: replacing what is no UTF-8 would make one id of many.
fn id(value: ValueRef<'_>) -> Option<String> {
    value.as_str().ok().map(str::to_owned)
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

fn describe(fault: &Fault) -> InboxError {
    if limits::was_reached(fault) {
        return InboxError::NotReadable("it holds more than an inbox does".to_owned());
    }
    let code = match fault {
        Fault::Sqlite(error) => error.sqlite_error_code(),
        Fault::Decode(_) | Fault::Guard(_) => None,
    };
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => InboxError::Busy,
        Some(ErrorCode::ReadOnly) => InboxError::NotReadable(
            "a gateway died while writing and left a journal; the next write to the inbox, or \
             any `confirmd payment` command, rolls it back"
                .to_owned(),
        ),
        _ => InboxError::NotReadable(fault.text()),
    }
}
