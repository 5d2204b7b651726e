//! `confirmd check`: says that everything is well, or exactly what is not.

use serde_json::{Value, json};

use crate::confirmd::command::Done;
use crate::confirmd::daemon::Setup;
use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::bitcoind::Bitcoind;

fn check(setup: Setup) -> Done {
    setup.configured().command(&["check"])
}

/// `check` ends with this code and says all these words; what it prints is for a person and plain when piped.
#[track_caller]
fn assert_says(done: &Done, code: i32, words: &[&str]) {
    assert_eq!(done.code, code, "{done:?}");
    let all = done.all();
    for word in words {
        assert!(all.contains(word), "{word:?} is missing in {done:?}");
    }
    assert!(!all.contains('\u{1b}'), "{done:?}");
}

#[test]
fn good_nodes_are_shown_in_a_table() {
    let (node, ethereum) = (Bitcoind::start(), Ethereum::start());
    let confirmd = Confirmd::with(&node).and(&ethereum).configured();
    let done = confirmd.command(&["check"]);
    assert_says(
        &done,
        0,
        &["bitcoin", "regtest", "110", "ethereum", "31337", "ok"],
    );
    assert!(!confirmd.database().exists(), "check makes nothing");

    let rows = confirmd.command(&["check", "--json"]).json();
    let of = |chain: &str| -> Value {
        let row = rows.iter().find(|row| row["chain"] == chain);
        row.unwrap_or_else(|| panic!("no {chain} in {rows:#?}"))
            .clone()
    };
    let (bitcoin, ethereum_row) = (of("bitcoin"), of("ethereum"));
    assert_eq!(bitcoin["tip_height"], json!(110));
    assert_eq!(bitcoin["tip_hash"], json!(node.tip()));
    assert_eq!(
        ethereum_row["tip_height"],
        json!(ethereum.anvil.block_number())
    );
}

#[test]
fn a_node_of_another_network_is_named_with_both_networks() {
    let node = Bitcoind::start_empty(&[]);
    let done = check(Confirmd::with(&node).set("chains.bitcoin.network", "mainnet"));
    assert_says(&done, 1, &["bitcoin", "regtest", "main"]);
}

#[test]
fn another_chain_id_is_named_with_both_ids() {
    let ethereum = Ethereum::start();
    let done = check(Confirmd::with(&ethereum).set("chains.ethereum.chain_id", 1));
    assert_says(&done, 1, &["local", "chain id: expected 1, found 31337"]);
}

#[test]
fn every_wrong_token_is_named_with_what_is_there_instead() {
    let ethereum = Ethereum::start();
    let nobody = ethereum.anvil.account(5).to_string();
    let setup = Confirmd::with(&ethereum).set("assets.USDC.decimals", 18);
    let done = check(setup.set("assets.USDT.contract", nobody.as_str()));
    let usdc = ethereum.tokens.usdc.to_string();
    let decimals = "expected 18 decimals, found 6";
    assert_says(
        &done,
        1,
        &["USDT", &nobody, "no code", "USDC", &usdc, decimals],
    );
}

#[test]
fn a_contract_that_is_no_token_is_named() {
    let ethereum = Ethereum::start();
    let contract = ethereum.tokens.mischief.to_string();
    let done = check(Confirmd::with(&ethereum).set("assets.USDT.contract", contract.as_str()));
    assert_says(&done, 1, &["USDT", &contract, "decimals()"]);
}

#[test]
fn a_node_that_is_away_ends_with_69_and_the_other_is_still_shown() {
    let (mut node, ethereum) = (Bitcoind::start_empty(&[]), Ethereum::start());
    let url = node.url();
    node.stop();
    let setup = Confirmd::with(&node).and(&ethereum);
    std::fs::write(node.cookie_file(), "__cookie__:none").expect("a cookie");
    let done = check(setup);
    assert_says(&done, 69, &["bitcoin", &url, "ethereum", "31337"]);
}

#[test]
fn a_wrong_cookie_is_named() {
    let node = Bitcoind::start_empty(&[]);
    let setup = Confirmd::with(&node);
    let cookie = node.cookie_file().with_file_name("other.cookie");
    std::fs::write(&cookie, "__cookie__:canary-cookie").expect("a cookie");
    let done = check(setup.set("chains.bitcoin.cookie_file", cookie.display().to_string()));
    assert_says(&done, 1, &["bitcoin", "401"]);
    assert!(!done.all().contains("canary-cookie"), "{done:?}");
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_every_problem() {
    let node = Bitcoind::start_empty(&[]);
    let setup = Confirmd::with(&node)
        .set("payments.tolerence", "1%")
        .set("chains.bitcoin.poll_interval", "50ms")
        .set("assets.BTC.chain", "bitcoins");
    let words = [
        "config.toml:",
        "tolerence",
        "tolerance",
        "poll_interval",
        "100ms",
        "bitcoins",
    ];
    assert_says(&check(setup), 78, &words);
}
