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

/// Start, done up to, and goal of each payment; start, goal and last payment of the batch.
type ScanCase = (
    Vec<(ScanFrom, Option<u32>, Option<u32>)>,
    Option<(ScanFrom, u32, i64)>,
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
        (vec![(height(5), None, Some(9))], Some((height(5), 9, 1))),
        (vec![(height(5), Some(7), Some(9))], Some((height(8), 9, 1))),
        (
            vec![(height(5), None, Some(9)), done, (height(3), None, Some(6))],
            Some((height(3), 9, 3)),
        ),
        (
            vec![
                (time(5), None, Some(6)),
                (time(3), None, Some(9)),
                (height(1), None, Some(9)),
            ],
            Some((time(3), 9, 2)),
        ),
        (
            vec![(time(5), Some(4), Some(6)), (time(3), None, Some(9))],
            Some((height(5), 6, 1)),
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
        let wanted = wanted.map(|(from, goal, up_to)| ScanBatch {
            from,
            goal: Height(goal),
            up_to: PaymentKey(up_to),
        });
        assert_eq!(store.next_scan(&bitcoin()).unwrap(), wanted, "{scans:?}");
    }
}
