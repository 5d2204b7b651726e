//! Which schema a file has, and bringing an older one up to date.
//!
//! `application_id` says whose file it is and what kind, `user_version` counts migrations.

use super::{
    connection::number,
    error::{DISK_IS_FULL, Fault, OpenError},
};
use crate::crash;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};

/// What a database is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Real chains.
    Live,
    /// Simulated chains: `run` can never open it.
    Sandbox,
}

impl Kind {
    const fn application_id(self) -> i64 {
        match self {
            Self::Live => 0x6366_6d64,    // "cfmd"
            Self::Sandbox => 0x6366_6d73, // "cfms"
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Live => "a confirmd database of real chains",
            Self::Sandbox => "a confirmd sandbox database",
        }
    }
}

/// The script of each schema after the one before it; the first makes schema 1 of nothing.
pub(super) const MIGRATIONS: &[&str] = &[concat!(
    include_str!("migrations/0001_tables.sql"),
    include_str!("migrations/0001_views.sql")
)];

/// The version of the public views: a gateway made for `1.x` reads any `1.y` with `y >= x`.
pub(super) const VIEWS_MAJOR: i64 = 1;
/// Counts additions to the public views.
pub(super) const VIEWS_MINOR: i64 = 0;

/// The state in which a file was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing was ever written.
    Empty,
    /// One of ours, with this many migrations.
    Ours(i64),
}

/// Says whose file this is.
pub(super) fn inspect(
    conn: &Connection,
    path: &Path,
    wanted: Kind,
    migrations: &[&str],
) -> Result<Found, OpenError> {
    let ask = |pragma| number(conn, pragma).map_err(|fault| unreadable(path, &fault));
    let application = ask("application_id")?;
    let version = ask("user_version")?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if application == wanted.application_id() {
        return match version {
            1.. if version <= known => Ok(Found::Ours(version)),
            1.. => Err(OpenError::Newer {
                path: path.to_owned(),
                found: version,
                known,
            }),
            _ => Err(foreign(path, "its schema has no version")),
        };
    }
    let objects: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| unreadable(path, &error.into()))?;
    if application == 0 && version == 0 && objects == 0 {
        return Ok(Found::Empty);
    }
    let other = [Kind::Live, Kind::Sandbox]
        .into_iter()
        .find(|kind| kind.application_id() == application);
    Err(foreign(
        path,
        other.map_or("another program's SQLite database", Kind::describe),
    ))
}

fn foreign(path: &Path, problem: &str) -> OpenError {
    OpenError::Foreign {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

/// An error of the first look at a file, by what the operator does.
pub(super) fn unreadable(path: &Path, fault: &Fault) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
    let path = path.to_owned();
    let problem = fault.text();
    let code = match fault {
        Fault::Sqlite(error) => error.sqlite_error_code(),
        Fault::Decode(_) | Fault::Guard(_) => None,
    };
    match code {
        Some(DatabaseCorrupt) => OpenError::Corrupt { path, problem },
        Some(NotADatabase) => OpenError::Foreign { path, problem },
        Some(DiskFull) => OpenError::Io {
            path,
            problem: DISK_IS_FULL.to_owned(),
        },
        _ => OpenError::Io { path, problem },
    }
}

/// Looks for damage; a fraction of a second for a million payments.
pub(super) fn quick_check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let verdict: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| unreadable(path, &error.into()))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(OpenError::Corrupt {
            path: path.to_owned(),
            problem: verdict,
        })
    }
}

/// Brings a file up to date: one transaction a schema, with the version inside it. A file that
/// holds something is copied aside first.
pub(super) fn migrate(
    conn: &mut Connection,
    path: &Path,
    kind: Kind,
    found: &Found,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let from = match *found {
        Found::Empty => 0,
        Found::Ours(version) => version,
    };
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    if done > 0 && done < migrations.len() {
        back_up(conn, path, from)?;
    }
    for (version, script) in (1_i64..).zip(migrations).skip(done) {
        apply(conn, kind, version, script).map_err(|fault| unreadable(path, &fault))?;
    }
    Ok(())
}

fn apply(conn: &mut Connection, kind: Kind, version: i64, script: &str) -> Result<(), Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(script)?;
    tx.pragma_update(None, "application_id", kind.application_id())?;
    tx.pragma_update(None, "user_version", version)?;
    crash::point("migration");
    tx.commit()?;
    Ok(())
}

/// Refuses a file whose tables are not those that its version had: nothing written to it would be
/// sure. What somebody added to them does not matter.
pub(super) fn compare(
    conn: &Connection,
    path: &Path,
    kind: Kind,
    found: &Found,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let version = match *found {
        Found::Empty => return Ok(()),
        Found::Ours(version) => version,
    };
    let differs = first_difference(conn, kind, version, migrations);
    match differs.map_err(|fault| unreadable(path, &fault))? {
        None => Ok(()),
        Some(name) => Err(foreign(
            path,
            &format!(
                "its {name} is not that of schema {version}; a confirmd that was never released \
                 made it, or somebody changed it. Go on with the confirmd that made it, or move \
                 the file away together with its inbox and register open payments again"
            ),
        )),
    }
}

/// The first table, view, index or trigger that a schema has and the file has not, or not so.
fn first_difference(
    conn: &Connection,
    kind: Kind,
    version: i64,
    migrations: &[&str],
) -> Result<Option<String>, Fault> {
    let mut model = Connection::open_in_memory()?;
    for (version, script) in (1..=version).zip(migrations) {
        apply(&mut model, kind, version, script)?;
    }
    let objects = "SELECT type || ' ' || name, sql FROM sqlite_schema
                    WHERE sql IS NOT NULL ORDER BY rowid";
    let mut wanted = model.prepare(objects)?;
    let mut wanted = wanted.query([])?;
    let mut same = conn.prepare(
        "SELECT count(*) FROM sqlite_schema WHERE type || ' ' || name = ?1 AND sql = ?2",
    )?;
    while let Some(row) = wanted.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let found: i64 = same.query_row([&name, &sql], |row| row.get(0))?;
        if found == 0 {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Where the copy of a file before its migration lies.
fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".schema-{version}"));
    name.into()
}

fn back_up(conn: &Connection, path: &Path, version: i64) -> Result<(), OpenError> {
    let target = backup_path(path, version);
    let io = |problem: String| OpenError::Io {
        path: target.clone(),
        problem,
    };
    let mut partial = target.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io(error.to_string()));
        }
        Ok(()) | Err(_) => {}
    }
    let text = partial.to_str().ok_or_else(|| io("is not UTF-8".into()))?;
    conn.execute("VACUUM INTO ?1", [text])
        .map_err(|error| io(error.to_string()))?;
    super::files::set_mode(&partial, super::files::READERS_FILE)?;
    std::fs::rename(&partial, &target).map_err(|error| io(error.to_string()))
}

#[cfg(test)]
mod tests;
