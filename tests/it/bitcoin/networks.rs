//! Every network of Bitcoin, on a node of each that is cut off from it and has its first block: known by that
//! block, never taken for another, and paid at its own addresses.

use bitcoin::ScriptBuf;
use serde_json::json;

use crate::confirmd::Confirmd;
use crate::nodes::bitcoind::{Bitcoind, Chain};
use crate::nodes::full_block::program;

/// Each network's name in the configuration.
const NETWORKS: [(&str, Chain); 4] = [
    ("mainnet", Chain::Main),
    ("testnet4", Chain::Testnet4),
    ("signet", Chain::Signet),
    ("regtest", Chain::Regtest),
];

/// One of each form that an address has, and of versions to come.
fn scripts() -> Vec<ScriptBuf> {
    let known = [
        [&[0x76, 0xa9, 20][..], &[1; 20], &[0x88, 0xac]].concat(),
        [&[0xa9, 20][..], &[2; 20], &[0x87]].concat(),
        [&[0, 20][..], &[3; 20]].concat(),
        [&[0, 32][..], &[4; 32]].concat(),
    ];
    let mut scripts: Vec<ScriptBuf> = known.map(ScriptBuf::from).to_vec();
    scripts.extend([
        program(1, &[5; 32]),
        program(2, &[6; 2]),
        program(16, &[7; 40]),
    ]);
    scripts
}

#[track_caller]
fn assert_network(name: &str, chain: Chain) {
    let node = Bitcoind::start_on(chain, &[]);
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.network", name)
        .start();
    let check = confirmd.command(&["check", "--json"]).json().swap_remove(0);
    assert_eq!(
        [&check["result"], &check["network"], &check["genesis"]],
        [&json!("ok"), &json!(name), &json!("ok")],
        "{check:#}"
    );
    let syncing = json!({
        "network": name, "healthy": 0, "error": "the node is still syncing with its network",
    });
    confirmd.await_chain("bitcoin", &syncing);

    for (n, script) in scripts().iter().enumerate() {
        let hex = script.to_hex_string();
        let address = node.rpc().call("decodescript", json!([hex]))["address"].take();
        let address = address.as_str().expect("an address");
        let id = format!("order-{n}");
        confirmd.await_applied(&confirmd.register(&id).address(address).submit());
        confirmd.await_payment(&id, &json!({"status": "new", "address": address}));
    }
    for (other, _) in NETWORKS.iter().filter(|(other, _)| *other != name) {
        let setup = Confirmd::with(&node).set("chains.bitcoin.network", *other);
        let done = setup.configured().command(&["check"]);
        let words = format!("is on {name}, but {other} is configured");
        assert!(done.code == 1 && done.all().contains(&words), "{done:?}");
    }
}

#[test]
fn mainnet_is_followed_and_nothing_else_is_taken_for_it() {
    assert_network("mainnet", Chain::Main);
}

#[test]
fn testnet4_is_followed_and_nothing_else_is_taken_for_it() {
    assert_network("testnet4", Chain::Testnet4);
}

#[test]
fn signet_is_followed_and_nothing_else_is_taken_for_it() {
    assert_network("signet", Chain::Signet);
}

#[test]
fn regtest_is_followed_and_nothing_else_is_taken_for_it() {
    assert_network("regtest", Chain::Regtest);
}

/// The name alone proves nothing.
// shows: F18
#[test]
fn a_chain_of_the_same_name_with_another_beginning_is_refused() {
    let node = Bitcoind::start_on(Chain::Main, &[]);
    let cable = crate::confirmd::relay::Relay::to(&node.url());
    let genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    let another = genesis.replace("ce26f", "ce26e");
    cable.twist(genesis, &another);
    let setup = Confirmd::with(&node)
        .set("chains.bitcoin.network", "mainnet")
        .set("chains.bitcoin.rpc_url", cable.url());
    let confirmd = setup.start();
    let words = format!("begins with block {another}, but mainnet begins with {genesis}");
    confirmd.await_true(&words, || {
        let chain = confirmd.ledger().chain("bitcoin").expect("a chain");
        chain["error"]
            .as_str()
            .is_some_and(|error| error.contains(&words))
    });
    let done = confirmd.command(&["check"]);
    assert!(done.code == 1 && done.all().contains(&words), "{done:?}");
}
