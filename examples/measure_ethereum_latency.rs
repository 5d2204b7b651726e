//! How long after the beginning of the call that makes a block another process can read the rows of what it
//! pays: a real anvil, whose blocks hold 200 transactions of which 100 move USDT, and the real daemon with
//! 10,000 watched payments, half in USDT and half in ether, which listens to the node's `newHeads` (with the word
//! `poll`: which polls as often as configuration allows). Beside it, with as
//! many blocks of the same chain: when viem says the same (`examples/viem`), which watches by WebSocket, in
//! memory, and believes the node: by `watchBlocks` with transactions, and, for scale, by the token's logs as the node
//! pushes them. They take turns. Goals: p50 and p99 no worse than those of `watchBlocks`, and at most 17 ms of the
//! processor a block.
//!
//!     cargo build --profile bench && cargo run --profile bench --example measure_ethereum_latency [BLOCKS] [poll]
//!
//! Needs node and npm beside anvil; without them there is nothing to compare with, and that is said.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use std::{
    thread,
    time::{Duration, Instant},
};
use support::{
    figures::{Figures, ms, verdict},
    gateway::Gateway,
    pauses::sleep_for_a_part_of,
    payments::Side,
    process::Daemon,
    viem::{self, Viem},
};
use world::{
    EthereumWorld, argument,
    crowd::{Crowd, Paid, Payers},
    is_asked,
};

/// Payments that are watched: the first half in USDT, the others in ether.
const WATCHED: u64 = 10_000;
/// In so many parts each of both has its turn.
const TURNS: u64 = 4;
/// Blocks that do not count, in each turn.
const WARM_UP: u64 = 3;
/// The default, and as often as configuration allows.
const SELDOM: Duration = Duration::from_secs(3);
const OFTEN: Duration = Duration::from_millis(100);
/// Blocks are made at any moment of so long a time.
const SPREAD: Duration = Duration::from_millis(100);
/// How long nothing happens, to see what that costs.
const QUIET: Duration = Duration::from_secs(5);
/// How often it is asked what is traced.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// A trace of a block takes this long at most.
const TRACING: Duration = Duration::from_mins(1);
const BLOCK_WITHIN: Duration = Duration::from_millis(17);

fn main() {
    let blocks = argument(120, "how many blocks").next_multiple_of(TURNS);
    let is_compared = match viem::install() {
        Ok(()) => true,
        Err(why) => {
            println!("SKIPPED: there is no viem to compare with: {why}");
            false
        }
    };
    let is_polled = is_asked("poll");
    let interval = if is_polled { OFTEN } else { SELDOM };
    let world =
        EthereumWorld::start(u64::try_from(interval.as_millis()).expect("a short interval"));
    let world = if is_polled { world } else { world.listening() };
    world.setup.write();
    let mut stage = Stage::new(&world);
    stage.register();
    let (mut confirmd, mut others) = (Seen::default(), Seen::default());
    let mut pushed = Figures::default();
    for _ in 0..TURNS {
        stage.confirmd(blocks / TURNS, &mut confirmd);
        if is_compared {
            stage.viem(blocks / TURNS, &mut others);
            stage.pushed_logs(blocks / TURNS, &mut pushed);
        }
    }
    let heard = if is_polled { "" } else { " and newHeads" };
    println!(
        "from the beginning of evm_mine; poll interval {interval:?}{heard}, {WATCHED} payments watched"
    );
    println!("the call itself: {}", stage.calls);
    confirmd.print("confirmd");
    if is_compared {
        others.print("viem's watchBlocks");
        println!("for scale, viem's logs as pushed, tokens: {pushed}");
        confirmd.judge(&others);
    }
    let a_block = |cpu: Duration| cpu / u32::try_from(blocks).expect("a small number");
    let quiet = stage.quiet();
    let for_time = quiet.mul_f64(confirmd.lasted.as_secs_f64());
    let each = a_block(confirmd.cpu.saturating_sub(for_time));
    let met = verdict(each <= BLOCK_WITHIN);
    println!(
        "confirmd's processor time a block, traces included: {} (goal: {BLOCK_WITHIN:?}; {met}), beside {} a second",
        ms(each),
        ms(quiet)
    );
    if is_compared {
        println!("viem's processor time a block: {}", ms(a_block(others.cpu)));
    }
}

/// What one of both has seen.
#[derive(Default)]
struct Seen {
    usdt: Figures,
    ether: Figures,
    cpu: Duration,
    /// Of how long a time that is.
    lasted: Duration,
}

impl Seen {
    fn add(&mut self, [usdt, ether]: [Duration; 2]) {
        self.usdt.add(usdt);
        self.ether.add(ether);
    }

    fn print(&self, whose: &str) {
        println!("{whose}, tokens: {}", self.usdt);
        println!("{whose}, ether: {}", self.ether);
    }

    fn judge(&self, others: &Self) {
        let pairs = [
            ("tokens", &self.usdt, &others.usdt),
            ("ether", &self.ether, &others.ether),
        ];
        for (what, ours, theirs) in pairs {
            for at in [50, 99] {
                let (ours, theirs) = (ours.percentile(at), theirs.percentile(at));
                let met = verdict(ours <= theirs);
                let (ours, theirs) = (ms(ours), ms(theirs));
                println!("{what}, p{at}: {ours} against viem's {theirs} ({met})");
            }
        }
    }
}

/// A chain on which each block pays the next two payments.
struct Stage<'a> {
    world: &'a EthereumWorld,
    crowd: Crowd,
    paid: u64,
    /// How long the calls take that make blocks.
    calls: Figures,
}

impl<'a> Stage<'a> {
    fn new(world: &'a EthereumWorld) -> Self {
        Self {
            world,
            crowd: Crowd::of(&world.anvil, &world.tokens),
            paid: 0,
            calls: Figures::default(),
        }
    }

    fn register(&self) {
        let daemon = Daemon::start(&self.world.setup);
        let mut gateway = Gateway::open(self.world.folder.path());
        gateway.register(Side::Ethereum, 0..WATCHED / 2);
        gateway.register(Side::Ether, WATCHED / 2..WATCHED);
        gateway.wait_for_count("v1_request", WATCHED);
        daemon.stop();
    }

    fn confirmd(&mut self, blocks: u64, seen: &mut Seen) {
        let daemon = Daemon::start(&self.world.setup);
        let gateway = Gateway::open(self.world.folder.path());
        self.warm_up(|payers, since| rows(&gateway, payers, since));
        self.traced(&daemon);
        let (used, began) = (daemon.cpu_taken(), Instant::now());
        for _ in 0..blocks {
            seen.add(self.block(|payers, since| rows(&gateway, payers, since)));
            self.traced(&daemon);
        }
        seen.cpu += daemon.cpu_taken().saturating_sub(used);
        seen.lasted += began.elapsed();
        daemon.stop();
    }

    fn viem(&mut self, blocks: u64, seen: &mut Seen) {
        let setup = &self.world.setup;
        let viem = Viem::start(&setup.ethereum_url, &setup.usdt, "blocks", 0..WATCHED);
        let words = |payers: &Payers| {
            [
                format!("usdt {}", payers.usdt),
                format!("ether {}", payers.ether),
            ]
        };
        self.warm_up(|payers, _| viem.wait_for(&words(payers)));
        let used = viem.cpu_taken();
        for _ in 0..blocks {
            seen.add(self.block(|payers, since| {
                let found = viem.wait_for(&words(payers));
                found.map(|at| at.saturating_duration_since(since))
            }));
        }
        seen.cpu += viem.cpu_taken().saturating_sub(used);
    }

    fn pushed_logs(&mut self, blocks: u64, seen: &mut Figures) {
        let setup = &self.world.setup;
        let viem = Viem::start(&setup.ethereum_url, &setup.usdt, "logs", 0..WATCHED);
        let word = |payers: &Payers| [format!("usdt {}", payers.usdt)];
        self.warm_up(|payers, _| viem.wait_for(&word(payers)));
        for _ in 0..blocks {
            seen.add(self.block(|payers, since| {
                let [at] = viem.wait_for(&word(payers));
                at.saturating_duration_since(since)
            }));
        }
    }

    /// Some blocks that do not count: who has just started is slower.
    fn warm_up<T>(&mut self, wait: impl Fn(&Payers, Instant) -> T) {
        let calls = std::mem::take(&mut self.calls);
        for _ in 0..WARM_UP {
            self.block(&wait);
        }
        self.calls = calls;
    }

    /// Makes a block at any moment of a poll's interval, and waits meanwhile for what shows it.
    fn block<T>(&mut self, wait: impl FnOnce(&Payers, Instant) -> T) -> T {
        let payers = self.crowd.send(Paid {
            usdt: Some(self.paid),
            ether: Some(WATCHED / 2 + self.paid),
        });
        self.paid += 1;
        sleep_for_a_part_of(SPREAD);
        let anvil = &self.world.anvil;
        let since = Instant::now();
        thread::scope(|scope| {
            let call = scope.spawn(|| {
                anvil.mine(1);
                since.elapsed()
            });
            let found = wait(&payers, since);
            self.calls.add(call.join().expect("a block"));
            found
        })
    }

    /// Waits until it is known what contracts moved in all blocks: an anvil takes long to tell, and answers little
    /// else meanwhile, and real blocks do not come that fast.
    fn traced(&self, daemon: &Daemon) {
        let tip = self.world.anvil.block_number();
        let began = Instant::now();
        while daemon.counted("confirmd_chain_traced_height{", "ethereum") < tip {
            assert!(began.elapsed() < TRACING, "waited in vain for a trace");
            thread::sleep(ASKED_EVERY);
        }
    }

    /// What confirmd takes of the processor in a second in which nothing happens but what [`traced`](Self::traced)
    /// asks.
    fn quiet(&self) -> Duration {
        let daemon = Daemon::start(&self.world.setup);
        self.traced(&daemon);
        let (used, began) = (daemon.cpu_taken(), Instant::now());
        while began.elapsed() < QUIET {
            daemon.counted("confirmd_chain_traced_height{", "ethereum");
            thread::sleep(ASKED_EVERY);
        }
        let taken = daemon.cpu_taken().saturating_sub(used);
        daemon.stop();
        taken.div_f64(QUIET.as_secs_f64())
    }
}

/// How long until both rows are read.
fn rows(gateway: &Gateway, payers: &Payers, since: Instant) -> [Duration; 2] {
    let row = "v1_transfer WHERE state = 'confirmed' AND txid = ?";
    [&payers.usdt, &payers.ether].map(|id| gateway.wait_for_row(row, [id], since))
}
