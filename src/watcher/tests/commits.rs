//! What a commit costs, what its failure leaves, and what a restart knows.

use super::world::{Tx, World, register_body};
use crate::{
    chain::{Ask, ChainInput},
    crash,
    domain::status::Status,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn a_failed_commit_changes_nothing_and_the_same_input_succeeds_later() {
    let mut world = World::new();
    world.register("a", 0);
    let facts = world.next_block(&[Tx::paying(1)]);
    let input = || ChainInput::Advance {
        disconnect_to: None,
        connected: vec![facts.clone()],
    };
    let other = rusqlite::Connection::open(world.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = world.try_give(input());
    assert!(
        failed
            .as_ref()
            .is_err_and(crate::store::StoreError::is_transient),
        "{failed:?}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.status_of("a"), Status::New);
    world.give(input());
    world.blocks.push(facts.block);
    assert_eq!(world.status_of("a"), Status::Confirming);
}

#[test]
fn blocks_that_do_not_follow_the_cursor_end_the_process() {
    let mut world = World::new();
    world.register("a", 0);
    let mut stray = world.next_block(&[Tx::paying(1)]);
    stray.block.parent = crate::domain::block::BlockHash([0xee; 32]);
    let refused = world.try_give(ChainInput::Advance {
        disconnect_to: None,
        connected: vec![stray],
    });
    assert!(refused.is_err_and(|error| !error.is_transient()));
    assert_eq!(world.status_of("a"), Status::New);
    assert_eq!(world.watcher.chain(0).view.scanned, Some(world.tip()));
}

#[test]
fn a_request_that_was_read_before_a_crash_has_its_outcome_or_is_read_again() {
    for point in ["after_begin", "after_commit"] {
        let mut world = World::new();
        let row = world.row("register", "a", &register_body(0));
        crash::unwind_at(point);
        let died = catch_unwind(AssertUnwindSafe(|| world.give_rows(vec![row])));
        assert!(
            died.is_err_and(|cause| cause.is::<crash::Unwound>()),
            "{point}"
        );
        let mut world = world.restart();
        let position = world.watcher.store.inbox_position().unwrap();
        let unread = world.rows_after(position.map_or(0, |position| position.seq));
        world.give_rows(unread);
        assert!(world.has_outcome("r1"), "{point}");
    }
}

#[test]
fn a_restart_knows_what_was_known() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    let mut world = world.restart();
    world.poll();
    world.snapshot(world.tip().id.hash, &[]);
    assert!(
        matches!(&world.asks()[..], [(_, Ask::Spenders(_))]),
        "the transaction is remembered"
    );
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_block_costs_one_commit() {
    let mut world = World::new();
    let before = world.watcher.metrics.render().unwrap();
    world.mine(&[]);
    let after = world.watcher.metrics.render().unwrap();
    let commits = |text: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with("confirmd_commit_seconds_count"));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(commits(&after) - commits(&before), 1);
}
