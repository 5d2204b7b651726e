//! Deadlines, outages, clocks, and the end of the watch.

use super::{
    MINUTE,
    world::{Tx, World, register_body},
};
use crate::{
    chain::{Ask, ChainInput, SourceError},
    domain::{
        status::{Reason, Status},
        time::SpanMs,
        transfer::Place,
    },
};

#[test]
fn a_deadline_waits_for_a_full_poll_after_it() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.tick();
    assert_eq!(
        world.status_of("a"),
        Status::New,
        "the node was not heard since"
    );
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
}

// shows: P9
#[test]
fn a_poll_that_began_before_a_deadline_and_ended_after_it_does_not_pass_it() {
    let mut world = World::new();
    world.register("a", 0);
    world.poll();
    world.wait(SpanMs(MINUTE.0 * 21));
    let began_ms = world.monotonic_ms();
    world.wait(SpanMs(MINUTE.0 * 2));
    let status = world.status();
    world.give(ChainInput::Status(status.clone()));
    world.give(ChainInput::Polled { began_ms, status });
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn an_outage_over_the_deadline_expires_nobody_who_paid() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 10));
    let paid = world.next_block(&[Tx::paying(1)]);
    let error = SourceError::Transient("connection refused".to_owned());
    world.give(ChainInput::Failed { error });
    world.wait(SpanMs(MINUTE.0 * 25));
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.blocks.push(paid.block);
    world.give(ChainInput::Advance {
        disconnect_to: None,
        connected: vec![paid],
    });
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Paid);
}

// shows: A12
#[test]
fn an_address_is_forgotten_once_its_watch_window_is_over() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 1);
    world.wait(SpanMs(MINUTE.0 * 61));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 0);
    world.mine(&[Tx::paying(1)]);
    assert_eq!(world.payment("a").transfers, []);
    world.register("b", 0);
    assert_eq!(
        world.status_of("b"),
        Status::New,
        "the address may be used again"
    );
}

#[test]
fn a_deadline_that_passed_before_the_registration_waits_for_a_poll_after_it() {
    let mut world = World::new();
    world.wait(SpanMs(MINUTE.0 * 90));
    world.poll();
    let mut row = world.row("register", "a", &register_body(0));
    row.created_at = world.now().plus(SpanMs(-MINUTE.0 * 30));
    world.give_rows(vec![row]);
    world.scan_past();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.wait(SpanMs::from_secs(1));
    world.tick();
    assert_eq!(world.status_of("a"), Status::New, "not polled since");
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn unconfirmed_money_is_looked_after_beyond_the_watch_window() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.poll();
    world.arrive(&Tx::paying(1));
    world.wait(SpanMs(MINUTE.0 * 61));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 1, "it is on its way");
    // It may be mined as long as nodes keep it.
    let mut mined = world.restart();
    mined.poll();
    mined.tick();
    mined.mine(&[Tx::paying(1)]);
    mined.mine(&[]);
    mined.poll();
    let payment = mined.payment("a");
    assert!(payment.transfers[0].place.anchor().is_some());
    assert_eq!(payment.judged.reason, Some(Reason::Late));
    mined.wait(SpanMs(MINUTE.0 * 61));
    mined.poll();
    mined.tick();
    assert_eq!(mined.watcher.index.len(), 0);
}

#[test]
fn unconfirmed_money_is_looked_after_beyond_the_end_of_the_watch() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.poll();
    world.arrive(&Tx::paying(1));
    // A node that keeps it longer than others do keeps the address from nobody for good.
    world.wait(SpanMs(MINUTE.0 * 60 * 337));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 0);
    world.asks();
    world.snapshot(world.tip().id.hash, &[]);
    assert!(matches!(&world.asks()[..], [(_, Ask::Spenders(_))]));
    world.give(ChainInput::Spenders {
        answers: vec![(Tx::paying(1).txid, None)],
    });
    assert_eq!(world.payment("a").transfers[0].place, Place::Evicted);
}

#[test]
fn no_poll_ends_a_payment_before_it_is_told_what_the_mempool_held() {
    let mut world = World::new();
    let created = world.row("register", "a", &register_body(0));
    world.wait(SpanMs(MINUTE.0 * 30));
    world.give_rows(vec![created]);
    for (_, ask) in world.asks_unanswered() {
        if let Ask::Backfill { batch, to, .. } = ask {
            let blocks = Vec::new();
            world.give(ChainInput::Backfill {
                batch,
                blocks,
                to,
                untraced: false,
            });
        }
    }
    world.wait(MINUTE);
    world.poll_alone();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    let told = crate::chain::MempoolNews {
        arrived: Vec::new(),
        snapshot: None,
        answered: 1,
    };
    world.give(ChainInput::Mempool(told));
    world.tick();
    assert_eq!(world.status_of("a"), Status::New, "that poll began before");
    world.wait(MINUTE);
    world.poll_alone();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn money_that_is_known_is_made_no_earlier_by_a_clock_that_was_set_back() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 40));
    world.arrive(&Tx::paying(1));
    let seen_at = world.now();
    world.set_clock_forward(SpanMs(-MINUTE.0 * 8 * 60));
    let mut world = world.restart();
    world.arrive(&Tx::paying(1));
    world.mine(&[Tx::paying(1)]);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, seen_at);
}

#[test]
fn money_that_the_source_remembers_from_before_a_block_was_seen_then() {
    let mut world = World::new();
    let row = world.row("register", "a", &register_body(0));
    let (began, began_ms) = (world.now(), world.monotonic_ms());
    world.wait(SpanMs(MINUTE.0 * 30));
    world.give_rows(vec![row]);
    world.scan_past();
    world.mine(&[Tx::paying(1)]);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, world.now());
    world.remember(&Tx::paying(1), began_ms);
    assert_eq!(world.payment("a").transfers[0].first_seen_at, began);
}
