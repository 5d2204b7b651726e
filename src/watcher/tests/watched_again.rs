//! A payment whose watch was over and that a request brings back.

use super::{
    MINUTE,
    world::{Tx, World, destination, register_body},
};
use crate::{
    chain::Ask,
    domain::{
        asset::ChainKind,
        status::{Reason, Status},
    },
};

/// Payment `a` got too little, and its watch is over.
fn unwatched() -> World {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1).of(500_000)]);
    world.mine(&[]);
    world.end_watch();
    assert_eq!(world.payment("a").judged.reason, Some(Reason::Underpaid));
    assert_eq!(world.watcher.index.len(), 0);
    world
}

/// The same, and `b` has the address now.
fn taken() -> World {
    let mut world = unwatched();
    world.register("b", 0);
    world
}

/// Asks and lets the chain be polled, for requests that wait for it.
fn ask(world: &mut World, kind: &str, body: &str) -> String {
    world.asks();
    let row = world.row(kind, "a", body);
    let id = row.request_id.clone();
    world.give_rows(vec![row]);
    world.poll_alone();
    world.code_of(&id)
}

fn later(world: &World) -> String {
    format!(r#"{{"expires_at": {}}}"#, world.now().0 + MINUTE.0 * 30)
}

fn asked_of_the_mempool(world: &mut World) -> bool {
    let wanted = Ask::Unconfirmed(vec![destination(ChainKind::Bitcoin, 0)]);
    world.asks().into_iter().any(|(_, ask)| ask == wanted)
}

#[test]
fn a_payment_that_is_watched_again_gets_its_money_at_once() {
    for (command, status) in [("accept", Status::Paid), ("refunded", Status::Refunded)] {
        let mut world = unwatched();
        assert_eq!(ask(&mut world, command, "{}"), "");
        assert_eq!(world.status_of("a"), status);
        assert_eq!(world.watcher.index.len(), 1);
        assert!(asked_of_the_mempool(&mut world), "{command}");
        world.mine(&[Tx::paying(2)]);
        assert_eq!(world.payment("a").transfers.len(), 2, "{command}");
        let mut world = world.restart();
        world.mine(&[Tx::paying(3)]);
        assert_eq!(world.payment("a").transfers.len(), 3, "{command}");
    }
}

#[test]
fn a_request_that_ends_nothing_does_not_watch_again() {
    for command in ["ack", "reject"] {
        let mut world = unwatched();
        assert_eq!(ask(&mut world, command, "{}"), "");
        assert_eq!(world.watcher.index.len(), 0, "{command}");
        assert!(!asked_of_the_mempool(&mut world), "{command}");
    }
}

#[test]
fn old_money_is_decided_about_while_the_address_is_anothers() {
    for (command, status) in [
        ("accept", Status::Paid),
        ("refunded", Status::Refunded),
        ("reject", Status::Invalid),
        ("ack", Status::Invalid),
    ] {
        let mut world = taken();
        assert_eq!(ask(&mut world, command, "{}"), "", "{command}");
        assert_eq!(world.status_of("a"), status);
        for restarts in [false, true] {
            if restarts {
                world = world.restart();
                world.poll();
            }
            assert_eq!(world.watcher.index.len(), 1);
            let before = world.payment("b").transfers.len();
            world.mine(&[Tx::paying(2 + u8::from(restarts))]);
            assert_eq!(world.payment("b").transfers.len(), before + 1, "{command}");
            assert_eq!(world.payment("a").transfers.len(), 1, "{command}");
        }
    }
}

#[test]
fn an_acceptance_is_void_by_a_reorg_while_the_address_is_anothers() {
    let mut world = taken();
    ask(&mut world, "accept", "{}");
    world.reorg(2, &[]);
    assert_ne!(world.status_of("a"), Status::Paid);
    world.mine(&[Tx::paying(1).of(500_000)]);
    assert_eq!(world.status_of("a"), Status::Confirming);
    assert_eq!(world.payment("b").transfers, []);
}

#[test]
fn nobody_looks_for_money_on_an_address_that_is_anothers() {
    let mut world = taken();
    ask(&mut world, "accept", "{}");
    let code = ask(&mut world, "rescan", r#"{"scan_from": 100}"#);
    assert_eq!(code, "address_in_use");
    let mut world = World::new();
    world.register("a", 0);
    world.end_watch();
    world.register("b", 0);
    let body = later(&world);
    assert_eq!(ask(&mut world, "extend", &body), "address_in_use");
    assert_eq!(
        ask(&mut world, "rescan", r#"{"scan_from": 100}"#),
        "address_in_use"
    );
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn an_address_is_taken_by_the_first_of_one_portion() {
    for (command, code) in [("refunded", "address_in_use"), ("ack", "")] {
        let mut world = unwatched();
        let rows = vec![
            world.row(command, "a", "{}"),
            world.row("register", "c", &register_body(0)),
        ];
        let id = rows[1].request_id.clone();
        world.give_rows(rows);
        assert_eq!(world.code_of(&id), code, "{command}");
    }
    let mut world = unwatched();
    let rows = vec![
        world.row("register", "c", &register_body(0)),
        world.row("refunded", "a", "{}"),
        world.row("rescan", "a", r#"{"scan_from": 100}"#),
    ];
    let id = rows[2].request_id.clone();
    world.give_rows(rows);
    assert_eq!(world.status_of("a"), Status::Refunded);
    assert_eq!(world.status_of("c"), Status::New);
    assert_eq!(world.code_of(&id), "address_in_use");
    world.mine(&[Tx::paying(2)]);
    assert_eq!(world.payment("a").transfers.len(), 1);
    assert_eq!(world.payment("c").transfers.len(), 1);
}
