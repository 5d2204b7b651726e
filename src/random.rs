//! Numbers that look random and are the same for the same seed, on every machine.

/// A seeded source of numbers: `SplitMix64` (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, of all of them.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1);
        low.saturating_add(self.below(span))
    }

    /// Whether something happens that happens this often in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
        of.get(usize::try_from(self.below(count)).ok()?)
    }

    /// Puts these into another order, each of which comes as often (Fisher, Yates; Durstenfeld 1964).
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for count in (2..=of.len()).rev() {
            let drawn = self.below(u64::try_from(count).unwrap_or(u64::MAX));
            of.swap(count - 1, usize::try_from(drawn).unwrap_or(0));
        }
    }

    /// Bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for part in bytes.chunks_mut(8) {
            let number = self.next().to_be_bytes();
            for (byte, from) in part.iter_mut().zip(number) {
                *byte = from;
            }
        }
        bytes
    }

    /// Another source whose numbers have nothing to do with the further ones of this.
    #[must_use]
    pub const fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_seed_and_within_their_bounds() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.next(), random.below(7), random.between(3, 5)]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1)[0], draw(2)[0]);
        let mut random = Random::new(3);
        let drawn: std::collections::BTreeSet<u64> =
            (0..200).map(|_| random.between(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
        assert_eq!(random.pick::<u8>(&[]), None);
        assert_eq!(random.below(0), 0);
        assert_ne!(random.bytes::<20>(), random.bytes::<20>());
    }

    #[test]
    fn a_shuffle_keeps_all_and_leads_to_every_order() {
        let mut random = Random::new(4);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut three = [1, 2, 3];
            random.shuffle(&mut three);
            orders.insert(three);
            three.sort_unstable();
            assert_eq!(three, [1, 2, 3]);
        }
        assert_eq!(orders.len(), 6);
        random.shuffle::<u8>(&mut []);
    }
}
