//! Databases that open, and ones that must not.

use super::*;
use crate::store::{StoreError, testing::*};
use std::os::unix::fs::MetadataExt;

fn database(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("confirmd.db")
}

/// A closed database with some payments.
fn closed() -> tempfile::TempDir {
    let (dir, mut store) = store();
    register(
        &mut store,
        (1..200).map(|n| payment(n, &format!("p{n}"))).collect(),
    );
    store.close().unwrap();
    dir
}

fn reopen(dir: &tempfile::TempDir) -> Result<Store, OpenError> {
    Store::open(&Options::private(dir.path(), Kind::Live), NOW)
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let dir = closed();
    let store = reopen(&dir).unwrap();
    assert_eq!(store.last_seq().unwrap(), 199);
    let id = store.database_id().to_owned();
    drop(store);
    assert_eq!(reopen(&dir).unwrap().database_id(), id);
    assert_eq!(id.len(), 32);
}

// shows: S5
#[test]
fn a_second_daemon_is_refused_while_the_first_lives() {
    let (dir, store) = store();
    match reopen(&dir) {
        Err(OpenError::Locked(path)) => assert!(path.ends_with("confirmd.db.lock")),
        other => panic!("{other:?}"),
    }
    drop(store);
    reopen(&dir).expect("the first is gone");
}

#[test]
fn a_sandbox_database_is_never_opened_as_a_live_one() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Options::private(dir.path(), Kind::Sandbox);
    Store::open(&sandbox, NOW).unwrap().close().unwrap();
    let refused = reopen(&dir).expect_err("it is a sandbox");
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
    Store::open(&sandbox, NOW).expect("as what it is");
}

/// Replaces the bytes of a closed database; its WAL is empty then.
fn change(dir: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
    let path = database(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_damaged_database_is_refused_before_anything_is_written() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 6] = [
        ("cut at a page", |bytes| bytes.truncate(4096 * 9)),
        ("cut inside a page", |bytes| bytes.truncate(4096 * 9 + 100)),
        ("cut inside the header", |bytes| bytes.truncate(50)),
        ("empty", Vec::clear),
        ("no database at all", |bytes| bytes[..16].fill(b'x')),
        ("a page of rubbish", |bytes| {
            let last = bytes.len() - 4096;
            bytes[last..].fill(0xa5);
        }),
    ];
    for (what, damage) in cases {
        let dir = closed();
        change(&dir, damage);
        let before = std::fs::read(database(&dir)).unwrap();
        let refused = reopen(&dir).expect_err(what);
        let told = matches!(
            refused,
            OpenError::Corrupt { .. } | OpenError::Foreign { .. }
        );
        assert!(told, "{what}: {refused:?}");
        assert_eq!(std::fs::read(database(&dir)).unwrap(), before, "{what}");
    }
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let dir = closed();
    let conn = Connection::open(database(&dir)).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    match reopen(&dir) {
        Err(OpenError::Newer { found: 99, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_directory_in_place_of_the_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(database(&dir)).unwrap();
    let refused = reopen(&dir).expect_err("a directory");
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
}

#[test]
fn a_restored_backup_gets_a_new_id_once() {
    let dir = closed();
    let backup = std::fs::read(database(&dir)).unwrap();
    let mut store = reopen(&dir).unwrap();
    let id = store.database_id().to_owned();
    register(&mut store, vec![payment(500, "later")]);
    store.close().unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(files::beside(&database(&dir), suffix)).unwrap();
    }
    std::fs::write(database(&dir), backup).unwrap();
    let restored = reopen(&dir).unwrap().database_id().to_owned();
    assert_ne!(restored, id);
    let mut store = reopen(&dir).unwrap();
    assert_eq!(store.database_id(), restored);
    assert_eq!(id_of(&store), restored);
    register(&mut store, vec![payment(501, "after")]);
    store.close().unwrap();
    assert_eq!(reopen(&dir).unwrap().database_id(), restored);
}

fn id_of(store: &Store) -> String {
    ask(store, "SELECT database_id FROM v1_meta")
}

#[test]
fn a_lost_head_file_changes_nothing() {
    let dir = closed();
    let id = reopen(&dir).unwrap().database_id().to_owned();
    std::fs::remove_file(dir.path().join("head")).unwrap();
    assert_eq!(reopen(&dir).unwrap().database_id(), id);
}

#[test]
fn a_restored_directory_is_noticed_by_a_head_elsewhere() {
    let dir = closed();
    let state = tempfile::tempdir().unwrap();
    let options = || Options::private(dir.path(), Kind::Live).with_head_in(state.path());
    let beside = dir.path().join("head");
    let first = Store::open(&options(), NOW).unwrap();
    let id = first.database_id().to_owned();
    first.close().unwrap();
    assert!(!beside.exists(), "it was taken over");
    assert_eq!(
        reopen(&dir).unwrap().database_id(),
        id,
        "without the service"
    );
    assert!(beside.exists());
    let backup: Vec<_> = ["confirmd.db", "head"]
        .map(|name| (name, std::fs::read(dir.path().join(name)).unwrap()))
        .into();
    let mut store = Store::open(&options(), NOW).unwrap();
    assert_eq!(store.database_id(), id);
    register(&mut store, vec![payment(500, "later")]);
    store.close().unwrap();
    for suffix in ["-wal", "-shm"] {
        std::fs::remove_file(files::beside(&database(&dir), suffix)).unwrap();
    }
    for (name, bytes) in backup {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let restored = Store::open(&options(), NOW).unwrap();
    assert_ne!(restored.database_id(), id);
}

#[test]
fn an_emptied_database_is_told_as_such_by_either_head_whosever_it_is() {
    for (has_state, mode) in [(true, 0o640), (true, 0o600), (false, 0o640), (false, 0o600)] {
        let dir = public_dir();
        let state = tempfile::tempdir().unwrap();
        let mut options = shared(dir.path());
        if has_state {
            options = options.with_head_in(state.path());
        }
        let mut store = Store::open(&options, NOW).unwrap();
        let (chains, assets) = registry();
        store.sync_registry(&chains, &assets, NOW).unwrap();
        register(&mut store, vec![payment(1, "a")]);
        store.close().unwrap();
        files::set_mode(&options.head, mode).unwrap();
        std::fs::write(&options.database, "").unwrap();
        let refused = Store::open(&shared(dir.path()).with_head_in(state.path()), NOW);
        let refused = refused.expect_err("it is lost").to_string();
        let wanted = format!("{} remembers", options.head.display());
        assert!(refused.contains(&wanted), "{mode:o}: {refused}");
    }
}

#[test]
fn what_a_command_left_beside_the_database_counts_once() {
    let dir = closed();
    let state = tempfile::tempdir().unwrap();
    let options = || Options::private(dir.path(), Kind::Live).with_head_in(state.path());
    let id = Store::open(&options(), NOW)
        .unwrap()
        .database_id()
        .to_owned();
    std::fs::write(dir.path().join("head"), format!("{id} {:020}\n", 9_999)).unwrap();
    let after = Store::open(&options(), NOW)
        .unwrap()
        .database_id()
        .to_owned();
    assert_ne!(after, id);
    assert_eq!(Store::open(&options(), NOW).unwrap().database_id(), after);
}

#[test]
fn the_one_row_of_meta_says_who_wrote_last() {
    let dir = closed();
    let store = reopen(&dir).unwrap();
    let shown = "SELECT schema_major, schema_minor, confirmd_version, created_at, first_seq
                   FROM v1_meta";
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(ask(&store, shown), format!("1|0|{version}|{}|1", NOW.0));
}

/// What a stranger does: reads everything, then tries to write.
const READ_EVERYTHING: &str = "
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
views = ['payment', 'transfer', 'event', 'chain', 'asset', 'request', 'meta']
for view in views:
    db.execute('SELECT * FROM v1_' + view).fetchall()
print(db.execute('SELECT count(*) FROM v1_event').fetchone()[0])
try:
    sqlite3.connect(sys.argv[1]).execute('DELETE FROM event')
except sqlite3.OperationalError:
    pass
else:
    sys.exit('a stranger may write')
";

// shows: S6
#[test]
fn a_stranger_reads_during_after_a_crash_and_after_a_clean_stop() {
    let dir = public_dir();
    let options = shared(dir.path());
    let stranger = stranger();
    let read = || stranger.python(READ_EVERYTHING, &[&options.database]);
    let store = Store::open(&options, NOW).unwrap();
    assert_eq!(read().as_deref(), Ok("0"), "while the daemon runs");
    store.close().unwrap();
    assert_eq!(read().as_deref(), Ok("0"), "after a clean stop");
    assert!(run_until(&options, "test_after_commit:3"), "it was killed");
    assert_eq!(read().as_deref(), Ok("3"), "after a crash");
    let store = Store::open(&options, NOW).expect("the reader left nothing in the way");
    assert_eq!(read().as_deref(), Ok("3"), "after a restart");
    drop(store);
    assert_eq!(
        read().as_deref(),
        Ok("3"),
        "after an end without a checkpoint"
    );
    Store::open(&options, NOW).expect("again").close().unwrap();
    assert_eq!(read().as_deref(), Ok("3"), "after a second clean stop");
    Store::open(&options, NOW).expect("and again");
}

fn mode(path: &Path) -> String {
    format!("{:o}", std::fs::metadata(path).unwrap().mode() & 0o7777)
}

#[test]
fn both_databases_are_made_with_the_modes_that_keep_their_users_apart() {
    let dir = public_dir();
    let options = shared(dir.path());
    let mut store = Store::open(&options, NOW).unwrap();
    let (chains, assets) = registry();
    store.sync_registry(&chains, &assets, NOW).unwrap();
    let database = &options.database;
    for (path, wanted) in [
        (files::parent(database), "2750"),
        (database.clone(), "640"),
        (files::beside(database, "-wal"), "640"),
        (files::beside(database, "-shm"), "640"),
        (files::beside(database, ".lock"), "640"),
        (options.head.clone(), "640"),
        (files::parent(&options.inbox), "2770"),
        (options.inbox.clone(), "660"),
    ] {
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

#[test]
fn wrong_modes_are_refused_with_the_command_that_mends_them() {
    let dir = public_dir();
    let options = shared(dir.path());
    Store::open(&options, NOW).unwrap().close().unwrap();
    let database = &options.database;
    for (path, wrong) in [
        (files::parent(database), 0o2770),
        (files::parent(database), 0o0750),
        (database.clone(), 0o660),
        (files::beside(database, "-shm"), 0o600),
        (files::beside(database, "-wal"), 0o644),
        (files::beside(database, ".lock"), 0o666),
        (options.head.clone(), 0o644),
        (files::parent(&options.inbox), 0o2775),
        (options.inbox.clone(), 0o640),
    ] {
        files::set_mode(&path, wrong).unwrap();
        let refused = Store::open(&options, NOW).expect_err("a wrong mode");
        let OpenError::Permissions { problem, command } = refused else {
            panic!("{}: {refused:?}", path.display());
        };
        assert!(problem.contains(path.to_str().unwrap()), "{problem}");
        let shell = std::process::Command::new("sh")
            .args(["-c", &command])
            .status();
        assert!(shell.unwrap().success(), "{command}");
        Store::open(&options, NOW).expect(&command).close().unwrap();
    }
}

#[test]
fn an_unknown_group_is_refused() {
    let dir = public_dir();
    let mut options = shared(dir.path());
    options.access = Access::Groups {
        readers: Some("no-such-group".into()),
        writers: None,
    };
    let refused = Store::open(&options, NOW).expect_err("no such group");
    assert!(
        matches!(refused, OpenError::Permissions { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("no-such-group"), "{refused}");
}

#[test]
fn a_close_without_anything_to_write_succeeds_beside_a_reader() {
    let dir = closed();
    let store = reopen(&dir).unwrap();
    let reader = Connection::open(database(&dir)).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM v1_meta")
        .unwrap();
    let closed: Result<(), StoreError> = store.close();
    closed.expect("a reader holds nothing up");
}
