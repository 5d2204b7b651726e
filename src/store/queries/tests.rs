//! What the watcher asks, and by which indexes it is answered.

use super::*;
use crate::{
    domain::{
        payment::{Due, Payment},
        terms::Depth,
        transfer::Place,
    },
    store::{
        scans::{MOVED, SCAN_REFUSED, SCANNING, past::PAST},
        testing::*,
        token_events::{CHAIN_WIDE, OPEN_COUNT, OPEN_KEYS, Open},
        watches::{OWNER, WATCH_ENDED, WATCHED},
    },
};

/// The plan of a statement, one step a line.
fn plan(store: &Store, sql: &str) -> String {
    let mut statement = store
        .conn
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = statement.parameter_count();
    let params = rusqlite::params_from_iter(std::iter::repeat_n(1_i64, parameters));
    let steps = statement.query_map(params, |row| row.get::<_, String>(3));
    steps
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap()
        .join("\n")
}

/// Each question, and how it is answered.
const PLANS: &[(&str, &str)] = &[
    (WATCHED, "SCAN p USING COVERING INDEX payment_watched"),
    (
        DUE_HEIGHT,
        "SEARCH payment USING INDEX payment_due_height (chain_key=? AND due_height<?)",
    ),
    (
        DUE_FINAL,
        "SEARCH payment USING INDEX payment_due_final (chain_key=? AND due_final_height<?)",
    ),
    (
        DUE_TRACED,
        "SEARCH payment USING INDEX payment_due_traced (chain_key=? AND due_traced_height<?)",
    ),
    (
        CLAIMED,
        "SEARCH transfer USING COVERING INDEX transfer_claimed (chain_key=? AND block_height>?)",
    ),
    (
        DUE_AT,
        "SEARCH payment USING INDEX payment_due_at (chain_key=? AND due_at<?)",
    ),
    (
        ANCHORED_ABOVE,
        "SEARCH transfer USING COVERING INDEX transfer_anchor (chain_key=? AND block_height>?)",
    ),
    (
        CONFLICTED_ABOVE,
        "SEARCH transfer USING COVERING INDEX transfer_conflict (chain_key=? AND conflict_height>?)",
    ),
    (
        HOLDER,
        "INDEX transfer_credit (chain_key=? AND txid=? AND position=?)",
    ),
    (
        NOT_DEEP_ANY_MORE,
        "SEARCH t USING INDEX transfer_anchor (chain_key=? AND block_height>? AND block_height<?)",
    ),
    (LOOSE, "SEARCH t USING INDEX transfer_loose (chain_key=?)"),
    (
        SCAN_REFUSED,
        "SEARCH payment USING INDEX payment_scanning (chain_key=? AND rowid>?)",
    ),
    (
        SCANNING,
        "SEARCH payment USING INDEX payment_scanning (chain_key=?)",
    ),
    (
        PAST,
        "SEARCH payment USING INDEX payment_scanning (chain_key=?)",
    ),
    (
        WATCH_ENDED,
        "SEARCH p USING INDEX payment_watch_until (chain_key=? AND watch_until_at<?)",
    ),
    (
        OWNER,
        "SEARCH payment USING INDEX payment_watched (chain_key=? AND destination=?)",
    ),
    (
        OPEN_KEYS,
        "SEARCH payment USING COVERING INDEX payment_status (status=? AND asset=?)",
    ),
    (
        OPEN_COUNT,
        "SEARCH payment USING COVERING INDEX payment_status (status=? AND asset=?)",
    ),
    (
        CHAIN_WIDE,
        "SEARCH event USING INDEX sqlite_autoindex_event_1 (payment_key=? AND version=?)",
    ),
    (COUNTS, "SCAN payment USING COVERING INDEX payment_status"),
];

#[test]
fn every_question_of_the_watcher_is_answered_by_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in PLANS {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
    let sql = format!("SELECT key FROM payment WHERE chain_key = ?1 AND {MOVED} ORDER BY key");
    let plan = plan(&store, &sql);
    let wanted = "SEARCH payment USING INDEX payment_scanning (chain_key=? AND rowid<?)";
    assert!(plan.contains(wanted), "{plan}");
}

#[test]
fn what_contracts_moved_is_asked_about_through_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in [
        (OPEN, "SEARCH payment USING INDEX payment_open (asset=?)"),
        (
            HOLDER_OF_MOVES,
            "INDEX transfer_credit (chain_key=? AND txid=? AND position>? AND position<?)",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn every_question_of_a_gateway_is_answered_by_an_index() {
    let (_dir, store) = store();
    for (sql, wanted) in [
        (
            "SELECT * FROM v1_event WHERE seq > ? ORDER BY seq",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid>?)",
        ),
        (
            "SELECT * FROM v1_event WHERE payment_id = ? ORDER BY version",
            "SEARCH e USING INDEX sqlite_autoindex_event_1 (payment_key=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE payment_id = ?",
            "SEARCH p USING INDEX sqlite_autoindex_payment_1 (payment_id=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE status = ?",
            "SEARCH p USING INDEX payment_status (status=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE address = ?",
            "SEARCH p USING INDEX payment_address (address=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE txid = ?",
            "SEARCH p USING INDEX payment_txid (txid=?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE last_seq > ?",
            "SEARCH p USING INDEX payment_last_seq (last_seq>?)",
        ),
        (
            "SELECT * FROM v1_payment WHERE needs_review = 1",
            "SCAN p USING INDEX payment_review",
        ),
        (
            "SELECT * FROM v1_transfer WHERE payment_id = ?",
            "SEARCH t USING PRIMARY KEY (payment_key=?)",
        ),
        (
            "SELECT * FROM v1_transfer WHERE txid = ?",
            "SEARCH t USING INDEX transfer_txid (txid=?)",
        ),
        (
            "SELECT * FROM v1_request WHERE request_id = ?",
            "SEARCH request USING INDEX sqlite_autoindex_request_1 (request_id=?)",
        ),
        (
            "SELECT * FROM v1_request WHERE payment_id = ?",
            "SEARCH request USING INDEX request_payment (payment_id=?)",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(wanted), "{sql}\n{plan}");
    }
}

fn keys(found: &[PaymentKey]) -> Vec<i64> {
    found.iter().map(|key| key.0).collect()
}

type Dues = (Option<u32>, Option<u32>, Option<i64>);

fn with_due(key: i64, due: Dues) -> Payment {
    let mut payment = payment(key, &format!("p{key}"));
    payment.judged.due = Due {
        height: due.0.map(Height),
        safe_height: None,
        final_height: due.1.map(Height),
        traced_height: None,
        at: due.2.map(UnixMs),
    };
    payment
}

#[test]
fn a_credit_is_found_with_the_payment_that_holds_it() {
    let (_dir, mut store) = store();
    let mut first = payment(1, "first");
    first.transfers = vec![transfer(1, Place::Mempool)];
    let mut second = payment(2, "second");
    second.transfers = vec![transfer(2, in_block(1000))];
    register(&mut store, vec![first, second]);
    let to = |key: i64| payment(key, "p").destination;
    let at = |n: u8, vout: u32| (TxId([n; 32]), Position::Output(vout), to(n.into()));
    let asked = [
        at(2, 2),
        at(1, 1),
        at(1, 2),
        at(3, 3),
        (TxId([1; 32]), Position::Dust, to(1)),
        (TxId([1; 32]), Position::Output(1), to(2)),
    ];
    let of = |chain: &str, kind| {
        store
            .holder_of(&ChainName::new(chain), kind, &asked)
            .unwrap()
    };
    let (one, two) = (Some(PaymentKey(1)), Some(PaymentKey(2)));
    assert_eq!(
        of("bitcoin", ChainKind::Bitcoin),
        [two, one, None, None, None, None]
    );
    assert_eq!(of("ethereum", ChainKind::Ethereum), [None; 6]);
}

/// Another client gives the same move another number.
#[test]
fn a_move_of_a_contract_is_its_holders_whatever_its_number() {
    let (_dir, mut store) = store();
    let mut holder = payment(1, "holder");
    holder.transfers = vec![Transfer {
        position: Position::Trace(vec![1]),
        ..transfer(1, in_block(1000))
    }];
    let destination = holder.destination;
    register(&mut store, vec![holder]);
    let at = |position| (TxId([1; 32]), position, destination);
    let asked = [
        at(Position::Trace(vec![1])),
        at(Position::Trace(vec![0, 12])),
        at(Position::Transaction),
        (TxId([2; 32]), Position::Trace(vec![1]), destination),
        (
            TxId([1; 32]),
            Position::Trace(vec![1]),
            payment(2, "p").destination,
        ),
    ];
    let chain = ChainName::new("bitcoin");
    let held = store.holder_of(&chain, ChainKind::Bitcoin, &asked).unwrap();
    let one = Some(PaymentKey(1));
    assert_eq!(held, [one, one, None, None, None]);
}

#[test]
fn what_is_due_is_found_by_height_safety_finality_traces_and_time() {
    let (_dir, mut store) = store();
    let mut unscanned = with_due(9, (Some(1), Some(1), Some(1)));
    unscanned.scan.scanned_to = Some(Height(999));
    let mut safe = with_due(7, (None, None, None));
    safe.judged.due.safe_height = Some(Height(80));
    let mut traced = with_due(6, (None, None, None));
    traced.judged.due.traced_height = Some(Height(90));
    let mut elsewhere = with_due(8, (Some(1), Some(1), Some(1)));
    elsewhere.chain = ChainName::new("ethereum");
    register(
        &mut store,
        vec![
            with_due(1, (Some(100), None, None)),
            with_due(2, (None, Some(50), None)),
            with_due(3, (None, None, Some(7))),
            with_due(4, (Some(100), Some(50), Some(7))),
            with_due(5, (None, None, None)),
            safe,
            traced,
            elsewhere,
            unscanned,
        ],
    );
    for (scanned, finalized, now, limit, wanted) in [
        (99, Some(49), 6, 9, vec![]),
        (100, Some(49), 6, 9, vec![1, 4]),
        (99, Some(50), 6, 9, vec![2, 4]),
        (99, Some(49), 7, 9, vec![3, 4]),
        (99, None, 7, 9, vec![3, 4]),
        (100, Some(50), 7, 9, vec![1, 2, 3, 4]),
        (100, Some(50), 7, 1, vec![1, 2, 3]),
    ] {
        let reached = Reached {
            scanned: Some(Height(scanned)),
            safe: Some(Height(79)),
            finalized: finalized.map(Height),
            traced: Some(Height(89)),
        };
        let due = store.due(&bitcoin(), reached, UnixMs(now), limit);
        assert_eq!(keys(&due.unwrap()), wanted, "{scanned} {finalized:?} {now}");
    }
    let traced = Reached {
        traced: Some(Height(90)),
        ..Reached::default()
    };
    let due = store.due(&bitcoin(), traced, UnixMs(0), 9);
    assert_eq!(keys(&due.unwrap()), [6]);
    for (height, wanted) in [(79, vec![]), (80, vec![7])] {
        let safe = Reached {
            safe: Some(Height(height)),
            ..Reached::default()
        };
        let due = store.due(&bitcoin(), safe, UnixMs(0), 9);
        assert_eq!(keys(&due.unwrap()), wanted);
    }
}

/// A payment with one transfer.
fn with_transfer(key: i64, place: Place) -> Payment {
    let mut payment = payment(key, &format!("p{key}"));
    let mut money = transfer(u8::try_from(key).unwrap(), place);
    money.inputs = vec![outpoint(1), outpoint(2)];
    payment.transfers = vec![money];
    payment
}

#[test]
fn a_cursor_that_falls_finds_the_money_that_is_not_deep_enough_any_more() {
    let (_dir, mut store) = store();
    let with_depth = |key: i64, height: u32, confirmations: u32| {
        let mut payment = with_transfer(key, in_block(height));
        payment.terms.depth = Depth::of(confirmations);
        payment
    };
    let mut coinbase = with_depth(5, 1000, 2);
    coinbase.transfers[0].coinbase = true;
    register(
        &mut store,
        vec![
            with_depth(1, 1005, 2),
            with_depth(2, 1005, 1),
            with_depth(3, 1004, 2),
            with_depth(4, 1006, 9),
            coinbase,
            with_depth(6, 1000, 6),
            with_depth(7, 1000, 7),
        ],
    );
    let found = store.not_deep_any_more(&bitcoin(), Height(1005)).unwrap();
    assert_eq!(keys(&found), [1, 5, 7]);
}

fn replaced(confirmed_in: Option<u32>) -> Place {
    Place::Replaced {
        by: TxId([77; 32]),
        confirmed_in: confirmed_in.map(block),
    }
}

#[test]
fn money_and_conflicts_above_a_height_are_found() {
    let (_dir, mut store) = store();
    let mut twice = with_transfer(6, in_block(1005));
    twice.transfers.push(transfer(60, replaced(Some(1006))));
    register(
        &mut store,
        vec![
            with_transfer(1, in_block(1001)),
            with_transfer(2, in_block(1002)),
            with_transfer(3, replaced(Some(1002))),
            with_transfer(4, replaced(None)),
            with_transfer(5, Place::Mempool),
            twice,
        ],
    );
    for (height, wanted) in [
        (1000, vec![1, 2, 3, 6]),
        (1001, vec![2, 3, 6]),
        (1004, vec![6]),
        (1006, vec![]),
    ] {
        let found = store.anchored_above(&bitcoin(), Height(height)).unwrap();
        assert_eq!(keys(&found), wanted, "{height}");
    }
    let elsewhere = ChainName::new("ethereum");
    let found = store.anchored_above(&elsewhere, Height(0)).unwrap();
    assert_eq!(keys(&found), Vec::<i64>::new());
}

#[test]
fn loose_transfers_are_those_that_a_block_may_still_decide() {
    let (_dir, mut store) = store();
    let mut given_up = with_transfer(7, Place::Evicted);
    given_up.judged.watch_until_at = Some(UnixMs(1));
    register(
        &mut store,
        vec![
            with_transfer(1, Place::Mempool),
            with_transfer(2, Place::Evicted),
            with_transfer(3, replaced(None)),
            with_transfer(4, Place::Orphaned),
            with_transfer(5, replaced(Some(1000))),
            with_transfer(6, in_block(1000)),
            given_up.clone(),
        ],
    );
    let closed = moved(given_up, Status::Canceled, None);
    store.commit(&step(vec![closed])).unwrap();
    store.end_watches(&bitcoin(), NOW, 9).unwrap();
    let mut loose = store.loose(&bitcoin()).unwrap();
    loose.sort_by_key(|transfer| transfer.payment);
    let shown: Vec<_> = loose
        .iter()
        .map(|transfer| (transfer.payment.0, transfer.in_mempool))
        .collect();
    assert_eq!(shown, [(1, true), (2, false), (3, false), (4, false)]);
    assert_eq!(loose[0].inputs, [outpoint(1), outpoint(2)]);
    assert_eq!(loose[0].txid, TxId([1; 32]));
}

#[test]
fn payments_are_counted_by_asset_and_status() {
    let (_dir, mut store) = store();
    register(
        &mut store,
        (1..=3).map(|n| payment(n, &format!("p{n}"))).collect(),
    );
    let paid = moved(payment(2, "p2"), Status::Paid, None);
    store.commit(&step(vec![paid])).unwrap();
    let mut counts: Vec<_> = store
        .counts()
        .unwrap()
        .into_iter()
        .map(|count| format!("{} {} {}", count.asset, count.status, count.payments))
        .collect();
    counts.sort();
    assert_eq!(counts, ["BTC new 2", "BTC paid 1"]);
}

#[test]
fn a_reader_holds_a_checkpoint_back_but_not_up() {
    let (dir, mut store) = store();
    let reader = rusqlite::Connection::open(dir.path().join("confirmd.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT * FROM v1_meta")
        .unwrap();
    register(&mut store, vec![payment(1, "p1")]);
    assert_eq!(store.checkpoint().unwrap(), Checkpoint::HeldByReader);
    register(&mut store, vec![payment(2, "p2")]);
    assert!(store.wal_bytes() > 0);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(store.checkpoint().unwrap(), Checkpoint::Complete);
    assert_eq!(store.wal_bytes(), 0);
}

#[test]
fn open_payments_of_an_asset_are_found_those_with_money_first() {
    let (_dir, mut store) = store();
    let with = |key: i64, asset: &str| {
        let mut payment = payment(key, &format!("p{key}"));
        payment.terms.asset = AssetCode::new(asset);
        payment
    };
    register(
        &mut store,
        vec![
            with(1, "USDT"),
            with(2, "USDT"),
            with(3, "BTC"),
            with(4, "USDT"),
            with(5, "USDT"),
        ],
    );
    let statuses = [(2, "expired"), (4, "pending"), (5, "confirming")];
    for (key, status) in statuses {
        let sql = "UPDATE payment SET status = ?2 WHERE key = ?1";
        store.conn.execute(sql, params![key, status]).unwrap();
    }
    let usdt = AssetCode::new("USDT");
    for (limit, wanted) in [(9, vec![5, 4, 1]), (2, vec![5, 4]), (0, vec![])] {
        let Open { first, payments } = store.open_payments(&usdt, limit).unwrap();
        assert_eq!((keys(&first), payments), (wanted, 3), "{limit}");
    }
    let none = store.open_payments(&AssetCode::new("ETH"), 9).unwrap();
    assert_eq!((none.first.len(), none.payments), (0, 0));
}

#[test]
fn the_last_entries_about_no_payment_are_found_newest_first() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p1")]);
    for n in 1..=3 {
        let mut step = crate::domain::step::Step::new(NOW);
        let data = serde_json::json!({ "n": n });
        step.entries
            .push(crate::domain::event::Entry::attention(&data, NOW));
        store.commit(&step).unwrap();
    }
    let last = store.last_chain_wide(2).unwrap();
    assert_eq!(last, ["{\"n\":3}", "{\"n\":2}"]);
}
