//! `confirmd payment …`, `events` and `status` beside a running daemon.

use serde_json::{Value, json};

use crate::confirmd::Confirmd;
use crate::nodes::bitcoind::Bitcoind;

/// A payment registered by `payment add`; its address.
fn add(confirmd: &Confirmd, node: &Bitcoind, id: &str) -> String {
    let address = node.new_address("bech32");
    let add = [
        "payment", "add", "--asset", "BTC", "--amount", "0.015", "--id", id,
    ];
    let more = [
        "--address",
        &address,
        "--expires-in",
        "20m",
        "--metadata",
        r#"{"cart":7}"#,
    ];
    let said = confirmd.command(&[&add[..], &more].concat()).ok();
    assert!(said.contains(id), "{said}");
    address
}

#[test]
fn a_payment_is_added_and_followed_from_the_command_line() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let address = add(&confirmd, &node, "order-1");
    add(&confirmd, &node, "order-2");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");

    let list = confirmd.command(&["payment", "list"]).ok();
    assert!(
        list.contains("order-1") && list.contains("order-2"),
        "{list}"
    );
    assert!(!list.contains('\u{1b}'), "plain when piped: {list}");
    let paid = confirmd
        .command(&["payment", "list", "--status", "paid", "--json"])
        .json();
    assert_eq!((paid.len(), &paid[0]["payment_id"]), (1, &json!("order-1")));
    assert_eq!(paid[0]["amount_expected"], "0.01500000");

    let show = confirmd.command(&["payment", "show", "order-1"]).ok();
    assert!(show.contains(&address) && show.contains("exact"), "{show}");
    let show = confirmd
        .command(&["payment", "show", "order-1", "--json"])
        .json();
    let shown = show[0].to_string();
    assert!(
        shown.contains("cart") && shown.contains("vout:0"),
        "{shown}"
    );

    let explain = confirmd.command(&["payment", "explain", "order-1"]).ok();
    for word in ["order-1", "0.01500000 BTC", "paid", &address] {
        assert!(explain.contains(word), "{word:?} is missing in {explain}");
    }
    let unknown = confirmd.command(&["payment", "show", "nobody"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
}

#[test]
fn requests_of_the_command_line_have_the_outcome_of_any_gateways() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let address = add(&confirmd, &node, "order-1");
    add(&confirmd, &node, "order-2");
    confirmd.await_bitcoin(&node);
    confirmd.command(&["payment", "cancel", "order-2"]).ok();
    confirmd.await_status("order-2", "canceled");
    let extend = ["payment", "extend", "order-1", "--expires-in", "2h"];
    confirmd.command(&extend).ok();
    let early = confirmd.command(&["payment", "accept", "order-1", "--note", "trust"]);
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.stderr.contains("nothing_at_depth"), "{early:?}");

    node.send(&address, "0.01");
    node.mine(2);
    confirmd.await_status("order-1", "invalid");
    confirmd
        .command(&["payment", "ack", "order-1", "--note", "asked the customer"])
        .ok();
    confirmd.await_payment("order-1", &json!({"needs_review": 0}));
    confirmd
        .command(&["payment", "reject", "order-1", "--note", "no answer"])
        .ok();
    confirmd
        .command(&["payment", "accept", "order-1", "--note", "after all"])
        .ok();
    confirmd.await_payment("order-1", &json!({"status": "paid", "reason": "operator"}));
    let txid = "aa".repeat(32);
    let refunded = [
        "payment", "refunded", "order-1", "--note", "sold out", "--txid", &txid,
    ];
    confirmd.command(&refunded).ok();
    confirmd.await_payment(
        "order-1",
        &json!({"status": "refunded", "reason": "operator"}),
    );
    let requests = confirmd
        .ledger()
        .query("SELECT * FROM v1_request WHERE kind = 'refunded'", &[]);
    let actor = requests[0]["actor"].as_str().unwrap_or_default();
    assert!(actor.starts_with("operator:"), "{actor}");
    let explain = confirmd.command(&["payment", "explain", "order-1"]).ok();
    assert!(explain.contains("refunded"), "{explain}");
}

#[test]
fn the_journal_is_read_from_any_place() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let address = add(&confirmd, &node, "order-1");
    node.send(&address, "0.015");
    node.mine(2);
    confirmd.await_status("order-1", "paid");
    let all = confirmd.command(&["events", "--json"]).json();
    let journal = confirmd.ledger().journal();
    assert_eq!(seqs(&all), seqs(&journal));
    let after = confirmd
        .command(&["events", "--json", "--after", "2"])
        .json();
    assert_eq!(seqs(&after), seqs(&journal)[2..]);
    assert_eq!(after[0]["data"]["payment_id"], "order-1");
    let table = confirmd.command(&["events"]).ok();
    assert!(
        table.contains("registered") && table.contains("order-1"),
        "{table}"
    );
}

fn seqs(events: &[Value]) -> Vec<i64> {
    events
        .iter()
        .map(|event| event["seq"].as_i64().expect("a seq"))
        .collect()
}

#[test]
fn the_status_shows_chains_and_open_payments() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    add(&confirmd, &node, "order-1");
    confirmd.await_bitcoin(&node);
    let status = &confirmd.command(&["status", "--json"]).json()[0];
    let chain = &status["chains"][0];
    assert_eq!(
        (&chain["chain"], &chain["scanned_height"]),
        (&json!("bitcoin"), &json!(110))
    );
    assert_eq!((&chain["lag"], &chain["state"]), (&json!(0), &json!("ok")));
    let text = confirmd.command(&["status"]).ok();
    assert!(
        text.contains("bitcoin") && text.contains("110") && text.contains("BTC"),
        "{text}"
    );
}

#[test]
fn many_payments_are_imported_at_once() {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    let lines: Vec<String> = (0..50)
        .map(|n| {
            let address = node.new_address("bech32");
            json!({"payment_id": format!("order-{n}"), "asset": "BTC", "address": address, "amount": "0.01"}).to_string()
        })
        .collect();
    let file = confirmd.folder().join("payments.jsonl");
    std::fs::write(&file, lines.join("\n")).expect("a file");
    let import = ["payment", "import", &file.display().to_string()];
    confirmd.command(&import).ok();
    confirmd.command(&import).ok(); // the same again registers nothing twice
    confirmd.await_true("fifty payments", || {
        confirmd
            .ledger()
            .query("SELECT payment_id FROM v1_payment", &[])
            .len()
            == 50
    });
}
