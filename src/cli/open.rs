//! From the configuration file to what a command works on.

use super::{Context, Exit, failure::Failure};
use crate::{
    config::{Config, Database},
    domain::asset::ChainName,
    store::reader::Reader,
};
use nix::unistd::{Uid, User};
use std::{io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

impl Context {
    /// Where the databases are, from a configuration that is valid as a whole.
    pub(super) fn database(&self) -> Result<Database, Failure> {
        Ok(Database::load(&self.config)?)
    }

    /// The configured chains: the database may know others, which nobody follows any more.
    pub(super) fn chains(&self) -> Result<Vec<ChainName>, Failure> {
        let config = Config::parse(&std::fs::read_to_string(&self.config)?)?;
        Ok(config.chains.into_iter().map(|chain| chain.name).collect())
    }

    /// The public views.
    pub(super) fn reader(&self) -> Result<Reader, Failure> {
        open_reader(&self.database()?)
    }
}

/// The public views of the configured database.
pub(super) fn open_reader(database: &Database) -> Result<Reader, Failure> {
    require_reach(&database.path, database.group.as_deref())?;
    Ok(Reader::open(&database.path)?)
}

/// Says what to do about a file that is missing or that this user cannot get at; its users are
/// in `group`, if one is configured.
pub(super) fn require_reach(file: &Path, group: Option<&str>) -> Result<(), Failure> {
    let Err(error) = std::fs::metadata(file) else {
        return Ok(());
    };
    let shown = file.display();
    let kind = error.kind();
    let message = if kind == ErrorKind::NotFound {
        format!("{shown} does not exist; `confirmd init` or `confirmd run` makes it")
    } else if kind == ErrorKind::PermissionDenied {
        let whom = group.map_or("the daemon's group".to_owned(), |group| {
            format!("the group {group}")
        });
        format!("{shown} cannot be reached by this user, who must be in {whom}")
    } else {
        format!("{shown}: {error}")
    };
    Err(Failure::new(Exit::Io, message))
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
