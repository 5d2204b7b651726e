//! A first look at whether a credit may be somebody's: one byte for each of some millions of
//! places, which stays in the processor's cache while a block's thousands of credits pass.
//!
//! Where nothing is counted nobody is watched. Where something is, the [index](super::index) is
//! asked, which decides. No key is needed: whoever makes tags meet on purpose gains that look only.

use crate::domain::credits::Tag;

/// The places are 2 to this: 4 MiB, of which a million watched addresses take a fifth.
const PLACES_LOG2: u32 = 22;

/// How many watched addresses have their tag at each place.
#[derive(Debug, Default)]
pub struct WatchedTags {
    /// Empty until something is watched. A count that reached its end stays there.
    counts: Box<[u8]>,
}

impl WatchedTags {
    /// Whether an address with this tag may be watched.
    #[must_use]
    pub fn may_hold(&self, tag: Tag) -> bool {
        self.counts.get(place(tag)).is_some_and(|count| *count > 0)
    }

    /// An address with this tag is watched.
    pub fn insert(&mut self, tag: Tag) {
        if self.counts.is_empty() {
            self.counts = vec![0; 1 << PLACES_LOG2].into_boxed_slice();
        }
        if let Some(count) = self.counts.get_mut(place(tag)) {
            *count = count.saturating_add(1);
        }
    }

    /// An address with this tag that was watched is so no more.
    pub fn remove(&mut self, tag: Tag) {
        if let Some(count) = self.counts.get_mut(place(tag))
            && *count < u8::MAX
        {
            *count = count.saturating_sub(1);
        }
    }
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
