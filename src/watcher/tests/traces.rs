//! What contracts moved, as a follower tells it behind the blocks.

use super::{
    claims::grown,
    world::{Tx, World, tx},
};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        asset::ChainKind,
        block::{BlockRef, Height},
        evidence::Evidence,
        facts::{BlockFacts, Candidate, CreditAsset},
        flags::Flag,
        status::Status,
        time::SpanMs,
        transfer::Position,
    },
};
use rusqlite::Connection;

pub(super) const KIND: ChainKind = ChainKind::Ethereum;
pub(super) const PRICE: u64 = 1_500_000;

/// An Ethereum chain where ether is paid with.
pub(super) fn world() -> World {
    World::with_ether()
}

/// A block that awaits its traces joins the chain.
pub(super) fn mine(world: &mut World) -> BlockRef {
    let mut facts = world.next_block(&[Tx::paying(9).to(1)]);
    facts.awaits_trace = true;
    world.join(facts)
}

/// What contracts moved in a block: the first address got so much.
pub(super) fn inner(block: BlockRef, evidence: Evidence) -> BlockFacts {
    inner_of(block, PRICE, evidence)
}

/// The same of another amount.
pub(super) fn inner_of(block: BlockRef, sats: u64, evidence: Evidence) -> BlockFacts {
    let paying = Tx::paying(9).of(sats);
    let facts = tx::facts(KIND, block, &[paying]);
    in_ether(facts, &Position::Trace(vec![0, 2]), evidence)
}

/// The same credits in ether.
pub(super) fn in_ether(facts: BlockFacts, position: &Position, evidence: Evidence) -> BlockFacts {
    let credit = |credit: Candidate| Candidate {
        asset: CreditAsset::Native,
        position: position.clone(),
        evidence,
        ..credit
    };
    BlockFacts {
        credits: facts.credits.iter().map(credit).collect(),
        ..facts
    }
}

pub(super) fn trace(world: &mut World, blocks: Vec<BlockFacts>, to: BlockRef) {
    world.give(ChainInput::Traced {
        blocks,
        to: to.id.height,
        given_up: Vec::new(),
        problem: None,
    });
}

fn traced(world: &World) -> Option<Height> {
    world.watcher.chain(0).view.traced
}

// shows: T10
#[test]
fn what_two_operators_tell_alike_pays_and_survives_a_restart() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    assert_eq!(world.status_of("a"), Status::New);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.mine(&[]);
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    assert!(!payment.judged.flags.has(Flag::Degraded));
    assert_eq!(payment.transfers[0].position.to_string(), "trace:0.2");
    let world = world.restart();
    assert_eq!(world.payment("a"), payment);
}

#[test]
fn the_second_cursor_follows_the_first_and_never_runs_ahead() {
    let mut world = world();
    assert_eq!(traced(&world), None, "nothing awaited a trace yet");
    world.mine(&[]);
    assert_eq!(traced(&world), None);
    let first = mine(&mut world);
    assert_eq!(traced(&world), Some(first.id.height.minus(1)));
    world.mine(&[]);
    let second = mine(&mut world);
    let below = world.blocks[3];
    assert_eq!(traced(&world), Some(first.id.height.minus(1)));
    trace(&mut world, vec![inner(second, Evidence::Witnessed)], below);
    assert_eq!(
        traced(&world),
        Some(first.id.height.minus(1)),
        "one below is missing"
    );
    trace(&mut world, vec![inner(first, Evidence::Witnessed)], second);
    assert_eq!(traced(&world), Some(second.id.height));
    let plain = world.mine(&[]);
    assert_eq!(traced(&world), Some(plain.id.height));
    world.roll_back(2);
    assert_eq!(traced(&world), Some(second.id.height.minus(1)));
    let world = world.restart();
    assert_eq!(traced(&world), Some(second.id.height.minus(1)));
}

#[test]
fn nobody_expires_before_the_blocks_are_traced_and_then_at_once() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(23 * 60));
    let block = mine(&mut world);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    trace(&mut world, Vec::new(), block);
    assert_eq!(world.status_of("a"), Status::Expired);
}

// shows: T12
#[test]
fn blocks_that_are_given_up_are_told_and_flag_who_expires_after_them() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.give(ChainInput::Traced {
        blocks: Vec::new(),
        to: block.id.height,
        given_up: vec![block],
        problem: Some("state is gone".to_owned()),
    });
    let reader = Connection::open(world.path()).unwrap();
    let sql = "SELECT data FROM v1_event WHERE kind = 'attention'";
    let told: String = reader.query_row(sql, [], |row| row.get(0)).unwrap();
    let height = block.id.height;
    assert!(
        told.contains(&format!("\"from_height\":{height}")),
        "{told}"
    );
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    let judged = world.payment("a").judged;
    assert_eq!(judged.status, Status::Expired);
    assert!(judged.flags.has(Flag::Degraded) && judged.needs_review);
    // Who is registered later is not concerned.
    let mut world = world.restart();
    world.wait(SpanMs::from_secs(60));
    world.poll();
    world.register("b", 1);
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    let judged = world.payment("b").judged;
    assert_eq!(judged.status, Status::Expired);
    assert!(!judged.flags.has(Flag::Degraded) && !judged.needs_review);
}

/// A block's time is not the moment of the registration: what is the payment's own is what its past begins before.
#[test]
fn a_block_that_is_given_up_concerns_whoever_had_begun_whenever_they_were_registered() {
    for by_height in [false, true] {
        let mut world = world();
        // The daemon was away, and what was asked for meanwhile comes before the blocks.
        let mut body = world.body(0);
        if by_height {
            body = body.replacen('{', r#"{"scan_from":101,"#, 1);
        }
        let row = world.row("register", "a", &body);
        let mut lost = world.next_block(&[]);
        lost.awaits_trace = true;
        world.wait(SpanMs::from_secs(10 * 60));
        world.give_rows(vec![row]);
        world.scan_past();
        let block = world.join(lost);
        world.give(ChainInput::Traced {
            blocks: Vec::new(),
            to: block.id.height,
            given_up: vec![block],
            problem: None,
        });
        world.wait(SpanMs::from_secs(13 * 60));
        world.mine(&[]);
        world.poll();
        let judged = world.payment("a").judged;
        assert_eq!(judged.status, Status::Expired);
        assert!(judged.flags.has(Flag::Degraded) && judged.needs_review);
    }
}

#[test]
fn traces_of_a_block_that_left_credit_nobody() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.reorg(1, &[]);
    let tip = world.tip();
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], tip);
    assert!(world.payment("a").transfers.is_empty());
}

#[test]
fn a_registration_whose_past_is_not_traced_yet_is_scanned_for() {
    let mut world = world();
    let block = mine(&mut world);
    world.ask("register", "a", &world.body(0));
    let asks = |world: &mut World| {
        let asks = world.asks().into_iter();
        asks.filter(|(_, ask)| matches!(ask, Ask::Backfill { .. }))
            .count()
    };
    assert_eq!(asks(&mut world), 1);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    // Now it is known whom contracts paid in it: not the second address, but the first.
    let mut world = world.restart();
    world.poll();
    let block = mine(&mut world);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    let from = block.id.height.0;
    let body = |world: &World, n| {
        let scan_from = format!("{{\"scan_from\":{from},");
        world.body(n).replacen('{', &scan_from, 1)
    };
    drop(world.asks());
    world.ask("register", "b", &body(&world, 1));
    assert_eq!(asks(&mut world), 0, "nothing came to it");
}

// shows: A4
#[test]
fn a_cancel_waits_until_it_is_known_what_contracts_paid() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.ask("cancel", "a", "{}");
    world.poll();
    assert!(!world.has_outcome("r2"), "one block is not traced");
    trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
    world.poll();
    assert!(!world.has_outcome("r2"), "it may have been paid");
    grown(&mut world, block, &[PRICE]);
    world.poll();
    assert_eq!(world.code_of("r2"), "not_new");
}

#[test]
fn the_owner_of_an_address_is_its_owner_until_what_came_is_traced() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
    let block = mine(&mut world);
    world.end_watch();
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(
        world.payment("a").transfers.len(),
        1,
        "late money, and recorded"
    );
}

/// A block below where it was registered leaves, and what takes its place pays.
#[test]
fn a_branch_below_the_registration_is_traced_for_it_too() {
    let mut world = world();
    mine(&mut world);
    let replaced = mine(&mut world);
    trace(&mut world, Vec::new(), replaced);
    world.poll();
    world.register("a", 0);
    world.roll_back(1);
    let block = mine(&mut world);
    assert_eq!(block.id.height, replaced.id.height);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(world.payment("a").transfers.len(), 1);
}
