//! The commands as processes, without a node: what they print, what they leave, how they end.

use confirmd::{
    domain::{
        event::{Entry, EventKind},
        step::Step,
        time::UnixMs,
    },
    store::{Options, Store},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A configuration with its directories, and the binary on it.
struct Place {
    dir: TempDir,
}

const CONFIG: &str = r#"[database]
path = "DIR/data/confirmd.db"
inbox = "DIR/inbox/inbox.db"

[http]
listen = "127.0.0.1:0"

[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://127.0.0.1:1"
rpc_user = "canary-user"
rpc_password_file = "DIR/password"

[chains.ethereum]
kind = "ethereum"
chain_id = 1
[[chains.ethereum.endpoints]]
name = "local"
url = "http://canary-name:canary-word@127.0.0.1:1/canary-path?canary=query"

[assets.BTC]
chain = "bitcoin"
[assets.ETH]
chain = "ethereum"
"#;

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // As root, commands that write the inbox go on as a user who must get through here.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let place = Self { dir };
        std::fs::write(place.path("password"), "canary-password").unwrap();
        place.configure(CONFIG);
        place
    }

    fn initialised() -> Self {
        let place = Self::new();
        assert_eq!(place.run(&["init"]).code, 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, text: &str) {
        let text = text.replace("DIR", &self.dir.path().display().to_string());
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_confirmd"));
        command
            .arg("--config")
            .arg(self.path("config.toml"))
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        Ended::from(child.wait_with_output().unwrap())
    }

    fn store(&self) -> Store {
        let options = Options::new(self.path("data/confirmd.db"), self.path("inbox/inbox.db"));
        Store::open(&options, UnixMs(1)).unwrap()
    }

    /// The inbox's rows: request id, kind, payment id, body, actor.
    fn requests(&self) -> Vec<(String, String, String, Value, String)> {
        let inbox = rusqlite::Connection::open(self.path("inbox/inbox.db")).unwrap();
        let mut statement = inbox
            .prepare("SELECT request_id, kind, payment_id, body, actor FROM request ORDER BY seq")
            .unwrap();
        let rows = statement.query_map([], |row| {
            let body: String = row.get(3)?;
            let body = serde_json::from_str(&body).unwrap();
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, body, row.get(4)?))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The command ends with this code and says these words on standard error.
#[track_caller]
fn check(ended: &Ended, code: i32, words: &str) {
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(ended.stderr.contains(words), "{ended:?}");
}

#[test]
fn wrong_arguments_end_with_2_and_help_with_0() {
    let place = Place::new();
    check(&place.run(&["pay"]), 2, "unrecognized subcommand");
    check(&place.run(&["payment", "add"]), 2, "--asset");
    check(
        &place.run(&["payment", "list", "--status", "happy"]),
        2,
        "is not one of new, pending",
    );
    check(
        &place.run(&["payment", "extend", "o", "--wait", "0s"]),
        2,
        "--expires-in",
    );
    assert_eq!(place.run(&["--help"]).code, 0);
    assert_eq!(place.run(&["--version"]).code, 0);
}

#[test]
fn a_wrong_configuration_ends_with_78_and_every_problem_with_its_line() {
    let place = Place::new();
    place.configure(
        &CONFIG
            .replace("regtest", "moon")
            .replace("chain_id = 1", "chain_di = 1"),
    );
    for command in ["run", "check", "init", "status", "events"] {
        let ended = place.run(&[command]);
        check(
            &ended,
            78,
            "config.toml:10: chains.bitcoin.network: \"moon\" is not one of",
        );
        check(
            &ended,
            78,
            "config.toml:17: chains.ethereum.chain_di: is no known key; did you mean",
        );
    }
    let nowhere = place.path("nowhere.toml");
    let ended = place.run(&["status", "--config", nowhere.to_str().unwrap()]);
    check(&ended, 78, "nowhere.toml: cannot be read");
}

#[test]
fn a_missing_database_is_an_io_error_that_says_what_makes_it() {
    let place = Place::new();
    check(
        &place.run(&["status"]),
        74,
        "`confirmd init` or `confirmd run` makes it",
    );
    let add = ["payment", "cancel", "order-1"];
    check(&place.run(&add), 74, "inbox.db does not exist");
}

#[test]
fn init_makes_both_databases_once() {
    let place = Place::new();
    let first = place.run(&["init"]);
    assert!(first.stdout.contains("are made"), "{first:?}");
    let again = place.run(&["init"]);
    assert!(again.stdout.contains("are sound"), "{again:?}");
    assert!(place.path("data/confirmd.db").is_file() && place.path("inbox/inbox.db").is_file());
}

#[test]
fn another_programs_file_ends_with_65() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let other = rusqlite::Connection::open(place.path("data/confirmd.db")).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    check(
        &place.run(&["status"]),
        65,
        "confirmd.db is not what was expected",
    );
}

#[test]
fn a_second_daemon_is_refused() {
    let place = Place::initialised();
    let _first = place.store();
    check(
        &place.run(&["run"]),
        1,
        "another confirmd has this database open",
    );
}

#[test]
fn a_request_is_queued_with_what_was_said_and_by_whom() {
    let place = Place::initialised();
    let line = "payment add --asset BTC --address bc1q --amount 0.5 --id order-1 \
                --request-id r-1 --confirmations 3 --wait 0s --json";
    let ended = place.run(&line.split_whitespace().collect::<Vec<_>>());
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&shown["outcome"], &shown["request_id"]),
        (&json!("queued"), &json!("r-1"))
    );
    place.run(&[
        "payment", "accept", "order-1", "--note", "seen", "--wait", "0s",
    ]);
    let requests = place.requests();
    let body = json!({ "asset": "BTC", "address": "bc1q", "amount": "0.5", "confirmations": 3 });
    assert_eq!(requests[0].0, "r-1");
    assert_eq!(
        (requests[0].1.as_str(), &requests[0].3),
        ("register", &body)
    );
    assert_eq!(
        (requests[1].1.as_str(), &requests[1].3),
        ("accept", &json!({ "note": "seen" }))
    );
    assert!(
        requests
            .iter()
            .all(|request| request.4.starts_with("operator:"))
    );
}

#[test]
fn a_request_repeated_under_its_id_is_there_once() {
    let place = Place::initialised();
    for _ in 0..2 {
        let ended = place.run(&[
            "payment",
            "cancel",
            "o",
            "--request-id",
            "r",
            "--wait",
            "0s",
        ]);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    assert_eq!(place.requests().len(), 1);
}

#[test]
fn an_import_queues_every_line_once() {
    let place = Place::initialised();
    let line = |i: u32| {
        format!(
            "{{\"payment_id\":\"p-{i}\",\"asset\":\"BTC\",\"amount\":\"1\",\"address\":\"a\"}}\n"
        )
    };
    let text: String = (0..1200).map(line).collect();
    let first = place.run_with_input(&["payment", "import", "-"], &text);
    assert_eq!(first.stdout, "1200 registrations queued\n", "{first:?}");
    std::fs::write(place.path("more.jsonl"), format!("{text}{}", line(1200))).unwrap();
    let file = place.path("more.jsonl");
    let second = place.run(&["payment", "import", file.to_str().unwrap()]);
    assert_eq!(
        second.stdout, "1 registrations queued, 1200 were queued before\n",
        "{second:?}"
    );
    assert_eq!(place.requests().len(), 1201);
}

#[test]
fn an_import_with_a_wrong_line_queues_nothing() {
    let place = Place::initialised();
    let ended = place.run_with_input(&["payment", "import", "-"], "{\"payment_id\":\"a\"}\nx\n");
    check(&ended, 1, "line 2: is no JSON object");
    assert!(place.requests().is_empty());
}

#[test]
fn what_is_not_there_is_said_and_ends_with_1() {
    let place = Place::initialised();
    check(
        &place.run(&["payment", "show", "order-1"]),
        1,
        "there is no payment \"order-1\"",
    );
    check(
        &place.run(&["payment", "explain", "order-1"]),
        1,
        "there is no payment \"order-1\"",
    );
    let release = ["chain", "release", "bitcoin", "--note", "x"];
    check(&place.run(&release), 1, "there is no chain \"bitcoin\"");
    assert_eq!(place.run(&["payment", "list"]).stdout, "no such payments\n");
    assert_eq!(place.run(&["payment", "list", "--json"]).stdout, "");
}

#[test]
fn check_names_each_unreachable_node_and_no_secret() {
    let place = Place::new();
    let ended = place.run(&["check"]);
    check(&ended, 69, "bitcoin (http://127.0.0.1:1)");
    check(&ended, 69, "local (http://127.0.0.1:1)");
    assert!(
        ended.stdout.contains("failed") && !ended.stdout.contains('\u{1b}'),
        "{ended:?}"
    );
    assert!(!format!("{ended:?}").contains("canary"), "{ended:?}");
    let json = place.run(&["check", "--json"]);
    assert_eq!(json.stdout.lines().count(), 2);
    assert!(!format!("{json:?}").contains("canary"), "{json:?}");
}

#[test]
fn following_shows_an_event_when_it_is_committed() {
    let place = Place::initialised();
    let mut store = place.store();
    store.commit(&attention("before")).unwrap();
    let mut child = place
        .command(&["events", "--follow", "--after", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["data"]["message"], "before");
    store.commit(&attention("after")).unwrap();
    let event = next();
    assert_eq!(
        (&event["seq"], &event["data"]["message"]),
        (&json!(2), &json!("after"))
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A step that only tells something.
fn attention(message: &str) -> Step {
    let entry = Entry {
        payment: None,
        kind: EventKind::Attention,
        from: None,
        to: None,
        reason: None,
        data: json!({ "message": message }).to_string(),
        occurred_at: UnixMs(1),
    };
    Step {
        entries: vec![entry],
        ..Step::new(UnixMs(1))
    }
}
