//! Files of other programs and other times.

use super::*;
use crate::store::{connection, testing::*};

const SECOND: &str = "CREATE TABLE added (a INTEGER) STRICT;";
const BROKEN: &str = "CREATE TABLE added (a INTEGER) STRICT; CREATE TABLE event (a INTEGER);";

fn version(path: &Path) -> (i64, bool) {
    let conn = Connection::open(path).unwrap();
    let added = "SELECT count(*) FROM sqlite_schema WHERE name = 'added'";
    let added: i64 = conn.query_row(added, [], |row| row.get(0)).unwrap();
    (number(&conn, "user_version").unwrap(), added == 1)
}

fn migrate_to(path: &Path, migrations: &[&str]) -> Result<(), OpenError> {
    let mut conn = connection::open_writer(path).unwrap();
    let found = inspect(&conn, path, Kind::Live, migrations)?;
    migrate(&mut conn, path, Kind::Live, &found, migrations)
}

#[test]
fn a_later_schema_is_added_after_a_copy_of_what_is_there() {
    let (dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    store.close().unwrap();
    let path = dir.path().join("confirmd.db");
    let copy = dir.path().join("confirmd.db.schema-1");
    let both = [MIGRATIONS[0], SECOND];
    migrate_to(&path, &both).unwrap();
    assert_eq!(version(&path), (2, true));
    assert_eq!(version(&copy), (1, false));
    let copied: i64 = Connection::open(&copy)
        .unwrap()
        .query_row("SELECT count(*) FROM v1_payment", [], |row| row.get(0))
        .unwrap();
    assert_eq!(copied, 1);
    std::fs::remove_file(&copy).unwrap();
    migrate_to(&path, &both).expect("nothing is left to do");
    assert!(!copy.exists());
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let (dir, store) = store();
    store.close().unwrap();
    let path = dir.path().join("confirmd.db");
    // What an earlier attempt left does not stand in the way.
    std::fs::write(dir.path().join("confirmd.db.schema-1.partial"), "x").unwrap();
    for _ in 0..2 {
        migrate_to(&path, &[MIGRATIONS[0], BROKEN]).unwrap_err();
        assert_eq!(version(&path), (1, false));
    }
    open(&dir);
}

#[test]
fn a_file_is_refused_by_whose_it_is() {
    type Make = fn(&Connection);
    let cases: [(&str, Make); 6] = [
        ("another program's", |conn| {
            conn.execute_batch("CREATE TABLE wallet (a)").unwrap();
        }),
        ("another program's", |conn| {
            conn.pragma_update(None, "application_id", 5).unwrap();
        }),
        ("another program's", |conn| {
            conn.pragma_update(None, "user_version", 5).unwrap();
        }),
        ("a confirmd sandbox database", |conn| {
            let id = Kind::Sandbox.application_id();
            conn.pragma_update(None, "application_id", id).unwrap();
            conn.pragma_update(None, "user_version", 1).unwrap();
        }),
        ("its schema has no version", |conn| {
            let id = Kind::Live.application_id();
            conn.pragma_update(None, "application_id", id).unwrap();
        }),
        (
            "has schema 7; this confirmd knows schemas up to 1: install the one that wrote it, or a later one",
            |conn| {
                let id = Kind::Live.application_id();
                conn.pragma_update(None, "application_id", id).unwrap();
                conn.pragma_update(None, "user_version", 7).unwrap();
            },
        ),
    ];
    for (why, make) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let conn = Connection::open(&path).unwrap();
        make(&conn);
        let refused = inspect(&conn, &path, Kind::Live, MIGRATIONS).expect_err(why);
        assert!(refused.to_string().contains(why), "{why}: {refused}");
    }
}

#[test]
fn a_file_whose_tables_are_not_those_of_its_version_is_refused_and_left_as_it_is() {
    for (change, differs) in [
        (
            "ALTER TABLE payment ADD COLUMN more INTEGER",
            Some("table payment"),
        ),
        ("DROP VIEW v1_payment", Some("view v1_payment")),
        ("DROP INDEX payment_txid", Some("index payment_txid")),
        ("CREATE INDEX mine ON payment (status)", None),
    ] {
        let (dir, store) = store();
        store.close().unwrap();
        let path = dir.path().join("confirmd.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        let opened = Store::open(&Options::private(dir.path(), Kind::Live), NOW);
        match differs {
            None => drop(opened.expect(change)),
            Some(name) => {
                let refused = opened.expect_err(change).to_string();
                assert!(refused.contains(name), "{change}: {refused}");
                assert!(refused.contains("schema 1"), "{change}: {refused}");
            }
        }
    }
}
