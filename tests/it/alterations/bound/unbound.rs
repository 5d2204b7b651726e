//! What nothing binds, each with the reason.

use super::Object;

/// On which transactions a field is unbound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    All,
    Legacy,
    Typed,
    WithFees,
}

impl On {
    pub const fn holds(self, tx_type: u64) -> bool {
        match self {
            Self::All => true,
            Self::Legacy => tx_type == 0,
            Self::Typed => tx_type > 0,
            Self::WithFees => tx_type > 1,
        }
    }
}

use On::All;

/// Fields of which an answer may say anything, and why that changes nothing. The list is closed: whatever else
/// an answer has is bound.
pub const UNBOUND: &[(Object, &str, On, &str)] = &[
    (
        Object::Block,
        "hash",
        All,
        "computed from the header, and compared with what was asked for",
    ),
    (
        Object::Block,
        "size",
        All,
        "of the block's encoding; nothing binds it",
    ),
    (Object::Block, "totalDifficulty", All, "nothing binds it"),
    (
        Object::Block,
        "uncles",
        All,
        "sha3Uncles binds them; they hold no money and are not read",
    ),
    (
        Object::Transaction,
        "hash",
        All,
        "computed from the encoding",
    ),
    (
        Object::Transaction,
        "from",
        All,
        "recovered from the signature",
    ),
    (Object::Transaction, "blockHash", All, "where it was found"),
    (
        Object::Transaction,
        "blockNumber",
        All,
        "where it was found",
    ),
    (Object::Transaction, "blockTimestamp", All, "the header's"),
    (
        Object::Transaction,
        "transactionIndex",
        All,
        "its place in the list",
    ),
    (
        Object::Transaction,
        "gasPrice",
        On::WithFees,
        "what came of the fees; the fees are bound",
    ),
    (
        Object::Transaction,
        "chainId",
        On::Legacy,
        "v says it (EIP-155)",
    ),
    (Object::Transaction, "v", On::Typed, "yParity says it"),
    (Object::Receipt, "type", All, "the transaction's own"),
    (Object::Receipt, "logsBloom", All, "computed from the logs"),
    (
        Object::Receipt,
        "transactionHash",
        All,
        "its place in the list says whose it is",
    ),
    (
        Object::Receipt,
        "transactionIndex",
        All,
        "its place in the list",
    ),
    (
        Object::Receipt,
        "blockHash",
        All,
        "asked for by it, and the root proves it",
    ),
    (Object::Receipt, "blockNumber", All, "the header's"),
    (Object::Receipt, "blockTimestamp", All, "the header's"),
    (
        Object::Receipt,
        "gasUsed",
        All,
        "a difference of what is bound",
    ),
    (
        Object::Receipt,
        "effectiveGasPrice",
        All,
        "nothing binds it",
    ),
    (Object::Receipt, "blobGasPrice", All, "nothing binds it"),
    (
        Object::Receipt,
        "blobGasUsed",
        All,
        "of the transaction's blobs, which are bound",
    ),
    (
        Object::Receipt,
        "from",
        All,
        "recovered from the transaction's signature",
    ),
    (Object::Receipt, "to", All, "the transaction's own"),
    (
        Object::Receipt,
        "contractAddress",
        All,
        "of sender and nonce; not read",
    ),
    (Object::Log, "blockHash", All, "where it was found"),
    (Object::Log, "blockNumber", All, "where it was found"),
    (Object::Log, "blockTimestamp", All, "the header's"),
    (
        Object::Log,
        "transactionHash",
        All,
        "whose receipt it is in",
    ),
    (
        Object::Log,
        "transactionIndex",
        All,
        "whose receipt it is in",
    ),
    (Object::Log, "logIndex", All, "its place in the lists"),
    (
        Object::Log,
        "removed",
        All,
        "the block was asked for by its hash",
    ),
];

/// Unbound fields that are read for their shape all the same: what is no number there is refused.
pub const READ_ALL_THE_SAME: &[(Object, &str)] = &[
    (Object::Transaction, "chainId"),
    (Object::Transaction, "v"),
    (Object::Transaction, "yParity"),
];
