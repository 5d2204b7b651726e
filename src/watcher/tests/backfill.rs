//! Past blocks for late registrations.

use super::world::{Tx, World, register_body};
use crate::{
    chain::{Ask, ChainInput},
    domain::status::Status,
};

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
            Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
        })
        .collect()
    };
    let first = scans(&mut world);
    assert_eq!(first.len(), 1, "one scan at a time");
    let to = world.tip().id.height;
    world.give(ChainInput::Backfill {
        untraced: false,
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
        untraced: false,
        batch: first[0],
        blocks: Vec::new(),
        to,
    });
    assert!(
        !world.payment("b").scan.is_complete(),
        "an answer to an older scan"
    );
    world.give(ChainInput::Backfill {
        untraced: false,
        batch: second[0],
        blocks: Vec::new(),
        to,
    });
    assert!(world.payment("b").scan.is_complete());
}

// shows: A5
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
            Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
        })
        .unwrap();
    world.give(ChainInput::Backfill {
        untraced: false,
        batch,
        blocks: vec![block],
        to,
    });
    assert_eq!(world.status_of("a"), Status::Paid);
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
        untraced: false,
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
        untraced: false,
        batch,
        blocks: Vec::new(),
        to,
    });
    assert!(
        !world.payment("a").scan.is_complete(),
        "only the past from block 50 on ends it"
    );
}
