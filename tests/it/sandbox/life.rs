//! How a sandbox lives and ends: where it is found, what it tells, what ends it, what it leaves.

use super::ground::{CONFIRMD, Ground, LIMIT, order};
use crate::nodes::{send_signal, wait_for};
use confirmd::{
    domain::time::UnixMs,
    store::{Kind, OpenError, Options, Store},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
};

#[test]
fn ctrl_c_ends_a_sandbox_that_stays_and_leaves_nothing() {
    let ground = Ground::new();
    let sandbox = ground.stay(&[]);
    let control = sandbox.fact("control").to_owned();
    sandbox.register("a", &order("ETH", "1"));
    assert_eq!(ground.left_behind().len(), 2);
    assert_eq!(sandbox.end(Signal::SIGINT), Some(0));
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
    TcpStream::connect(control).expect_err("nobody listens any more");
    let nobody = ground.run(&["sandbox", "mine", "1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no sandbox is found"));
}

#[test]
fn a_sandbox_that_stays_tells_its_journal() {
    let ground = Ground::new();
    let sandbox = ground.stay(&["--speed", "300"]);
    sandbox.register("mine", &order("ETH", "1"));
    sandbox.post("pay", &json!({ "payment_id": "mine" }));
    wait_for("its lines", LIMIT, || {
        let said = sandbox.said();
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(" mine "))
            .collect();
        let ends = |words: &str| lines.iter().any(|line| line.ends_with(words));
        (ends("confirming -> paid (exact)") && lines[0].contains("new: 1")).then_some(())
    });
    assert!(!sandbox.said().contains('\u{1b}'), "no colours in a file");
}

#[test]
fn a_hangup_ends_a_sandbox_unless_it_was_ignored_from_the_start() {
    let ground = Ground::new();
    let mut nohup = ground.program("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" sandbox --stay", CONFIRMD]);
    let sandbox = ground.started(nohup);
    let ignored = fs::read_to_string(format!("/proc/{}/status", sandbox.id())).unwrap();
    let ignored = ignored
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    assert_eq!(mask & 1, 1, "SIGHUP is still ignored");
    sandbox.signal(Signal::SIGHUP);
    sandbox.post("mine", &json!({ "blocks": 1 }));
    assert_eq!(sandbox.end(Signal::SIGINT), Some(0));
    assert_eq!(ground.stay(&[]).end(Signal::SIGHUP), Some(0));
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
}

/// Somebody else may have its port since.
#[test]
fn the_file_that_a_killed_sandbox_left_stops_no_other() {
    let ground = Ground::new();
    drop(ground.stay(&[]));
    let mut left = ground.left_behind().into_iter();
    let file = left.find(|path| path.extension().is_some()).unwrap();
    let read = || serde_json::from_slice::<Value>(&fs::read(&file).ok()?).ok();
    let mut facts = read().unwrap();
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    facts["control"] = json!(somebody.local_addr().unwrap());
    fs::write(&file, facts.to_string()).unwrap();

    let mut next = ground.command(&["sandbox", "--stay"]);
    let mut next = next.stdout(Stdio::null()).spawn().unwrap();
    wait_for("the next sandbox", LIMIT, || {
        assert_eq!(next.try_wait().unwrap(), None, "it ended");
        (read()?["control"] != facts["control"]).then_some(())
    });
    assert!(ground.run(&["sandbox", "mine", "1"]).status.success());
    send_signal(next.id(), Signal::SIGTERM);
    assert_eq!(next.wait().unwrap().code(), Some(0));
}

#[test]
fn a_directory_of_ones_own_is_used_and_emptied_and_no_other() {
    let ground = Ground::new();
    let dir = ground.path("run/mine");
    let named = dir.to_str().unwrap();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("precious"), "x").unwrap();
    let refused = ground.run(&["sandbox", "--stay", "--dir", named]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not empty"));
    assert!(dir.join("precious").exists());
    fs::remove_file(dir.join("precious")).unwrap();

    let mut process = ground.command(&["sandbox", "--stay", "--dir", named]);
    let mut process = process.stdout(Stdio::null()).spawn().unwrap();
    wait_for("the sandbox", LIMIT, || {
        dir.join("sandbox.json").exists().then_some(())
    });
    let done = ground.run(&["sandbox", "mine", "1", "--dir", named]);
    assert!(done.status.success(), "{done:?}");
    assert!(dir.join("data/confirmd.db").exists());
    send_signal(process.id(), Signal::SIGTERM);
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

/// A configuration of real chains with its databases in this directory.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"[database]
path = "{dir}/data/confirmd.db"
inbox = "{dir}/inbox/inbox.db"
[http]
listen = "127.0.0.1:0"
[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://a:b@127.0.0.1:1"
[assets.BTC]
chain = "bitcoin"
"#
    )
}

#[test]
fn a_sandbox_database_is_never_run_and_a_live_one_never_played_with() {
    let ground = Ground::new();
    let config = ground.path("config.toml");
    fs::write(&config, configuration(&ground.path("tmp"))).unwrap();
    let config = config.to_str().unwrap();
    let options = |kind| Options {
        kind,
        ..Options::new(
            ground.path("tmp/data/confirmd.db"),
            ground.path("tmp/inbox/inbox.db"),
        )
    };
    let open = |kind| Store::open(&options(kind), UnixMs(1)).map(|store| store.close().unwrap());
    open(Kind::Sandbox).unwrap();
    let run = ground.run(&["-c", config, "run"]);
    assert_eq!(run.status.code(), Some(65));
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("a confirmd sandbox database"), "{said}");
    let shown = ground.run(&["-c", config, "status"]);
    assert!(shown.status.success(), "it may be looked at");

    fs::remove_dir_all(ground.path("tmp/data")).unwrap();
    open(Kind::Live).unwrap();
    let played = open(Kind::Sandbox).unwrap_err();
    let OpenError::Foreign { problem, .. } = played else {
        panic!("{played}")
    };
    assert_eq!(problem, "a confirmd database of real chains");
    let dir = ground.path("tmp/data");
    let played = ground.run(&["sandbox", "--dir", dir.to_str().unwrap()]);
    assert_eq!(played.status.code(), Some(1));
    assert!(dir.join("confirmd.db").exists());
}
