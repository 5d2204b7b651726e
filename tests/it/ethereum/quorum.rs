//! Two honest endpoints and one that lies, on real nodes: the liar is an anvil that goes its own way from where
//! it started, behind a provider that can alter its answers, the honest ones are two cables to one anvil.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use alloy_primitives::Address;
use serde_json::json;
use toml::{Table, Value};

use super::register_to;
use crate::alterations::middle::Middle;
use crate::confirmd::relay::Relay;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::anvil::Anvil;
use crate::nodes::tokens::transfer;

struct World {
    honest: Ethereum,
    cables: [Relay; 2],
    liar: Anvil,
    /// How often the liar was asked how it is: once a poll, and once more where no quorum is there.
    asked: Arc<AtomicU32>,
    confirmd: Confirmd,
}

impl World {
    /// In step with all three, of which two must hold a block. The liar is asked first.
    fn start() -> Self {
        Self::polling("100ms")
    }

    fn polling(interval: &str) -> Self {
        let honest = Ethereum::start();
        honest.anvil.mine(3);
        let url = honest.anvil.url();
        let cables = [Relay::to(&url), Relay::to(&url)];
        let liar = Anvil::start_with(&["--fork-url", &url, "--chain-id", "31337"]);
        let genesis = honest.anvil.hash_at(0).to_string();
        let provider = Middle::before(&liar);
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        provider.twist("eth_syncing", move |answer| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(answer)
        });
        let urls = [provider.url(), cables[0].url(), cables[1].url()];
        let confirmd = Confirmd::with(&honest)
            .set("chains.ethereum.genesis", genesis)
            .set("chains.ethereum.quorum", 2)
            .set("chains.ethereum.poll_interval", interval)
            .set("chains.ethereum.endpoints", endpoints(urls))
            .start();
        confirmd.await_ethereum(&honest.anvil);
        Self {
            honest,
            cables,
            liar,
            asked,
            confirmd,
        }
    }

    /// Pays 25 USDT on one of the chains, and buries it.
    fn pay(&self, anvil: &Anvil, receiver: Address) {
        transfer(anvil, self.honest.tokens.usdt, receiver, 25_000_000);
        anvil.mine(6);
    }

    fn states(&self) -> String {
        let (_, page) = self.confirmd.page("/metrics");
        let ours = page
            .lines()
            .filter(|line| line.starts_with("confirmd_endpoint_state"));
        ours.collect::<Vec<_>>().join("\n")
    }
}

fn endpoints(urls: [String; 3]) -> Value {
    let names = ["liar", "one", "other"];
    let endpoint = |(name, url): (&str, String)| {
        Value::Table(Table::from_iter([
            ("name".to_owned(), Value::from(name)),
            ("operator".to_owned(), Value::from(format!("{name}-inc"))),
            ("url".to_owned(), Value::from(url)),
        ]))
    };
    Value::from(
        names
            .into_iter()
            .zip(urls)
            .map(endpoint)
            .collect::<Vec<_>>(),
    )
}

/// P7: a block that one operator alone shows pays nobody, also while nobody else answers; what the others hold
/// is followed as soon as they are back.
// shows: P7
#[test]
fn one_operator_alone_pays_nobody() {
    let world = World::start();
    let (confirmd, honest) = (&world.confirmd, &world.honest.anvil);
    let receivers = [0x41, 0x42, 0x43].map(Address::repeat_byte);
    for (id, receiver) in ["forged", "alone", "real"].into_iter().zip(receivers) {
        register_to(confirmd, id, "USDT", "25", receiver);
    }
    for cable in &world.cables {
        cable.cut();
    }
    world.pay(&world.liar, receivers[1]);
    confirmd.await_status("alone", "confirming");
    world.pay(honest, receivers[2]);
    confirmd.await_true("the liar alone", || {
        let states = world.states();
        let is = |name: &str, state: &str| {
            let series = format!("endpoint=\"{name}\",state=\"{state}\"}} 1");
            states.contains(&series)
        };
        is("liar", "alive") && is("one", "unreachable") && is("other", "unreachable")
    });
    let row = confirmd.ledger().payment("alone").expect("a payment");
    assert_eq!(row["status"], "confirming", "{row:#}");

    for cable in &world.cables {
        cable.mend();
    }
    confirmd.await_status("real", "paid");
    confirmd.await_payment("alone", &json!({"status": "new", "reason": "reorged"}));
    confirmd.await_ethereum(honest);
    // With the others there, what it shows is not even recorded.
    world.pay(&world.liar, receivers[0]);
    honest.mine(1);
    confirmd.await_ethereum(honest);
    assert_eq!(confirmd.path("alone"), ["new", "confirming", "new"]);
    assert_eq!(confirmd.path("forged"), ["new"]);
    let reversed = "SELECT seq FROM v1_event WHERE kind = 'reversed'";
    assert!(confirmd.ledger().query(reversed, &[]).is_empty());
}

/// Back with the others, everything is right within two polls: the liar's blocks are gone, and who paid is paid.
// shows: P7
#[test]
fn with_the_honest_ones_back_two_polls_suffice() {
    let world = World::polling("3s");
    let (confirmd, honest) = (&world.confirmd, &world.honest.anvil);
    let receivers = [0x45, 0x46].map(Address::repeat_byte);
    for (id, receiver) in ["alone", "real"].into_iter().zip(receivers) {
        register_to(confirmd, id, "USDT", "25", receiver);
    }
    for cable in &world.cables {
        cable.cut();
    }
    world.pay(&world.liar, receivers[0]);
    confirmd.await_status("alone", "confirming");
    world.pay(honest, receivers[1]);
    for cable in &world.cables {
        cable.mend();
    }
    let before = world.asked.load(Ordering::Relaxed);
    confirmd.await_status("real", "paid");
    confirmd.await_payment("alone", &json!({"status": "new", "reason": "reorged"}));
    let polls = world.asked.load(Ordering::Relaxed) - before;
    // The poll that was under way asks the liar alone once more.
    assert!(polls <= 3, "{polls}");
    confirmd.await_ethereum(honest);
    assert_eq!(confirmd.path("alone"), ["new", "confirming", "new"]);
    assert_eq!(confirmd.path("real"), ["new", "confirming", "paid"]);
}

/// The registration comes when the honest ones are down, and again when they are back.
// shows: P7
#[test]
fn a_payment_waits_for_the_quorum_across_a_restart() {
    let mut world = World::start();
    let receiver = Address::repeat_byte(0x44);
    register_to(&world.confirmd, "order-1", "USDT", "25", receiver);
    world.cables[0].cut();
    world.cables[1].cut();
    world.confirmd.restart();
    world.pay(&world.liar, receiver);
    world.confirmd.await_status("order-1", "confirming");
    world.confirmd.restart();
    world
        .confirmd
        .await_chain("ethereum", &json!({"healthy": 1}));
    // Its past is scanned meanwhile, by whoever is there.
    world.confirmd.await_true("what it waits for", || {
        let words = world.confirmd.command(&["payment", "explain", "order-1"]);
        words.stdout.contains("enough operators hold our block")
    });
    world.cables[0].mend();
    world.cables[1].mend();
    world.honest.anvil.mine(1);
    world.confirmd.await_ethereum(&world.honest.anvil);
    world.confirmd.await_status("order-1", "new");
}
