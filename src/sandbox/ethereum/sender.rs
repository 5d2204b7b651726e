//! Accounts that sign, with real signatures by made-up keys.
//!
//! The curve needs no arithmetic here: every signature uses the number 1 where a secret random
//! one belongs, which makes its point the curve's generator. Anybody can compute the key from such
//! a signature, so a sender takes no key but makes its own from a number.
//!
//! Source: SEC 1, 4.1.3; EIP-2 (low s).

use super::{
    encode,
    intent::Intent,
    tx::{Signed, Tx},
};
use alloy_primitives::{Address, B256, Signature, U256, keccak256, uint};

/// The order of secp256k1's group (SEC 2, 2.4.1).
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// The x of secp256k1's generator, whose y is even (SEC 2, 2.4.1).
const GENERATOR_X: U256 =
    uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256);

/// An account that signs transactions for one chain, and counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    key: U256,
    address: Address,
    chain_id: u64,
    nonce: u64,
}

impl Sender {
    /// The sender of this number; the same on every chain.
    #[must_use]
    pub fn new(chain_id: u64, number: u64) -> Self {
        let seed = [&b"simulated sender "[..], &number.to_be_bytes()].concat();
        let key = U256::from_be_bytes(keccak256(seed).0).reduce_mod(ORDER);
        let said = keccak256("who signs");
        // What was signed just now has a signer.
        let address = sign(key, said).recover_address_from_prehash(&said);
        Self {
            key,
            address: address.unwrap_or_default(),
            chain_id,
            nonce: 0,
        }
    }

    /// Its account.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        self.address.into_array()
    }

    /// Signs its next transaction.
    #[must_use]
    pub fn sign(&mut self, intent: Intent) -> Tx {
        let nonce = self.nonce;
        self.nonce = nonce.saturating_add(1);
        self.sign_with(nonce, intent)
    }

    /// Signs a transaction of the same nonce as one of its own: of the two a chain takes only one.
    #[must_use]
    pub fn sign_instead(&self, of: &Tx, intent: Intent) -> Tx {
        self.sign_with(of.nonce(), intent)
    }

    fn sign_with(&self, nonce: u64, intent: Intent) -> Tx {
        let typed = encode::unsigned(&intent, self.chain_id, nonce);
        let signature = sign(self.key, encode::signature_hash(&typed));
        let envelope = encode::Envelope::new_unhashed(typed, signature);
        Tx::new(Signed::new(envelope, self.address, intent.steps))
    }
}

fn sign(key: U256, hash: B256) -> Signature {
    let hash = U256::from_be_bytes(hash.0).reduce_mod(ORDER);
    let s = hash.add_mod(GENERATOR_X.mul_mod(key, ORDER), ORDER);
    if s > ORDER >> 1 {
        Signature::new(GENERATOR_X, ORDER.saturating_sub(s), true)
    } else {
        Signature::new(GENERATOR_X, s, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signer_of_what_a_sender_signs_is_the_sender() {
        // The address of the key 1, as every wallet computes it.
        let known = alloy_primitives::address!("0x7e5f4552091a69125d5dfcb7b8c2659029395bdf");
        let signers = |key| {
            let said = (0..20_u8).map(|n| keccak256([n]));
            said.map(move |said| sign(key, said).recover_address_from_prehash(&said).unwrap())
        };
        assert!(signers(U256::ONE).all(|signer| signer == known));
        let sender = Sender::new(1, 7);
        assert!(signers(sender.key).all(|signer| signer == sender.address));
        assert_ne!(sender.address, Sender::new(1, 8).address);
    }
}
