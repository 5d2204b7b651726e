//! Requests: when they wait, and what they may ask for.

use super::{
    MINUTE,
    world::{World, register_body},
};
use crate::{
    chain::{ChainInput, SourceError},
    domain::{status::Status, time::SpanMs},
};

/// A payment whose node is down and whose cancellation, `r2`, waits for it.
fn with_a_cancel_that_waits() -> World {
    let mut world = World::new();
    world.register("a", 0);
    let error = SourceError::Transient("down".to_owned());
    world.give(ChainInput::Failed { error });
    world.wait(MINUTE);
    world.ask("cancel", "a", "{}");
    world
}

// shows: A4
#[test]
fn a_cancellation_waits_until_its_chain_is_in_step() {
    let mut world = World::new();
    world.register("a", 0);
    world.blocks.push(world.next_block(&[]).block);
    world.give(ChainInput::Status(crate::chain::NodeStatus {
        tip: world.tip(),
        finalized: None,
        safe: None,
        tagged: false,
        syncing: false,
        mempool_loaded: true,
    }));
    world.ask("cancel", "a", "{}");
    world.tick();
    assert!(!world.has_outcome("r2"));
    world.blocks.pop();
    world.mine(&[]);
    world.poll();
    world.tick();
    assert!(world.has_outcome("r2"));
    assert_eq!(world.status_of("a"), Status::Canceled);
}

#[test]
fn a_waiting_request_survives_a_restart_and_is_answered_once() {
    let mut world = with_a_cancel_that_waits();
    world.ask("ack", "a", "{}");
    let position = world.watcher.store.inbox_position().unwrap().unwrap();
    assert_eq!(position.seq, 1, "read no further than before what waits");
    assert!(
        !world.has_outcome("r3"),
        "a later request does not overtake"
    );
    let rows = world.rows_after(position.seq);
    let mut world = world.restart();
    world.give_rows(rows);
    world.poll();
    assert!(world.has_outcome("r2") && world.has_outcome("r3"));
    assert_eq!(world.status_of("a"), Status::Canceled);
}

#[test]
fn a_request_that_waits_is_found_again_in_the_inbox_that_replaced_its_own() {
    let mut world = with_a_cancel_that_waits();
    let mut rows = world.rows_after(1);
    rows.extend(["b", "c"].map(|id| world.row("ack", id, "{}")));
    for (seq, row) in (1..).zip(&mut rows) {
        row.seq = seq;
    }
    for portion in rows.chunks(2) {
        world.give_rows_of("new", portion.to_vec());
        let position = world.watcher.store.inbox_position().unwrap().unwrap();
        assert_eq!((position.inbox_id.as_str(), position.seq), ("new", 0));
    }
    let mut world = world.restart();
    world.give_rows_of("new", rows);
    world.poll();
    assert_eq!(world.code_of("r2"), "");
    assert_eq!(world.status_of("a"), Status::Canceled);
}

#[test]
fn one_address_belongs_to_one_payment_even_within_one_portion() {
    let mut world = World::new();
    let row = |seq: i64, id: &str| crate::domain::request::Request {
        seq,
        request_id: format!("r{seq}"),
        kind: "register".to_owned(),
        payment_id: id.to_owned(),
        body: register_body(0),
        actor: None,
        created_at: world.now(),
    };
    let rows = vec![row(1, "a"), row(2, "b"), row(3, "a")];
    world.give_rows(rows);
    assert_eq!(world.status_of("a"), Status::New);
    let id = crate::domain::payment::PaymentId::new("b").unwrap();
    assert_eq!(world.watcher.store.find(&id).unwrap(), None);
    assert!(world.has_outcome("r2") && world.has_outcome("r3"));
}

#[test]
fn an_address_that_is_watched_no_more_is_not_extended() {
    let mut world = World::new();
    world.register("a", 0);
    for minutes in [23, 61] {
        world.wait(SpanMs(MINUTE.0 * minutes));
        world.poll();
        world.tick();
    }
    let later = world.now().plus(SpanMs(MINUTE.0 * 30));
    world.ask("extend", "a", &format!(r#"{{"expires_at": {}}}"#, later.0));
    world.poll();
    assert!(world.has_outcome("r2"));
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn no_status_is_forced_but_in_a_sandbox() {
    let mut world = World::new();
    world.register("a", 0);
    for body in [r#"{"status": "paid"}"#, "{}"] {
        let row = world.row("force", "a", body);
        let id = row.request_id.clone();
        world.give_rows(vec![row]);
        assert_eq!(world.status_of("a"), Status::New);
        assert_eq!(world.code_of(&id), "unknown_kind");
    }
}
