//! A first look at whether a credit may be somebody's: a bit for each of some millions of places, so
//! few bytes that they stay in the processor's cache while a block's thousands of credits pass.
//!
//! Where the bit is not set nobody is watched. Where it is, the [index](super::index) is asked, which
//! decides. No key is needed: whoever makes tags meet on purpose gains that look only.

use crate::domain::credits::Tag;

/// The places are 2 to this: half a mebibyte of bits, of which a million watched addresses set a fifth.
const PLACES_LOG2: u32 = 22;

const BITS: usize = 64;

/// At which places the tags of watched addresses are.
#[derive(Debug, Default)]
pub struct WatchedTags {
    /// Which places have a count. Empty until something is watched, as the counts are.
    counted: Box<[u64]>,
    /// How many addresses have their tag at each place, to know when the last is gone: a byte each, and
    /// only read when that changes. A count that reached its end stays there.
    counts: Box<[u8]>,
}

impl WatchedTags {
    /// Whether an address with this tag may be watched.
    #[must_use]
    pub fn may_hold(&self, tag: Tag) -> bool {
        let place = place(tag);
        let bits = self.counted.get(place / BITS);
        bits.is_some_and(|bits| bits & bit(place) != 0)
    }

    /// An address with this tag is watched.
    pub fn insert(&mut self, tag: Tag) {
        if self.counts.is_empty() {
            self.counts = vec![0; 1 << PLACES_LOG2].into_boxed_slice();
            self.counted = vec![0; (1 << PLACES_LOG2) / BITS].into_boxed_slice();
        }
        self.count(tag, |count| count.saturating_add(1));
    }

    /// An address with this tag that was watched is so no more.
    pub fn remove(&mut self, tag: Tag) {
        self.count(tag, |count| match count {
            u8::MAX => u8::MAX,
            count => count.saturating_sub(1),
        });
    }

    fn count(&mut self, tag: Tag, change: impl Fn(u8) -> u8) {
        let place = place(tag);
        let count = self.counts.get_mut(place);
        let Some((count, bits)) = count.zip(self.counted.get_mut(place / BITS)) else {
            return;
        };
        *count = change(*count);
        if *count > 0 {
            *bits |= bit(place);
        } else {
            *bits &= !bit(place);
        }
    }
}

/// A place's own bit among those that are kept together.
const fn bit(place: usize) -> u64 {
    1 << (place % BITS)
}

/// Some of a script's last bytes are the same in all of its kind, so every bit has a say.
fn place(tag: Tag) -> usize {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = tag.0.wrapping_mul(GOLDEN_RATIO);
    usize::try_from(mixed >> (u64::BITS - PLACES_LOG2)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::Destination;

    #[test]
    fn what_is_inserted_is_held_until_it_is_removed_as_often() {
        let mut tags = WatchedTags::default();
        assert!(!tags.may_hold(Tag(5)));
        tags.insert(Tag(5));
        tags.insert(Tag(5));
        tags.remove(Tag(5));
        assert!(tags.may_hold(Tag(5)) && !tags.may_hold(Tag(6)));
        tags.remove(Tag(5));
        assert!(!tags.may_hold(Tag(5)));
    }

    /// The tag whose place this is.
    fn tag_at(at: u64) -> Tag {
        const INVERSE_OF_GOLDEN_RATIO: u64 = 0xf1de_83e1_9937_733d;
        let mixed = at << (u64::BITS - PLACES_LOG2);
        Tag(mixed.wrapping_mul(INVERSE_OF_GOLDEN_RATIO))
    }

    #[test]
    fn neighbours_keep_their_places_to_themselves() {
        let last = (1 << PLACES_LOG2) - 1;
        let all: Vec<u64> = (0..200).chain(last - 200..=last).collect();
        let places = all.iter().map(|at| place(tag_at(*at)));
        assert!(places.eq(all.iter().map(|at| usize::try_from(*at).unwrap())));
        let mut tags = WatchedTags::default();
        for at in &all {
            tags.insert(tag_at(*at));
        }
        let leaves = |at: u64| at.is_multiple_of(3);
        for at in all.iter().filter(|at| leaves(**at)) {
            tags.remove(tag_at(*at));
        }
        for at in all {
            assert_eq!(tags.may_hold(tag_at(at)), !leaves(at), "{at}");
        }
    }

    #[test]
    fn a_count_that_ran_over_never_says_that_nobody_is_there() {
        let mut tags = WatchedTags::default();
        (0..300).for_each(|_| tags.insert(Tag(5)));
        (0..299).for_each(|_| tags.remove(Tag(5)));
        assert!(tags.may_hold(Tag(5)));
    }

    #[test]
    fn scripts_that_end_alike_have_places_of_their_own() {
        let p2pkh = |n: u32| {
            let mut script = [0x88; 25];
            let hash = alloy_primitives::keccak256(n.to_be_bytes());
            script[3..23].copy_from_slice(&hash[..20]);
            script[24] = 0xac;
            place(Destination::new(&script).unwrap().tag())
        };
        let mut places: Vec<usize> = (0..10_000).map(p2pkh).collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() > 9_900, "{}", places.len());
    }
}
