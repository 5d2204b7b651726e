//! What can go wrong with a database, by what the caller does about it.
//!
//! Messages carry paths and SQLite's own words, never the contents of a row.

use crate::crash::Disk;
use rusqlite::ErrorCode;
use std::path::PathBuf;

/// What is wrong with a disk, and what to do.
pub(super) const DISK_IS_FULL: &str = "the disk is full; make room on it";
pub(super) const DISK_IS_READ_ONLY: &str =
    "the disk is read-only; mount it so that it can be written";

/// Why the databases could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The linked SQLite may damage a WAL database.
    #[error(
        "SQLite {found} is linked; 3.51.3 or later is needed (older ones can corrupt a WAL database)"
    )]
    SqliteTooOld {
        /// What is linked.
        found: &'static str,
    },
    /// Another daemon has this database.
    #[error("another confirmd has this database open ({lock} is locked); stop that one, or give this one a database of its own", lock = .0.display())]
    Locked(PathBuf),
    /// Owner, group or mode of a file or directory is wrong.
    #[error("{problem}; mend it with: {command}")]
    Permissions {
        /// What is wrong.
        problem: String,
        /// What mends it, as a shell command.
        command: String,
    },
    /// The file is damaged: do not go on, restore a backup.
    #[error("{path} is damaged: {problem}; keep it for an inquiry and restore a backup", path = .path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        problem: String,
    },
    /// The file belongs to something else.
    #[error("{path} is not what was expected: {problem}", path = .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        problem: String,
    },
    /// A later confirmd wrote it.
    #[error("{path} has schema {found}; this confirmd knows schemas up to {known}: install the one that wrote it, or a later one", path = .path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// A file could not be read or written.
    #[error("{path}: {problem}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
}

/// Why reading or committing failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full or the file system is read-only. Nothing was changed: wait, then do the
    /// same again.
    #[error("the database cannot be written: {0}")]
    Unwritable(String),
    /// Somebody else holds the file. Nothing was changed: do the same again.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The disk failed. What is on it is unknown: leave the process and open again from disk;
    /// every later commit fails the same.
    #[error("the disk failed: {0}")]
    Io(String),
    /// The file is damaged: leave the process, restore a backup.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The step contradicts what is stored: a defect of this program. Nothing was changed.
    #[error("the database refused a change: {0}")]
    Refused(String),
}

impl StoreError {
    /// Whether doing the same again later may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unwritable(_) | Self::Busy(_) => true,
            Self::Io(_) | Self::Corrupt(_) | Self::Refused(_) => false,
        }
    }
}

/// What happened inside, before it is decided who must act.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// A stored value that no version of this program wrote.
    Decode(String),
    /// A change that the stored state forbids.
    Guard(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// What SQLite says of a disk that a test filled or broke.
    pub(super) fn of(disk: Disk) -> Option<Self> {
        let code = match disk {
            Disk::Sound => return None,
            Disk::Full => rusqlite::ffi::SQLITE_FULL,
            Disk::Broken => rusqlite::ffi::SQLITE_IOERR_WRITE,
        };
        let code = rusqlite::ffi::Error::new(code);
        Some(Self::Sqlite(rusqlite::Error::SqliteFailure(code, None)))
    }

    /// Whether the last guard refused the change, and nothing is wrong with disk or file.
    pub(super) fn is_guard(&self) -> bool {
        match self {
            Self::Guard(_) => true,
            Self::Sqlite(error) => {
                error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
            }
            Self::Decode(_) => false,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Sqlite(error) => error.to_string(),
            Self::Decode(text) | Self::Guard(text) => text.clone(),
        }
    }
}

/// The shared-memory file could not grow, which on Linux means that the disk is full.
const SHM_IS_FULL: [i32; 2] = [
    rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
    rusqlite::ffi::SQLITE_IOERR_SHMMAP,
];

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "SQLite's closed list is foreign and every code not named here is our defect"
)]
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let text = fault.text();
        let Fault::Sqlite(error) = fault else {
            return match fault {
                Fault::Decode(_) => Self::Corrupt(text),
                _ => Self::Refused(text),
            };
        };
        let extended = error.sqlite_error().map_or(0, |e| e.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => Self::Unwritable(text),
            Some(_) if SHM_IS_FULL.contains(&extended) => Self::Unwritable(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(text),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied,
            ) => Self::Io(text),
            // Without a code: a value of another type than its column.
            None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(text)
            }
            Some(_) => Self::Refused(text),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Fault::from(error).into()
    }
}
