//! Who is scanned for next.

use super::*;
use crate::domain::time::UnixMs;

/// A payment that lacks so many blocks up to block 100,000.
const fn lacking(key: i64, left: u32) -> Unscanned {
    Unscanned {
        key: PaymentKey(key),
        from: ScanFrom::Height(Height(100_001 - left)),
        goal: Height(100_000),
    }
}

/// The same for one that starts by time.
const fn by_time(key: i64, left: i64) -> Unscanned {
    Unscanned {
        key: PaymentKey(key),
        from: ScanFrom::Time(UnixMs(-left)),
        goal: Height(100_000),
    }
}

fn left(one: &Unscanned) -> u32 {
    match one.from {
        ScanFrom::Height(from) => one.goal.plus(1).minus(from.0).0,
        ScanFrom::Time(at) => u32::try_from(-at.0).unwrap(),
    }
}

/// What waits; how many at most, and which turn it is; start, last payment and number of the next scan.
type Case = (Vec<Unscanned>, (u32, u32), Option<(ScanFrom, i64, u32)>);

#[test]
fn who_lacks_least_is_next_with_those_who_lack_about_as_much() {
    let height = |left: u32| ScanFrom::Height(Height(100_001 - left));
    let time = |left: i64| ScanFrom::Time(UnixMs(-left));
    let all = u32::MAX;
    let three = vec![lacking(1, 50_000), lacking(2, 10), lacking(3, 60)];
    let cases: [Case; 12] = [
        (vec![], (all, 0), None),
        (vec![lacking(7, 5)], (all, 0), Some((height(5), 7, 1))),
        (three.clone(), (all, 0), Some((height(60), 3, 2))),
        (three.clone(), (1, 0), Some((height(10), 2, 1))),
        // Now and then it is for who has waited longest, and for those who lack no more.
        (three.clone(), (all, 3), Some((height(50_000), 3, 3))),
        (three, (2, 3), Some((height(50_000), 2, 2))),
        (
            vec![lacking(1, 200), lacking(2, 300), lacking(3, 100)],
            (all, 0),
            Some((height(200), 3, 2)),
        ),
        (
            vec![lacking(1, 200), lacking(2, 300), lacking(3, 100)],
            (all, 3),
            Some((height(200), 3, 2)),
        ),
        (
            vec![lacking(1, 64), lacking(2, 65)],
            (all, 0),
            Some((height(65), 2, 2)),
        ),
        (
            vec![lacking(1, 10), lacking(2, 64), lacking(3, 65)],
            (all, 0),
            Some((height(64), 2, 2)),
        ),
        // Starts by height and by time are not mixed.
        (
            vec![by_time(1, 20), lacking(2, 10), by_time(3, 9)],
            (all, 0),
            Some((time(20), 3, 2)),
        ),
        (
            vec![by_time(1, 20), lacking(2, 8), by_time(3, 9)],
            (all, 0),
            Some((height(8), 2, 1)),
        ),
    ];
    for (waiting, (limit, turn), wanted) in cases {
        let scan = next(&waiting, limit, turn, left);
        let scan = scan.map(|scan| (scan.from, scan.up_to.0, scan.payments));
        assert_eq!(scan, wanted, "{waiting:?}, turn {turn}");
    }
}

/// New payments without end, and one that lacks 50,000 blocks.
#[test]
fn neither_waits_long_for_the_other() {
    let mut long = 50_000;
    let mut waiting: Vec<(u32, Unscanned)> = Vec::new();
    let mut turn = 0;
    while long > 0 {
        waiting.push((turn, lacking(i64::from(turn) + 2, 10)));
        let all: Vec<Unscanned> = std::iter::once(lacking(1, long))
            .chain(waiting.iter().map(|(_, one)| *one))
            .collect();
        let scan = next(&all, u32::MAX, turn, left).unwrap();
        if scan.from == lacking(1, long).from {
            long -= TURN_BLOCKS.min(long);
            if long == 0 {
                waiting.clear();
            }
        } else {
            waiting.clear();
        }
        turn += 1;
        let oldest = waiting.first().map_or(turn, |(since, _)| *since);
        assert!(turn - oldest <= 1, "a new one waits at most one turn");
    }
    assert!(
        turn <= 50_000 / TURN_BLOCKS * FAIR_EVERY + FAIR_EVERY,
        "{turn}"
    );
}
