//! Ether that contracts move inside transactions: seen by tracing, worth what vouches for it.

use alloy_primitives::Address;
use serde_json::{Value, json};
use toml::Table;

use super::register_to;
use crate::alterations::middle::{Middle, Refusal};
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::abi::Arg;
use crate::nodes::anvil::ETHER;
use crate::nodes::tokens::transfer;

const TRACE: &str = "debug_traceBlockByHash";

/// Those who are paid by contracts, and who is not.
const RECEIVERS: [(&str, u8); 7] = [
    ("plain", 0x51),
    ("halves", 0x52),
    ("first", 0x53),
    ("second", 0x54),
    ("destructed", 0x55),
    ("created", 0x57),
    ("reverted", 0x56),
];

/// Payouts through contracts, each to an address of its own, as seen by whichever method is there.
// shows: T10
#[test]
fn ether_that_contracts_move_is_credited_exactly_by_the_call_tracer() {
    credited_exactly(&[], "callTracer");
}

// shows: T10
#[test]
fn ether_that_contracts_move_is_credited_exactly_by_trace_block() {
    credited_exactly(&["debug_"], "trace_block");
}

/// Where nobody traces, all of it is shown to a person, and paid by nothing else.
// shows: T10 T12
#[test]
fn ether_that_contracts_move_is_shown_exactly_by_balances_and_paid_by_a_person() {
    let world = World::<1>::new();
    world.providers[0].refuse(&["debug_", "trace_"]);
    let confirmd = world.start();
    world.pay_out(&confirmd);
    let one_ether = "1.000000000000000000";
    for (id, _) in RECEIVERS.into_iter().filter(|(id, _)| *id != "reverted") {
        let shown = json!({
            "status": "new", "flags": "degraded", "needs_review": 1,
            "amount_received": "0.000000000000000000",
        });
        confirmd.await_payment(id, &shown);
        let transfers = confirmd.ledger().transfers(id);
        assert_eq!(transfers.len(), 1, "{id}: {transfers:?}");
        let row = &transfers[0];
        assert_eq!(
            (&row["txid"], &row["amount"]),
            (&Value::Null, &json!(one_ether))
        );
        let height = row["block_height"].as_i64().expect("a block");
        assert_eq!(row["position"], format!("balance:{height}"));
    }
    confirmd.await_ethereum(&world.ethereum.anvil);
    confirmd.await_payment("reverted", &json!({"status": "new", "needs_review": 0}));
    assert!(confirmd.ledger().transfers("reverted").is_empty());
    assert_eq!(confirmd.tracing(), "balance");
    // Deep enough for a person.
    world.ethereum.anvil.mine(3);
    confirmd.await_ethereum(&world.ethereum.anvil);
    let accept = confirmd.command(&["payment", "accept", "plain", "--note", "seen"]);
    accept.ok();
    let paid =
        json!({"status": "paid", "reason": "operator", "txid": null, "amount_counted": one_ether});
    confirmd.await_payment("plain", &paid);
    // More, and not the same again.
    let halves = Address::repeat_byte(0x52);
    world.pay_inside(halves);
    world.ethereum.anvil.mine(1);
    confirmd.await_true("the later ether", || {
        confirmd.ledger().transfers("halves").len() == 2
    });
    let transfers = confirmd.ledger().transfers("halves");
    assert!(
        transfers.iter().all(|row| row["amount"] == one_ether),
        "{transfers:?}"
    );
}

fn credited_exactly(refused: &'static [&'static str], method: &str) {
    let world = World::<1>::new();
    world.providers[0].refuse(refused);
    let confirmd = world.start();
    let in_two = world.pay_out(&confirmd);
    for (id, _) in RECEIVERS.into_iter().filter(|(id, _)| *id != "reverted") {
        let paid = json!({"status": "paid", "reason": "exact", "flags": "degraded"});
        confirmd.await_payment(id, &paid);
    }
    let halves = confirmd.ledger().transfers("halves");
    let told = halves
        .iter()
        .map(|row| json!([row["position"], row["amount"], row["txid"]]));
    let half = "0.500000000000000000";
    let expected = ["trace:0", "trace:1"].map(|at| json!([at, half, in_two]));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    // Two levels below the transaction.
    let destructed = confirmd.ledger().transfers("destructed");
    assert_eq!(destructed[0]["position"], "trace:0.0");
    let payer = world.ethereum.tokens.mischief.to_string();
    assert_eq!(halves[0]["from_address"], payer);
    confirmd.await_ethereum(&world.ethereum.anvil);
    confirmd.await_payment("reverted", &json!({"status": "new", "version": 1}));
    assert_eq!(confirmd.tracing(), method);
}

/// An anvil, and several providers of it, who are independent of each other.
struct World<const N: usize> {
    ethereum: Ethereum,
    providers: [Middle; N],
}

impl<const N: usize> World<N> {
    fn new() -> Self {
        let ethereum = Ethereum::start();
        let providers = [(); N].map(|()| Middle::before(&ethereum.anvil));
        Self {
            ethereum,
            providers,
        }
    }

    fn start(&self) -> Confirmd {
        let endpoint = |(number, provider): (usize, &Middle)| {
            toml::Value::Table(Table::from_iter([
                ("name".to_owned(), format!("provider-{number}").into()),
                ("url".to_owned(), provider.url().into()),
            ]))
        };
        let endpoints: Vec<toml::Value> = self.providers.iter().enumerate().map(endpoint).collect();
        let genesis = self.ethereum.anvil.hash_at(0).to_string();
        let confirmd = Confirmd::with(&self.ethereum)
            .set("chains.ethereum.genesis", genesis)
            .set("chains.ethereum.endpoints", endpoints)
            .start();
        confirmd.await_ethereum(&self.ethereum.anvil);
        confirmd
    }

    /// Registers a payment of one ether for each of [`RECEIVERS`], and lets contracts pay them but for one;
    /// the transaction that pays in two halves.
    fn pay_out(&self, confirmd: &Confirmd) -> String {
        let (anvil, tokens) = (&self.ethereum.anvil, &self.ethereum.tokens);
        // The first contract that this one creates.
        let created = tokens.mischief.create(1);
        let receiver = |id: &str| {
            let found = RECEIVERS.into_iter().find(|(known, _)| *known == id);
            found.map_or(created, |(_, byte)| Address::repeat_byte(byte))
        };
        for (id, _) in RECEIVERS {
            let receiver = if id == "created" {
                created
            } else {
                receiver(id)
            };
            register_to(confirmd, id, "ETH", "1", receiver);
        }
        let pay = |wei: u64, signature: &str, args: &[Arg]| {
            anvil.invoke_paying(tokens.mischief, wei, signature, args)
        };
        pay(ETHER, "createWith()", &[]);
        pay(ETHER, "forward(address)", &[receiver("plain").into()]);
        let in_two = pay(
            ETHER,
            "forwardInHalves(address)",
            &[receiver("halves").into()],
        );
        let both = [receiver("first"), receiver("second")];
        pay(2 * ETHER, "forwardToMany(address[])", &[both[..].into()]);
        let destructed = receiver("destructed");
        pay(ETHER, "destructTo(address)", &[destructed.into()]);
        let reverted = receiver("reverted");
        pay(ETHER, "forwardInRevertedCall(address)", &[reverted.into()]);
        // What a delegate call calls its value stays with its caller.
        pay(ETHER, "delegateTo(address)", &[reverted.into()]);
        anvil.mine(3);
        in_two.to_string()
    }

    /// One ether by a contract.
    fn pay_inside(&self, receiver: Address) {
        let (anvil, mischief) = (&self.ethereum.anvil, self.ethereum.tokens.mischief);
        anvil.invoke_paying(mischief, ETHER, "forward(address)", &[receiver.into()]);
    }

    /// A call of a contract that moves nothing to anybody of ours.
    fn call(&self) {
        self.pay_inside(Address::repeat_byte(0x99));
    }
}

/// Adds a frame to each transaction that calls a contract: one ether for this account.
fn invented(receiver: Address) -> impl Fn(Value) -> Result<Value, Refusal> {
    move |mut traces: Value| {
        let Some(all) = traces.as_array_mut() else {
            return no_such_block();
        };
        for trace in all {
            let root = &mut trace["result"];
            let mut frame = root["calls"][0].clone();
            frame["to"] = json!(receiver);
            if let Some(calls) = root["calls"].as_array_mut() {
                calls.push(frame);
            }
        }
        Ok(traces)
    }
}

/// Leaves out what is inside.
fn withheld(mut traces: Value) -> Result<Value, Refusal> {
    let Some(all) = traces.as_array_mut() else {
        return no_such_block();
    };
    for trace in all {
        trace["result"]
            .as_object_mut()
            .expect("a frame")
            .remove("calls");
    }
    Ok(traces)
}

const fn no_such_block() -> Result<Value, Refusal> {
    Err((-32001, "no such block"))
}

fn pruned(_: Value) -> Result<Value, Refusal> {
    Err((-32000, "historical state is not available"))
}

/// A forged trace pays nobody: not where one operator is all there is, and not where there are others.
// shows: T10
#[test]
fn an_invented_move_pays_nobody() {
    let (invented_for, mark) = (Address::repeat_byte(0x61), Address::repeat_byte(0x62));
    let world = World::<1>::new();
    let confirmd = world.start();
    register_to(&confirmd, "invented", "ETH", "1", invented_for);
    world.providers[0].twist(TRACE, invented(invented_for));
    world.call();
    world.ethereum.anvil.mine(3);
    let doubted =
        json!({"status": "new", "needs_review": 1, "amount_received": "0.000000000000000000"});
    confirmd.await_payment("invented", &doubted);

    let world = World::<3>::new();
    let confirmd = world.start();
    register_to(&confirmd, "invented", "ETH", "1", invented_for);
    register_to(&confirmd, "mark", "ETH", "1", mark);
    world.providers[0].twist(TRACE, invented(invented_for));
    world.pay_inside(mark);
    world.ethereum.anvil.mine(3);
    // Two others bear out what is true, and nothing else.
    confirmd.await_payment("mark", &json!({"status": "paid", "flags": ""}));
    assert!(confirmd.ledger().transfers("invented").is_empty());
}

/// What one operator keeps to itself another tells.
// shows: T10
#[test]
fn a_move_that_one_operator_withholds_is_seen_and_waited_for() {
    let receivers = [0x63, 0x64].map(Address::repeat_byte);
    let world = World::<2>::new();
    let confirmd = world.start();
    register_to(&confirmd, "inside", "ETH", "1", receivers[0]);
    register_to(&confirmd, "token", "USDT", "25", receivers[1]);
    world.providers[0].twist(TRACE, withheld);
    world.pay_inside(receivers[0]);
    transfer(
        &world.ethereum.anvil,
        world.ethereum.tokens.usdt,
        receivers[1],
        25_000_000,
    );
    world.ethereum.anvil.mine(3);
    confirmd.await_status("token", "paid");
    let ready = || confirmd.page("/readyz").1;
    confirmd.await_true("their disagreement", || ready().contains("different moves"));
    assert!(confirmd.ledger().transfers("inside").is_empty());
    world.providers[0].be_honest();
    confirmd.await_payment("inside", &json!({"status": "paid", "flags": ""}));
    confirmd.await_true("their agreement", || !ready().contains("different moves"));
}

/// Where one of two can trace, the other's balance bears out what it tells.
// shows: T10 T12
#[test]
fn a_provider_that_cannot_trace_bears_out_one_that_can_by_the_balance() {
    let receiver = Address::repeat_byte(0x65);
    let world = World::<2>::new();
    world.providers[0].refuse(&["debug_", "trace_"]);
    let confirmd = world.start();
    register_to(&confirmd, "inside", "ETH", "1", receiver);
    world.pay_inside(receiver);
    world.ethereum.anvil.mine(3);
    confirmd.await_payment("inside", &json!({"status": "paid", "flags": ""}));
}

/// T12: without tracing everything but ether from contracts goes on; a trace that is refused is told, and tried
/// again.
// shows: T12
#[test]
fn without_traces_all_else_goes_on_and_they_are_tried_again() {
    let [plain, inside, token] = [0x66, 0x67, 0x68].map(Address::repeat_byte);
    let world = World::<1>::new();
    let (anvil, tokens) = (&world.ethereum.anvil, &world.ethereum.tokens);
    let mut confirmd = world.start();
    for (id, asset, amount, receiver) in [
        ("plain", "ETH", "1", plain),
        ("inside", "ETH", "1", inside),
        ("token", "USDT", "25", token),
    ] {
        register_to(&confirmd, id, asset, amount, receiver);
    }
    world.providers[0].twist(TRACE, pruned);
    anvil.send_eth(plain, ETHER);
    world.pay_inside(inside);
    transfer(anvil, tokens.usdt, token, 25_000_000);
    anvil.mine(3);
    for id in ["plain", "token"] {
        confirmd.await_status(id, "paid");
    }
    let ready = || confirmd.page("/readyz").1;
    confirmd.await_true("the refusal", || ready().contains("historical state"));
    assert!(confirmd.ledger().transfers("inside").is_empty());
    confirmd.restart();
    world.providers[0].be_honest();
    confirmd.await_payment("inside", &json!({"status": "paid", "flags": "degraded"}));

    // Where nobody ever could trace, nobody waits for it.
    let world = World::<1>::new();
    world.providers[0].refuse(&["debug_", "trace_"]);
    let confirmd = world.start();
    let short = confirmd
        .register("short")
        .asset("ETH")
        .address(plain)
        .amount("1");
    confirmd.await_applied(&short.submit());
    world.ethereum.anvil.send_eth(plain, ETHER / 2);
    world.call();
    world.ethereum.anvil.mine(3);
    confirmd.await_payment(
        "short",
        &json!({"status": "invalid", "reason": "underpaid"}),
    );
}
