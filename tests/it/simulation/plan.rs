//! What a seed draws: the configuration, the pace of the chains, the faults that may happen.

use super::{providers::Providers, terms::policy};
use confirmd::{domain::block::BlockHash, random::Random};
use std::path::Path;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Assets whose payments may wait for what nodes call safe or final.
pub const WAITING: [&str; 2] = ["ETH", "USDC"];

/// One simulation's parameters.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub span_ms: u64,
    pub bitcoin_block_ms: u64,
    pub bitcoin_poll_ms: u64,
    pub ethereum_block_ms: u64,
    pub ethereum_poll_ms: u64,
    /// How far below the head Ethereum's final block is, where nodes name one.
    pub tags: Option<u32>,
    pub final_depth: u64,
    pub confirmations: u64,
    /// What payments of some assets wait for instead, see [`WAITING`].
    pub waits_for: Option<&'static str>,
    pub grace_ms: u64,
    pub late_accept_ms: u64,
    pub confirm_timeout_ms: u64,
    pub watch_after_close_ms: u64,
    pub tolerance_percent: u64,
    pub sum: bool,
    pub order_every_ms: u64,
    /// How many blocks Bitcoin had before anybody was paid; Ethereum has a few more.
    pub premined: u32,
    /// How many transactions of strangers a block holds at most.
    pub strangers: u64,
    /// How many orders in a thousand ask for terms of their own.
    pub own_terms: u64,
    /// Whether bitcoind names to the daemon what enters its mempool, and blocks.
    pub publishes: bool,
    /// Whether somebody sends more dust to one address than rows are kept for.
    pub dust_flood: bool,
    /// How often a minute brings a fault of each kind, in a thousand.
    pub faults: Faults,
    /// How long an exchange with a node takes at most.
    pub latency_ms: u64,
    /// Who is asked about Ethereum.
    pub providers: Providers,
    /// A fault that counts as a failure: to test what is made of one.
    pub fails_with: Option<&'static str>,
}

/// The swarm: each seed switches some kinds on.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub reorg: u64,
    pub deep_reorg: u64,
    pub rollback: u64,
    pub outage: u64,
    pub slow: u64,
    pub noise: u64,
    pub lag: u64,
    pub crash: u64,
    pub crash_in_commit: u64,
    pub eviction: u64,
    pub mempool_loss: u64,
    pub clock_jump: u64,
    pub full_disk: u64,
    pub token_fee: u64,
    pub lie: u64,
    pub flip_flop: u64,
    pub stray: u64,
    pub amid_walk: u64,
    pub long_outage: u64,
    pub sync_trouble: u64,
    pub token_stop: u64,
    pub broken_disk: u64,
    /// No fault of a machine: customers who do what few do.
    pub oddity: u64,
    /// One operator of several is not as it should be.
    pub operator: u64,
    /// Traces come late, or are refused.
    pub late_traces: u64,
    /// How many of the publisher's notifications in a thousand are lost, late, overtaken, repeated.
    pub names_lost: u64,
    pub names_late: u64,
    pub names_mixed: u64,
    pub names_again: u64,
    pub names_foreign: u64,
    pub names_gone: u64,
    pub names_flood: u64,
    pub names_undone: u64,
}

impl Plan {
    pub fn draw(seed: u64, hours: u64) -> Self {
        let mut random = Random::new(seed);
        let r = &mut random;
        let final_depth = r.between(3, 100);
        let confirmations = r.between(1, 6).min(final_depth);
        let mut deeper = Random::new(seed ^ 0xdee9);
        let final_depth = if deeper.chance(200) {
            deeper.between(101, 160)
        } else {
            final_depth
        };
        let mut later = Random::new(seed ^ 0x5e77);
        let providers = Providers::of(seed);
        // Each poll asks everybody.
        let poll_unit_ms = if providers.is_quorum() { 1_500 } else { SECOND };
        Self {
            seed,
            span_ms: hours * HOUR,
            bitcoin_block_ms: [
                10 * SECOND,
                30 * SECOND,
                2 * MINUTE,
                10 * MINUTE,
                10 * MINUTE,
            ][usize::try_from(r.below(5)).unwrap()],
            bitcoin_poll_ms: r.between(5, 40) * SECOND,
            ethereum_block_ms: [12, 30, 60, 120, 300][usize::try_from(r.below(5)).unwrap()]
                * SECOND,
            ethereum_poll_ms: r.between(6, 40) * poll_unit_ms,
            tags: r
                .chance(700)
                .then(|| u32::try_from(r.between(3, 100)).unwrap()),
            final_depth,
            confirmations,
            waits_for: *Random::new(seed ^ 0x7a95)
                .pick(&[None, None, None, Some("safe"), Some("finalized")])
                .unwrap(),
            grace_ms: r.between(0, 4) * MINUTE,
            late_accept_ms: r.between(0, 1) * r.between(1, 60) * MINUTE,
            confirm_timeout_ms: [30 * MINUTE, 2 * HOUR, 24 * HOUR]
                [usize::try_from(r.below(3)).unwrap()],
            watch_after_close_ms: [HOUR, 6 * HOUR, 720 * HOUR]
                [usize::try_from(r.below(3)).unwrap()],
            tolerance_percent: r.between(0, 2),
            sum: r.chance(300),
            order_every_ms: r.between(3, 12) * MINUTE,
            premined: u32::try_from(later.between(1, 600)).unwrap(),
            strangers: *later.pick(&[0, 0, 0, 2, 30]).unwrap(),
            own_terms: *later.pick(&[0, 300]).unwrap(),
            dust_flood: later.chance(300),
            publishes: Random::new(seed ^ 0x2309).chance(700),
            faults: Faults::draw(r)
                .map(|faults| faults.with_later(seed))
                .unwrap_or_default(),
            latency_ms: [0, 0, 40, 800][usize::try_from(r.below(4)).unwrap()],
            providers,
            fails_with: None,
        }
    }

    /// What says that money of an asset is deep, and the confirmations that count where nobody says so.
    pub fn depth_of(&self, asset: &str) -> (&'static str, u64) {
        let waits_for = self.waits_for.filter(|_| WAITING.contains(&asset));
        waits_for.map_or(("confirmations", self.confirmations), |called| {
            (called, self.final_depth + 1)
        })
    }

    /// The daemon's configuration file, with the first block of Ethereum.
    pub fn config(&self, dir: &Path, genesis: BlockHash) -> String {
        let dir = dir.display();
        let policy = policy(self.sum);
        format!(
            r#"
[database]
path = "{dir}/confirmd.db"
inbox = "{dir}/inbox/inbox.db"

[payments]
grace = "{grace}ms"
late_accept = "{late}ms"
confirm_timeout = "{timeout}ms"
watch_after_close = "{watch}ms"
tolerance = "{tolerance}%"
policy = "{policy}"

[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://127.0.0.1:1"
cookie_file = "/nowhere/.cookie"
rest = "auto"
poll_interval = "{poll}ms"
final_depth = {depth}

[chains.ethereum]
kind = "ethereum"
chain_id = 7777
poll_interval = "{ethereum_poll}ms"
final_depth = {depth}
{providers}
[assets.BTC]
chain = "bitcoin"
confirmations = {confirmations}

[assets.ETH]
chain = "ethereum"
confirmations = {waits_for}

[assets.USDT]
chain = "ethereum"
contract = "0xd1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1"
decimals = 6
confirmations = {confirmations}

[assets.USDC]
chain = "ethereum"
contract = "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1"
decimals = 6
confirmations = {waits_for}
"#,
            grace = self.grace_ms,
            late = self.late_accept_ms,
            timeout = self.confirm_timeout_ms,
            watch = self.watch_after_close_ms,
            tolerance = self.tolerance_percent,
            poll = self.bitcoin_poll_ms,
            ethereum_poll = self.ethereum_poll_ms,
            depth = self.final_depth,
            providers = self.providers.config(genesis),
            confirmations = self.confirmations,
            waits_for = self.waits_for.map_or_else(
                || self.confirmations.to_string(),
                |called| format!("{called:?}")
            ),
        )
    }
}

impl Faults {
    /// Some seeds have none.
    fn draw(r: &mut Random) -> Option<Self> {
        if r.chance(150) {
            return None;
        }
        let mut some = |per_mille: u64| r.between(0, 1) * r.between(1, per_mille);
        Some(Self {
            reorg: some(60),
            deep_reorg: some(4),
            rollback: some(10),
            outage: some(15),
            slow: some(15),
            noise: some(15),
            lag: some(20),
            crash: some(15),
            crash_in_commit: some(15),
            eviction: some(30),
            mempool_loss: some(6),
            clock_jump: some(4),
            full_disk: some(10),
            token_fee: some(4),
            ..Self::default()
        })
    }

    /// Those that came later, each from a source of its own: seeds that failed before they came
    /// stay what they were.
    fn with_later(self, seed: u64) -> Self {
        let some = |own: u64, per_mille: u64| {
            let mut random = Random::new(seed ^ own);
            random.between(0, 1) * random.between(1, per_mille)
        };
        Self {
            lie: some(0x11e, 20),
            flip_flop: some(0xf11b, 10),
            stray: some(0x57a1, 4),
            amid_walk: some(0xa31d, 12),
            long_outage: some(0xdacc, 2),
            sync_trouble: some(0x517c, 4),
            token_stop: some(0x7057, 6),
            broken_disk: some(0xb0d1, 4),
            oddity: some(0x0ddc, 60),
            operator: Random::new(seed ^ 0x09e7).between(20, 80),
            late_traces: Random::new(seed ^ 0x1a77).between(5, 20),
            names_lost: some(0x1057, 1000),
            names_late: some(0x1a7e, 300),
            names_mixed: some(0x3148, 300),
            names_again: some(0xa9a1, 300),
            names_foreign: some(0xf09e, 60),
            names_gone: some(0x909e, 60),
            names_flood: some(0xf100, 4),
            names_undone: some(0x0d0e, 40),
            ..self
        }
    }
}
