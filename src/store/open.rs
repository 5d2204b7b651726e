//! Opening the databases: who may use them, whose they are, whether they are sound.
//!
//! The order matters: nothing is touched before the lock is held, and nothing is written before
//! the file is known to be ours and undamaged.

use super::{
    Store,
    commit::last_seq,
    connection::{self, Durability},
    error::{Fault, OpenError, StoreError},
    files::{self, Access, Lock, Ownership},
    head::{self, Head, Mark},
    inbox,
    schema::{self, Found, Kind, MIGRATIONS},
};
use crate::domain::time::UnixMs;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};

/// Where the databases are and how they are used.
#[derive(Debug, Clone)]
pub struct Options {
    /// `confirmd.db`.
    pub database: PathBuf,
    /// `inbox.db`.
    pub inbox: PathBuf,
    /// The file that remembers the highest journal number outside the database.
    pub head: PathBuf,
    /// A head that commands outside the service may have left beside the database: it counts
    /// once and is removed.
    pub left_head: Option<PathBuf>,
    /// Who else may use the files.
    pub access: Access,
    /// What the database is for.
    pub kind: Kind,
    /// How hard a commit tries.
    pub durability: Durability,
}

impl Options {
    /// A live database with full durability for the daemon's own user and group; the `head`
    /// file lies beside it.
    #[must_use]
    pub fn new(database: impl Into<PathBuf>, inbox: impl Into<PathBuf>) -> Self {
        let database = database.into();
        Self {
            head: files::parent(&database).join("head"),
            left_head: None,
            database,
            inbox: inbox.into(),
            access: Access::Groups {
                readers: None,
                writers: None,
            },
            kind: Kind::Live,
            durability: Durability::Full,
        }
    }

    /// Keeps the head in a directory of its own, which no backup of the database's directory
    /// brings back.
    #[must_use]
    pub fn with_head_in(self, dir: &Path) -> Self {
        let head = dir.join("head");
        let left_head = Some(self.head).filter(|left| *left != head);
        Self {
            head,
            left_head,
            ..self
        }
    }

    /// Both files in a private directory, lost with the power: for the sandbox and for tests.
    #[must_use]
    pub fn private(dir: &Path, kind: Kind) -> Self {
        Self {
            access: Access::Private,
            kind,
            durability: Durability::None,
            ..Self::new(dir.join("confirmd.db"), dir.join("inbox.db"))
        }
    }
}

impl Store {
    /// Opens both databases and makes what is missing.
    ///
    /// # Errors
    /// By what the operator does; see [`OpenError`].
    pub fn open(options: &Options, now: UnixMs) -> Result<Self, OpenError> {
        connection::check_version()?;
        let owner = Ownership::of_database(&options.access)?;
        owner.prepare_dir(&options.database)?;
        let lock = Lock::take(&options.database, &owner)?;
        let conn = open_database(options, &owner)?;
        inbox::create(
            &options.inbox,
            &options.access,
            &files::parent(&options.database),
        )?;
        let (head, marks) = open_head(options, &owner)?;
        let unreadable = |fault: Fault| schema::unreadable(&options.database, &fault);
        let mark = identify(&conn, &marks, now).map_err(unreadable)?;
        head.write(&mark);
        if let Some(left) = &options.left_head {
            head::remove(left)?;
        }
        Ok(Self {
            conn,
            path: options.database.clone(),
            kind: options.kind,
            database_id: mark.database_id,
            head,
            broken: None,
            _lock: lock,
        })
    }

    /// The random id of this database; a restored backup gets a new one.
    #[must_use]
    pub fn database_id(&self) -> &str {
        &self.database_id
    }

    /// What the database is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes everything back from the WAL and closes the files, which stay readable for
    /// others. What is committed is safe without this too.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn close(self) -> Result<(), StoreError> {
        if self.broken.is_none() {
            self.checkpoint()?;
        }
        self.conn.close().map_err(|(_, error)| error.into())
    }
}

fn open_database(options: &Options, owner: &Ownership) -> Result<Connection, OpenError> {
    let path = &options.database;
    let made = owner.prepare_file(path)?;
    for suffix in ["-wal", "-shm"] {
        owner.check_file(&files::beside(path, suffix))?;
    }
    let unreadable = |fault: Fault| schema::unreadable(path, &fault);
    let mut conn = connection::open_writer(path).map_err(unreadable)?;
    let found = schema::inspect(&conn, path, options.kind, MIGRATIONS)?;
    if found == Found::Empty
        && !made
        && let Some(head) = remembering_head(options)?
    {
        let head = head.display();
        return Err(OpenError::Corrupt {
            path: path.clone(),
            problem: format!("it is empty, but {head} remembers its contents"),
        });
    }
    if found != Found::Empty {
        schema::quick_check(&conn, path)?;
        schema::compare(&conn, path, options.kind, &found, MIGRATIONS)?;
    }
    connection::pin_wal_writer(&conn, options.durability).map_err(unreadable)?;
    schema::migrate(&mut conn, path, options.kind, &found, MIGRATIONS)?;
    Ok(conn)
}

/// The head that says that the database was not always empty. Whose file that is does not matter
/// here: the loss is what must be told.
fn remembering_head(options: &Options) -> Result<Option<&Path>, OpenError> {
    for head in std::iter::once(&options.head).chain(&options.left_head) {
        if head::peek(head)?.is_some_and(|mark| mark.seq > 0) {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// The head and every mark that was left.
fn open_head(options: &Options, owner: &Ownership) -> Result<(Head, Vec<Mark>), OpenError> {
    let Some(left) = &options.left_head else {
        owner.prepare_dir_unchecked(&options.head)?;
        let (head, mark) = Head::open(&options.head, owner)?;
        return Ok((head, mark.into_iter().collect()));
    };
    // Nobody but the daemon reads it there, and the directory belongs to no group of readers.
    let own = Ownership::of_database(&Access::Private)?;
    own.prepare_dir_unchecked(&options.head)?;
    let (head, mark) = Head::open(&options.head, &own)?;
    let left = head::peek(left)?;
    Ok((head, mark.into_iter().chain(left).collect()))
}

/// Gives a new database its id, and a new one to a database that lacks what its readers saw.
fn identify(conn: &Connection, marks: &[Mark], now: UnixMs) -> Result<Mark, Fault> {
    conn.execute(
        "INSERT INTO meta (one, database_id, schema_major, schema_minor, confirmd_version,
                           created_at, first_seq)
         VALUES (1, lower(hex(randomblob(16))), ?1, ?2, ?3, ?4, 1)
         ON CONFLICT (one) DO UPDATE
            SET schema_major = excluded.schema_major, schema_minor = excluded.schema_minor,
                confirmd_version = excluded.confirmd_version",
        params![
            schema::VIEWS_MAJOR,
            schema::VIEWS_MINOR,
            env!("CARGO_PKG_VERSION"),
            now.0
        ],
    )?;
    let mut database_id: String =
        conn.query_row("SELECT database_id FROM meta", [], |row| row.get(0))?;
    let seq = last_seq(conn)?;
    if marks.iter().any(|mark| mark.is_ahead_of(&database_id, seq)) {
        database_id = conn.query_row(
            "UPDATE meta SET database_id = lower(hex(randomblob(16))) RETURNING database_id",
            [],
            |row| row.get(0),
        )?;
    }
    Ok(Mark { database_id, seq })
}

#[cfg(test)]
mod tests;
