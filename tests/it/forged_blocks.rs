//! F20: a node that says something else about a block than the block's hash does stops its own chain, by
//! name, and no other.

use alloy_primitives::Address;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::confirmd::relay::Relay;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::anvil::Anvil;
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::tokens::transfer;

/// In hex: a header, and the part of it before its difficulty and nonce, which no other block shares.
const HEADER_DIGITS: usize = 160;
const SHARED_DIGITS: usize = 144;

/// 0.015 BTC as a transaction has it, and ten times that.
const PAID: &str = "60e3160000000000";
const CLAIMED: &str = "c0e1e40000000000";

/// A daemon of both chains, each behind a relay.
struct World {
    node: Bitcoind,
    ethereum: Ethereum,
    relays: [Relay; 2],
    confirmd: Confirmd,
}

impl World {
    /// With a payment of 0.015 BTC and one of 25 USDT; where they are paid.
    fn new() -> (Self, String, Address) {
        let (node, ethereum) = (Bitcoind::start(), Ethereum::start());
        let relays = [node.url(), ethereum.anvil.url()].map(|url| Relay::to(&url));
        let confirmd = Confirmd::with(&node)
            .and(&ethereum)
            .set("chains.bitcoin.rpc_url", relays[0].url())
            .set("chains.bitcoin.rest", false)
            .endpoint(&relays[1].url())
            .start();
        let bech32 = node.new_address("bech32");
        let receiver = Address::repeat_byte(0x31);
        let btc = confirmd.register("btc").address(&bech32).submit();
        let usdt = confirmd.register("usdt").asset("USDT").address(receiver);
        let usdt = usdt.amount("25").submit();
        for request in [btc, usdt] {
            confirmd.await_applied(&request);
        }
        let world = Self {
            node,
            ethereum,
            relays,
            confirmd,
        };
        world.confirmd.await_bitcoin(&world.node);
        world.confirmd.await_ethereum(world.anvil());
        (world, bech32, receiver)
    }

    const fn anvil(&self) -> &Anvil {
        &self.ethereum.anvil
    }

    /// The chain is not healthy, for a reason with all these words, everywhere where that is told; it
    /// stands at this height.
    #[track_caller]
    fn await_stopped(&self, name: &str, height: u64, words: &[&str]) {
        let confirmd = &self.confirmd;
        let has_words = |text: &str| words.iter().all(|word| text.contains(word));
        confirmd.await_true(&format!("{name} to stop for {words:?}"), || {
            let chain = confirmd.ledger().chain(name).expect("a chain");
            chain["healthy"] == 0 && has_words(chain["error"].as_str().unwrap_or_default())
        });
        let chain = confirmd.ledger().chain(name).expect("a chain");
        let error = chain["error"].as_str().expect("an error");
        assert!(!error.contains("no answer"), "the node answers: {error}");
        assert_eq!(chain["scanned_height"], height, "{chain:#}");
        confirmd.await_true("/readyz to say so", || {
            let (status, page) = confirmd.page("/readyz");
            let page: Value = serde_json::from_str(&page).expect("JSON");
            let reason = page["chains"][name]["reason"].as_str().unwrap_or_default();
            status == 503 && has_words(reason)
        });
        assert!(!self.is_healthy(name), "the metric");
    }

    /// The other chain goes on and gives verdicts.
    #[track_caller]
    fn assert_goes_on(&self, name: &str) {
        let chain = self.confirmd.await_chain(name, &json!({"healthy": 1}));
        assert_eq!(chain["error"], Value::Null);
        let (_, page) = self.confirmd.page("/readyz");
        let page: Value = serde_json::from_str(&page).expect("JSON");
        assert_eq!(page["chains"][name]["ready"], true, "{page}");
        assert!(self.is_healthy(name), "the metric");
    }

    fn is_healthy(&self, name: &str) -> bool {
        let series = format!("confirmd_chain_healthy{{chain=\"{name}\"}}");
        self.confirmd.metric(&series) > 0.5
    }
}

/// F20 on Bitcoin: ten times as much in the block's body as its merkle root has.
// shows: F20
#[test]
fn a_bitcoin_block_with_another_body_stops_its_chain_alone() {
    let (mut world, bech32, receiver) = World::new();
    world.confirmd.signal(Signal::SIGSTOP); // until the lie is prepared
    world.node.send(&bech32, "0.015");
    let before = world.node.height();
    let hash = world.node.mine(1).remove(0);
    let [truth, lie] = twisted(&world.node, &hash);
    world.relays[0].twist(&truth, &lie);
    world.node.mine(1);
    world.confirmd.signal(Signal::SIGCONT);

    let height = format!("{}", before + 1);
    let words = [hash.as_str(), &height, "other transactions"];
    world.await_stopped("bitcoin", before, &words);
    transfer(
        world.anvil(),
        world.ethereum.tokens.usdt,
        receiver,
        25_000_000,
    );
    world.anvil().mine(2);
    world.confirmd.await_status("usdt", "paid");
    world.await_stopped("bitcoin", before, &words);
    world.assert_goes_on("ethereum");
    // A list of the mempool that was under way when the daemon stopped may have shown it.
    let path = world.confirmd.path("btc").join(" ");
    assert!(["new", "new pending"].contains(&path.as_str()), "{path}");

    world.relays[0].be_true();
    world.confirmd.restart(); // else it asks again in a minute
    let paid = json!({"status": "paid", "reason": "exact", "amount_received": "0.01500000"});
    world.confirmd.await_payment("btc", &paid);
    world.confirmd.await_bitcoin(&world.node);
}

/// From the header's end on, in hex: the block as it is, and as it is not.
fn twisted(node: &Bitcoind, hash: &str) -> [String; 2] {
    let block = node.rpc().call("getblock", json!([hash, 0]));
    let block = block.as_str().expect("a block in hex");
    let (header, body) = block.split_at(HEADER_DIGITS);
    let lie = body.replacen(PAID, CLAIMED, 1);
    assert_ne!(lie, body, "it holds the payment");
    let own = &header[SHARED_DIGITS..];
    [[own, body].concat(), [own, &lie].concat()]
}

/// F20 on Ethereum: a transaction is passed off as one of a type that nobody can verify.
// shows: F20
#[test]
fn an_ethereum_block_with_another_body_stops_its_chain_alone() {
    let (mut world, bech32, receiver) = World::new();
    world.confirmd.signal(Signal::SIGSTOP);
    let before = world.anvil().block_number();
    let usdt = world.ethereum.tokens.usdt;
    let txid = transfer(world.anvil(), usdt, receiver, 25_000_000);
    world.anvil().mine(2);
    let hash = world.anvil().hash_at(before + 1).to_string();
    let rpc = world.anvil().rpc();
    let sent = rpc.call("eth_getTransactionByHash", json!([txid]));
    let truth = format!("\"type\":{}", sent["type"]);
    world.relays[1].twist(&truth, "\"type\":\"0x7\"");
    world.confirmd.signal(Signal::SIGCONT);

    let height = format!("{}", before + 1);
    let words = [hash.as_str(), &height, "unknown type"];
    world.await_stopped("ethereum", before, &words);
    world.node.send(&bech32, "0.015");
    world.node.mine(2);
    world.confirmd.await_status("btc", "paid");
    world.await_stopped("ethereum", before, &words);
    world.assert_goes_on("bitcoin");
    assert_eq!(world.confirmd.path("usdt"), ["new"]);

    world.relays[1].be_true();
    world.confirmd.restart();
    let paid = json!({"status": "paid", "reason": "exact", "amount_received": "25.000000"});
    world.confirmd.await_payment("usdt", &paid);
    world.confirmd.await_ethereum(world.anvil());
}
