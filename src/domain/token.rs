//! What a token's administration did: the acts that a person who is paid in the token should know of.
//!
//! They never change what a payment is worth or its status. What a contract logs when it acts is known by
//! the source; whom it concerns is known by the watcher.

use super::{amount::Amount, payment::Payment, status::named_enum, transfer::Position};
use crate::bugs::{Bug, planted};
use serde::{Deserialize, Serialize};

named_enum! {
    /// What a token's administration did. The names are the codes of `attention`.
    TokenAct {
        /// Nobody can move the token.
        Paused = "token_paused",
        /// Everybody can move it again.
        Unpaused = "token_unpaused",
        /// It takes another fee of each transfer.
        FeeChanged = "token_fee_changed",
        /// Another contract took its place.
        Deprecated = "token_deprecated",
        /// It has other code.
        Upgraded = "token_upgraded",
        /// One account can no longer move it.
        Blacklisted = "token_blacklisted",
        /// That account can move it again.
        Unblacklisted = "token_unblacklisted",
        /// What a blacklisted account held of it is gone.
        FundsDestroyed = "token_funds_destroyed",
    }
}

impl TokenAct {
    /// Whether it concerns one account; any other concerns everybody who is paid in the token.
    #[must_use]
    pub const fn names_account(self) -> bool {
        match self {
            Self::Blacklisted | Self::Unblacklisted | Self::FundsDestroyed => true,
            Self::Paused
            | Self::Unpaused
            | Self::FeeChanged
            | Self::Deprecated
            | Self::Upgraded => false,
        }
    }

    /// What it means for a payment, in words that follow the asset.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Paused => "was paused by its contract: nobody can move it for now",
            Self::Unpaused => "is no longer paused by its contract",
            Self::FeeChanged => {
                "takes another fee of each transfer: less may arrive than is sent, or no longer less"
            }
            Self::Deprecated => {
                "was deprecated: another contract takes its place, whose transfers are not seen"
            }
            Self::Upgraded => "has other code now: its contract was upgraded",
            Self::Blacklisted => {
                "can no longer be moved from the payment's address: its contract put that on its blacklist"
            }
            Self::Unblacklisted => {
                "can be moved from the payment's address again: it is off the contract's blacklist"
            }
            Self::FundsDestroyed => {
                "on the payment's address was destroyed by its contract: the money is gone"
            }
        }
    }
}

/// An act of a configured token, as a log of its contract in a verified block tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEvent {
    /// The token.
    pub contract: [u8; 20],
    /// What was done.
    pub act: TokenAct,
    /// In which of the block's transactions, as an index.
    pub tx_index: u32,
    /// Where in the transaction.
    pub position: Position,
    /// The account that it names, or the contract that takes over; `None` where there is none, or
    /// where the log does not have it as it should.
    pub account: Option<[u8; 20]>,
    /// The log's numbers: rate in ten-thousandths and the most for a fee, the amount for destroyed
    /// funds. What the log lacks is not there.
    pub figures: Vec<Amount>,
}

/// An act that touched a payment, as its history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenNotice {
    /// What was done.
    pub act: TokenAct,
    /// To which asset.
    pub asset: String,
    /// The transaction, in hex.
    pub txid: String,
    /// The log in it.
    pub position: String,
    /// The height of its block.
    pub height: u32,
}

impl TokenNotice {
    /// The act in a sentence.
    #[must_use]
    pub fn sentence(&self, payment: &Payment) -> String {
        let (asset, meaning, prefix) =
            (&self.asset, self.act.meaning(), payment.kind.hash_prefix());
        let (txid, height) = (&self.txid, self.height);
        format!("{asset} {meaning} (transaction {prefix}{txid} in block {height})")
    }

    /// Whether both are told by one log, which may stand in another block now.
    pub(super) fn is_of_log_of(&self, other: &Self) -> bool {
        self.is_replaced_by(other) && (&self.txid, &self.position) == (&other.txid, &other.position)
    }

    /// Whether another log tells of the same kind of act on the same asset.
    fn is_replaced_by(&self, other: &Self) -> bool {
        (self.act, &self.asset) == (other.act, &other.asset)
    }
}

/// Keeps an act: the last one of each kind and asset, in the order in which they were told.
pub(super) fn keep(notices: &mut Vec<TokenNotice>, notice: &TokenNotice) {
    notices.retain(|known| !known.is_replaced_by(notice));
    notices.push(notice.clone());
}

/// The acts that deprive a payment of its money and were not taken back.
pub(super) fn losses(notices: &[TokenNotice]) -> impl Iterator<Item = &TokenNotice> {
    let is_lifted = |at: usize, asset: &str| {
        let mut later = notices.iter().skip(at);
        later.any(|n| n.act == TokenAct::Unblacklisted && n.asset == asset)
    };
    let acts = notices.iter().enumerate();
    acts.filter_map(move |(at, notice)| {
        let deprives = match notice.act {
            TokenAct::Blacklisted => {
                !is_lifted(at, &notice.asset) && !planted(Bug::BlacklistUnlooked)
            }
            TokenAct::FundsDestroyed => true,
            TokenAct::Paused
            | TokenAct::Unpaused
            | TokenAct::FeeChanged
            | TokenAct::Deprecated
            | TokenAct::Upgraded
            | TokenAct::Unblacklisted => false,
        };
        deprives.then_some(notice)
    })
}
