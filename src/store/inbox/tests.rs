//! What gateways may do to an inbox, and what a hostile one may not do to us.

mod hostile;

use super::*;
use crate::{
    domain::{step::InboxPosition, time::UnixMs},
    store::testing::*,
};
use nix::{sys::stat::Mode, unistd::mkfifo};

fn inbox() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox/inbox.db");
    create(&path, &Access::Private, dir.path()).unwrap();
    (dir, path)
}

fn request(id: &str) -> NewRequest {
    NewRequest {
        request_id: id.into(),
        kind: "cancel".into(),
        payment_id: "order-1".into(),
        body: "{\"note\":\"why\"}".into(),
        actor: Some("shop".into()),
        created_at: UnixMs(5),
    }
}

fn read(path: &Path, after: Option<&InboxPosition>) -> Result<Batch, InboxError> {
    InboxReader::new(path).unwrap().read(after)
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn ids(batch: &Batch) -> Vec<&str> {
    let requests = batch.requests.iter();
    requests
        .map(|request| request.request_id.as_str())
        .collect()
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let (_dir, path) = inbox();
    let mut writer = InboxWriter::open(&path).unwrap();
    assert_eq!(writer.insert(&request("a")), Ok(Inserted::New { seq: 1 }));
    assert_eq!(writer.insert(&request("a")), Ok(Inserted::Known));
    let batch = read(&path, None).unwrap();
    assert_eq!(batch.inbox_id.len(), 32);
    let [found] = &batch.requests[..] else {
        panic!("{batch:?}");
    };
    assert_eq!((found.seq, found.request_id.as_str()), (1, "a"));
    assert_eq!(
        (found.kind.as_str(), found.payment_id.as_str()),
        ("cancel", "order-1")
    );
    assert_eq!(found.body, "{\"note\":\"why\"}");
    assert_eq!(found.actor.as_deref(), Some("shop"));
    assert_eq!(found.created_at, UnixMs(5));
}

#[test]
fn reading_goes_on_after_a_position_in_small_batches() {
    let (_dir, path) = inbox();
    let many: Vec<_> = (0..1200).map(|n| request(&n.to_string())).collect();
    InboxWriter::open(&path).unwrap().insert_all(&many).unwrap();
    let mut position: Option<InboxPosition> = None;
    let mut sizes = Vec::new();
    let mut last = 0;
    loop {
        let batch = read(&path, position.as_ref()).unwrap();
        let Some(end) = batch.requests.last() else {
            break;
        };
        assert!(batch.requests[0].seq > last);
        last = end.seq;
        sizes.push(batch.requests.len());
        position = Some(InboxPosition {
            inbox_id: batch.inbox_id.clone(),
            seq: end.seq,
        });
    }
    assert_eq!(sizes, [250, 250, 250, 250, 200]);
    let other = InboxPosition {
        inbox_id: "another inbox".into(),
        seq: 1199,
    };
    assert_eq!(ids(&read(&path, Some(&other)).unwrap())[..2], ["0", "1"]);
}

/// One row, as a gateway's own SQL would write it.
const ROW: &str = "INTO request (request_id, kind, payment_id, created_at)";

#[test]
fn requests_are_append_only_for_every_kind_of_statement() {
    let (_dir, path) = inbox();
    let conn = Connection::open(&path).unwrap();
    let known = "VALUES ('a', 'cancel', 'p', 1)";
    conn.execute_batch(&format!("INSERT {ROW} {known}"))
        .unwrap();
    let with_seq = |seq: &str| {
        format!(
            "INSERT INTO request (seq, request_id, kind, payment_id, created_at) VALUES ({seq}, 'b', 'x', 'p', 1)"
        )
    };
    let new = |verb: &str, id: &str, kind: &str, payment: &str, body: &str, at: &str| {
        format!(
            "{verb} INTO request (request_id, kind, payment_id, body, created_at) VALUES ({id}, {kind}, {payment}, {body}, {at})"
        )
    };
    let long = |n: usize| format!("'{}'", "é".repeat(n));
    let refused = [
        format!("INSERT {ROW} {known}"),
        format!("REPLACE {ROW} {known}"),
        format!("INSERT OR REPLACE {ROW} VALUES ('a', 'register', 'q', 2)"),
        format!("INSERT {ROW} {known} ON CONFLICT DO UPDATE SET kind = 'accept'"),
        "INSERT OR REPLACE INTO request (seq, request_id, kind, payment_id, created_at) VALUES (1, 'b', 'x', 'p', 1)".to_owned(),
        "UPDATE request SET kind = 'accept'".to_owned(),
        "UPDATE OR IGNORE request SET kind = 'accept'".to_owned(),
        "UPDATE OR REPLACE request SET request_id = 'z'".to_owned(),
        "DELETE FROM request".to_owned(),
        "REPLACE INTO inbox VALUES (1, 'mine')".to_owned(),
        "UPDATE inbox SET inbox_id = 'mine'".to_owned(),
        "DELETE FROM inbox".to_owned(),
        with_seq("0"),
        with_seq("-5"),
        with_seq("9223372036854775807"),
        with_seq("99999999999"),
        new("INSERT OR IGNORE", &long(65), "'k'", "'p'", "'{}'", "1"),
        new("INSERT OR IGNORE", "''", "'k'", "'p'", "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", &long(33), "'p'", "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", "'k'", &long(513), "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", "'k'", "'p'", &long(4097), "1"),
        new("INSERT OR IGNORE", "NULL", "'k'", "'p'", "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", "NULL", "'p'", "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", "'k'", "NULL", "'{}'", "1"),
        new("INSERT OR IGNORE", "'b'", "'k'", "'p'", "NULL", "1"),
        new("INSERT OR IGNORE", "'b'", "'k'", "'p'", "'{}'", "NULL"),
        new("INSERT OR IGNORE", "'b'", "'k'", "'p'", "'{}'", "'soon'"),
        new("INSERT OR IGNORE", "'b'", "'k'", "'p'", "x'00'", "1"),
    ];
    for sql in &refused {
        conn.execute_batch(sql).expect_err(sql);
    }
    conn.execute_batch(&format!("INSERT OR IGNORE {ROW} {known}"))
        .expect("a gateway repeats with OR IGNORE");
    assert_eq!(ids(&read(&path, None).unwrap()), ["a"]);
    for fits in [
        new("INSERT", &long(64), &long(32), &long(512), &long(4096), "1"),
        "INSERT INTO request (request_id, kind, payment_id, created_at) VALUES ('c', '', '', 0), ('d', '', '', -1)".to_owned(),
        with_seq("1000"),
    ] {
        conn.execute_batch(&fits).expect(&fits);
    }
    let batch = read(&path, None).unwrap();
    assert_eq!(batch.requests.len(), 5);
    assert_eq!(batch.requests[4].seq, 1000);
}

#[test]
fn a_number_below_one_that_was_given_is_refused() {
    // The daemon reads upwards: a request in a hole below would never get an outcome.
    let (_dir, path) = inbox();
    let conn = Connection::open(&path).unwrap();
    let with_seq = |seq: i64| {
        let sql = format!(
            "INSERT INTO request (seq, request_id, kind, payment_id, created_at) VALUES ({seq}, 'r{seq}', 'x', 'p', 1)"
        );
        conn.execute_batch(&sql)
    };
    with_seq(10).unwrap();
    with_seq(5).unwrap_err();
    with_seq(11).unwrap();
}

#[test]
fn a_gateway_with_pythons_sqlite_writes_and_another_user_may() {
    let dir = public_dir();
    let options = shared(dir.path());
    drop(Store::open(&options, NOW).unwrap());
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
row = ('a', 'cancel', 'order-1', 5)
for _ in range(2):
    db.execute('INSERT OR IGNORE INTO request (request_id, kind, payment_id, created_at) VALUES (?, ?, ?, ?)', row)
db.commit()
print(db.execute('SELECT count(*) FROM request').fetchone()[0])
";
    let written = stranger().python(script, &[&options.inbox]);
    assert_eq!(written.as_deref(), Ok("1"));
    assert_eq!(ids(&read(&options.inbox, None).unwrap()), ["a"]);
    drop(Store::open(&options, NOW).expect("the writer left nothing in the way"));
}

#[test]
fn a_gateway_that_is_writing_makes_the_inbox_busy_and_no_more() {
    let (_dir, path) = inbox();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(read(&path, None), Err(InboxError::Busy));
    conn.execute_batch("COMMIT").unwrap();
    read(&path, None).unwrap();
}

#[test]
fn statistics_of_a_gateway_are_no_change_of_the_schema() {
    let (_dir, path) = inbox();
    InboxWriter::open(&path)
        .unwrap()
        .insert(&request("a"))
        .unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("ANALYZE")
        .unwrap();
    assert_eq!(ids(&read(&path, None).unwrap()), ["a"]);
}

#[test]
fn what_is_loaded_before_the_schema_is_known_is_limited() {
    let more = "more than an inbox does";
    let samples = |count: u32, bytes: u32| {
        format!(
            "ANALYZE;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {count})
             INSERT INTO sqlite_stat4 (tbl, idx, neq, nlt, ndlt, sample)
             SELECT 'request', 'sqlite_autoindex_request_1', '1 1', '1 1', '1 1',
                    zeroblob({bytes}) FROM n"
        )
    };
    let tables: Vec<_> = (0..40).map(|n| format!("CREATE TABLE t{n} (a)")).collect();
    let long = format!("CREATE TABLE t (a /* {} */)", "x".repeat(20_000));
    for (why, sql_text) in [
        (more, samples(5_000, 10)),
        (more, long),
        ("too many schema objects", tables.join(";")),
    ] {
        let (_dir, path) = inbox();
        InboxWriter::open(&path)
            .unwrap()
            .insert(&request("a"))
            .unwrap();
        sql(&path, &sql_text);
        let refused = read(&path, None).expect_err(why);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
        InboxWriter::open(&path).expect_err(why);
    }
    let (_dir, path) = inbox();
    sql(&path, &samples(100, 100));
    read(&path, None).expect("statistics of a usual size");
    sql(&path, &samples(1, 1_000_000));
    read(&path, None).expect("a sample that is too long is left out");
}

const CHILD: &str = "CONFIRMD_TEST_INBOX";

/// Not a test of its own: gives up root, then writes.
#[test]
fn child_becomes_a_writer() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let path = Path::new(&path);
    let root = nix::unistd::Uid::effective().is_root();
    assert_eq!(become_inbox_writer(path), Ok(root));
    assert!(!nix::unistd::Uid::effective().is_root());
    let mut writer = InboxWriter::open(path).unwrap();
    assert_eq!(writer.insert(&request("a")), Ok(Inserted::New { seq: 1 }));
    if root {
        let database = path.parent().unwrap().join("../confirmd.db");
        std::fs::OpenOptions::new()
            .write(true)
            .open(database)
            .expect_err("it may write nothing else");
    }
}

#[test]
fn root_becomes_nobody_before_it_writes() {
    use nix::unistd::{Gid, Group, Uid};
    let dir = public_dir();
    let mut options = shared(dir.path());
    if Uid::effective().is_root() {
        // Another group than that of the directory above, which must still be passed.
        let other = Group::from_gid(Gid::from_raw(1)).unwrap();
        options.access = Access::Groups {
            readers: Some(stranger().group),
            writers: Some(other.expect("group 1 exists").name),
        };
    }
    drop(Store::open(&options, NOW).unwrap());
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::inbox::tests::child_becomes_a_writer"])
        .env(CHILD, &options.inbox)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(ids(&read(&options.inbox, None).unwrap()), ["a"]);
    drop(Store::open(&options, NOW).expect("the writer left nothing in the way"));
}
