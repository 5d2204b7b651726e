//! S10: what is secret in URLs, cookies and passwords appears in nothing that the daemon or a command says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use nix::sys::signal::Signal;

use crate::confirmd::{Confirmd, Ethereum};
use crate::nodes::bitcoind::Bitcoind;

/// `rpcauth` for the user `gateway`: the salt and the HMAC-SHA-256 of [`PASSWORD`] with it.
const RPCAUTH: &str = "-rpcauth=gateway:00112233445566778899aabbccddeeff$\
    24ce1965c0bacc356aa0bc00eee4a118f03216bc750e1dd88218031471670b01";
const PASSWORD: &str = "canary-password-3f9c";

/// Everything that a person or a program can get to see of a daemon.
fn everything_said(confirmd: &Confirmd) -> String {
    let commands = [
        &["check"][..],
        &["check", "--json"],
        &["status"],
        &["status", "--json"],
        &["events", "--json"],
    ];
    let mut said: String = commands
        .iter()
        .map(|args| confirmd.command(args).all())
        .collect();
    for page in ["/metrics", "/livez", "/readyz"] {
        said.push_str(&confirmd.page(page).1);
    }
    for row in confirmd.ledger().query("SELECT * FROM v1_chain", &[]) {
        said.push_str(&row.to_string());
    }
    said.push_str(&confirmd.log());
    said
}

#[track_caller]
fn assert_silent(confirmd: &Confirmd, said: &str) {
    for secret in confirmd.secrets() {
        let at = said.find(secret.as_str());
        assert!(
            at.is_none(),
            "{secret}: …{}…",
            &said[at.unwrap_or(0).saturating_sub(200)..]
        );
    }
}

// shows: S10
#[test]
fn secrets_of_an_ethereum_endpoint_are_never_shown() {
    let ethereum = Ethereum::start();
    let port = ethereum
        .anvil
        .url()
        .rsplit_once(':')
        .expect("a port")
        .1
        .to_owned();
    let secrets = ["canary-user", "canary-word", "canary-path", "canary-key"];
    let working = format!("http://canary-user:canary-word@127.0.0.1:{port}/?key=canary-key");
    let refused =
        format!("http://canary-user:canary-word@127.0.0.1:{port}/canary-path?key=canary-key");
    for (url, works) in [(working, true), (refused, false)] {
        let setup = Confirmd::with(&ethereum)
            .endpoint(&url)
            .env("RUST_LOG", "trace");
        let mut confirmd = setup.start();
        for secret in secrets {
            confirmd.keep_secret(secret);
        }
        if works {
            confirmd.await_ethereum(&ethereum.anvil);
        } else {
            confirmd.await_log("the source");
        }
        confirmd.signal(Signal::SIGHUP);
        confirmd.await_log("SIGHUP");
        let said = everything_said(&confirmd);
        assert!(
            said.contains(&format!("127.0.0.1:{port}")) || works,
            "the host may be shown"
        );
        assert_silent(&confirmd, &said);
    }
}

// shows: S10
#[test]
fn secrets_of_a_bitcoin_node_are_never_shown() {
    let mut node = Bitcoind::start_with(&[RPCAUTH]);
    let file = node.cookie_file().with_file_name("password");
    std::fs::write(&file, PASSWORD).expect("a password file");
    let mut confirmd = Confirmd::with(&node)
        .remove("chains.bitcoin.cookie_file")
        .set("chains.bitcoin.rpc_user", "gateway")
        .set(
            "chains.bitcoin.rpc_password_file",
            file.display().to_string(),
        )
        .env("RUST_LOG", "trace")
        .start();
    confirmd.keep_secret(PASSWORD);
    confirmd.keep_secret(BASE64.encode(format!("gateway:{PASSWORD}")));
    confirmd.await_bitcoin(&node);
    node.stop();
    confirmd.await_log("the source fails");
    let said = everything_said(&confirmd);
    assert_silent(&confirmd, &said);
}

// shows: S10
#[test]
fn the_cookie_is_never_shown() {
    let mut node = Bitcoind::start();
    let mut confirmd = Confirmd::with(&node).env("RUST_LOG", "trace").start();
    for _ in 0..2 {
        let cookie = std::fs::read_to_string(node.cookie_file()).expect("a cookie");
        confirmd.keep_secret(BASE64.encode(&cookie));
        confirmd.keep_secret(cookie.rsplit_once(':').expect("a cookie").1);
        confirmd.await_bitcoin(&node);
        node.restart();
    }
    confirmd.await_bitcoin(&node);
    let said = everything_said(&confirmd);
    assert_silent(&confirmd, &said);
}

/// A wrong password must not come back in the refusal.
#[test]
fn a_refused_password_is_never_shown() {
    let node = Bitcoind::start_empty(&[]);
    let url = node
        .url()
        .replace("http://", "http://canary-user:canary-word@");
    let mut confirmd = Confirmd::with(&node)
        .remove("chains.bitcoin.cookie_file")
        .set("chains.bitcoin.rpc_url", url)
        .env("RUST_LOG", "trace")
        .start();
    confirmd.keep_secret("canary-user");
    confirmd.keep_secret("canary-word");
    confirmd.keep_secret(BASE64.encode("canary-user:canary-word"));
    confirmd.await_true("the refusal in the view", || {
        let chain = confirmd.ledger().chain("bitcoin").expect("a chain");
        chain["error"]
            .as_str()
            .is_some_and(|error| error.contains("401"))
    });
    let said = everything_said(&confirmd);
    assert_silent(&confirmd, &said);
}
