//! The exact words about each wrong line.

mod chains;

use super::{GOOD, errors, parse_with};

/// What is replaced, by what, and what is said.
type Case = (&'static str, &'static str, &'static [&'static str]);

/// `GOOD` with `new` in place of `old` says exactly these lines.
#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert!(GOOD.contains(old), "{old:?} is not in the good file");
    let text = GOOD.replacen(old, new, 1);
    let said = errors(&text);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        expected
            .iter()
            .map(|line| format!("config.toml:{line}"))
            .collect::<Vec<_>>(),
        "{text}"
    );
}

/// `GOOD` after these extra lines, which stand before it.
#[track_caller]
fn check_before(lines: &str, expected: &[&str]) {
    let text = format!("{lines}\n");
    check(
        "[chains.bitcoin]",
        &format!("{text}[chains.bitcoin]"),
        expected,
    );
}

#[test]
fn a_wrong_value_is_named_with_its_line_and_what_to_write() {
    let cases = [
        (
            "[payments]\ngrace = \"2 minutes\"",
            "2: payments.grace: \"2 minutes\" is no duration; write an integer with ms, s, m, h or d, for example \"20m\"",
        ),
        (
            "[payments]\ngrace = \"1.5m\"",
            "2: payments.grace: \"1.5m\" is no duration; write an integer with ms, s, m, h or d, for example \"20m\"",
        ),
        (
            "[payments]\ngrace = 120",
            "2: payments.grace: is a whole number; write a text in quotes",
        ),
        (
            "[payments]\ngrace = \"9d\"",
            "2: payments.grace: \"9d\" is too long; at most \"1d\"",
        ),
        (
            "[payments]\nexpires_in = \"0s\"",
            "2: payments.expires_in: \"0s\" is too short; at least \"1s\"",
        ),
        (
            "[payments]\ntolerance = \"11%\"",
            "2: payments.tolerance: \"11%\" is too much; at most \"10%\"",
        ),
        (
            "[payments]\ntolerance = \"1.555%\"",
            "2: payments.tolerance: \"1.555%\" is no percentage; write up to two decimals and a percent sign, for example \"1.5%\"",
        ),
        (
            "[payments]\ntolerance = \"0.01\"",
            "2: payments.tolerance: \"0.01\" is no percentage; write up to two decimals and a percent sign, for example \"1.5%\"",
        ),
        (
            "[payments]\npolicy = \"any\"",
            "2: payments.policy: \"any\" is not one of \"single\", \"sum\"",
        ),
        (
            "[http]\nlisten = \"localhost\"",
            "2: http.listen: \"localhost\" is no address and port; write for example \"127.0.0.1:9480\"",
        ),
        (
            "[database]\npath = \"confirmd.db\"",
            "2: database.path: \"confirmd.db\" is no absolute path of a file; begin it with /",
        ),
        (
            "[database]\ninbox = \"/var/lib/confirmd/inbox.db\"",
            "1: database.inbox: lies beside confirmd.db; give it a directory of its own, because its writers may make files there",
        ),
        (
            "[database]\noperator_commands = \"no\"",
            "2: database.operator_commands: is a text; write true or false",
        ),
        (
            "database = 1",
            "1: database: is a whole number; write a table",
        ),
    ];
    for (lines, expected) in cases {
        check_before(lines, &[expected]);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    check_before(
        "[databse]",
        &["1: databse: is no known key; did you mean \"database\"?"],
    );
    check_before(
        "[payments]\nexpire_in = \"20m\"",
        &["2: payments.expire_in: is no known key; did you mean \"expires_in\"?"],
    );
    check_before(
        "[http]\ncolour = \"red\"",
        &["2: http.colour: is no known key; known here: listen"],
    );
    check(
        "url = \"http://127.0.0.1:8545\"",
        "url = \"http://127.0.0.1:8545\"\nurl_flie = \"x\"",
        &["13: chains.ethereum.endpoints[1].url_flie: is no known key; did you mean \"url_file\"?"],
    );
}

const WRONG_ASSET: &[Case] = &[
    (
        "[assets.USDT]",
        "[assets.\"US DT\"]",
        &[
            "7: chains.ethereum: carries no asset; add one with chain = \"ethereum\", or remove the chain",
            "17: assets.US DT: \"US DT\" is no asset code; write 1 to 32 letters, digits, ., _ or -",
        ],
    ),
    (
        "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "0xdAC17F958D2ee523a2206206994597C13D831eC7",
        &[
            "19: assets.USDT.contract: \"0xdAC17F958D2ee523a2206206994597C13D831eC7\" has a wrong checksum (EIP-55): a digit is mistyped; copy the address again from the token's issuer",
        ],
    ),
    (
        "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "0xdAC17",
        &[
            "19: assets.USDT.contract: \"0xdAC17\" is no address; write 0x and 40 hexadecimal digits",
        ],
    ),
    (
        "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "0x0000000000000000000000000000000000000000",
        &["19: assets.USDT.contract: is the zero address, which is no contract"],
    ),
    (
        "decimals = 6",
        "",
        &["17: assets.USDT.decimals: is missing; write what the contract's decimals() says"],
    ),
    (
        "decimals = 6",
        "decimals = 37",
        &["20: assets.USDT.decimals: must be between 0 and 36"],
    ),
    (
        "decimals = 6",
        "decimals = 6\nconfirmations = 0",
        &["21: assets.USDT.confirmations: must be between 1 and 1000"],
    ),
    (
        "decimals = 6",
        "decimals = 6\nconfirmations = \"finalised\"",
        &[
            "21: assets.USDT.confirmations: \"finalised\" is neither \"safe\" nor \"finalized\"; write one of them, or a whole number from 1 to 1000 without quotes",
        ],
    ),
    (
        "decimals = 6",
        "decimals = 6\nconfirmations = true",
        &[
            "21: assets.USDT.confirmations: is true or false; write a whole number without quotes, \"safe\" or \"finalized\"",
        ],
    ),
    (
        "chain = \"bitcoin\"",
        "chain = \"bitcoin\"\nconfirmations = \"safe\"",
        &[
            "16: assets.BTC.confirmations: \"safe\" is said of no block of a Bitcoin chain; write a whole number from 1 to 1000",
        ],
    ),
    (
        "decimals = 6",
        "decimals = 6\nconfirmations = \"finalized\"\ntiers = [{ above = \"1\", confirmations = \"safe\" }, { above = \"2\", confirmations = 900 }]",
        &[
            "22: assets.USDT.tiers[1].confirmations: is less than what smaller amounts need",
            "22: assets.USDT.tiers[2].confirmations: is less than what smaller amounts need",
        ],
    ),
    (
        "decimals = 6",
        "decimals = 6\ndust = \"0.0000001\"",
        &["21: assets.USDT.dust: \"0.0000001\" has more than 6 decimals"],
    ),
    (
        "decimals = 6",
        "decimals = 6\ndust = 0.01",
        &["21: assets.USDT.dust: is a number with a point; write a text in quotes"],
    ),
    (
        "decimals = 6",
        "decimals = 6\ndust = \"-1\"",
        &["21: assets.USDT.dust: \"-1\" is not a decimal number (only digits and one point)"],
    ),
    (
        "chain = \"bitcoin\"",
        "chain = \"bitcon\"",
        &[
            "1: chains.bitcoin: carries no asset; add one with chain = \"bitcoin\", or remove the chain",
            "14: assets.BTC.chain: \"bitcon\" is no configured chain; did you mean \"bitcoin\"?",
        ],
    ),
    (
        "chain = \"bitcoin\"",
        "chain = \"bitcoin\"\ndecimals = 9",
        &["16: assets.BTC.decimals: is always 8 for the chain's own money; remove it"],
    ),
    (
        "chain = \"bitcoin\"",
        "chain = \"bitcoin\"\ncontract = \"0xdac17f958d2ee523a2206206994597c13d831ec7\"",
        &["16: assets.BTC.contract: stands on a chain that has no contracts; remove it"],
    ),
    (
        "[assets.USDT]",
        "[assets.XBT]\nchain = \"bitcoin\"\n[assets.USDT]",
        &[
            "17: assets.XBT: has no contract, and BTC is already the native asset of \"bitcoin\"; add the contract",
        ],
    ),
    (
        "[assets.USDT]",
        "[assets.T]\nchain = \"ethereum\"\ndecimals = 6\ncontract = \"0xdac17f958d2ee523a2206206994597c13d831ec7\"\n[assets.USDT]",
        &["21: assets.USDT.contract: is already the contract of T"],
    ),
    (
        "[assets.USDT]",
        "tiers = [{ above = \"1\", confirmations = 6 }, { above = \"1\", confirmations = 3 }]\n[assets.USDT]",
        &[
            "17: assets.BTC.tiers[2].above: is not above the tier before it; sort the tiers by above",
            "17: assets.BTC.tiers[2].confirmations: is less than what smaller amounts need",
        ],
    ),
    (
        "[assets.USDT]",
        "[[assets.BTC.tiers]]\nabove = \"1\"\n[assets.USDT]",
        &[
            "17: assets.BTC.tiers[1].confirmations: is missing; write how many blocks larger amounts wait",
        ],
    ),
];

#[test]
fn a_wrong_asset_is_explained() {
    for (old, new, expected) in WRONG_ASSET {
        check(old, new, expected);
    }
}

#[test]
fn a_chain_without_assets_and_a_file_without_chains_are_refused() {
    let cut = GOOD.find("[assets.USDT]").unwrap();
    assert_eq!(
        errors(&GOOD[..cut]),
        "config.toml:7: chains.ethereum: carries no asset; add one with chain = \"ethereum\", or \
         remove the chain"
    );
    assert_eq!(
        errors(""),
        "config.toml:1: chains: are missing; add for example [chains.bitcoin]"
    );
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_lines() {
    let text = GOOD
        .replace("network = \"regtest\"", "network = \"moon\"")
        .replace("chain_id = 1", "chain_id = 0")
        .replace("decimals = 6", "decimals = \"six\"");
    let text = format!("{text}[payments]\ngrace = \"soon\"\n");
    let lines: Vec<_> = parse_with(&text, None)
        .unwrap_err()
        .problems
        .iter()
        .map(|problem| (problem.line, problem.key.clone()))
        .collect();
    let expected = [
        (3, "chains.bitcoin.network"),
        (9, "chains.ethereum.chain_id"),
        (20, "assets.USDT.decimals"),
        (22, "payments.grace"),
    ];
    assert_eq!(lines, expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn every_syntax_error_is_reported_and_nothing_of_the_line_is_shown() {
    let text = GOOD.replace(
        "rpc_url = \"http://127.0.0.1:18443\"",
        "rpc_url = http://canary:secret@host",
    );
    let said = errors(&text.replace("decimals = 6", "decimals = = 6"));
    assert!(said.starts_with("config.toml:4: is not TOML: "), "{said}");
    assert!(said.contains("config.toml:20: is not TOML: "), "{said}");
    assert!(
        !said.contains("canary") && !said.contains("secret"),
        "{said}"
    );
}
