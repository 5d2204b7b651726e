//! What a transaction truly credits, written down by whoever made it.
//!
//! A judge compares it with what confirmd reads out of the same transaction's bytes, so nothing
//! here may come from that reading.

use crate::domain::{
    amount::Amount,
    facts::{CreditAsset, Destination},
    transfer::Position,
};

/// Money that really reached somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueCredit {
    /// Where in its transaction.
    pub position: Position,
    /// In what.
    pub asset: CreditAsset,
    /// Who got it.
    pub to: Destination,
    /// How much.
    pub amount: Amount,
}
