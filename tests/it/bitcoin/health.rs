//! What is wrong with a node, in words of its own for each thing, wherever an operator looks: in the view, on
//! `/readyz`, in `status` and in `check`.

use serde_json::{Value, json};

use super::{register, world};
use crate::confirmd::Confirmd;
use crate::confirmd::relay::Relay;
use crate::nodes::bitcoind::Bitcoind;

/// Waits until the chain is in this trouble and says so everywhere.
#[track_caller]
fn assert_told(confirmd: &Confirmd, words: &str) {
    confirmd.await_true(words, || {
        let chain = confirmd.ledger().chain("bitcoin");
        chain.is_some_and(|chain| has_words(&chain["error"], words) && chain["healthy"] == 0)
    });
    confirmd.await_true(&format!("{words:?} on /readyz"), || {
        let (status, page) = confirmd.page("/readyz");
        let page: Value = serde_json::from_str(&page).expect("JSON");
        status == 503 && has_words(&page["chains"]["bitcoin"]["reason"], words)
    });
    let status = confirmd.command(&["status"]).ok();
    assert!(status.contains(words), "{words:?} is missing in {status}");
    assert!(status.contains("failed"), "{status}");
}

fn has_words(said: &Value, words: &str) -> bool {
    said.as_str().is_some_and(|said| said.contains(words))
}

/// `check` ends with this code and says these words.
#[track_caller]
fn assert_checked(confirmd: &Confirmd, code: i32, words: &str) {
    let done = confirmd.command(&["check"]);
    assert_eq!(done.code, code, "{done:?}");
    assert!(
        done.all().contains(words),
        "{words:?} is missing in {done:?}"
    );
}

#[track_caller]
fn assert_well(confirmd: &Confirmd, node: &Bitcoind) {
    confirmd.await_bitcoin(node);
    confirmd.await_true("/readyz", || confirmd.page("/readyz").0 == 200);
    assert_checked(confirmd, 0, "ok");
}

fn behind(cable: &Relay, node: &Bitcoind) -> Confirmd {
    let setup = Confirmd::with(node).set("chains.bitcoin.rpc_url", cable.url());
    setup.start()
}

#[test]
fn a_node_in_its_first_download_is_said_to_be_syncing() {
    let node = Bitcoind::start_empty(&[]);
    let confirmd = Confirmd::with(&node).start();
    assert_told(&confirmd, "the node is still syncing with its network");
    assert_checked(&confirmd, 0, "downloading, 0 headers");
    node.mine(1);
    assert_well(&confirmd, &node);
}

/// Headers are there and blocks are missing: later, when it was in step before.
#[test]
fn a_node_whose_blocks_lag_its_headers_is_said_to_be_syncing() {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    let confirmd = behind(&cable, &node);
    assert_well(&confirmd, &node);
    cable.twist("\"headers\":110", "\"headers\":119");
    assert_told(&confirmd, "the node is still syncing with its network");
    assert_checked(&confirmd, 0, "119 headers");
    cable.be_true();
    assert_well(&confirmd, &node);
}

#[test]
fn a_node_that_warms_up_is_said_to_be_starting() {
    let mut node = Bitcoind::start();
    node.restart_and_stay_warming_up();
    let confirmd = Confirmd::with(&node).start();
    assert_told(&confirmd, "is starting up: ");
    assert_told(&confirmd, "(code -28)");
    assert_checked(&confirmd, 69, "is starting up: ");
    node.kill();
    node.restart();
    assert_well(&confirmd, &node);
}

/// M6, for as long as the node has not read its mempool.
// shows: M6
#[test]
fn a_node_that_has_not_read_its_mempool_is_said_so_and_drops_nothing() {
    let (mut node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let txid = node.send(&address, "0.015");
    confirmd.await_status("order-1", "pending");
    let raw = node.raw(&txid);
    let mempool = node.restart_without_reading_mempool();
    assert_told(&confirmd, "the node has not loaded its mempool yet");
    assert_checked(&confirmd, 0, "mempool not loaded yet");
    node.mine_empty(2);
    let scanned = json!({"scanned_height": node.height()});
    confirmd.await_chain("bitcoin", &scanned);
    confirmd.await_status("order-1", "pending");

    node.broadcast(&raw);
    mempool.let_it_end();
    assert_well(&confirmd, &node);
    confirmd.await_status("order-1", "pending");
    assert_eq!(confirmd.path("order-1"), ["new", "pending"]);
}

/// Nothing is skipped: what the node has thrown away was never looked at.
#[test]
fn a_node_that_pruned_what_was_not_scanned_is_told_with_the_way_out() {
    let node = Bitcoind::start_with(&["-prune=1", "-fastprune"]);
    let mut confirmd = Confirmd::with(&node).start();
    let address = register(&confirmd, &node, "order-1");
    confirmd.await_bitcoin(&node);
    confirmd.stop();
    let next = node.mine(1).swap_remove(0);
    for _ in 0..8 {
        node.mine(100);
    }
    let pruned = node.rpc().call("pruneblockchain", json!([400]));
    assert!(pruned.as_u64() > Some(111), "{pruned}");
    confirmd.start();
    assert_told(&confirmd, "has pruned block 111");
    assert_told(
        &confirmd,
        &format!("bitcoin-cli getblockfrompeer {next} PEER_ID"),
    );
    assert_checked(
        &confirmd,
        0,
        &(pruned.as_u64().unwrap_or_default() + 1).to_string(),
    );
    let stands = json!({"scanned_height": 110, "healthy": 0});
    confirmd.await_chain("bitcoin", &stands);
    node.send(&address, "0.015");
    confirmd.await_status("order-1", "new");
}

/// F18, on a node that was right before.
// shows: F18
#[test]
fn another_network_behind_the_same_address_is_noticed() {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    let confirmd = behind(&cable, &node);
    assert_well(&confirmd, &node);
    cable.twist("\"chain\":\"regtest\"", "\"chain\":\"signet\" ");
    let words = "is on signet, but regtest is configured";
    assert_told(&confirmd, words);
    assert_checked(&confirmd, 1, words);
}

#[test]
fn a_node_of_too_old_a_version_is_refused() {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    let found = node.rpc().call("getnetworkinfo", json!([]))["version"].take();
    cable.twist(&format!("\"version\":{found}"), "\"version\":239900");
    let confirmd = behind(&cable, &node);
    let words = "is of version 239900; Bitcoin Core 24 (240000) or later is needed";
    assert_told(&confirmd, words);
    assert_checked(&confirmd, 1, words);
}
