//! What a gateway's tests and a second terminal do to a sandbox that stays.

use super::ground::{Ground, LIMIT, order};
use crate::nodes::wait_for;
use serde_json::{Value, json};

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
