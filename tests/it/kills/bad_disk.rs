//! S2: a disk that is full or read-only before the daemon starts, and one that is full under the inbox.

use std::path::{Path, PathBuf};

use confirmd::domain::asset::ChainKind;
use serde_json::json;

use super::small_disk::{READERS, SmallDisk, WRITERS};
use crate::confirmd::gateway::insert;
use crate::confirmd::simulated::{self, Simulated};
use crate::confirmd::{Confirmd, now_ms};

/// `EX_IOERR`.
const EXIT_IO: i32 = 74;

/// What is wrong with a disk, how that is mended, and in what words it is told.
type Trouble = (fn(&SmallDisk), fn(&SmallDisk), &'static str);

const FULL: Trouble = (
    SmallDisk::fill,
    SmallDisk::make_room,
    "the disk is full; make room",
);
const READ_ONLY: Trouble = (
    |disk| disk.protect(true),
    |disk| disk.protect(false),
    "the disk is read-only; mount it",
);

/// `run` must end on this disk, name the file or directory, and start once the disk is good.
#[track_caller]
fn assert_starts_once_mended(
    confirmd: &mut Confirmd,
    disk: &SmallDisk,
    at: &Path,
    trouble: Trouble,
) {
    let (spoil, mend, words) = trouble;
    spoil(disk);
    let run = confirmd.command(&["run"]);
    assert_eq!(run.code, EXIT_IO, "{run:?}");
    assert!(
        run.stderr.contains(words),
        "{words:?} is missing in {run:?}"
    );
    assert!(run.stderr.contains(&at.display().to_string()), "{run:?}");
    mend(disk);
    confirmd.start();
}

fn folder(confirmd: &Confirmd, name: &str) -> PathBuf {
    confirmd.folder().join(name)
}

// shows: S2
#[test]
fn a_bad_disk_at_the_start_is_named_and_the_start_succeeds_once_it_is_good() {
    let nodes = Simulated::start();
    for trouble in [FULL, READ_ONLY] {
        for (name, mode) in [("db", READERS), ("inbox", WRITERS)] {
            let mut confirmd = Confirmd::with(&nodes).configured();
            let at = folder(&confirmd, name);
            let disk = SmallDisk::mount(&at, mode);
            assert_starts_once_mended(&mut confirmd, &disk, &at, trouble);
            confirmd.stop();
            drop(disk);
        }
    }
}

// shows: S2
#[test]
fn a_read_only_disk_under_a_known_database_is_named() {
    let nodes = Simulated::start();
    let mut confirmd = Confirmd::with(&nodes).configured();
    let at = folder(&confirmd, "db");
    let disk = SmallDisk::mount(&at, READERS);
    confirmd.start();
    confirmd.stop();
    assert_starts_once_mended(&mut confirmd, &disk, &at, READ_ONLY);
    confirmd.stop();
}

/// Whoever writes there is told; the daemon, which only reads, goes on and starts.
// shows: S2
#[test]
fn a_full_disk_under_the_inbox_holds_up_its_writers_alone() {
    let nodes = Simulated::start();
    let mut confirmd = Confirmd::with(&nodes).configured();
    let disk = SmallDisk::mount(&folder(&confirmd, "inbox"), WRITERS);
    confirmd.start();
    let address = simulated::address(ChainKind::Bitcoin, "order-1");
    confirmd.await_applied(&confirmd.register("order-1").address(&address).submit());
    disk.fill();
    let inbox = confirmd.gateway().connect();
    let many = "x".repeat(8_000);
    let write = |n: i64| insert(&inbox, &format!("r-{n}"), "ack", "order-1", &many, now_ms());
    let refused = (0..100)
        .find_map(|n| write(n).err())
        .expect("no room for these");
    assert!(refused.to_string().contains("full"), "{refused}");
    nodes.pay("BTC", &address, 1_500_000);
    nodes.mine(ChainKind::Bitcoin, 3);
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
    confirmd.restart();

    disk.make_room();
    let other = simulated::address(ChainKind::Bitcoin, "order-2");
    confirmd.await_applied(&confirmd.register("order-2").address(&other).submit());
    drop(inbox);
    confirmd.stop();
}
