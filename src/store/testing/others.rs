//! Other users and other processes at a store.

use super::*;
use std::{
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Who reads and writes beside the daemon in tests: another user where we may become one.
pub(in crate::store) struct Stranger {
    id: Option<(u32, u32)>,
    /// The stranger's group.
    pub(in crate::store) group: String,
}

pub(in crate::store) fn stranger() -> Stranger {
    use nix::unistd::{Gid, Group, Uid, User};
    let found = if Uid::effective().is_root() {
        let nobody = User::from_name("nobody").unwrap().expect("nobody exists");
        (Some((nobody.uid.as_raw(), nobody.gid.as_raw())), nobody.gid)
    } else {
        (None, Gid::effective())
    };
    let group = Group::from_gid(found.1).unwrap().expect("it has a name");
    Stranger {
        id: found.0,
        group: group.name,
    }
}

impl Stranger {
    /// A command that is run as the stranger.
    pub(in crate::store) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.id {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a Python script with Python's own SQLite; what it prints, or how it failed.
    pub(in crate::store) fn python(&self, script: &str, args: &[&Path]) -> Result<String, String> {
        let output = self
            .command("python3")
            .arg("-c")
            .arg(script)
            .args(args)
            .current_dir("/")
            .output()
            .expect("python3 is needed for this test");
        let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

/// A directory that every user may enter.
pub(in crate::store) fn public_dir() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("opened");
    dir
}

/// The databases as a package lays them out, for the stranger's group.
pub(in crate::store) fn shared(dir: &Path) -> Options {
    let group = Some(stranger().group);
    let database: PathBuf = dir.join("confirmd/confirmd.db");
    Options {
        access: Access::Groups {
            readers: group.clone(),
            writers: group,
        },
        ..Options::new(database, dir.join("confirmd/inbox/inbox.db"))
    }
}

const CHILD_DIR: &str = "CONFIRMD_TEST_CHILD_DIR";
const CHILD_SHARED: &str = "CONFIRMD_TEST_CHILD_SHARED";

/// Not a test of its own: the process that is ended. Registers payments one by one.
#[test]
fn child_registers_payments() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let options = match std::env::var(CHILD_SHARED) {
        Ok(_) => shared(dir),
        Err(_) => Options::private(dir, Kind::Live),
    };
    let mut store = Store::open(&options, NOW).unwrap();
    let (chains, assets) = registry();
    store.sync_registry(&chains, &assets, NOW).unwrap();
    let first = store.next_payment_key().unwrap().0;
    for key in first..first + 5 {
        let mut step = step(vec![registered(payment(key, &format!("p{key}")))]);
        step.chain = advance(None, &[block(u32::try_from(1000 + key).unwrap())]).chain;
        store.commit(&step).unwrap();
        crate::crash::point("test_after_commit");
        store.checkpoint().unwrap();
    }
}

/// Runs [`child_registers_payments`] until it passes this point; whether it was ended there.
pub(in crate::store) fn run_until(options: &Options, point: &str) -> bool {
    let database = options.database.parent().expect("a directory");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "store::testing::others::child_registers_payments",
    ]);
    match options.access {
        Access::Groups { .. } => {
            child.env(CHILD_DIR, database.parent().expect("a directory"));
            child.env(CHILD_SHARED, "1");
        }
        Access::Private => {
            child.env(CHILD_DIR, database);
        }
    }
    let status = child
        .env("CONFIRMD_ABORT_AT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    assert!(status.success() || status.signal().is_some(), "{status:?}");
    status.signal().is_some()
}
