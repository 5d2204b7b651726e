//! From the configuration file to what a command works on.

use super::{Context, Exit, failure::Failure};
use crate::{
    config::Database,
    store::{self, Access, reader::Reader},
};
use nix::unistd::{Uid, User};
use std::{os::unix::fs::MetadataExt, path::Path};

impl Context {
    /// Where the databases are, from a configuration that is valid as a whole.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        Ok(Database::load(&self.config)?)
    }

    /// The public views.
    pub(super) fn reader(&self) -> Result<Reader, Failure> {
        open_reader(&self.database()?.path)
    }
}

/// The public views of the database at this path.
pub(super) fn open_reader(path: &Path) -> Result<Reader, Failure> {
    if matches!(path.try_exists(), Ok(false)) {
        let message = format!(
            "{} does not exist; `confirmd init` or `confirmd run` makes it",
            path.display()
        );
        return Err(Failure::new(Exit::Io, message));
    }
    Ok(Reader::open(path)?)
}

/// How the databases are opened by the daemon and by what stands in for it.
pub(super) fn store_options(database: &Database) -> store::Options {
    let access = Access::Groups {
        readers: database.group.clone(),
        writers: database.inbox_group.clone(),
    };
    store::Options {
        access,
        ..store::Options::new(&database.path, &database.inbox)
    }
}

/// Refuses to stand in for the daemon as another user than the one that owns its directory:
/// what that user made, the daemon could not open.
pub(super) fn require_owner(database: &Path) -> Result<(), Failure> {
    let directory = database.parent().unwrap_or(database);
    let Ok(found) = std::fs::metadata(directory) else {
        return Ok(());
    };
    let (owner, me) = (Uid::from_raw(found.uid()), Uid::effective());
    if owner == me {
        return Ok(());
    }
    let owner = User::from_uid(owner)
        .ok()
        .flatten()
        .map_or_else(|| owner.to_string(), |user| user.name);
    Err(Failure::new(
        Exit::Io,
        format!(
            "{} belongs to {owner}; run this as that user, for example with: sudo -u {owner}",
            directory.display()
        ),
    ))
}
