//! A node that cannot be reached, or that is not the right one: nobody who paid is expired, nobody who did
//! not pay is paid.

use std::time::Duration;

use serde_json::json;

use super::{register, world};
use crate::confirmd::relay::Relay;
use crate::confirmd::{Confirmd, now_ms};
use crate::nodes::bitcoind::Bitcoind;

/// A funded node whose blocks are from an hour ago, so that the next block has the true time.
fn node_on_time() -> Bitcoind {
    let node = Bitcoind::start_with(&[&format!("-mocktime={}", now_ms() / 1000 - 3600)]);
    node.rpc().call("setmocktime", json!([0]));
    node
}

/// A9: the node is away when the deadline comes; the payment was made in time behind the outage.
// shows: A9
#[test]
fn an_outage_across_a_deadline_expires_nobody_who_paid() {
    let node = node_on_time();
    let cable = Relay::to(&node.url());
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.rpc_url", cable.url())
        .set("payments.grace", "0s")
        .start();
    let [paying, idle] = [0; 2].map(|_| node.new_address("bech32"));
    let deadline = now_ms() + 5000;
    for (id, address) in [("paid", &paying), ("idle", &idle)] {
        let payment = confirmd
            .register(id)
            .address(address)
            .with("expires_at", deadline);
        confirmd.await_applied(&payment.submit());
    }
    confirmd.await_bitcoin(&node);
    cable.cut();
    node.send(&paying, "0.015");
    node.mine(1);
    assert!(now_ms() < deadline, "the payment was made in time");
    confirmd.await_true("the deadline", || now_ms() > deadline + 500);
    confirmd.await_status("paid", "new");
    confirmd.await_status("idle", "new");

    cable.mend();
    confirmd.await_status("paid", "confirming");
    confirmd.await_payment("idle", &json!({"status": "expired", "reason": "deadline"}));
    node.mine(1);
    confirmd.await_payment("paid", &json!({"status": "paid", "flags": ""}));
    assert_eq!(confirmd.path("paid"), ["new", "confirming", "paid"]);
}

/// A node that accepts connections and answers nothing is as good as away, and is found again.
#[test]
fn a_node_that_hangs_is_waited_for() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    node.freeze();
    confirmd.await_true("/readyz to say that the node is silent", || {
        let (alive, page) = confirmd.page("/livez");
        assert_eq!(
            alive, 200,
            "a node that hangs stops no loop of ours: {page}"
        );
        confirmd.page("/readyz").0 == 503
    });
    let chain = confirmd.await_chain("bitcoin", &json!({"healthy": 0}));
    let error = chain["error"].as_str().unwrap_or_default();
    assert!(error.contains("no answer for"), "{chain:#}");
    assert_eq!(confirmd.page("/livez").0, 200);

    node.thaw();
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    confirmd.await_bitcoin(&node);
    confirmd.await_true("/readyz", || confirmd.page("/readyz").0 == 200);
}

/// P6: bitcoind writes another cookie at each start.
// shows: P6
#[test]
fn a_new_cookie_is_read_when_the_old_one_is_refused() {
    let (mut node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let old = std::fs::read(node.cookie_file()).expect("a cookie");
    node.restart();
    assert_ne!(std::fs::read(node.cookie_file()).expect("a cookie"), old);
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
}

/// F18: nothing of another network is recorded, at start or later.
// shows: F18
#[test]
fn a_node_of_another_network_is_refused() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.network", "signet")
        .start();
    confirmd.await_true("the refusal in the view", || {
        let chain = confirmd.ledger().chain("bitcoin").expect("a chain");
        let error = chain["error"].as_str().unwrap_or_default();
        error.contains("regtest") && error.contains("signet")
    });
    let chain = confirmd.await_chain("bitcoin", &json!({"healthy": 0, "scanned_height": null}));
    assert_eq!(chain["network"], "signet");
    let (status, page) = confirmd.page("/readyz");
    assert_eq!(status, 503, "{page}");
}

/// The daemon starts, serves and takes registrations though no node answers; it catches up later.
#[test]
fn a_start_without_a_node_takes_registrations_and_catches_up_later() {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    cable.cut();
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.rpc_url", cable.url())
        .start();
    let address = node.new_address("bech32");
    confirmd.await_applied(&confirmd.register("order-1").address(&address).submit());
    let idle = confirmd
        .register("order-2")
        .address(node.new_address("bech32"));
    let idle = idle
        .expires_in_ms(-1000)
        .written_ago(Duration::from_mins(10));
    confirmd.await_applied(&idle.submit());
    let (status, page) = confirmd.page("/readyz");
    assert_eq!(status, 503, "{page}");
    node.send(&address, "0.015");
    node.mine(2);
    assert_eq!(
        confirmd.path("order-2"),
        ["new"],
        "no verdict without a node"
    );

    cable.mend();
    confirmd.await_status("order-1", "paid");
    confirmd.await_true("/readyz", || confirmd.page("/readyz").0 == 200);
}
