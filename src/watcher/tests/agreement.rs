//! Several operators must hold the block that buries a payment's money.

use super::world::{Tx, World};
use crate::{
    chain::ChainInput,
    domain::{
        asset::ChainKind,
        block::{BlockRef, Height},
        status::Status,
        time::SpanMs,
        view::FreezeReason,
    },
};
use rusqlite::Connection;

/// A chain where two operators must hold a block.
fn world() -> World {
    let mut world = World::asking_others(ChainKind::Ethereum);
    assert_eq!(world.watcher.chain(0).view.agreed, None);
    agree(&mut world, None);
    world
}

/// Others hold our tip, and this is not lost.
fn agree(world: &mut World, lost: Option<&str>) {
    let tip = world.tip();
    agree_on(world, Some(tip), lost);
}

fn agree_on(world: &mut World, block: Option<BlockRef>, lost: Option<&str>) {
    let lost = lost.map(str::to_owned);
    world.give(ChainInput::Agreed { block, lost });
}

fn attention(world: &World) -> Vec<String> {
    let reader = Connection::open(world.path()).unwrap();
    let sql = "SELECT data FROM v1_event WHERE kind = 'attention' ORDER BY seq";
    let mut rows = reader.prepare(sql).unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn nobody_is_paid_before_others_hold_the_block_that_buries_the_money() {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    agree(&mut world, None);
    let held = world.tip();
    world.mine(&[]);
    world.poll();
    assert_eq!(
        world.status_of("a"),
        Status::Confirming,
        "two confirmations of ours"
    );
    agree_on(&mut world, Some(held), None);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming, "one of theirs");
    agree(&mut world, None);
    assert_eq!(world.status_of("a"), Status::Paid);
    // What is paid stays paid when others are gone for a moment.
    agree_on(&mut world, None, None);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
    let world = world.restart();
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn nobody_is_refused_before_either() {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[Tx::paying(1).of(999)]);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming);
    agree(&mut world, None);
    assert_eq!(world.status_of("a"), Status::Invalid);
}

#[test]
fn nobody_expires_by_a_block_that_others_do_not_hold() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(30 * 60));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::New);
    agree(&mut world, None);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn blocks_that_leave_are_held_no_more() {
    let mut world = world();
    world.mine(&[]);
    world.mine(&[]);
    agree(&mut world, None);
    let height = world.tip().id.height.0;
    world.reorg(2, &[]);
    let agreed = world.watcher.chain(0).view.agreed.unwrap();
    assert_eq!(
        agreed,
        world.blocks[world.blocks.len() - 1 - blocks_above(&world, height - 2)]
    );
    assert_eq!(agreed.id.height, Height(height - 2));
}

fn blocks_above(world: &World, height: u32) -> usize {
    usize::try_from(world.tip().id.height.0 - height).unwrap()
}

#[test]
fn nothing_is_final_by_depth_that_others_do_not_hold() {
    let mut world = world();
    let held = world.tip();
    for _ in 0..5 {
        world.mine(&[]);
        world.poll();
    }
    let finalized = |world: &World| world.watcher.chain(0).view.finalized;
    assert_eq!(
        finalized(&world),
        held.id.height.0.checked_sub(100).map(Height)
    );
    agree(&mut world, None);
    assert_eq!(finalized(&world), Some(world.tip().id.height.minus(100)));
}

#[test]
fn a_lost_quorum_freezes_says_so_and_heals() {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    let said = "too few operators hold our block";
    agree_on(&mut world, None, Some(said));
    agree_on(&mut world, None, Some(said));
    assert_eq!(
        world.watcher.chain(0).view.frozen,
        Some(FreezeReason::Quorum)
    );
    let events = attention(&world);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].contains(said) && events[0].contains("\"quorum\""),
        "{events:?}"
    );
    assert_eq!(world.watcher.chain(0).error.as_deref(), Some(said));
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.mine(&[]);
    let error = |world: &World| world.watcher.chain(0).error.clone();
    assert_eq!(error(&world).as_deref(), Some(said), "blocks go on");
    let said = "too few operators hold another";
    agree_on(&mut world, None, Some(said));
    assert_eq!(error(&world).as_deref(), Some(said));
    assert_eq!(attention(&world).len(), 1);

    let mut world = world.restart();
    assert_eq!(
        world.watcher.chain(0).view.frozen,
        Some(FreezeReason::Quorum)
    );
    agree(&mut world, None);
    world.poll();
    assert_eq!(world.watcher.chain(0).view.frozen, None);
    assert_eq!(attention(&world).len(), 2);
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_freeze_below_finality_is_not_thawed_by_a_quorum() {
    let mut world = world();
    let reason = FreezeReason::BelowFinality;
    let message = "below".to_owned();
    world.give(ChainInput::Frozen { reason, message });
    agree_on(&mut world, None, Some("lost"));
    agree(&mut world, None);
    assert_eq!(world.watcher.chain(0).view.frozen, Some(reason));
}

#[test]
fn a_restart_inherits_no_trust() {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    agree(&mut world, None);
    let held = world.tip().id.height;
    let mut world = world.restart();
    assert_eq!(world.watcher.chain(0).view.agreed, None);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming);
    // How far it ever went is kept: one alone shows no more blocks above it for our restarting.
    for _ in 0..2 {
        world.mine(&[]);
        world = world.restart();
        assert_eq!(world.watcher.chain(0).view.held, Some(held));
    }
    agree(&mut world, None);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
}
