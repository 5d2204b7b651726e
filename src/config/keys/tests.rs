//! Which keys differ, and which of them need no restart.

use super::*;

const FILE: &str = r#"
[http]
listen = "127.0.0.1:9480"
[payments]
grace = "2m"
[chains.eth]
chain_id = 1
[[chains.eth.endpoints]]
name = "one"
url = "http://key@127.0.0.1/"
[assets.USDT]
chain = "eth"
contract = "0x1"
decimals = 6
[[assets.USDT.tiers]]
above = "5"
confirmations = 9
"#;

fn keys(text: &str) -> Keys {
    Keys::of(DeTable::parse(text).unwrap().get_ref())
}

/// A replacement in [`FILE`], and the keys that it changes.
type Change = (&'static str, &'static str, &'static [&'static str]);

const WHILE_RUNNING: &[Change] = &[
    ("grace = \"2m\"", "grace = \"3m\"", &["payments.grace"]),
    ("grace = \"2m\"", "grace  =  '2m' # same", &[]),
    (
        "grace",
        "expires_in",
        &["payments.expires_in", "payments.grace"],
    ),
    (
        "[http]",
        "[database]\noperator_commands = true\n[http]",
        &["database.operator_commands"],
    ),
    (
        "confirmations = 9",
        "confirmations = 8",
        &["assets.USDT.tiers"],
    ),
    (
        "decimals = 6",
        "decimals = 6\ndust = \"1\"",
        &["assets.USDT.dust"],
    ),
    (
        "decimals = 6",
        "decimals = 6\nenabled = false",
        &["assets.USDT.enabled"],
    ),
];

const AT_A_RESTART: &[Change] = &[
    (
        "[http]",
        "[database]\ngroup = \"g\"\n[http]",
        &["database.group"],
    ),
    ("9480", "9481", &["http.listen"]),
    ("chain_id = 1", "chain_id = 2", &["chains.eth.chain_id"]),
    ("key@", "word@", &["chains.eth.endpoints"]),
    ("decimals = 6", "decimals = 7", &["assets.USDT.decimals"]),
    (
        "[http]",
        "[assets.DAI]\nchain = \"eth\"\n[http]",
        &["assets.DAI.chain"],
    ),
];

#[test]
fn a_changed_key_is_named_and_needs_a_restart_or_none() {
    let started = keys(FILE);
    for (cases, taken_over) in [(WHILE_RUNNING, true), (AT_A_RESTART, false)] {
        for (old, new, changed) in cases {
            let text = FILE.replacen(old, new, 1);
            assert!(text != FILE, "{old}");
            let other = keys(&text);
            let found: Vec<String> = started.changed(&other).into_iter().collect();
            assert_eq!(found, *changed, "{new}");
            for key in found {
                assert_eq!(started.takes_over(&key, &other), taken_over, "{key}: {new}");
            }
        }
    }
}

#[test]
fn the_terms_of_another_asset_by_the_same_code_need_a_restart() {
    let started = keys(FILE);
    for (old, new) in [
        ("decimals = 6", "decimals = 7"),
        ("0x1", "0x2"),
        ("USDT", "DAI"),
    ] {
        let text = FILE.replace(old, new) + "[assets.USDT2]\nchain = \"eth\"\nconfirmations = 1";
        let other = keys(&text);
        for key in [
            "assets.USDT.tiers",
            "assets.USDT2.confirmations",
            "assets.DAI.tiers",
        ] {
            assert!(!started.takes_over(key, &other), "{key}: {new}");
        }
    }
}

#[test]
fn values_are_never_shown() {
    assert_eq!(format!("{:?}", keys(FILE)), "Keys");
}
