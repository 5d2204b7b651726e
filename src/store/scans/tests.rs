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

/// Start, done up to, and goal of each payment; start, goal, last payment and size of the batch.
type ScanCase = (
    Vec<(ScanFrom, Option<u32>, Option<u32>)>,
    Option<(ScanFrom, u32, i64, u32)>,
);

#[test]
fn a_scan_batch_covers_all_its_payments_and_mixes_no_starts() {
    let height = |h| ScanFrom::Height(Height(h));
    let time = |t| ScanFrom::Time(UnixMs(t));
    let done = (height(1), Some(9), Some(9));
    let cases: [ScanCase; 8] = [
        (vec![], None),
        (vec![done], None),
        (vec![(height(5), None, None)], None),
        (vec![(height(5), None, Some(9))], Some((height(5), 9, 1, 1))),
        (
            vec![(height(5), Some(7), Some(9))],
            Some((height(8), 9, 1, 1)),
        ),
        (
            vec![(height(5), None, Some(9)), done, (height(3), None, Some(6))],
            Some((height(3), 9, 3, 2)),
        ),
        (
            vec![
                (time(5), None, Some(6)),
                (time(3), None, Some(9)),
                (height(1), None, Some(9)),
            ],
            Some((time(3), 9, 2, 2)),
        ),
        (
            vec![(time(5), Some(4), Some(6)), (time(3), None, Some(9))],
            Some((height(5), 6, 1, 1)),
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
        let wanted = wanted.map(|(from, goal, up_to, payments)| ScanBatch {
            from,
            goal: Height(goal),
            up_to: PaymentKey(up_to),
            payments,
        });
        assert_eq!(
            store.next_scan(&bitcoin(), u32::MAX).unwrap(),
            wanted,
            "{scans:?}"
        );
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
fn a_batch_ends_at_its_limit() {
    let (_dir, store) = three_that_need_a_scan(&[]);
    for (limit, up_to) in [(1, 1), (2, 2), (3, 3), (4, 3)] {
        let batch = store.next_scan(&bitcoin(), limit).unwrap().unwrap();
        assert_eq!(batch.up_to, PaymentKey(up_to), "{limit}");
        assert_eq!(i64::from(batch.payments), up_to, "{limit}");
    }
}

#[test]
fn payments_whose_scan_was_refused_are_told_one_by_one_and_in_no_batch() {
    let (_dir, store) = three_that_need_a_scan(&[1, 3]);
    let next = |after| {
        let scan = store.refused_scan(&bitcoin(), PaymentKey(after)).unwrap();
        scan.map(|scan| (scan.up_to.0, scan.payments))
    };
    assert_eq!(
        [next(0), next(1), next(3)],
        [Some((1, 1)), Some((3, 1)), None]
    );
    let batch = store.next_scan(&bitcoin(), 9).unwrap().unwrap();
    assert_eq!((batch.up_to, batch.payments), (PaymentKey(2), 1));
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
