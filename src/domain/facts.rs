//! What sources observe on a chain, in a form that is the same for every chain.
//!
//! A source reports every credit that could concern somebody; it does not know who is watched.

use super::{
    amount::Amount,
    asset::AssetCode,
    block::{BlockHash, BlockId, BlockRef, Height, TxId},
    credits::{Credits, Tag},
    evidence::Evidence,
    time::UnixMs,
    token::{TokenEvent, TokenNotice},
    transfer::Position,
};
use std::sync::Arc;

/// The exact bytes that a payment is recognised by: a scriptPubKey on Bitcoin, the 20 bytes of an
/// account on Ethereum. At most 42 bytes: the longest script that an address can name is a
/// witness program of 40 bytes (BIP 141).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    len: u8,
    bytes: [u8; Self::MAX_LEN],
}

impl Destination {
    /// The longest destination in bytes.
    pub const MAX_LEN: usize = 42;

    /// Takes the bytes; `None` when there are too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = Self::fitting(bytes)?;
        let mut buffer = [0_u8; Self::MAX_LEN];
        buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { len, bytes: buffer })
    }

    /// How many bytes these are; `None` when there are too many.
    pub(super) fn fitting(bytes: &[u8]) -> Option<u8> {
        let len = u8::try_from(bytes.len()).ok()?;
        (bytes.len() <= Self::MAX_LEN).then_some(len)
    }

    /// Its tag, to look for it among many.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag::of(self.as_bytes())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&alloy_primitives::hex::encode(self.as_bytes()))
    }
}

/// Which asset a credit is in, as its source knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CreditAsset {
    /// The chain's own money.
    Native,
    /// A configured token, by its contract.
    Token([u8; 20]),
}

/// Who paid, as far as the chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payer {
    /// Bitcoin outputs have no single sender.
    Unknown,
    /// An account.
    Account([u8; 20]),
    /// The account that signed: recovered only when the credit is somebody's.
    Signer(Box<Signature>),
}

/// An ECDSA signature over a transaction, enough to recover who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The hash that was signed.
    pub hash: [u8; 32],
    /// The signature's r.
    pub r: [u8; 32],
    /// The signature's s.
    pub s: [u8; 32],
    /// The parity of the curve point's y.
    pub y_parity: bool,
}

/// One credit to any address: not yet known whether somebody watches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who is credited.
    pub destination: Destination,
    /// In what.
    pub asset: CreditAsset,
    /// How much.
    pub amount: Amount,
    /// Which of the block's transactions, as an index into [`BlockFacts::transactions`].
    pub tx_index: u32,
    /// Where in the transaction.
    pub position: Position,
    /// Who paid.
    pub payer: Payer,
    /// Whether it must ripen: newly minted bitcoin is spendable after 100 confirmations.
    pub coinbase: bool,
    /// What vouches for it.
    pub evidence: Evidence,
}

/// An output that a transaction spends: a transaction and the output's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutPoint {
    /// The transaction that made the output.
    pub txid: TxId,
    /// The output's number in it.
    pub vout: u32,
}

/// One spending of an output by a transaction of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spend {
    /// What is spent.
    pub outpoint: OutPoint,
    /// By which of the block's transactions.
    pub tx_index: u32,
}

/// A block, reduced to what may concern payments.
#[derive(Debug, Clone)]
pub struct BlockFacts {
    /// Which block, after which one, and when.
    pub block: BlockRef,
    /// The transaction ids in block order.
    pub transactions: Vec<TxId>,
    /// Every credit in it, in block order.
    pub credits: Credits,
    /// Every output spent in it (empty on Ethereum).
    pub spends: Vec<Spend>,
    /// Who got something in it that is no payment: withdrawals and fees (empty on Bitcoin).
    pub earners: Vec<Destination>,
    /// Credits that were refused while reading the block, by reason, for a metric.
    pub ignored: Vec<(IgnoredReason, u64)>,
    /// What the administration of configured tokens did in it, in block order.
    pub token_events: Vec<TokenEvent>,
    /// Whether contracts may have moved money in it that only a trace of its execution shows, and that is
    /// still to be had.
    pub awaits_trace: bool,
    /// Why its hash does not prove it; it is what enough endpoints tell then.
    pub unproven: Option<String>,
}

impl BlockFacts {
    /// A block in which nothing is that concerns payments.
    #[must_use]
    pub fn empty(block: BlockRef) -> Self {
        Self {
            block,
            transactions: Vec::new(),
            credits: Credits::default(),
            spends: Vec::new(),
            earners: Vec::new(),
            ignored: Vec::new(),
            token_events: Vec::new(),
            awaits_trace: false,
            unproven: None,
        }
    }

    /// Adds what contracts moved in it.
    pub fn complete(&mut self, inner: &Self) {
        let all = self.credits.iter().chain(inner.credits.iter());
        self.credits = all.collect();
        self.awaits_trace = false;
    }
}

/// Why something that looks like a credit is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IgnoredReason {
    /// A log of a contract that is not configured.
    UnknownToken,
    /// Not 3 topics, or not 32 bytes of data, or a topic that is no address.
    MalformedLog,
    /// Nothing was moved.
    ZeroValue,
    /// The transaction failed.
    Failed,
}

impl IgnoredReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::UnknownToken,
        Self::MalformedLog,
        Self::ZeroValue,
        Self::Failed,
    ];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownToken => "unknown_token",
            Self::MalformedLog => "malformed_log",
            Self::ZeroValue => "zero_value",
            Self::Failed => "failed",
        }
    }
}

/// An unconfirmed transaction.
#[derive(Debug, Clone)]
pub struct TxFacts {
    /// Its id.
    pub txid: TxId,
    /// When the source first saw it, on the monotonic clock: somebody may set the wall clock
    /// before that is asked.
    pub first_seen_ms: u64,
    /// Its credits; their `tx_index` is 0.
    pub credits: Vec<Candidate>,
    /// What it spends.
    pub inputs: Vec<OutPoint>,
}

/// The mempool as a whole, at one tip that was the same before and after it was read.
#[derive(Debug, Clone)]
pub struct MempoolSnapshot {
    /// The node's best block while it was read.
    pub tip: BlockHash,
    /// Every transaction id in it, sorted.
    pub txids: Arc<[TxId]>,
}

/// A credit that belongs to a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// The transaction.
    pub txid: TxId,
    /// Where in it.
    pub position: Position,
    /// In what; the watcher names only configured assets.
    pub asset: AssetCode,
    /// How much.
    pub amount: Amount,
    /// Who paid, as text of the chain.
    pub from_address: Option<String>,
    /// Whether it must ripen.
    pub coinbase: bool,
    /// What vouches for it.
    pub evidence: Evidence,
    /// Whether its block was taken as endpoints tell it: then nothing that vouches for a move in it proves more.
    pub in_told_block: bool,
    /// Less than this is dust in that asset, judged on the transaction's sum.
    pub dust: Amount,
    /// Digits after the point of that asset.
    pub decimals: u8,
}

/// Something that happened to one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The chain's blocks above this height are no longer on the best chain.
    Disconnected {
        /// The highest block that stayed.
        fork: Height,
        /// The highest block before that enough operators ever held: what stood above was shown by one alone.
        held: Option<Height>,
    },
    /// A credit stands in a block of the best chain.
    Mined {
        /// What was credited.
        credit: Credit,
        /// In which block.
        block: BlockRef,
        /// The transaction's place in the block.
        tx_index: u32,
        /// When this daemon observed it.
        seen_at: UnixMs,
        /// What the transaction spends, to know a conflict by after a reorganisation; empty on
        /// Ethereum. All credits of a transaction share one list.
        inputs: Arc<[OutPoint]>,
    },
    /// A credit is in the mempool.
    Seen {
        /// What was credited.
        credit: Credit,
        /// When this daemon first observed it.
        seen_at: UnixMs,
        /// Whether `seen_at` is remembered from before it was asked about: of a known credit, only
        /// such an observation may be the earlier one. Every other one comes later, whatever the
        /// wall clock says by now.
        remembered: bool,
        /// What the transaction spends, to know a replacement by.
        inputs: Arc<[OutPoint]>,
    },
    /// What a block's contracts moved to the payment's address was compared with what its balance grew by.
    Weighed {
        /// Which block.
        block: BlockId,
        /// What vouches for those credits from now on.
        evidence: Evidence,
    },
    /// A transaction that came while the clock was in doubt: since when it is there is known now.
    Dated {
        /// Which.
        txid: TxId,
        /// When this daemon first observed it.
        seen_at: UnixMs,
    },
    /// A list of the whole mempool holds a transaction, whatever is known of it: it may have come back
    /// unnoticed.
    Listed {
        /// Which.
        txid: TxId,
    },
    /// An unconfirmed transaction is no longer in the mempool, without a known conflict.
    Evicted {
        /// Which.
        txid: TxId,
    },
    /// Another unconfirmed transaction spends the same output.
    Replaced {
        /// Which is gone.
        txid: TxId,
        /// Which took its place.
        by: TxId,
    },
    /// A transaction in a block spends the same output.
    Conflicted {
        /// Which can never confirm while that block stands.
        txid: TxId,
        /// Which took its place.
        by: TxId,
        /// Where.
        block: BlockRef,
    },
    /// A token's administration did something that concerns it.
    Token {
        /// What.
        notice: TokenNotice,
        /// In which block.
        block: BlockRef,
    },
    /// What contracts moved in some blocks that may hold its money is not to be had.
    Untraced,
    /// Its address's balance is to be compared with what it was after the block of this height.
    BalanceSince {
        /// Which.
        since: Height,
    },
    /// What its address had after a block.
    Balance {
        /// Which block.
        block: BlockRef,
        /// How much.
        balance: Amount,
        /// When this daemon observed it.
        seen_at: UnixMs,
    },
    /// Past blocks were scanned for this payment up to this height.
    Scanned {
        /// Up to and including.
        to: Height,
    },
    /// The past of this payment cannot be scanned, or can again.
    ScanRefused {
        /// What stands against it; `None` when it goes on.
        why: Option<String>,
    },
}
