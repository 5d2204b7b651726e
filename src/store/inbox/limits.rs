//! What SQLite may spend on a file that a stranger wrote.
//!
//! It reads the whole schema and every sample of statistics into memory before the first
//! statement can look at either. Knows nothing of tables.

use crate::store::error::Fault;
use rusqlite::{Connection, ffi::ErrorCode, limits::Limit};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// The longest value and the longest text of SQL: twice the longest body of a request.
const VALUE_BYTES: i32 = 16 << 10;
/// Tables, indexes and triggers together: an inbox with statistics has fewer than twenty.
const SCHEMA_OBJECTS: i32 = 32;
/// SQLite asks whether to go on after so many steps of its machine.
const STEPS_PER_QUESTION: i32 = 100;
/// Questions until the schema is compared: an inbox needs some ten. A sample costs more than ten
/// steps and holds at most one value, so not even 40 MiB can be loaded. A load of statistics that
/// is cut short is no error; what comes behind it is.
const OPENING_QUESTIONS: u32 = 200;
/// Questions of one read: a row costs less than a hundred steps.
const READING_QUESTIONS: u32 = 10_000;

/// How much longer SQLite may work on one connection.
#[derive(Debug)]
pub(super) struct Budget(Arc<AtomicU32>);

impl Budget {
    /// Limits a connection on which nothing that needs the schema was done yet.
    pub(super) fn for_opening(conn: &mut Connection) -> Result<Self, Fault> {
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, VALUE_BYTES),
            (Limit::SQLITE_LIMIT_SCHEMA, SCHEMA_OBJECTS),
        ] {
            conn.set_limit(limit, value)?;
            if conn.limit(limit)? != value {
                return Err(Fault::Guard(format!("SQLite ignores {limit:?}")));
            }
        }
        let left = Arc::new(AtomicU32::new(OPENING_QUESTIONS));
        let mine = Arc::clone(&left);
        let is_spent = move || {
            let spent = mine.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            spent.is_err()
        };
        conn.progress_handler(STEPS_PER_QUESTION, Some(is_spent))?;
        Ok(Self(left))
    }

    /// What the file is, is known; from here on only its length is not.
    pub(super) fn for_reading(&self) {
        self.0.store(READING_QUESTIONS, Ordering::Relaxed);
    }

    /// No limit of time: whoever writes has asked for it.
    pub(super) fn lift(conn: &mut Connection) -> Result<(), Fault> {
        Ok(conn.progress_handler(0, None::<fn() -> bool>)?)
    }
}

/// Whether one of these limits was reached.
pub(super) fn was_reached(fault: &Fault) -> bool {
    let Fault::Sqlite(error) = fault else {
        return false;
    };
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::OperationInterrupted)
    )
}
