//! How fast the real daemon catches up with a bitcoind after downtime, and what that takes of the
//! processor, against two others on the same node and the same blocks: a loop that merely downloads
//! and parses them (the floor: one thread, one kept connection to REST, every output visited, every
//! txid computed, the merkle root checked), and bitcoind's rescan of its own wallet. All three take
//! turns, and the best of each counts. Goals: at most 0.8 times the floor's wall time (on two cores)
//! and at most 1.6 times its processor time; at least 1.8 times as fast as the rescan.
//!
//!     cargo build && cargo run --example measure_catch_up [BLOCKS]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a program that measures prints figures and says what went wrong by panicking"
)]

#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use bitcoin::{
    Address, Amount, Block, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness,
    absolute::LockTime,
    consensus::{deserialize, encode::serialize_hex},
    merkle_tree,
    opcodes::{OP_TRUE, all::OP_2DROP},
    script::Builder,
    transaction::Version,
};
use serde_json::json;
use std::{
    fs,
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};
use support::{
    configuration::Setup,
    cpu,
    figures::{ms, verdict},
    gateway::Gateway,
    payments::{self, Side},
    process::Daemon,
};
use world::{World, argument, nodes::bitcoind::Bitcoind};

/// Payments that are watched.
const WATCHED: u64 = 1_000;
/// How often each of the three is measured.
const ROUNDS: u32 = 4;

/// A block is about as one of mainnet: in transactions, in outputs, and in signatures of the size
/// that P2WPKH has, which nobody checks.
const TRANSACTIONS: u64 = 2_500;
/// Outputs of a transaction to strangers; one more is the change.
const STRANGERS_PAID: u64 = 3;
const STRANGERS_SATS: u64 = 1_000;
/// Every so many blocks one pays a payment.
const A_PAYMENT_EVERY: u64 = 10;
/// What the strangers and the payments are paid from, in BTC.
const FUNDS: &str = "45";
/// The first of the numbers that no payment has: strangers are paid there.
const STRANGERS: u64 = 1_000_000;

/// What a daemon has counted once it knows how far the node is: the metric, and its labels.
const ASKED: [&str; 2] = [
    "confirmd_rpc_requests_total",
    r#"method="getblockchaininfo",outcome="ok""#,
];

const OF_FLOORS_WALL: f64 = 0.8;
const OF_FLOORS_CPU: f64 = 1.6;
const OF_RESCANS_SPEED: f64 = 1.8;

fn main() {
    let blocks = argument(150, "how many blocks");
    let mut world = World::start(1000);
    world.setup.more_of_bitcoin = "rest = true".to_owned();
    world.setup.write();
    let mut funds = Funds::take(&world.bitcoind);
    let first = world.bitcoind.height() + 1;
    follow_until_here(&world.setup);
    (0..blocks).for_each(|n| funds.spend_in_block(&world.bitcoind, n));
    let chain = Chain::of(&world.bitcoind, first);
    chain.describe();

    let contenders = ["floor", "confirmd", "rescan"];
    let mut best = [Taken::MOST; 3];
    for round in 1..=ROUNDS {
        println!("round {round}");
        let took = [
            floor(&chain),
            catch_up(&world.setup, &chain),
            rescan(&world.bitcoind, &chain),
        ];
        for (n, took) in took.into_iter().enumerate() {
            println!("  {:8} {}", contenders[n], took.over(blocks));
            best[n] = best[n].least(took);
        }
    }
    println!("best of {ROUNDS} rounds");
    for (name, best) in contenders.into_iter().zip(best) {
        println!("  {name:8} {}", best.over(blocks));
    }
    judge(best);
}

/// What something took.
#[derive(Clone, Copy)]
struct Taken {
    wall: Duration,
    /// Of the processor, on the client's side.
    cpu: Duration,
}

impl Taken {
    const MOST: Self = Self {
        wall: Duration::MAX,
        cpu: Duration::MAX,
    };

    fn least(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            cpu: self.cpu.min(other.cpu),
        }
    }

    fn over(self, blocks: u64) -> String {
        let count = u32::try_from(blocks).expect("a small number");
        let speed = f64::from(count) / self.wall.as_secs_f64();
        let (wall, cpu) = (self.wall, ms(self.cpu / count));
        format!("{wall:.2?}, {speed:.1} blocks/s, {cpu} of the processor a block")
    }
}

fn judge([floor, confirmd, rescan]: [Taken; 3]) {
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let wall = ratio(confirmd.wall, floor.wall);
    let met = verdict(wall <= OF_FLOORS_WALL);
    println!(
        "confirmd's wall time is {wall:.2} x the floor's (goal: at most {OF_FLOORS_WALL}; {met})"
    );
    let cpu = ratio(confirmd.cpu, floor.cpu);
    let met = verdict(cpu <= OF_FLOORS_CPU);
    println!("its processor time is {cpu:.2} x the floor's (goal: at most {OF_FLOORS_CPU}; {met})");
    let speed = ratio(rescan.wall, confirmd.wall);
    let met = verdict(speed >= OF_RESCANS_SPEED);
    println!("it is {speed:.2} x as fast as the rescan (goal: at least {OF_RESCANS_SPEED}; {met})");
}

/// Has the daemon begin with the present tip and take its payments, and keeps its files as they are
/// after its end.
fn follow_until_here(setup: &Setup) {
    let daemon = Daemon::start(setup);
    let mut gateway = Gateway::open(&setup.folder);
    gateway.register(Side::Bitcoin, 0..WATCHED);
    gateway.wait_for_count("v1_request", WATCHED);
    drop(gateway);
    daemon.stop();
    replace(&setup.folder.join("before"), &setup.folder.join("data"));
}

/// Makes a folder hold the files of another one, and no others.
fn replace(to: &Path, from: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let files = |of: &Path| {
        fs::read_dir(of)
            .expect("a folder")
            .map(|file| file.expect("a file"))
    };
    for file in files(to) {
        fs::remove_file(file.path()).expect("a file less");
    }
    for file in files(from) {
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// The daemon from the moment in which it knows how far the node is until its row says that it is
/// there, too.
fn catch_up(setup: &Setup, chain: &Chain) -> Taken {
    replace(&setup.folder.join("data"), &setup.folder.join("before"));
    let gateway = Gateway::open(&setup.folder);
    let started = Instant::now();
    let daemon = Daemon::start_listening(setup);
    while daemon.counted(ASKED[0], ASKED[1]) == 0 {
        sleep(Duration::from_millis(1));
    }
    let (began, used) = (Instant::now(), daemon.cpu_taken());
    let row = "v1_chain WHERE chain = 'bitcoin' AND scanned_hash = ?";
    let wall = gateway.wait_for_row(row, [chain.hashes.last()], began);
    let cpu = daemon.cpu_taken() - used;
    println!(
        "  (confirmd knew the node's tip {:.1?} after its start)",
        began - started
    );
    assert_eq!(
        gateway.count("v1_transfer"),
        chain.payments(),
        "payments are missed"
    );
    daemon.stop();
    Taken { wall, cpu }
}

/// One thread that downloads and checks the blocks one after the other.
fn floor(chain: &Chain) -> Taken {
    let (began, used) = (Instant::now(), cpu::taken());
    let mut rest = Rest::connect(&chain.place);
    for hash in &chain.hashes {
        let block: Block = deserialize(rest.block(hash)).expect("a block");
        let outputs = block.txdata.iter().flat_map(|tx| &tx.output);
        let visited = outputs.fold(0, |sum: u64, output| {
            let last = output.script_pubkey.as_bytes().last().copied();
            sum.wrapping_add(output.value.to_sat() ^ u64::from(last.unwrap_or_default()))
        });
        black_box(visited);
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        let root = merkle_tree::calculate_root(txids.iter().map(|txid| txid.to_raw_hash()));
        assert_eq!(
            root,
            Some(block.header.merkle_root.to_raw_hash()),
            "another block"
        );
    }
    Taken {
        wall: began.elapsed(),
        cpu: cpu::taken() - used,
    }
}

/// The node's own wallet, which has no payment in these blocks. Its processor time is the node's and
/// not measured.
fn rescan(node: &Bitcoind, chain: &Chain) -> Taken {
    let began = Instant::now();
    let (first, last) = (chain.first, node.height());
    let done = node.wallet().call("rescanblockchain", json!([first, last]));
    assert_eq!(done["stop_height"], json!(last), "a rescan that stopped");
    Taken {
        wall: began.elapsed(),
        cpu: Duration::ZERO,
    }
}

/// A connection to a bitcoind's REST interface that is kept.
struct Rest {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Rest {
    fn connect(place: &str) -> Self {
        let stream = TcpStream::connect(place).expect("a node that listens");
        stream.set_nodelay(true).expect("a connection");
        Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
        }
    }

    fn block(&mut self, hash: &str) -> &[u8] {
        let request = format!("GET /rest/block/{hash}.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).expect("a connection");
        let length = self.length();
        self.body.resize(length, 0);
        self.stream
            .read_exact(&mut self.body)
            .expect("a whole body");
        &self.body
    }

    /// Reads the head of an answer: how long the body is.
    fn length(&mut self) -> usize {
        let (mut length, mut line) = (None, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            if line.trim_end().is_empty() {
                return length.expect("a length");
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
    }
}

/// The blocks that are caught up with.
struct Chain {
    /// Host and port of the node.
    place: String,
    first: u64,
    hashes: Vec<String>,
}

impl Chain {
    /// The blocks from the height `first` up to the tip.
    fn of(node: &Bitcoind, first: u64) -> Self {
        Self {
            place: node.url().replace("http://", ""),
            first,
            hashes: (first..=node.height())
                .map(|height| node.hash_at(height))
                .collect(),
        }
    }

    /// In how many a payment is paid.
    fn payments(&self) -> u64 {
        u64::try_from(self.hashes.len())
            .expect("a small number")
            .div_ceil(A_PAYMENT_EVERY)
    }

    fn describe(&self) {
        let raw = Rest::connect(&self.place).block(&self.hashes[0]).to_vec();
        let block: Block = deserialize(&raw).expect("a block");
        let outputs: usize = block.txdata.iter().map(|tx| tx.output.len()).sum();
        let (count, transactions) = (self.hashes.len(), block.txdata.len());
        let (payments, size) = (self.payments(), raw.len());
        println!(
            "{count} blocks, each of {transactions} transactions, {outputs} outputs, {size} bytes; \
             {payments} payments in them, {WATCHED} watched"
        );
    }
}

/// A coin that anybody can spend. Each transaction spends the change of the one before.
struct Funds {
    coin: OutPoint,
    left: Amount,
    paid: u64,
}

impl Funds {
    fn take(node: &Bitcoind) -> Self {
        let address = Address::from_script(&anybodys(), Network::Regtest);
        let txid = node.send(&address.expect("a standard script").to_string(), FUNDS);
        node.mine(1);
        Self {
            coin: OutPoint::new(txid.parse().expect("a txid"), 0),
            left: format!("{FUNDS} BTC").parse().expect("an amount"),
            paid: 0,
        }
    }

    /// Makes the n-th block.
    fn spend_in_block(&mut self, node: &Bitcoind, n: u64) {
        let mut raw: Vec<String> = (1..TRANSACTIONS)
            .map(|_| self.spend(self.strangers()))
            .collect();
        let payment = n.is_multiple_of(A_PAYMENT_EVERY);
        let last = if payment {
            vec![output(n, payments::SATS)]
        } else {
            self.strangers()
        };
        raw.push(self.spend(last));
        let raw: Vec<&str> = raw.iter().map(String::as_str).collect();
        node.mine_only(&raw);
    }

    /// Outputs to strangers that nobody has paid before.
    fn strangers(&self) -> Vec<TxOut> {
        let next = STRANGERS + self.paid;
        (next..next + STRANGERS_PAID)
            .map(|n| output(n, STRANGERS_SATS))
            .collect()
    }

    /// A transaction with these outputs and the change, in hex.
    fn spend(&mut self, mut outputs: Vec<TxOut>) -> String {
        self.paid += STRANGERS_PAID;
        self.left -= outputs.iter().map(|output| output.value).sum();
        outputs.push(TxOut {
            value: self.left,
            script_pubkey: anybodys(),
        });
        let change = u32::try_from(outputs.len() - 1).expect("a small number");
        let script = witness_script();
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.coin,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[&[0x30; 72][..], &[0x02; 33], script.as_bytes()]),
            }],
            output: outputs,
        };
        self.coin = OutPoint::new(transaction.compute_txid(), change);
        serialize_hex(&transaction)
    }
}

fn output(n: u64, sats: u64) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey: payments::script(n),
    }
}

fn anybodys() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&witness_script().wscript_hash())
}

/// Takes what stands where a signature and a key would, and looks at neither.
fn witness_script() -> ScriptBuf {
    let script = Builder::new().push_opcode(OP_2DROP).push_opcode(OP_TRUE);
    script.into_script()
}
