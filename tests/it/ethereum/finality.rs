//! Finality by the node's tag, and what happens when a node contradicts it.

use alloy_primitives::{Address, B256};
use serde_json::json;

use super::{RECEIVER, register, register_to};
use crate::confirmd::relay::Relay;
use crate::confirmd::wait::assert_row;
use crate::confirmd::{Confirmd, Ethereum, now_ms};
use crate::nodes::anvil::Anvil;
use crate::nodes::tokens::{Tokens, transfer};

/// Anvil's `finalized` is then four blocks behind its tip.
const QUICK: &[&str] = &["--slots-in-an-epoch", "2"];

#[test]
fn a_payment_is_final_when_its_block_is_finalized() {
    let ethereum = Ethereum::start();
    let confirmd = Confirmd::with(&ethereum).start();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "USDT", "25");
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(1);
    let height = anvil.block_number();
    anvil.mine(63);
    let paid = confirmd.await_payment("order-1", &json!({"status": "paid", "confirmations": 64}));
    assert_row(&paid, &json!({"final": 0}));
    anvil.mine(1);
    confirmd.await_payment("order-1", &json!({"status": "paid", "final": 1}));
    confirmd.await_event("order-1", &json!({"kind": "finalized"}));
    confirmd.await_chain("ethereum", &json!({"finalized_height": height}));
}

/// Who else is paid.
const OTHER: Address = Address::repeat_byte(0x32);

/// How deep money is in a block that anvil calls safe, and in one that it calls final.
const SAFE: u64 = 33;
const FINAL: u64 = 65;

/// Anvil calls the block 32 below its tip safe, and the one 64 below final.
#[test]
fn payments_wait_for_the_block_that_the_node_calls_safe_or_final() {
    let ethereum = Ethereum::start();
    let mut confirmd = Confirmd::with(&ethereum)
        .set("assets.USDT.confirmations", "safe")
        .set("assets.USDC.confirmations", "finalized")
        .start();
    let anvil = &ethereum.anvil;
    register(&confirmd, "safe", "USDT", "25");
    register_to(&confirmd, "final", "USDC", "25", OTHER);
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    transfer(anvil, ethereum.tokens.usdc, OTHER, 25_000_000);
    anvil.mine(SAFE - 1);
    let waits =
        |confirmations: u64| json!({"status": "confirming", "confirmations": confirmations});
    confirmd.await_payment("safe", &waits(SAFE - 1));
    anvil.mine(1);
    confirmd.await_payment("safe", &json!({"status": "paid", "confirmations": SAFE}));
    confirmd.await_payment("final", &waits(SAFE));
    let row = confirmd.await_payment("safe", &json!({"final": 0, "depth_rule": "safe"}));
    assert_row(&row, &json!({"confirmations_required": 65}));
    // A change of the configuration changes no open payment, and neither does a restart.
    confirmd.stop();
    confirmd.set("assets.USDC.confirmations", 1);
    confirmd.start();
    anvil.mine(FINAL - 1 - SAFE);
    confirmd.await_payment("final", &waits(FINAL - 1));
    confirmd.await_payment("safe", &json!({"status": "paid", "final": 0}));
    anvil.mine(1);
    confirmd.await_payment("safe", &json!({"status": "paid", "final": 1}));
    let paid = json!({"status": "paid", "final": 1, "confirmations": FINAL});
    confirmd.await_payment("final", &paid);
}

/// What was safe leaves with its block: the payment is withdrawn, though nothing final is touched.
#[test]
fn a_payment_whose_safe_block_leaves_is_reversed_until_another_is_safe() {
    let ethereum = Ethereum::start();
    let confirmd = Confirmd::with(&ethereum)
        .set("assets.USDT.confirmations", "safe")
        .start();
    let anvil = &ethereum.anvil;
    register(&confirmd, "order-1", "USDT", "25");
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(SAFE);
    confirmd.await_payment("order-1", &json!({"status": "paid"}));
    anvil.reorg(SAFE);
    confirmd.await_event("order-1", &json!({"kind": "reversed"}));
    confirmd.await_payment(
        "order-1",
        &json!({"status": "invalid", "reason": "reorged"}),
    );
    transfer(anvil, ethereum.tokens.usdt, RECEIVER, 25_000_000);
    anvil.mine(SAFE - 1);
    let waits = json!({"status": "confirming", "confirmations": SAFE - 1});
    confirmd.await_payment("order-1", &waits);
    anvil.mine(1);
    confirmd.await_payment("order-1", &json!({"status": "paid", "needs_review": 1}));
}

/// Two chains that are one until they differ: every block's time is given.
struct Twins {
    ours: Ethereum,
    other: Ethereum,
    begin: u64,
    height: u64,
}

impl Twins {
    /// Both with the same tokens in the same block.
    fn start() -> Self {
        let begin = u64::try_from(now_ms() / 1000 - 3600).expect("a time past 1970");
        let timestamp = begin.to_string();
        let args = [QUICK, &["--timestamp", &timestamp]].concat();
        let [ours, other] = [0; 2].map(|_| {
            let anvil = Anvil::start_with(&args);
            anvil.set_next_timestamp(begin + 1);
            let tokens = Tokens::deploy(&anvil);
            Ethereum { anvil, tokens }
        });
        let height = ours.anvil.block_number();
        let twins = Self {
            ours,
            other,
            begin,
            height,
        };
        assert_eq!(twins.tips()[0], twins.tips()[1], "they are one so far");
        twins
    }

    fn tips(&self) -> [B256; 2] {
        [&self.ours, &self.other].map(|side| side.anvil.hash_at(side.anvil.block_number()))
    }

    /// Mines one block of the same time on both.
    fn mine(&mut self) {
        self.height += 1;
        for side in [&self.ours, &self.other] {
            side.anvil.set_next_timestamp(self.begin + self.height);
            side.anvil.mine(1);
        }
    }
}

/// A payment on our side of the twins, paid and final; the daemon looks through the cable.
fn final_payment(twins: &mut Twins) -> (Relay, Confirmd) {
    let cable = Relay::to(&twins.ours.anvil.url());
    let confirmd = Confirmd::with(&twins.ours).endpoint(&cable.url()).start();
    register(&confirmd, "order-1", "USDT", "25");
    transfer(
        &twins.ours.anvil,
        twins.ours.tokens.usdt,
        RECEIVER,
        25_000_000,
    );
    for _ in 0..6 {
        twins.mine();
    }
    confirmd.await_payment("order-1", &json!({"status": "paid", "final": 1}));
    (cable, confirmd)
}

/// F14: nothing is rolled back, nothing rises, and the return of the node heals it.
// shows: F14
#[test]
fn a_change_below_finality_freezes_the_chain_until_the_node_is_back() {
    let mut twins = Twins::start();
    let (cable, confirmd) = final_payment(&mut twins);
    confirmd.await_ethereum(&twins.ours.anvil);
    let kept = confirmd.ledger().chain("ethereum").expect("a chain");
    cable.lead_to(&twins.other.anvil.url());
    let frozen = json!({
        "frozen": "below_finality", "scanned_hash": kept["scanned_hash"],
        "finalized_height": kept["finalized_height"],
    });
    confirmd.await_chain("ethereum", &frozen);
    confirmd.await_payment("order-1", &json!({"status": "paid", "final": 1}));
    confirmd.await_true("an alarm in the journal", || {
        let journal = confirmd.ledger().journal();
        journal
            .iter()
            .any(|event| event["kind"] == "attention" && event["payment_id"].is_null())
    });

    cable.lead_to(&twins.ours.anvil.url());
    confirmd.await_chain("ethereum", &json!({"frozen": null}));
    confirmd.await_ethereum(&twins.ours.anvil);
    assert_eq!(confirmd.count_events("order-1", "reversed"), 0);
}

/// F14: the operator decides that the other branch is the true one; what was final says so.
#[test]
fn a_frozen_chain_that_is_released_follows_the_node() {
    let mut twins = Twins::start();
    let (cable, mut confirmd) = final_payment(&mut twins);
    cable.lead_to(&twins.other.anvil.url());
    confirmd.await_chain("ethereum", &json!({"frozen": "below_finality"}));
    confirmd.stop();
    let release = [
        "chain",
        "release",
        "ethereum",
        "--note",
        "the other branch has won",
    ];
    confirmd.command(&release).ok();
    confirmd.start();
    confirmd.await_chain("ethereum", &json!({"frozen": null}));
    confirmd.await_ethereum(&twins.other.anvil);
    confirmd.await_payment("order-1", &json!({"final": 1, "needs_review": 1}));
    confirmd.await_event("order-1", &json!({"kind": "attention"}));
}
