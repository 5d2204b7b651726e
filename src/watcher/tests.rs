//! The watcher on a real store, told by hand what followers and gateways would tell it.

mod forged;
mod world;

use crate::{
    chain::{Ask, ChainInput, SourceError},
    domain::{
        status::{Reason, Status},
        time::SpanMs,
        transfer::Place,
    },
};
use world::{Tx, World, register_body};

const MINUTE: SpanMs = SpanMs::from_secs(60);

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
fn nothing_is_paid_before_the_past_is_scanned() {
    let mut world = World::new();
    world.ask("register", "a", &register_body(0));
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.scan_past();
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn late_registrations_share_one_scan_and_later_ones_wait_for_the_next() {
    let mut world = World::new();
    world.ask("register", "a", &register_body(0));
    world.ask("register", "b", &register_body(1));
    let scans = |world: &mut World| -> Vec<u64> {
        let asks = world.asks().into_iter();
        asks.filter_map(|(_, ask)| match ask {
            Ask::Backfill { batch, .. } => Some(batch),
            Ask::Spenders(_) | Ask::Unconfirmed(_) => None,
        })
        .collect()
    };
    let first = scans(&mut world);
    assert_eq!(first.len(), 1, "one scan at a time");
    let to = world.tip().id.height;
    world.give(ChainInput::Backfill {
        batch: first[0],
        blocks: Vec::new(),
        to,
    });
    assert!(world.payment("a").scan.is_complete());
    assert!(
        !world.payment("b").scan.is_complete(),
        "b came after the scan was asked for"
    );
    let second = scans(&mut world);
    world.give(ChainInput::Backfill {
        batch: first[0],
        blocks: Vec::new(),
        to,
    });
    assert!(
        !world.payment("b").scan.is_complete(),
        "an answer to an older scan"
    );
    world.give(ChainInput::Backfill {
        batch: second[0],
        blocks: Vec::new(),
        to,
    });
    assert!(world.payment("b").scan.is_complete());
}

#[test]
fn money_in_the_past_is_found_by_the_scan() {
    let mut world = World::new();
    let block = world.next_block(&[Tx::paying(1)]);
    world.blocks.push(block.block);
    world.give(ChainInput::Advance {
        disconnect_to: None,
        connected: vec![block.clone()],
    });
    world.mine(&[]);
    world.poll();
    world.ask("register", "a", &register_body(0));
    let (batch, to) = world
        .asks()
        .into_iter()
        .find_map(|(_, ask)| match ask {
            Ask::Backfill { batch, to, .. } => Some((batch, to)),
            Ask::Spenders(_) | Ask::Unconfirmed(_) => None,
        })
        .unwrap();
    world.give(ChainInput::Backfill {
        batch,
        blocks: vec![block],
        to,
    });
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

#[test]
fn a_deadline_waits_for_a_full_poll_after_it() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.tick();
    assert_eq!(
        world.status_of("a"),
        Status::New,
        "the node was not heard since"
    );
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Expired);
}

#[test]
fn an_outage_over_the_deadline_expires_nobody_who_paid() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 10));
    let paid = world.next_block(&[Tx::paying(1)]);
    let error = SourceError::Transient("connection refused".to_owned());
    world.give(ChainInput::Failed { error });
    world.wait(SpanMs(MINUTE.0 * 25));
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    world.blocks.push(paid.block);
    world.give(ChainInput::Advance {
        disconnect_to: None,
        connected: vec![paid],
    });
    world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::Paid);
}

#[test]
fn a_clock_that_jumps_a_day_expires_nobody() {
    let mut world = World::new();
    world.register("a", 0);
    world.set_clock_forward(SpanMs::from_secs(86_400));
    world.tick();
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
}

#[test]
fn a_cancellation_waits_until_its_chain_is_in_step() {
    let mut world = World::new();
    world.register("a", 0);
    world.blocks.push(world.next_block(&[]).block);
    world.give(ChainInput::Status(crate::chain::NodeStatus {
        tip: world.tip(),
        finalized: None,
        safe: None,
        syncing: false,
        mempool_loaded: true,
    }));
    world.ask("cancel", "a", "{}");
    world.tick();
    assert!(!world.has_outcome("r2"));
    world.blocks.pop();
    world.mine(&[]);
    world.poll();
    world.tick();
    assert!(world.has_outcome("r2"));
    assert_eq!(world.status_of("a"), Status::Canceled);
}

#[test]
fn a_waiting_request_survives_a_restart_and_is_answered_once() {
    let mut world = World::new();
    world.register("a", 0);
    let error = SourceError::Transient("down".to_owned());
    world.give(ChainInput::Failed { error });
    world.wait(MINUTE);
    world.ask("cancel", "a", "{}");
    world.ask("ack", "a", "{}");
    let position = world.watcher.store.inbox_position().unwrap().unwrap();
    assert_eq!(position.seq, 1, "read no further than before what waits");
    assert!(
        !world.has_outcome("r3"),
        "a later request does not overtake"
    );
    let rows = world.rows_after(position.seq);
    let mut world = world.restart();
    world.give_rows(rows);
    world.poll();
    assert!(world.has_outcome("r2") && world.has_outcome("r3"));
    assert_eq!(world.status_of("a"), Status::Canceled);
}

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
fn an_address_is_forgotten_once_its_watch_window_is_over() {
    let mut world = World::new();
    world.register("a", 0);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 1);
    world.wait(SpanMs(MINUTE.0 * 61));
    world.poll();
    world.tick();
    assert_eq!(world.watcher.index.len(), 0);
    world.mine(&[Tx::paying(1)]);
    assert_eq!(world.payment("a").transfers, []);
    world.register("b", 0);
    assert_eq!(
        world.status_of("b"),
        Status::New,
        "the address may be used again"
    );
}

#[test]
fn one_address_belongs_to_one_payment_even_within_one_portion() {
    let mut world = World::new();
    let row = |seq: i64, id: &str| crate::domain::request::Request {
        seq,
        request_id: format!("r{seq}"),
        kind: "register".to_owned(),
        payment_id: id.to_owned(),
        body: register_body(0),
        actor: None,
        created_at: world.now(),
    };
    let rows = vec![row(1, "a"), row(2, "b"), row(3, "a")];
    world.give_rows(rows);
    assert_eq!(world.status_of("a"), Status::New);
    let id = crate::domain::payment::PaymentId::new("b").unwrap();
    assert_eq!(world.watcher.store.find(&id).unwrap(), None);
    assert!(world.has_outcome("r2") && world.has_outcome("r3"));
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

#[test]
fn a_payment_that_registers_during_a_scan_is_not_taken_for_scanned() {
    let mut world = World::new();
    world.ask("register", "a", &register_body(0));
    let Some((_, Ask::Backfill { batch, to, .. })) = world.asks().pop() else {
        panic!("no scan was asked for")
    };
    world.ask("register", "b", &register_body(1));
    let mut paid = world.next_block(&[Tx::paying(1).to(1)]);
    paid.block = world.tip();
    world.give(ChainInput::Backfill {
        batch,
        blocks: vec![paid],
        to,
    });
    assert_eq!(world.payment("b").transfers.len(), 1);
    assert!(!world.payment("b").scan.is_complete());
}

#[test]
fn a_rescan_during_a_scan_begins_a_new_one() {
    let mut world = World::new();
    world.register("a", 0);
    world.ask("register", "b", &register_body(1));
    let Some((_, Ask::Backfill { batch, to, .. })) = world.asks().pop() else {
        panic!("no scan was asked for")
    };
    world.ask("rescan", "a", r#"{"scan_from": 50}"#);
    world.give(ChainInput::Backfill {
        batch,
        blocks: Vec::new(),
        to,
    });
    assert!(
        !world.payment("a").scan.is_complete(),
        "only the past from block 50 on ends it"
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
fn an_address_that_is_watched_no_more_is_not_extended() {
    let mut world = World::new();
    world.register("a", 0);
    for minutes in [23, 61] {
        world.wait(SpanMs(MINUTE.0 * minutes));
        world.poll();
        world.tick();
    }
    let later = world.now().plus(SpanMs(MINUTE.0 * 30));
    world.ask("extend", "a", &format!(r#"{{"expires_at": {}}}"#, later.0));
    world.poll();
    assert!(world.has_outcome("r2"));
    assert_eq!(world.status_of("a"), Status::Expired);
}
