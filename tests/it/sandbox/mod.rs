//! `confirmd sandbox` as a process: the tour, a gateway's tests against one that stays, and what is left
//! behind, which is nothing.

mod ground;

use crate::nodes::wait_for;
use confirmd::{
    domain::time::UnixMs,
    store::{Kind, OpenError, Options, Store},
};
use ground::{Ground, LIMIT};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Read as _,
    net::TcpStream,
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
    let txid = sandbox.post("pay", &json!({ "payment_id": "a" }))["txid"].clone();
    sandbox.until("a", "pending", "");
    sandbox.post("mine", &json!({ "blocks": 1, "chain": "bitcoin" }));
    sandbox.until("a", "confirming", "");
    sandbox.post("mine", &json!({ "blocks": 1, "chain": "bitcoin" }));
    sandbox.until("a", "paid", "exact");
    assert_eq!(
        sandbox.column("a", "txid"),
        txid.as_str().map(str::to_owned)
    );

    sandbox.post("reorg", &json!({ "blocks": 2, "chain": "bitcoin" }));
    sandbox.until("a", "pending", "");
    sandbox.post("mine", &json!({ "blocks": 2, "chain": "bitcoin" }));
    sandbox.until("a", "paid", "exact");
    let path = ["new", "pending", "confirming", "paid", "pending"];
    assert_eq!(sandbox.path_of("a")[..5], path);

    for (deed, body, wanted) in [
        ("pay", r#"{"payment_id": "nobody"}"#, 404),
        ("pay", r#"{"payment_id": "a", "asset": "ETH"}"#, 409),
        (
            "pay",
            r#"{"payment_id": "a", "amount": "0.123456789"}"#,
            409,
        ),
        ("pay", r#"{"payment": "a"}"#, 400),
        ("replace", r#"{"payment_id": "a"}"#, 409),
        ("mine", r#"{"blocks": 0}"#, 409),
        ("outage", r#"{"duration": "soon"}"#, 409),
        ("fly", "{}", 404),
    ] {
        let (status, answer) = sandbox.request(&format!("POST /{deed}"), body);
        assert_eq!(status, wanted, "{deed} {body}: {answer}");
        assert!(answer["error"].is_string(), "{deed} {body}: {answer}");
    }
    let (status, state) = sandbox.request("GET /", "");
    assert_eq!((status, &state["speed"]), (200, &json!(300)));
    assert_eq!(
        state["stalled"],
        json!({ "bitcoin": true, "ethereum": false })
    );
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
    sandbox.sandbox(&["pay", "b"]);
    sandbox.until("b", "paid", "exact");
    assert!(!sandbox.path_of("b").contains(&"expired".to_owned()));

    sandbox.sandbox(&["stall", "--chain", "bitcoin"]);
    sandbox.register("c", &order("BTC", "0.01"));
    sandbox.sandbox(&["pay", "c", "--amount", "0.02"]);
    sandbox.until("c", "pending", "");
    sandbox.sandbox(&["replace", "c"]);
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
    assert_eq!(sandbox.interrupt(), 0);
    assert_eq!(ground.left_behind(), Vec::<PathBuf>::new());
    TcpStream::connect(control).expect_err("nobody listens any more");
    let nobody = ground.run(&["sandbox", "mine", "1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no sandbox is found"));
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
    kill(Pid::from_raw(tour.id().try_into().unwrap()), Signal::SIGINT).unwrap();
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
    kill(
        Pid::from_raw(process.id().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
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
