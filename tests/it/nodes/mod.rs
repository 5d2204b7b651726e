//! Real nodes for tests: starts a private bitcoind or anvil, drives it by blocking calls, and stops it when
//! the value is dropped. Knows nothing of confirmd; its JSON-RPC client is its own, so that a fault in the
//! daemon's transport cannot hide here.
#![allow(dead_code, reason = "a harness offers more than each test module uses")]

pub mod abi;
pub mod anvil;
pub mod anybodys;
pub mod bitcoind;
pub mod coins;
pub mod full_block;
pub mod rpc;
pub mod tokens;

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a node may take to start, on a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Between two looks at something that is being waited for.
pub const POLL_EVERY: Duration = Duration::from_millis(10);

/// Ports tried before the machine is taken to have none.
const PORT_ATTEMPTS: u32 = 1_000;

/// Free memory that a folder in `/dev/shm` needs: a node takes some 20 MB, and several tests run at once.
const SHARED_MEMORY_MIN_BYTES: u64 = 1 << 30;

/// Asks until `look` gives a value; panics, naming `what`, when `limit` passes first.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain for {what}"
        );
        thread::sleep(POLL_EVERY);
    }
}

/// The executable of a node: named by `variable`, else on PATH, else installed by `scripts/nodes`.
pub fn executable(name: &str, variable: &str) -> PathBuf {
    if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        assert!(
            named.is_file(),
            "{variable} names {}, which is no file; unset it and run scripts/nodes, which installs {name}",
            named.display()
        );
        return named;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".nodes/bin");
    env::split_paths(&path)
        .chain([installed])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("this test needs a real {name}: run scripts/nodes, which installs it, or name one in {variable}")
        })
}

/// A loopback port that nobody listens on. Below the range from which the kernel takes ports for outgoing
/// connections, so that only another test can take it before the node does; the node then starts again.
pub fn free_port() -> u16 {
    let (first, count) = (20_000, 12_000);
    (0..PORT_ATTEMPTS)
        .map(|_| RandomState::new().hash_one(0) % count + first)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("a free port")
}

/// A folder for a node's data, gone when dropped. In memory where there is enough: bitcoind syncs every
/// block to disk, which makes mining fifty times slower there.
pub fn scratch_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let free_bytes = nix::sys::statvfs::statvfs(memory)
        .map_or(0, |stat| stat.blocks_available() * stat.fragment_size());
    let parent = if free_bytes >= SHARED_MEMORY_MIN_BYTES {
        remove_leftovers(memory);
        memory.to_owned()
    } else {
        env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix(&format!("confirmd-test-{}-", std::process::id()))
        .tempdir_in(parent)
        .expect("a folder for the node")
}

/// Removes the folders of test processes that were killed and could not do it themselves.
fn remove_leftovers(parent: &Path) {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix("confirmd-test-")
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A node's process, killed when dropped.
struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self(child)
    }

    fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits for the process to end by itself; kills it when it does not within `limit`.
    fn wait_for_end(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.is_running() && Instant::now() < deadline {
            thread::sleep(POLL_EVERY);
        }
    }

    fn signal(&self, signal: Signal) {
        send_signal(self.0.id(), signal);
    }
}

/// Sends a signal to a process that a test started.
pub fn send_signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.try_into().expect("a process id"));
    kill(process, signal).unwrap_or_else(|error| panic!("cannot send {signal}: {error}"));
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
