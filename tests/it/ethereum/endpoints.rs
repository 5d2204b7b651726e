//! The endpoint itself: the wrong chain, the wrong contract, an outage over a deadline.

use serde_json::json;

use super::{RECEIVER, register, world};
use crate::confirmd::relay::Relay;
use crate::confirmd::{Confirmd, Ethereum, now_ms};
use crate::nodes::anvil::Anvil;
use crate::nodes::tokens::transfer;

/// Waits until the chain's error has all these words, and nothing was scanned.
#[track_caller]
fn await_refusal(confirmd: &Confirmd, words: &[&str]) {
    confirmd.await_true(&format!("{words:?} in the chain's error"), || {
        let chain = confirmd.ledger().chain("ethereum").expect("a chain");
        let error = chain["error"].as_str().unwrap_or_default();
        words.iter().all(|word| error.contains(word)) && chain["scanned_height"].is_null()
    });
    let (status, page) = confirmd.page("/readyz");
    assert_eq!(status, 503, "{page}");
}

/// F18.
// shows: F18
#[test]
fn a_node_of_another_chain_is_refused() {
    let ethereum = Ethereum::start_with(&["--chain-id", "1337"]);
    let confirmd = Confirmd::with(&ethereum).start();
    await_refusal(&confirmd, &["1337", "31337"]);
}

#[test]
fn a_contract_that_is_none_is_refused() {
    let ethereum = Ethereum::start();
    let nobody = RECEIVER.to_string();
    let confirmd = Confirmd::with(&ethereum)
        .set("assets.USDT.contract", nobody.as_str())
        .start();
    await_refusal(&confirmd, &["USDT", &nobody]);
}

/// Wrong decimals would be wrong by powers of ten.
#[test]
fn a_token_with_other_decimals_is_refused() {
    let ethereum = Ethereum::start();
    let confirmd = Confirmd::with(&ethereum)
        .set("assets.USDC.decimals", 18)
        .start();
    await_refusal(&confirmd, &["USDC", "18", "6"]);
}

/// F18 on reconnect: the same port, another network.
// shows: F18
#[test]
fn another_network_behind_the_same_address_is_noticed() {
    let ethereum = Ethereum::start();
    let cable = Relay::to(&ethereum.anvil.url());
    let confirmd = Confirmd::with(&ethereum).endpoint(&cable.url()).start();
    confirmd.await_ethereum(&ethereum.anvil);
    let kept = confirmd.ledger().chain("ethereum").expect("a chain");
    let other = Anvil::start_with(&["--chain-id", "5"]);
    cable.cut();
    confirmd.await_log("the source fails");
    cable.lead_to(&other.url());
    confirmd.await_true("the refusal", || {
        let chain = confirmd.ledger().chain("ethereum").expect("a chain");
        chain["error"]
            .as_str()
            .is_some_and(|error| error.contains("31337"))
    });
    confirmd.await_chain("ethereum", &json!({"scanned_hash": kept["scanned_hash"]}));

    cable.lead_to(&ethereum.anvil.url());
    ethereum.anvil.mine(1);
    confirmd.await_ethereum(&ethereum.anvil);
}

/// A9 on Ethereum: the money was there in time, in blocks that nobody could show us.
// shows: A9
#[test]
fn an_outage_across_a_deadline_expires_nobody_who_paid() {
    let ethereum = Ethereum::start();
    let anvil = &ethereum.anvil;
    let cable = Relay::to(&anvil.url());
    let setup = Confirmd::with(&ethereum).endpoint(&cable.url());
    let confirmd = setup.set("payments.grace", "0s").start();
    let deadline = now_ms() + 5000;
    let idle = alloy_primitives::Address::repeat_byte(0x33);
    for (id, address) in [("paid", RECEIVER), ("idle", idle)] {
        let payment = confirmd
            .register(id)
            .asset("USDT")
            .amount("25")
            .address(address);
        confirmd.await_applied(&payment.with("expires_at", deadline).submit());
    }
    confirmd.await_ethereum(anvil);
    cable.cut();
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(1);
    assert!(now_ms() < deadline, "the payment was made in time");
    confirmd.await_true("the deadline", || now_ms() > deadline + 2000);
    confirmd.await_status("paid", "new");
    confirmd.await_status("idle", "new");
    cable.mend();
    confirmd.await_status("paid", "confirming");
    anvil.mine(1); // its time is past the deadline
    confirmd.await_payment("paid", &json!({"status": "paid", "flags": ""}));
    confirmd.await_payment("idle", &json!({"status": "expired", "reason": "deadline"}));
}

/// A4 for a chain without a mempool.
#[test]
fn a_canceled_payment_is_settled_when_money_comes_after_all() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "USDT", "25");
    confirmd.await_applied(&confirmd.gateway().request("cancel", "order-1", &json!({})));
    confirmd.await_status("order-1", "canceled");
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    let end = json!({"status": "invalid", "reason": "after_cancel", "needs_review": 1});
    confirmd.await_payment("order-1", &end);
}
