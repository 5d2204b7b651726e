//! A payment whose change is refused: what of it is written, and what becomes of it.

use crate::{
    domain::{
        block::Height,
        payment::{Due, Payment, PaymentKey, ScanFrom},
        snapshot::Row,
        status::Status,
        step::{PaymentStep, ScanStep, Step},
        transfer::{Anchor, Place},
    },
    store::{Store, testing::*},
};

/// A step that no table has, without news of transfers.
fn refused(payment: &Payment) -> PaymentStep {
    PaymentStep {
        changed: Vec::new(),
        ..moved(payment.clone(), Status::Refunded, None)
    }
}

fn stored(store: &Store) -> Payment {
    store.load(&[PaymentKey(1)]).unwrap().remove(0)
}

fn commit(store: &mut Store, payment: PaymentStep, chain: Step) -> usize {
    let step = Step {
        payments: vec![payment],
        ..chain
    };
    store.commit(&step).expect("committed").kept.len()
}

/// Blocks 999 to 1003 are followed, and a payment has money in some of them.
fn with_money(places: Vec<Place>) -> (tempfile::TempDir, Store) {
    let (dir, mut store) = store();
    let blocks: Vec<_> = (999..1004).map(block).collect();
    store.commit(&advance(None, &blocks)).unwrap();
    let mut payment = payment(1, "p");
    for (n, place) in (1..).zip(places) {
        payment.transfers.push(transfer(n, place));
    }
    if let Some(last) = payment.transfers.get_mut(3) {
        last.coinbase = true;
    }
    payment.judged.due = Due {
        height: Some(Height(1001)),
        safe_height: Some(Height(900)),
        final_height: Some(Height(900)),
        traced_height: None,
        at: Some(NOW),
    };
    register(&mut store, vec![payment]);
    (dir, store)
}

fn due(store: &Store) -> Vec<PaymentKey> {
    let top = Some(Height(1003));
    let reached = crate::store::Reached {
        scanned: top,
        safe: top,
        finalized: top,
        traced: top,
    };
    store.due(&bitcoin(), reached, NOW, 9).unwrap()
}

#[test]
fn money_of_a_kept_payment_leaves_the_blocks_that_left_the_chain() {
    let conflict = |height| Place::Replaced {
        by: crate::domain::block::TxId([9; 32]),
        confirmed_in: Some(block(height)),
    };
    let (_dir, mut store) = with_money(vec![
        in_block(1000),
        in_block(1001),
        conflict(1002),
        in_block(1003),
        conflict(1000),
    ]);
    let step = refused(&stored(&store));
    let kept = commit(&mut store, step, advance(Some(1000), &[branch(1001, 1)]));
    assert_eq!(kept, 1);
    let transfers = stored(&store).transfers;
    let places: Vec<Place> = transfers.iter().map(|t| t.place).collect();
    let loose = Place::Replaced {
        by: crate::domain::block::TxId([9; 32]),
        confirmed_in: None,
    };
    let wanted = [
        in_block(1000),
        Place::Mempool,
        loose,
        Place::Orphaned,
        conflict(1000),
    ];
    assert_eq!(places, wanted);
    let above = store.anchored_above(&bitcoin(), Height(1000)).unwrap();
    assert_eq!(above, []);
}

#[test]
fn what_the_refused_step_knows_of_new_blocks_is_written() {
    let (_dir, mut store) = with_money(vec![in_block(1001)]);
    let mut after = stored(&store);
    let anchor = Anchor {
        block: branch(1001, 1),
        tx_index: 1,
    };
    after.transfers[0].place = Place::Block(anchor);
    after.transfers.push(transfer(2, Place::Mempool));
    let step = moved(after.clone(), Status::Refunded, None);
    commit(&mut store, step, advance(Some(1000), &[branch(1001, 1)]));
    assert_eq!(stored(&store).transfers, after.transfers);
}

#[test]
fn in_another_block_a_transaction_may_credit_another_amount_and_in_the_same_not() {
    let (_dir, mut store) = with_money(vec![in_block(1001)]);
    let mut less = stored(&store);
    less.transfers[0].amount = crate::domain::amount::Amount::from_u64(5);
    let same = moved(less.clone(), Status::Confirming, None);
    let same = commit(&mut store, same, advance(None, &[block(1004)]));
    assert_eq!(same, 1, "refused");
    assert_eq!(stored(&store).transfers, [transfer(1, in_block(1001))]);
    let shown = "SELECT data FROM v1_event ORDER BY seq DESC LIMIT 1";
    assert!(ask(&store, shown).contains("not all of its transfers"));

    less.version = stored(&store).version;
    less.transfers[0].place = Place::Block(Anchor {
        block: branch(1001, 1),
        tx_index: 0,
    });
    let other = moved(less.clone(), Status::Confirming, None);
    let fork = advance(Some(1000), &[branch(1001, 1)]);
    assert_eq!(commit(&mut store, other, fork), 0);
    assert_eq!(stored(&store).transfers, less.transfers);
}

#[test]
fn a_refusal_is_told_once_until_somebody_looked() {
    let (_dir, mut store) = with_money(vec![in_block(1001)]);
    let count = |store: &Store| {
        let sql = "SELECT count(*) FROM v1_event WHERE kind = 'attention'";
        ask(store, sql).parse::<u32>().unwrap()
    };
    assert_eq!(due(&store), [PaymentKey(1)]);
    for _ in 0..3 {
        let again = refused(&stored(&store));
        assert_eq!(commit(&mut store, again, Step::new(NOW)), 1);
        assert_eq!(count(&store), 1);
        assert_eq!(due(&store), []);
        let held = stored(&store);
        assert!(held.judged.needs_review);
        assert_eq!(held.history.held.unwrap().status, Status::Refunded);
    }
    let mut elsewhere = moved(stored(&store), Status::Refunded, None);
    elsewhere.payment.version = 9;
    elsewhere.entries.clear();
    commit(&mut store, elsewhere, Step::new(NOW));
    assert_eq!(count(&store), 2, "another problem is news");

    let mut looked = stored(&store);
    looked.history.held = None;
    let looked = moved(looked, Status::New, None);
    assert_eq!(commit(&mut store, looked, Step::new(NOW)), 0);
    let again = refused(&stored(&store));
    commit(&mut store, again, Step::new(NOW));
    assert_eq!(count(&store), 3);
}

#[test]
fn a_refusal_shows_the_whole_payment() {
    let (_dir, mut store) = with_money(vec![in_block(1001)]);
    let step = refused(&stored(&store));
    commit(&mut store, step, advance(None, &[block(1004)]));
    let sql = "SELECT data FROM v1_event ORDER BY seq DESC LIMIT 1";
    let shown: serde_json::Value = serde_json::from_str(&ask(&store, sql)).unwrap();
    let (kept, view) = (stored(&store), view(block(1004)));
    let wanted = serde_json::to_value(Row::of(&kept, &view)).unwrap();
    assert_eq!(
        (&wanted["version"], &wanted["updated_at"]),
        (&2.into(), &NOW.0.into())
    );
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(shown.get(name), Some(value), "{name}");
    }
    assert_eq!(shown["needs_review"], 1);
    assert_eq!(shown["attention"]["code"], "change_refused");
    let message = shown["attention"]["message"].as_str().unwrap();
    assert!(
        message.contains("to refunded: the transition table"),
        "{message}"
    );
}

#[test]
fn the_past_of_a_kept_payment_is_not_taken_for_scanned() {
    let (_dir, mut store) = with_money(vec![]);
    let mut unscanned = payment(2, "q");
    unscanned.scan.scanned_to = Some(Height(994));
    let mut beside = payment(3, "r");
    beside.scan.scanned_to = Some(Height(994));
    register(&mut store, vec![unscanned.clone(), beside]);
    let mut chain = advance(None, &[block(1004)]);
    chain.chain.as_mut().unwrap().scan = Some(ScanStep {
        from: ScanFrom::Height(Height(995)),
        traced: false,
        to: Height(1000),
        up_to: PaymentKey(3),
    });
    assert_eq!(commit(&mut store, refused(&unscanned), chain), 1);
    let sql = "SELECT scanned_to FROM payment WHERE key > 1 ORDER BY key";
    assert_eq!(ask(&store, sql), "994\n1000");
    assert_eq!(store.unscanned(&bitcoin(), false).unwrap(), [], "it waits");
    let mut looked = store.load(&[PaymentKey(2)]).unwrap().remove(0);
    looked.history.held = None;
    commit(&mut store, moved(looked, Status::New, None), Step::new(NOW));
    let waiting = store.unscanned(&bitcoin(), false).unwrap();
    let keys: Vec<i64> = waiting.iter().map(|one| one.key.0).collect();
    assert_eq!(keys, [2], "it goes on");
}
