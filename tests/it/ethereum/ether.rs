//! Ether: the value of successful transactions, whatever else they carry.

use alloy_primitives::{Address, hex};
use serde_json::json;

use super::{RECEIVER, register, register_to, world};
use crate::confirmd::config::ETH_DEPTH;
use crate::nodes::anvil::ETHER;

/// The whole way of an ordinary payment in ether.
#[test]
fn an_exact_payment_in_ether_goes_from_new_to_paid() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "ETH", "0.15");
    let txid = anvil.send_eth(RECEIVER, ETHER / 100 * 15).to_string();
    anvil.mine(1);
    let mined = json!({
        "status": "confirming", "txid": txid, "amount_received": "0.150000000000000000",
        "confirmations": 1, "confirmations_required": ETH_DEPTH,
    });
    confirmd.await_payment("order-1", &mined);
    anvil.mine(2);
    let paid = json!({"status": "paid", "reason": "exact", "flags": "", "needs_review": 0});
    confirmd.await_payment("order-1", &paid);
    let credit = json!({
        "position": "tx", "asset": "ETH", "amount": "0.150000000000000000", "disposition": "counted",
        "from_address": anvil.account(0).to_string(),
    });
    confirmd.await_transfer("order-1", &txid, &credit);
    assert_eq!(confirmd.path("order-1"), ["new", "confirming", "paid"]);
}

/// A1 for eighteen decimals: not one wei is lost.
// shows: A1
#[test]
fn a_wei_short_is_short_and_a_wei_over_is_over() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    let cases = [
        (
            "short",
            ETHER - 1,
            "invalid",
            "underpaid",
            "1.000000000000000000",
            "0.000000000000000001",
        ),
        (
            "over",
            ETHER + 1,
            "paid",
            "overpaid",
            "1.000000000000000000",
            "0.000000000000000000",
        ),
    ];
    for ((id, wei, .., amount, _), byte) in cases.into_iter().zip(0x61..) {
        let receiver = Address::repeat_byte(byte);
        register_to(&confirmd, id, "ETH", amount, receiver);
        anvil.send_eth(receiver, wei);
    }
    anvil.mine(3);
    for (id, _, status, reason, _, shortfall) in cases {
        let end = json!({"status": status, "reason": reason, "shortfall": shortfall});
        confirmd.await_payment(id, &end);
    }
}

/// Makes an account behave as the code at `target` does (EIP-7702).
fn delegate(anvil: &crate::nodes::anvil::Anvil, account: Address, target: Address) {
    let code = hex::encode_prefixed([&hex!("ef0100")[..], target.as_slice()].concat());
    anvil.rpc().call("anvil_setCode", json!([account, code]));
}

/// T11: neither calldata nor code on either side changes whose money it is.
// shows: T11
#[test]
fn ether_with_calldata_or_delegated_code_on_either_side_is_seen() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let [plain, delegated, from_delegated] = [0x71, 0x72, 0x73].map(Address::repeat_byte);
    let sender = anvil.account(1);
    delegate(anvil, delegated, tokens.mischief);
    delegate(anvil, sender, tokens.mischief);
    let receivers = [
        ("calldata", plain),
        ("receiver", delegated),
        ("sender", from_delegated),
    ];
    for (id, receiver) in receivers {
        register_to(&confirmd, id, "ETH", "1", receiver);
    }
    let payer = anvil.account(0);
    anvil.call_contract(payer, plain, ETHER, b"order-1, thank you");
    anvil.send_eth(delegated, ETHER);
    anvil.call_contract(sender, from_delegated, ETHER, &[]);
    anvil.mine(3);
    for (id, _) in receivers {
        confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
    }
    confirmd.await_true("who sent it", || {
        confirmd.ledger().transfers("sender")[0]["from_address"] == sender.to_string()
    });
}

/// T3: the receipt decides, not the value that the transaction carries.
// shows: T3
#[test]
fn a_failed_transaction_pays_nothing() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let refusing = Address::repeat_byte(0x74);
    let set_code = |code: &str| anvil.rpc().call("anvil_setCode", json!([refusing, code]));
    set_code("0x60006000fd");
    register_to(&confirmd, "contract", "ETH", "1", refusing);
    register(&confirmd, "token", "USDT", "25");
    let ether = anvil.send_eth(refusing, ETHER);
    let moved = [tokens.usdt.into(), RECEIVER.into(), 25_000_000.into()];
    let signature = "transferAndRevert(address,address,uint256)";
    let token = anvil.invoke(tokens.mischief, signature, &moved);
    let inner = "transferInRevertedCall(address,address,uint256)";
    let inner = anvil.invoke(tokens.mischief, inner, &moved);
    anvil.mine(3);
    let succeeded =
        [ether, token, inner].map(|sent| anvil.receipt(sent).expect("a receipt").succeeded);
    assert_eq!(succeeded, [false, false, true]);
    confirmd.await_ethereum(anvil);
    for id in ["contract", "token"] {
        confirmd.await_payment(id, &json!({"status": "new", "version": 1}));
        assert!(confirmd.ledger().transfers(id).is_empty(), "{id}");
    }
    set_code("0x");
    anvil.send_eth(refusing, ETHER);
    anvil.mine(3);
    confirmd.await_status("contract", "paid");
}

/// T16: a creation has no receiver and stops nothing.
// shows: T16
#[test]
fn contract_creations_and_transactions_with_and_without_fee_market_are_read() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let types = ["legacy", "access-list", "fees"];
    let fields = [
        json!({"gasPrice": "0x77359400"}),
        json!({"gasPrice": "0x77359400", "accessList": [{
            "address": tokens.usdt, "storageKeys": [format!("0x{}", "00".repeat(32))],
        }]}),
        json!({"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x1"}),
    ];
    let signature = "createWith()";
    anvil.invoke_paying(tokens.mischief, ETHER, signature, &[]);
    anvil.deploy("60006000f3", &[]);
    for ((id, extra), byte) in types.iter().zip(fields).zip(0x81..) {
        let receiver = Address::repeat_byte(byte);
        register_to(&confirmd, id, "ETH", "1", receiver);
        let mut transaction = extra;
        transaction["from"] = json!(anvil.account(2));
        transaction["to"] = json!(receiver);
        transaction["value"] = json!("0xde0b6b3a7640000");
        transaction["gas"] = json!("0x186a0");
        anvil
            .rpc()
            .call("eth_sendTransaction", json!([transaction]));
    }
    anvil.mine(3);
    for id in types {
        confirmd.await_payment(id, &json!({"status": "paid", "reason": "exact"}));
    }
}
