//! What is said about a wrong chain of either kind.

use super::{Case, check};

const WRONG_BITCOIN: &[Case] = &[
    (
        "network = \"regtest\"",
        "",
        &[
            "1: chains.bitcoin.network: is missing; write \"mainnet\", \"testnet4\", \"signet\" or \"regtest\"",
        ],
    ),
    (
        "network = \"regtest\"",
        "network = \"main\"",
        &[
            "3: chains.bitcoin.network: \"main\" is not one of \"mainnet\", \"testnet4\", \"signet\", \"regtest\"",
        ],
    ),
    (
        "rpc_url = \"http://127.0.0.1:18443\"",
        "rpc_url = \"127.0.0.1:18443\"",
        &[
            "4: chains.bitcoin.rpc_url: is no URL (relative URL without a base); write for example \"http://127.0.0.1:PORT\"",
        ],
    ),
    (
        "rpc_url = \"http://127.0.0.1:18443\"",
        "rpc_url = \"ftp://127.0.0.1\"",
        &["4: chains.bitcoin.rpc_url: begins with neither http:// nor https://"],
    ),
    (
        "cookie_file = \"/run/bitcoind/.cookie\"",
        "",
        &[
            "1: chains.bitcoin.cookie_file: is missing; write cookie_file, or rpc_user and rpc_password_file",
        ],
    ),
    (
        "cookie_file = \"/run/bitcoind/.cookie\"",
        "rpc_user = \"u\"",
        &["1: chains.bitcoin.rpc_password_file: is missing beside rpc_user"],
    ),
    (
        "cookie_file = \"/run/bitcoind/.cookie\"",
        "cookie_file = \"cookie\"",
        &[
            "5: chains.bitcoin.cookie_file: \"cookie\" is relative and $CREDENTIALS_DIRECTORY is not set; write an absolute path, or start under systemd with LoadCredential=cookie:FILE",
        ],
    ),
    (
        "cookie_file = \"/run/bitcoind/.cookie\"",
        "cookie_file = \"/c\"\nrpc_user = \"u\"",
        &[
            "1: chains.bitcoin.cookie_file: is one of several ways to sign in; write cookie_file, or rpc_user and rpc_password_file, not both",
        ],
    ),
    (
        "[chains.ethereum]",
        "poll_interval = \"50ms\"\n[chains.ethereum]",
        &["7: chains.bitcoin.poll_interval: \"50ms\" is too short; at least \"100ms\""],
    ),
    (
        "[chains.ethereum]",
        "rest = \"maybe\"\n[chains.ethereum]",
        &["7: chains.bitcoin.rest: \"maybe\" is not one of true, false, \"auto\""],
    ),
    (
        "[chains.ethereum]",
        "final_depth = 0\n[chains.ethereum]",
        &["7: chains.bitcoin.final_depth: must be between 1 and 100000"],
    ),
    (
        "[chains.ethereum]",
        "zmq = \"udp://x:1\"\n[chains.ethereum]",
        &["7: chains.bitcoin.zmq: is no ZMQ address; write for example \"tcp://127.0.0.1:28332\""],
    ),
    (
        "kind = \"bitcoin\"",
        "kind = \"litecoin\"",
        &["2: chains.bitcoin.kind: \"litecoin\" is not one of \"bitcoin\", \"ethereum\""],
    ),
];

#[test]
fn a_wrong_bitcoin_chain_is_explained() {
    for (old, new, expected) in WRONG_BITCOIN {
        check(old, new, expected);
    }
}

const WRONG_ETHEREUM: &[Case] = &[
    (
        "chain_id = 1",
        "chain_id = \"1\"",
        &["9: chains.ethereum.chain_id: is a text; write a whole number without quotes"],
    ),
    (
        "chain_id = 1",
        "chain_id = -1",
        &["9: chains.ethereum.chain_id: must be between 1 and 18446744073709551615"],
    ),
    (
        "chain_id = 1",
        "chain_id = 1\ngenesis = \"0x12\"",
        &[
            "10: chains.ethereum.genesis: \"0x12\" is no block hash; write 0x and 64 hexadecimal digits",
        ],
    ),
    (
        "chain_id = 1",
        "chain_id = 1\non_unverifiable = \"ignore\"",
        &["10: chains.ethereum.on_unverifiable: \"ignore\" is not one of \"stop\", \"degrade\""],
    ),
    (
        "chain_id = 1",
        "chain_id = 1\nquorum = 2",
        &[
            "7: chains.ethereum.quorum: is 2, but endpoint \"local\" has no operator; say of each endpoint who runs it",
        ],
    ),
    (
        "name = \"local\"",
        "name = \"local\"\noperator = \"us\"\n[chains.other]\nkind = \"ethereum\"\nchain_id = 1\nquorum = 2\n[[chains.other.endpoints]]\noperator = \"us\"\nname = \"local\"",
        &[
            "10: chains.ethereum.endpoints[1].url: is missing; write url, or url_file when it holds a key",
            "13: chains.other: carries no asset; add one with chain = \"other\", or remove the chain",
            "13: chains.other.quorum: is 2 with 1 operator(s); add endpoints of others or lower it",
        ],
    ),
    (
        "name = \"local\"",
        "name = \"Local node\"",
        &[
            "11: chains.ethereum.endpoints[1].name: \"Local node\" is no name; write 1 to 32 lower-case letters, digits, _ or -",
        ],
    ),
    (
        "name = \"local\"\n",
        "",
        &[
            "10: chains.ethereum.endpoints[1].name: is missing; logs and metrics call the endpoint by it",
        ],
    ),
    (
        "url = \"http://127.0.0.1:8545\"",
        "",
        &[
            "10: chains.ethereum.endpoints[1].url: is missing; write url, or url_file when it holds a key",
        ],
    ),
    (
        "url = \"http://127.0.0.1:8545\"",
        "url_file = \"/nowhere/url\"",
        &[
            "12: chains.ethereum.endpoints[1].url_file: /nowhere/url cannot be read: No such file or directory (os error 2)",
        ],
    ),
    (
        "url = \"http://127.0.0.1:8545\"",
        "url = \"http://127.0.0.1:8545\"\n[[chains.ethereum.endpoints]]\nname = \"local\"\nurl = \"http://b\"",
        &["13: chains.ethereum.endpoints[2].name: is that of another endpoint of the chain"],
    ),
];

#[test]
fn a_wrong_ethereum_chain_is_explained() {
    for (old, new, expected) in WRONG_ETHEREUM {
        check(old, new, expected);
    }
}
