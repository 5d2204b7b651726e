//! What gateways and operators ask for about a payment: cancel, accept, reject, extend, refund.

use std::time::Duration;

use serde_json::json;

use super::{AMOUNT, register, world};
use crate::confirmd::wait::assert_row;
use crate::confirmd::{Confirmd, now_ms};
use crate::nodes::bitcoind::Bitcoind;

/// A3.
// shows: A3
#[test]
fn money_after_a_cancel_is_kept_apart_and_reviewed() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    confirmd.await_bitcoin(&node);
    confirmd.await_applied(&confirmd.gateway().request("cancel", "order-1", &json!({})));
    confirmd.await_payment(
        "order-1",
        &json!({"status": "canceled", "reason": "gateway"}),
    );
    let again = confirmd.gateway().request("cancel", "order-1", &json!({}));
    assert_eq!(confirmd.await_outcome(&again)["outcome"], "duplicate");

    node.send(&address, "0.015");
    let seen = json!({"status": "canceled", "needs_review": 1, "amount_received": AMOUNT});
    confirmd.await_payment("order-1", &seen);
    node.mine(2);
    let end = json!({
        "status": "invalid", "reason": "after_cancel", "amount_counted": "0.00000000",
        "shortfall": AMOUNT, "surplus": "0.00000000", "needs_review": 1,
    });
    confirmd.await_payment("order-1", &end);
    assert_eq!(
        confirmd.ledger().transfers("order-1")[0]["disposition"],
        "after_cancel"
    );
}

/// A4: either the cancel was first or the money was; the payment and the outcome agree.
// shows: A4
#[test]
fn a_cancel_that_races_with_the_money_has_one_winner() {
    let (node, confirmd) = world();
    confirmd.await_bitcoin(&node);
    let ids: Vec<String> = (0..5).map(|n| format!("order-{n}")).collect();
    let cancels: Vec<String> = ids
        .iter()
        .map(|id| {
            let address = register(&confirmd, &node, id);
            node.send(&address, "0.015");
            confirmd.gateway().request("cancel", id, &json!({}))
        })
        .collect();
    node.mine(2);
    for (id, cancel) in ids.iter().zip(&cancels) {
        let outcome = confirmd.await_outcome(cancel);
        if outcome["outcome"] == "applied" {
            confirmd.await_payment(id, &json!({"status": "invalid", "reason": "after_cancel"}));
        } else {
            assert_row(&outcome, &json!({"outcome": "refused"}));
            confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
        }
    }
}

/// An underpaid payment, at depth.
fn underpaid(confirmd: &Confirmd, node: &Bitcoind, id: &str) {
    let address = register(confirmd, node, id);
    node.send(&address, "0.01");
    node.mine(2);
    confirmd.await_payment(id, &json!({"status": "invalid", "reason": "underpaid"}));
}

/// A8.
// shows: A8
#[test]
fn an_operator_accepts_an_appeal() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    let body = json!({"note": "the customer is known", "amount": "0.01"});
    let accept = confirmd.gateway().request("accept", "order-1", &body);
    confirmd.await_applied(&accept);
    let paid = json!({
        "status": "paid", "reason": "operator", "flags": "manual,underpaid", "needs_review": 0,
    });
    confirmd.await_payment("order-1", &paid);
    let event = confirmd.await_event("order-1", &json!({"kind": "command"}));
    let told = json!({"kind": "accept", "actor": "test", "note": "the customer is known", "amount": "0.01"});
    let command = &event["data"]["command"];
    for (field, value) in told.as_object().expect("fields") {
        assert!(
            command[field]
                .as_str()
                .unwrap_or_default()
                .starts_with(value.as_str().expect("text")),
            "{event:#}"
        );
    }
    let outcome = confirmd.await_outcome(&accept);
    assert_row(
        &outcome,
        &json!({"event_seq": event["seq"], "note": "the customer is known"}),
    );
}

/// A8: the acceptance rests on money in the best chain.
#[test]
fn an_acceptance_is_void_when_its_money_leaves_the_chain() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    confirmd.await_applied(&confirmd.gateway().request("accept", "order-1", &json!({})));
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "operator"}));
    node.reorg(2, 3);
    confirmd.await_event(
        "order-1",
        &json!({"kind": "reversed", "from_status": "paid"}),
    );
    let row = confirmd.await_payment("order-1", &json!({"needs_review": 1}));
    assert_ne!(row["status"], "paid");
}

/// A8.
#[test]
fn an_accept_without_money_at_depth_is_refused() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let accept = || confirmd.gateway().request("accept", "order-1", &json!({}));
    confirmd.await_refused(&accept(), "nothing_at_depth");
    node.send(&address, "0.01");
    node.mine(1);
    confirmd.await_status("order-1", "confirming");
    confirmd.await_refused(&accept(), "nothing_at_depth");
}

/// A8.
// shows: A8
#[test]
fn a_rejected_appeal_stays_invalid_and_new_money_raises_review_again() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    let address = confirmd.ledger().payment("order-1").expect("a payment")["address"].clone();
    confirmd.await_applied(&confirmd.gateway().request(
        "reject",
        "order-1",
        &json!({"note": "no"}),
    ));
    confirmd.await_payment("order-1", &json!({"status": "invalid", "needs_review": 0}));
    node.send(address.as_str().expect("an address"), "0.015");
    node.mine(2);
    let row = confirmd.await_payment("order-1", &json!({"amount_received": "0.02500000"}));
    assert_row(&row, &json!({"status": "invalid", "needs_review": 1}));
}

/// A8: an expired payment is open again.
// shows: A8
#[test]
fn an_extended_payment_can_be_paid() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).set("payments.grace", "0s").start();
    let address = node.new_address("bech32");
    let payment = confirmd
        .register("order-1")
        .address(&address)
        .expires_in_ms(-1000);
    payment.written_ago(Duration::from_mins(10)).submit();
    confirmd.await_status("order-1", "expired");
    let later = now_ms() + 600_000;
    let extend = confirmd
        .gateway()
        .request("extend", "order-1", &json!({"expires_at": later}));
    confirmd.await_applied(&extend);
    confirmd.await_payment("order-1", &json!({"status": "new", "expires_at": later}));
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_payment("order-1", &json!({"status": "paid", "flags": ""}));
    let too_late =
        confirmd
            .gateway()
            .request("extend", "order-1", &json!({"expires_at": later + 1}));
    confirmd.await_refused(&too_late, "not_extendable");
}

/// The gateway says that it paid back; money after that is somebody's.
#[test]
fn a_refund_is_stated_and_later_money_raises_review() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let refund = || {
        let body = json!({"note": "sold out", "txid": "aa".repeat(32)});
        confirmd.gateway().request("refunded", "order-1", &body)
    };
    confirmd.await_refused(&refund(), "not_refundable");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    confirmd.await_applied(&refund());
    confirmd.await_payment("order-1", &json!({"status": "refunded", "needs_review": 0}));
    node.send(&address, "0.015");
    let more = json!({"status": "refunded", "flags": "duplicate", "needs_review": 1});
    confirmd.await_payment("order-1", &more);
    confirmd.await_event("order-1", &json!({"kind": "attention"}));
}

/// Whoever may write the inbox may have goods released, unless the operator forbids it.
#[test]
fn accept_and_reject_can_be_switched_off() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node)
        .set("database.operator_commands", false)
        .start();
    underpaid(&confirmd, &node, "order-1");
    for kind in ["accept", "reject"] {
        let request = confirmd.gateway().request(kind, "order-1", &json!({}));
        confirmd.await_refused(&request, "operator_commands_off");
    }
    confirmd.await_payment(
        "order-1",
        &json!({"status": "invalid", "reason": "underpaid"}),
    );
}
