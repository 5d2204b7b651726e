//! Giving up root before the inbox is written.
//!
//! The inbox's directory is writable by gateways: a journal laid out there makes a plain open
//! write or delete files that its opener may write. Root may write all of them, so root first
//! becomes a user that may write nothing but the inbox.

use crate::store::{
    error::OpenError,
    files::{io, parent},
};
use nix::unistd::{Gid, Uid, User, setgid, setgroups, setuid};
use std::{collections::BTreeSet, os::unix::fs::MetadataExt, path::Path};

/// What Linux systems number the user that owns nothing, should it have no name.
const NOBODY: u32 = 65_534;

/// When run as root, becomes `nobody` in the group of the inbox for the rest of the process's
/// life; says whether it did. Does nothing for other users.
///
/// # Errors
/// [`OpenError::Io`] when the inbox is missing or the system refuses.
pub fn become_inbox_writer(inbox: &Path) -> Result<bool, OpenError> {
    if !Uid::effective().is_root() && !Uid::current().is_root() {
        return Ok(false);
    }
    let failed = |error: nix::Error| io(inbox, &error.into());
    let found = std::fs::symlink_metadata(inbox).map_err(|error| io(inbox, &error))?;
    let gid = Gid::from_raw(found.gid());
    let nobody = User::from_name("nobody").map_err(failed)?;
    let uid = nobody.map_or(Uid::from_raw(NOBODY), |user| user.uid);
    setgroups(&groups_on_the_way(inbox, gid)?).map_err(failed)?;
    setgid(gid).map_err(failed)?;
    setuid(uid).map_err(failed)?;
    Ok(true)
}

/// The inbox's group, and those that lead through its directories.
fn groups_on_the_way(inbox: &Path, gid: Gid) -> Result<Vec<Gid>, OpenError> {
    const ANYBODY_MAY_ENTER: u32 = 0o001;
    let dir = parent(inbox);
    let dir = dir.canonicalize().map_err(|error| io(&dir, &error))?;
    let mut groups = BTreeSet::from([gid.as_raw()]);
    for dir in dir.ancestors() {
        let found = std::fs::metadata(dir).map_err(|error| io(dir, &error))?;
        if found.mode() & ANYBODY_MAY_ENTER == 0 {
            groups.insert(found.gid());
        }
    }
    Ok(groups.into_iter().map(Gid::from_raw).collect())
}
