//! The consumer that README.md shows, as it stands there: it sees every event once, whoever dies meanwhile.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::confirmd::Confirmd;
use crate::confirmd::ledger::{Ledger, reading_user};
use crate::nodes::bitcoind::Bitcoind;
use crate::nodes::scratch_folder;

const README: &str = include_str!("../../README.md");

/// Where README.md says that the database is.
const INSTALLED: &str = "/var/lib/confirmd/confirmd.db";

/// The one block of Python in README.md, reading this database.
fn program(database: &Path) -> String {
    let mut blocks = README.split("```python\n").skip(1);
    let block = blocks.next().expect("a block of Python");
    assert_eq!(blocks.next(), None, "one block of Python");
    let (program, _) = block.split_once("```").expect("its end");
    assert_eq!(program.matches(INSTALLED).count(), 1, "{program}");
    program.replace(INSTALLED, &database.display().to_string())
}

/// The consumer as a process of another user, with a folder of its own. Killed when dropped.
struct Consumer {
    folder: TempDir,
    program: String,
    process: Child,
    own: Ledger,
}

impl Consumer {
    fn of(confirmd: &Confirmd) -> Self {
        let folder = scratch_folder();
        let open = Permissions::from_mode(0o777); // it writes as another user
        fs::set_permissions(folder.path(), open).expect("a folder of our own");
        let program = program(&confirmd.database());
        Self {
            process: run(&program, folder.path()),
            own: Ledger::of(&folder.path().join("gateway.db")),
            program,
            folder,
        }
    }

    /// Ends it at once and starts it again.
    fn kill_and_start(&mut self) {
        self.kill();
        self.process = run(&self.program, self.folder.path());
    }

    fn kill(&mut self) {
        self.process.kill().expect("a child of our own");
        self.process.wait().expect("a child of our own");
    }

    /// What it recorded; nothing while it cannot be read. It must be alive.
    fn rows(&mut self, sql: &str) -> Vec<Value> {
        let ended = self.process.try_wait().expect("a child of our own");
        let errors = fs::read_to_string(self.folder.path().join("errors"));
        assert_eq!(ended, None, "it ended: {}", errors.unwrap_or_default());
        self.own.try_query(sql, &[]).unwrap_or_default()
    }

    /// Waits until it has seen the journal as it is, each event once and in order.
    #[track_caller]
    fn await_journal(&mut self, confirmd: &Confirmd) {
        let sql = "SELECT seq, event_id FROM v1_event ORDER BY seq";
        confirmd.await_true("the consumer to have read the journal", || {
            let journal = confirmd.ledger().query(sql, &[]);
            self.rows("SELECT seq, event_id FROM seen ORDER BY seq") == journal
        });
    }

    #[track_caller]
    fn await_release(&mut self, confirmd: &Confirmd, granted: &Value) {
        confirmd.await_true(&format!("the releases {granted}"), || {
            let rows = self.rows("SELECT payment_id, granted FROM release ORDER BY payment_id");
            let pairs = rows
                .iter()
                .map(|row| json!([row["payment_id"], row["granted"]]));
            json!(pairs.collect::<Vec<_>>()) == *granted
        });
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(program: &str, folder: &Path) -> Child {
    let errors = File::options()
        .create(true)
        .append(true)
        .open(folder.join("errors"));
    let user = reading_user();
    let mut command = Command::new("python3");
    if nix::unistd::Uid::effective().is_root() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
        .args(["-c", program])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(errors.expect("a file of our own"))
        .spawn()
        .expect("python3")
}

/// Guarantee 2: exactly once, for a consumer that stores the position with its own effect.
// shows: S1 S9
#[test]
fn the_consumer_of_the_readme_sees_every_event_once_across_kills() {
    let node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).start();
    let mut consumer = Consumer::of(&confirmd);
    for id in ["order-1", "order-2", "order-3"] {
        let address = node.new_address("bech32");
        confirmd.await_applied(&confirmd.register(id).address(&address).submit());
        node.send(&address, "0.015");
        confirmd.kill();
        node.mine(2);
        confirmd.start();
        confirmd.kill(); // wherever it is
        confirmd.start();
        if id == "order-2" {
            consumer.kill_and_start();
        }
        confirmd.await_status(id, "paid");
    }
    consumer.await_journal(&confirmd);
    let all = json!([["order-1", 1], ["order-2", 1], ["order-3", 1]]);
    consumer.await_release(&confirmd, &all);

    node.reorg(2, 3);
    confirmd.await_event("order-3", &json!({"kind": "reversed"}));
    confirmd.kill();
    let back = json!([["order-1", 1], ["order-2", 1], ["order-3", 0]]);
    consumer.await_release(&confirmd, &back);
    confirmd.start();
    consumer.await_journal(&confirmd);
    assert!(consumer.rows("SELECT seq FROM seen").len() >= 9);
}
