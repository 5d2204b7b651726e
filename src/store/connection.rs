//! Opening a connection and pinning how SQLite behaves on it.
//!
//! Knows nothing of tables. Every setting is read back: a setting that SQLite ignores is a
//! setting that a later defect depends on.

use super::error::{Fault, OpenError};
use crate::crash;
use rusqlite::{Connection, OpenFlags, config::DbConfig, types::FromSql};
use std::{path::Path, time::Duration};

/// The first SQLite without the WAL-reset corruption of 3.7.0 to 3.51.2.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a statement waits for somebody else's lock. Only this program writes `confirmd.db`,
/// so a wait means an operator's shell, and the chains should not stand still for long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What the WAL file is cut back to after a checkpoint: 64 MiB.
const WAL_SIZE_LIMIT: i64 = 64 << 20;

/// The writer's page cache in KiB: a portion of 500 registrations changes some 10 MB of pages, and
/// what does not fit is written before its time and read again.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// A commit after which the WAL has this many pages (4 MiB) copies them to the main file. A page
/// that several commits changed is copied once, so that more would cost a little less, but keep
/// the commit that does it longer: with four times as many the slowest hundredth of a chain's inputs
/// waited 118 ms behind registrations, not 87.
const CHECKPOINT_PAGES: i64 = 1_000;

/// `temp_store`: what a statement would need to undo itself stays in memory, not in a file.
const IN_MEMORY: i64 = 2;

/// More than the number of different statements that this program makes.
const STATEMENTS_KEPT: usize = 96;

/// How hard a commit tries to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on the disk before it is believed.
    Full,
    /// A commit may be lost with the power; for simulated chains and for tests.
    None,
}

/// What a checkpoint could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// Everything is in the main file and the WAL is empty.
    Complete,
    /// A reader still needs the WAL; it goes on growing until that reader ends.
    HeldByReader,
}

pub(super) fn check_version() -> Result<(), OpenError> {
    version_is_safe(rusqlite::version_number())
        .then_some(())
        .ok_or_else(|| OpenError::SqliteTooOld {
            found: rusqlite::version(),
        })
}

const fn version_is_safe(number: i32) -> bool {
    number >= OLDEST_SQLITE
}

/// Opens an existing or empty file for writing.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Fault> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    harden(&conn, BUSY_TIMEOUT)?;
    Ok(conn)
}

/// Opens an existing file for reading only; `extra` for example to refuse symbolic links.
pub(super) fn open_reader(
    path: &Path,
    extra: OpenFlags,
    patience: Duration,
) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let conn = Connection::open_with_flags(path, flags)?;
    harden(&conn, patience)?;
    set(&conn, "query_only", &true)?;
    Ok(conn)
}

/// What every connection gets before it looks at the file.
pub(super) fn harden(conn: &Connection, patience: Duration) -> Result<(), Fault> {
    conn.busy_timeout(patience)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    for (switch, wanted) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // Else partial indexes make SQLite plan a kept statement anew for every value bound to it.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        if conn.set_db_config(switch, wanted)? != wanted {
            return Err(Fault::Guard(format!("SQLite ignores {switch:?}")));
        }
    }
    set(conn, "mmap_size", &0_i64)?;
    set(conn, "cell_size_check", &true)?;
    set(conn, "foreign_keys", &true)
}

/// What the one writer of a WAL database gets; after this the file is a WAL database.
pub(super) fn pin_wal_writer(conn: &Connection, durability: Durability) -> Result<(), Fault> {
    let synchronous: i64 = match durability {
        Durability::Full => 2,
        Durability::None => 0,
    };
    set(conn, "journal_mode", &"wal".to_owned())?;
    set(conn, "synchronous", &synchronous)?;
    set(conn, "journal_size_limit", &WAL_SIZE_LIMIT)?;
    set(conn, "cache_size", &-WRITER_CACHE_KIB)?;
    let pages = crash::checkpoint_pages().unwrap_or(CHECKPOINT_PAGES);
    set(conn, "wal_autocheckpoint", &pages)?;
    set(conn, "temp_store", &IN_MEMORY)?;
    let mut persist = 1;
    conn.file_control(
        None::<&str>,
        rusqlite::FileControl::PersistWal(&mut persist),
    )?;
    let mut kept = -1;
    conn.file_control(None::<&str>, rusqlite::FileControl::PersistWal(&mut kept))?;
    if kept != 1 {
        return Err(Fault::Guard("SQLite ignores PERSIST_WAL".to_owned()));
    }
    Ok(())
}

/// Empties the WAL if no reader needs it; never waits for one.
pub(super) fn checkpoint(conn: &Connection) -> Result<Checkpoint, Fault> {
    conn.busy_timeout(Duration::ZERO)?;
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, bool>(0)
    });
    conn.busy_timeout(BUSY_TIMEOUT)?;
    Ok(if busy? {
        Checkpoint::HeldByReader
    } else {
        Checkpoint::Complete
    })
}

/// Sets a pragma and reads it back.
pub(super) fn set<T>(conn: &Connection, name: &str, wanted: &T) -> Result<(), Fault>
where
    T: rusqlite::ToSql + FromSql + PartialEq,
{
    // Some pragmas answer the new value and some answer nothing.
    conn.pragma(None, name, wanted, |_| Ok(()))?;
    let found: Option<T> = match conn.pragma_query_value(None, name, |row| row.get(0)) {
        Ok(found) => Some(found),
        Err(rusqlite::Error::QueryReturnedNoRows) => None,
        Err(error) => return Err(error.into()),
    };
    // Without a file (in memory) there is no mmap to ask about.
    if found.is_none_or(|found| found == *wanted) {
        Ok(())
    } else {
        Err(Fault::Guard(format!("SQLite ignores PRAGMA {name}")))
    }
}

/// The whole number that a pragma answers.
pub(super) fn number(conn: &Connection, pragma: &str) -> Result<i64, Fault> {
    Ok(conn.pragma_query_value(None, pragma, |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_can_corrupt_a_wal_is_refused() {
        for (number, safe) in [
            (3_040_001, false),
            (3_051_002, false),
            (3_051_003, true),
            (3_054_001, true),
        ] {
            assert_eq!(version_is_safe(number), safe, "{number}");
        }
        check_version().expect("the linked SQLite is safe");
    }

    #[test]
    fn every_setting_of_a_writer_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::File::create(&path).unwrap();
        let conn = open_writer(&path).unwrap();
        pin_wal_writer(&conn, Durability::Full).unwrap();
        for (pragma, wanted) in [
            ("synchronous", 2),
            ("mmap_size", 0),
            ("trusted_schema", 0),
            ("foreign_keys", 1),
            ("cell_size_check", 1),
            ("journal_size_limit", WAL_SIZE_LIMIT),
            ("busy_timeout", 2000),
        ] {
            assert_eq!(number(&conn, pragma).unwrap(), wanted, "{pragma}");
        }
    }

    #[test]
    fn a_setting_that_does_not_take_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        std::fs::File::create(&path).unwrap();
        let conn = open_writer(&path).unwrap();
        pin_wal_writer(&conn, Durability::Full).unwrap();
        // The page size of a WAL database cannot be changed.
        conn.execute_batch("CREATE TABLE t (a) STRICT").unwrap_err();
        conn.execute_batch("CREATE TABLE t (a INTEGER) STRICT")
            .unwrap();
        assert!(set(&conn, "page_size", &512_i64).is_err());
    }
}
