//! A second EVM chain by configuration alone: the same address and the same contract on both are strangers.

use serde_json::json;
use toml::{Table, Value};

use super::{RECEIVER, register};
use crate::{
    confirmd::{Confirmd, Ethereum, config::POLL},
    nodes::{anvil::ETHER, tokens::transfer},
};

const SECOND: i64 = 80_001;

fn world() -> (Ethereum, Ethereum, Confirmd) {
    let first = Ethereum::start();
    let second = Ethereum::start_with(&["--chain-id", &SECOND.to_string()]);
    let url = second.anvil.url();
    let endpoint = [("name", "local"), ("url", url.as_str())];
    let endpoint = endpoint.map(|(key, value)| (key.to_owned(), Value::from(value)));
    let endpoints = vec![Value::Table(Table::from_iter(endpoint))];
    let confirmd = Confirmd::with(&first)
        .set("chains.polygon.kind", "ethereum")
        .set("chains.polygon.chain_id", SECOND)
        .set("chains.polygon.poll_interval", POLL)
        .set("chains.polygon.final_depth", 20)
        .set("chains.polygon.endpoints", endpoints)
        .set("assets.POL.chain", "polygon")
        .set("assets.POL.confirmations", 4)
        .set("assets.USDTPOL.chain", "polygon")
        .set("assets.USDTPOL.contract", second.tokens.usdt.to_string())
        .set("assets.USDTPOL.decimals", 6)
        .set("assets.USDTPOL.confirmations", 2)
        .start();
    (first, second, confirmd)
}

#[test]
fn the_same_address_on_two_chains_is_two_addresses() {
    let (first, second, confirmd) = world();
    assert_eq!(first.tokens.usdt, second.tokens.usdt, "the same contract");
    register(&confirmd, "here", "USDT", "25");
    register(&confirmd, "there", "POL", "1");
    let here = transfer(&first.anvil, first.tokens.usdt, RECEIVER, 25_000_000);
    first.anvil.mine(1);
    let confirming = json!({"status": "confirming", "chain": "ethereum", "txid": here.to_string()});
    confirmd.await_payment("here", &confirming);
    first.anvil.mine(1);
    confirmd.await_status("here", "paid");
    second.anvil.send_eth(RECEIVER, ETHER);
    second.anvil.mine(4);
    let paid = json!({
        "status": "paid", "chain": "polygon", "asset": "POL", "confirmations_required": 4,
        "amount_received": "1.000000000000000000",
    });
    confirmd.await_payment("there", &paid);
    assert_eq!(confirmd.path("here"), ["new", "confirming", "paid"]);
    // What belongs to the other chain's payment is none of this one's.
    for (id, asset) in [("here", "USDT"), ("there", "POL")] {
        let transfers = confirmd.ledger().transfers(id);
        let assets: Vec<_> = transfers.iter().map(|one| one["asset"].clone()).collect();
        assert_eq!(assets, [asset], "{id}");
    }
}

/// One that fails holds up nothing of the other.
#[test]
fn a_chain_whose_node_is_another_stops_alone() {
    let (first, second, mut confirmd) = world();
    drop(second);
    confirmd.restart();
    register(&confirmd, "here", "USDT", "25");
    transfer(&first.anvil, first.tokens.usdt, RECEIVER, 25_000_000);
    first.anvil.mine(2);
    confirmd.await_status("here", "paid");
    confirmd.await_true("one chain to be ready", || {
        let (_, page) = confirmd.page("/readyz");
        let page: serde_json::Value = serde_json::from_str(&page).expect("JSON");
        let chains = &page["chains"];
        chains["ethereum"]["ready"] == true && chains["polygon"]["ready"] == false
    });
}
