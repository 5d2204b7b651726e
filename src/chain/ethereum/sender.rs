//! Who signed a transaction. The `from` that nodes report is bound by nothing, so it is never
//! used; recovering costs some 100 µs and is done only for credits that belong to a payment.

use super::wire::Envelope;
use crate::domain::facts::{Candidate, Payer, Signature};
use alloy_primitives::{B256, U256};

/// What is needed to recover who signed this transaction.
pub(super) fn signer_of(envelope: &Envelope) -> Payer {
    let signature = envelope.signature();
    Payer::Signer(Box::new(Signature {
        hash: envelope.signature_hash().0,
        r: signature.r().to_be_bytes(),
        s: signature.s().to_be_bytes(),
        y_parity: signature.v(),
    }))
}

/// The account that made this signature; `None` when it is no signature of anybody.
#[must_use]
pub fn recover(signature: &Signature) -> Option<[u8; 20]> {
    let r = U256::from_be_bytes(signature.r);
    let s = U256::from_be_bytes(signature.s);
    alloy_primitives::Signature::new(r, s, signature.y_parity)
        .recover_address_from_prehash(&B256::from(signature.hash))
        .ok()
        .map(alloy_primitives::Address::into_array)
}

/// The account that pays this credit, as far as the chain says.
#[must_use]
pub fn payer(candidate: &Candidate) -> Option<[u8; 20]> {
    match &candidate.payer {
        Payer::Unknown => None,
        Payer::Account(account) => Some(*account),
        Payer::Signer(signature) => recover(signature),
    }
}

/// Whether an account pays itself: such a credit moves nothing and is none.
#[must_use]
pub fn is_self_transfer(candidate: &Candidate) -> bool {
    payer(candidate).is_some_and(|payer| payer == candidate.destination.as_bytes())
}
