//! A signed transaction: a value that is made once and may stand in blocks of many branches.

use super::{encode::Envelope, intent::Step};
use crate::domain::block::TxId;
use alloy_consensus::Transaction;
use alloy_primitives::Address;
use std::sync::Arc;

/// A signed transaction. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Tx {
    pub(super) signed: Arc<Signed>,
    pub(super) fails: bool,
}

/// What was signed, by whom, and what it does.
#[derive(Debug)]
pub(super) struct Signed {
    pub envelope: Envelope,
    pub from: Address,
    pub steps: Vec<Step>,
    id: TxId,
}

impl Signed {
    pub(super) fn new(envelope: Envelope, from: Address, steps: Vec<Step>) -> Self {
        Self {
            id: TxId(envelope.tx_hash().0),
            envelope,
            from,
            steps,
        }
    }
}

impl Tx {
    pub(super) fn new(signed: Signed) -> Self {
        Self {
            signed: Arc::new(signed),
            fails: false,
        }
    }

    /// Its hash.
    #[must_use]
    pub fn id(&self) -> TxId {
        self.signed.id
    }

    /// Who signed it.
    #[must_use]
    pub fn from(&self) -> [u8; 20] {
        self.signed.from.into_array()
    }

    /// How many its sender signed before.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.signed.envelope.nonce()
    }

    /// The same transaction, in a block where it fails: status 0, nothing moves.
    #[must_use]
    pub fn failing(&self) -> Self {
        Self {
            signed: Arc::clone(&self.signed),
            fails: true,
        }
    }
}
