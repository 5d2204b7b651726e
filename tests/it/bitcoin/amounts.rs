//! How much came, in how many transactions, to which kind of address.

use serde_json::{Value, json};

use super::{register, world};
use crate::confirmd::wait::assert_row;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::bitcoind::Bitcoind;

/// A payment of 0.01 BTC with these further terms, and what arrives for it: one inner list a transaction.
struct Case {
    name: &'static str,
    terms: Value,
    arrives: &'static [&'static [&'static str]],
    becomes: Value,
}

/// A1, M9, M10.
#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let case = |name, terms, arrives, becomes| Case {
        name,
        terms,
        arrives,
        becomes,
    };
    let (paid, invalid) = ("paid", "invalid");
    vec![
        case(
            "exact",
            json!({}),
            &[&["0.01"]],
            json!({
                "status": paid, "reason": "exact", "flags": "", "amount_received": "0.01000000",
                "amount_counted": "0.01000000", "shortfall": "0.00000000", "surplus": "0.00000000",
                "needs_review": 0,
            }),
        ),
        case(
            "a satoshi short",
            json!({}),
            &[&["0.00999999"]],
            json!({
                "status": invalid, "reason": "underpaid", "flags": "underpaid", "shortfall": "0.00000001",
                "amount_counted": "0.00999999", "surplus": "0.00000000", "needs_review": 1,
            }),
        ),
        case(
            "short inside the margin",
            json!({"tolerance": "1%"}),
            &[&["0.0099"]],
            json!({
                "status": paid, "reason": "within_tolerance", "flags": "", "shortfall": "0.00010000",
                "allowed_shortfall": "0.00010000", "amount_counted": "0.00990000", "needs_review": 0,
            }),
        ),
        case(
            "short outside the margin",
            json!({"tolerance": "0.0001"}),
            &[&["0.00989999"]],
            json!({
                "status": invalid, "reason": "underpaid", "flags": "underpaid", "shortfall": "0.00010001",
            }),
        ),
        case(
            "over",
            json!({}),
            &[&["0.011"]],
            json!({
                "status": paid, "reason": "overpaid", "flags": "overpaid", "amount_received": "0.01100000",
                "amount_counted": "0.01000000", "surplus": "0.00100000", "needs_review": 1,
            }),
        ),
        case(
            "twice",
            json!({}),
            &[&["0.01"], &["0.01"]],
            json!({
                "status": paid, "reason": "exact", "flags": "duplicate", "amount_received": "0.02000000",
                "amount_counted": "0.01000000", "surplus": "0.01000000", "needs_review": 1,
            }),
        ),
        case(
            "two outputs of one transaction",
            json!({}),
            &[&["0.004", "0.006"]],
            json!({
                "status": paid, "reason": "exact", "flags": "", "amount_received": "0.01000000",
            }),
        ),
        case(
            "halves under single",
            json!({}),
            &[&["0.005"], &["0.005"]],
            json!({
                "status": invalid, "reason": "split", "flags": "split,underpaid",
                "amount_received": "0.01000000", "amount_counted": "0.00500000", "needs_review": 1,
            }),
        ),
        case(
            "halves under sum",
            json!({"policy": "sum"}),
            &[&["0.005"], &["0.005"]],
            json!({
                "status": paid, "reason": "exact", "flags": "", "amount_counted": "0.01000000",
                "policy": "sum",
            }),
        ),
        case(
            "too little under sum",
            json!({"policy": "sum"}),
            &[&["0.005"], &["0.004"]],
            json!({
                "status": invalid, "reason": "underpaid", "flags": "underpaid",
                "amount_received": "0.00900000", "shortfall": "0.00100000",
            }),
        ),
        case(
            "dust",
            json!({}),
            &[&["0.000005"]],
            json!({
                "status": "new", "reason": null, "flags": "", "amount_received": "0.00000000",
                "shortfall": "0.01000000", "needs_review": 0, "txid": null,
            }),
        ),
        case(
            "short and then in full",
            json!({}),
            &[&["0.004"], &["0.01"]],
            json!({
                "status": paid, "reason": "exact", "flags": "duplicate", "surplus": "0.00400000",
                "needs_review": 1,
            }),
        ),
    ]
}

// shows: A1 M9 M10
#[test]
fn what_arrives_decides_what_a_payment_becomes() {
    let (node, confirmd) = world();
    let cases = cases();
    for case in &cases {
        let address = node.new_address("bech32");
        let mut payment = confirmd.register(&case.name.replace(' ', "-"));
        payment = payment.address(&address).amount("0.01");
        for (field, value) in case.terms.as_object().expect("terms") {
            payment = payment.with(field, value.clone());
        }
        confirmd.await_applied(&payment.submit());
        for amounts in case.arrives {
            let outputs: Vec<(&str, &str)> =
                amounts.iter().map(|amount| (&*address, *amount)).collect();
            node.send_many(&outputs);
        }
    }
    node.mine(2);
    for case in &cases {
        let id = case.name.replace(' ', "-");
        confirmd.await_payment(&id, &case.becomes);
        let outputs: usize = case.arrives.iter().map(|outputs| outputs.len()).sum();
        confirmd.await_true(case.name, || {
            confirmd.ledger().transfers(&id).len() == outputs
        });
    }
    let dust = confirmd.ledger().transfers("dust");
    assert_row(
        &dust[0],
        &json!({"disposition": "dust", "amount": "0.00000500"}),
    );
}

/// M9.
// shows: M9
#[test]
fn one_transaction_may_pay_two_payments() {
    let (node, confirmd) = world();
    let (first, second) = (
        register(&confirmd, &node, "order-1"),
        register(&confirmd, &node, "order-2"),
    );
    let txid = node.send_many(&[(&first, "0.015"), (&second, "0.015")]);
    node.mine(2);
    for (id, position) in [("order-1", "vout:0"), ("order-2", "vout:1")] {
        confirmd.await_payment(
            id,
            &json!({"status": "paid", "reason": "exact", "txid": txid}),
        );
        let own = json!({"position": position, "disposition": "counted"});
        confirmd.await_transfer(id, &txid, &own);
    }
}

#[test]
fn every_kind_of_address_is_recognised() {
    let (node, confirmd) = world();
    let kinds = ["legacy", "p2sh-segwit", "bech32", "bech32m"];
    for kind in kinds {
        let address = node.new_address(kind);
        let request = confirmd.register(kind).address(&address).submit();
        confirmd.await_applied(&request);
        node.send(&address, "0.015");
    }
    node.mine(2);
    for kind in kinds {
        confirmd.await_payment(kind, &json!({"status": "paid", "reason": "exact"}));
    }
}

/// A bech32 address may be written in capitals; the row shows the canonical form.
#[test]
fn an_address_in_capitals_is_the_same_address() {
    let (node, confirmd) = world();
    let address = node.new_address("bech32");
    let capitals = address.to_uppercase();
    confirmd.await_applied(&confirmd.register("order-1").address(capitals).submit());
    node.send(&address, "0.015");
    confirmd.await_payment("order-1", &json!({"status": "pending", "address": address}));
}

/// A11.
// shows: A11
#[test]
fn larger_amounts_wait_for_more_confirmations() {
    let node = Bitcoind::start();
    let tier = toml::Table::from_iter([
        ("above".to_owned(), toml::Value::from("0.5")),
        ("confirmations".to_owned(), toml::Value::from(6)),
    ]);
    let tiers = toml::Value::from(vec![toml::Value::from(tier)]);
    let confirmd = Confirmd::with(&node).set("assets.BTC.tiers", tiers).start();
    for (id, amount, depth) in [("small", "0.4", 2), ("at", "0.5", 2), ("large", "0.6", 6)] {
        let address = node.new_address("bech32");
        let request = confirmd
            .register(id)
            .address(&address)
            .amount(amount)
            .submit();
        confirmd.await_applied(&request);
        confirmd.await_payment(id, &json!({"confirmations_required": depth}));
        node.send(&address, amount);
    }
    node.mine(5);
    confirmd.await_status("small", "paid");
    confirmd.await_status("at", "paid");
    confirmd.await_payment(
        "large",
        &json!({"status": "confirming", "confirmations": 5}),
    );
    node.mine(1);
    let paid = confirmd.await_event("large", &json!({"kind": "status", "to_status": "paid"}));
    assert_eq!(paid["data"]["confirmations"], 6);
}

/// M11: it could not be spent before, so it pays nothing before.
// shows: M11
#[test]
fn a_coinbase_pays_when_it_has_ripened() {
    let (node, confirmd) = world();
    let address = node.new_address("bech32");
    let request = confirmd
        .register("order-1")
        .address(&address)
        .amount("50")
        .submit();
    confirmd.await_applied(&request);
    node.mine_to(&address, 1);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "confirming", "confirmations": 1}),
    );
    node.mine(98);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "confirming", "confirmations": 99}),
    );
    node.mine(1);
    let paid = confirmd.await_event("order-1", &json!({"kind": "status", "to_status": "paid"}));
    assert_eq!(paid["data"]["confirmations"], 100);
}

/// Later money is recorded, and the merchant hears of it, though the payment can no longer change.
#[test]
fn money_after_finality_is_surplus() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.final_depth", 3)
        .start();
    let address = register(&confirmd, &node, "order-1");
    let first = node.send(&address, "0.015");
    node.mine(4);
    confirmd.await_payment(
        "order-1",
        &json!({"status": "paid", "final": 1, "needs_review": 0}),
    );
    node.send(&address, "0.02");
    node.mine(2);
    let after = json!({
        "status": "paid", "reason": "exact", "final": 1, "txid": first, "flags": "duplicate",
        "surplus": "0.02000000", "amount_counted": "0.01500000", "needs_review": 1,
    });
    confirmd.await_payment("order-1", &after);
}

/// Both chains in one daemon, each at its own pace.
#[test]
fn two_chains_are_followed_at_once() {
    let (node, ethereum) = (Bitcoind::start(), Ethereum::start());
    let confirmd = Confirmd::with(&node).and(&ethereum).start();
    let address = register(&confirmd, &node, "btc");
    let receiver = alloy_primitives::Address::repeat_byte(0x31);
    let usdt = confirmd
        .register("usdt")
        .asset("USDT")
        .address(receiver)
        .amount("25");
    confirmd.await_applied(&usdt.submit());
    node.send(&address, "0.015");
    crate::nodes::tokens::transfer(&ethereum.anvil, ethereum.tokens.usdt, receiver, 25_000_000);
    node.mine(2);
    ethereum.anvil.mine(2);
    confirmd.await_payment("btc", &json!({"status": "paid", "chain": "bitcoin"}));
    confirmd.await_payment("usdt", &json!({"status": "paid", "chain": "ethereum"}));
}
