//! The small file by which other commands find a sandbox that stays.

use crate::cli::{Exit, failure::Failure};
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write as _},
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// A few paths and addresses.
const MAX_LEN: u64 = 64 * 1024;

/// What others need to know of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Where it takes orders.
    pub(super) control: SocketAddr,
    /// What `-c` takes.
    pub(super) config: PathBuf,
    pub(super) database: PathBuf,
    pub(super) inbox: PathBuf,
    /// Where `/metrics`, `/livez` and `/readyz` are.
    pub(super) http: SocketAddr,
    pub(super) speed: u32,
}

/// The file, locked as long as its sandbox runs; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _locked: File,
}

/// Where the file of a sandbox in this directory is, or of the usual one.
pub(super) fn path(dir: Option<&Path>) -> PathBuf {
    if let Some(dir) = dir {
        return dir.join("sandbox.json");
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let place = runtime.map_or_else(std::env::temp_dir, PathBuf::from);
    place.join(format!("confirmd-sandbox-{}.json", Uid::effective()))
}

impl Place {
    /// Writes the file.
    pub(super) fn take(path: PathBuf, facts: &Facts) -> Result<Self, Failure> {
        let text = serde_json::to_vec_pretty(facts).map_err(std::io::Error::from)?;
        let locked = write(&path, &text)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))?;
        Ok(Self {
            path,
            _locked: locked,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Refuses a place where a running sandbox is found.
pub(super) fn require_free(path: &Path) -> Result<(), Failure> {
    let left = open_ours(path);
    if left.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
        let message = format!(
            "a sandbox runs already ({}); end it, or give each one its own --dir",
            path.display()
        );
        return Err(Failure::failed(message));
    }
    Ok(())
}

/// In a place that others may write too, a link or another's file is not followed.
fn write(path: &Path, text: &[u8]) -> std::io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // Before anybody reads it: a file that is there and not locked is left over.
    file.lock()?;
    file.write_all(text)?;
    Ok(file)
}

/// The file, if it is ours.
fn open_ours(path: &Path) -> std::io::Result<File> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() || found.uid() != Uid::effective().as_raw() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    File::open(path)
}

/// What the file says.
pub(super) fn read(path: &Path) -> Result<Facts, Failure> {
    let none = || {
        let message = format!(
            "no sandbox is found ({} is missing); start one with: confirmd sandbox --stay",
            path.display()
        );
        Failure::failed(message)
    };
    let found = fs::symlink_metadata(path).map_err(|_| none())?;
    let is_ours = found.is_file() && found.uid() == Uid::effective().as_raw();
    if !is_ours || found.len() > MAX_LEN {
        let message = format!("{} is not the file of a sandbox of yours", path.display());
        return Err(Failure::failed(message));
    }
    serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
