//! `inbox.db`: what gateways write and the daemon only reads.
//!
//! It lies in a directory that others can write, so nothing in it is trusted: the daemon never
//! opens it for writing, not even to make it, and believes a schema only that is its own text.

mod limits;
mod privileges;
mod reader;
mod writer;

pub use privileges::become_inbox_writer;
pub use reader::{Batch, InboxError, InboxReader, ROWS_PER_READ};
pub use writer::{InboxWriter, Inserted, NewRequest};

use super::{
    connection,
    error::{Fault, OpenError},
    files::{self, Access, Ownership},
    schema,
};
use rusqlite::{Connection, params};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const SCHEMA: &str = include_str!("schema.sql");

/// Says that a file is an inbox: "cfmi".
const APPLICATION_ID: i64 = 0x6366_6d69;
/// Counts changes of [`SCHEMA`].
const VERSION: i64 = 1;

/// Makes the inbox if it is missing; checks who may use it otherwise. It is put together in
/// `workshop`, a directory that only the daemon writes, and moved in as a finished file: SQLite
/// never writes in a directory where somebody may have laid out a journal for it.
pub(super) fn create(path: &Path, access: &Access, workshop: &Path) -> Result<(), OpenError> {
    let owner = Ownership::of_inbox(access)?;
    owner.prepare_dir(path)?;
    if owner.check_file(path)? {
        return Ok(());
    }
    let draft = workshop.join("inbox.db.draft");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| files::io(&path, &error)
    };
    remove_if_there(&draft).map_err(io(&draft))?;
    write_draft(&draft).map_err(|fault| schema::unreadable(&draft, &fault))?;
    let bytes = std::fs::read(&draft).map_err(io(&draft))?;
    remove_if_there(&draft).map_err(io(&draft))?;
    let arriving = files::beside(path, ".new");
    remove_if_there(&arriving).map_err(io(&arriving))?;
    let file = put(&arriving, &bytes).map_err(io(&arriving))?;
    owner.give_file(&file, &arriving)?;
    std::fs::rename(&arriving, path).map_err(io(path))
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file: File = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

fn write_draft(draft: &Path) -> Result<(), Fault> {
    let conn = model()?;
    conn.execute(
        "INSERT INTO inbox (one, inbox_id) VALUES (1, lower(hex(randomblob(16))))",
        [],
    )?;
    let path = draft.to_string_lossy();
    conn.execute("VACUUM INTO ?1", params![path])?;
    Ok(())
}

/// An empty inbox in memory.
fn model() -> Result<Connection, Fault> {
    let conn = Connection::open_in_memory()?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", VERSION)?;
    conn.execute_batch(SCHEMA)?;
    Ok(conn)
}

const SWITCHED: &str = "it was switched to WAL; switch it back with: PRAGMA journal_mode=DELETE";

/// One object of a schema: type, name, table, text.
type Object = (String, String, String, Option<String>);

/// What the schema of an inbox must be, to the letter.
#[derive(Debug, Clone)]
struct Expected(Vec<Object>);

impl Expected {
    fn new() -> Result<Self, Fault> {
        Ok(Self(objects(&model()?, i64::MAX)?))
    }

    /// Says what is wrong with a file, if anything.
    fn compare(&self, conn: &Connection) -> Result<Option<&'static str>, Fault> {
        if connection::number(conn, "application_id")? != APPLICATION_ID
            || connection::number(conn, "user_version")? != VERSION
        {
            return Ok(Some("it is no inbox of this confirmd"));
        }
        let journal: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if journal != "delete" {
            return Ok(Some(SWITCHED));
        }
        let more = self.0.len().saturating_add(1);
        let found = objects(conn, i64::try_from(more).unwrap_or(i64::MAX))?;
        Ok((found != self.0).then_some("its tables and triggers are not those of an inbox"))
    }
}

/// Statistics that somebody's `PRAGMA optimize` may have left are no part of the schema.
fn objects(conn: &Connection, limit: i64) -> Result<Vec<Object>, Fault> {
    let mut statement = conn.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
          WHERE name NOT IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name, type LIMIT ?",
    )?;
    let rows = statement.query_map([limit], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The inbox by its real directory, if it and its journal are plain files there: no link to
/// elsewhere, no pipe.
fn plain_file(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    let dir = files::parent(path)
        .canonicalize()
        .map_err(|error| format!("{shown}: {error}"))?;
    let name = path
        .file_name()
        .ok_or_else(|| format!("{shown} names no file"))?;
    let real = dir.join(name);
    let found = std::fs::symlink_metadata(&real).map_err(|error| format!("{shown}: {error}"))?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(format!("{shown} is not a plain file"));
    }
    for suffix in ["-wal", "-shm"] {
        if std::fs::symlink_metadata(files::beside(&real, suffix)).is_ok() {
            return Err(format!("{shown}: {SWITCHED}"));
        }
    }
    // SQLite opens whatever bears this name, and opening a pipe never ends.
    let journal = std::fs::symlink_metadata(files::beside(&real, "-journal"));
    if journal.is_ok_and(|found| !found.is_file()) {
        return Err(format!("{shown}-journal is not a plain file; remove it"));
    }
    Ok(real)
}

#[cfg(test)]
mod tests;
