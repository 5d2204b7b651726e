//! A wall clock that somebody moves: no verdict rests on it, and afterwards all goes on.

use super::{
    MINUTE,
    world::{Tx, World},
};
use crate::{
    chain::ChainInput,
    domain::{asset::ChainKind, status::Status, time::SpanMs},
};

const DAY: SpanMs = SpanMs::from_secs(86_400);
const DAY_BACK: SpanMs = SpanMs::from_secs(-86_400);

/// A poll that begins under one clock and ends under another.
fn poll_over(world: &mut World, moved: SpanMs) {
    let (status, began_at) = (world.status(), world.now());
    world.set_clock_forward(moved);
    world.give(ChainInput::Status(status.clone()));
    world.give(ChainInput::Polled { began_at, status });
}

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
fn late_money_is_not_on_time_because_somebody_set_the_clock_back() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
    world.set_clock_forward(SpanMs(MINUTE.0 * -20));
    world.arrive(&Tx::paying(1));
    let seen_at = world.payment("a").transfers[0].first_seen_at;
    assert_eq!(seen_at, world.now().plus(SpanMs(MINUTE.0 * 20)));
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
