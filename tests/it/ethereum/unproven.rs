//! A provider that does not offer receipts by the block, and one whose blocks nobody here can verify.

use alloy_primitives::Address;
use serde_json::{Value, json};
use toml::Table;

use super::register_to;
use crate::alterations::middle::{Middle, Refusal};
use crate::alterations::recorded::call;
use crate::confirmd::daemon::Setup;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::anvil::ETHER;
use crate::nodes::tokens::transfer;

const RECEIPT: &str = "eth_getTransactionReceipt";

/// A daemon that follows an anvil through this provider.
fn through(ethereum: &Ethereum, provider: &Middle) -> Setup {
    let endpoint = toml::Value::Table(Table::from_iter([
        ("name".to_owned(), "provider".into()),
        ("url".to_owned(), provider.url().into()),
    ]));
    Confirmd::with(ethereum).set("chains.ethereum.endpoints", vec![endpoint])
}

fn not_offered(_: Value) -> Result<Value, Refusal> {
    Err((-32601, "the method does not exist"))
}

/// Receipts one by one prove as much as all at once: nothing is degraded, and one that is kept back or changed is
/// noticed.
// shows: P1 P2
#[test]
fn without_receipts_by_the_block_they_come_one_by_one_and_prove_as_much() {
    let ethereum = Ethereum::start();
    let (anvil, usdt) = (&ethereum.anvil, ethereum.tokens.usdt);
    let provider = Middle::before(anvil);
    provider.twist("eth_getBlockReceipts", not_offered);
    let confirmd = through(&ethereum, &provider).start();
    let [dollars, ether, changed] = [0x71, 0x72, 0x73].map(Address::repeat_byte);
    register_to(&confirmd, "dollars", "USDT", "25", dollars);
    register_to(&confirmd, "ether", "ETH", "1", ether);
    register_to(&confirmd, "changed", "USDT", "25", changed);
    transfer(anvil, usdt, dollars, 25_000_000);
    anvil.send_eth(ether, ETHER);
    anvil.mine(3);
    for id in ["dollars", "ether"] {
        confirmd.await_payment(id, &json!({"status": "paid", "flags": ""}));
    }

    let txid = transfer(anvil, usdt, changed, 24_000_000);
    let asked = call(RECEIPT, &json!([txid]));
    provider.lie(vec![(asked.clone(), "null".to_owned())]);
    anvil.mine(3);
    let error = || {
        let chain = confirmd.ledger().chain("ethereum").expect("a chain");
        chain["error"].as_str().unwrap_or_default().to_owned()
    };
    confirmd.await_true("a receipt to be missed", || {
        error().contains("blocks behind")
    });
    let mut receipt = anvil.rpc().call(RECEIPT, json!([txid]));
    let amount = alloy_primitives::B256::left_padding_from(&25_000_000_u64.to_be_bytes());
    receipt["logs"][0]["data"] = json!(amount);
    provider.lie(vec![(asked, receipt.to_string())]);
    let words = "list of receipts contradicts its hash";
    confirmd.await_true("the change to be noticed", || {
        confirmd.log().contains(words)
    });
    assert!(confirmd.ledger().transfers("changed").is_empty());
    provider.lie(Vec::new());
    let truth = json!({"status": "invalid", "reason": "underpaid", "flags": "underpaid"});
    confirmd.await_payment("changed", &truth);

    let check = confirmd.command(&["check"]).all();
    assert!(check.contains("one by one"), "{check}");
}

/// Every transaction is of a type that nobody here knows.
fn of_unknown_type(mut block: Value) -> Result<Value, Refusal> {
    let Some(transactions) = block["transactions"].as_array_mut() else {
        return Err((-32001, "no such block"));
    };
    for transaction in transactions {
        transaction["type"] = json!("0x7e");
    }
    Ok(block)
}

// shows: P2
#[test]
fn a_chain_that_nobody_can_verify_stops_or_pays_with_a_flag_and_heals() {
    let ethereum = Ethereum::start();
    let (anvil, usdt) = (&ethereum.anvil, ethereum.tokens.usdt);
    let provider = Middle::before(anvil);
    let mut stopping = through(&ethereum, &provider).start();
    let degrading = through(&ethereum, &provider)
        .set("chains.ethereum.on_unverifiable", "degrade")
        .start();
    let [dollars, ether, later] = [0x74, 0x75, 0x76].map(Address::repeat_byte);
    for confirmd in [&stopping, &degrading] {
        register_to(confirmd, "dollars", "USDT", "25", dollars);
        register_to(confirmd, "ether", "ETH", "1", ether);
        register_to(confirmd, "later", "USDT", "5", later);
        confirmd.await_ethereum(anvil);
    }
    provider.twist("eth_getBlockByHash", of_unknown_type);
    transfer(anvil, usdt, dollars, 25_000_000);
    anvil.send_eth(ether, ETHER);
    anvil.mine(4);

    for id in ["dollars", "ether"] {
        let flagged = json!({"status": "paid", "reason": "exact", "flags": "degraded"});
        degrading.await_payment(id, &flagged);
    }
    degrading.await_true("the remark", || {
        let said = degrading.page("/readyz").1;
        said.contains("is taken as it is told") && said.contains("type 126")
    });
    let told = || {
        let journal = degrading.ledger().journal();
        let entries = journal.iter().filter(|entry| entry["kind"] == "attention");
        entries
            .filter(|entry| entry["data"].to_string().contains("unproven"))
            .count()
    };
    degrading.await_true("it to be told", || told() > 0);
    assert_eq!(told(), 1, "once, however many blocks there are");
    let counted = "confirmd_unproven_blocks_total{chain=\"ethereum\"}";
    degrading.await_true("it to be counted", || degrading.metric(counted) > 0.5);

    let error = || {
        let chain = stopping.ledger().chain("ethereum").expect("a chain");
        assert_eq!(stopping.path("dollars"), ["new"]);
        chain["error"].as_str().unwrap_or_default().to_owned()
    };
    stopping.await_true("the chain to stop", || error().contains("unknown type 126"));
    let healthy = "confirmd_chain_healthy{chain=\"ethereum\"}";
    stopping.await_true("it to be ill", || stopping.metric(healthy) < 0.5);
    for id in ["dollars", "ether"] {
        assert!(stopping.ledger().transfers(id).is_empty(), "{id}");
    }

    provider.be_honest();
    stopping.restart(); // else a block that failed is asked for again in a minute
    transfer(anvil, usdt, later, 5_000_000);
    anvil.mine(3);
    for id in ["dollars", "ether", "later"] {
        stopping.await_payment(id, &json!({"status": "paid", "flags": ""}));
    }
    degrading.await_payment("later", &json!({"status": "paid", "flags": ""}));
    let ready = || degrading.page("/readyz").1;
    degrading.await_true("the remark to end", || !ready().contains("as it is told"));
    assert_eq!(told(), 1);
    degrading.await_payment("dollars", &json!({"status": "paid", "flags": "degraded"}));
}
