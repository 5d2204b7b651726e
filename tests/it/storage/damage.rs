//! S4: a database that is not what it must be is refused with words, and left as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;

use crate::confirmd::Confirmd;
use crate::nodes::bitcoind::Bitcoind;

/// A stopped daemon's database is spoiled; `run` must end with `code` and these words, and leave the spoiled
/// file as it is. The daemon goes on with the good one afterwards.
#[track_caller]
fn assert_refused(code: i32, words: &[&str], spoil: impl FnOnce(&Confirmd)) {
    let node = Bitcoind::start_empty(&[]);
    let mut confirmd = Confirmd::with(&node).start();
    confirmd.stop();
    let database = confirmd.database();
    let good = fs::read(&database).expect("a database");
    spoil(&confirmd);
    let spoiled = fs::read(&database).expect("a database");
    let run = confirmd.command(&["run"]);
    assert_eq!(run.code, code, "{run:?}");
    for word in words {
        assert!(run.stderr.contains(word), "{word:?} is missing in {run:?}");
    }
    assert!(
        fs::read(&database).expect("a database") == spoiled,
        "it is left as it is"
    );
    fs::write(&database, good).expect("a database");
    confirmd.start();
}

fn sql(confirmd: &Confirmd, sql: &str) {
    let connection = Connection::open(confirmd.database()).expect("a database");
    connection.execute_batch(sql).expect("a change");
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection
        .query_row(checkpoint, [], |_| Ok(()))
        .expect("a checkpoint");
}

// shows: S4
#[test]
fn a_newer_schema_is_refused() {
    assert_refused(65, &["schema", "999", "confirmd.db"], |confirmd| {
        sql(confirmd, "PRAGMA user_version = 999");
    });
}

// shows: S4
#[test]
fn another_programs_database_is_refused() {
    assert_refused(65, &["confirmd.db"], |confirmd| {
        sql(confirmd, "PRAGMA application_id = 1196444487");
    });
}

// shows: S4
#[test]
fn a_truncated_database_is_refused() {
    assert_refused(65, &["confirmd.db"], |confirmd| {
        let file = fs::OpenOptions::new().write(true).open(confirmd.database());
        let file = file.expect("a database");
        let len = file.metadata().expect("a length").len();
        file.set_len(len / 2).expect("a shorter file");
    });
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    assert_refused(65, &["confirmd.db"], |confirmd| {
        fs::write(confirmd.database(), "GIF89a".repeat(1000)).expect("a file");
    });
}

/// Whoever can write the directory could lay files out there that the daemon would trust.
#[test]
fn wrong_modes_are_refused_with_the_command_that_mends_them() {
    let node = Bitcoind::start_empty(&[]);
    let mut confirmd = Confirmd::with(&node).start();
    confirmd.stop();
    let directories = [
        confirmd
            .database()
            .parent()
            .expect("a directory")
            .to_owned(),
        confirmd.inbox().parent().expect("a directory").to_owned(),
    ];
    for directory in directories {
        let right = fs::metadata(&directory).expect("a directory").permissions();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o2777)).expect("a mode");
        let run = confirmd.command(&["run"]);
        assert_eq!(run.code, 74, "{run:?}");
        assert!(run.stderr.contains("chmod"), "{run:?}");
        fs::set_permissions(&directory, right).expect("a mode");
    }
    confirmd.start();
}

/// An inbox that is lost is made anew, and read from its start; what was known is not done twice.
#[test]
fn a_new_inbox_is_read_from_its_start() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let address = node.new_address("bech32");
    let first = confirmd.register("order-1").address(&address);
    confirmd.await_applied(&first.clone().submit());
    confirmd.stop();
    fs::remove_file(confirmd.inbox()).expect("an inbox");
    confirmd.start();
    first.submit();
    let second = confirmd
        .register("order-2")
        .address(node.new_address("bech32"));
    confirmd.await_applied(&second.submit());
    let outcomes = confirmd.ledger().query("SELECT * FROM v1_request", &[]);
    assert_eq!(outcomes.len(), 2, "{outcomes:#?}");
}

/// A restored backup never shows its readers another journal under the same id.
#[test]
fn a_restored_backup_gets_a_new_database_id() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let id = |confirmd: &Confirmd| {
        confirmd
            .ledger()
            .query("SELECT database_id FROM v1_meta", &[])[0]["database_id"]
            .clone()
    };
    confirmd.stop();
    let (backup, before) = (
        fs::read(confirmd.database()).expect("a database"),
        id(&confirmd),
    );
    confirmd.start();
    let payment = confirmd
        .register("order-1")
        .address(node.new_address("bech32"));
    confirmd.await_applied(&payment.submit());
    confirmd.restart();
    assert_eq!(id(&confirmd), before, "a restart is no restore");
    confirmd.stop();
    fs::write(confirmd.database(), backup).expect("a database");
    confirmd.start();
    confirmd.ledger().reopen().expect("a reader");
    assert_ne!(id(&confirmd), before);
    confirmd.await_status("order-1", "new"); // from the inbox, which still has it
}
