//! A private bitcoind on regtest: one process, one data folder, one funded wallet. Every transaction is made
//! by the wallet but sent by the harness, so that the node never brings one back of its own accord.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bitcoin::hashes::Hash as _;
use bitcoin::{Address, Network, ScriptBuf, WPubkeyHash};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::rpc::Rpc;
use super::{Process, START_LIMIT, executable, free_port, scratch_folder, wait_for};

/// The wallet's name on the node.
const WALLET: &str = "payer";

/// Blocks mined for a funded node: coinbases of the first ten can be spent, as ten independent coins.
const FUNDING_BLOCKS: u64 = 110;

/// Starts with other ports each, before the node itself is to blame.
const START_ATTEMPTS: u32 = 5;

/// A running (or stopped) regtest node. Killed, with its data, when dropped.
pub struct Bitcoind {
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
        let mut folder = scratch_folder();
        for _ in 0..START_ATTEMPTS {
            let port = free_port();
            let rpc = Rpc::new(port).with_cookie(folder.path().join("regtest/.cookie"));
            let mut node = Self {
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
        let log = std::fs::read_to_string(folder.path().join("regtest/debug.log"));
        panic!("bitcoind does not start with {args:?}: {log:?}")
    }

    /// Starts the process and waits until it answers; false when it ended instead.
    fn launch(&mut self, args: &[&str]) -> bool {
        let _ = std::fs::remove_file(self.cookie_file());
        let mut process = Process::spawn(
            Command::new(executable("bitcoind", "BITCOIND_EXE"))
                .arg("-regtest")
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
        );
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
        let wallet = self.folder.path().join("regtest/wallets").join(WALLET);
        wait_for("bitcoind to start again", START_LIMIT, || {
            self.launch(args).then_some(())
        });
        if wallet.exists() {
            self.rpc.call("loadwallet", json!([WALLET]));
        }
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
        self.folder.path().join("regtest/.cookie")
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
