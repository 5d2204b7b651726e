//! `confirmd sandbox` as a process: the tour, a gateway's tests against one that stays, and what is left
//! behind, which is nothing.

mod ground;

use crate::nodes::{send_signal, wait_for};
use confirmd::{
    domain::time::UnixMs,
    store::{Kind, OpenError, Options, Store},
};
use ground::{CONFIRMD, Ground, LIMIT};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::Read as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
};

fn order(asset: &str, amount: &str) -> Value {
    let address = match asset {
        "BTC" => "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        _ => "0x00000000000000000000000000000000000a11ce",
    };
    json!({ "asset": asset, "address": address, "amount": amount })
}

#[test]
fn the_tour_ends_by_itself_with_every_payment_as_it_says() {
    let ground = Ground::new();
    let output = ground.run(&["sandbox"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for result in [
        "=> four times `paid` (exact)",
        "=> `invalid` (underpaid)",
        "=> `paid` (overpaid)",
        "=> `invalid` (split) for the first, `paid` (exact) for the second",
        "=> `invalid` (wrong_asset)",
        "=> `expired`, then `invalid` (late)",
        "=> `new` (dropped), then `invalid` (double_spent)",
        "=> `paid`, reversed, and `paid` again",
        "REVERSED: paid -> ",
        "12 payments, all as said",
    ] {
        assert!(said.contains(result), "{result} is missing:\n{said}");
    }
    let outcome = |id: &str| {
        let line = said.lines().rev().find(|line| line.starts_with(id));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        words.get(3..5).map(|words| words.join(" "))
    };
    assert_eq!(outcome("order-btc "), Some("paid exact".to_owned()));
    assert_eq!(outcome("late "), Some("invalid late".to_owned()));
    let table = |text: &str| {
        let lines = text
            .lines()
            .skip_while(|line| !line.starts_with("payment  "));
        let lines = lines.take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let readme = include_str!("../../../README.md");
    assert_eq!(table(&said), table(readme), "README.md shows the tour");
    assert_eq!(table(&said).len(), 13);
    assert!(!said.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
}

#[test]
fn a_gateway_drives_a_sandbox_over_http_block_by_block() {
    let ground = Ground::new();
    let sandbox = ground.stay(&["--speed", "300"]);
    sandbox.post("stall", &json!({ "chain": "bitcoin" }));
    sandbox.register("a", &order("BTC", "0.01"));
    // Each answer waits until confirmd has seen what was done: nobody needs to wait here.
    let state = |id: &str| sandbox.column::<String>(id, "status || ' ' || ifnull(reason, '')");
    let paid = sandbox.post("pay", &json!({ "payment_id": "a" }));
    let txid = paid["txid"].clone();
    assert_eq!(
        (&paid["seen"], state("a").as_deref()),
        (&json!(true), Some("pending "))
    );
    let one = json!({ "blocks": 1, "chain": "bitcoin" });
    assert_eq!(sandbox.post("mine", &one)["followed"], true);
    assert_eq!(state("a").as_deref(), Some("confirming "));
    sandbox.post("mine", &one);
    assert_eq!(state("a").as_deref(), Some("paid exact"));
    assert_eq!(
        sandbox.column("a", "txid"),
        txid.as_str().map(str::to_owned)
    );

    let two = json!({ "blocks": 2, "chain": "bitcoin" });
    assert_eq!(sandbox.post("reorg", &two)["followed"], true);
    sandbox.until("a", "pending", "");
    sandbox.post("mine", &two);
    assert_eq!(state("a").as_deref(), Some("paid exact"));
    let path = ["new", "pending", "confirming", "paid", "pending"];
    assert_eq!(sandbox.path_of("a")[..5], path);

    let (status, state) = sandbox.request("GET /", "");
    assert_eq!((status, &state["speed"]), (200, &json!(300)));
    assert_eq!(
        state["stalled"],
        json!({ "bitcoin": true, "ethereum": false })
    );
}

#[test]
fn what_cannot_be_done_is_answered_in_words() {
    let ground = Ground::new();
    let sandbox = ground.stay(&["--speed", "300"]);
    sandbox.register("a", &order("BTC", "0.01"));
    for (deed, body, wanted) in [
        ("pay", r#"{"payment_id": "nobody"}"#, 404),
        ("pay", r#"{"payment_id": "a", "asset": "ETH"}"#, 409),
        (
            "pay",
            r#"{"payment_id": "a", "amount": "0.123456789"}"#,
            400,
        ),
        ("pay", r#"{"payment": "a"}"#, 400),
        ("replace", r#"{"tx": "a"}"#, 409),
        ("mine", r#"{"blocks": 0}"#, 409),
        ("outage", r#"{"duration": "soon"}"#, 400),
        ("fly", "{}", 404),
        ("a/b", "{}", 404),
    ] {
        let (status, answer) = sandbox.request(&format!("POST /{deed}"), body);
        assert_eq!(status, wanted, "{deed} {body}: {answer}");
        assert!(answer["error"].is_string(), "{deed} {body}: {answer}");
    }
    for (head, header, wanted) in [
        ("POST /mine", "", 415),
        ("POST /mine", "Content-Type: text/plain\r\n", 415),
        (
            "POST /mine",
            "Content-Type: application/JSON; charset=utf-8\r\n",
            200,
        ),
        ("GET /mine", "", 404),
        ("POST /", "Content-Type: application/json\r\n", 404),
    ] {
        let (status, answer) = sandbox.send(head, header, r#"{"blocks": 1}"#);
        assert_eq!(status, wanted, "{head} {header}: {answer}");
        assert_eq!(
            answer["error"].is_string(),
            wanted != 200,
            "{head}: {answer}"
        );
    }
}

#[test]
fn a_status_is_forced_step_by_step_and_marked_as_such() {
    let ground = Ground::new();
    let sandbox = ground.stay(&["--speed", "300"]);
    let config = sandbox.fact("config").to_owned();
    sandbox.register("a", &order("BTC", "0.01"));
    sandbox.sandbox(&["force", "a", "paid"]);
    sandbox.until("a", "paid", "forced");
    let (status, answer) =
        sandbox.request("POST /force", r#"{"payment_id": "a", "status": "new"}"#);
    assert_eq!(status, 409, "{answer}");
    assert!(
        answer["error"].as_str().unwrap().contains("may become"),
        "{answer}"
    );
    sandbox.post("force", &json!({ "payment_id": "a", "status": "refunded" }));
    sandbox.until("a", "refunded", "forced");
    assert_eq!(sandbox.column::<String>("a", "flags").unwrap(), "simulated");
    let output = ground.run(&["-c", &config, "payment", "explain", "a"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("gave it this status in the sandbox"),
        "{said}"
    );
    assert!(said.contains("no real money moved"), "{said}");
}

#[test]
fn a_second_terminal_pays_replaces_and_takes_nodes_away() {
    let ground = Ground::new();
    let sandbox = ground.stay(&["--speed", "300"]);
    let config = sandbox.fact("config").to_owned();
    let with_config = |arguments: &[&str]| {
        let output = ground.run(&[&["-c", &config], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    };
    // By the machine's time a deadline ten minutes away; the sandbox's clock is hours ahead.
    let address = "0x00000000000000000000000000000000000a11ce";
    let add = "payment add --id b --asset USDT --amount 25 --expires-in 10m --address";
    let add: Vec<&str> = add.split(' ').chain([address]).collect();
    assert_eq!(with_config(&add), "b: register is done\n");
    sandbox.sandbox(&["outage", "25m"]);
    let mined = sandbox.sandbox(&["mine", "1"]);
    let mined: Value = serde_json::from_slice(&mined.stdout).unwrap();
    assert_eq!(mined["followed"], false, "nobody can follow now: {mined}");
    sandbox.sandbox(&["pay", "b"]);
    sandbox.until("b", "paid", "exact");
    assert!(!sandbox.path_of("b").contains(&"expired".to_owned()));

    sandbox.sandbox(&["stall", "--chain", "bitcoin"]);
    sandbox.register("c", &order("BTC", "0.01"));
    sandbox.sandbox(&["pay", "c", "--amount", "0.02"]);
    sandbox.until("c", "pending", "");
    let replaced = sandbox.sandbox(&["replace", "c", "--amount", "0.03"]);
    let replaced: Value = serde_json::from_slice(&replaced.stdout).unwrap();
    assert_eq!(replaced["seen"], true, "{replaced}");
    sandbox.sandbox(&["replace", replaced["txid"].as_str().unwrap()]);
    sandbox.until("c", "new", "dropped");
    sandbox.sandbox(&["pay", "c", "--late"]);
    sandbox.until("c", "expired", "deadline");
    let seen = "amount_received";
    wait_for("the late money", LIMIT, || {
        (sandbox.column::<String>("c", seen)? == "0.01000000").then_some(())
    });
    sandbox.sandbox(&["mine", "2"]);
    sandbox.until("c", "invalid", "late");

    assert!(with_config(&["status"]).contains("bitcoin"));
    assert!(with_config(&["events"]).contains("pending → new (dropped)"));
    assert!(with_config(&["payment", "list"]).contains("invalid"));
    for (arguments, code, words) in [
        (&["sandbox", "outage", "soon"][..], 2, "soon"),
        (&["-c", &config, "sandbox", "mine", "1"], 2, "leave -c away"),
    ] {
        let refused = ground.run(arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
    }
    sandbox.sandbox(&["outage", "12h"]);
    sandbox.sandbox(&["outage", "0s"]);
    let state: Value = serde_json::from_slice(&sandbox.sandbox(&["state"]).stdout).unwrap();
    assert_eq!(state["away_until"], Value::Null, "{state}");
    assert_eq!(state["config"], config.as_str(), "{state}");
    let unknown = ground.run(&["sandbox", "pay", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(said, "confirmd: there is no payment \"nobody\"\n");
    let second = ground.run(&["sandbox", "--stay"]);
    assert_eq!(second.status.code(), Some(1), "one is found already");
}

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
fn ctrl_c_in_the_tour_leaves_nothing_and_is_no_success() {
    let ground = Ground::new();
    let mut tour = ground.command(&["sandbox"]);
    let mut tour = tour
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut begun = [0; 64];
    tour.stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .unwrap();
    send_signal(tour.id(), Signal::SIGINT);
    assert_eq!(tour.wait().unwrap().code(), Some(1));
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
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
