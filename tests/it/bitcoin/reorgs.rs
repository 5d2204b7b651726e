//! When blocks leave the best chain: nothing is confirmed that is not, nothing is reversed in silence.

use serde_json::{Value, json};

use super::{register, world};
use crate::confirmd::Confirmd;
use crate::confirmd::wait::assert_row;
use crate::nodes::bitcoind::Bitcoind;

/// F1, F16.
// shows: F1 F16
#[test]
fn a_burst_of_blocks_is_applied_in_order_and_none_is_skipped() {
    let (node, confirmd) = world();
    let ids = ["a", "b", "c", "d", "e"];
    let addresses = ids.map(|id| register(&confirmd, &node, id));
    let txids = addresses.map(|address| node.send(&address, "0.015"));
    for txid in &txids {
        node.mine_only(&[txid]);
    }
    node.mine_empty(1);
    for (height, id) in (111..).zip(ids) {
        confirmd.await_payment(id, &json!({"status": "paid", "block_height": height}));
    }
    confirmd.await_bitcoin(&node);
}

/// F2.
// shows: F2
#[test]
fn reorganisations_of_growing_depth_are_followed_one_after_another() {
    let (node, confirmd) = world();
    let address = node.new_address("bech32");
    let deep = confirmd.register("order-1").address(&address);
    confirmd.await_applied(&deep.with("confirmations", 50).submit());
    let txid = node.send(&address, "0.015");
    for depth in 1..=10 {
        let block = node.mine_only(&[&txid]);
        node.mine_empty(depth - 1);
        let mined = json!({"status": "confirming", "block_hash": block, "confirmations": depth});
        confirmd.await_payment("order-1", &mined);
        node.reorg(depth, depth + 1);
        confirmd.await_bitcoin(&node);
        confirmd.await_payment("order-1", &json!({"status": "pending", "block_hash": null}));
    }
    let reorgs = confirmd.metric("confirmd_reorgs_total{chain=\"bitcoin\"}");
    assert!((reorgs - 10.0).abs() < 0.5, "{reorgs}");
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// F3: the chain grew, the payment's depth did not.
// shows: F3
#[test]
fn a_payment_whose_block_is_replaced_by_two_empty_ones_is_not_confirmed() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    node.send(&address, "0.015");
    node.mine(1);
    confirmd.await_status("order-1", "confirming");
    node.reorg(1, 2);
    let row = confirmd.await_status("order-1", "pending");
    assert_row(
        &row,
        &json!({"confirmations": 0, "block_height": null, "flags": "reorged"}),
    );
    confirmd.await_bitcoin(&node);
    assert!(
        confirmd
            .path("order-1")
            .ends_with(&path(["confirming", "pending"]))
    );
}

/// F4, F7, F10: there and elsewhere, one transfer.
// shows: F4 F7 F10
#[test]
fn a_payment_mined_again_moves_to_its_new_block() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    let first = node.mine_only(&[&txid]);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "confirming", "block_hash": first}),
    );

    node.invalidate(&first);
    let same_height = node.mine_only(&[&txid]);
    let moved = json!({"status": "confirming", "block_hash": same_height, "block_height": 111});
    confirmd.await_payment("order-1", &moved);

    node.invalidate(&same_height);
    node.mine_empty(1);
    let higher = node.mine_only(&[&txid]);
    let moved = json!({"status": "confirming", "block_hash": higher, "block_height": 112});
    confirmd.await_payment("order-1", &moved);

    node.rollback(2);
    node.reconsider(&first);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "confirming", "block_hash": first}),
    );
    node.mine_empty(1);
    confirmd.await_payment("order-1", &json!({"status": "paid", "block_hash": first}));
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

fn path<const N: usize>(statuses: [&str; N]) -> [String; N] {
    statuses.map(str::to_owned)
}

/// F5.
// shows: F5
#[test]
fn a_rollback_without_a_new_block_takes_the_confirmation_away() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    node.send(&address, "0.015");
    let block = node.mine(1);
    confirmd.await_status("order-1", "confirming");
    node.invalidate(&block[0]);
    confirmd.await_payment("order-1", &json!({"status": "pending", "confirmations": 0}));
    confirmd.await_bitcoin(&node);
}

/// F9.
// shows: F9
#[test]
fn a_reorganisation_while_the_daemon_was_down_is_noticed_at_start() {
    let (node, mut confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    node.send(&address, "0.015");
    node.mine(1);
    confirmd.await_status("order-1", "confirming");
    confirmd.stop();
    node.reorg(1, 3);
    confirmd.start();
    confirmd.await_payment("order-1", &json!({"status": "pending", "flags": "reorged"}));
    assert!(
        confirmd
            .path("order-1")
            .ends_with(&path(["confirming", "pending"]))
    );
}

/// F9: there is no block of ours below to go back to.
// shows: F9
#[test]
fn the_first_block_ever_followed_may_be_replaced() {
    let (node, confirmd) = world();
    confirmd.await_bitcoin(&node);
    node.reorg(3, 4);
    confirmd.await_bitcoin(&node);
    let address = register(&confirmd, &node, "order-1");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
}

/// A payment that is paid, in the topmost two blocks.
fn paid(confirmd: &Confirmd, node: &Bitcoind) -> String {
    let address = register(confirmd, node, "order-1");
    let txid = node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    txid
}

/// F12.
// shows: F12
#[test]
fn a_paid_payment_that_leaves_the_chain_is_reversed_and_paid_again_when_mined_again() {
    let (node, confirmd) = world();
    let txid = paid(&confirmd, &node);
    node.reorg(2, 3);
    let reversed = json!({
        "status": "pending", "txid": txid, "flags": "reorged,reversed", "needs_review": 1,
        "paid_at": null, "confirmed_at": null, "confirmations": 0,
    });
    confirmd.await_payment("order-1", &reversed);
    let event = json!({"kind": "reversed", "from_status": "paid", "to_status": "pending"});
    confirmd.await_event("order-1", &event);

    node.mine(2);
    let again = json!({"status": "paid", "reason": "exact", "needs_review": 1});
    confirmd.await_payment("order-1", &again);
    let ack = confirmd
        .gateway()
        .request("ack", "order-1", &json!({"note": "seen"}));
    confirmd.await_applied(&ack);
    confirmd.await_payment("order-1", &json!({"status": "paid", "needs_review": 0}));
    assert_eq!(confirmd.count_events("order-1", "reversed"), 1);
}

/// F13 after `paid`: the goods may be gone, so this is never silent.
// shows: F13
#[test]
fn a_paid_payment_is_double_spent_when_a_conflict_confirms_instead() {
    let (node, confirmd) = world();
    let txid = paid(&confirmd, &node);
    node.rollback(2);
    let conflict = node.sign_conflict(&txid, &[(&node.new_address("bech32"), "0.015")]);
    node.mine_only(&[&conflict]);
    node.mine_empty(2);
    let spent = json!({"status": "invalid", "reason": "double_spent", "needs_review": 1});
    confirmd.await_payment("order-1", &spent);
    assert_eq!(confirmd.count_events("order-1", "reversed"), 1);
    confirmd.await_transfer("order-1", &txid, &json!({"state": "replaced"}));
}

/// M13.
// shows: M13
#[test]
fn a_payment_that_was_confirmed_and_never_comes_back_is_orphaned() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    node.mine(1);
    confirmd.await_status("order-1", "confirming");
    node.reorg(1, 2);
    confirmd.await_status("order-1", "pending");
    node.expire_mempool();
    let gone = json!({"status": "new", "reason": "reorged", "amount_received": "0.00000000"});
    confirmd.await_payment("order-1", &gone);
    confirmd.await_transfer("order-1", &txid, &json!({"state": "orphaned"}));
}

/// A paid and final payment, buried under more blocks than can change.
fn finalized(confirmd: &Confirmd, node: &Bitcoind) {
    paid(confirmd, node);
    node.mine_empty(3);
    confirmd.await_payment("order-1", &json!({"status": "paid", "final": 1}));
    confirmd.await_event("order-1", &json!({"kind": "finalized"}));
}

fn world_of_final_depth_4() -> (Bitcoind, Confirmd) {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.final_depth", 4)
        .start();
    (node, confirmd)
}

/// F14: nothing is deleted, nothing rises, and the node's return heals it.
// shows: F14
#[test]
fn a_change_below_finality_freezes_the_chain_until_the_node_is_back() {
    let (node, confirmd) = world_of_final_depth_4();
    finalized(&confirmd, &node);
    let kept = confirmd.ledger().chain("bitcoin").expect("a chain");
    let (gone, came) = node.reorg(6, 8);
    let frozen = json!({
        "frozen": "below_finality", "scanned_hash": kept["scanned_hash"],
        "scanned_height": kept["scanned_height"],
    });
    confirmd.await_chain("bitcoin", &frozen);
    assert_row(
        &confirmd.await_status("order-1", "paid"),
        &json!({"final": 1}),
    );
    confirmd.await_true("/readyz to say so", || {
        let (status, page) = confirmd.page("/readyz");
        status == 503 && page.contains("frozen")
    });

    node.invalidate(&came[0]);
    node.reconsider(&gone[0]);
    confirmd.await_chain("bitcoin", &json!({"frozen": null}));
    confirmd.await_bitcoin(&node);
    let address = register(&confirmd, &node, "order-2");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-2", "paid");
    assert_eq!(confirmd.count_events("order-1", "reversed"), 0);
}

/// F14: an operator who has looked lets it go on; what was final stays so, and is followed to its next
/// block.
#[test]
fn a_frozen_chain_is_released_by_the_operator_while_the_daemon_is_stopped() {
    let (node, mut confirmd) = world_of_final_depth_4();
    finalized(&confirmd, &node);
    node.reorg(6, 8);
    confirmd.await_chain("bitcoin", &json!({"frozen": "below_finality"}));

    let release = ["chain", "release", "bitcoin", "--note", "the network split"];
    let refused = confirmd.command(&release);
    assert_ne!(refused.code, 0, "the daemon runs: {refused:?}");
    confirmd.stop();
    confirmd.command(&release).ok();
    confirmd.start();
    confirmd.await_chain("bitcoin", &json!({"frozen": null}));
    confirmd.await_bitcoin(&node);
    let journal = confirmd.ledger().journal();
    let told = journal
        .iter()
        .find(|event| event["data"].to_string().contains("the network split"));
    let told = told.expect("the release is in the journal, with its note");
    assert_eq!(
        (&told["kind"], &told["payment_id"]),
        (&json!("attention"), &Value::Null)
    );
    // Its money is in no block for now; were it lost, that would call for a person.
    let moved = json!({"status": "paid", "final": 1, "flags": "reorged", "confirmations": 0});
    confirmd.await_payment("order-1", &moved);
    node.mine(1);
    let mined = json!({"final": 1, "confirmations": 1, "needs_review": 0});
    confirmd.await_payment("order-1", &mined);
}

/// F19: everything that happened meanwhile is found.
// shows: F19
#[test]
fn a_long_downtime_is_caught_up_block_by_block() {
    let (node, mut confirmd) = world();
    let ids: Vec<String> = (0..10).map(|n| format!("order-{n}")).collect();
    let addresses: Vec<String> = ids
        .iter()
        .map(|id| register(&confirmd, &node, id))
        .collect();
    confirmd.stop();
    for address in &addresses {
        let txid = node.send(address, "0.015");
        node.mine_only(&[&txid]);
        node.mine_empty(4);
    }
    confirmd.start();
    for id in &ids {
        confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
    }
}
