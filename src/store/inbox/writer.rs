//! Appending to the inbox, as a gateway does; for the `confirmd payment …` commands.

use super::{Expected, limits::Budget, plain_file};
use crate::{
    domain::time::UnixMs,
    store::{connection, error::StoreError},
};
use rusqlite::{Connection, OpenFlags, params};
use std::{path::Path, time::Duration};

/// How long a command waits for other writers.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Its idempotency key, 1 to 128 bytes.
    pub request_id: String,
    /// What is asked.
    pub kind: String,
    /// About which payment.
    pub payment_id: String,
    /// A JSON object of at most 8 KiB.
    pub body: String,
    /// Who asks.
    pub actor: Option<String>,
    /// When.
    pub created_at: UnixMs,
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is there, under this number.
    New {
        /// Its place in the inbox.
        seq: i64,
    },
    /// The request id was there before; nothing was written.
    Known,
}

/// An inbox open for appending. Run as root, call [`super::become_inbox_writer`] first.
#[derive(Debug)]
pub struct InboxWriter(Connection);

impl InboxWriter {
    /// Opens an existing inbox.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a file that is no inbox, else by what the caller does.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let real = plain_file(path).map_err(StoreError::Refused)?;
        let mut conn = Connection::open_with_flags(
            real,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_NOFOLLOW,
        )?;
        connection::harden(&conn, PATIENCE)?;
        Budget::for_opening(&mut conn)?;
        connection::set(&conn, "synchronous", &2_i64)?;
        match Expected::new()?.compare(&conn)? {
            None => {
                Budget::lift(&mut conn)?;
                Ok(Self(conn))
            }
            Some(problem) => Err(StoreError::Refused(format!(
                "{}: {problem}",
                path.display()
            ))),
        }
    }

    /// Appends a request unless its id is known. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for one that is too long, else by what the caller does.
    pub fn insert(&mut self, request: &NewRequest) -> Result<Inserted, StoreError> {
        Ok(insert(&self.0, request)?)
    }

    /// Appends many requests at once, all or none of them.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn insert_all(&mut self, requests: &[NewRequest]) -> Result<Vec<Inserted>, StoreError> {
        let tx = self.0.transaction()?;
        let inserted = requests.iter().map(|request| insert(&tx, request));
        let inserted = inserted.collect::<Result<_, _>>()?;
        tx.commit()?;
        Ok(inserted)
    }
}

fn insert(conn: &Connection, request: &NewRequest) -> rusqlite::Result<Inserted> {
    let mut statement = conn.prepare_cached(
        "INSERT OR IGNORE INTO request (request_id, kind, payment_id, body, actor, created_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    let written = statement.execute(params![
        request.request_id,
        request.kind,
        request.payment_id,
        request.body,
        request.actor,
        request.created_at.0,
    ])?;
    Ok(if written == 0 {
        Inserted::Known
    } else {
        Inserted::New {
            seq: conn.last_insert_rowid(),
        }
    })
}
