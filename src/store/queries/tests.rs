//! What the watcher asks.

mod plans;

use super::*;
use crate::{
    domain::{
        payment::{Due, Payment},
        terms::Depth,
        transfer::Place,
    },
    store::{testing::*, token_events::Open},
};

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
