//! What is made to look like money: fake tokens, malformed logs, poison, sums beyond machine integers.

use alloy_primitives::{Address, U256, hex};
use serde_json::json;

use super::{RECEIVER, register, register_to, world};
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::abi::{Arg, encode_call};
use crate::nodes::anvil::ETHER;
use crate::nodes::tokens::{log_and_transfer, transfer};

/// A payment that proves that everything before it in the chain has been judged.
const MARK: Address = Address::repeat_byte(0x91);

/// Pays the mark and waits until that is seen: whatever came before has been seen too.
#[track_caller]
fn await_mark(ethereum: &Ethereum, confirmd: &Confirmd) {
    register_to(confirmd, "mark", "USDC", "1", MARK);
    transfer(&ethereum.anvil, ethereum.tokens.usdc, MARK, 1_000_000);
    ethereum.anvil.mine(2);
    confirmd.await_status("mark", "paid");
}

#[track_caller]
fn assert_untouched(confirmd: &Confirmd, id: &str) {
    confirmd.await_payment(id, &json!({"status": "new", "version": 1, "flags": ""}));
    assert!(confirmd.ledger().transfers(id).is_empty());
}

/// T1, T2: only the configured contract's own log is money.
// shows: T1 T2
#[test]
fn fake_tokens_and_logs_of_other_contracts_pay_nothing() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    register(&confirmd, "order-1", "USDT", "25");
    transfer(anvil, tokens.fake_usdt, RECEIVER, 25_000_000);
    let clean = [anvil.account(0).into(), RECEIVER.into(), 25_000_000.into()];
    anvil.invoke(tokens.mischief, "logClean(address,address,uint256)", &clean);
    await_mark(&ethereum, &confirmd);
    assert_untouched(&confirmd, "order-1");

    log_and_transfer(anvil, tokens, RECEIVER, 25_000_000, 3_000_000);
    anvil.mine(2);
    let real = json!({"status": "invalid", "reason": "underpaid", "amount_received": "3.000000"});
    confirmd.await_payment("order-1", &real);
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// T5: ten thousand of them, and the real payment after them.
// shows: T5
#[test]
fn ten_thousand_zero_transfers_leave_no_trace() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    register(&confirmd, "order-1", "USDT", "25");
    let victims = vec![RECEIVER; 250];
    let args: [Arg; 3] = [
        tokens.usdt.into(),
        anvil.account(0).into(),
        victims.as_slice().into(),
    ];
    let data = encode_call("poison(address,address,address[])", &args);
    for nonce in 0..40 {
        let poison = json!({
            "from": anvil.account(3), "to": tokens.mischief, "gas": U256::from(15_000_000),
            "input": hex::encode_prefixed(&data), "nonce": U256::from(nonce),
        });
        anvil.rpc().call("eth_sendTransaction", json!([poison]));
    }
    transfer(anvil, tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    let block = anvil.block(anvil.block_number() - 1);
    let first = serde_json::from_value(block["transactions"][0].clone()).expect("a hash");
    assert_eq!(
        anvil.receipt(first).expect("a receipt").logs.len(),
        250,
        "they are real logs"
    );
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// Where the token of [`world_of_mischief`] is.
const ODD: Address = Address::repeat_byte(0xdd);

/// Code that answers `decimals()` with 18 and leaves everything else to `target`, as if it were its own.
fn token_that_does_as(target: Address) -> Vec<u8> {
    let head = hex!("60003560e01c63313ce567146045573660006000376000600036600073");
    let tail = hex!("5af43d600060003e6040573d6000fd5b3d6000f35b601260005260206000f3");
    [&head[..], target.as_slice(), &tail[..]].concat()
}

/// A daemon for which the mischievous contract is a token of 18 decimals.
fn world_of_mischief() -> (Ethereum, Confirmd) {
    let ethereum = Ethereum::start();
    let code = hex::encode_prefixed(token_that_does_as(ethereum.tokens.mischief));
    ethereum
        .anvil
        .rpc()
        .call("anvil_setCode", json!([ODD, code]));
    let confirmd = Confirmd::with(&ethereum)
        .set("assets.ODD.chain", "ethereum")
        .set("assets.ODD.contract", ODD.to_string())
        .set("assets.ODD.decimals", 18)
        .set("assets.ODD.confirmations", 2)
        .start();
    (ethereum, confirmd)
}

/// T6: from the right address, with the right topic, and still no transfer.
// shows: T6
#[test]
fn malformed_logs_of_a_configured_token_pay_nothing() {
    let (ethereum, confirmd) = world_of_mischief();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "ODD", "3");
    for signature in [
        "logOneTopic(address,address,uint256)",
        "logTwoTopics(address,address,uint256)",
        "logFourTopics(address,address,uint256)",
        "logNoData(address,address)",
        "logShortData(address,address,uint248)",
        "logLongData(address,address,uint256)",
        "logDirtyTopics(address,address,uint256)",
    ] {
        let args = [anvil.account(0).into(), RECEIVER.into(), (3 * ETHER).into()];
        anvil.invoke(ODD, signature, &args);
    }
    await_mark(&ethereum, &confirmd);
    assert_untouched(&confirmd, "order-1");

    let clean = [anvil.account(0).into(), RECEIVER.into(), (3 * ETHER).into()];
    anvil.invoke(ODD, "logClean(address,address,uint256)", &clean);
    anvil.mine(2);
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
}

/// T4: the transaction succeeds, the token says `false` and logs nothing.
// shows: T4
#[test]
fn a_transfer_that_returns_false_pays_nothing() {
    let (ethereum, confirmd) = world_of_mischief();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "ODD", "3");
    let signature = "transfer(address,uint256)";
    let three = [RECEIVER.into(), (3 * ETHER).into()];
    assert_eq!(anvil.read(ODD, signature, &three), U256::ZERO, "it says no");
    let txid = anvil.invoke(ODD, signature, &three);
    await_mark(&ethereum, &confirmd);
    let receipt = anvil.receipt(txid).expect("a mined transaction");
    assert!(receipt.succeeded && receipt.logs.is_empty(), "{receipt:?}");
    assert_untouched(&confirmd, "order-1");

    let clean = [anvil.account(0).into(), RECEIVER.into(), (3 * ETHER).into()];
    anvil.invoke(ODD, "logClean(address,address,uint256)", &clean);
    anvil.mine(2);
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "exact"}));
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// T13: beyond 64 and 128 bits, to the last digit; two of the largest do not wrap around.
// shows: T13
#[test]
fn amounts_beyond_machine_integers_are_exact() {
    let (ethereum, confirmd) = world_of_mischief();
    let anvil = &ethereum.anvil;
    let amounts = [
        ("bits-65", (U256::from(1) << 64) + U256::from(1)),
        ("bits-129", (U256::from(1) << 128) + U256::from(1)),
        ("bits-256", U256::MAX),
    ];
    for ((id, units), byte) in amounts.iter().zip(0xa1..) {
        let receiver = Address::repeat_byte(byte);
        register_to(&confirmd, id, "ODD", &decimal(*units), receiver);
        let args = [anvil.account(0).into(), receiver.into(), (*units).into()];
        anvil.invoke(ODD, "logClean(address,address,uint256)", &args);
    }
    let wrapping = Address::repeat_byte(0xb1);
    register_to(&confirmd, "wrapping", "ODD", "1", wrapping);
    let args = [
        anvil.account(0).into(),
        wrapping.into(),
        U256::MAX.into(),
        2.into(),
    ];
    anvil.invoke(ODD, "logMany(address,address,uint256,uint256)", &args);
    anvil.mine(2);
    for (id, units) in amounts {
        let paid = json!({"status": "paid", "reason": "exact", "amount_counted": decimal(units)});
        confirmd.await_payment(id, &paid);
    }
    let over =
        json!({"status": "paid", "reason": "overpaid", "amount_counted": "1.000000000000000000"});
    confirmd.await_payment("wrapping", &over);
}

/// Base units of 18 decimals as the views print them.
fn decimal(units: U256) -> String {
    let digits = format!("{:0>19}", units.to_string());
    let (whole, fraction) = digits.split_at(digits.len() - 18);
    format!("{whole}.{fraction}")
}
