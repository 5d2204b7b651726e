//! A disk that can be full, or read-only: a small file system in memory, which only root may mount.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::confirmd::ledger::reading_user;

/// Modes of the directories that the daemon makes.
pub const READERS: u32 = 0o2750;
pub const WRITERS: u32 = 0o2770;

/// A file system of 8 MiB, in memory. Unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it where a directory of the daemon's will be, with that directory's owner and mode.
    pub fn mount(at: &Path, mode: u32) -> Self {
        fs::create_dir(at).expect("a mount point");
        let options = format!("size=8m,mode={mode:o},gid={}", reading_user().gid);
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], at);
        Self(at.to_owned())
    }

    /// Lets nobody write any more, or again; nobody may have a file open for it.
    pub fn protect(&self, is_protected: bool) {
        let access = if is_protected {
            "remount,ro"
        } else {
            "remount,rw"
        };
        mount(&["-o", access], &self.0);
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all room that is left.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        let zeros = [0; 4096];
        loop {
            match filler.write(&zeros) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("cannot fill the disk: {error}"),
            }
        }
    }

    pub fn make_room(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the daemon and its reader may still be there when a test fails.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(args: &[&str], at: &Path) {
    let mount = Command::new("mount").args(args).arg(at).output();
    let mount = mount.expect("the command mount");
    assert!(
        mount.status.success(),
        "this test needs a disk that can be full: run it as root, where a tmpfs may be mounted ({})",
        String::from_utf8_lossy(&mount.stderr).trim()
    );
}
