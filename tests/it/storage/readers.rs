//! S3, S5, S6, S7: who reads or writes beside the daemon, and how it ends.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::Uid;
use serde_json::json;

use crate::confirmd::Confirmd;
use crate::confirmd::ledger::reading_user;
use crate::nodes::bitcoind::Bitcoind;

/// Registers and pays; the payment is confirming then.
fn pay(confirmd: &Confirmd, node: &Bitcoind, id: &str) {
    let address = node.new_address("bech32");
    confirmd.await_applied(&confirmd.register(id).address(&address).submit());
    node.send(&address, "0.015");
    node.mine(1);
    confirmd.await_status(id, "confirming");
}

/// S6: with `mode=ro`, as another user, while the daemon runs, after a kill, and after a clean stop.
// shows: S6
#[test]
fn another_user_reads_at_any_time() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let uid = confirmd.ledger().uid();
    assert_eq!(uid, reading_user().uid.as_raw());
    assert!(uid != 0, "somebody else reads");
    pay(&confirmd, &node, "order-1");
    confirmd
        .ledger()
        .reopen()
        .expect("a reader while the daemon runs");
    assert!(confirmd.ledger().payment("order-1").is_some());

    confirmd.kill();
    confirmd.ledger().reopen().expect("a reader after a kill");
    assert!(confirmd.ledger().payment("order-1").is_some());
    confirmd.start();

    confirmd.stop();
    confirmd
        .ledger()
        .reopen()
        .expect("a reader after a clean stop");
    assert!(confirmd.ledger().payment("order-1").is_some());
    confirmd.start();
    pay(&confirmd, &node, "order-2");
    confirmd.await_status("order-1", "paid");
}

/// S6: the header of the WAL's index is there twice, and the daemon died between the two writes of it. Only who
/// may write can mend that; but a connection that finds itself alone makes an index of its own.
// shows: S6
#[test]
fn a_new_connection_reads_what_a_death_left_half_written() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    pay(&confirmd, &node, "order-1");
    confirmd.kill();
    let index = confirmd.database().with_file_name("confirmd.db-shm");
    tear_index_header(&index);

    let sql = "SELECT status FROM v1_payment";
    let error = confirmd.ledger().try_query(sql, &[]);
    let error = error.expect_err("a torn header");
    assert!(error.contains("SQLITE_READONLY_RECOVERY"), "{error}");
    confirmd.ledger().reopen().expect("a new connection");
    let rows = confirmd.ledger().try_query(sql, &[]);
    assert_eq!(rows, Ok(vec![json!({"status": "confirming"})]));

    confirmd.start();
    node.mine(1);
    confirmd.await_status("order-1", "paid");
}

/// Makes the copies of the header differ in the number of the last frame (SQLite, "WAL-index file format").
fn tear_index_header(index: &Path) {
    const COPY_BYTES: u64 = 48;
    const LAST_FRAME: u64 = 16;
    let file = fs::OpenOptions::new().write(true).open(index);
    let torn = file
        .expect("an index")
        .write_all_at(&[0; 4], COPY_BYTES + LAST_FRAME);
    torn.expect("a write");
}

/// S6: a reader can read and nothing else.
#[test]
fn another_user_cannot_write() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    for sql in ["CREATE TABLE t (a)", "DELETE FROM event"] {
        let error = confirmd
            .ledger()
            .try_query(sql, &[])
            .expect_err("no right to write");
        assert!(
            error.contains("readonly") || error.contains("read-only"),
            "{sql}: {error}"
        );
    }
}

/// The modes that the contract gives: readers read, writers write, nobody else does anything.
#[test]
fn files_and_directories_have_the_modes_of_the_contract() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let (database, inbox) = (confirmd.database(), confirmd.inbox());
    let cases = [
        (database.parent().expect("a directory").to_owned(), 0o2750),
        (database.clone(), 0o640),
        (database.with_file_name("confirmd.db-wal"), 0o640),
        (database.with_file_name("confirmd.db-shm"), 0o640),
        (inbox.parent().expect("a directory").to_owned(), 0o2770),
        (inbox, 0o660),
    ];
    for (path, mode) in cases {
        let found =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            found.permissions().mode() & 0o7777,
            mode,
            "{}",
            path.display()
        );
        assert_eq!(found.uid(), Uid::effective().as_raw(), "{}", path.display());
        assert_eq!(
            found.gid(),
            reading_user().gid.as_raw(),
            "{}",
            path.display()
        );
    }
}

/// S3: the WAL cannot be written back meanwhile, and nothing waits for that.
// shows: S3
#[test]
fn a_reader_that_holds_a_snapshot_stops_nothing() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    pay(&confirmd, &node, "order-1");
    let held = crate::confirmd::ledger::Ledger::of(&confirmd.database());
    held.query("BEGIN", &[]);
    let seen = held.journal().len();
    pay(&confirmd, &node, "order-2");
    confirmd.restart();
    pay(&confirmd, &node, "order-3");
    confirmd.kill();
    confirmd.start();
    confirmd.await_status("order-2", "paid");
    assert_eq!(held.journal().len(), seen, "its snapshot stays as it was");
    held.query("COMMIT", &[]);
    assert!(held.journal().len() > seen);
}

/// S3: a gateway that holds the inbox delays its own requests and no chain.
// shows: S3
#[test]
fn a_writer_that_holds_the_inbox_stops_no_chain() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    pay(&confirmd, &node, "order-1");
    let inbox = confirmd.gateway().connect();
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        inbox.execute_batch(lock).expect("a lock");
        let address = node.new_address("bech32");
        let body = confirmd.register("held").address(address).body();
        let id = lock.to_lowercase().replace(' ', "-");
        let now = crate::confirmd::now_ms();
        crate::confirmd::gateway::insert(&inbox, &id, "register", &id, &body, now).expect("a row");
        node.mine(2);
        confirmd.await_bitcoin(&node);
        confirmd.restart();
        node.mine(1);
        confirmd.await_bitcoin(&node);
        assert!(
            confirmd.ledger().outcome(&id).is_none(),
            "it is not committed yet"
        );
        inbox.execute_batch("COMMIT").expect("a commit");
        confirmd.await_applied(&id);
    }
    confirmd.await_status("order-1", "paid");
}

/// A gateway of another user with its own SQLite registers, too; a request is taken once.
#[test]
fn a_repeated_insert_is_one_request() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let registration = confirmd
        .register("order-1")
        .address(node.new_address("bech32"));
    for _ in 0..3 {
        registration.clone().submit();
    }
    confirmd.await_applied("register-order-1");
    assert_eq!(confirmd.gateway().request_ids(), ["register-order-1"]);
    let inbox = confirmd.gateway().connect();
    for sql in ["UPDATE request SET body = ''", "DELETE FROM request"] {
        inbox
            .execute_batch(sql)
            .expect_err("the inbox is append-only");
    }
}

/// S5.
// shows: S5
#[test]
fn a_second_daemon_on_the_same_database_is_refused() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let second = confirmd.command(&["run"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("another confirmd"), "{second:?}");
    assert!(confirmd.is_running());
    pay(&confirmd, &node, "order-1");
    confirmd.kill();
    confirmd.start(); // a lock dies with its owner
}

/// S7: in the middle of thousands of blocks.
// shows: S7
#[test]
fn a_stop_during_catch_up_is_quick_and_loses_nothing() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let address = node.new_address("bech32");
    confirmd.await_applied(&confirmd.register("order-1").address(&address).submit());
    confirmd.await_bitcoin(&node);
    let before = node.height();
    confirmd.stop();
    node.mine(6000);
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.start();
    let scanned = |confirmd: &Confirmd| {
        let chain = confirmd.ledger().chain("bitcoin").expect("a chain");
        chain["scanned_height"].as_u64().expect("a height")
    };
    confirmd.await_true("the catch-up to begin", || scanned(&confirmd) > before);
    confirmd.stop();
    assert!(
        scanned(&confirmd) < node.height(),
        "it was stopped on its way"
    );
    confirmd.start();
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
}

/// S9: whoever comes back after long reads everything from where it stopped.
// shows: S9
#[test]
fn a_gateway_that_comes_back_reads_every_event_in_order() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    pay(&confirmd, &node, "order-1");
    let last = confirmd.ledger().journal().pop().expect("an event");
    let last_seq = last["seq"].as_i64().expect("a seq");
    for n in 2..5 {
        pay(&confirmd, &node, &format!("order-{n}"));
        confirmd.kill();
        confirmd.start();
    }
    let sql = "SELECT seq, event_id FROM v1_event WHERE seq > ? ORDER BY seq";
    let missed = confirmd.ledger().query(sql, &[&last_seq.to_string()]);
    for (expected, event) in (last_seq + 1..).zip(&missed) {
        assert_eq!(event["seq"], expected);
    }
    assert!(missed.len() >= 9, "{missed:#?}");
    let kept = &confirmd.ledger().journal()[usize::try_from(last_seq).expect("a small seq") - 1];
    assert_eq!(kept, &last, "what was read never un-happens");
}
