//! Batches of scans.

use super::{past::PastScans, *};
use crate::{
    domain::{payment::Scan, time::UnixMs},
    store::{reader::Reader, testing::*},
};

fn scan(from: ScanFrom, scanned_to: Option<u32>, goal: Option<u32>) -> Scan {
    Scan {
        from,
        scanned_to: scanned_to.map(Height),
        goal: goal.map(Height),
    }
}

/// Start, done up to, and goal of each payment; of those that wait their number, where each goes on, and its goal.
type ScanCase = (
    Vec<(ScanFrom, Option<u32>, Option<u32>)>,
    Vec<(i64, ScanFrom, u32)>,
);

fn waiting(store: &Store, traced: bool) -> Vec<(i64, ScanFrom, u32)> {
    let waiting = store.unscanned(&bitcoin(), traced).unwrap().into_iter();
    waiting
        .map(|one| (one.key.0, one.from, one.goal.0))
        .collect()
}

#[test]
fn who_waits_for_its_past_is_told_by_age_and_where_it_goes_on() {
    let height = |h| ScanFrom::Height(Height(h));
    let time = |t| ScanFrom::Time(UnixMs(t));
    let done = (height(1), Some(9), Some(9));
    let cases: [ScanCase; 5] = [
        (vec![], vec![]),
        (vec![done], vec![]),
        (vec![(height(5), None, None)], vec![]),
        (
            vec![
                (height(5), Some(7), Some(9)),
                done,
                (height(3), None, Some(6)),
            ],
            vec![(1, height(8), 9), (3, height(3), 6)],
        ),
        (
            vec![(time(5), Some(4), Some(6)), (time(3), None, Some(9))],
            vec![(1, height(5), 6), (2, time(3), 9)],
        ),
    ];
    for (scans, wanted) in cases {
        let (_dir, mut store) = store();
        let payments = (1..).zip(&scans).map(|(key, (from, to, goal))| {
            let mut payment = payment(key, &format!("p{key}"));
            payment.scan = scan(*from, *to, *goal);
            payment
        });
        register(&mut store, payments.collect());
        assert_eq!(waiting(&store, false), wanted, "{scans:?}");
        assert_eq!(waiting(&store, true), []);
    }
}

#[test]
fn payments_that_need_traces_wait_apart() {
    let (_dir, mut store) = store();
    let payments = (1..=4).map(|key| {
        let mut payment = payment(key, &format!("p{key}"));
        payment.scan = scan(ScanFrom::Height(Height(5)), None, Some(9));
        payment.history.needs_traces = key % 2 == 0;
        payment.history.scan_refused = (key > 2).then(|| "pruned".to_owned());
        payment
    });
    register(&mut store, payments.collect());
    for (traced, key) in [(false, 1), (true, 2)] {
        assert_eq!(
            waiting(&store, traced),
            [(key, ScanFrom::Height(Height(5)), 9)]
        );
        let refused = store.refused_scan(&bitcoin(), traced, PaymentKey(0));
        assert_eq!(refused.unwrap().map(|one| one.key.0), Some(key + 2));
        let refused = store.refused_scan(&bitcoin(), traced, PaymentKey(key + 2));
        assert_eq!(refused.unwrap(), None);
    }
}

fn three_that_need_a_scan(refused: &[i64]) -> (tempfile::TempDir, Store) {
    let (dir, mut store) = store();
    let payments = (1..=3).map(|key| {
        let mut payment = payment(key, &format!("p{key}"));
        payment.scan = scan(ScanFrom::Height(Height(5)), None, Some(9));
        payment.history.scan_refused = refused.contains(&key).then(|| "pruned".to_owned());
        payment
    });
    register(&mut store, payments.collect());
    (dir, store)
}

#[test]
fn payments_whose_scan_was_refused_are_told_one_by_one_and_wait_with_no_other() {
    let (_dir, store) = three_that_need_a_scan(&[1, 3]);
    let next = |after| {
        let scan = store.refused_scan(&bitcoin(), false, PaymentKey(after));
        scan.unwrap().map(|scan| scan.key.0)
    };
    assert_eq!([next(0), next(1), next(3)], [Some(1), Some(3), None]);
    assert_eq!(
        waiting(&store, false),
        [(2, ScanFrom::Height(Height(5)), 9)]
    );
}

/// Start, next block and goal as people are told, for scans like in [`ScanCase`].
type PastCase = (
    Vec<(ScanFrom, Option<u32>, Option<u32>)>,
    (u32, Option<ScanFrom>, Option<u32>, Option<u32>),
);

/// A store that keeps the blocks 1000 to 1010, each a millisecond after the one before.
fn store_with_blocks() -> (tempfile::TempDir, Store) {
    let (dir, mut store) = store();
    let blocks: Vec<_> = (1000..=1010).map(block).collect();
    store.commit(&advance(None, &blocks)).unwrap();
    (dir, store)
}

/// What people are told of the first chain.
fn told(dir: &tempfile::TempDir) -> PastScans {
    let reader = Reader::open(&dir.path().join("confirmd.db")).unwrap();
    let mut all = reader.past_scans().unwrap();
    assert_eq!(all.len(), 2, "every chain is there");
    assert_eq!((all[1].payments, all[1].from), (0, None));
    all.swap_remove(0)
}

#[test]
fn people_are_told_from_which_block_to_which_the_past_is_scanned_and_how_far() {
    let height = |h| ScanFrom::Height(Height(h));
    let time = |after| ScanFrom::Time(UnixMs(NOW.0 + after));
    let done = (height(1), Some(9), Some(9));
    let cases: [PastCase; 9] = [
        (vec![done], (0, None, None, None)),
        (
            vec![(height(5), None, Some(1010))],
            (1, Some(height(5)), Some(5), Some(1010)),
        ),
        (
            vec![(height(5), Some(7), Some(1010)), done],
            (1, Some(height(5)), Some(8), Some(1010)),
        ),
        (
            vec![
                (height(900), Some(950), Some(1010)),
                (height(940), None, Some(1009)),
            ],
            (2, Some(height(900)), Some(940), Some(1010)),
        ),
        // A time is the last block at or before it.
        (
            vec![(time(1005), None, Some(1010))],
            (1, Some(height(1005)), Some(1005), Some(1010)),
        ),
        (
            vec![
                (time(1005), Some(1006), Some(1010)),
                (height(1003), Some(1008), Some(1010)),
            ],
            (2, Some(height(1003)), Some(1007), Some(1010)),
        ),
        // Which block that is, is not known of a time before all that are kept.
        (
            vec![(time(999), None, Some(1010)), (height(5), None, Some(9))],
            (2, Some(time(999)), None, Some(1010)),
        ),
        (
            vec![(time(999), Some(1001), Some(1010))],
            (1, Some(time(999)), Some(1002), Some(1010)),
        ),
        (
            vec![(height(5), None, None)],
            (1, Some(height(5)), Some(5), None),
        ),
    ];
    for (scans, wanted) in cases {
        let (dir, mut store) = store_with_blocks();
        let payments = (1..).zip(&scans).map(|(key, (from, to, goal))| {
            let mut payment = payment(key, &format!("p{key}"));
            payment.scan = scan(*from, *to, *goal);
            payment
        });
        register(&mut store, payments.collect());
        let told = told(&dir);
        let [next, goal] = [told.next, told.goal].map(|height| height.map(|height| height.0));
        assert_eq!((told.payments, told.from, next, goal), wanted, "{scans:?}");
    }
}

#[test]
fn payments_whose_scan_was_refused_or_that_are_on_hold_do_not_wait_for_one() {
    let (dir, store) = three_that_need_a_scan(&[1]);
    store
        .conn
        .execute("UPDATE payment SET held = 1 WHERE key IN (1, 2)", [])
        .unwrap();
    let first = told(&dir);
    assert_eq!((first.payments, first.refused, first.held), (1, 0, 2));
    let (dir, _store) = three_that_need_a_scan(&[1, 2, 3]);
    let second = told(&dir);
    assert_eq!((second.payments, second.refused, second.held), (0, 3, 0));
    assert_eq!((second.from, second.next, second.goal), (None, None, None));
}
