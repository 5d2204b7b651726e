//! The whole daemon with providers between it and a real anvil: it follows the same chain many times over, each time
//! through another provider, each of which alters one answer by a seed of its own.

use alloy_primitives::Address;
use confirmd::random::Random;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::alter::{Alterable, Altered, Expected};
use super::middle::Middle;
use super::recorded::{Answer, Kind, Recorded};
use crate::confirmd::config::{Config, Followed};
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::anvil::ETHER;
use crate::nodes::tokens::transfer;

/// Providers whose lie must be noticed, and who are all that the daemon has.
const ALONE: usize = 36;
/// The same beside an honest endpoint.
const ACCOMPANIED: usize = 12;
/// Providers whose alteration changes nothing.
const HARMLESS: usize = 16;

const POLL: &str = "500ms";

/// A lie is not told once by accident.
const TOLD_MIN: usize = 2;

/// What a gateway asks for on every chain, and what becomes of it in the end.
struct Order {
    id: &'static str,
    asset: &'static str,
    amount: &'static str,
    receiver: Address,
    truth: (&'static str, Value),
}

fn orders() -> [Order; 6] {
    let order = |id, asset, amount, byte, truth| Order {
        id,
        asset,
        amount,
        receiver: Address::repeat_byte(byte),
        truth,
    };
    let exact = || ("paid", json!("exact"));
    let new = || ("new", Value::Null);
    [
        order("dollars", "USDT", "25", 0x41, exact()),
        order("ether", "ETH", "1", 0x42, exact()),
        order("short", "USDT", "25", 0x43, ("invalid", json!("underpaid"))),
        order("failed", "USDT", "5", 0x44, new()),
        order("fake", "USDT", "99", 0x45, new()),
        order("nothing", "USDT", "7", 0x46, new()),
    ]
}

struct Provider {
    chain: String,
    name: String,
    middle: Middle,
    /// Whether the chain has an honest endpoint as well.
    is_accompanied: bool,
    /// What must come of what it says.
    expected: Expected,
}

/// What a provider says instead of the truth.
struct Lied {
    kind: Kind,
    story: String,
}

struct World {
    ethereum: Ethereum,
    providers: Vec<Provider>,
}

impl World {
    fn new() -> Self {
        let ethereum = Ethereum::start();
        let provider = |number: usize| Provider {
            chain: format!("chain-{number:02}"),
            name: format!("provider-{number:02}"),
            middle: Middle::before(&ethereum.anvil),
            is_accompanied: (ALONE..ALONE + ACCOMPANIED).contains(&number),
            expected: if number < ALONE + ACCOMPANIED {
                Expected::Noticed
            } else {
                Expected::Unchanged
            },
        };
        let providers = (0..ALONE + ACCOMPANIED + HARMLESS).map(provider).collect();
        Self {
            ethereum,
            providers,
        }
    }

    fn height(&self) -> u64 {
        self.ethereum.anvil.block_number()
    }

    fn start(&self) -> Confirmd {
        let confirmd = Confirmd::with(self).start();
        let mut requests = Vec::new();
        for provider in &self.providers {
            for order in orders() {
                let asset = format!("{}-{}", order.asset, provider.chain);
                let request = confirmd.register(&provider.payment(&order));
                let request = request.asset(&asset).amount(order.amount);
                requests.push(request.address(order.receiver).submit());
            }
        }
        for request in requests {
            confirmd.await_applied(&request);
        }
        for provider in &self.providers {
            let scanned = json!({"scanned_height": self.height(), "healthy": 1});
            confirmd.await_chain(&provider.chain, &scanned);
        }
        confirmd
    }

    /// A block with all that is paid, and what only looks like it; and as many above it as a chain may not be behind.
    fn pay(&self) {
        let Ethereum { anvil, tokens } = &self.ethereum;
        let [dollars, ether, short, failed, fake, _] = orders().map(|order| order.receiver);
        transfer(anvil, tokens.usdt, dollars, 25_000_000);
        anvil.send_eth(ether, ETHER);
        transfer(anvil, tokens.usdt, short, 24_000_000);
        let amount = [tokens.usdt.into(), failed.into(), 5_000_000.into()];
        let signature = "transferAndRevert(address,address,uint256)";
        anvil.invoke(tokens.mischief, signature, &amount);
        transfer(anvil, tokens.fake_usdt, fake, 99_000_000);
        anvil.mine(3);
    }

    /// No provider answers, nor has half answered.
    fn hold(&self) {
        for provider in &self.providers {
            provider.middle.hold();
        }
    }

    fn release(&self) {
        for provider in &self.providers {
            provider.middle.release();
        }
    }

    /// Every provider lies from now on.
    fn lie(&self, alterable: &Alterable<'_>) -> Vec<Lied> {
        let mut lies = Vec::new();
        for (number, provider) in self.providers.iter().enumerate() {
            let altered = provider.alteration(number, alterable);
            let Altered {
                expected, story, ..
            } = &altered;
            println!("{}: {expected:?}: {story}", provider.name);
            provider.middle.lie(altered.lies);
            lies.push(Lied {
                kind: alterable.answers[altered.at].kind,
                story: altered.story,
            });
        }
        lies
    }

    /// The answers by which the payments are seen: about their block, and what the tags name.
    async fn answers(&self, recorded: &Recorded, paid_at: u64) -> Vec<Answer> {
        let answers = recorded.answers(self.height()).await;
        let is_of_use = |answer: &Answer| {
            answer.kind == Kind::Tag || u64::from(answer.block.id.height.0) == paid_at
        };
        answers.into_iter().filter(is_of_use).collect()
    }
}

impl Provider {
    fn payment(&self, order: &Order) -> String {
        format!("{}-{}", order.id, self.chain)
    }

    /// Draws what it does to which answer.
    fn alteration(&self, number: usize, alterable: &Alterable<'_>) -> Altered {
        let kind = Kind::ALL[number % Kind::ALL.len()];
        let mut random = Random::new(u64::try_from(number).expect("a small number"));
        alterable.drawn(&mut random, |altered| {
            alterable.answers[altered.at].kind == kind && altered.expected == self.expected
        })
    }

    /// Every payment stands where the truth has it.
    #[track_caller]
    fn await_truth(&self, confirmd: &Confirmd) {
        for order in orders() {
            let (status, reason) = &order.truth;
            let end = json!({"status": status, "reason": reason});
            confirmd.await_payment(&self.payment(&order), &end);
        }
    }

    /// It has been caught: the chain stands below the payments and says why, as far as such a lie shows at once.
    #[track_caller]
    fn await_caught(&self, confirmd: &Confirmd, paid_at: u64, lie: &Lied) {
        let Lied { kind, story } = lie;
        confirmd.await_true(&format!("{} to be caught: {story}", self.name), || {
            self.middle.told() >= TOLD_MIN && self.is_named(&confirmd.log())
        });
        // What a tag names is the node's own word: without it the node is silent, which is not yet to be ill.
        if *kind != Kind::Tag {
            let words = if *kind == Kind::Header {
                "blocks behind the node"
            } else {
                self.name.as_str()
            };
            confirmd.await_true(&format!("{} to be ill: {story}", self.chain), || {
                let chain = confirmd.ledger().chain(&self.chain).expect("a chain");
                let error = chain["error"].as_str().unwrap_or_default();
                chain["healthy"] == 0 && error.contains(words)
            });
            let healthy = format!("confirmd_chain_healthy{{chain=\"{}\"}}", self.chain);
            confirmd.await_true(&format!("{healthy} to fall"), || {
                confirmd.metric(&healthy) < 0.5
            });
        }
        if kind.is_header() {
            let state = format!(
                "confirmd_endpoint_state{{chain=\"{}\",endpoint=\"{}\",state=\"unreachable\"}}",
                self.chain, self.name
            );
            confirmd.await_true(&state, || confirmd.metric(&state) > 0.5);
        }
        let chain = confirmd.ledger().chain(&self.chain).expect("a chain");
        assert_eq!(chain["scanned_height"], paid_at - 1, "{story}: {chain:#}");
        for order in orders() {
            let id = self.payment(&order);
            assert_eq!(confirmd.path(&id), ["new"], "{id}: {story}");
            assert!(confirmd.ledger().transfers(&id).is_empty(), "{id}: {story}");
        }
    }

    /// Whether the log warns of something at this endpoint.
    fn is_named(&self, log: &str) -> bool {
        let mut warnings = log.lines().filter(|line| line.contains(" WARN "));
        warnings.any(|line| line.contains(&self.name))
    }
}

impl Followed for World {
    fn configure(&self, config: &mut Config) {
        for provider in &self.providers {
            let chain = &provider.chain;
            let endpoint = |name: &str, url: String| {
                let entries = [("name", name.into()), ("url", url.into())];
                Toml::Table(Table::from_iter(
                    entries.map(|(key, value): (&str, Toml)| (key.to_owned(), value)),
                ))
            };
            let mut endpoints = vec![endpoint(&provider.name, provider.middle.url())];
            if provider.is_accompanied {
                endpoints.push(endpoint("honest", self.ethereum.anvil.url()));
            }
            let mut set =
                |key: &str, value: Toml| config.set(&format!("chains.{chain}.{key}"), value);
            set("kind", "ethereum".into());
            set("chain_id", 31_337.into());
            set("genesis", self.ethereum.anvil.hash_at(0).to_string().into());
            set("poll_interval", POLL.into());
            set("endpoints", endpoints.into());
            let usdt = format!("assets.USDT-{chain}");
            config.set(
                &format!("{usdt}.contract"),
                self.ethereum.tokens.usdt.to_string(),
            );
            config.set(&format!("{usdt}.decimals"), 6);
            for asset in [usdt, format!("assets.ETH-{chain}")] {
                config.set(&format!("{asset}.chain"), chain.as_str());
                config.set(&format!("{asset}.confirmations"), 2);
            }
        }
    }
}

// shows: P2
#[tokio::test]
async fn a_provider_that_alters_answers_is_caught_and_moves_no_payment() {
    let world = World::new();
    let mut confirmd = world.start();
    confirmd.signal(Signal::SIGSTOP); // until the lies are prepared
    world.hold();
    let paid_at = world.height() + 1;
    world.pay();
    let Ethereum { anvil, tokens } = &world.ethereum;
    let recorded = Recorded::of(anvil, tokens);
    let answers = world.answers(&recorded, paid_at).await;
    let watched = orders().map(|order| order.receiver);
    let alterable = Alterable::new(&answers, &watched, [tokens.usdt, tokens.usdc]);
    let lies = world.lie(&alterable);
    world.release();
    confirmd.signal(Signal::SIGCONT);

    for (provider, lie) in world.providers.iter().zip(&lies) {
        if provider.expected == Expected::Noticed && !provider.is_accompanied {
            provider.await_caught(&confirmd, paid_at, lie);
        } else {
            provider.await_truth(&confirmd);
            // An honest endpoint may have told the truth before this one was asked at all, and leads then.
            confirmd.await_true(&format!("{} to lie: {}", provider.name, lie.story), || {
                let has_told = provider.middle.told() > 0;
                if provider.is_accompanied {
                    !has_told || provider.is_named(&confirmd.log())
                } else {
                    has_told
                }
            });
        }
    }
    let (status, log) = (
        confirmd.command(&["status", "--json"]).all(),
        confirmd.log(),
    );
    for (provider, lie) in world.providers.iter().zip(&lies) {
        let is_lie = provider.expected == Expected::Noticed;
        let is_named = provider.is_named(&log);
        let was_asked = is_named || !provider.is_accompanied;
        assert!(
            is_named == (is_lie && was_asked),
            "{}: {}",
            provider.name,
            lie.story
        );
        if is_lie && !provider.is_accompanied && !lie.kind.is_header() {
            assert!(
                status.contains(&provider.name),
                "{}: {}",
                provider.name,
                lie.story
            );
        }
    }

    let accompanied = world.providers.iter();
    let mut accompanied = accompanied.filter(|provider| provider.is_accompanied);
    assert!(accompanied.any(|provider| provider.is_named(&log)));

    for provider in &world.providers {
        provider.middle.be_honest();
    }
    for (provider, lie) in world.providers.iter().zip(&lies) {
        if lie.kind.is_header() {
            provider.await_truth(&confirmd);
        }
    }
    confirmd.restart(); // else a block that failed is asked for again in a minute
    for provider in &world.providers {
        provider.await_truth(&confirmd);
        let end = json!({"scanned_height": world.height(), "healthy": 1, "error": null});
        confirmd.await_chain(&provider.chain, &end);
    }
}
