//! The cursor, the last blocks, and the scans that depend on them.

use crate::{
    domain::{
        block::{BlockRef, Height},
        payment::{PaymentKey, Scan, ScanFrom},
        step::{ScanStep, Step},
        time::UnixMs,
        view::FreezeReason,
    },
    store::{RECENT_BLOCKS, Store, StoreError, testing::*},
};

fn recent(store: &Store) -> Vec<BlockRef> {
    store.chain(&bitcoin()).unwrap().expect("a chain").recent
}

#[test]
fn a_chain_is_loaded_as_it_was_committed() {
    let (_dir, mut store) = store();
    let mut step = advance(None, &[block(1000), block(1001)]);
    let chain = step.chain.as_mut().unwrap();
    chain.error = Some("syncing".into());
    chain.view.frozen = Some(FreezeReason::Quorum);
    chain.view.safe = Some(Height(990));
    chain.view.healthy = false;
    chain.view.tip = Some(block(1005));
    store.commit(&step).unwrap();
    let stored = store.chain(&bitcoin()).unwrap().unwrap();
    assert_eq!(stored.view, step.chain.unwrap().view);
    assert_eq!(stored.error.as_deref(), Some("syncing"));
    assert_eq!(stored.network, "regtest");
    assert_eq!(stored.recent, [block(1000), block(1001)]);
    let unknown = crate::domain::asset::ChainName::new("dogecoin");
    assert_eq!(store.chain(&unknown).unwrap(), None);
}

#[test]
fn a_disconnect_forgets_the_blocks_above_the_fork() {
    let (_dir, mut store) = store();
    let first: Vec<_> = (999..1004).map(block).collect();
    store.commit(&advance(None, &first)).unwrap();
    let other = [branch(1001, 1), branch(1002, 1)];
    store.commit(&advance(Some(1000), &other)).unwrap();
    assert_eq!(
        recent(&store),
        [block(999), block(1000), other[0], other[1]]
    );
    // Everything that was ever followed leaves the chain.
    let cursor = block(997);
    let mut all = advance(Some(997), &[cursor]);
    all.chain.as_mut().unwrap().connected.clear();
    store.commit(&all).unwrap();
    assert_eq!(recent(&store), [cursor]);
}

#[test]
fn a_pure_rollback_moves_the_cursor_down() {
    let (_dir, mut store) = store();
    store
        .commit(&advance(None, &[block(1000), block(1001)]))
        .unwrap();
    let mut back = advance(Some(1000), &[block(1000)]);
    back.chain.as_mut().unwrap().connected.clear();
    store.commit(&back).unwrap();
    assert_eq!(recent(&store), [block(1000)]);
}

#[test]
fn no_more_blocks_are_kept_than_needed() {
    let (_dir, mut store) = store();
    let blocks: Vec<_> = (2000..3100).map(block).collect();
    for batch in blocks.chunks(300) {
        store.commit(&advance(None, batch)).unwrap();
    }
    let kept = recent(&store);
    assert_eq!(i64::try_from(kept.len()).unwrap(), RECENT_BLOCKS);
    assert_eq!(kept.last(), blocks.last());
}

#[test]
fn a_cursor_never_passes_a_block() {
    let moves: [(&str, Step); 5] = [
        ("a gap", advance(None, &[block(1003)])),
        ("another branch", advance(None, &[branch(1002, 1)])),
        ("a block again", advance(None, &[block(1001)])),
        (
            "a disconnect that is too short",
            advance(Some(1001), &[branch(1002, 1)]),
        ),
        ("a cursor without its block", {
            let mut step = advance(None, &[block(1002)]);
            step.chain.as_mut().unwrap().connected.clear();
            step
        }),
    ];
    for (what, step) in moves {
        let (_dir, mut store) = store();
        store
            .commit(&advance(None, &[block(1000), block(1001)]))
            .unwrap();
        let refused = store.commit(&step).expect_err(what);
        assert!(
            matches!(refused, StoreError::Refused(_)),
            "{what}: {refused:?}"
        );
        assert_eq!(recent(&store), [block(1000), block(1001)], "{what}");
        // It is a defect of one step; the next one may be right.
        store.commit(&advance(None, &[block(1002)])).expect(what);
    }
}

#[test]
fn a_step_of_a_chain_that_is_not_configured_is_refused() {
    let (_dir, mut store) = store();
    let mut step = advance(None, &[block(1000)]);
    step.chain.as_mut().unwrap().view.name = crate::domain::asset::ChainName::new("dogecoin");
    let refused = store.commit(&step);
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
}

/// Registers payments with these scans: start, done to, goal.
fn scanning(store: &mut Store, scans: &[(ScanFrom, Option<u32>, Option<u32>)]) {
    let payments = (1..).zip(scans).map(|(key, (from, scanned_to, goal))| {
        let mut payment = payment(key, &format!("p{key}"));
        payment.scan = Scan {
            from: *from,
            scanned_to: scanned_to.map(Height),
            goal: goal.map(Height),
        };
        payment
    });
    register(store, payments.collect());
}

fn scans(store: &Store) -> String {
    ask(
        store,
        "SELECT scanned_to, scan_goal FROM payment ORDER BY key",
    )
}

fn from(height: u32) -> ScanFrom {
    ScanFrom::Height(Height(height))
}

const BY_TIME: ScanFrom = ScanFrom::Time(UnixMs(5));

fn scanned(from: ScanFrom, to: u32, up_to: i64) -> Step {
    let mut step = advance(None, &[block(1000)]);
    let chain = step.chain.as_mut().unwrap();
    chain.connected.clear();
    chain.scan = Some(ScanStep {
        from,
        traced: false,
        to: Height(to),
        up_to: PaymentKey(up_to),
    });
    step
}

#[test]
fn a_scan_moves_unfinished_payments_up_to_its_last_one() {
    let (_dir, mut store) = store();
    store.commit(&advance(None, &[block(1000)])).unwrap();
    scanning(
        &mut store,
        &[
            (from(900), None, Some(1000)),
            (from(900), Some(960), Some(1000)),
            (from(900), Some(920), Some(940)),
            (from(900), Some(930), Some(930)),
            (from(899), None, Some(1000)),
            (from(950), None, Some(1000)),
            (from(951), None, Some(1000)),
            (from(900), None, Some(1000)),
        ],
    );
    // Who starts below it, or behind it, is in another scan.
    store.commit(&scanned(from(900), 950, 7)).unwrap();
    assert_eq!(
        scans(&store),
        "950|1000\n960|1000\n940|940\n930|930\n|1000\n950|1000\n|1000\n|1000"
    );
    // Who knows less than what is before it waits.
    store.commit(&scanned(from(952), 2000, 9)).unwrap();
    assert_eq!(
        scans(&store),
        "950|1000\n1000|1000\n940|940\n930|930\n|1000\n950|1000\n|1000\n|1000"
    );
    store.commit(&scanned(from(899), 2000, 9)).unwrap();
    assert_eq!(
        scans(&store),
        "1000|1000\n1000|1000\n940|940\n930|930\n1000|1000\n1000|1000\n1000|1000\n1000|1000"
    );
}

#[test]
fn a_scan_by_time_moves_those_that_start_at_its_time_or_later() {
    let (_dir, mut store) = store();
    store.commit(&advance(None, &[block(1000)])).unwrap();
    let time = |at| ScanFrom::Time(UnixMs(at));
    scanning(
        &mut store,
        &[
            (time(4), None, Some(1000)),
            (time(5), None, Some(1000)),
            (time(6), None, Some(1000)),
            (time(6), Some(949), Some(1000)),
            (from(900), None, Some(1000)),
        ],
    );
    store.commit(&scanned(time(5), 950, 9)).unwrap();
    assert_eq!(scans(&store), "|1000\n950|1000\n950|1000\n949|1000\n|1000");
}

#[test]
fn a_scan_without_traces_does_not_move_who_needs_them() {
    let (_dir, mut store) = store();
    store.commit(&advance(None, &[block(1000)])).unwrap();
    let mut ether = payment(1, "p1");
    ether.scan = Scan {
        from: from(900),
        scanned_to: None,
        goal: Some(Height(1000)),
    };
    ether.history.needs_traces = true;
    let scan = |traced| ScanStep {
        from: from(900),
        to: Height(950),
        up_to: PaymentKey(1),
        traced,
    };
    let moves = [false, true].map(|traced| scan(traced).moves(&ether));
    register(&mut store, vec![ether]);
    let is_moved = |traced| store.moved_by(&bitcoin(), scan(traced)).unwrap().len() == 1;
    assert_eq!([false, true].map(is_moved), [false, true]);
    assert_eq!(moves, [false, true]);
    store.commit(&scanned(from(900), 950, 1)).unwrap();
    assert_eq!(scans(&store), "|1000");
}

#[test]
fn a_scan_does_not_move_a_payment_that_cannot_be_scanned() {
    let (_dir, mut store) = store();
    store.commit(&advance(None, &[block(1000)])).unwrap();
    let mut refused = payment(1, "p1");
    refused.scan.scanned_to = None;
    refused.history.scan_refused = Some("pruned".to_owned());
    register(&mut store, vec![refused]);
    store.commit(&scanned(from(900), 1000, 1)).unwrap();
    assert_eq!(scans(&store), "|1000");
}

#[test]
fn a_disconnect_below_a_goal_cuts_the_scan() {
    let (_dir, mut store) = store();
    let blocks: Vec<_> = (990..=1000).map(block).collect();
    store.commit(&advance(None, &blocks)).unwrap();
    scanning(
        &mut store,
        &[
            (from(900), None, Some(1000)),
            (from(900), Some(999), Some(1000)),
            (from(900), Some(950), Some(996)),
            (from(900), Some(1000), Some(1000)),
            (from(998), None, Some(1000)),
            (BY_TIME, None, Some(1000)),
        ],
    );
    let mut back = advance(Some(996), &[block(996)]);
    back.chain.as_mut().unwrap().connected.clear();
    store.commit(&back).unwrap();
    assert_eq!(
        scans(&store),
        "|996\n996|996\n950|996\n1000|1000\n996|996\n|996"
    );
}

#[test]
fn history_below_the_first_block_is_kept_and_not_called_scanned() {
    let (_dir, mut store) = store();
    scanning(&mut store, &[(from(900), None, None)]);
    let mut began = advance(None, &[block(1000)]);
    began.chain.as_mut().unwrap().history = vec![block(998), block(999)];
    store.commit(&began).unwrap();
    assert_eq!(recent(&store), [block(998), block(999), block(1000)]);
    assert_eq!(scans(&store), "|1000");
}

#[test]
fn the_first_block_of_a_chain_settles_the_goals() {
    let (_dir, mut store) = store();
    scanning(
        &mut store,
        &[
            (from(900), None, None),
            (BY_TIME, None, None),
            (from(1005), None, None),
        ],
    );
    assert_eq!(store.unscanned(&bitcoin(), false).unwrap(), []);
    store
        .commit(&advance(None, &[block(1000), block(1001)]))
        .unwrap();
    assert_eq!(scans(&store), "|1000\n|1000\n1000|1000");
    // Later blocks settle nothing.
    store.commit(&advance(None, &[block(1002)])).unwrap();
    assert_eq!(scans(&store), "|1000\n|1000\n1000|1000");
}
