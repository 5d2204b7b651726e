//! Payments that wait for what nodes call safe or final.

use super::world::{Tx, World, open};
use crate::{
    chain::{ChainInput, NodeStatus},
    domain::{
        asset::ChainKind,
        block::BlockRef,
        event::EventKind,
        status::Status,
        terms::{Depth, DepthRule},
        time::SpanMs,
    },
    watcher::{Input, Settings},
};

/// Blocks above one that is final while nobody names it.
const FINAL_DEPTH: u32 = 3;

fn settings(rule: DepthRule) -> Settings {
    let mut settings = open::settings(ChainKind::Ethereum);
    let chain = &mut settings.chains[0];
    chain.final_depth = FINAL_DEPTH;
    chain.assets[0].depth = Depth {
        rule,
        confirmations: FINAL_DEPTH + 1,
    };
    settings
}

fn waiting_for_safe() -> World {
    World::with(ChainKind::Ethereum, |_| settings(DepthRule::Safe))
}

fn waiting_for_final() -> World {
    World::with(ChainKind::Ethereum, |_| settings(DepthRule::Finalized))
}

/// What the node says when it calls these blocks final and safe.
fn naming(world: &World, finalized: Option<BlockRef>, safe: Option<BlockRef>) -> NodeStatus {
    NodeStatus {
        finalized: finalized.map(|block| block.id),
        safe: safe.map(|block| block.id),
        ..world.status()
    }
}

/// A full poll of a node that calls these blocks final and safe.
fn poll_naming(world: &mut World, finalized: Option<BlockRef>, safe: Option<BlockRef>) {
    let (status, began_ms) = (naming(world, finalized, safe), world.monotonic_ms());
    world.give(ChainInput::Status(status.clone()));
    world.give(ChainInput::Polled { began_ms, status });
}

/// A payment whose money is in the block that is returned, with three above it. The node names
/// blocks below.
fn paying(world: &mut World) -> BlockRef {
    let below = world.tip();
    poll_naming(world, Some(below), Some(below));
    world.register("a", 0);
    let block = world.mine(&[Tx::paying(1)]);
    for _ in 0..3 {
        world.mine(&[]);
    }
    poll_naming(world, Some(below), Some(below));
    assert_eq!(world.status_of("a"), Status::Confirming);
    block
}

fn safe_height(world: &World) -> Option<u32> {
    let database = rusqlite::Connection::open(world.path()).unwrap();
    let sql = "SELECT safe_height FROM v1_chain";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn reversals(world: &World) -> u32 {
    let database = rusqlite::Connection::open(world.path()).unwrap();
    let sql = "SELECT count(*) FROM v1_event WHERE kind = ?";
    let kind = EventKind::Reversed.as_str();
    database.query_row(sql, [kind], |row| row.get(0)).unwrap()
}

#[test]
fn a_payment_is_paid_when_the_tag_reaches_its_block() {
    let mut world = waiting_for_safe();
    let block = paying(&mut world);
    poll_naming(&mut world, None, Some(block));
    assert_eq!(world.status_of("a"), Status::Paid);
    assert!(!world.payment("a").judged.is_final);
    let mut world = waiting_for_final();
    let block = paying(&mut world);
    poll_naming(&mut world, None, Some(block));
    assert_eq!(
        world.status_of("a"),
        Status::Confirming,
        "safe is not final"
    );
    poll_naming(&mut world, Some(block), Some(block));
    assert_eq!(world.status_of("a"), Status::Paid);
    assert!(world.payment("a").judged.is_final);
}

#[test]
fn what_was_safe_stays_so_when_the_tag_goes_back_or_away_and_after_a_restart() {
    let mut world = waiting_for_safe();
    let block = paying(&mut world);
    poll_naming(&mut world, None, Some(block));
    let below = world.blocks[1];
    for safe in [None, Some(below)] {
        world.mine(&[]);
        poll_naming(&mut world, None, safe);
        assert_eq!(world.status_of("a"), Status::Paid);
        assert_eq!(safe_height(&world), Some(block.id.height.0));
    }
    let mut world = world.restart();
    assert_eq!(world.watcher.chain(0).view.safe, Some(block.id.height));
    world.mine(&[]);
    poll_naming(&mut world, None, Some(below));
    assert_eq!(world.status_of("a"), Status::Paid);
    assert_eq!(reversals(&world), 0);
}

#[test]
fn money_waits_across_a_restart() {
    let mut world = waiting_for_final();
    let block = paying(&mut world);
    let mut world = world.restart();
    world.mine(&[]);
    let below = world.blocks[0];
    poll_naming(&mut world, Some(below), None);
    assert_eq!(world.status_of("a"), Status::Confirming);
    poll_naming(&mut world, Some(block), None);
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_safe_block_that_leaves_takes_its_payment_back_until_another_is_safe() {
    let mut world = waiting_for_safe();
    let block = paying(&mut world);
    poll_naming(&mut world, None, Some(block));
    assert_eq!(world.status_of("a"), Status::Paid);
    // Its money is in another block of the same height now, which nobody called safe.
    world.reorg(4, &[Tx::paying(1)]);
    assert_eq!(world.status_of("a"), Status::Confirming);
    assert_eq!(reversals(&world), 1);
    let height = block.id.height;
    assert_eq!(world.watcher.chain(0).view.safe, Some(height.minus(1)));
    assert_eq!(safe_height(&world), Some(height.minus(1).0));
    let mut world = world.restart();
    world.mine(&[]);
    poll_naming(&mut world, None, None);
    assert_eq!(world.status_of("a"), Status::Confirming);
    let again = world.blocks[world.blocks.len() - 2];
    assert_eq!(again.id.height, height);
    poll_naming(&mut world, None, Some(again));
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_reorg_above_the_safe_block_takes_nothing_back() {
    let mut world = waiting_for_safe();
    let block = paying(&mut world);
    poll_naming(&mut world, None, Some(block));
    world.reorg(3, &[]);
    assert_eq!(world.status_of("a"), Status::Paid);
    assert_eq!(reversals(&world), 0);
}

/// The node of a chain that names no final block; its money is three confirmations deep.
fn untagged(make: fn() -> World) -> World {
    let mut world = make();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming);
    world
}

#[test]
fn a_chain_without_tags_counts_its_final_depth() {
    for make in [waiting_for_safe, waiting_for_final] {
        let mut world = untagged(make);
        assert!(!world.watcher.chain(0).view.tagged);
        world.mine(&[]);
        world.poll();
        assert_eq!(world.status_of("a"), Status::Paid);
        assert!(world.payment("a").judged.is_final);
        assert_eq!(safe_height(&world), None);
        assert!(world.watcher.chain(0).untagged.is_told());
    }
}

/// One named a final block once, without a word of what is safe, and none does since.
#[test]
fn tags_that_vanish_let_no_confirmations_count_not_even_after_a_restart() {
    for make in [waiting_for_safe, waiting_for_final] {
        let mut world = untagged(make);
        let status = naming(&world, Some(world.blocks[0]), None);
        world.give(ChainInput::Status(status));
        for _ in 0..9 {
            world.mine(&[]);
            world.poll();
        }
        assert_eq!(world.status_of("a"), Status::Confirming);
        let mut world = world.restart();
        for _ in 0..9 {
            world.mine(&[]);
            world.poll();
        }
        assert_eq!(world.status_of("a"), Status::Confirming);
        let tip = world.tip();
        poll_naming(&mut world, Some(tip), None);
        assert_eq!(world.status_of("a"), Status::Paid);
    }
}

#[test]
fn a_tag_above_what_is_agreed_on_pays_nobody() {
    let mut world = World::with(ChainKind::Ethereum, |_| {
        let mut settings = settings(DepthRule::Safe);
        settings.chains[0].quorum = 2;
        settings
    });
    let agree = |world: &mut World, block| {
        let block = Some(block);
        world.give(ChainInput::Agreed { block, lost: None });
    };
    let below = world.tip();
    agree(&mut world, below);
    let block = paying(&mut world);
    let tip = world.tip();
    poll_naming(&mut world, Some(below), Some(tip));
    assert_eq!(world.status_of("a"), Status::Confirming);
    assert_eq!(world.watcher.chain(0).view.safe, Some(below.id.height));
    agree(&mut world, block);
    assert_eq!(world.status_of("a"), Status::Confirming, "named before");
    poll_naming(&mut world, Some(below), Some(tip));
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn open_payments_keep_what_they_wait_for() {
    let mut world = waiting_for_final();
    let block = paying(&mut world);
    let mut new = settings(DepthRule::Finalized);
    new.chains[0].assets[0].depth = Depth::of(1);
    world.watcher.handle(&Input::Reload(Box::new(new))).unwrap();
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Confirming);
    assert_eq!(world.payment("a").terms.depth.rule, DepthRule::Finalized);
    poll_naming(&mut world, Some(block), None);
    assert_eq!(world.status_of("a"), Status::Paid);
}

/// Nobody is looked at again whose block the tag has not reached.
#[test]
fn a_tag_that_moves_on_touches_those_whom_it_reaches() {
    let mut world = waiting_for_safe();
    let first = paying(&mut world);
    world.register("b", 1);
    world.mine(&[Tx::paying(2).to(1)]);
    let due = |world: &World, id: &str| world.payment(id).judged.due.safe_height;
    assert_eq!(due(&world, "a"), Some(first.id.height));
    let second = world.tip().id.height;
    assert_eq!(due(&world, "b"), Some(second));
    let before = world.payment("b");
    poll_naming(&mut world, None, Some(first));
    assert_eq!(due(&world, "a"), None);
    assert_eq!(world.payment("b"), before);
}

/// Nothing else shows that the network, or who tells of it, calls nothing final any more.
#[test]
fn that_nothing_new_is_called_final_for_long_is_told_where_payments_wait_for_it() {
    let minutes = |minutes: i64| SpanMs::from_secs(60 * minutes);
    let worlds = [
        (waiting_for_final(), true),
        (waiting_for_safe(), true),
        (World::of(ChainKind::Ethereum), false),
    ];
    for (mut world, waits) in worlds {
        world.watcher.chains[0].spec.is_local = false;
        let remark = |world: &World| {
            let watcher = &world.watcher;
            watcher.chain(0).untagged_remark(watcher.clock.now())
        };
        let tip = world.mine(&[]);
        poll_naming(&mut world, Some(tip), None);
        world.wait(minutes(29));
        world.poll();
        assert_eq!(remark(&world), None);
        world.wait(minutes(2));
        world.poll();
        let said = remark(&world).unwrap_or_default();
        assert_eq!(said.contains("for 31 minutes"), waits, "{said}");
        let tip = world.mine(&[]);
        poll_naming(&mut world, Some(tip), None);
        assert_eq!(remark(&world), None);
    }
}
