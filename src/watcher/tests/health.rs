//! Why a chain gives no verdicts, as an operator is told.

use super::{
    MINUTE,
    world::{Tx, World, bitcoin},
};
use crate::{
    chain::{ChainInput, SourceError},
    domain::{status::Status, time::SpanMs},
};

fn error_of(world: &World) -> Option<String> {
    let name = world.watcher.chain(0).spec.name.clone();
    let stored = world.watcher.store.chain(&name).unwrap().unwrap();
    assert_eq!(stored.view.healthy, stored.error.is_none());
    stored.error
}

fn fail(world: &mut World, error: SourceError) {
    world.give(ChainInput::Failed { error });
}

#[test]
fn a_block_that_cannot_be_read_is_named_until_one_gets_through() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    let why = "block 102 (ff00): the merkle root is another";
    fail(&mut world, SourceError::Permanent(why.to_owned()));
    assert_eq!(error_of(&world).as_deref(), Some(why));
    world.wait(MINUTE);
    let status = world.status();
    world.give(ChainInput::Status(status));
    fail(&mut world, SourceError::Transient("timeout".to_owned()));
    assert_eq!(
        error_of(&world).as_deref(),
        Some(why),
        "told tips mend nothing"
    );
    world.mine(&[]);
    assert_eq!(error_of(&world), None);
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_failure_that_passes_by_itself_is_told_once_it_lasts() {
    let mut world = World::new();
    fail(&mut world, SourceError::Transient("refused".to_owned()));
    assert_eq!(error_of(&world), None);
    world.wait(MINUTE);
    world.tick();
    let error = error_of(&world).unwrap();
    assert!(error.contains("no answer for 60 s: refused"), "{error}");
}

/// A node whose tips come and whose blocks do not: what is wrong is said from the first block on, and that it makes
/// the chain stand still once it does.
#[test]
fn why_blocks_do_not_come_is_told_however_few_they_are() {
    let mut world = World::new();
    let fails = |world: &mut World, ahead: u32| {
        let mut status = world.status();
        status.tip.id.height = status.tip.id.height.plus(ahead);
        world.give(ChainInput::Status(status));
        fail(
            world,
            SourceError::Transient("local: no receipts".to_owned()),
        );
        world.tick();
        let health = world.watcher.health.read();
        let remark = health.remarks.first().map(|(_, words)| words.clone());
        (remark.unwrap_or_default(), health.chains[0].1.clone())
    };
    for ahead in [0, 1, 2] {
        let (remark, reason) = fails(&mut world, ahead);
        assert_eq!(
            remark, "the last poll failed: local: no receipts",
            "{ahead}"
        );
        assert_eq!(reason, None, "{ahead}");
    }
    let words = "scanned to 100, 3 blocks behind the node: local: no receipts";
    let (_, reason) = fails(&mut world, 3);
    assert_eq!(reason.as_deref(), Some(words));
    assert_eq!(error_of(&world).as_deref(), Some(words));
    // Between two attempts it stands there as well.
    let mut status = world.status();
    status.tip.id.height = status.tip.id.height.plus(3);
    world.give(ChainInput::Status(status));
    assert_eq!(error_of(&world).as_deref(), Some(words));
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(error_of(&world), None);
    assert!(world.watcher.health.read().remarks.is_empty());
}

#[test]
fn a_chain_that_becomes_healthy_is_recorded_with_the_tip_that_it_is_behind() {
    let mut world = World::new();
    fail(&mut world, SourceError::Transient("refused".to_owned()));
    world.wait(MINUTE);
    world.tick();
    assert_ne!(error_of(&world), None);
    let mut status = world.status();
    status.tip.id.height = status.tip.id.height.plus(1);
    world.give(ChainInput::Status(status));
    assert_eq!(error_of(&world), None);
    let stored = world.watcher.store.chain(&bitcoin()).unwrap().unwrap();
    let heights = [stored.view.tip, stored.view.scanned];
    let heights = heights.map(|block| block.unwrap().id.height.0);
    assert_eq!(heights, [101, 100]);
}

/// Where blocks come faster than polls, those that came since the last one are no backlog.
#[test]
fn blocks_between_two_polls_are_no_backlog() {
    for (block_time_ms, ahead, is_healthy) in [
        (None, 2, true),
        (None, 3, false),
        (Some(12_000), 3, false),
        (Some(250), 16, true),
        (Some(250), 17, false),
    ] {
        let mut world = World::new();
        world.watcher.chains[0].spec.block_time = block_time_ms.map(SpanMs);
        world.poll();
        let mut status = world.status();
        status.tip.id.height = status.tip.id.height.plus(ahead);
        world.give(ChainInput::Status(status));
        world.tick();
        let error = error_of(&world);
        assert_eq!(
            error.is_none(),
            is_healthy,
            "{block_time_ms:?} {ahead}: {error:?}"
        );
    }
}

#[test]
fn an_old_block_is_told_and_makes_nobody_unready_or_judged() {
    let mut world = World::new();
    world.watcher.chains[0].spec.block_time = Some(SpanMs::from_secs(600));
    world.register("a", 0);
    let remark = |world: &World| {
        let health = world.watcher.health.read();
        assert!(health.chains.iter().all(|(_, reason)| reason.is_none()));
        health.remarks.first().map(|(_, words)| words.clone())
    };
    for (minutes, words) in [
        (90, None),
        (
            1,
            Some("no block for 91 minutes: is the node cut off from its network?"),
        ),
    ] {
        world.wait(SpanMs(MINUTE.0 * minutes));
        world.poll();
        world.tick();
        assert_eq!(remark(&world).as_deref(), words, "{minutes}");
    }
    assert!(world.watcher.chain(0).has_old_head);
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(remark(&world), None);
    assert!(!world.watcher.chain(0).has_old_head);
}
