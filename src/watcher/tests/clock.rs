//! A wall clock that somebody moves: no verdict rests on it, and afterwards all goes on.

use super::{
    DAY, DAY_BACK, MINUTE,
    world::{Tx, World, register_body},
};
use crate::{
    chain::ChainInput,
    domain::{
        asset::{ChainKind, ChainName},
        status::Status,
        time::SpanMs,
    },
};

/// A poll that begins under one clock and ends under another.
fn poll_over(world: &mut World, moved: SpanMs) {
    let (status, began_ms) = (world.status(), world.monotonic_ms());
    world.set_clock_forward(moved);
    world.give(ChainInput::Status(status.clone()));
    world.give(ChainInput::Polled { began_ms, status });
}

// shows: A10
#[test]
fn a_clock_that_jumps_a_day_expires_nobody() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(DAY);
    world.tick();
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
}

#[test]
fn a_poll_under_a_wrong_clock_passes_no_deadline_once_the_clock_is_mended() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(DAY);
    world.tick();
    world.poll();
    poll_over(&mut world, DAY_BACK);
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.wait(SpanMs::from_secs(30 * 60));
    world.mine(&[]);
    world.tick();
    assert_eq!(
        world.status_of("a"),
        Status::New,
        "no poll since the deadline"
    );
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn a_request_that_was_read_under_a_wrong_clock_waits_for_one_poll_only() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(DAY);
    world.ask("cancel", "a", "{}");
    assert!(!world.has_outcome("r2"));
    world.set_clock_forward(DAY_BACK);
    world.tick();
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Canceled);
}

#[test]
fn a_clock_that_is_behind_does_not_make_late_money_early() {
    let mut world = World::of(ChainKind::Ethereum);
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
    let late = world.next_block(&[Tx::paying(1)]);
    world.set_clock_forward(SpanMs(MINUTE.0 * -20));
    let mut world = world.restart();
    world.blocks.push(late.block);
    world.give(ChainInput::Advance {
        disconnect_to: None,
        connected: vec![late],
    });
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Invalid);
}

#[test]
fn money_is_paid_by_the_next_head_that_agrees_with_the_clock() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.set_clock_forward(DAY);
    world.mine(&[]);
    world.tick();
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_registration_is_not_refused_by_a_clock_in_doubt() {
    for moved in [SpanMs(DAY.0 * 8), SpanMs(MINUTE.0 * -10)] {
        let mut world = World::new();
        let row = world.row("register", "a", &register_body(0));
        world.set_clock_forward(moved);
        world.give_rows(vec![row]);
        world.poll();
        assert!(!world.has_outcome("r1"), "{moved:?}");
        world.set_clock_forward(SpanMs(-moved.0));
        world.mine(&[]);
        world.poll();
        assert_eq!(world.code_of("r1"), "");
        assert_eq!(world.status_of("a"), Status::New);
    }
}

#[test]
fn a_registration_that_waited_for_the_clock_may_be_refused_once_that_is_trusted() {
    for (moved, code) in [
        (SpanMs(DAY.0 * 8), "created_too_long_ago"),
        (SpanMs(MINUTE.0 * -10), "created_in_future"),
    ] {
        let mut world = World::new();
        let row = world.row("register", "a", &register_body(0));
        world.set_clock_forward(moved);
        world.give_rows(vec![row]);
        let position = world.watcher.store.inbox_position().unwrap();
        assert_eq!(position.map(|position| position.seq), Some(0));
        world.mine(&[]);
        world.poll();
        assert_eq!(world.code_of("r1"), code);
    }
}

#[test]
fn a_registration_waits_at_start_until_a_poll_vouches_for_the_clock() {
    let mut world = World::public(ChainKind::Ethereum);
    let row = world.row("register", "a", &world.body(0));
    world.set_clock_forward(DAY_BACK);
    let mut world = world.restart();
    world.give_rows(vec![row]);
    world.poll();
    assert!(!world.has_outcome("r1"), "its head is a day ahead");
    world.set_clock_forward(DAY);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::New);
}

/// How far a head may not be ahead of a clock that is right.
const AHEAD: [(ChainKind, SpanMs); 2] = [
    (ChainKind::Bitcoin, SpanMs::from_secs(2 * 3600 + 1)),
    (ChainKind::Ethereum, SpanMs::from_secs(61)),
];

#[test]
fn a_head_from_the_future_suspends_verdicts_until_the_clock_has_caught_up() {
    for (kind, ahead) in AHEAD {
        let mut world = World::public(kind);
        world.register("a", 0);
        world.mine(&[Tx::paying(1)]);
        world.mine_ahead(ahead);
        world.poll();
        world.tick();
        assert_eq!(world.status_of("a"), Status::Confirming, "{kind:?}");
        world.wait(SpanMs::from_secs(1));
        world.poll();
        assert_eq!(world.status_of("a"), Status::Paid, "{kind:?}");
    }
}

#[test]
fn a_head_of_a_local_chain_may_be_set_into_the_future() {
    for (kind, ahead) in AHEAD {
        let mut world = World::of(kind);
        world.register("a", 0);
        world.mine(&[Tx::paying(1)]);
        world.mine_ahead(ahead);
        assert_eq!(world.status_of("a"), Status::Paid, "{kind:?}");
    }
}

#[test]
fn a_payment_registered_by_a_clock_that_was_ahead_expires_once_the_clock_is_right() {
    let mut world = World::new();
    let row = world.row("register", "a", &register_body(0));
    world.set_clock_forward(DAY);
    let mut world = world.restart();
    world.give_rows(vec![row]);
    world.scan_past();
    world.set_clock_forward(DAY_BACK);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.tick();
    world.mine(&[]);
    world.poll();
    world.wait(MINUTE);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn one_chains_head_shows_every_chain_that_the_clock_is_behind() {
    let mut world = World::of_both();
    world.watcher.chains[1].spec.is_local = false;
    let (mut status, began_ms) = (world.status(), world.monotonic_ms());
    status.tip.time = world.now().plus(SpanMs(MINUTE.0 * 50));
    let ethereum = ChainName::new(ChainKind::Ethereum.as_str());
    for input in [
        ChainInput::Status(status.clone()),
        ChainInput::Polled { began_ms, status },
    ] {
        let input = crate::watcher::Input::Chain(ethereum.clone(), input);
        world.watcher.handle(&input).unwrap();
    }
    world.poll();
    assert!(
        world
            .watcher
            .chains
            .iter()
            .all(|chain| chain.suspended_at.is_some())
    );
    world.set_clock_forward(SpanMs(MINUTE.0 * 50));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.watcher.chains[0].suspended_at, None);
}

#[test]
fn a_small_step_back_lets_no_poll_from_before_a_registration_count() {
    let mut world = World::new();
    let row = world.row("register", "a", &register_body(0));
    world.wait(SpanMs(MINUTE.0 * 30));
    world.poll();
    world.give_rows(vec![row]);
    world.scan_past();
    world.set_clock_forward(SpanMs::from_secs(-50));
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.wait(MINUTE);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn a_clock_set_back_by_an_hour_is_not_trusted_though_bitcoin_allows_two() {
    let hour = SpanMs(MINUTE.0 * 60);
    let mut world = World::public(ChainKind::Bitcoin);
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 40));
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
    let late_ms = world.monotonic_ms();
    world.arrive(&Tx::paying(1));
    let late = world.payment("a").transfers[0].first_seen_at;
    world.set_clock_forward(SpanMs(-hour.0));
    world.wait(MINUTE);
    world.tick();
    world.mine_ahead(hour);
    world.poll();
    world.tick();
    assert!(world.watcher.chains[0].suspended_at.is_some());
    world.remember(&Tx::paying(1), late_ms);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, late);
    world.set_clock_forward(hour);
    world.wait(MINUTE);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.watcher.chains[0].suspended_at, None);
    world.remember(&Tx::paying(1), late_ms);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, late);
}

#[test]
fn a_clock_that_was_later_before_the_start_is_in_doubt_until_a_head_is_nearer_to_it() {
    let half_an_hour = SpanMs(MINUTE.0 * 30);
    let mut world = World::public(ChainKind::Bitcoin);
    world.set_clock_forward(SpanMs(-half_an_hour.0));
    let mut world = world.restart();
    world.mine_ahead(half_an_hour);
    world.poll();
    assert!(world.watcher.chains[0].suspended_at.is_some());
    world.mine(&[]);
    world.poll();
    assert_eq!(world.watcher.chains[0].suspended_at, None);
}

#[test]
fn the_head_of_a_silent_node_casts_no_doubt_on_the_clock() {
    let mut world = World::of_both();
    world.watcher.chains[1].spec.is_local = false;
    let (mut status, ethereum) = (world.status(), ChainName::new(ChainKind::Ethereum.as_str()));
    status.tip.time = world.now().plus(SpanMs(MINUTE.0 * 50));
    let input = crate::watcher::Input::Chain(ethereum, ChainInput::Status(status));
    world.watcher.handle(&input).unwrap();
    world.mine(&[]);
    world.poll();
    assert!(world.watcher.chains[0].suspended_at.is_some());
    world.wait(SpanMs(MINUTE.0 * 5));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.watcher.chains[0].suspended_at, None);
}
