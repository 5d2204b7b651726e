//! USDT and USDC: what the real contracts' transfers make of a payment.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::{RECEIVER, register, register_to, world};
use crate::confirmd::Confirmd;
use crate::confirmd::wait::assert_row;
use crate::nodes::anvil::ETHER;
use crate::nodes::tokens::{self, transfer};

/// The whole way of an ordinary token payment.
#[test]
fn an_exact_token_payment_goes_from_new_to_paid() {
    for asset in ["USDT", "USDC"] {
        let (ethereum, confirmd) = world();
        let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
        let contract = if asset == "USDT" {
            tokens.usdt
        } else {
            tokens.usdc
        };
        register(&confirmd, "order-1", asset, "25");
        let untouched = json!({
            "chain": "ethereum", "asset": asset, "address": RECEIVER.to_string(), "status": "new",
            "amount_expected": "25.000000", "amount_received": "0.000000",
            "confirmations_required": 2, "version": 1,
        });
        assert_row(&confirmd.await_status("order-1", "new"), &untouched);

        let txid = transfer(anvil, contract, RECEIVER, 25_000_000).to_string();
        anvil.mine(1);
        let height = anvil.block_number();
        let mined = json!({
            "status": "confirming", "txid": txid, "amount_received": "25.000000",
            "block_height": height, "block_hash": anvil.hash_at(height).to_string(),
            "confirmations": 1, "flags": "",
        });
        confirmd.await_payment("order-1", &mined);
        anvil.mine(1);
        let paid = json!({
            "status": "paid", "reason": "exact", "amount_counted": "25.000000", "confirmations": 2,
            "shortfall": "0.000000", "surplus": "0.000000", "flags": "", "needs_review": 0, "final": 0,
        });
        confirmd.await_payment("order-1", &paid);
        assert_eq!(confirmd.path("order-1"), ["new", "confirming", "paid"]);
        let credit = json!({
            "position": "log:0", "asset": asset, "amount": "25.000000", "state": "confirmed",
            "disposition": "counted", "from_address": anvil.account(0).to_string(),
        });
        confirmd.await_transfer("order-1", &txid, &credit);
    }
}

/// T7, T10: what a contract pays out is as good as any other transfer.
// shows: T7
#[test]
fn several_transfers_of_one_transaction_are_summed() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let other = Address::repeat_byte(0x32);
    register(&confirmd, "order-1", "USDT", "25");
    register_to(&confirmd, "order-2", "USDT", "7", other);
    let payouts = [
        (RECEIVER, 10_000_000),
        (other, 7_000_000),
        (RECEIVER, 15_000_000),
    ];
    let txid = tokens::batch(anvil, tokens, tokens.usdt, &payouts).to_string();
    anvil.mine(2);
    let paid = json!({"status": "paid", "reason": "exact", "txid": txid});
    confirmd.await_payment("order-1", &paid);
    confirmd.await_payment("order-2", &paid);
    let positions: Vec<_> = confirmd.ledger().transfers("order-1");
    let positions: Vec<_> = positions
        .iter()
        .map(|row| row["position"].as_str())
        .collect();
    assert_eq!(positions, [Some("log:0"), Some("log:2")]);
}

/// T9: the sender sent enough, less arrived.
// shows: T9
#[test]
fn a_fee_of_the_token_leaves_the_payment_short() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    register(&confirmd, "order-1", "USDT", "25");
    tokens::set_fee(anvil, tokens.usdt, 10, 5);
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    let short = json!({
        "status": "invalid", "reason": "underpaid", "flags": "underpaid",
        "amount_received": "24.975000", "shortfall": "0.025000", "needs_review": 1,
    });
    confirmd.await_payment("order-1", &short);
}

/// T9 with a margin, as merchants have it.
#[test]
fn a_fee_inside_the_margin_is_forgiven() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let payment = confirmd
        .register("order-1")
        .asset("USDT")
        .address(RECEIVER)
        .amount("25");
    confirmd.await_applied(&payment.with("tolerance", "1%").submit());
    tokens::set_fee(anvil, tokens.usdt, 10, 5);
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    let paid = json!({"status": "paid", "reason": "within_tolerance", "shortfall": "0.025000"});
    confirmd.await_payment("order-1", &paid);
}

/// T8: it is somebody's money, and a person must know of it; it pays nothing.
// shows: T8
#[test]
fn another_asset_than_expected_is_told_at_once_and_never_counted() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let payers = [
        ("usdc-for-usdt", "USDT", "25", "USDC", "25.000000"),
        ("eth-for-usdt", "USDT", "25", "ETH", "1.000000000000000000"),
        ("usdt-for-eth", "ETH", "1", "USDT", "25.000000"),
    ];
    for ((id, asset, amount, came, came_amount), byte) in payers.into_iter().zip(0x41..) {
        let receiver = Address::repeat_byte(byte);
        register_to(&confirmd, id, asset, amount, receiver);
        let txid = match came {
            "USDC" => transfer(anvil, tokens.usdc, receiver, 25_000_000),
            "USDT" => transfer(anvil, tokens.usdt, receiver, 25_000_000),
            _ => anvil.send_eth(receiver, ETHER),
        };
        anvil.mine(1);
        let told = json!({
            "status": "new", "flags": "wrong_asset", "needs_review": 1,
            "amount_received": if asset == "ETH" { "0.000000000000000000" } else { "0.000000" },
        });
        confirmd.await_payment(id, &told);
        let credit = json!({"asset": came, "amount": came_amount, "disposition": "wrong_asset"});
        confirmd.await_transfer(id, &txid.to_string(), &credit);
        let attention = confirmd.await_event(id, &json!({"kind": "attention"}));
        assert_eq!(attention["data"]["attention"]["code"], "wrong_asset");
    }
}

/// T8: the right money may still come.
// shows: T8
#[test]
fn the_right_asset_after_a_wrong_one_pays() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    register(&confirmd, "order-1", "USDT", "25");
    transfer(anvil, tokens.usdc, RECEIVER, 25_000_000);
    anvil.mine(1);
    confirmd.await_payment("order-1", &json!({"flags": "wrong_asset"}));
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    let paid = json!({
        "status": "paid", "reason": "exact", "flags": "wrong_asset", "needs_review": 1,
        "amount_received": "25.000000", "surplus": "0.000000",
    });
    confirmd.await_payment("order-1", &paid);
}

/// A name, the base units that arrive, and the status, reason and flags that follow.
type Case = (
    &'static str,
    &'static [u64],
    &'static str,
    Option<&'static str>,
    &'static str,
);

/// A1 for a token with six decimals.
// shows: A1
#[test]
fn what_arrives_decides_what_a_token_payment_becomes() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let cases: [Case; 6] = [
        (
            "short",
            &[24_999_999],
            "invalid",
            Some("underpaid"),
            "underpaid",
        ),
        ("over", &[25_000_001], "paid", Some("overpaid"), "overpaid"),
        (
            "twice",
            &[25_000_000, 25_000_000],
            "paid",
            Some("exact"),
            "duplicate",
        ),
        (
            "halves",
            &[12_500_000, 12_500_000],
            "invalid",
            Some("split"),
            "split,underpaid",
        ),
        ("dust", &[9_999], "new", None, ""),
        (
            "dust and all",
            &[9_999, 25_000_000],
            "paid",
            Some("exact"),
            "",
        ),
    ];
    for ((name, arrives, ..), byte) in cases.iter().zip(0x51..) {
        let receiver = Address::repeat_byte(byte);
        register_to(&confirmd, &name.replace(' ', "-"), "USDC", "25", receiver);
        for amount in *arrives {
            transfer(anvil, tokens.usdc, receiver, *amount);
        }
    }
    anvil.mine(2);
    for (name, arrives, status, reason, flags) in cases {
        let id = name.replace(' ', "-");
        let end = json!({"status": status, "reason": reason, "flags": flags});
        confirmd.await_true(name, || {
            confirmd.ledger().transfers(&id).len() == arrives.len()
        });
        confirmd.await_payment(&id, &end);
    }
}

/// The token stops for a while, or moves to another implementation: a person should look, and what is
/// credited is credited.
#[test]
fn a_token_that_is_upgraded_goes_on_being_watched() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    register(&confirmd, "order-1", "USDC", "25");
    tokens::upgrade_usdc(anvil, tokens.usdc);
    transfer(anvil, tokens.usdc, RECEIVER, 25_000_000);
    anvil.mine(2);
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
}

/// A late registration finds tokens too.
// shows: A5
#[test]
fn a_token_payment_that_came_before_its_registration_is_found() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(5);
    confirmd.await_ethereum(anvil);
    confirmd
        .register("order-1")
        .asset("USDT")
        .address(RECEIVER)
        .amount("25")
        .submit();
    confirmd.await_payment("order-1", &json!({"status": "paid", "confirmations": 5}));
}

/// Addresses may be written in lower case; a mixed-case one is refused when its checksum is wrong.
#[test]
fn an_address_is_canonical_in_the_row_and_a_wrong_checksum_is_refused() {
    let (ethereum, confirmd) = world();
    let address = ethereum.tokens.mischief.to_string();
    let lower = confirmd
        .register("lower")
        .asset("USDT")
        .address(address.to_lowercase());
    confirmd.await_applied(&lower.submit());
    confirmd.await_payment("lower", &json!({"address": address}));
    let letter = address
        .rfind(|c: char| c.is_ascii_alphabetic())
        .expect("a letter");
    let mut wrong = address.clone().into_bytes();
    wrong[letter] ^= 0x20;
    let wrong = String::from_utf8(wrong).expect("ASCII");
    let wrong = confirmd
        .register("wrong")
        .asset("USDT")
        .address(wrong)
        .submit();
    confirmd.await_refused(&wrong, "bad_address");
    let twin = confirmd
        .register("twin")
        .asset("ETH")
        .amount("1")
        .address(&address)
        .submit();
    confirmd.await_refused(&twin, "address_in_use");
}

/// What was told of tokens above a height, oldest first: a proxy tells of its first code when it is made.
fn told_of_tokens(confirmd: &Confirmd, above: u64) -> Vec<(String, Value)> {
    let journal = confirmd.ledger().journal().into_iter();
    let chain_wide = journal.filter(|event| event["payment_id"].is_null());
    let tokens = chain_wide.map(|event| event["data"]["token"].clone());
    let later = tokens.filter(|token| token["block_height"].as_u64() > Some(above));
    let named = later.filter_map(|token| Some((token["code"].as_str()?.to_owned(), token)));
    named.collect()
}

/// What a payment was told of, in order.
fn told_to(confirmd: &Confirmd, id: &str) -> Vec<String> {
    let events = confirmd.ledger().events(id).into_iter();
    let codes = events.filter_map(|event| {
        let code = event["data"].pointer("/attention/code")?;
        code.as_str().map(str::to_owned)
    });
    codes.collect()
}

/// The real shapes of USDT's and USDC's logs, indexed and not.
// shows: T17
#[test]
fn what_the_issuer_of_a_token_does_is_told_to_whom_it_concerns() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let other = Address::repeat_byte(0x32);
    let made_at = anvil.block_number();
    register(&confirmd, "usdt", "USDT", "25");
    register_to(&confirmd, "usdc", "USDC", "25", other);
    tokens::set_fee(anvil, tokens.usdt, 10, 5);
    tokens::pause(anvil, tokens.usdt);
    tokens::unpause(anvil, tokens.usdt);
    tokens::pause(anvil, tokens.usdc);
    tokens::upgrade_usdc(anvil, tokens.usdc);
    tokens::blacklist_usdc(anvil, tokens.usdc, other);
    tokens::blacklist_usdt(anvil, tokens.usdt, Address::repeat_byte(0x77));
    tokens::pause(anvil, tokens.mischief);
    anvil.mine(1);
    let of_both = [
        (
            "usdt",
            ["token_fee_changed", "token_paused", "token_unpaused"],
        ),
        (
            "usdc",
            ["token_blacklisted", "token_paused", "token_upgraded"],
        ),
    ];
    for (id, codes) in of_both {
        confirmd.await_true(id, || told_to(&confirmd, id).len() == codes.len());
        let mut told = told_to(&confirmd, id);
        told.sort();
        assert_eq!(told, codes, "{id}");
    }
    let review = |id: &str| confirmd.await_payment(id, &json!({}))["needs_review"].clone();
    assert_eq!((review("usdt"), review("usdc")), (0.into(), 1.into()));
    let told = told_of_tokens(&confirmd, made_at);
    assert_eq!(told.len(), 6, "{told:#?}");
    for (code, token) in told {
        let logs = &token["logs"][0];
        let contract = if token["asset"] == "USDT" {
            tokens.usdt
        } else {
            tokens.usdc
        };
        assert_eq!(token["contract"], contract.to_string());
        match code.as_str() {
            "token_fee_changed" => assert_eq!(logs["figures"], json!(["10", "5000000"])),
            "token_blacklisted" => assert_eq!(logs["account"], other.to_string()),
            "token_upgraded" => assert!(logs["account"].is_string()),
            _ => assert!(logs["account"].is_null(), "{logs}"),
        }
    }
    let explained = confirmd.command(&["payment", "explain", "usdc"]).ok();
    assert!(explained.contains("on a token's blacklist"), "{explained}");
    assert!(
        explained.contains("USDC was paused by its contract"),
        "{explained}"
    );
}

// shows: T17
#[test]
fn a_token_that_is_deprecated_and_funds_that_are_destroyed_are_told() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let made_at = anvil.block_number();
    register(&confirmd, "usdt", "USDT", "25");
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    confirmd.await_payment("usdt", &json!({"status": "paid", "needs_review": 0}));
    tokens::blacklist_usdt(anvil, tokens.usdt, RECEIVER);
    let destroy = "destroyBlackFunds(address)";
    anvil.invoke(tokens.usdt, destroy, &[RECEIVER.into()]);
    tokens::deprecate_usdt(anvil, tokens.usdt, anvil.account(0));
    anvil.mine(1);
    let destroyed = json!({"status": "paid", "reason": "exact", "needs_review": 1});
    confirmd.await_payment("usdt", &destroyed);
    // Deprecation concerns open payments; this one is paid.
    assert_eq!(
        told_to(&confirmd, "usdt"),
        ["token_blacklisted", "token_funds_destroyed"]
    );
    let told = told_of_tokens(&confirmd, made_at);
    let codes: Vec<&str> = told.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "token_deprecated",
            "token_blacklisted",
            "token_funds_destroyed"
        ]
    );
    assert_eq!(told[2].1["logs"][0]["figures"], json!(["25000000"]));
}
