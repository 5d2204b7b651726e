//! The files and directories of both databases: who owns them, who may use them, and the lock.
//!
//! Never opens a database file that may be in use: closing any descriptor of it would drop
//! SQLite's locks (POSIX). Owners and modes are read by path, and set through a descriptor of
//! what was just made: a path may lead elsewhere a moment later.

use super::error::{DISK_IS_FULL, DISK_IS_READ_ONLY, OpenError};
use nix::{
    fcntl::OFlag,
    unistd::{Gid, Group, Uid, User},
};
use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    time::Duration,
};

/// Directory of `confirmd.db`: its readers' group may enter, and new files get that group.
pub(super) const READERS_DIR: u32 = 0o2750;
/// `confirmd.db` and its companions: readers read.
pub(super) const READERS_FILE: u32 = 0o640;
/// Directory of `inbox.db`: writers make journals in it.
pub(super) const WRITERS_DIR: u32 = 0o2770;
/// `inbox.db`: writers write.
pub(super) const WRITERS_FILE: u32 = 0o660;

/// Permission bits with setuid, setgid and sticky.
const MODE_BITS: u32 = 0o7777;

/// Who may use the databases beside the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Other Unix users through two groups, by name; the daemon's own where absent. Owner,
    /// group and mode of what exists are checked.
    Groups {
        /// May read `confirmd.db`.
        readers: Option<String>,
        /// May write `inbox.db`.
        writers: Option<String>,
    },
    /// Only this user; what exists is taken as it is. For the sandbox and for tests.
    Private,
}

/// What owner, group and modes a directory and its files must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ownership {
    uid: Uid,
    gid: Gid,
    dir: u32,
    file: u32,
    checked: bool,
}

impl Ownership {
    /// For `confirmd.db`.
    pub(super) fn of_database(access: &Access) -> Result<Self, OpenError> {
        match access {
            Access::Groups { readers, .. } => Self::of(readers.as_deref(), READERS_DIR),
            Access::Private => Ok(Self::private(READERS_DIR)),
        }
    }

    /// For `inbox.db`.
    pub(super) fn of_inbox(access: &Access) -> Result<Self, OpenError> {
        match access {
            Access::Groups { writers, .. } => Self::of(writers.as_deref(), WRITERS_DIR),
            Access::Private => Ok(Self::private(WRITERS_DIR)),
        }
    }

    fn of(group: Option<&str>, dir: u32) -> Result<Self, OpenError> {
        let gid = group.map_or_else(|| Ok(Gid::effective()), group_id)?;
        Ok(Self {
            gid,
            checked: true,
            ..Self::private(dir)
        })
    }

    fn private(dir: u32) -> Self {
        Self {
            uid: Uid::effective(),
            gid: Gid::effective(),
            dir,
            file: if dir == WRITERS_DIR {
                WRITERS_FILE
            } else {
                READERS_FILE
            },
            checked: false,
        }
    }

    /// Makes the directory of `file` if it is missing, or checks it.
    pub(super) fn prepare_dir(&self, file: &Path) -> Result<(), OpenError> {
        let dir = parent(file);
        match std::fs::metadata(&dir) {
            Ok(_) if self.is_torn_dir(&dir) => self.give_dir(&dir),
            Ok(found) => self.check(&dir, &found, self.dir),
            Err(error) if error.kind() == ErrorKind::NotFound => self.make_dir(&dir),
            Err(error) => Err(io(&dir, &error)),
        }
    }

    /// Makes the directory of `file` if it is missing; whose it is does not matter.
    pub(super) fn prepare_dir_unchecked(&self, file: &Path) -> Result<(), OpenError> {
        let dir = parent(file);
        match std::fs::metadata(&dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.make_dir(&dir),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn make_dir(&self, dir: &Path) -> Result<(), OpenError> {
        DirBuilder::new()
            .recursive(true)
            .mode(self.dir & 0o777)
            .create(dir)
            .map_err(|error| io(dir, &error))?;
        self.give_dir(dir)
    }

    fn give_dir(&self, dir: &Path) -> Result<(), OpenError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(dir)
            .map_err(|error| io(dir, &error))?;
        self.give(&opened, dir, self.dir)
    }

    /// Makes an empty file if there is none, or checks what is there. Says whether it made one.
    pub(super) fn prepare_file(&self, file: &Path) -> Result<bool, OpenError> {
        if self.is_torn_file(file) {
            let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
            let mut options = OpenOptions::new();
            let opened = options.write(true).custom_flags(flags.bits()).open(file);
            self.give_file(&opened.map_err(|error| io(file, &error))?, file)?;
        }
        if self.check_file(file)? {
            return Ok(false);
        }
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(self.file)
            .open(file)
            .map_err(|error| io(file, &error))?;
        self.give_file(&made, file)?;
        Ok(true)
    }

    /// Whether a start was killed between making a directory and giving it away: ours, nothing
    /// in it, and open to fewer than it should be.
    fn is_torn_dir(&self, dir: &Path) -> bool {
        let is_empty = || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
        std::fs::symlink_metadata(dir)
            .is_ok_and(|found| found.is_dir() && self.is_narrower(&found, self.dir))
            && is_empty()
    }

    /// The same for a file.
    fn is_torn_file(&self, file: &Path) -> bool {
        std::fs::symlink_metadata(file).is_ok_and(|found| {
            found.is_file() && found.len() == 0 && self.is_narrower(&found, self.file)
        })
    }

    fn is_narrower(&self, found: &Metadata, mode: u32) -> bool {
        let bits = found.mode() & MODE_BITS;
        self.checked && found.uid() == self.uid.as_raw() && bits != mode && bits & !mode == 0
    }

    /// Checks a file that need not be there; says whether it is.
    pub(super) fn check_file(&self, file: &Path) -> Result<bool, OpenError> {
        match std::fs::symlink_metadata(file) {
            Ok(found) if !found.is_file() => Err(OpenError::Foreign {
                path: file.to_owned(),
                problem: "not a regular file".to_owned(),
            }),
            Ok(found) => self.check(file, &found, self.file).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io(file, &error)),
        }
    }

    /// Takes a file for reading and writing that belongs to no database.
    pub(super) fn open_own(&self, file: &Path) -> Result<File, OpenError> {
        let made = self.prepare_file(file)?;
        let opened = OpenOptions::new().read(true).write(true).open(file);
        opened.map_err(|error| {
            if error.kind() == ErrorKind::PermissionDenied && !made {
                self.refuse(file, self.file)
            } else {
                io(file, &error)
            }
        })
    }

    /// Gives a file that was just made its group and mode; its path is for words only.
    pub(super) fn give_file(&self, file: &File, path: &Path) -> Result<(), OpenError> {
        self.give(file, path, self.file)
    }

    fn give(&self, file: &File, path: &Path, mode: u32) -> Result<(), OpenError> {
        if self.checked {
            self.give_group(file, path, mode)?;
        }
        let set = file.set_permissions(Permissions::from_mode(mode));
        if self.checked {
            set.map_err(|_| self.refuse(path, mode))?;
            // Outside the group, or where setgid bits are forbidden, the system drops the bit
            // without a word.
            let found = file.metadata().map_err(|error| io(path, &error))?;
            return self.check(path, &found, mode);
        }
        Ok(())
    }

    /// In a setgid directory the group is right from the start; a sandbox may forbid chown then.
    fn give_group(&self, file: &File, path: &Path, mode: u32) -> Result<(), OpenError> {
        let found = file.metadata().map_err(|error| io(path, &error))?;
        if found.gid() == self.gid.as_raw() {
            return Ok(());
        }
        fchown(file, None, Some(self.gid.as_raw())).map_err(|_| self.refuse(path, mode))
    }

    fn check(&self, path: &Path, found: &Metadata, mode: u32) -> Result<(), OpenError> {
        let right = found.uid() == self.uid.as_raw()
            && found.gid() == self.gid.as_raw()
            && found.mode() & MODE_BITS == mode;
        if right || !self.checked {
            Ok(())
        } else if self.uid.is_root() && found.uid() != 0 {
            Err(refuse_root(path, Uid::from_raw(found.uid())))
        } else {
            Err(self.refuse(path, mode))
        }
    }

    fn refuse(&self, path: &Path, mode: u32) -> OpenError {
        let (user, group) = (user_name(self.uid), group_name(self.gid));
        let shown = path.display();
        OpenError::Permissions {
            problem: format!("{shown} must belong to {user}:{group} with mode {mode:04o}"),
            command: format!("chown {user}:{group} '{shown}' && chmod {mode:04o} '{shown}'"),
        }
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), OpenError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| io(path, &error))
}

/// The directory that holds `file`; the current one for a bare name.
pub(super) fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// `file` with `suffix` behind its name: `confirmd.db-wal`.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How often the lock is tried: the holder may be ending at this moment.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Keeps a second daemon away as long as it lives.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Takes the lock beside the database.
    pub(super) fn take(database: &Path, owner: &Ownership) -> Result<Self, OpenError> {
        let path = beside(database, ".lock");
        let file = owner.open_own(&path)?;
        let mut tries = LOCK_TRIES;
        loop {
            tries = tries.saturating_sub(1);
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if tries > 0 => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(path)),
                Err(TryLockError::Error(error)) => return Err(io(&path, &error)),
            }
        }
    }
}

/// Whether somebody holds the lock beside the database. Looking takes it for a moment, together
/// with others who look, which a daemon that starts at that moment waits for.
pub(super) fn is_locked(database: &Path) -> std::io::Result<bool> {
    let file = match File::open(beside(database, ".lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Giving the daemon's files to root would lock the daemon out.
fn refuse_root(path: &Path, owner: Uid) -> OpenError {
    let user = user_name(owner);
    OpenError::Permissions {
        problem: format!("{} belongs to {user}, and this is root", path.display()),
        command: format!("runuser -u {user} -- confirmd …"),
    }
}

fn group_id(name: &str) -> Result<Gid, OpenError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(OpenError::Permissions {
            problem: format!("there is no Unix group {name}"),
            command: format!("groupadd --system {name}"),
        }),
        Err(error) => Err(io(Path::new("/etc/group"), &error.into())),
    }
}

fn user_name(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_name(gid: Gid) -> String {
    let group = Group::from_gid(gid).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

pub(super) fn io(path: &Path, error: &std::io::Error) -> OpenError {
    let problem = if error.kind() == ErrorKind::StorageFull {
        DISK_IS_FULL.to_owned()
    } else if error.kind() == ErrorKind::ReadOnlyFilesystem {
        DISK_IS_READ_ONLY.to_owned()
    } else {
        error.to_string()
    };
    OpenError::Io {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests;
