//! Unconfirmed transactions: replaced, vanished, back again.

use super::world::{Tx, World};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        status::{Reason, Status},
        transfer::Place,
    },
};

// shows: M2
#[test]
fn a_replacement_in_the_mempool_drops_the_payment() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    world.arrive(&Tx::paying(2).to(1).spending(1));
    let payment = world.payment("a");
    assert_eq!(
        (payment.judged.status, payment.judged.reason),
        (Status::New, Some(Reason::Dropped))
    );
    assert!(matches!(payment.transfers[0].place, Place::Replaced { .. }));
}

// shows: M6
#[test]
fn only_a_snapshot_at_our_own_tip_makes_a_transaction_vanish() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    world.asks();
    let other = world.next_block(&[]).block.id.hash;
    world.snapshot(other, &[]);
    assert_eq!(world.asks(), []);
    world.snapshot(world.tip().id.hash, &[&Tx::paying(1)]);
    assert_eq!(world.asks(), []);
    world.snapshot(world.tip().id.hash, &[]);
    let asks = world.asks();
    assert!(matches!(&asks[..], [(_, Ask::Spenders(gone))] if gone[0].0 == Tx::paying(1).txid));
    world.give(ChainInput::Spenders {
        answers: vec![(Tx::paying(1).txid, None)],
    });
    assert_eq!(world.payment("a").transfers[0].place, Place::Evicted);
    world.arrive(&Tx::paying(1));
    assert_eq!(world.status_of("a"), Status::Pending, "it came back");
}

#[test]
fn the_answer_about_a_vanished_transaction_comes_too_late_when_it_was_mined() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    world.snapshot(world.tip().id.hash, &[]);
    world.mine(&[Tx::paying(1)]);
    world.give(ChainInput::Spenders {
        answers: vec![(Tx::paying(1).txid, None)],
    });
    assert_eq!(world.status_of("a"), Status::Confirming);
}

/// A payment's transaction was replaced by one that pays another.
fn one_replaced() -> (World, Tx, Tx) {
    let mut world = World::new();
    let (first, second) = (Tx::paying(1), Tx::paying(2).to(1).spending(1));
    world.register("a", 0);
    world.register("b", 1);
    world.arrive(&first);
    world.arrive(&second);
    (world, first, second)
}

/// Nobody tells of what was sent again between two lists.
#[test]
fn what_a_list_holds_is_back_though_nobody_told_of_it() {
    let (mut world, first, _) = one_replaced();
    assert_eq!(world.status_of("a"), Status::New);
    assert_eq!(world.status_of("b"), Status::Pending);
    let other = world.next_block(&[]).block.id.hash;
    world.snapshot(other, &[&first]);
    assert_eq!(world.status_of("a"), Status::New, "a list of another tip");
    world.snapshot(world.tip().id.hash, &[&first]);
    assert_eq!(world.status_of("a"), Status::Pending);
    let by = first.txid;
    let replaced = |world: &World| world.payment("b").transfers[0].place;
    let (confirmed_in, version) = (None, world.payment("a").version);
    assert_eq!(replaced(&world), Place::Replaced { by, confirmed_in });
    world.snapshot(world.tip().id.hash, &[&first]);
    assert_eq!(world.payment("a").version, version, "it is told once");
}

/// While its block stands, what ended a transaction outweighs news of the mempool.
#[test]
fn what_came_back_before_the_block_left_that_ended_it_is_back_by_the_next_list() {
    let mut world = World::new();
    let (first, second) = (Tx::paying(1), Tx::paying(2).to(1).spending(1));
    world.register("a", 0);
    world.arrive(&first);
    world.mine(&[second]);
    world.arrive(&first);
    world.snapshot(world.tip().id.hash, &[&first]);
    assert_eq!(world.status_of("a"), Status::Invalid);
    world.roll_back(1);
    assert_eq!(world.status_of("a"), Status::New);
    world.snapshot(world.tip().id.hash, &[&first]);
    assert_eq!(world.status_of("a"), Status::Pending);
}

/// No mempool holds both: they would take each other's place with each list, and no watch would end.
#[test]
fn a_list_of_two_that_spend_the_same_brings_neither_back() {
    let (mut world, first, second) = one_replaced();
    world.snapshot(world.tip().id.hash, &[&first, &second]);
    assert_eq!(world.status_of("a"), Status::New);
    assert_eq!(world.status_of("b"), Status::Pending);
}
