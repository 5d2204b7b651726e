//! A node that knows less than the one before it, as behind a balancer: nothing is taken back for that.

use std::path::PathBuf;

use serde_json::json;

use super::register;
use crate::confirmd::Confirmd;
use crate::confirmd::relay::Relay;
use crate::nodes::bitcoind::Bitcoind;

/// Two nodes with the same blocks, and a daemon that is led to one of them.
struct Balanced {
    nodes: [Bitcoind; 2],
    cable: Relay,
    confirmd: Confirmd,
}

impl Balanced {
    /// The daemon follows the first, which has the wallet.
    fn start() -> Self {
        let nodes = [Bitcoind::start(), Bitcoind::start_empty(&[])];
        let [first, second] = &nodes;
        for height in 1..=first.height() {
            second.take_block(&first.raw_block(&first.hash_at(height)));
        }
        let cable = Relay::to(&first.url());
        let setup = Confirmd::with(first).set("chains.bitcoin.rpc_url", cable.url());
        let confirmd = setup.init();
        let mut balanced = Self {
            nodes,
            cable,
            confirmd,
        };
        let cookie = balanced.cookie().display().to_string();
        balanced.confirmd.set("chains.bitcoin.cookie_file", cookie);
        balanced.lead_to(0);
        balanced.confirmd.start();
        balanced
    }

    fn lead_to(&self, node: usize) {
        let node = &self.nodes[node];
        std::fs::copy(node.cookie_file(), self.cookie()).expect("a cookie");
        self.cable.lead_to(&node.url());
    }

    fn cookie(&self) -> PathBuf {
        self.confirmd.folder().join("cookie")
    }
}

/// F6: a tip below ours, on our chain, of a node that does not know our block.
// shows: F6
#[test]
fn a_node_with_a_lower_tip_takes_nothing_away() {
    let balanced = Balanced::start();
    let ([first, second], confirmd) = (&balanced.nodes, &balanced.confirmd);
    let address = register(confirmd, first, "order-1");
    first.send(&address, "0.015");
    confirmd.await_status("order-1", "pending");
    let block = first.mine(1).swap_remove(0);
    confirmd.await_status("order-1", "confirming");

    balanced.lead_to(1);
    let lower = json!({"tip_height": 110, "scanned_height": 111, "scanned_hash": block});
    confirmd.await_chain("bitcoin", &lower);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "confirming", "confirmations": 1}),
    );
    second.take_block(&first.raw_block(&block));
    second.mine(1);
    confirmd.await_payment("order-1", &json!({"status": "paid", "block_hash": block}));
    assert_eq!(
        confirmd.path("order-1"),
        ["new", "pending", "confirming", "paid"]
    );
    assert_eq!(confirmd.count_events("order-1", "status"), 3);
}

/// F11: a longer branch of which the node has the headers alone.
// shows: F11
#[test]
fn a_branch_without_bodies_takes_nothing_away() {
    let balanced = Balanced::start();
    let ([first, second], confirmd) = (&balanced.nodes, &balanced.confirmd);
    let address = register(confirmd, first, "order-1");
    let payment = first.sign_send_many(&[(&address, "0.015")]);
    balanced.lead_to(1);
    let block = second.mine_only(&[&payment]);
    let mined = json!({"status": "confirming", "block_hash": block});
    confirmd.await_payment("order-1", &mined);

    let branch = first.mine_empty(5);
    let bodies: Vec<String> = branch.iter().map(|hash| first.raw_block(hash)).collect();
    for raw in &bodies {
        second.take_header(raw);
    }
    let behind = json!({"healthy": 0, "tip_height": 111, "scanned_hash": block});
    confirmd.await_chain("bitcoin", &behind);
    confirmd.await_payment("order-1", &mined);

    for raw in &bodies {
        second.take_block(raw);
    }
    confirmd.await_bitcoin(second);
    confirmd.await_payment("order-1", &json!({"status": "pending", "flags": "reorged"}));
    second.mine(2);
    confirmd.await_status("order-1", "paid");
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}
