//! When blocks of Ethereum are replaced: there is no mempool to fall back to.

use alloy_primitives::{Address, B256};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{RECEIVER, register, world};
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::abi::encode_call;
use crate::nodes::anvil::{Anvil, ETHER};
use crate::nodes::tokens::{Tokens, transfer};

/// F3: the block is replaced before the payment is deep enough.
// shows: F3
#[test]
fn a_token_payment_whose_block_is_replaced_is_not_confirmed() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "USDT", "25");
    let txid = transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000).to_string();
    anvil.mine(1);
    confirmd.await_status("order-1", "confirming");
    anvil.reorg_to(1, 3);
    let gone = json!({
        "status": "new", "reason": "reorged", "flags": "reorged", "amount_received": "0.000000",
        "txid": null, "confirmations": 0,
    });
    confirmd.await_payment("order-1", &gone);
    confirmd.await_transfer("order-1", &txid, &json!({"state": "orphaned"}));
    confirmd.await_ethereum(anvil);
    assert_eq!(confirmd.path("order-1"), ["new", "confirming", "new"]);
}

/// A payment of 25 USDT that is paid, in the topmost two blocks; its transaction as it was signed.
fn paid(ethereum: &Ethereum, confirmd: &Confirmd) -> (B256, Value) {
    let anvil = &ethereum.anvil;
    register(confirmd, "order-1", "USDT", "25");
    let txid = transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(2);
    confirmd.await_status("order-1", "paid");
    let raw = anvil
        .rpc()
        .call("eth_getRawTransactionByHash", json!([txid]));
    assert!(raw.is_string(), "{raw}");
    (txid, raw)
}

/// F12.
// shows: F12
#[test]
fn a_paid_token_payment_that_leaves_the_chain_is_reversed_and_paid_again_when_mined_again() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    let (txid, raw) = paid(&ethereum, &confirmd);
    anvil.reorg_to(2, 4);
    let reversed = json!({
        "status": "invalid", "reason": "reorged", "flags": "reorged,reversed", "needs_review": 1,
        "paid_at": null, "amount_received": "0.000000",
    });
    confirmd.await_payment("order-1", &reversed);
    let event = json!({"kind": "reversed", "from_status": "paid", "to_status": "invalid"});
    confirmd.await_event("order-1", &event);

    let again = anvil.rpc().call("eth_sendRawTransaction", json!([raw]));
    assert_eq!(again, json!(txid));
    anvil.mine(2);
    let paid =
        json!({"status": "paid", "reason": "exact", "txid": txid.to_string(), "needs_review": 1});
    confirmd.await_payment("order-1", &paid);
    assert_eq!(confirmd.count_events("order-1", "reversed"), 1);
    assert_eq!(confirmd.ledger().transfers("order-1").len(), 1);
}

/// The place of a transaction's only log among all logs of its block.
fn log_index(anvil: &Anvil, txid: B256) -> Value {
    let receipt = anvil.rpc().call("eth_getTransactionReceipt", json!([txid]));
    receipt["logs"][0]["logIndex"].clone()
}

/// F4: with another log index and in another block it is the same transfer.
// shows: F4
#[test]
fn a_token_payment_mined_again_in_the_new_branch_only_moves() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let (txid, raw) = paid(&ethereum, &confirmd);
    assert_eq!(log_index(anvil, txid), "0x0");
    let before = confirmd.ledger().transfers("order-1");
    confirmd.signal(Signal::SIGSTOP); // it sees the whole reorganisation at once
    anvil.reorg_to(2, 1);
    pay_somebody_else(anvil, tokens);
    anvil.rpc().call("eth_sendRawTransaction", json!([raw]));
    anvil.mine(3);
    assert_eq!(log_index(anvil, txid), "0x1", "another log comes before it");
    confirmd.signal(Signal::SIGCONT);
    let height = anvil.block_number() - 2;
    let moved = json!({
        "status": "paid", "txid": txid.to_string(), "block_hash": anvil.hash_at(height).to_string(),
        "flags": "reorged", "amount_received": "25.000000",
    });
    confirmd.await_payment("order-1", &moved);
    assert_eq!(confirmd.count_events("order-1", "reversed"), 0);
    let after = confirmd.ledger().transfers("order-1");
    assert_eq!(after.len(), 1, "{after:#?}");
    for kept in ["txid", "position", "amount", "first_seen_at"] {
        assert_eq!(after[0][kept], before[0][kept], "{kept}");
    }
    assert_eq!(after[0]["block_height"], height);
}

/// A USDT transfer that account 0, who pays the payments, has no part in.
fn pay_somebody_else(anvil: &Anvil, tokens: &Tokens) -> B256 {
    let receivers = [Address::repeat_byte(0x77)];
    let args = [
        tokens.usdt.into(),
        receivers.as_slice().into(),
        [1_000_000_u64].as_slice().into(),
    ];
    let data = encode_call("batch(address,address[],uint256[])", &args);
    anvil.call_contract(anvil.account(3), tokens.mischief, 0, &data)
}

/// F2, F7.
// shows: F2
#[test]
fn reorganisations_of_growing_depth_are_followed_one_after_another() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    anvil.mine(6);
    for depth in 1..=5 {
        confirmd.await_ethereum(anvil);
        anvil.reorg(depth);
    }
    confirmd.await_ethereum(anvil);
    let reorgs = confirmd.metric("confirmd_reorgs_total{chain=\"ethereum\"}");
    assert!((reorgs - 5.0).abs() < 0.5, "{reorgs}");
}

/// F6: a node that is behind takes nothing away; that its chain is another shows with its next block.
// shows: F6
#[test]
fn a_node_with_a_lower_tip_takes_nothing_away_before_it_shows_another_block() {
    let (ethereum, confirmd) = world();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "ETH", "1");
    anvil.send_eth(RECEIVER, ETHER);
    anvil.mine(1);
    let height = anvil.block_number();
    confirmd.await_status("order-1", "confirming");
    anvil.rollback(1);
    confirmd.await_chain(
        "ethereum",
        &json!({"tip_height": height - 1, "scanned_height": height}),
    );
    confirmd.await_status("order-1", "confirming");
    anvil.mine(1);
    confirmd.await_payment("order-1", &json!({"status": "new", "reason": "reorged"}));
    confirmd.await_ethereum(anvil);
}

/// F9.
// shows: F9
#[test]
fn a_reorganisation_while_the_daemon_was_down_is_noticed_at_start() {
    let (ethereum, mut confirmd) = world();
    let anvil: &Anvil = &ethereum.anvil;
    paid(&ethereum, &confirmd);
    confirmd.stop();
    anvil.reorg_to(2, 3);
    confirmd.start();
    confirmd.await_payment(
        "order-1",
        &json!({"status": "invalid", "reason": "reorged"}),
    );
    confirmd.await_event(
        "order-1",
        &json!({"kind": "reversed", "from_status": "paid"}),
    );
}
