//! SIGHUP: what a running daemon takes over from a changed file, and what it says of the rest.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::confirmd::Confirmd;
use crate::nodes::bitcoind::Bitcoind;

fn add(confirmd: &Confirmd, node: &Bitcoind, id: &str) {
    let address = node.new_address("bech32");
    let arguments = ["payment", "add", "--asset", "BTC", "--amount", "0.015"];
    let more = ["--id", id, "--address", &address];
    confirmd.command(&[&arguments[..], &more].concat()).ok();
}

#[test]
fn sighup_changes_new_payments_names_what_waits_and_survives_a_wrong_file() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node)
        .set("assets.BTC.confirmations", 2)
        .start();
    add(&confirmd, &node, "before");
    confirmd.await_payment("before", &json!({ "confirmations_required": 2 }));

    confirmd.set("assets.BTC.confirmations", 5);
    confirmd.set("chains.bitcoin.final_depth", 77);
    confirmd.signal(Signal::SIGHUP);
    confirmd.await_log("in force only after a restart");
    let log = confirmd.log();
    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or("");
    assert!(
        line("from now on").contains("assets.BTC.confirmations"),
        "{log}"
    );
    assert!(
        line("after a restart").contains("chains.bitcoin.final_depth"),
        "{log}"
    );
    add(&confirmd, &node, "after");
    confirmd.await_payment("after", &json!({ "confirmations_required": 5 }));
    confirmd.await_payment("before", &json!({ "confirmations_required": 2 }));

    confirmd.set("assets.BTC.confirmations", 0);
    confirmd.signal(Signal::SIGHUP);
    confirmd.await_log("nothing is changed");
    confirmd.set("assets.BTC.confirmations", 5);
    add(&confirmd, &node, "later");
    confirmd.await_payment("later", &json!({ "confirmations_required": 5 }));
}
