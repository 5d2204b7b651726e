//! What gateways and operators ask for: registrations good and bad, cancel, accept, reject, extend, refund.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AMOUNT, register, world};
use crate::confirmd::wait::assert_row;
use crate::confirmd::{Confirmd, now_ms};
use crate::nodes::bitcoind::Bitcoind;

/// A7: what is wrong with a registration of 0.015 BTC to a good address, in which field, with which value, and
/// what it is refused with.
#[expect(clippy::too_many_lines, reason = "a table")]
fn wrong_fields(good: &str) -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let mut wrong_checksum = good.to_owned();
    let last = if wrong_checksum.pop() == Some('q') {
        'p'
    } else {
        'q'
    };
    wrong_checksum.push(last);
    let deep = format!("0.{}", "0".repeat(5000));
    vec![
        ("unknown asset", "asset", json!("DOGE"), "unknown_asset"),
        ("no text for an asset", "asset", json!(7), "malformed_body"),
        (
            "wrong checksum",
            "address",
            json!(wrong_checksum),
            "bad_address",
        ),
        (
            "other network",
            "address",
            json!("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
            "bad_address",
        ),
        (
            "other chain",
            "address",
            json!("0xdAC17F958D2ee523a2206206994597C13D831ec7"),
            "bad_address",
        ),
        ("no address", "address", Value::Null, "missing_field"),
        (
            "nine decimals",
            "amount",
            json!("0.015000001"),
            "bad_amount",
        ),
        ("negative", "amount", json!("-1"), "bad_amount"),
        ("a float", "amount", json!(0.015), "malformed_body"),
        ("an exponent", "amount", json!("1e3"), "bad_amount"),
        ("a comma", "amount", json!("1,5"), "bad_amount"),
        ("other digits", "amount", json!("١"), "bad_amount"),
        ("zero", "amount", json!("0"), "amount_below_dust"),
        ("dust", "amount", json!("0.000005"), "amount_below_dust"),
        (
            "10^80",
            "amount",
            json!(format!("1{}", "0".repeat(80))),
            "bad_amount",
        ),
        ("very long", "amount", json!(deep), "bad_amount"),
        (
            "high tolerance",
            "tolerance",
            json!("10.1%"),
            "tolerance_too_high",
        ),
        ("no tolerance", "tolerance", json!("much"), "bad_tolerance"),
        (
            "no confirmations",
            "confirmations",
            json!(0),
            "bad_confirmations",
        ),
        (
            "many confirmations",
            "confirmations",
            json!(1001),
            "bad_confirmations",
        ),
        ("other policy", "policy", json!("any"), "malformed_body"),
        (
            "much metadata",
            "metadata",
            json!({"note": "x".repeat(1100)}),
            "metadata_too_large",
        ),
        ("no object", "metadata", json!("text"), "malformed_body"),
        ("misspelt field", "tolerence", json!("1%"), "unknown_field"),
        (
            "passed deadline",
            "expires_at",
            json!(now_ms() - 60_000),
            "deadline_passed",
        ),
        (
            "far deadline",
            "expires_at",
            json!(now_ms() + 400 * 86_400_000),
            "deadline_too_far",
        ),
    ]
}

/// A7.
#[test]
fn a_registration_that_makes_no_sense_is_refused_with_a_reason() {
    let (node, confirmd) = world();
    let good = node.new_address("bech32");
    let cases = wrong_fields(&good);
    let requests: Vec<String> = cases
        .iter()
        .map(|(name, field, value, _)| {
            let payment = confirmd.register(&name.replace(' ', "-")).address(&good);
            payment.with(field, value.clone()).submit()
        })
        .collect();
    for ((name, .., code), request) in cases.iter().zip(&requests) {
        let outcome = confirmd.await_outcome(request);
        assert_eq!(
            (&outcome["outcome"], &outcome["code"]),
            (&json!("refused"), &json!(code)),
            "{name}: {outcome:#}"
        );
        assert!(
            outcome["message"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{outcome:#}"
        );
    }
    assert!(
        confirmd
            .ledger()
            .query("SELECT * FROM v1_payment", &[])
            .is_empty()
    );
}

/// Rows that are no requests at all; the good one after them is carried out.
#[test]
fn a_malformed_request_is_refused_and_stops_nothing() {
    let (node, confirmd) = world();
    let (gateway, address) = (confirmd.gateway(), node.new_address("bech32"));
    let nested = "[".repeat(8000);
    let rows = [
        ("r1", "register", "a", "{broken", "malformed_body"),
        ("r2", "register", "b", nested.as_str(), "malformed_body"),
        ("r3", "register", "", "{}", "bad_payment_id"),
        ("r4", "register", "with space", "{}", "bad_payment_id"),
        ("r5", "explode", "c", "{}", "unknown_kind"),
        ("r6", "cancel", "nobody", "{}", "unknown_payment"),
        ("r7", "register", "d", "null", "malformed_body"),
    ];
    for (request_id, kind, payment_id, body, _) in rows {
        gateway.insert(request_id, kind, payment_id, body, now_ms());
    }
    let future = confirmd
        .register("future")
        .address(&address)
        .request_id("r8");
    gateway.insert(
        "r8",
        "register",
        "future",
        &future.body(),
        now_ms() + 600_000,
    );
    gateway.insert(
        "r9",
        "register",
        "past",
        &future.body(),
        now_ms() - 8 * 86_400_000,
    );
    let good = confirmd.register("good").address(&address).submit();
    for (request_id, .., code) in rows {
        confirmd.await_refused(request_id, code);
    }
    confirmd.await_refused("r8", "created_in_future");
    confirmd.await_refused("r9", "created_too_long_ago");
    confirmd.await_applied(&good);
}

/// A7.
#[test]
fn an_address_and_an_id_belong_to_one_payment() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let twin = confirmd.register("order-2").address(&address).submit();
    confirmd.await_refused(&twin, "address_in_use");

    let same = confirmd
        .register("order-1")
        .address(&address)
        .amount("0.01500");
    let same = same.request_id("again").submit();
    let outcome = confirmd.await_outcome(&same);
    assert_eq!(outcome["outcome"], "duplicate", "{outcome:#}");
    let other = confirmd
        .register("order-1")
        .address(&address)
        .amount("0.016");
    let other = other.request_id("other").submit();
    confirmd.await_refused(&other, "known_id_other_terms");
    confirmd.await_payment("order-1", &json!({"version": 1, "amount_expected": AMOUNT}));
}

/// A3.
#[test]
fn money_after_a_cancel_is_kept_apart_and_reviewed() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    confirmd.await_bitcoin(&node);
    confirmd.await_applied(&confirmd.gateway().request("cancel", "order-1", &json!({})));
    confirmd.await_payment(
        "order-1",
        &json!({"status": "canceled", "reason": "gateway"}),
    );
    let again = confirmd.gateway().request("cancel", "order-1", &json!({}));
    assert_eq!(confirmd.await_outcome(&again)["outcome"], "duplicate");

    node.send(&address, "0.015");
    let seen = json!({"status": "canceled", "needs_review": 1, "amount_received": AMOUNT});
    confirmd.await_payment("order-1", &seen);
    node.mine(2);
    let end = json!({
        "status": "invalid", "reason": "after_cancel", "amount_counted": "0.00000000",
        "shortfall": AMOUNT, "surplus": "0.00000000", "needs_review": 1,
    });
    confirmd.await_payment("order-1", &end);
    assert_eq!(
        confirmd.ledger().transfers("order-1")[0]["disposition"],
        "after_cancel"
    );
}

/// A4: either the cancel was first or the money was; the payment and the outcome agree.
#[test]
fn a_cancel_that_races_with_the_money_has_one_winner() {
    let (node, confirmd) = world();
    confirmd.await_bitcoin(&node);
    let ids: Vec<String> = (0..5).map(|n| format!("order-{n}")).collect();
    let cancels: Vec<String> = ids
        .iter()
        .map(|id| {
            let address = register(&confirmd, &node, id);
            node.send(&address, "0.015");
            confirmd.gateway().request("cancel", id, &json!({}))
        })
        .collect();
    node.mine(2);
    for (id, cancel) in ids.iter().zip(&cancels) {
        let outcome = confirmd.await_outcome(cancel);
        if outcome["outcome"] == "applied" {
            confirmd.await_payment(id, &json!({"status": "invalid", "reason": "after_cancel"}));
        } else {
            assert_row(&outcome, &json!({"outcome": "refused"}));
            confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
        }
    }
}

/// An underpaid payment, at depth.
fn underpaid(confirmd: &Confirmd, node: &Bitcoind, id: &str) {
    let address = register(confirmd, node, id);
    node.send(&address, "0.01");
    node.mine(2);
    confirmd.await_payment(id, &json!({"status": "invalid", "reason": "underpaid"}));
}

/// A8.
#[test]
fn an_operator_accepts_an_appeal() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    let body = json!({"note": "the customer is known", "amount": "0.01"});
    let accept = confirmd.gateway().request("accept", "order-1", &body);
    confirmd.await_applied(&accept);
    let paid = json!({
        "status": "paid", "reason": "operator", "flags": "manual,underpaid", "needs_review": 0,
    });
    confirmd.await_payment("order-1", &paid);
    let event = confirmd.await_event("order-1", &json!({"kind": "command"}));
    let told = json!({"kind": "accept", "actor": "test", "note": "the customer is known", "amount": "0.01"});
    let command = &event["data"]["command"];
    for (field, value) in told.as_object().expect("fields") {
        assert!(
            command[field]
                .as_str()
                .unwrap_or_default()
                .starts_with(value.as_str().expect("text")),
            "{event:#}"
        );
    }
    let outcome = confirmd.await_outcome(&accept);
    assert_row(
        &outcome,
        &json!({"event_seq": event["seq"], "note": "the customer is known"}),
    );
}

/// A8: the acceptance rests on money in the best chain.
#[test]
fn an_acceptance_is_void_when_its_money_leaves_the_chain() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    confirmd.await_applied(&confirmd.gateway().request("accept", "order-1", &json!({})));
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "operator"}));
    node.reorg(2, 3);
    confirmd.await_event(
        "order-1",
        &json!({"kind": "reversed", "from_status": "paid"}),
    );
    let row = confirmd.await_payment("order-1", &json!({"needs_review": 1}));
    assert_ne!(row["status"], "paid");
}

/// A8.
#[test]
fn an_accept_without_money_at_depth_is_refused() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let accept = || confirmd.gateway().request("accept", "order-1", &json!({}));
    confirmd.await_refused(&accept(), "nothing_at_depth");
    node.send(&address, "0.01");
    node.mine(1);
    confirmd.await_status("order-1", "confirming");
    confirmd.await_refused(&accept(), "nothing_at_depth");
}

/// A8.
#[test]
fn a_rejected_appeal_stays_invalid_and_new_money_raises_review_again() {
    let (node, confirmd) = world();
    underpaid(&confirmd, &node, "order-1");
    let address = confirmd.ledger().payment("order-1").expect("a payment")["address"].clone();
    confirmd.await_applied(&confirmd.gateway().request(
        "reject",
        "order-1",
        &json!({"note": "no"}),
    ));
    confirmd.await_payment("order-1", &json!({"status": "invalid", "needs_review": 0}));
    node.send(address.as_str().expect("an address"), "0.015");
    node.mine(2);
    let row = confirmd.await_payment("order-1", &json!({"amount_received": "0.02500000"}));
    assert_row(&row, &json!({"status": "invalid", "needs_review": 1}));
}

/// A8: an expired payment is open again.
#[test]
fn an_extended_payment_can_be_paid() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).set("payments.grace", "0s").start();
    let address = node.new_address("bech32");
    let payment = confirmd
        .register("order-1")
        .address(&address)
        .expires_in_ms(-1000);
    payment.written_ago(Duration::from_mins(10)).submit();
    confirmd.await_status("order-1", "expired");
    let later = now_ms() + 600_000;
    let extend = confirmd
        .gateway()
        .request("extend", "order-1", &json!({"expires_at": later}));
    confirmd.await_applied(&extend);
    confirmd.await_payment("order-1", &json!({"status": "new", "expires_at": later}));
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_payment("order-1", &json!({"status": "paid", "flags": ""}));
    let too_late =
        confirmd
            .gateway()
            .request("extend", "order-1", &json!({"expires_at": later + 1}));
    confirmd.await_refused(&too_late, "not_extendable");
}

/// The gateway says that it paid back; money after that is somebody's.
#[test]
fn a_refund_is_stated_and_later_money_raises_review() {
    let (node, confirmd) = world();
    let address = register(&confirmd, &node, "order-1");
    let refund = || {
        let body = json!({"note": "sold out", "txid": "aa".repeat(32)});
        confirmd.gateway().request("refunded", "order-1", &body)
    };
    confirmd.await_refused(&refund(), "not_refundable");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    confirmd.await_applied(&refund());
    confirmd.await_payment("order-1", &json!({"status": "refunded", "needs_review": 0}));
    node.send(&address, "0.015");
    let more = json!({"status": "refunded", "flags": "duplicate", "needs_review": 1});
    confirmd.await_payment("order-1", &more);
    confirmd.await_event("order-1", &json!({"kind": "attention"}));
}

/// Whoever may write the inbox may have goods released, unless the operator forbids it.
#[test]
fn accept_and_reject_can_be_switched_off() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node)
        .set("database.operator_commands", false)
        .start();
    underpaid(&confirmd, &node, "order-1");
    for kind in ["accept", "reject"] {
        let request = confirmd.gateway().request(kind, "order-1", &json!({}));
        confirmd.await_refused(&request, "operator_commands_off");
    }
    confirmd.await_payment(
        "order-1",
        &json!({"status": "invalid", "reason": "underpaid"}),
    );
}
