//! A provider's own word, which no block's hash binds: which blocks are safe and final, whether it is in sync, and
//! which chain it is on. The whole daemon follows one chain many times over, each time through another provider,
//! each of which alters one such answer; and no payment rises by any of them.
//!
//! What must come of each is in [`CASES`]. Where one endpoint alone is asked, its tags are believed within the
//! chain that it proves: so a block that is called final too early is a case with a quorum.

use alloy_primitives::Address;
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::fitted::claim;
use super::middle::Middle;
use super::recorded::{Lie, call};
use crate::confirmd::config::{Config, Followed};
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::anvil::Anvil;
use crate::nodes::tokens::transfer;

const POLL: &str = "500ms";
/// A lie is not told once by accident.
const TOLD_MIN: usize = 3;
/// Anvil calls the block so far below its tip safe, and the one twice as far final.
const SAFE_BELOW: u64 = 4;

/// What must come of a lie, until the truth is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// No answer: nothing of the chain goes on, and the log says these words of the provider.
    Refused(&'static str),
    /// The other endpoint is asked, and the log says these words of the provider.
    Replaced(&'static str),
    /// Nothing rises before the provider is itself again.
    Frozen,
    /// Nothing rises while it says that it is not in sync.
    Held,
    /// Nothing but that: its tags say nothing.
    Nothing,
}

/// Who else is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Nobody,
    /// An honest endpoint.
    Another,
    /// Two honest operators; two must agree.
    Quorum,
}

use Comes::{Frozen, Held, Nothing, Refused, Replaced};
use Company::{Another, Nobody, Quorum};

/// What a provider says, told from the true chain.
type Says = fn(&Truth) -> Lie;

type Case = (&'static str, Company, Comes, Says);

const BEYOND: &str = "but its tip is";
const OTHER_CHAIN: &str = "chain id: expected 31337, found 1";
const OTHER_GENESIS: &str = "genesis: expected";

/// Names of chains, whom they ask, what must come of it, and what is said.
const CASES: [Case; 23] = [
    ("final-next", Nobody, Nothing, |truth| {
        truth.tag("finalized", &truth.forged(truth.tip + 1))
    }),
    ("safe-next", Nobody, Nothing, |truth| {
        truth.tag("safe", &truth.forged(truth.tip + 16))
    }),
    ("final-beyond", Nobody, Refused(BEYOND), |truth| {
        truth.tag("finalized", &truth.forged(truth.tip + 17))
    }),
    ("safe-beyond", Nobody, Refused(BEYOND), |truth| {
        truth.tag("safe", &truth.forged(truth.tip + 17))
    }),
    ("final-beyond-2", Another, Replaced(BEYOND), |truth| {
        truth.tag("finalized", &truth.forged(truth.tip + 99))
    }),
    ("final-other", Nobody, Frozen, |truth| {
        truth.tag("finalized", &truth.forged(truth.paid_at))
    }),
    ("final-was-other", Nobody, Frozen, |truth| {
        truth.tag("finalized", &truth.forged(truth.final_before))
    }),
    ("final-back", Nobody, Nothing, |truth| {
        truth.tag("finalized", &truth.block(truth.final_before - 1))
    }),
    ("final-genesis", Nobody, Nothing, |truth| {
        truth.tag("finalized", &truth.block(0))
    }),
    ("final-none", Nobody, Nothing, |truth| {
        truth.tag("finalized", &Value::Null)
    }),
    ("safe-other", Nobody, Nothing, |truth| {
        truth.tag("safe", &truth.forged(truth.paid_at))
    }),
    ("safe-back", Nobody, Nothing, |truth| {
        truth.tag("safe", &truth.block(truth.final_before - 1))
    }),
    ("safe-none", Nobody, Nothing, |truth| {
        truth.tag("safe", &Value::Null)
    }),
    ("final-early", Quorum, Nothing, |truth| {
        truth.tag("finalized", &truth.block(truth.tip))
    }),
    ("safe-early", Quorum, Nothing, |truth| {
        truth.tag("safe", &truth.block(truth.tip))
    }),
    ("final-other-3", Quorum, Nothing, |truth| {
        truth.tag("finalized", &truth.forged(truth.paid_at))
    }),
    ("final-none-3", Quorum, Nothing, |truth| {
        truth.tag("finalized", &Value::Null)
    }),
    ("syncing", Nobody, Held, |_| {
        let behind = json!({"currentBlock": "0x1", "highestBlock": "0xff"});
        (call("eth_syncing", &json!([])), behind.to_string())
    }),
    ("other-chain", Nobody, Refused(OTHER_CHAIN), other_chain),
    ("other-chain-2", Another, Replaced(OTHER_CHAIN), other_chain),
    (
        "other-genesis",
        Nobody,
        Refused(OTHER_GENESIS),
        other_genesis,
    ),
    (
        "other-genesis-2",
        Another,
        Replaced(OTHER_GENESIS),
        other_genesis,
    ),
    (
        "other-genesis-3",
        Quorum,
        Replaced(OTHER_GENESIS),
        other_genesis,
    ),
];

/// The true chain when the lies are told.
struct Truth<'a> {
    anvil: &'a Anvil,
    /// What was final before anybody paid.
    final_before: u64,
    paid_at: u64,
    tip: u64,
}

impl Truth<'_> {
    fn block(&self, height: u64) -> Value {
        self.anvil.block(height)
    }

    /// Another block of this height, which hashes to what it claims.
    fn forged(&self, height: u64) -> Value {
        let mut block = self.block(height.min(self.tip));
        block["number"] = json!(format!("{height:#x}"));
        block["extraData"] = json!("0xf0");
        claim(&mut block);
        block
    }

    fn tag(&self, tag: &str, block: &Value) -> Lie {
        assert_ne!(*block, self.block_called(tag), "a lie");
        (
            call("eth_getBlockByNumber", &json!([tag, false])),
            block.to_string(),
        )
    }

    fn block_called(&self, tag: &str) -> Value {
        self.anvil
            .rpc()
            .call("eth_getBlockByNumber", json!([tag, false]))
    }
}

fn other_chain(_: &Truth<'_>) -> Lie {
    (call("eth_chainId", &json!([])), json!("0x1").to_string())
}

fn other_genesis(truth: &Truth<'_>) -> Lie {
    let genesis = call("eth_getBlockByNumber", &json!(["0x0", false]));
    (genesis, truth.forged(0).to_string())
}

/// What gateways wait for: the order, its asset, how much of it, and who is paid.
const ORDERS: [(&str, &str, &str, u8); 3] = [
    (DEEP, "USDT", "1", 0x51),
    ("safe", "USDC", "1", 0x52),
    ("final", "USDC", "20", 0x53),
];
/// It waits for confirmations alone.
const DEEP: &str = "deep";

struct World {
    ethereum: Ethereum,
    providers: Vec<(Case, Middle)>,
}

impl World {
    fn new() -> Self {
        let slots = SAFE_BELOW.to_string();
        let ethereum = Ethereum::start_with(&["--slots-in-an-epoch", &slots]);
        ethereum.anvil.mine(3 * SAFE_BELOW);
        let providers = CASES.map(|case| (case, Middle::before(&ethereum.anvil)));
        Self {
            providers: providers.into(),
            ethereum,
        }
    }

    fn height(&self) -> u64 {
        self.ethereum.anvil.block_number()
    }

    /// All are honest, and the chain's last final block is known to the daemon.
    fn start(&self) -> Confirmd {
        let confirmd = Confirmd::with(self).start();
        let mut requests = Vec::new();
        for ((chain, ..), _) in &self.providers {
            for (id, asset, amount, byte) in ORDERS {
                let order = confirmd.register(&format!("{id}-{chain}"));
                let order = order.asset(&format!("{asset}-{chain}")).amount(amount);
                requests.push(order.address(Address::repeat_byte(byte)).submit());
            }
        }
        for request in requests {
            confirmd.await_applied(&request);
        }
        let height = self.height();
        let end = json!({
            "scanned_height": height, "healthy": 1, "finalized_height": height - 2 * SAFE_BELOW,
            "safe_height": height - SAFE_BELOW,
        });
        for ((chain, ..), _) in &self.providers {
            confirmd.await_chain(chain, &end);
        }
        confirmd
    }

    /// Everybody is paid, deep enough where confirmations count.
    fn pay(&self) {
        let Ethereum { anvil, tokens } = &self.ethereum;
        let [deep, safe, last] = ORDERS.map(|(.., byte)| Address::repeat_byte(byte));
        transfer(anvil, tokens.usdt, deep, 1_000_000);
        transfer(anvil, tokens.usdc, safe, 1_000_000);
        transfer(anvil, tokens.usdc, last, 20_000_000);
        anvil.mine(2);
    }
}

impl Followed for World {
    fn configure(&self, config: &mut Config) {
        let Ethereum { anvil, tokens } = &self.ethereum;
        for ((chain, company, ..), middle) in &self.providers {
            let mut endpoints = vec![endpoint(chain, "provider", &middle.url())];
            let others: &[&str] = match company {
                Nobody => &[],
                Another => &["one"],
                Quorum => &["one", "other"],
            };
            let url = anvil.url();
            endpoints.extend(others.iter().map(|name| endpoint(chain, name, &url)));
            let mut set =
                |key: &str, value: Toml| config.set(&format!("chains.{chain}.{key}"), value);
            set("kind", "ethereum".into());
            set("chain_id", 31_337.into());
            set("genesis", anvil.hash_at(0).to_string().into());
            set("poll_interval", POLL.into());
            set("quorum", if *company == Quorum { 2 } else { 1 }.into());
            set("endpoints", endpoints.into());
            let large = Table::from_iter([
                ("above".to_owned(), Toml::from("10")),
                ("confirmations".to_owned(), "finalized".into()),
            ]);
            let (depth, tiers) = (2, vec![Toml::Table(large)]);
            config.set(&format!("assets.USDT-{chain}.confirmations"), depth);
            config.set(&format!("assets.USDC-{chain}.confirmations"), "safe");
            config.set(&format!("assets.USDC-{chain}.tiers"), tiers);
            for (code, contract) in [("USDT", tokens.usdt), ("USDC", tokens.usdc)] {
                let asset = format!("assets.{code}-{chain}");
                config.set(&format!("{asset}.chain"), *chain);
                config.set(&format!("{asset}.contract"), contract.to_string());
                config.set(&format!("{asset}.decimals"), 6);
            }
        }
    }
}

fn endpoint(chain: &str, name: &str, url: &str) -> Toml {
    let name = format!("{chain}-{name}");
    let entries = [
        ("operator", name.clone()),
        ("name", name),
        ("url", url.to_owned()),
    ];
    Toml::Table(Table::from_iter(
        entries.map(|(key, value)| (key.to_owned(), value.into())),
    ))
}

/// It has come to what it must, and no payment stands higher than the true chain has it.
#[track_caller]
fn await_outcome(confirmd: &Confirmd, truth: &Truth<'_>, case: Case, middle: &Middle) {
    let (chain, company, comes, _) = case;
    // Whoever is on another chain is left alone for a minute, and another may have answered before it was asked.
    let told_min = match (company, comes) {
        (Another, _) => 0,
        (_, Refused(_) | Replaced(_)) => 1,
        (_, Frozen | Held | Nothing) => TOLD_MIN,
    };
    confirmd.await_true(&format!("{chain}'s provider to lie"), || {
        middle.told() >= told_min
    });
    let await_words = |words: &str| {
        confirmd.await_true(&format!("{chain}: {words}"), || {
            let (name, log) = (format!("{chain}-provider"), confirmd.log());
            let mut warnings = log.lines().filter(|line| line.contains(" WARN "));
            warnings.any(|line| line.contains(&name) && line.contains(words))
        });
    };
    match comes {
        Refused(words) => await_words(words),
        Replaced(words) if company == Quorum => await_words(words),
        Frozen => drop(confirmd.await_chain(chain, &json!({"frozen": "below_finality"}))),
        Held => drop(confirmd.await_chain(chain, &json!({"healthy": 0}))),
        Replaced(_) | Nothing => {}
    }
    let is_followed = matches!(comes, Replaced(_) | Nothing);
    if is_followed {
        let end = json!({"scanned_height": truth.tip, "healthy": 1, "frozen": null});
        confirmd.await_chain(chain, &end);
        for (id, ..) in ORDERS {
            let status = if id == DEEP { "paid" } else { "confirming" };
            confirmd.await_status(&format!("{id}-{chain}"), status);
        }
    }
    let row = confirmd.ledger().chain(chain).expect("a chain");
    if matches!(comes, Refused(_)) {
        assert_eq!(row["scanned_height"], truth.paid_at - 1, "{row:#}");
    }
    let finalized = row["finalized_height"].as_u64().expect("a height");
    let may_be = truth.final_before..=truth.tip - 2 * SAFE_BELOW;
    assert!(may_be.contains(&finalized), "{row:#}");
    for (id, ..) in ORDERS {
        let path = confirmd.path(&format!("{id}-{chain}"));
        let may_be_paid = id == DEEP && !matches!(comes, Refused(_) | Held);
        let is_paid = path.contains(&"paid".to_owned());
        assert!(may_be_paid || !is_paid, "{id}-{chain}: {path:?}");
    }
}

// shows: P2
#[test]
fn a_providers_own_word_moves_no_payment_upward() {
    let world = World::new();
    let mut confirmd = world.start();
    confirmd.stop();
    let final_before = world.height() - 2 * SAFE_BELOW;
    world.pay();
    let tip = world.height();
    let truth = Truth {
        anvil: &world.ethereum.anvil,
        final_before,
        paid_at: tip - 1,
        tip,
    };
    for ((.., says), middle) in &world.providers {
        middle.lie(vec![says(&truth)]);
    }
    confirmd.start();
    for (case, middle) in &world.providers {
        await_outcome(&confirmd, &truth, *case, middle);
    }

    for (_, middle) in &world.providers {
        middle.be_honest();
    }
    world.ethereum.anvil.mine(2 * SAFE_BELOW);
    confirmd.restart(); // else who was on another chain is asked again in a minute
    for ((chain, ..), _) in &world.providers {
        confirmd.await_chain(chain, &json!({"healthy": 1, "frozen": null, "error": null}));
        for (id, ..) in ORDERS {
            confirmd.await_payment(
                &format!("{id}-{chain}"),
                &json!({"status": "paid", "reason": "exact"}),
            );
        }
    }
}
