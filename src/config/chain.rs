//! `[chains.NAME]`: how to reach the nodes, and how far to trust depth.
//!
//! Must not know any asset.

use super::{
    BitcoinAuth, BitcoinNode, Chain, Endpoint, EthereumNode, Node, OnUnverifiable, SecretUrl,
    secret::Secrets,
    section::{Entry, Section},
    value::{self, percent_decoded},
};
use crate::domain::{
    asset::{ChainKind, ChainName},
    block::BlockHash,
    time::SpanMs,
};
use bitcoin::Network;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;

/// Genesis blocks of public EVM networks, so that a node of another network with the same chain
/// id is refused without being configured: chain id, hash.
const KNOWN_GENESIS: &[(u64, &str)] = &[
    (
        1,
        "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    ),
    (
        17_000,
        "b5f7f912443c940f21fd611f12828d75b534364ed9e95ca4e307729a4661bde4",
    ),
    (
        560_048,
        "bbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b",
    ),
    (
        11_155_111,
        "25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9",
    ),
];

/// A thousand years of blocks would not be asked for; this bounds one scan of the past.
const MAX_RESCAN: u32 = 1_000_000;

/// The greatest configurable depth.
const MAX_DEPTH: u32 = 100_000;

/// A chain as far as it could be read: assets that name a broken chain are no further problem.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) kind: Option<ChainKind>,
    pub(super) chain: Option<Chain>,
}

/// Every chain of `[chains]`.
pub(super) fn all(chains: &Section<'_>, secrets: &Secrets) -> Vec<Found> {
    let sections = chains.named_sections().into_iter();
    sections
        .map(|(name, section)| found(name, &section, secrets))
        .collect()
}

fn found(name: &str, section: &Section<'_>, secrets: &Secrets) -> Found {
    let kinds = [
        (ChainKind::Bitcoin.as_str(), ChainKind::Bitcoin),
        (ChainKind::Ethereum.as_str(), ChainKind::Ethereum),
    ];
    let line = section.line;
    let valid_name = value::name(name);
    if let Err(message) = &valid_name {
        section.report.problem(line, &section.path, message);
    }
    let kind = section
        .require("kind", "write \"bitcoin\" or \"ethereum\"")
        .and_then(|entry| entry.read(|text| value::word(text, &kinds)));
    Found {
        name: name.to_owned(),
        line,
        kind,
        chain: kind.and_then(|kind| chain(&valid_name.ok()?, kind, section, secrets)),
    }
}

/// What differs between kinds of chain where the operator says nothing.
struct Usual {
    poll_interval: SpanMs,
    final_depth: u32,
    max_rescan: u32,
}

/// Polls as the promise to payers needs; finality by the depth that no reorg of the chain's
/// history reached; rescans of about a month on Bitcoin and a week on Ethereum.
const fn usual(kind: ChainKind) -> Usual {
    match kind {
        ChainKind::Bitcoin => Usual {
            poll_interval: SpanMs::from_secs(2),
            final_depth: 100,
            max_rescan: 4320,
        },
        ChainKind::Ethereum => Usual {
            poll_interval: SpanMs::from_secs(3),
            final_depth: 64,
            max_rescan: 50_000,
        },
    }
}

fn chain(name: &str, kind: ChainKind, section: &Section<'_>, secrets: &Secrets) -> Option<Chain> {
    let usual = usual(kind);
    let poll_interval = section.read_or(
        "poll_interval",
        usual.poll_interval,
        value::span_between("100ms", "10m"),
    );
    let final_depth = section.number_or("final_depth", usual.final_depth, 1..=MAX_DEPTH);
    let max_rescan = section.number_or("max_rescan", usual.max_rescan, 0..=MAX_RESCAN);
    let node = match kind {
        ChainKind::Bitcoin => bitcoin(section, secrets).map(Node::Bitcoin),
        ChainKind::Ethereum => ethereum(section, secrets).map(Node::Ethereum),
    };
    section.close();
    Some(Chain {
        name: ChainName::new(name),
        poll_interval: poll_interval?,
        final_depth: final_depth?,
        max_rescan: max_rescan?,
        node: node?,
    })
}

fn bitcoin(section: &Section<'_>, secrets: &Secrets) -> Option<BitcoinNode> {
    let networks = [
        ("mainnet", Network::Bitcoin),
        ("testnet4", Network::Testnet4),
        ("signet", Network::Signet),
        ("regtest", Network::Regtest),
    ];
    let network = section
        .require(
            "network",
            "write \"mainnet\", \"testnet4\", \"signet\" or \"regtest\"",
        )
        .and_then(|entry| entry.read(|text| value::word(text, &networks)));
    let rpc_url = section
        .require("rpc_url", "write for example \"http://127.0.0.1:8332\"")
        .and_then(|entry| entry.read(value::http_url));
    let (rpc_url, in_url) = rpc_url.and_then(take_userinfo).unzip();
    let auth = bitcoin_auth(section, secrets, in_url.flatten());
    let rest = section
        .get("rest")
        .map_or(Some(Rest::No), |entry| rest(&entry));
    let zmq = section.read_or("zmq", None, value::zmq);
    let rest = rest?;
    Some(BitcoinNode {
        network: network?,
        rpc_url: rpc_url?,
        auth: auth?,
        rest: rest != Rest::No,
        rest_fallback: rest == Rest::Auto,
        zmq: zmq?,
    })
}

/// Whether blocks are fetched over REST.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    No,
    Yes,
    Auto,
}

fn rest(entry: &Entry<'_>) -> Option<Rest> {
    match entry.flag_or_text()? {
        Ok(true) => Some(Rest::Yes),
        Ok(false) => Some(Rest::No),
        Err("auto") => Some(Rest::Auto),
        Err(text) => {
            entry.problem(format!("{text:?} is not one of true, false, \"auto\""));
            None
        }
    }
}

/// Takes user and password out of a URL, so that they travel in a header only.
fn take_userinfo(SecretUrl(mut url): SecretUrl) -> Option<(SecretUrl, Option<BitcoinAuth>)> {
    let auth = url.password().map(|password| BitcoinAuth::Password {
        user: percent_decoded(url.username()),
        password: SecretString::from(percent_decoded(password)),
    });
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((SecretUrl(url), auth))
}

const HOW_TO_SIGN_IN: &str = "write cookie_file, or rpc_user and rpc_password_file";

fn bitcoin_auth(
    section: &Section<'_>,
    secrets: &Secrets,
    in_url: Option<BitcoinAuth>,
) -> Option<BitcoinAuth> {
    let cookie = section
        .get("cookie_file")
        .map(|entry| entry.read(|name| secrets.locate(name)));
    let user = section.get("rpc_user").map(|entry| entry.text());
    let password = section
        .get("rpc_password_file")
        .map(|entry| entry.read(|name| secrets.read(name)));
    match (cookie, user, password, in_url) {
        (Some(path), None, None, None) => path.map(BitcoinAuth::CookieFile),
        (None, Some(user), Some(password), None) => Some(BitcoinAuth::Password {
            user: user?.to_owned(),
            password: password?.unwrap_or_default(),
        }),
        (None, None, None, Some(auth)) => Some(auth),
        (None, None, None, None) => {
            section.problem("cookie_file", format!("is missing; {HOW_TO_SIGN_IN}"));
            None
        }
        (None, Some(_), None, None) => {
            section.problem("rpc_password_file", "is missing beside rpc_user");
            None
        }
        (None, None, Some(_), None) => {
            section.problem("rpc_user", "is missing beside rpc_password_file");
            None
        }
        (_, _, _, _) => {
            let message = format!("is one of several ways to sign in; {HOW_TO_SIGN_IN}, not both");
            section.problem("cookie_file", message);
            None
        }
    }
}

/// As many as a metric of each endpoint's requests leaves room for.
const ENDPOINTS_MAX: usize = 8;

const ON_UNVERIFIABLE: [(&str, OnUnverifiable); 2] = [
    ("stop", OnUnverifiable::Stop),
    ("degrade", OnUnverifiable::Degrade),
];

fn ethereum(section: &Section<'_>, secrets: &Secrets) -> Option<EthereumNode> {
    let chain_id = section
        .require("chain_id", "write 1 for the Ethereum main network")
        .and_then(|entry| entry.number(1..=u64::MAX));
    let genesis = section.read_or("genesis", None, |text| value::block_hash(text).map(Some));
    let on_unverifiable = section.read_or("on_unverifiable", OnUnverifiable::Stop, |text| {
        value::word(text, &ON_UNVERIFIABLE)
    });
    let endpoints = section
        .require(
            "endpoints",
            "add [[chains.NAME.endpoints]] with name and url",
        )
        .map(|entry| endpoints(&entry, secrets));
    let read = endpoints.as_ref().and_then(Option::as_ref);
    let count = read.map(Vec::len);
    let quorum = section.number_or("quorum", 1, 1..=16);
    if let (Some(quorum), Some(read)) = (quorum, read) {
        quorum_problems(section, quorum, read);
    }
    if let (Some(None), Some(chain_id), Some(2..)) = (genesis, chain_id, count)
        && known_genesis(chain_id).is_none()
    {
        let message = "is missing; with several endpoints, say which chain they must be on";
        section.problem("genesis", message);
    }
    let block_time = section.read_or("block_time", None, |text| {
        value::span_between("100ms", "10m")(text).map(Some)
    });
    Some(EthereumNode {
        chain_id: chain_id?,
        block_time: block_time?.or_else(|| known_block_time(chain_id?)),
        genesis: genesis?.or_else(|| known_genesis(chain_id?)),
        quorum: quorum?,
        on_unverifiable: on_unverifiable?,
        endpoints: endpoints??,
    })
}

fn quorum_problems(section: &Section<'_>, quorum: u32, endpoints: &[Endpoint]) {
    let unknown = endpoints
        .iter()
        .find(|endpoint| endpoint.operator.is_none());
    if let Some(unknown) = unknown.filter(|_| quorum > 1) {
        let name = &unknown.name;
        let message = format!(
            "is {quorum}, but endpoint {name:?} has no operator; say of each endpoint who runs it"
        );
        section.problem("quorum", message);
        return;
    }
    let operators = endpoints.iter().map(|endpoint| &endpoint.operator);
    let operators = operators.collect::<BTreeSet<_>>().len();
    if usize::try_from(quorum).is_ok_and(|quorum| quorum > operators) {
        let message = format!(
            "is {quorum} with {operators} operator(s); add endpoints of others or lower it"
        );
        section.problem("quorum", message);
    }
    let is_half = usize::try_from(quorum).is_ok_and(|quorum| quorum.saturating_mul(2) <= operators);
    if quorum > 1 && is_half {
        let message = format!(
            "is {quorum} of {operators} operators, which is not more than half: as many could hold another \
             block, which freezes the chain until more than half hold the same"
        );
        section.report.warning(&section.path_of("quorum"), &message);
    }
}

/// How often a public EVM network has a block (consensus specifications, `SECONDS_PER_SLOT`).
#[must_use]
pub fn known_block_time(chain_id: u64) -> Option<SpanMs> {
    let is_known = KNOWN_GENESIS.iter().any(|(id, _)| *id == chain_id);
    is_known.then(|| SpanMs::from_secs(12))
}

/// The genesis block of a public EVM network (go-ethereum, `params/config.go`).
#[must_use]
pub fn known_genesis(chain_id: u64) -> Option<BlockHash> {
    let known = KNOWN_GENESIS.iter().find(|(id, _)| *id == chain_id);
    known.and_then(|(_, hash)| BlockHash::from_hex(hash))
}

fn endpoints(entry: &Entry<'_>, secrets: &Secrets) -> Option<Vec<Endpoint>> {
    let sections = entry.sections()?;
    match sections.len() {
        0 => entry.problem("is empty; add name and url"),
        1..=ENDPOINTS_MAX => {}
        count => entry.problem(format!(
            "names {count} endpoints; leave {ENDPOINTS_MAX} at most"
        )),
    }
    let mut read: Vec<Option<Endpoint>> = Vec::new();
    for section in &sections {
        let endpoint = endpoint(section, secrets);
        let is_same = |other: &Endpoint| endpoint.as_ref().is_some_and(|it| it.name == other.name);
        if read.iter().flatten().any(is_same) {
            section.problem("name", "is that of another endpoint of the chain");
        }
        read.push(endpoint);
    }
    read.into_iter().collect()
}

fn endpoint(section: &Section<'_>, secrets: &Secrets) -> Option<Endpoint> {
    let name = section
        .require("name", "logs and metrics call the endpoint by it")
        .and_then(|entry| entry.read(value::name));
    let url = url_under(section, &HTTP, secrets);
    if section.get(HTTP.key).is_none() && section.get(HTTP.file_key).is_none() {
        section.problem(
            HTTP.key,
            "is missing; write url, or url_file when it holds a key",
        );
    }
    let ws_url = url_under(section, &WEB_SOCKET, secrets);
    let operator = section.read_or("operator", None, |text| value::name(text).map(Some));
    section.close();
    Some(Endpoint {
        operator: operator?,
        name: name?,
        url: url?,
        ws_url,
    })
}

/// A URL, which may stand in a file of its own.
struct UrlKeys {
    key: &'static str,
    file_key: &'static str,
    read: fn(&str) -> Result<SecretUrl, String>,
    /// Stands for one that may not be seen.
    withheld: &'static str,
}

const HTTP: UrlKeys = UrlKeys {
    key: "url",
    file_key: "url_file",
    read: value::http_url,
    withheld: "http://withheld.invalid",
};

const WEB_SOCKET: UrlKeys = UrlKeys {
    key: "ws_url",
    file_key: "ws_url_file",
    read: value::ws_url,
    withheld: "ws://withheld.invalid",
};

/// The URL under one of both keys; nothing where there is none, or where it is wrong.
fn url_under(section: &Section<'_>, keys: &UrlKeys, secrets: &Secrets) -> Option<SecretUrl> {
    match (section.get(keys.key), section.get(keys.file_key)) {
        (Some(url), None) => url.read(keys.read),
        (None, Some(file)) => file.read(|name| url_in_file(name, keys, secrets)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            let beside = keys.file_key;
            let message = format!("stands beside {beside}; leave only one of them");
            section.problem(keys.key, message);
            None
        }
    }
}

fn url_in_file(name: &str, keys: &UrlKeys, secrets: &Secrets) -> Result<SecretUrl, String> {
    secrets.read(name)?.map_or_else(
        || (keys.read)(keys.withheld),
        |url| {
            (keys.read)(url.expose_secret())
                .map_err(|message| format!("{name:?} holds a text that {message}"))
        },
    )
}
