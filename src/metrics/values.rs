//! The values that labels take, where they are closed lists of words.
//!
//! Knows no metric, and nothing of what the words are about.

use crate::domain::asset::ChainKind;

/// The kinds of request that have a label of their own; any other text is `unknown`.
pub(super) const REQUEST_KINDS: &[&str] = &[
    "register", "cancel", "accept", "reject", "ack", "extend", "refunded", "rescan", UNKNOWN,
];
pub(super) const UNKNOWN: &str = "unknown";

/// The outcomes of a call that have a label of their own; any other text, such as `too_large`,
/// means an answer that could not be used, and is `malformed`.
pub(super) const RPC_OUTCOMES: &[&str] = &[
    "ok",
    "error",
    "transient",
    "timeout",
    "rate_limited",
    "unauthorized",
    MALFORMED,
];
pub(super) const MALFORMED: &str = "malformed";
pub(super) const OTHER: &str = "other";

/// What is heard of a node that pushes; any other text is `other`.
pub(super) const PUSH_EVENTS: &[&str] = &["notification", "gap", "silence", OTHER];

/// How an endpoint may stand; a test of `chain::ethereum::endpoints::pool` holds its own names against these.
pub(crate) const ENDPOINT_STATES: &[&str] = &[
    "untried",
    "alive",
    "rate_limited",
    "behind",
    "unreachable",
    "unfit",
    "lying",
];

/// The methods that a bitcoind is asked again and again; any other text is `other`.
pub(super) const BITCOIN_METHODS: &[&str] = &[
    "getbestblockhash",
    "getblock",
    "getblockchaininfo",
    "getblockhash",
    "getblockheader",
    "getmempoolentry",
    "getmempoolinfo",
    "getrawmempool",
    "getrawtransaction",
    "gettxspendingprevout",
    "rest_block",
    OTHER,
];

/// The methods that an Ethereum node is asked again and again, alone or at the head of a batch; any other text is
/// `other`.
pub(super) const ETHEREUM_METHODS: &[&str] = &[
    "debug_traceBlockByHash",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getCode",
    "trace_block",
    OTHER,
];

/// The methods that nodes of this kind are asked.
pub(super) const fn methods(kind: ChainKind) -> &'static [&'static str] {
    match kind {
        ChainKind::Bitcoin => BITCOIN_METHODS,
        ChainKind::Ethereum => ETHEREUM_METHODS,
    }
}

/// The label for this text: itself where it is known.
pub(super) fn one_of(known: &[&'static str], text: &str, otherwise: &'static str) -> &'static str {
    known
        .iter()
        .find(|name| **name == text)
        .copied()
        .unwrap_or(otherwise)
}
