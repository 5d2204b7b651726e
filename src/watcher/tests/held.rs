//! A payment whose change the database refuses, in the midst of a block.

use super::world::{Tx, World, bitcoin};
use crate::{
    chain::Ask,
    domain::status::{Reason, Status},
};

/// What the base table refuses from now on, as a defect of ours would make it.
fn refuse(world: &World, id: &str, status: &str) {
    run(
        world,
        &format!(
            "CREATE TRIGGER refuse BEFORE UPDATE OF status ON payment
             WHEN NEW.payment_id = '{id}' AND NEW.status = '{status}'
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        ),
    );
}

fn refuse_no_more(world: &World) {
    run(world, "DROP TRIGGER refuse");
}

fn run(world: &World, sql: &str) {
    let database = rusqlite::Connection::open(world.path()).unwrap();
    database.execute_batch(sql).unwrap();
}

/// How many entries of the journal tell of a refused change of this payment.
fn told(world: &World, id: &str) -> i64 {
    let sql = "SELECT count(*) FROM v1_event WHERE payment_id = ? AND kind = 'attention'
                AND json_extract(data, '$.attention.code') = 'change_refused'";
    let database = rusqlite::Connection::open(world.path()).unwrap();
    database.query_row(sql, [id], |row| row.get(0)).unwrap()
}

fn refusals(world: &World) -> String {
    let text = world.watcher.metrics.render().unwrap();
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with("confirmd_transitions_refused_total"));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_rest_of_a_block_is_committed_and_one_payment_waits_for_a_look() {
    let mut world = World::new();
    world.register("a", 0);
    world.register("b", 1);
    refuse(&world, "a", "confirming");
    let block = world.mine(&[Tx::paying(1), Tx::paying(2).to(1)]);
    assert_eq!(world.status_of("b"), Status::Confirming);
    assert_eq!(
        world
            .watcher
            .store
            .chain(&bitcoin())
            .unwrap()
            .unwrap()
            .view
            .scanned,
        Some(block)
    );
    assert_eq!(world.watcher.chain(0).view.scanned, Some(block));
    let held = world.payment("a");
    assert_eq!(held.judged.status, Status::New);
    assert!(held.judged.needs_review && held.history.held.is_some());
    assert_eq!(held.transfers.len(), 1, "its money is recorded");
    assert_eq!((told(&world, "a"), refusals(&world).as_str()), (1, "1"));

    refuse_no_more(&world);
    world.mine(&[]);
    world.mine(&[]);
    world.tick();
    assert_eq!(world.status_of("b"), Status::Paid);
    assert_eq!(world.status_of("a"), Status::New, "nothing is due for it");
    world.mine(&[Tx::paying(3).of(546)]);
    assert_eq!(world.status_of("a"), Status::Confirming, "no verdict");

    world.ask("ack", "a", "{}");
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    assert_eq!(payment.judged.reason, Some(Reason::Exact));
    assert!(!payment.judged.needs_review && payment.history.held.is_none());
}

#[test]
fn a_look_alone_brings_the_verdict() {
    let mut world = World::new();
    world.register("a", 0);
    refuse(&world, "a", "confirming");
    world.mine(&[Tx::paying(1).of(500_000)]);
    world.mine(&[]);
    refuse_no_more(&world);
    let mut world = world.restart();
    world.poll();
    assert_eq!(world.status_of("a"), Status::New);
    world.ask("ack", "a", "{}");
    assert_eq!(world.payment("a").judged.reason, Some(Reason::Underpaid));
}

#[test]
fn a_look_while_the_change_is_still_refused_is_refused_itself() {
    let mut world = World::new();
    world.register("a", 0);
    refuse(&world, "a", "confirming");
    world.mine(&[Tx::paying(1)]);
    world.ask("ack", "a", "{}");
    assert_eq!(world.code_of("r2"), "change_refused");
    assert!(world.payment("a").history.held.is_some());
    let text = world.watcher.metrics.render().unwrap();
    assert!(
        text.contains(r#"confirmd_requests_total{kind="ack",outcome="refused"} 1"#),
        "{text}"
    );
}

#[test]
fn unconfirmed_money_of_a_held_payment_is_still_looked_after() {
    let mut world = World::new();
    world.register("a", 0);
    refuse(&world, "a", "pending");
    world.arrive(&Tx::paying(1));
    assert_eq!(world.status_of("a"), Status::New);
    world.asks();
    world.snapshot(world.tip().id.hash, &[]);
    let asks = world.asks();
    assert!(
        matches!(&asks[..], [(_, Ask::Spenders(gone))] if gone[0].0 == Tx::paying(1).txid),
        "{asks:?}"
    );
    refuse_no_more(&world);
    world.mine(&[Tx::paying(2).to(1).spending(1)]);
    world.ask("ack", "a", "{}");
    let payment = world.payment("a");
    assert_eq!(payment.judged.reason, Some(Reason::DoubleSpent));
}

#[test]
fn money_that_leaves_a_block_is_looked_after_though_the_change_is_refused() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid);
    refuse(&world, "a", "pending");
    world.roll_back(2);
    assert_eq!(world.status_of("a"), Status::Paid, "as it was");
    world.asks();
    world.snapshot(world.tip().id.hash, &[]);
    assert!(matches!(&world.asks()[..], [(_, Ask::Spenders(_))]));
}
