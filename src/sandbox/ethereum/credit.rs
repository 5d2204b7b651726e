//! What a block truly credits, known because whoever made the block knows it: no scanner was asked.

use crate::domain::{block::TxId, transfer::Position};
use alloy_primitives::U256;

/// One movement of value to an account.
///
/// Left out is what moves nothing: zero value, failed and reverted calls, malformed and forged
/// logs, an account that pays itself, withdrawals, fees, and what a transaction without `to`
/// endows its new contract with. A transfer of a fake token is here under the fake's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueCredit {
    /// The transaction.
    pub txid: TxId,
    /// Where in it.
    pub position: Position,
    /// The transaction's place in the block.
    pub tx_index: u32,
    /// The token's contract; `None` for ether.
    pub token: Option<[u8; 20]>,
    /// Who is credited.
    pub to: [u8; 20],
    /// How much in base units, after the token's fee.
    pub amount: U256,
    /// How it moved.
    pub kind: CreditKind,
}

/// How value moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CreditKind {
    /// The transaction's own value.
    TopLevel,
    /// A token's log.
    Token,
    /// Ether that a contract sent: seen only in traces.
    Inner,
}
