//! Batches of scans.

use super::*;
use crate::{
    domain::{payment::Scan, time::UnixMs},
    store::testing::*,
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
