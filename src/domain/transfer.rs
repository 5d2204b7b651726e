//! One credit to a payment's address and where it stands.

use super::{
    amount::Amount,
    asset::AssetCode,
    block::{BlockRef, Height, TxId},
    evidence::Evidence,
    facts::OutPoint,
    status::named_enum,
    time::UnixMs,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where in its transaction a credit stands; with chain and transaction id its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Position {
    /// `vout:N`: an output.
    Output(u32),
    /// `log:N`: the ordinal among the transaction's logs.
    Log(u32),
    /// `tx`: the transaction's own value.
    Transaction,
    /// `trace:0.2`: child indexes from the root frame.
    Trace(Vec<u32>),
    /// `balance:HEIGHT`: the balance grew in that block.
    Balance(Height),
    /// `sum:USDC`: the row that holds many credits of one transaction in that asset.
    Sum(AssetCode),
    /// `dust`: the row that holds further dust in one sum.
    Dust,
}

impl Position {
    /// Whether a transaction may have any number of such credits for little: a contract's.
    #[must_use]
    pub const fn may_be_summed_up(&self) -> bool {
        match self {
            Self::Log(_) | Self::Trace(_) => true,
            Self::Output(_) | Self::Transaction | Self::Balance(_) | Self::Sum(_) | Self::Dust => {
                false
            }
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(n) => write!(f, "vout:{n}"),
            Self::Log(n) => write!(f, "log:{n}"),
            Self::Transaction => f.write_str("tx"),
            Self::Trace(path) => {
                f.write_str("trace:")?;
                let parts: Vec<String> = path.iter().map(u32::to_string).collect();
                f.write_str(&parts.join("."))
            }
            Self::Balance(height) => write!(f, "balance:{height}"),
            Self::Sum(asset) => write!(f, "sum:{asset}"),
            Self::Dust => f.write_str("dust"),
        }
    }
}

/// A text that names no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no position of a transfer")]
pub struct PositionError;

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| PositionError);
        match text.split_once(':') {
            None if text == "tx" => Ok(Self::Transaction),
            None if text == "dust" => Ok(Self::Dust),
            Some(("vout", n)) => number(n).map(Self::Output),
            Some(("log", n)) => number(n).map(Self::Log),
            Some(("trace", path)) => path
                .split('.')
                .map(number)
                .collect::<Result<_, _>>()
                .map(Self::Trace),
            Some(("balance", height)) => number(height).map(|n| Self::Balance(Height(n))),
            Some(("sum", asset)) if !asset.is_empty() => Ok(Self::Sum(AssetCode::new(asset))),
            None | Some(_) => Err(PositionError),
        }
    }
}

/// The block that holds a transfer, and its transaction's place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The block.
    pub block: BlockRef,
    /// The transaction's place in it.
    pub tx_index: u32,
}

/// Where a transfer stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the mempool, or taken out of a block and not yet looked for there.
    Mempool,
    /// In a block of the best chain.
    Block(Anchor),
    /// Never mined, and gone from the mempool.
    Evicted,
    /// Another transaction spends the same output.
    Replaced {
        /// Which.
        by: TxId,
        /// The block that holds it, once it confirmed.
        confirmed_in: Option<BlockRef>,
    },
    /// Back from a block and nowhere.
    Orphaned,
}

impl Place {
    /// The public name of the state.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Mempool => "mempool",
            Self::Block(_) => "confirmed",
            Self::Evicted => "evicted",
            Self::Replaced { .. } => "replaced",
            Self::Orphaned => "orphaned",
        }
    }

    /// Whether the money is in the mempool or in a block.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        match self {
            Self::Mempool | Self::Block(_) => true,
            Self::Evicted | Self::Replaced { .. } | Self::Orphaned => false,
        }
    }

    /// The block that holds the transfer.
    #[must_use]
    pub const fn anchor(&self) -> Option<&Anchor> {
        match self {
            Self::Block(anchor) => Some(anchor),
            Self::Mempool | Self::Evicted | Self::Replaced { .. } | Self::Orphaned => None,
        }
    }
}

named_enum! {
    /// What a transfer means for its payment; the first that fits, in this order.
    Disposition {
        /// Too little to mean anything.
        Dust = "dust",
        /// Of another asset.
        WrongAsset = "wrong_asset",
        /// After the gateway withdrew the payment.
        AfterCancel = "after_cancel",
        /// After the deadline.
        Late = "late",
        /// Of a deciding transaction that does not suffice.
        Short = "short",
        /// Beside what was counted.
        Surplus = "surplus",
        /// Part of what pays.
        Counted = "counted",
    }
}

/// One credit to a payment's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The transaction.
    pub txid: TxId,
    /// Where in it.
    pub position: Position,
    /// In what.
    pub asset: AssetCode,
    /// Digits after the point of that asset.
    pub decimals: u8,
    /// How much; for [`Position::Dust`] the sum of all that was aggregated, for [`Position::Sum`] that of its
    /// transaction's credits in it.
    pub amount: Amount,
    /// Less than this, on the transaction's sum, is dust.
    pub dust: Amount,
    /// Who paid.
    pub from_address: Option<String>,
    /// Whether it must ripen for 100 confirmations.
    pub coinbase: bool,
    /// What vouches for it.
    pub evidence: Evidence,
    /// Where it stands.
    pub place: Place,
    /// What it means for the payment.
    pub disposition: Disposition,
    /// Our first observation, in mempool or block; inherited through a replacement. At the latest
    /// the block's time, where nobody could say then what time it was.
    pub first_seen_at: UnixMs,
    /// The earliest time of the blocks that held it and have left, on whatever branch: of those that enough
    /// operators held. Nothing while no such block has left.
    pub first_block_at: Option<UnixMs>,
    /// What its transaction spends, to know a replacement or a conflict by; empty on Ethereum.
    pub inputs: Vec<OutPoint>,
}

impl Transfer {
    /// Whether this row is that credit.
    #[must_use]
    pub fn is(&self, txid: TxId, position: &Position) -> bool {
        self.txid == txid && self.position == *position
    }

    /// Whether this row sums up credits in an asset of a transaction.
    #[must_use]
    pub fn sums_up(&self, txid: TxId, asset: &AssetCode) -> bool {
        self.txid == txid && matches!(&self.position, Position::Sum(of) if of == asset)
    }

    /// Whether only is known of it that the balance grew.
    #[must_use]
    pub const fn is_growth(&self) -> bool {
        matches!(self.evidence, Evidence::Grown)
    }

    /// Whether it is one operator's word that nothing was compared with yet.
    #[must_use]
    pub const fn is_claim(&self) -> bool {
        matches!(self.evidence, Evidence::Claimed)
    }

    /// The earliest time of the block that holds it and of those that did.
    #[must_use]
    pub fn earliest_block_at(&self) -> Option<UnixMs> {
        let now_in = self.place.anchor().map(|anchor| anchor.block.time);
        let times = self.first_block_at.into_iter().chain(now_in);
        times.min()
    }

    /// Whether it was in blocks, all of them gone, that no quorum of operators ever held: when it was seen
    /// there says nothing.
    #[must_use]
    pub fn was_shown_by_one_alone(&self) -> bool {
        self.place == Place::Orphaned && self.first_block_at.is_none()
    }

    /// Whether a block ever held it.
    #[must_use]
    pub fn was_ever_mined(&self) -> bool {
        self.earliest_block_at().is_some() || self.was_shown_by_one_alone()
    }

    /// The earliest time at which the money is known to have been there.
    #[must_use]
    pub fn on_time_since(&self) -> UnixMs {
        self.earliest_block_at()
            .map_or(self.first_seen_at, |at| at.min(self.first_seen_at))
    }
}
