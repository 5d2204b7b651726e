//! What a file means, and what is said about a wrong one.

mod refusals;

use super::{secret::Secrets, *};
use crate::domain::{
    amount::Amount,
    asset::AssetKind,
    terms::{Depth, DepthRule, Policy},
};
use secrecy::ExposeSecret;
use std::path::Path;

/// A small valid file; cases change one line of it.
const GOOD: &str = r#"[chains.bitcoin]
kind = "bitcoin"
network = "regtest"
rpc_url = "http://127.0.0.1:18443"
cookie_file = "/run/bitcoind/.cookie"

[chains.ethereum]
kind = "ethereum"
chain_id = 1
[[chains.ethereum.endpoints]]
name = "local"
url = "http://127.0.0.1:8545"

[assets.BTC]
chain = "bitcoin"

[assets.USDT]
chain = "ethereum"
contract = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
decimals = 6
"#;

fn parse_with(text: &str, directory: Option<&Path>) -> Result<Config, ConfigErrors> {
    let secrets = Secrets::Read {
        directory: directory.map(Path::to_owned),
    };
    load::parse(Path::new("config.toml"), text, &secrets)
}

fn parse(text: &str) -> Config {
    parse_with(text, None).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(text: &str) -> String {
    parse_with(text, None).unwrap_err().to_string()
}

#[test]
fn a_short_file_gets_the_documented_defaults() {
    let config = parse(GOOD);
    assert_eq!(
        config.database.path,
        Path::new("/var/lib/confirmd/confirmd.db")
    );
    assert_eq!(
        config.database.inbox,
        Path::new("/var/lib/confirmd/inbox/inbox.db")
    );
    assert!(config.database.operator_commands && config.database.group.is_none());
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:9480");
    let payments = &config.payments;
    assert_eq!(payments.expires_in, SpanMs::from_secs(20 * 60));
    assert_eq!(payments.grace, SpanMs::from_secs(120));
    assert_eq!(payments.watch_after_close, SpanMs::from_secs(30 * 86_400));
    assert_eq!(payments.confirm_timeout, SpanMs::from_secs(86_400));
    assert_eq!(payments.late_accept, SpanMs(0));
    assert_eq!(
        (payments.policy, payments.tolerance_bp),
        (Policy::Single, 0)
    );
    let depths: Vec<_> = config
        .chains
        .iter()
        .map(|chain| (chain.poll_interval.0, chain.final_depth, chain.max_rescan))
        .collect();
    assert_eq!(depths, [(2_000, 100, 4_320), (3_000, 64, 50_000)]);
    let block_times: Vec<_> = config.chains.iter().map(Chain::block_time).collect();
    assert_eq!(block_times, [None, Some(SpanMs::from_secs(12))]);
    assert!(config.warnings.is_empty());
}

#[test]
fn how_often_there_is_a_block_is_known_configured_or_open() {
    for (chain_id, line, expected_ms) in [
        (1, "", Some(12_000)),
        (11_155_111, "block_time = \"1s\"", Some(1_000)),
        (42_161, "block_time = \"250ms\"", Some(250)),
        (10, "", None),
    ] {
        let text = format!("chain_id = {chain_id}\n{line}\n");
        let config = parse(&GOOD.replace("chain_id = 1\n", &text));
        let found = config.chains[1].block_time().map(|every| every.0);
        assert_eq!(found, expected_ms, "{chain_id} {line}");
    }
    let said = errors(&GOOD.replace("chain_id = 1\n", "chain_id = 1\nblock_time = \"1ms\"\n"));
    assert!(
        said.contains("block_time") && said.contains("at least \"100ms\""),
        "{said}"
    );
}

#[test]
fn an_asset_gets_the_defaults_of_its_kind() {
    let text = format!("{GOOD}[assets.ETH]\nchain = \"ethereum\"\n");
    let config = parse(&text);
    let shown: Vec<_> = config
        .assets
        .iter()
        .map(|asset| {
            let dust = asset.dust.display(asset.decimals).to_string();
            (
                asset.code.as_str(),
                asset.decimals,
                asset.depth.confirmations,
                dust,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("BTC", 8, 2, "0.00000546".to_owned()),
            ("USDT", 6, 6, "0.010000".to_owned()),
            ("ETH", 18, 12, "0.000001000000000000".to_owned()),
        ]
    );
    assert_eq!(config.assets[0].kind, AssetKind::Native);
    assert!(matches!(
        config.assets[1].kind,
        AssetKind::Token([0xda, 0xc1, ..])
    ));
}

#[test]
fn a_known_network_brings_its_genesis() {
    let genesis = |text: &str| match &parse(text).chains[1].node {
        Node::Ethereum(node) => node.genesis,
        Node::Bitcoin(_) => None,
    };
    let main = genesis(GOOD).unwrap().to_string();
    assert!(main.starts_with("d4e56740f876aef8"), "{main}");
    assert_eq!(
        genesis(&GOOD.replace("chain_id = 1", "chain_id = 31337")),
        None
    );
}

// shows: A11
#[test]
fn tiers_are_read_in_the_units_of_the_asset() {
    let tiers = "\ntiers = [{ above = \"0.5\", confirmations = 6 }]\n";
    let text = GOOD.replacen(
        "chain = \"bitcoin\"",
        &format!("chain = \"bitcoin\"{tiers}"),
        1,
    );
    let asset = &parse(&text).assets[0];
    assert!(!asset.waits_for_tags());
    assert_eq!(asset.depth_for(Amount::from_u64(50_000_000)), Depth::of(2));
    assert_eq!(asset.depth_for(Amount::from_u64(50_000_001)), Depth::of(6));
}

#[test]
fn rest_may_be_asked_for_tried_or_left() {
    let rest = |value: &str| {
        let text = GOOD.replacen(
            "[chains.ethereum]",
            &format!("rest = {value}\n[chains.ethereum]"),
            1,
        );
        match &parse(&text).chains[0].node {
            Node::Bitcoin(node) => (node.rest, node.rest_fallback),
            Node::Ethereum(_) => unreachable!(),
        }
    };
    assert_eq!(rest("true"), (true, false));
    assert_eq!(rest("false"), (false, false));
    assert_eq!(rest("\"auto\""), (true, true));
}

#[test]
fn no_secret_of_a_url_is_ever_shown() {
    let url = "https://canary1:canary2@host.example:8545/canary3?key=canary4";
    let good = GOOD.replace("http://127.0.0.1:8545", url);
    let shown = format!("{:?}", parse(&good));
    assert!(shown.contains("https://host.example:8545"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    for scheme in ["ftp", "https:/", "http"] {
        let wrong = url.replace("https", scheme).replace(":8545", ":99999");
        let said = errors(&GOOD.replace("http://127.0.0.1:8545", &wrong));
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn a_password_in_the_url_signs_in_and_leaves_the_url() {
    let text = GOOD
        .replace(
            "http://127.0.0.1:18443",
            "http://us%40er:p%3Ass%@127.0.0.1:18443/",
        )
        .replace("cookie_file = \"/run/bitcoind/.cookie\"", "");
    let Node::Bitcoin(node) = &parse(&text).chains[0].node else {
        panic!("no bitcoin")
    };
    assert_eq!(node.rpc_url.0.as_str(), "http://127.0.0.1:18443/");
    let BitcoinAuth::Password { user, password } = &node.auth else {
        panic!("{:?}", node.auth)
    };
    assert_eq!(
        (user.as_str(), password.expose_secret()),
        ("us@er", "p:ss%")
    );
}

#[test]
fn secrets_are_found_in_the_credentials_directory() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("rpc"), "canary-password\n").unwrap();
    std::fs::write(directory.path().join("eth"), "https://host/canary-key\n").unwrap();
    let text = GOOD
        .replace(
            "cookie_file = \"/run/bitcoind/.cookie\"",
            "rpc_user = \"me\"\nrpc_password_file = \"rpc\"",
        )
        .replace("url = \"http://127.0.0.1:8545\"", "url_file = \"eth\"");
    let config = parse_with(&text, Some(directory.path())).unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    let (Node::Bitcoin(bitcoin), Node::Ethereum(ethereum)) =
        (&config.chains[0].node, &config.chains[1].node)
    else {
        panic!("other chains")
    };
    let BitcoinAuth::Password { password, .. } = &bitcoin.auth else {
        panic!("{:?}", bitcoin.auth)
    };
    assert_eq!(password.expose_secret(), "canary-password");
    assert_eq!(
        ethereum.endpoints[0].url.0.as_str(),
        "https://host/canary-key"
    );
}

#[test]
fn a_bad_secret_file_is_named_but_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let text = GOOD.replace("url = \"http://127.0.0.1:8545\"", "url_file = \"eth\"");
    let said = |content: &str| {
        std::fs::write(directory.path().join("eth"), content).unwrap();
        parse_with(&text, Some(directory.path()))
            .unwrap_err()
            .to_string()
    };
    assert!(said("\n").ends_with("/eth is empty"));
    assert!(said(&"canary".repeat(1000)).ends_with("/eth is longer than 4096 bytes"));
    assert!(said("canary").contains("\"eth\" holds a text that is no URL"));
    assert!(!said("canary").contains("canary"));
}

#[test]
fn a_command_that_needs_no_node_reads_no_secret() {
    let text = GOOD.replace(
        "url = \"http://127.0.0.1:8545\"",
        "url_file = \"/root/none\"",
    );
    let file = Path::new("config.toml");
    assert!(load::parse(file, &text, &Secrets::Withheld).is_ok());
}

#[test]
fn what_is_allowed_but_notable_is_a_warning() {
    let config = parse(&format!("[http]\nlisten = \"0.0.0.0:9480\"\n{GOOD}"));
    assert_eq!(
        config.warnings,
        ["http.listen: is not a loopback address: whoever reaches it can read the metrics",]
    );
}

/// One of several operators may be enough: then the one that leads is believed.
#[test]
fn a_quorum_of_half_of_the_operators_is_a_warning() {
    for (quorum, operators, warns) in [
        (1, 4, false),
        (2, 3, false),
        (2, 4, true),
        (3, 4, false),
        (2, 5, true),
    ] {
        let endpoint = |n| {
            format!(
                "[[chains.ethereum.endpoints]]\nname = \"n{n}\"\noperator = \"o{n}\"\nurl = \"http://127.0.0.1:{n}\"\n"
            )
        };
        let endpoints = (2..=operators).map(endpoint).collect::<Vec<_>>().concat();
        let text = GOOD
            .replace("chain_id = 1", &format!("chain_id = 1\nquorum = {quorum}"))
            .replace("name = \"local\"", "name = \"local\"\noperator = \"o1\"");
        let config = parse(&format!("{text}\n{endpoints}"));
        let expected = format!(
            "chains.ethereum.quorum: is {quorum} of {operators} operators, which is not more than half"
        );
        let is_said = config
            .warnings
            .iter()
            .any(|warning| warning.starts_with(&expected));
        assert_eq!(
            is_said, warns,
            "{quorum} of {operators}: {:?}",
            config.warnings
        );
    }
}

#[test]
fn durations_are_integers_with_a_unit() {
    let good = [
        ("0s", 0),
        ("250ms", 250),
        ("20m", 1_200_000),
        ("24h", 86_400_000),
        ("30d", 2_592_000_000),
    ];
    for (text, ms) in good {
        assert_eq!(span(text), Ok(SpanMs(ms)), "{text}");
    }
    for text in [
        "",
        "s",
        "20",
        "-1s",
        "+1s",
        "1.5h",
        "1 h",
        "1H",
        "1w",
        "3651d",
        "99999999999999999999d",
        "٣s",
    ] {
        assert!(span(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_missing_file_says_what_to_do() {
    let said = Config::load(Path::new("/nowhere/config.toml"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "/nowhere/config.toml: cannot be read: No such file or directory (os error 2); name \
         another with --config"
    );
}

const EXAMPLE: &str = include_str!("../../config.toml.example");

#[test]
fn the_example_is_valid() {
    let config = parse(EXAMPLE);
    assert_eq!((config.chains.len(), config.assets.len()), (2, 4));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn what_the_example_comments_out_is_the_default() {
    let has_none = |key: &str| {
        ["url_file", "ws_url", "zmq"]
            .iter()
            .any(|name| key.starts_with(name))
    };
    let is_default = |line: &str| {
        line.strip_prefix('#').is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_lowercase()) && !has_none(rest)
        })
    };
    let spelled_out: Vec<_> = EXAMPLE
        .lines()
        .map(|line| &line[usize::from(is_default(line))..])
        .collect();
    let spelled_out = spelled_out.join("\n");
    assert_ne!(spelled_out, EXAMPLE);
    assert_eq!(
        format!("{:?}", parse(&spelled_out)),
        format!("{:?}", parse(EXAMPLE))
    );
}

#[test]
fn depth_is_a_number_or_what_nodes_call_a_block() {
    let usdt = |lines: &str| {
        let text = GOOD.replace("decimals = 6", &format!("decimals = 6\n{lines}"));
        parse(&text).assets.remove(1)
    };
    let called = |rule, confirmations| Depth {
        rule,
        confirmations,
    };
    let (safe, last) = (DepthRule::Safe, DepthRule::Finalized);
    assert_eq!(usdt("confirmations = 9").depth, Depth::of(9));
    assert_eq!(usdt("confirmations = \"safe\"").depth, called(safe, 65));
    assert_eq!(
        usdt("confirmations = \"finalized\"").depth,
        called(last, 65)
    );
    let tiers = r#"tiers = [
        { above = "1", confirmations = 20 },
        { above = "2", confirmations = "safe" },
        { above = "3", confirmations = "finalized" },
        { above = "4", confirmations = "finalized" },
    ]"#;
    let asset = usdt(tiers);
    assert!(asset.waits_for_tags());
    let depths = [1, 2, 3, 4, 5].map(|n| asset.depth_for(Amount::from_u64(n * 1_000_000)));
    let expected = [
        Depth::of(6),
        Depth::of(20),
        called(safe, 65),
        called(last, 65),
        called(last, 65),
    ];
    assert_eq!(depths, expected);
    let deeper = GOOD
        .replace("chain_id = 1", "chain_id = 1\nfinal_depth = 9")
        .replace("decimals = 6", "decimals = 6\nconfirmations = \"safe\"");
    assert_eq!(parse(&deeper).assets[1].depth, called(safe, 10));
}
