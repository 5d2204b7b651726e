//! A private anvil: an Ethereum chain that grows only when a test says so. Its ten accounts hold 10,000 ether
//! each and are unlocked. `safe` is the tip − 32 and `finalized` the tip − 64, unless the test starts it with
//! `--slots-in-an-epoch N` (then − N and − 2 N).

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, U256, hex};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::abi::{self, Arg, encode_call};
use super::rpc::Rpc;
use super::{Process, START_LIMIT, executable, scratch_folder, wait_for};

/// Room for many transactions with generous limits in one block.
const BLOCK_GAS: &str = "1000000000";
const CALL_GAS: u64 = 2_000_000;
const DEPLOY_GAS: u64 = 5_000_000;

/// Ten to the eighteenth: `3 * ETHER` is a value in wei, up to 18 ether.
pub const ETHER: u64 = 1_000_000_000_000_000_000;

/// A running chain. Killed when dropped.
pub struct Anvil {
    process: Process,
    rpc: Rpc,
    accounts: Vec<Address>,
    _folder: TempDir,
}

/// What a mined transaction did.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub succeeded: bool,
    pub block_number: u64,
    pub block_hash: B256,
    pub created: Option<Address>,
    pub logs: Vec<Log>,
}

#[derive(Clone, Debug)]
pub struct Log {
    pub address: Address,
    pub topics: Vec<B256>,
    pub data: Vec<u8>,
}

/// Starting, stopping, and where the node is.
impl Anvil {
    /// A chain with id 31337 at block 0, on which only [`mine`](Self::mine) makes blocks.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with further command-line arguments, for example `--chain-id 5`.
    pub fn start_with(args: &[&str]) -> Self {
        let folder = scratch_folder();
        let log_file = folder.path().join("anvil.log");
        let log = File::create(&log_file).expect("a log file");
        let mut process = Process::spawn(
            Command::new(executable("anvil", "ANVIL_EXE"))
                .args(["--port", "0", "--no-mining", "--order", "fifo"])
                .args(["--gas-limit", BLOCK_GAS])
                .args(args)
                .env("HOME", folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a second handle"))
                .stderr(log),
        );
        let port = wait_for("anvil to listen", START_LIMIT, || {
            let log = fs::read_to_string(&log_file).unwrap_or_default();
            assert!(process.is_running(), "anvil ended at once: {log}");
            let (_, rest) = log.split_once("Listening on 127.0.0.1:")?;
            rest.split_once('\n')?.0.trim().parse().ok()
        });
        let rpc = Rpc::new(port);
        let accounts = rpc.call("eth_accounts", json!([]));
        Self {
            process,
            rpc,
            accounts: serde_json::from_value(accounts).expect("a list of addresses"),
            _folder: folder,
        }
    }

    /// Halts the process: connections are accepted and nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// Lets a halted process go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }

    pub fn url(&self) -> String {
        self.rpc.url()
    }

    /// The node itself, for calls that have no method here.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// An unlocked account with ether. The first, number 0, deploys the test tokens.
    pub fn account(&self, index: usize) -> Address {
        self.accounts[index]
    }
}

/// Blocks.
impl Anvil {
    /// Mines `count` blocks, the first with whatever waits. More than some 600 in all make anvil slow, and more
    /// than one a second put its clock ahead.
    pub fn mine(&self, count: u64) {
        for _ in 0..count {
            self.rpc.call("evm_mine", json!([]));
        }
    }

    /// Replaces the topmost `depth` blocks by as many empty ones. The replaced blocks are gone even by hash, and
    /// so are their transactions.
    pub fn reorg(&self, depth: u64) {
        self.rpc.call("anvil_reorg", json!([depth, []]));
    }

    /// Replaces the topmost `depth` blocks by `new_len` empty ones.
    pub fn reorg_to(&self, depth: u64, new_len: u64) {
        self.rollback(depth);
        self.mine(new_len);
    }

    /// Takes the topmost `depth` blocks away and mines none. The next block will be later than all that were.
    pub fn rollback(&self, depth: u64) {
        let tip_at = self.timestamp();
        self.rpc.call("anvil_rollback", json!([depth]));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("a clock past 1970").as_secs();
        self.set_next_timestamp(now.max(tip_at + 1));
    }

    /// In seconds since 1970, for the next block alone.
    pub fn set_next_timestamp(&self, at: u64) {
        self.rpc.call("evm_setNextBlockTimestamp", json!([at]));
    }

    pub fn block_number(&self) -> u64 {
        number(&self.rpc.call("eth_blockNumber", json!([])))
    }

    /// The block with this number, with the hashes of its transactions; JSON as the node gives it.
    pub fn block(&self, block_number: u64) -> Value {
        let tag = format!("{block_number:#x}");
        self.rpc.call("eth_getBlockByNumber", json!([tag, false]))
    }

    pub fn hash_at(&self, block_number: u64) -> B256 {
        value(&self.block(block_number)["hash"])
    }

    /// Of the latest block, in seconds since 1970.
    pub fn timestamp(&self) -> u64 {
        let block = self
            .rpc
            .call("eth_getBlockByNumber", json!(["latest", false]));
        number(&block["timestamp"])
    }
}

/// Transactions. They wait until a block is mined; a failing one is mined as well.
impl Anvil {
    /// Sends ether from account 0; the transaction's hash.
    pub fn send_eth(&self, to: Address, wei: u64) -> B256 {
        self.call_contract(self.account(0), to, wei, &[])
    }

    /// Sends a transaction from an unlocked account; its hash.
    pub fn call_contract(&self, from: Address, to: Address, wei: u64, data: &[u8]) -> B256 {
        self.send(json!({
            "from": from, "to": to, "value": U256::from(wei), "gas": U256::from(CALL_GAS),
            "input": hex::encode_prefixed(data),
        }))
    }

    /// Calls a function by its signature, such as `transfer(address,uint256)`, from account 0.
    pub fn invoke(&self, contract: Address, signature: &str, args: &[Arg]) -> B256 {
        self.call_contract(self.account(0), contract, 0, &encode_call(signature, args))
    }

    /// As [`invoke`](Self::invoke), with ether.
    pub fn invoke_paying(
        &self,
        contract: Address,
        wei: u64,
        signature: &str,
        args: &[Arg],
    ) -> B256 {
        self.call_contract(
            self.account(0),
            contract,
            wei,
            &encode_call(signature, args),
        )
    }

    /// Sends a contract's creation from account 0; where it will be once mined.
    pub fn deploy(&self, bytecode_hex: &str, args: &[Arg]) -> Address {
        let creator = self.account(0);
        let address = creator.create(self.next_nonce(creator));
        let code = hex::decode(bytecode_hex.trim()).expect("bytecode in hex");
        let code = [code, abi::encode(args)].concat();
        self.send(json!({
            "from": creator, "gas": U256::from(DEPLOY_GAS), "input": hex::encode_prefixed(code),
        }));
        address
    }

    /// The nonce is explicit: the node's own choice is wrong when several transactions come at once.
    fn send(&self, mut transaction: Value) -> B256 {
        let from = value(&transaction["from"]);
        transaction["nonce"] = json!(U256::from(self.next_nonce(from)));
        value(&self.rpc.call("eth_sendTransaction", json!([transaction])))
    }

    fn next_nonce(&self, account: Address) -> u64 {
        number(
            &self
                .rpc
                .call("eth_getTransactionCount", json!([account, "pending"])),
        )
    }

    /// None while the transaction waits, or when its block has been replaced.
    pub fn receipt(&self, transaction: B256) -> Option<Receipt> {
        let receipt = self
            .rpc
            .call("eth_getTransactionReceipt", json!([transaction]));
        (!receipt.is_null()).then(|| Receipt {
            succeeded: number(&receipt["status"]) == 1,
            block_number: number(&receipt["blockNumber"]),
            block_hash: value(&receipt["blockHash"]),
            created: value(&receipt["contractAddress"]),
            logs: receipt["logs"]
                .as_array()
                .expect("logs")
                .iter()
                .map(log)
                .collect(),
        })
    }

    /// The result of a read-only call, as one word.
    pub fn read(&self, contract: Address, signature: &str, args: &[Arg]) -> U256 {
        let data = hex::encode_prefixed(encode_call(signature, args));
        let call = json!({"to": contract, "input": data});
        value(&self.rpc.call("eth_call", json!([call, "latest"])))
    }

    /// In wei.
    pub fn balance(&self, address: Address) -> U256 {
        value(&self.rpc.call("eth_getBalance", json!([address, "latest"])))
    }
}

fn log(log: &Value) -> Log {
    let data: String = value(&log["data"]);
    Log {
        address: value(&log["address"]),
        topics: value(&log["topics"]),
        data: hex::decode(data).expect("data in hex"),
    }
}

/// A quantity such as `0x1f`.
fn number(quantity: &Value) -> u64 {
    value::<U256>(quantity).to()
}

fn value<T: serde::de::DeserializeOwned>(json: &Value) -> T {
    serde_json::from_value(json.clone())
        .unwrap_or_else(|error| panic!("unexpected {json} from the node: {error}"))
}
