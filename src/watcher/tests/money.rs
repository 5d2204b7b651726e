//! Money that comes, moves and is fought over in blocks.

use super::world::{Tx, World};
use crate::domain::status::{Reason, Status};

#[test]
fn a_payment_rises_from_mempool_to_paid() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    assert_eq!(world.status_of("a"), Status::Pending);
    world.mine(&[Tx::paying(1)]);
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_reorg_with_the_transaction_in_the_new_block_moves_the_transfer() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    let before = world.payment("a").version;
    world.reorg(2, &[Tx::paying(1)]);
    let after = world.payment("a");
    assert_eq!(after.transfers.len(), 1);
    assert_eq!(after.judged.status, Status::Confirming);
    assert!(after.version > before);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
}

// shows: F13
#[test]
fn a_conflict_in_the_new_branch_is_a_double_spend() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    world.reorg(2, &[Tx::paying(2).to(1).spending(1)]);
    let payment = world.payment("a");
    assert_eq!(
        (payment.judged.status, payment.judged.reason),
        (Status::Invalid, Some(Reason::DoubleSpent))
    );
}

#[test]
fn both_of_two_payments_learn_of_a_conflict() {
    let mut world = World::new();
    world.register("a", 0);
    world.register("b", 1);
    world.arrive(&Tx::paying(1));
    world.arrive(&Tx::paying(2).to(1).spending(1));
    assert_eq!(world.status_of("a"), Status::New);
    world.mine(&[Tx::paying(2).to(1).spending(1)]);
    let payment = world.payment("a");
    assert_eq!(payment.judged.reason, Some(Reason::DoubleSpent));
    assert_eq!(world.status_of("b"), Status::Confirming);
}

#[test]
fn one_transaction_pays_two_payments() {
    let mut world = World::new();
    world.register("a", 0);
    world.register("b", 1);
    let both = Tx::paying(1).and(1, 1_500_000);
    world.arrive(&both);
    let statuses = |world: &World| ["a", "b"].map(|id| world.status_of(id));
    assert_eq!(statuses(&world), [Status::Pending; 2]);
    world.mine(&[both]);
    world.mine(&[]);
    assert_eq!(statuses(&world), [Status::Paid; 2]);
}
