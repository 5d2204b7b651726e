//! Requests that cannot be carried out: each is refused with a code and a sentence, and stops nothing.

use serde_json::{Value, json};

use super::{AMOUNT, register, world};
use crate::confirmd::now_ms;

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
// shows: A7
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
// shows: A7
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
    // Times that look wrong before the first poll wait for it; the address would be taken by then.
    let own = node.new_address("bech32");
    let good = confirmd.register("good").address(&own).submit();
    for (request_id, .., code) in rows {
        confirmd.await_refused(request_id, code);
    }
    confirmd.await_refused("r8", "created_in_future");
    confirmd.await_refused("r9", "created_too_long_ago");
    confirmd.await_applied(&good);
}

/// A7.
// shows: A7
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
