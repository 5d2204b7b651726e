//! Ether that contracts move inside transactions: seen by tracing, worth what vouches for it.

use alloy_primitives::Address;
use serde_json::json;

use super::{register_to, world};
use crate::nodes::{abi::Arg, anvil::ETHER};

/// Payouts through contracts, each to an address of its own.
// shows: T10
#[test]
fn ether_that_contracts_move_is_credited_exactly() {
    let (ethereum, confirmd) = world();
    let (anvil, tokens) = (&ethereum.anvil, &ethereum.tokens);
    let [plain, halves, first, second, destructed, reverted] =
        [0x51, 0x52, 0x53, 0x54, 0x55, 0x56].map(Address::repeat_byte);
    let receivers = [
        ("plain", plain),
        ("halves", halves),
        ("first", first),
        ("second", second),
        ("destructed", destructed),
        ("reverted", reverted),
    ];
    for (id, receiver) in receivers {
        register_to(&confirmd, id, "ETH", "1", receiver);
    }
    let pay = |wei: u64, signature: &str, args: &[Arg]| {
        anvil.invoke_paying(tokens.mischief, wei, signature, args)
    };
    pay(ETHER, "forward(address)", &[plain.into()]);
    let halved = pay(ETHER, "forwardInHalves(address)", &[halves.into()]);
    let both = [first, second];
    pay(2 * ETHER, "forwardToMany(address[])", &[both[..].into()]);
    pay(ETHER, "destructTo(address)", &[destructed.into()]);
    pay(ETHER, "forwardInRevertedCall(address)", &[reverted.into()]);
    // What a delegate call calls its value stays with its caller.
    pay(ETHER, "delegateTo(address)", &[reverted.into()]);
    anvil.mine(3);
    for (id, _) in receivers.into_iter().filter(|(id, _)| *id != "reverted") {
        let paid = json!({"status": "paid", "reason": "exact", "flags": "degraded"});
        confirmd.await_payment(id, &paid);
    }
    let halves = confirmd.ledger().transfers("halves");
    let told = halves
        .iter()
        .map(|row| json!([row["position"], row["amount"], row["txid"]]));
    let half = "0.500000000000000000";
    let expected = ["trace:0", "trace:1"].map(|at| json!([at, half, halved.to_string()]));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let payer = tokens.mischief.to_string();
    assert_eq!(halves[0]["from_address"], payer);
    confirmd.await_ethereum(anvil);
    confirmd.await_payment("reverted", &json!({"status": "new", "version": 1}));
}
