//! What commands see.

use super::*;
use crate::{
    domain::time::UnixMs,
    reference::{first_cells, section},
    store::testing::*,
};

fn reader(dir: &tempfile::TempDir) -> Reader {
    Reader::open(&dir.path().join("confirmd.db")).unwrap()
}

fn column(table: &Table, name: &str) -> Vec<String> {
    let rows = table.rows.iter();
    rows.map(|row| table.cell(row, name).to_string()).collect()
}

/// What the contract says that every view has, in this order.
const COLUMNS: [(&str, &str); 7] = [
    (
        "v1_payment",
        "payment_id, chain, asset, address, amount_expected, amount_received, amount_counted, \
         shortfall, surplus, allowed_shortfall, policy, status, reason, flags, needs_review, \
         final, confirmations, confirmations_required, txid, block_height, block_hash, block_at, \
         first_seen_at, confirmed_at, paid_at, expires_at, grace_ms, late_accept_ms, closed_at, \
         created_at, updated_at, watch_until_at, version, last_seq, metadata, depth_rule",
    ),
    (
        "v1_transfer",
        "payment_id, chain, asset, txid, position, amount, from_address, state, disposition, \
         replaced_by, first_seen_at, block_height, block_hash, block_at, confirmations, \
         evidence",
    ),
    (
        "v1_event",
        "seq, event_id, payment_id, version, kind, from_status, to_status, reason, data, \
         occurred_at, recorded_at",
    ),
    (
        "v1_chain",
        "chain, network, tip_height, tip_hash, tip_at, scanned_height, scanned_hash, \
         finalized_height, healthy, frozen, error, updated_at, safe_height, tracing",
    ),
    (
        "v1_asset",
        "asset, chain, contract, decimals, confirmations_required, dust, enabled, depth_rule",
    ),
    (
        "v1_request",
        "request_id, payment_id, kind, outcome, code, message, actor, note, event_seq, at",
    ),
    (
        "v1_meta",
        "database_id, schema_major, schema_minor, confirmd_version, created_at, first_seq",
    ),
];

#[test]
fn the_views_have_the_columns_of_the_contract() {
    let (dir, _store) = store();
    let reader = reader(&dir);
    for (view, columns) in COLUMNS {
        let table = reader.table(&format!("SELECT * FROM {view}"), &[]).unwrap();
        assert_eq!(table.columns.join(", "), columns, "{view}");
    }
}

#[test]
fn the_reference_tells_every_column_in_its_order() {
    for (view, columns) in COLUMNS {
        let told = first_cells(section(&format!("### `{view}`")));
        assert_eq!(told.join(", "), columns, "{view}");
    }
}

#[test]
fn the_views_work_in_pythons_sqlite() {
    let (dir, mut store) = store();
    let mut paid = payment(1, "p");
    paid.transfers = vec![transfer(1, in_block(1000))];
    paid.judged.block = Some(block(1000));
    register(&mut store, vec![paid]);
    store
        .commit(&advance(None, &[block(1000), block(1001)]))
        .unwrap();
    let script = "
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
print(*db.execute('SELECT p.payment_id, p.confirmations, t.confirmations, e.kind, c.scanned_height FROM v1_payment p JOIN v1_transfer t USING (payment_id) JOIN v1_event e USING (payment_id) JOIN v1_chain c ON c.chain = p.chain JOIN v1_asset a ON a.asset = p.asset').fetchone())
";
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(dir.path().join("confirmd.db"))
        .output()
        .expect("python3 is needed for this test");
    let shown = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(shown.trim(), "p 2 2 registered 1001", "{error}");
}

#[test]
fn a_listing_is_filtered_and_limited() {
    let (dir, mut store) = store();
    let mut payments: Vec<_> = (1..=4).map(|n| payment(n, &format!("p{n}"))).collect();
    for (payment, age) in payments.iter_mut().zip(0..) {
        payment.created_at = UnixMs(NOW.0 - age);
    }
    payments[2].judged.needs_review = true;
    register(&mut store, payments.clone());
    let paid = moved(payments[1].clone(), Status::Paid, None);
    store.commit(&step(vec![paid])).unwrap();
    let reader = reader(&dir);
    let all = PaymentFilter::default;
    let cases = [
        (all(), 9, vec!["p1", "p2", "p3", "p4"]),
        (all(), 2, vec!["p1", "p2"]),
        (
            PaymentFilter {
                statuses: vec![Status::New, Status::Invalid],
                ..all()
            },
            9,
            vec!["p1", "p3", "p4"],
        ),
        (
            PaymentFilter {
                needs_review: true,
                ..all()
            },
            9,
            vec!["p3"],
        ),
        (
            PaymentFilter {
                address: Some("bcrt1p2".into()),
                asset: Some("BTC".into()),
                chain: Some("bitcoin".into()),
                ..all()
            },
            9,
            vec!["p2"],
        ),
        (
            PaymentFilter {
                asset: Some("'; DROP TABLE payment".into()),
                ..all()
            },
            9,
            vec![],
        ),
    ];
    for (filter, limit, wanted) in cases {
        let table = reader.payments(&filter, limit).unwrap();
        assert_eq!(column(&table, "payment_id"), wanted, "{filter:?}");
    }
    assert_eq!(column(&reader.counts().unwrap(), "payments"), ["3", "1"]);
}

#[test]
fn the_journal_is_read_after_a_number() {
    let (dir, mut store) = store();
    register(
        &mut store,
        (1..=4).map(|n| payment(n, &format!("p{n}"))).collect(),
    );
    let reader = reader(&dir);
    let before = reader.data_version().unwrap();
    assert_eq!(column(&reader.events(1, 2).unwrap(), "seq"), ["2", "3"]);
    assert_eq!(
        column(&reader.events(4, 2).unwrap(), "seq"),
        Vec::<String>::new()
    );
    assert_eq!(reader.data_version().unwrap(), before);
    let paid = moved(payment(2, "p2"), Status::Paid, None);
    store.commit(&step(vec![paid])).unwrap();
    assert_ne!(reader.data_version().unwrap(), before);
    assert_eq!(
        column(&reader.events_of("p2").unwrap(), "version"),
        ["1", "2"]
    );
}

#[test]
fn a_payment_is_loaded_as_the_daemon_loads_it() {
    let (dir, mut store) = store();
    let mut paid = payment(1, "p");
    paid.transfers = vec![transfer(1, in_block(1000))];
    register(&mut store, vec![paid.clone()]);
    let reader = reader(&dir);
    assert_eq!(reader.find(&paid.id).unwrap(), Some(paid));
    assert_eq!(
        column(&reader.transfers("p").unwrap(), "position"),
        ["vout:1"]
    );
    assert_eq!(reader.payment("p").unwrap().rows.len(), 1);
    assert_eq!(reader.payment("q").unwrap().rows.len(), 0);
    assert_eq!(reader.request("r").unwrap().rows.len(), 0);
    assert_eq!(reader.requests_of("p").unwrap().rows.len(), 0);
    assert_eq!(reader.chains().unwrap().rows.len(), 2);
    assert_eq!(reader.assets().unwrap().rows.len(), 3);
    assert_eq!(reader.meta().unwrap().rows.len(), 1);
    let chain = reader.chain(&bitcoin()).unwrap();
    assert_eq!(chain.map(|chain| chain.network), Some("regtest".into()));
}

#[test]
fn a_table_becomes_json_with_integers_texts_and_nulls() {
    let (dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    let table = reader(&dir).payment("p").unwrap();
    let json = table.to_json();
    assert_eq!(json[0]["amount_expected"], "0.01500000");
    assert_eq!(json[0]["version"], 1);
    assert_eq!(json[0]["txid"], serde_json::Value::Null);
}

#[test]
fn a_reader_cannot_write() {
    let (dir, _store) = store();
    let reader = reader(&dir);
    for sql in [
        "DELETE FROM chain",
        "CREATE TABLE t (a)",
        "PRAGMA user_version = 9",
    ] {
        reader.conn.execute_batch(sql).expect_err(sql);
    }
    reader.conn.execute_batch("PRAGMA query_only = 0").unwrap();
    reader
        .conn
        .execute_batch("DELETE FROM chain")
        .expect_err("the file is open for reading only");
}

#[test]
fn what_is_no_database_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let missing = Reader::open(&path).expect_err("nothing is there");
    assert!(matches!(missing, OpenError::Io { .. }), "{missing:?}");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE wallet (a)")
        .unwrap();
    let foreign = Reader::open(&path).expect_err("a wallet");
    assert!(matches!(foreign, OpenError::Foreign { .. }), "{foreign:?}");
    let (dir, store) = store();
    store.conn.pragma_update(None, "user_version", 9).unwrap();
    let newer = Reader::open(&dir.path().join("confirmd.db")).expect_err("newer");
    assert!(matches!(newer, OpenError::Newer { .. }), "{newer:?}");
}

#[test]
fn either_kind_of_database_is_shown() {
    for kind in [Kind::Live, Kind::Sandbox] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::private(dir.path(), kind), NOW).unwrap();
        assert_eq!(reader(&dir).kind(), kind);
        store.close().unwrap();
        assert_eq!(reader(&dir).kind(), kind, "and without the daemon");
    }
}

#[test]
fn a_daemon_is_there_as_long_as_it_has_the_database_open() {
    let (dir, store) = store();
    let reader = reader(&dir);
    assert!(reader.has_daemon().unwrap());
    store.close().unwrap();
    assert!(!reader.has_daemon().unwrap());
    let again = open(&dir);
    assert!(reader.has_daemon().unwrap(), "looking keeps no daemon away");
    again.close().unwrap();
    std::fs::remove_file(dir.path().join("confirmd.db.lock")).unwrap();
    assert!(!reader.has_daemon().unwrap(), "a copy has no lock");
}
