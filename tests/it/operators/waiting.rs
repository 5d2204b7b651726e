//! `status --wait`: a script goes on when confirmd has caught up and knows the past of its payments, and
//! what is under way is seen meanwhile.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::confirmd::command::CONFIRMD;
use crate::confirmd::relay::Relay;
use crate::confirmd::{Confirmd, LIMIT};
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::{send_signal, wait_for};

/// A `status --wait --json` at work, whose output goes to files.
struct Waiting {
    process: Child,
    said: PathBuf,
    shown: PathBuf,
}

impl Waiting {
    fn start(confirmd: &Confirmd, name: &str) -> Self {
        let file = |ending: &str| confirmd.folder().join(format!("{name}.{ending}"));
        let (said, shown) = (file("stderr"), file("stdout"));
        let create = |path: &PathBuf| File::create(path).expect("a file");
        let process = Command::new(CONFIRMD)
            .arg("--config")
            .arg(confirmd.config_file())
            .args(["status", "--wait", "--json"])
            .stdin(Stdio::null())
            .stdout(create(&shown))
            .stderr(create(&said))
            .spawn();
        Self {
            process: process.expect("the binary under test"),
            said,
            shown,
        }
    }

    /// Waits until it says that it waits for this.
    fn await_line(&mut self, text: &str) {
        wait_for(text, LIMIT, || {
            let said = fs::read_to_string(&self.said).expect("its output");
            assert_eq!(self.process.try_wait().expect("a child"), None, "{said}");
            said.contains(&format!("waiting: {text}")).then_some(())
        });
    }

    fn await_end(&mut self) -> ExitStatus {
        wait_for("status --wait to end", LIMIT, || {
            self.process.try_wait().expect("a child")
        })
    }

    /// The chain that it shows in the end.
    fn chain(mut self) -> Value {
        let end = self.await_end();
        let said = fs::read_to_string(&self.said).expect("its output");
        assert_eq!(end.code(), Some(0), "{said}");
        let shown = fs::read_to_string(&self.shown).expect("its output");
        let shown: Value = serde_json::from_str(&shown).expect("one object");
        shown["chains"][0].clone()
    }
}

#[test]
fn waiting_without_a_daemon_says_so_and_ends_when_one_has_caught_up() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    confirmd.await_bitcoin(&node);
    confirmd.stop();
    node.mine(300);
    // What the daemon left behind looks as if all were well.
    let mut interrupted = Waiting::start(&confirmd, "interrupted");
    interrupted.await_line("no daemon is running");
    send_signal(interrupted.process.id(), Signal::SIGINT);
    assert_eq!(interrupted.await_end().signal(), Some(2), "as Ctrl-C does");

    let mut waiting = Waiting::start(&confirmd, "waiting");
    waiting.await_line("no daemon is running");
    confirmd.start();
    let chain = waiting.chain();
    let wanted = json!({
        "chain": "bitcoin", "state": "ok", "tip_height": 410, "scanned_height": 410, "lag": 0,
    });
    for (key, value) in wanted.as_object().expect("an object") {
        assert_eq!(chain[key], *value, "{key} of {chain:#}");
    }
}

#[test]
fn a_scan_of_the_past_is_seen_and_waited_for() {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.rpc_url", cable.url())
        .start();
    confirmd.await_bitcoin(&node);
    let plain = confirmd.command(&["status"]).ok();
    assert!(!plain.contains("scanned,"), "nothing is under way: {plain}");
    cable.cut();
    let address = node.new_address("bech32");
    let late = confirmd.register("order-1").address(&address);
    confirmd.await_applied(&late.with("scan_from", 1).submit());

    let shown = &confirmd.command(&["status", "--json"]).json()[0];
    assert_eq!(
        shown["chains"][0]["scans"],
        json!({
            "payments": 1, "from_height": 1, "from_at": null, "next_height": 1, "to_height": 110,
            "refused": 0, "held": 0,
        })
    );
    let words =
        "bitcoin: 1 payment waits for its past to be scanned, from block 1 to 110, 110 left";
    let plain = confirmd.command(&["status"]).ok();
    assert!(plain.contains(&format!("\n{words} (0.00 %)\n")), "{plain}");
    let left = "confirmd_scan_blocks_left{chain=\"bitcoin\"}";
    confirmd.await_true("the scan in the metrics", || {
        (confirmd.metric(left) - 110.0).abs() < 0.5
    });

    let mut waiting = Waiting::start(&confirmd, "waiting");
    waiting.await_line(words);
    cable.mend();
    let chain = waiting.chain();
    assert_eq!(
        (&chain["state"], &chain["scans"]["payments"]),
        (&json!("ok"), &json!(0)),
        "{chain:#}"
    );
    confirmd.await_true("no scan in the metrics", || confirmd.metric(left) < 0.5);
}
