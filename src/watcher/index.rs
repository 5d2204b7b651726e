//! Which address belongs to which payment: a compact answer to "is this watched?".
//!
//! It holds 8 bytes of a keyed hash for each address, never the address: a hit is a suspicion
//! that the loaded payment's exact bytes must confirm. The key is drawn at start, so nobody can
//! make addresses collide on purpose. Before that, tags say of nearly every credit
//! that it is nobody's.

use super::tags::WatchedTags;
use crate::bugs::{Bug, planted};
use crate::domain::{asset::ChainName, credits::Tag, facts::Destination, payment::PaymentKey};
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
};

/// All watched addresses of all chains.
#[derive(Debug, Default)]
pub struct WatchIndex {
    seed: RandomState,
    chains: Vec<(ChainName, Addresses)>,
}

type Fingerprints = HashMap<u64, PaymentKey, BuildHasherDefault<Taken>>;

/// The watched addresses of one chain.
#[derive(Debug, Default)]
struct Addresses {
    tags: WatchedTags,
    first: Fingerprints,
    /// Further payments whose fingerprint is taken: two addresses in 2⁶⁴ meet by chance.
    further: Vec<(u64, PaymentKey)>,
}

impl WatchIndex {
    /// Watches an address for a payment.
    pub fn insert(&mut self, chain: &ChainName, destination: &Destination, key: PaymentKey) {
        let fingerprint = self.fingerprint(destination);
        let addresses = self.addresses_mut(chain);
        if addresses.insert(fingerprint, key) {
            addresses.tags.insert(destination.tag());
        }
    }

    /// Stops watching an address for a payment.
    pub fn remove(&mut self, chain: &ChainName, destination: &Destination, key: PaymentKey) {
        let fingerprint = self.fingerprint(destination);
        let addresses = self.addresses_mut(chain);
        if addresses.remove(fingerprint, key) {
            addresses.tags.remove(destination.tag());
        }
    }

    /// Whether an address with some tag may be watched on this chain.
    pub fn may_watch(&self, chain: &ChainName) -> impl Fn(Tag) -> bool {
        let tags = self.addresses(chain).map(|all| &all.tags);
        move |tag| tags.is_some_and(|tags| tags.may_hold(tag))
    }

    /// The payments that may own this address; almost always none or one.
    pub fn owners(
        &self,
        chain: &ChainName,
        destination: &Destination,
    ) -> impl Iterator<Item = PaymentKey> {
        let fingerprint = self.fingerprint(destination);
        let addresses = self.addresses(chain);
        let first = addresses.and_then(|all| all.first.get(&fingerprint).copied());
        let further = addresses.map_or(&[][..], |all| &all.further);
        first.into_iter().chain(
            further
                .iter()
                .filter(move |entry| entry.0 == fingerprint)
                .map(|entry| entry.1),
        )
    }

    /// How many addresses are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chains
            .iter()
            .map(|(_, all)| all.first.len().saturating_add(all.further.len()))
            .sum()
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fingerprint(&self, destination: &Destination) -> u64 {
        self.seed.hash_one(destination.as_bytes())
    }

    fn addresses(&self, chain: &ChainName) -> Option<&Addresses> {
        self.chains
            .iter()
            .find(|(name, _)| name == chain || planted(Bug::ForgetChain))
            .map(|(_, all)| all)
    }

    fn addresses_mut(&mut self, chain: &ChainName) -> &mut Addresses {
        let at = self
            .chains
            .iter()
            .position(|(name, _)| name == chain || planted(Bug::ForgetChain));
        let at = at.unwrap_or_else(|| {
            self.chains.push((chain.clone(), Addresses::default()));
            self.chains.len().saturating_sub(1)
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place was found or made just above"
        )]
        &mut self.chains[at].1
    }
}

impl Addresses {
    /// Whether it was not there yet.
    fn insert(&mut self, fingerprint: u64, key: PaymentKey) -> bool {
        if self.further.contains(&(fingerprint, key)) {
            return false;
        }
        match self.first.get(&fingerprint) {
            Some(known) if *known == key => false,
            Some(_) => {
                self.further.push((fingerprint, key));
                true
            }
            None => self.first.insert(fingerprint, key).is_none(),
        }
    }

    /// Whether it was there.
    fn remove(&mut self, fingerprint: u64, key: PaymentKey) -> bool {
        if self.first.get(&fingerprint) == Some(&key) {
            return self.first.remove(&fingerprint).is_some();
        }
        let place = self.further.iter().position(|it| *it == (fingerprint, key));
        place.map(|place| self.further.swap_remove(place)).is_some()
    }
}

/// Takes a fingerprint as its own hash: it already is one.
#[derive(Debug, Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Destination {
        Destination::new(&[n; 20]).unwrap()
    }

    #[test]
    fn an_address_belongs_to_a_chain() {
        let (bitcoin, ethereum) = (ChainName::new("bitcoin"), ChainName::new("ethereum"));
        let mut index = WatchIndex::default();
        index.insert(&bitcoin, &address(1), PaymentKey(1));
        index.insert(&ethereum, &address(1), PaymentKey(2));
        let owners = |chain| index.owners(chain, &address(1)).collect::<Vec<_>>();
        assert_eq!(
            (owners(&bitcoin), owners(&ethereum)),
            (vec![PaymentKey(1)], vec![PaymentKey(2)])
        );
        assert_eq!(index.owners(&bitcoin, &address(2)).count(), 0);
    }

    #[test]
    fn colliding_payments_are_all_kept_and_removed_one_by_one() {
        let chain = ChainName::new("bitcoin");
        let mut index = WatchIndex::default();
        for key in [1, 2, 3, 2] {
            index.insert(&chain, &address(9), PaymentKey(key));
        }
        let may_watch = |index: &WatchIndex| index.may_watch(&chain)(address(9).tag());
        index.remove(&chain, &address(9), PaymentKey(1));
        let left: Vec<_> = index.owners(&chain, &address(9)).map(|key| key.0).collect();
        assert!(
            left.contains(&2) && left.contains(&3) && !left.contains(&1),
            "{left:?}"
        );
        index.insert(&chain, &address(9), PaymentKey(2));
        index.remove(&chain, &address(9), PaymentKey(2));
        index.remove(&chain, &address(9), PaymentKey(2));
        assert!(may_watch(&index), "payment 3 is still there");
        index.remove(&chain, &address(9), PaymentKey(3));
        assert!(index.is_empty() && !may_watch(&index));
    }
}
