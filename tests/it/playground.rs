//! The walk through the playground that the README shows under "See it work": every command as it stands
//! there, on the real script, its nodes and the daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::confirmd::LIMIT;
use crate::confirmd::command::CONFIRMD;
use crate::nodes::{executable, scratch_folder, send_signal, wait_for};

/// What a command of the walk leads to, as the README says beside it: the beginning of the command, the
/// payment, and the status and reason that it comes to.
const LEADS_TO: &[(&str, &str, &str, &str)] = &[
    ("order BTC", "order-1", "new", ""),
    ("pay order-1", "order-1", "pending", ""),
    ("mine bitcoin", "order-1", "paid", "exact"),
    ("order USDT", "order-2", "new", ""),
    ("pay order-2 20", "order-2", "invalid", "underpaid"),
    ("reorg bitcoin", "order-1", "pending", ""),
];

/// What a command of the walk prints: its beginning, and words of its output.
const PRINTS: &[(&str, &[&str])] = &[
    (
        "confirmd payment explain order-1",
        &["0.015", "BTC", "paid"],
    ),
    ("confirmd payment explain order-2", &["25", "USDT", "20"]),
    ("events", &["registered", "paid", "underpaid", "reversed"]),
];

/// The running playground, ended when dropped.
struct Playground {
    process: Option<Child>,
    folder: TempDir,
    /// Nodes and daemon, as the script started them.
    parts: Vec<i32>,
}

impl Playground {
    /// Starts it and waits until it says how to go on.
    fn start() -> Self {
        let folder = scratch_folder();
        let mut playground = Self {
            process: None,
            folder,
            parts: Vec::new(),
        };
        let mut process = playground
            .command("exec scripts/playground")
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let said = process.stdout.take().expect("it is piped");
        let script = process.id();
        playground.process = Some(process);
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.starts_with("Ctrl-C ends"));
        assert!(is_ready, "the playground does not start");
        // Whoever said so may not have ended yet.
        playground.parts = wait_for("two nodes and the daemon", LIMIT, || {
            Some(children(script)).filter(|parts| parts.len() == 3)
        });
        playground
    }

    /// A line for the shell in the clone's folder, as the walk's second terminal runs it.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .args(["-e", "-c", line])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CONFIRMD_EXE", CONFIRMD)
            .env("CONFIRMD_PLAYGROUND_DIR", self.files())
            .env("CONFIRMD_NODES_DIR", self.folder.path().join("nodes"))
            .env("BITCOIND_EXE", executable("bitcoind", "BITCOIND_EXE"))
            .env("ANVIL_EXE", executable("anvil", "ANVIL_EXE"))
            .stdin(Stdio::null());
        command
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("playground")
    }

    /// What a line prints; panics unless it succeeds.
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().expect("a shell");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}{complaint}");
        said
    }

    fn await_status(&self, payment: &str, status: &str, reason: &str) {
        let line = format!("scripts/playground confirmd payment show {payment} --json");
        wait_for(&format!("{payment} to be {status}"), LIMIT, || {
            let shown: Value = serde_json::from_str(&self.run(&line)).expect("JSON");
            let is = |field: &str, value: &str| {
                shown["payment"][field].as_str().unwrap_or_default() == value
            };
            (is("status", status) && is("reason", reason)).then_some(())
        });
    }

    /// Presses Ctrl-C and waits for the end; the exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        send_signal(process.id(), Signal::SIGINT);
        let status = process.wait().expect("a child of our own");
        assert_eq!(status.signal(), None);
        status.code()
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            send_signal(process.id(), Signal::SIGTERM);
            let _ = process.wait();
        }
    }
}

fn children(parent: u32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let list = list.expect("it runs");
    let ids = list.split_whitespace();
    ids.map(|id| id.parse().expect("a process id")).collect()
}

/// The commands of the walk, without the words beside them.
fn walk() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("a README");
    let (_, section) = readme.split_once("\n## See it work\n").expect("its walk");
    let (section, _) = section.split_once("\n## ").expect("a next section");
    let blocks = section.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|block| block.split_once("```").map(|(lines, _)| lines));
    let walk = blocks.find(|lines| lines.contains("playground order"));
    let lines = walk.expect("a walk with an order").lines();
    let commands = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    commands
        .filter(|command| !command.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_walk_of_the_readme_goes_as_it_says_and_leaves_nothing_behind() {
    let mut playground = Playground::start();
    let (mut led, mut printed) = (0, 0);
    for line in walk() {
        let said = playground.run(&line);
        let command = line.strip_prefix("scripts/playground ");
        let command = command.expect("a command of the playground");
        for (start, payment, status, reason) in LEADS_TO {
            if command.starts_with(start) {
                playground.await_status(payment, status, reason);
                led += 1;
            }
        }
        for (start, words) in PRINTS {
            if command.starts_with(start) {
                let missing = words.iter().find(|word| !said.contains(**word));
                assert_eq!(missing, None, "{line}: {said}");
                printed += 1;
            }
        }
    }
    assert_eq!((led, printed), (LEADS_TO.len(), PRINTS.len()));
    assert_eq!(playground.interrupt(), Some(130));
    assert!(!playground.files().exists());
    for part in &playground.parts {
        assert!(!Path::new(&format!("/proc/{part}")).exists(), "{part} runs");
    }
}
