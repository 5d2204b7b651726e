//! `newHeads` as a doorbell: heard, absent, cut off and back.

use toml::{Table, Value};

use super::{RECEIVER, register};
use crate::{
    confirmd::{Confirmd, Ethereum, command::with_config, relay::Relay},
    nodes::{free_port, tokens::transfer},
};

/// Longer than any of these tests waits for anything: what happens was heard, not polled.
const SELDOM: &str = "10m";

/// A daemon that asks the node itself and listens to its announcements here.
fn listening(ethereum: &Ethereum, ws_url: &str, poll_interval: &str) -> Confirmd {
    let url = ethereum.anvil.url();
    let endpoint = [("name", "local"), ("url", &url), ("ws_url", ws_url)];
    let endpoint = endpoint.map(|(key, value)| (key.to_owned(), Value::from(value)));
    let endpoints = vec![Value::Table(Table::from_iter(endpoint))];
    Confirmd::with(ethereum)
        .set("chains.ethereum.endpoints", endpoints)
        .set("chains.ethereum.poll_interval", poll_interval)
        .start()
}

fn web_socket(url: &str) -> String {
    url.replace("http://", "ws://")
}

fn is_paid_by_what_is_heard(confirmd: &Confirmd, ethereum: &Ethereum, payment_id: &str) {
    let (anvil, usdt) = (&ethereum.anvil, ethereum.tokens.usdt);
    register(confirmd, payment_id, "USDT", "25");
    transfer(anvil, usdt, RECEIVER, 25_000_000);
    anvil.mine(1);
    confirmd.await_status(payment_id, "confirming");
    anvil.mine(1);
    confirmd.await_status(payment_id, "paid");
}

#[test]
fn an_announced_block_is_seen_without_waiting_for_a_poll() {
    let ethereum = Ethereum::start();
    let url = web_socket(&ethereum.anvil.url());
    let confirmd = listening(&ethereum, &url, SELDOM);
    confirmd.await_log("listening to newHeads");
    is_paid_by_what_is_heard(&confirmd, &ethereum, "order-1");
    let heard = "confirmd_push_events_total{chain=\"ethereum\",event=\"notification\"}";
    assert!(confirmd.metric(heard) >= 2.0);
    let check = with_config(&confirmd.config_file(), &["check", "--json"]);
    assert!(check.ok().contains("newHeads"));
}

#[test]
fn a_reorganisation_is_announced_too() {
    let ethereum = Ethereum::start();
    let url = web_socket(&ethereum.anvil.url());
    let confirmd = listening(&ethereum, &url, SELDOM);
    confirmd.await_log("listening to newHeads");
    is_paid_by_what_is_heard(&confirmd, &ethereum, "order-1");
    ethereum.anvil.reorg(2);
    confirmd.await_true("the reversal", || {
        confirmd
            .path("order-1")
            .last()
            .is_some_and(|last| last != "paid")
    });
}

/// The connection ends without a word to us, and is there again later.
// shows: P10
#[test]
fn a_connection_that_was_cut_is_made_anew_and_misses_nothing() {
    let ethereum = Ethereum::start();
    let cable = Relay::to(&ethereum.anvil.url());
    let confirmd = listening(&ethereum, &web_socket(&cable.url()), SELDOM);
    confirmd.await_log("listening to newHeads");
    cable.cut();
    confirmd.await_log("no newHeads there");
    register(&confirmd, "order-1", "USDT", "25");
    let (anvil, usdt) = (&ethereum.anvil, ethereum.tokens.usdt);
    transfer(anvil, usdt, RECEIVER, 25_000_000);
    anvil.mine(1);
    cable.mend();
    confirmd.await_status("order-1", "confirming");
    anvil.mine(1);
    confirmd.await_status("order-1", "paid");
}

// shows: P10
#[test]
fn an_endpoint_that_announces_nothing_delays_nothing() {
    let ethereum = Ethereum::start();
    let nobody = format!("ws://127.0.0.1:{}", free_port());
    let confirmd = listening(&ethereum, &nobody, "100ms");
    is_paid_by_what_is_heard(&confirmd, &ethereum, "order-1");
    confirmd.await_log("no newHeads there: blocks are found by polling until there are");
    let check = with_config(&confirmd.config_file(), &["check"]);
    let said = format!("local: ws_url: {nobody}: ");
    assert!(check.all().contains(&said), "{}", check.all());
}
