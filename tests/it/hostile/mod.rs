//! P5: servers that answer as no node should. Each stops the chain that it is the node of, in words and
//! without secrets, as long as it does so; the chains beside it go on.

pub mod front;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use confirmd::domain::asset::ChainKind;
use serde_json::{Value, json};

use crate::confirmd::Confirmd;
use crate::confirmd::config::{Config, Followed};
use crate::confirmd::simulated::{self, Simulated};
use front::{Front, Manner};

/// The most memory that the daemon may ever have had: three of them send bodies without an end at once, each of
/// which may be 32 MiB long and takes three times that while its buffer grows.
const MEMORY_MAX_KIB: u64 = 400 * 1024;

/// How often each may be complained about in the half minute that it takes: not at every attempt.
const COMPLAINTS_MAX: usize = 4;

/// Parts of the URL that nobody may see.
const SECRETS: [&str; 3] = ["canary-word", "canary-path", "canary-key"];

/// The chain that suffers, from what manner, what its operator reads, and as what the metrics count the calls,
/// where they count them as failed: some fail later, or not yet.
type Case = (&'static str, Manner, &'static str, &'static str);

const CASES: &[Case] = &[
    (
        "huge",
        Manner::Huge,
        "the answer is larger than",
        "malformed",
    ),
    (
        "endless",
        Manner::Endless,
        "the answer is larger than",
        "malformed",
    ),
    (
        "bomb",
        Manner::Bomb,
        "the answer is larger than",
        "malformed",
    ),
    (
        "header-flood",
        Manner::HeaderFlood,
        "the answer broke off",
        "transient",
    ),
    ("slow-head", Manner::SlowHead, "no answer for 3", "timeout"),
    ("slow-body", Manner::SlowBody, "no answer for 3", ""),
    ("silent", Manner::Silent, "no answer for 3", "timeout"),
    (
        "broken",
        Manner::Broken,
        "the answer broke off",
        "transient",
    ),
    (
        "redirect",
        Manner::Redirect,
        "a redirect (HTTP 307), which is not followed",
        "malformed",
    ),
    (
        "html",
        Manner::Html,
        "HTML instead of a JSON-RPC answer",
        "malformed",
    ),
    (
        "too-many",
        Manner::Status(429),
        "rate limited for 1 s",
        "rate_limited",
    ),
    (
        "busy",
        Manner::Status(503),
        "rate limited for 1 s",
        "rate_limited",
    ),
    ("fault", Manner::Status(500), "HTTP status 500", "transient"),
    ("echo", Manner::Echo, "out of order", ""),
    ("wrong-ids", Manner::WrongIds, "id", "malformed"),
    (
        "short-batch",
        Manner::ShortBatch,
        "a call of the batch has no answer",
        "",
    ),
    ("deep", Manner::Deep, "an unexpected result", ""),
];

/// Which harms nobody: answers may come in any order.
const HARMLESS: (&str, Manner) = ("reordered", Manner::Reordered);

/// Simulated nodes of which one chain is followed many times over, each time through another server.
struct Strangers {
    nodes: Simulated,
    chain: ChainKind,
    fronts: Vec<(&'static str, Manner, Front)>,
}

impl Strangers {
    fn new(chain: ChainKind) -> Self {
        let nodes = Simulated::start();
        let cases = CASES.iter().map(|(name, manner, _, _)| (*name, *manner));
        let fronts = cases.chain([HARMLESS]);
        let fronts = fronts.map(|(name, manner)| (name, manner, Front::of(&nodes.live, chain)));
        Self {
            fronts: fronts.collect(),
            nodes,
            chain,
        }
    }

    fn behave(&self, manner: impl Fn(Manner) -> Manner) {
        for (_, own, front) in &self.fronts {
            front.behave(manner(*own));
        }
    }
}

const fn other(chain: ChainKind) -> ChainKind {
    match chain {
        ChainKind::Bitcoin => ChainKind::Ethereum,
        ChainKind::Ethereum => ChainKind::Bitcoin,
    }
}

const fn coin(chain: ChainKind) -> &'static str {
    match chain {
        ChainKind::Bitcoin => "BTC",
        ChainKind::Ethereum => "ETH",
    }
}

/// The asset of a chain that is followed through a server.
fn asset(name: &str) -> String {
    format!("COIN-{name}")
}

impl Followed for Strangers {
    fn configure(&self, config: &mut Config) {
        self.nodes.configure(config);
        config.remove(&format!("chains.{}", self.chain.as_str()));
        for code in ["BTC", "ETH", "USDT", "USDC"] {
            if code != coin(other(self.chain)) {
                config.remove(&format!("assets.{code}"));
            }
        }
        for (name, _, front) in &self.fronts {
            let place = format!("127.0.0.1:{}", front.port());
            let url = format!("http://someone:canary-word@{place}/canary-path?key=canary-key");
            simulated::follow(config, self.chain, name, &url);
            config.set(&format!("assets.{}.chain", asset(name)), *name);
            config.set(&format!("assets.{}.confirmations", asset(name)), 2);
        }
    }
}

/// A daemon with a payment on each chain, all healthy.
fn start(strangers: &Strangers) -> (Confirmd, [String; 2]) {
    let mut confirmd = Confirmd::with(strangers).start();
    for secret in SECRETS {
        confirmd.keep_secret(secret);
    }
    confirmd.keep_secret(BASE64.encode("someone:canary-word"));
    let chains = [strangers.chain, other(strangers.chain)];
    let addresses = chains.map(|chain| simulated::address(chain, "a payer's address"));
    let [strange, usual] = &addresses;
    let order = |id: &str, asset: &str, chain, address: &String| {
        let order = confirmd.register(id).asset(asset).address(address);
        order
            .with("scan_from", strangers.nodes.height(chain))
            .submit()
    };
    let mut requests = vec![order("usual", coin(chains[1]), chains[1], usual)];
    for (name, _, _) in &strangers.fronts {
        requests.push(order(name, &asset(name), chains[0], strange));
    }
    for request in requests {
        confirmd.await_applied(&request);
    }
    // What a registration makes the daemon ask is asked before the second block: nobody is in the middle of it.
    for _ in 0..2 {
        strangers.nodes.mine(strangers.chain, 1);
        let scanned =
            json!({"scanned_height": strangers.nodes.height(strangers.chain), "healthy": 1});
        for (name, _, _) in &strangers.fronts {
            confirmd.await_chain(name, &scanned);
        }
    }
    (confirmd, addresses)
}

/// Pays what is asked for and buries it.
fn pay(nodes: &Simulated, chain: ChainKind, address: &str) {
    let units = match chain {
        ChainKind::Bitcoin => 1_500_000,
        ChainKind::Ethereum => 15_000_000_000_000_000,
    };
    nodes.pay(coin(chain), address, units);
    nodes.mine(chain, 4);
}

/// Why a chain is not ready, as the page for operators says.
fn reason(confirmd: &Confirmd, chain: &str) -> String {
    let (_, page) = confirmd.page("/readyz");
    let page: Value = serde_json::from_str(&page).expect("JSON");
    let reason = page["chains"][chain]["reason"].as_str();
    reason.unwrap_or_default().to_owned()
}

/// The most memory that the process ever had.
fn memory_kib(confirmd: &Confirmd) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", confirmd.id()));
    let status = status.expect("a running daemon");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    peak.expect("its peak").parse().expect("a number")
}

fn only_their_own_chain_suffers(chain: ChainKind) {
    let strangers = Strangers::new(chain);
    let (confirmd, [strange, usual]) = start(&strangers);
    strangers.behave(|own| own);
    pay(&strangers.nodes, chain, &strange);
    pay(&strangers.nodes, other(chain), &usual);
    confirmd.await_status("usual", "paid");
    confirmd.await_status(HARMLESS.0, "paid");
    for (name, manner, words, outcome) in CASES {
        let what = format!("{manner:?}: {words:?}");
        confirmd.await_true(&what, || reason(&confirmd, name).contains(words));
        println!("{name}: {}", reason(&confirmd, name));
        let series = format!("confirmd_rpc_requests_total{{chain=\"{name}\"");
        confirmd.await_true(&format!("{name} in /metrics"), || {
            counts(&confirmd, &series, outcome)
        });
        let healthy = format!("confirmd_chain_healthy{{chain=\"{name}\"}}");
        assert!(confirmd.metric(&healthy) < 0.5, "{name} in /metrics");
        let log = confirmd.log();
        let complaint = format!("the source fails chain={name} ");
        let complaints = log.matches(&complaint).count();
        assert!(complaints <= COMPLAINTS_MAX, "{complaints} about {name}");
        assert_eq!(confirmd.path(name), ["new"]);
    }
    assert_eq!(reason(&confirmd, HARMLESS.0), "");
    assert_eq!(confirmd.page("/livez").0, 200);
    let memory_kib = memory_kib(&confirmd);
    println!("at most {memory_kib} KiB");
    assert!(memory_kib < MEMORY_MAX_KIB, "{memory_kib} KiB");
    says_no_secret(&confirmd);

    strangers.behave(|_| Manner::Honest);
    for (name, _, _, _) in CASES {
        confirmd.await_status(name, "paid");
    }
    confirmd.await_true("/readyz to answer 200", || {
        confirmd.page("/readyz").0 == 200
    });
}

/// Whether calls with this outcome were counted.
fn counts(confirmd: &Confirmd, series: &str, outcome: &str) -> bool {
    let (_, text) = confirmd.page("/metrics");
    let mut lines = text.lines().filter(|line| line.starts_with(series));
    let label = format!("outcome=\"{outcome}\"");
    outcome.is_empty() || lines.any(|line| line.contains(&label) && !line.ends_with(" 0"))
}

fn says_no_secret(confirmd: &Confirmd) {
    let pages = ["/readyz", "/metrics"].map(|page| confirmd.page(page).1);
    let rows = confirmd.ledger().query("SELECT * FROM v1_chain", &[]);
    let commands = [&["status"][..], &["status", "--json"]];
    let commands = commands.map(|args| confirmd.command(args).all());
    let said = format!("{pages:?} {rows:?} {commands:?} {}", confirmd.log());
    for secret in confirmd.secrets() {
        assert!(!said.contains(secret.as_str()), "{secret}");
    }
    assert!(!said.contains('\u{1b}'), "a node colours nothing");
}

// shows: P5
#[test]
fn a_stranger_in_place_of_an_ethereum_node_stops_only_its_own_chain() {
    only_their_own_chain_suffers(ChainKind::Ethereum);
}

// shows: P5
#[test]
fn a_stranger_in_place_of_a_bitcoin_node_stops_only_its_own_chain() {
    only_their_own_chain_suffers(ChainKind::Bitcoin);
}
