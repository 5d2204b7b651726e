//! Deadlines and late registrations: when money was there decides, not when we heard of it.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{register, world};
use crate::confirmd::wait::assert_row;
use crate::confirmd::{Confirmd, now_ms};
use crate::nodes::bitcoind::Bitcoind;

/// A registration that lay in the inbox for so long, as after an outage of the daemon.
const WAITED: Duration = Duration::from_mins(10);

const HOUR_S: i64 = 3600;

/// Lets the node believe in a time, in seconds since 1970; zero is the true time.
fn set_clock(node: &Bitcoind, at: i64) {
    node.rpc().call("setmocktime", json!([at]));
}

/// A funded node whose blocks are all from three hours ago, and a daemon without grace.
fn world_with_a_past() -> (Bitcoind, Confirmd) {
    let past = now_ms() / 1000 - 3 * HOUR_S;
    let node = Bitcoind::start_with(&[&format!("-mocktime={past}")]);
    let confirmd = Confirmd::with(&node).set("payments.grace", "0s").start();
    (node, confirmd)
}

/// A2: paid a second before, at, and a second after the deadline, and mined then.
// shows: A2
#[test]
fn money_is_on_time_up_to_the_deadline_and_late_after_it() {
    let (node, confirmd) = world_with_a_past();
    let mined_at = now_ms() / 1000 - HOUR_S;
    let cases = [
        ("before", 1, "paid", "exact"),
        ("at", 0, "paid", "exact"),
        ("after", -1, "invalid", "late"),
    ];
    let addresses = cases.map(|_| node.new_address("bech32"));
    for address in &addresses {
        node.send(address, "0.015");
    }
    set_clock(&node, mined_at);
    node.mine(1);
    set_clock(&node, 0);
    node.mine(1);
    for ((id, left_s, ..), address) in cases.iter().zip(&addresses) {
        let deadline_ms = (mined_at + left_s) * 1000;
        let payment = confirmd
            .register(id)
            .address(address)
            .written_ago(2 * 30 * Duration::from_mins(2));
        confirmd.await_applied(&payment.with("expires_at", deadline_ms).submit());
    }
    for (id, _, status, reason) in cases {
        let row = confirmd.await_payment(id, &json!({"status": status, "reason": reason}));
        assert_row(
            &row,
            &json!({"block_at": mined_at * 1000, "block_height": 111}),
        );
    }
    let late = json!({
        "flags": "late", "needs_review": 1, "amount_counted": "0.00000000",
        "amount_received": "0.01500000", "shortfall": "0.01500000", "surplus": "0.00000000",
    });
    assert_row(&confirmd.await_status("after", "invalid"), &late);
}

/// Money inside `late_accept` counts as on time, with the flag.
#[test]
fn late_money_pays_where_the_merchant_accepts_it() {
    let past = now_ms() / 1000 - 3 * HOUR_S;
    let node = Bitcoind::start_with(&[&format!("-mocktime={past}")]);
    let setup = Confirmd::with(&node).set("payments.grace", "0s");
    let confirmd = setup.set("payments.late_accept", "10s").start();
    let mined_at = now_ms() / 1000 - HOUR_S;
    let addresses = [10, 11].map(|late_s| (late_s, node.new_address("bech32")));
    for (_, address) in &addresses {
        node.send(address, "0.015");
    }
    set_clock(&node, mined_at);
    node.mine(2);
    set_clock(&node, 0);
    for (late_s, address) in &addresses {
        let payment = confirmd
            .register(&format!("late-{late_s}"))
            .address(address);
        let payment = payment.written_ago(Duration::from_hours(2));
        payment
            .with("expires_at", (mined_at - late_s) * 1000)
            .submit();
    }
    let accepted = json!({"status": "paid", "reason": "exact", "flags": "late"});
    confirmd.await_payment("late-10", &accepted);
    confirmd.await_payment("late-11", &json!({"status": "invalid", "reason": "late"}));
}

/// A payment whose deadline has passed with nothing on its address.
fn expired(confirmd: &Confirmd, node: &Bitcoind, id: &str) -> String {
    let address = node.new_address("bech32");
    let payment = confirmd.register(id).address(&address).expires_in_ms(-1000);
    confirmd.await_applied(&payment.written_ago(WAITED).submit());
    let row = confirmd.await_payment(id, &json!({"status": "expired", "reason": "deadline"}));
    assert!(row["closed_at"].is_i64());
    assert_eq!(confirmd.path(id), ["new", "expired"]);
    address
}

/// A3.
// shows: A3
#[test]
fn money_for_an_expired_payment_is_told_at_once_and_decides_at_depth() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).set("payments.grace", "0s").start();
    let cases = [
        ("late", "0.015", "late"),
        ("late-and-over", "0.02", "late,overpaid"),
    ];
    let addresses = cases.map(|(id, ..)| expired(&confirmd, &node, id));
    for ((id, amount, flags), address) in cases.iter().zip(&addresses) {
        node.send(address, amount);
        let told = json!({"status": "expired", "flags": flags, "needs_review": 1});
        confirmd.await_payment(id, &told);
    }
    node.mine(1);
    confirmd.await_bitcoin(&node);
    node.mine(1);
    for (id, _, flags) in cases {
        let end = json!({
            "status": "invalid", "reason": "late", "flags": flags, "amount_counted": "0.00000000",
        });
        confirmd.await_payment(id, &end);
        assert_eq!(confirmd.path(id), ["new", "expired", "invalid"]);
        assert_eq!(confirmd.ledger().transfers(id)[0]["disposition"], "late");
    }
}

/// A5: in the mempool, in the last block, a hundred blocks ago.
// shows: A5
#[test]
fn money_that_came_before_the_registration_is_found() {
    let (node, confirmd) = world();
    let [old, last, unmined] = [0; 3].map(|_| node.new_address("bech32"));
    node.send(&old, "0.015");
    node.mine(100);
    node.send(&last, "0.015");
    node.mine(1);
    node.send(&unmined, "0.015");
    confirmd.await_bitcoin(&node);
    for (id, address) in [("old", &old), ("last", &last), ("unmined", &unmined)] {
        confirmd.register(id).address(address).submit();
    }
    confirmd.await_payment("old", &json!({"status": "paid", "confirmations": 101}));
    confirmd.await_payment("last", &json!({"status": "confirming", "confirmations": 1}));
    confirmd.await_status("unmined", "pending");
    node.mine(2);
    confirmd.await_status("last", "paid");
    confirmd.await_status("unmined", "paid");
}

/// A5: how far back is said by the request; money before that belongs to somebody else.
// shows: A5
#[test]
fn the_past_is_looked_at_from_where_the_request_says() {
    let (node, confirmd) = world();
    let [before, inside] = [0; 2].map(|_| node.new_address("bech32"));
    node.send(&before, "0.015");
    node.mine(1);
    node.send(&inside, "0.015");
    node.mine(2);
    confirmd.await_bitcoin(&node);
    for (id, address) in [("before", &before), ("inside", &inside)] {
        confirmd
            .register(id)
            .address(address)
            .with("scan_from", 112)
            .submit();
    }
    confirmd.await_payment("inside", &json!({"status": "paid", "block_height": 112}));
    confirmd.await_status("before", "new");
    assert!(confirmd.ledger().transfers("before").is_empty());

    let rescan = confirmd
        .gateway()
        .request("rescan", "before", &json!({"scan_from": 111}));
    confirmd.await_applied(&rescan);
    confirmd.await_payment("before", &json!({"status": "paid", "block_height": 111}));
}

/// A6: whichever comes first, the payment ends the same.
// shows: A6
#[test]
fn a_registration_in_the_instant_of_its_block_misses_nothing() {
    let (node, confirmd) = world();
    let ids: Vec<String> = (0..6).map(|n| format!("order-{n}")).collect();
    for id in &ids {
        let address = node.new_address("bech32");
        node.send(&address, "0.015");
        let registration = confirmd.register(id).address(&address);
        thread::scope(|scope| {
            scope.spawn(|| node.mine(1));
            scope.spawn(|| registration.submit());
        });
    }
    node.mine(2);
    for id in &ids {
        confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
        assert_eq!(confirmd.ledger().transfers(id).len(), 1);
    }
}

/// A registration that was written while the daemon was down ends as if it had been up.
#[test]
fn a_payment_registered_and_paid_while_the_daemon_was_down_is_paid() {
    let (node, mut confirmd) = world();
    confirmd.await_bitcoin(&node);
    confirmd.stop();
    let address = node.new_address("bech32");
    confirmd.register("order-1").address(&address).submit();
    node.send(&address, "0.015");
    node.mine(3);
    confirmd.start();
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
}

/// A12.
// shows: A12
#[test]
fn an_address_is_free_again_when_its_watch_window_is_over() {
    let node = Bitcoind::start();
    let setup = Confirmd::with(&node).set("payments.grace", "0s");
    let confirmd = setup.set("payments.watch_after_close", "0s").start();
    let address = expired(&confirmd, &node, "order-1");
    confirmd.await_true("the address to leave memory", || {
        confirmd.metric("confirmd_watched_addresses") < 0.5
    });
    node.send(&address, "0.015");
    node.mine(2);
    let again = confirmd
        .register("order-2")
        .address(&address)
        .amount("0.02")
        .with("scan_from", 112);
    confirmd.await_applied(&again.submit());
    node.send(&address, "0.02");
    node.mine(2);
    confirmd.await_payment("order-2", &json!({"status": "paid", "reason": "exact"}));
    assert!(confirmd.ledger().transfers("order-1").is_empty());
    confirmd.await_status("order-1", "expired");
}

/// An address belongs to its payment as long as it is watched, also after it closed.
#[test]
fn an_address_in_its_watch_window_is_not_given_away() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).set("payments.grace", "0s").start();
    let address = expired(&confirmd, &node, "order-1");
    let second = confirmd.register("order-2").address(&address).submit();
    confirmd.await_refused(&second, "address_in_use");
    let third = register(&confirmd, &node, "order-3");
    assert_ne!(address, third);
}
