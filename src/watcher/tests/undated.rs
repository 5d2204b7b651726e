//! Money that comes while the clock is in doubt: no date, and its true age afterwards.

use super::{
    DAY, DAY_BACK, MINUTE,
    world::{Tx, World, bitcoin},
};
use crate::{
    chain::Ask,
    domain::{asset::ChainKind, status::Status, time::SpanMs},
};

/// Money came while the clock was a day ahead, which it is no more: when it came, monotonic.
fn paid_a_day_ahead() -> (World, u64) {
    let mut world = World::new();
    world.register("a", 0);
    world.asks();
    world.set_clock_forward(DAY);
    let seen_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(1));
    world.set_clock_forward(DAY_BACK);
    (world, seen_ms)
}

/// When the clock is right again, the source is asked since when money is there, and is believed.
fn is_asked_and_answered(world: &mut World, seen_ms: u64) {
    let seen_at = world.now();
    world.asks();
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    world.tick();
    let asked = world.asks_unanswered();
    let destination = world.payment("a").destination;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1, Ask::Unconfirmed(vec![destination]));
    world.remember(&Tx::paying(1), seen_ms);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, seen_at);
}

// shows: A10
#[test]
fn late_money_is_not_on_time_because_somebody_set_the_clock_back() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
    world.set_clock_forward(SpanMs(MINUTE.0 * -20));
    let seen_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(1));
    assert_eq!(world.payment("a").transfers, []);
    world.set_clock_forward(SpanMs(MINUTE.0 * 20));
    is_asked_and_answered(&mut world, seen_ms);
}

#[test]
fn money_that_comes_while_the_clock_is_behind_the_head_is_dated_once_the_clock_is_right() {
    let behind = SpanMs::from_secs(3 * 3600);
    let mut world = World::public(ChainKind::Bitcoin);
    world.register("a", 0);
    world.mine_ahead(behind);
    let seen_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(1));
    assert_eq!(world.payment("a").transfers, []);
    world.set_clock_forward(behind);
    is_asked_and_answered(&mut world, seen_ms);
}

// shows: A10
#[test]
fn late_money_is_not_on_time_because_the_daemon_starts_with_a_clock_that_was_set_back() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(DAY_BACK);
    // The machine was off for an hour: nobody can know.
    world.wait(SpanMs(MINUTE.0 * 60));
    let mut world = world.restart();
    let seen_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(1));
    assert_eq!(world.payment("a").transfers, []);
    world.set_clock_forward(DAY);
    is_asked_and_answered(&mut world, seen_ms);
}

#[test]
fn money_seen_by_a_clock_that_was_ahead_is_seen_when_the_source_says_once_the_clock_is_right() {
    let (mut world, seen_ms) = paid_a_day_ahead();
    assert_eq!(world.payment("a").transfers, []);
    is_asked_and_answered(&mut world, seen_ms);
}

#[test]
fn what_the_source_remembers_gets_no_date_either_while_the_clock_is_in_doubt() {
    for moved in [20, -20] {
        let mut world = World::new();
        world.register("a", 0);
        let seen_ms = world.monotonic_ms();
        world.wait(SpanMs(MINUTE.0 * 30));
        world.set_clock_forward(SpanMs(MINUTE.0 * moved));
        world.tick();
        world.remember(&Tx::paying(1), seen_ms);
        assert_eq!(world.payment("a").transfers, [], "{moved}");
        world.set_clock_forward(SpanMs(MINUTE.0 * -moved));
        world.wait(MINUTE);
        world.mine(&[]);
        world.poll();
        let asked = world.asks_unanswered();
        assert!(
            asked
                .iter()
                .any(|(_, ask)| matches!(ask, Ask::Unconfirmed(_)))
        );
    }
}

#[test]
fn money_that_came_in_doubt_keeps_its_age_though_a_block_takes_it_before_the_clock_is_trusted() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(DAY);
    world.arrive(&Tx::paying(1));
    world.set_clock_forward(DAY_BACK);
    let seen_at = world.now();
    world.wait(SpanMs(MINUTE.0 * 40));
    world.mine(&[Tx::paying(1)]);
    world.poll();
    assert_eq!(world.payment("a").transfers[0].first_seen_at, seen_at);
    assert_ne!(world.status_of("a"), Status::Invalid);
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_replacement_that_comes_in_doubt_takes_nothing_away_until_the_clock_is_trusted() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1).spending(7));
    world.set_clock_forward(DAY);
    let replaced_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(2).spending(7));
    world.snapshot(world.tip().id.hash, &[&Tx::paying(2)]);
    assert_eq!(world.status_of("a"), Status::Pending);
    world.set_clock_forward(DAY_BACK);
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    world.remember(&Tx::paying(2).spending(7), replaced_ms);
    let transfers = world.payment("a").transfers;
    assert_eq!(transfers.len(), 2);
    assert_eq!(
        transfers[1].first_seen_at, transfers[0].first_seen_at,
        "inherited"
    );
    assert_eq!(world.status_of("a"), Status::Pending);
}

#[test]
fn money_in_a_block_is_as_old_as_its_block_while_the_clock_is_in_doubt() {
    for moved in [DAY, DAY_BACK] {
        let mut world = World::new();
        world.register("a", 0);
        world.set_clock_forward(moved);
        let block = world.mine(&[Tx::paying(1)]);
        let first_seen_at = world.payment("a").transfers[0].first_seen_at;
        assert_eq!(first_seen_at, block.time, "{moved:?}");
    }
}

#[test]
fn nobody_who_paid_in_doubt_is_expired_before_it_is_asked_when_they_paid() {
    let (mut world, seen_ms) = paid_a_day_ahead();
    world.wait(SpanMs(MINUTE.0 * 30));
    world.mine(&[]);
    world.poll_alone();
    world.tick();
    assert_ne!(world.status_of("a"), Status::Expired);
    world.remember(&Tx::paying(1), seen_ms);
    world.wait(MINUTE);
    world.poll_alone();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Pending);
}

/// Whoever reads a verdict may look whether its chain gives any.
#[test]
fn the_answer_that_ends_the_doubt_brings_no_verdict_before_the_chains_row_says_so() {
    let mut world = World::new();
    let is_healthy = |world: &World| {
        let stored = world.watcher.store.chain(&bitcoin()).unwrap().unwrap();
        stored.view.healthy
    };
    world.register("a", 0);
    world.asks();
    world.mine(&[Tx::paying(1)]);
    world.set_clock_forward(DAY);
    world.arrive(&Tx::paying(2));
    let seen_ms = world.monotonic_ms();
    world.set_clock_forward(DAY_BACK);
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll_alone();
    world.remember(&Tx::paying(2), seen_ms);
    world.arrive(&Tx::paying(3));
    let seen = (world.status_of("a"), is_healthy(&world));
    assert_eq!(seen, (Status::Confirming, false));
    world.poll();
    world.tick();
    let seen = (world.status_of("a"), is_healthy(&world));
    assert_eq!(seen, (Status::Paid, true));
}
