//! What is seen before it is mined: first sight, replacement, eviction, return.

use serde_json::json;

use super::{AMOUNT, register, world};
use crate::confirmd::wait::assert_row;

/// M1, and the whole way of an ordinary payment.
// shows: M1
#[test]
fn an_exact_payment_goes_from_new_to_paid() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let new = confirmd.await_status("order-1", "new");
    let untouched = json!({
        "chain": "bitcoin", "asset": "BTC", "address": address, "amount_expected": AMOUNT,
        "amount_received": "0.00000000", "amount_counted": "0.00000000", "shortfall": AMOUNT,
        "surplus": "0.00000000", "reason": null, "flags": "", "needs_review": 0, "final": 0,
        "confirmations": 0, "confirmations_required": 2, "policy": "single", "txid": null,
        "first_seen_at": null, "paid_at": null, "version": 1,
    });
    assert_row(&new, &untouched);

    let txid = node.send(&address, "0.015");
    let pending = confirmd.await_status("order-1", "pending");
    let seen = json!({
        "txid": txid, "amount_received": AMOUNT, "amount_counted": AMOUNT,
        "shortfall": "0.00000000", "block_height": null, "confirmed_at": null, "confirmations": 0,
    });
    assert_row(&pending, &seen);
    assert!(pending["first_seen_at"].is_i64());

    let first = node.mine(1);
    let confirming = confirmd.await_status("order-1", "confirming");
    let mined = json!({
        "block_height": 111, "block_hash": first[0], "confirmations": 1, "paid_at": null,
        "first_seen_at": pending["first_seen_at"],
    });
    assert_row(&confirming, &mined);

    node.mine(1);
    let paid = confirmd.await_status("order-1", "paid");
    let decided = json!({
        "reason": "exact", "txid": txid, "confirmations": 2, "block_hash": first[0], "flags": "",
        "needs_review": 0, "final": 0, "first_seen_at": pending["first_seen_at"],
        "confirmed_at": confirming["confirmed_at"],
    });
    assert_row(&paid, &decided);
    assert!(paid["paid_at"].as_i64() >= paid["confirmed_at"].as_i64());
    assert_eq!(
        confirmd.path("order-1"),
        ["new", "pending", "confirming", "paid"]
    );
    let credit = json!({
        "txid": txid, "position": "vout:0", "amount": AMOUNT, "asset": "BTC", "state": "confirmed",
        "disposition": "counted", "replaced_by": null, "confirmations": 2, "block_height": 111,
    });
    let transfers = confirmd.ledger().transfers("order-1");
    assert_eq!(transfers.len(), 1);
    assert_row(&transfers[0], &credit);
}

/// M2, F13: the payer takes the money back before it is mined.
// shows: M2
#[test]
fn a_payment_replaced_by_one_to_somebody_else_is_dropped_and_then_double_spent() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    confirmd.await_status("order-1", "pending");

    let thief = node.replace(&txid, &[(&node.new_address("bech32"), "0.015")]);
    let dropped = json!({"status": "new", "reason": "dropped", "amount_received": "0.00000000"});
    let row = confirmd.await_payment("order-1", &dropped);
    assert_row(&row, &json!({"flags": "replaced", "txid": null}));
    let gone = json!({"state": "replaced", "replaced_by": thief});
    confirmd.await_transfer("order-1", &txid, &gone);

    node.mine(1);
    let spent = json!({"status": "invalid", "reason": "double_spent", "needs_review": 1});
    confirmd.await_payment("order-1", &spent);
    assert_eq!(
        confirmd.path("order-1"),
        ["new", "pending", "new", "invalid"]
    );
}

/// M3.
// shows: M3
#[test]
fn a_replacement_that_pays_us_too_takes_the_place_of_the_first() {
    let (node, confirmd) = world();
    let cases = [
        ("same", "0.015", "paid", "exact"),
        ("more", "0.02", "paid", "overpaid"),
        ("less", "0.01", "invalid", "underpaid"),
    ];
    let sent = cases.map(|(id, amount, ..)| {
        let address = register(&confirmd, &node, id);
        (address.clone(), node.send(&address, "0.015"), amount)
    });
    let seen = cases.map(|(id, ..)| confirmd.await_status(id, "pending"));
    let replacements = sent.map(|(address, txid, amount)| {
        let replacement = node.replace(&txid, &[(&address, amount)]);
        (txid, replacement)
    });
    for ((id, ..), (txid, replacement)) in cases.iter().zip(&replacements) {
        confirmd.await_payment(id, &json!({"status": "pending", "txid": replacement}));
        let gone = json!({"state": "replaced", "replaced_by": replacement});
        confirmd.await_transfer(id, txid, &gone);
    }
    node.mine(2);
    for (((id, _, status, reason), (_, replacement)), seen) in
        cases.iter().zip(&replacements).zip(&seen)
    {
        let end = json!({
            "status": status, "reason": reason, "txid": replacement,
            "first_seen_at": seen["first_seen_at"],
        });
        confirmd.await_payment(id, &end);
        assert_eq!(confirmd.ledger().transfers(id).len(), 2, "{id}");
    }
}

/// M4.
// shows: M4
#[test]
fn a_child_goes_with_its_replaced_parent() {
    let (node, confirmd) = world();
    let (first, second) = (
        register(&confirmd, &node, "parent"),
        register(&confirmd, &node, "child"),
    );
    let parent = node.send(&first, "0.015");
    let child = node.send_from_change_of(&parent, &[(&second, "0.015")]);
    confirmd.await_status("parent", "pending");
    confirmd.await_status("child", "pending");

    let instead = node.replace(&parent, &[(&node.new_address("bech32"), "0.1")]);
    for id in ["parent", "child"] {
        let dropped = json!({"status": "new", "reason": "dropped"});
        confirmd.await_payment(id, &dropped);
    }
    let gone = json!({"state": "replaced", "replaced_by": instead});
    confirmd.await_transfer("parent", &parent, &gone);
    confirmd.await_transfer("child", &child, &json!({"state": "evicted"}));
}

/// M5: nobody spent it elsewhere; it is the same payment when it is mined after all.
// shows: M5
#[test]
fn an_evicted_payment_that_is_mined_later_is_revived() {
    let (mut node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    let raw = node.raw(&txid);
    let seen = confirmd.await_status("order-1", "pending");

    node.restart_with_empty_mempool();
    let dropped = json!({"status": "new", "reason": "dropped", "txid": null, "flags": ""});
    confirmd.await_payment("order-1", &dropped);
    confirmd.await_transfer("order-1", &txid, &json!({"state": "evicted"}));

    node.mine_only(&[&raw]);
    node.mine_empty(1);
    let paid = confirmd.await_status("order-1", "paid");
    let same = json!({"reason": "exact", "txid": txid, "first_seen_at": seen["first_seen_at"]});
    assert_row(&paid, &same);
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// M5 without a block: it comes back as it went.
#[test]
fn an_evicted_payment_that_is_sent_again_is_pending_again() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    let raw = node.raw(&txid);
    confirmd.await_status("order-1", "pending");
    node.expire_mempool();
    confirmd.await_payment("order-1", &json!({"status": "new", "reason": "dropped"}));
    node.broadcast(&raw);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "pending", "reason": null, "txid": txid}),
    );
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// M6: while the node is away, and when it comes back with what it had, nothing is dropped.
// shows: M6
#[test]
fn a_restart_of_the_node_drops_nothing() {
    let (mut node, confirmd) = world();
    let first = register(&confirmd, &node, "order-1");
    let second = register(&confirmd, &node, "order-2");
    node.send(&first, "0.015");
    confirmd.await_status("order-1", "pending");
    node.stop();
    confirmd.await_log("the source fails");
    node.restart();
    node.send(&second, "0.015");
    confirmd.await_status("order-2", "pending"); // a mempool snapshot after the restart
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    let dropped = confirmd.path("order-1")[1..].contains(&"new".to_owned());
    assert!(!dropped, "it was there all the time");
}

/// M7.
// shows: M7
#[test]
fn a_payment_made_while_the_daemon_was_down_is_seen_before_it_is_mined() {
    let (node, mut confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    confirmd.stop();
    let txid = node.send(&address, "0.015");
    confirmd.start();
    confirmd.await_payment("order-1", &json!({"status": "pending", "txid": txid}));
}

/// M8.
// shows: M8
#[test]
fn five_payments_at_once_are_all_seen() {
    let (node, confirmd) = world();
    let ids = ["a", "b", "c", "d", "e"];
    let addresses = ids.map(|id| register(&confirmd, &node, id));
    let txids = addresses.map(|address| node.send(&address, "0.015"));
    for (id, txid) in ids.iter().zip(&txids) {
        confirmd.await_payment(id, &json!({"status": "pending", "txid": txid}));
    }
    node.mine(2);
    for id in ids {
        confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
    }
}
