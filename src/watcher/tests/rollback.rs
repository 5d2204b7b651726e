//! Blocks that leave the chain without others in their place.

use super::world::{Tx, World};
use crate::{chain::ChainInput, domain::status::Status};

// shows: F9
#[test]
fn the_first_block_followed_may_be_replaced_after_a_restart() {
    let world = World::new();
    let recent = |world: &World| world.watcher.chains[0].recent.clone();
    assert_eq!(recent(&world).len(), 3);
    let mut world = world.restart();
    assert_eq!(recent(&world), world.blocks);
    world.reorg(2, &[]);
    assert_eq!(recent(&world), world.blocks);
    assert_eq!(recent(&world.restart()).len(), 2);
}

// shows: F5
#[test]
fn a_payment_whose_block_stays_loses_the_confirmations_that_a_rollback_takes() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
    world.blocks.pop();
    world.give(ChainInput::Advance {
        disconnect_to: world.blocks.last().copied(),
        connected: Vec::new(),
    });
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
}
