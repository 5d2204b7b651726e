//! A private bitcoind on regtest: one process, one data folder, one funded wallet. Every transaction is made
//! by the wallet but sent by the harness, so that the node never brings one back of its own accord.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bitcoin::hashes::Hash as _;
use bitcoin::{Address, Network, ScriptBuf, WPubkeyHash};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::rpc::{Rpc, RpcError};
use super::{Process, START_LIMIT, executable, free_port, scratch_folder, wait_for};

/// The wallet's name on the node.
const WALLET: &str = "payer";

/// Blocks mined for a funded node: coinbases of the first ten can be spent, as ten independent coins.
const FUNDING_BLOCKS: u64 = 110;

/// Digits of a block that are its header.
const HEADER_HEX: usize = 160;

/// `RPC_IN_WARMUP`.
const WARMING_UP: i64 = -28;

/// Starts with other ports each, before the node itself is to blame.
const START_ATTEMPTS: u32 = 5;

/// The chain that a node is on, by its own names for it.
#[derive(Clone, Copy, Debug)]
pub enum Chain {
    Main,
    Testnet4,
    Signet,
    Regtest,
}

impl Chain {
    const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }

    /// Where in its data folder its files are.
    const fn folder(self) -> &'static str {
        match self {
            Self::Main => ".",
            Self::Testnet4 | Self::Signet | Self::Regtest => self.name(),
        }
    }
}

/// A running (or stopped) node, on regtest if nothing else is said. Killed, with its data, when dropped.
pub struct Bitcoind {
    chain: Chain,
    process: Option<Process>,
    rpc: Rpc,
    wallet: Rpc,
    port: u16,
    zmq_port: u16,
    extra_args: Vec<String>,
    folder: TempDir,
}

/// Starting, stopping, and where the node is.
impl Bitcoind {
    /// A node at height 110 with a funded wallet, ten of its coins mature.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with further command-line arguments.
    pub fn start_with(args: &[&str]) -> Self {
        let node = Self::start_empty(args);
        node.rpc.call("createwallet", json!([WALLET]));
        node.mine_to(&node.new_address("bech32"), FUNDING_BLOCKS);
        node
    }

    /// A node with nothing but the genesis block, and without a wallet.
    pub fn start_empty(args: &[&str]) -> Self {
        Self::start_on(Chain::Regtest, args)
    }

    /// As [`start_empty`](Self::start_empty), on any chain.
    pub fn start_on(chain: Chain, args: &[&str]) -> Self {
        let mut folder = scratch_folder();
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            let cookie = folder.path().join(chain.folder()).join(".cookie");
            let rpc = Rpc::new(port).with_cookie(cookie);
            let mut node = Self {
                chain,
                process: None,
                wallet: rpc.at(&format!("/wallet/{WALLET}")),
                rpc,
                port,
                zmq_port: free_port(),
                extra_args: args.iter().map(|&arg| arg.to_owned()).collect(),
                folder,
            };
            if node.launch(&[]) {
                return node;
            }
            folder = node.folder; // another test may have taken the port: choose again
        }
        let log = folder.path().join(chain.folder()).join("debug.log");
        let log = std::fs::read_to_string(log);
        panic!("bitcoind does not start with {args:?}: {log:?}")
    }

    /// Starts the process and waits until it answers; false when it ended instead.
    fn launch(&mut self, args: &[&str]) -> bool {
        let mut process = self.spawn(args);
        let answers = wait_for("bitcoind to answer", START_LIMIT, || {
            if !process.is_running() {
                return Some(false);
            }
            let height = self.rpc.try_call("getblockcount", json!([]));
            height.is_ok().then_some(true)
        });
        self.process = answers.then_some(process);
        answers
    }

    fn spawn(&self, args: &[&str]) -> Process {
        let _ = std::fs::remove_file(self.cookie_file());
        Process::spawn(
            Command::new(executable("bitcoind", "BITCOIND_EXE"))
                .arg(format!("-chain={}", self.chain.name()))
                .arg(format!("-datadir={}", self.folder.path().display()))
                .arg(format!("-rpcport={}", self.port))
                .arg(format!("-zmqpubhashblock={}", self.zmq_url()))
                .arg(format!("-zmqpubsequence={}", self.zmq_url()))
                .args(["-server", "-rest=1", "-txindex=0", "-listen=0"])
                .args(["-dnsseed=0", "-fixedseeds=0", "-connect=0", "-par=1"])
                .args(["-walletbroadcast=0", "-fallbackfee=0.0002", "-dbcache=16"])
                .args(&self.extra_args)
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
    }

    /// Ends the process as an operator would: it keeps its mempool on disk.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            self.rpc.call("stop", json!([]));
            process.wait_for_end(START_LIMIT);
        }
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops the node if it runs, and starts it again on the same port with the same data.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Restarts the node, which comes back with nothing in its mempool.
    pub fn restart_with_empty_mempool(&mut self) {
        self.restart_with(&["-persistmempool=0"]);
    }

    /// Restarts the node with arguments for this one run.
    pub fn restart_with(&mut self, args: &[&str]) {
        self.stop();
        let wallet = self.data().join("wallets").join(WALLET);
        wait_for("bitcoind to start again", START_LIMIT, || {
            self.launch(args).then_some(())
        });
        if wallet.exists() {
            self.rpc.call("loadwallet", json!([WALLET]));
        }
    }

    /// Stops the node and starts it so that it never comes to the end of its start: it reads a pipe that nobody
    /// writes to. Only [`kill`](Self::kill) ends it.
    pub fn restart_and_stay_warming_up(&mut self) {
        self.stop();
        let pipe = Pipe::make(self.folder.path().join("asmap"));
        let process = self.spawn(&[&format!("-asmap={}", pipe.0.display())]);
        wait_for("bitcoind to warm up", START_LIMIT, || {
            let answer = self.rpc.try_call("getblockcount", json!([]));
            let code = match answer {
                Err(RpcError::Node { code, .. }) => Some(code),
                Ok(_) | Err(RpcError::Transport(_)) => None,
            };
            (code == Some(WARMING_UP)).then_some(())
        });
        self.process = Some(process);
    }

    /// Restarts the node, which reads its mempool from a pipe: it does not end until told to.
    pub fn restart_without_reading_mempool(&mut self) -> Pipe {
        self.stop();
        let file = self.data().join("mempool.dat");
        std::fs::remove_file(&file).expect("a mempool on disk");
        let pipe = Pipe::make(file);
        self.restart();
        pipe
    }

    /// Halts the process: connections are accepted and nothing is answered.
    pub fn freeze(&self) {
        self.process
            .as_ref()
            .expect("a running node")
            .signal(Signal::SIGSTOP);
    }

    /// Lets a halted process go on.
    pub fn thaw(&self) {
        self.process
            .as_ref()
            .expect("a running node")
            .signal(Signal::SIGCONT);
    }

    pub fn url(&self) -> String {
        self.rpc.url()
    }

    pub fn zmq_url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.zmq_port)
    }

    /// Exists while the node runs; each start writes another password into it.
    pub fn cookie_file(&self) -> PathBuf {
        self.data().join(".cookie")
    }

    /// The folder of its chain.
    fn data(&self) -> PathBuf {
        self.folder.path().join(self.chain.folder())
    }

    /// The node itself, for calls that have no method here.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The node's wallet, for calls that have no method here.
    pub fn wallet(&self) -> &Rpc {
        &self.wallet
    }
}

/// What a node reads from for as long as nobody writes.
pub struct Pipe(PathBuf);

impl Pipe {
    fn make(at: PathBuf) -> Self {
        mkfifo(&at, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
        Self(at)
    }

    /// The node finds the end, and nothing before it.
    pub fn let_it_end(self) {
        let writer = std::fs::OpenOptions::new().write(true).open(self.0);
        drop(writer.expect("a node that reads"));
    }
}

/// Blocks. Each call mines to another address: two empty blocks on one parent must not come out equal.
impl Bitcoind {
    /// Mines `count` blocks with whatever is in the mempool; their hashes, lowest first.
    pub fn mine(&self, count: u64) -> Vec<String> {
        self.mine_to(&nobodys_address(), count)
    }

    pub fn mine_to(&self, address: &str, count: u64) -> Vec<String> {
        let hashes = self.rpc.call("generatetoaddress", json!([count, address]));
        serde_json::from_value(hashes).expect("a list of hashes")
    }

    /// Mines `count` blocks that hold nothing but their coinbase, and leaves the mempool as it is.
    pub fn mine_empty(&self, count: u64) -> Vec<String> {
        (0..count).map(|_| self.mine_only(&[])).collect()
    }

    /// Mines one block of exactly these transactions: txids from the mempool, or raw ones in hex, which may
    /// conflict with the mempool.
    pub fn mine_only(&self, transactions: &[&str]) -> String {
        let block = self
            .rpc
            .call("generateblock", json!([nobodys_address(), transactions]));
        text(&block["hash"])
    }

    /// Takes the block and all above it off the best chain; their transactions return to the mempool.
    pub fn invalidate(&self, hash: &str) {
        self.rpc.call("invalidateblock", json!([hash]));
    }

    /// Undoes [`invalidate`](Self::invalidate): the longer chain wins again.
    pub fn reconsider(&self, hash: &str) {
        self.rpc.call("reconsiderblock", json!([hash]));
    }

    /// Replaces the topmost `depth` blocks by `new_len` empty ones; the hashes that went and those that came.
    pub fn reorg(&self, depth: u64, new_len: u64) -> (Vec<String>, Vec<String>) {
        let gone = self.rollback(depth);
        (gone, self.mine_empty(new_len))
    }

    /// Takes the topmost `depth` blocks off the best chain and mines none; their hashes, lowest first.
    pub fn rollback(&self, depth: u64) -> Vec<String> {
        let height = self.height();
        let gone: Vec<String> = (height + 1 - depth..=height)
            .map(|height| self.hash_at(height))
            .collect();
        if let Some(lowest) = gone.first() {
            self.invalidate(lowest);
        }
        gone
    }

    /// A block that the node has, in hex.
    pub fn raw_block(&self, hash: &str) -> String {
        text(&self.rpc.call("getblock", json!([hash, 0])))
    }

    /// Gives the node a block of another one.
    pub fn take_block(&self, raw: &str) {
        self.rpc.call("submitblock", json!([raw]));
    }

    /// Gives the node no more of a block than its header.
    pub fn take_header(&self, raw_block: &str) {
        let header = &raw_block[..HEADER_HEX];
        self.rpc.call("submitheader", json!([header]));
    }

    pub fn height(&self) -> u64 {
        let height = self.rpc.call("getblockcount", json!([]));
        height.as_u64().expect("a height")
    }

    pub fn tip(&self) -> String {
        text(&self.rpc.call("getbestblockhash", json!([])))
    }

    pub fn hash_at(&self, height: u64) -> String {
        text(&self.rpc.call("getblockhash", json!([height])))
    }
}

/// An address that has not been used before, and to which there is no key.
fn nobodys_address() -> String {
    let mut program = [0; 20];
    for (index, byte) in program.iter_mut().enumerate() {
        [*byte, ..] = RandomState::new().hash_one(index).to_le_bytes();
    }
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(program));
    let address = Address::from_script(&script, Network::Regtest);
    address.expect("a standard script").to_string()
}

/// The string inside a JSON value.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a string was expected, not {value}"))
        .to_owned()
}
