//! Which told thing is which known one: by its name, and else by what it is worth.
//!
//! Whoever tells decides how many there are, so nothing in here compares all with all. Knows nothing of payments.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The names under which told things are known, of those that are told under another: a name and a worth each.
/// One whose worth no known thing is left to have keeps its name, or takes one that nobody has.
pub(super) fn names<N: Ord + Copy, W: Ord>(told: &[(N, W)], known: &[(N, W)]) -> BTreeMap<N, N> {
    if known.is_empty() {
        return BTreeMap::new();
    }
    // Told twice it is one.
    let mut left: BTreeSet<N> = BTreeSet::new();
    let told = told.iter().filter(|(name, _)| left.insert(*name));
    let told: Vec<&(N, W)> = told.collect();
    let by_name: BTreeMap<N, &W> = known.iter().map(|(name, worth)| (*name, worth)).collect();
    // By the name of what is known, which told one it is: those under their own names first.
    let mut holds: BTreeMap<N, N> = BTreeMap::new();
    for (name, worth) in &told {
        if by_name.get(name).is_some_and(|of_known| *of_known == worth) {
            holds.insert(*name, *name);
            left.remove(name);
        }
    }
    let mut free: BTreeMap<&W, VecDeque<N>> = BTreeMap::new();
    for (name, worth) in known.iter().filter(|(name, _)| !holds.contains_key(name)) {
        free.entry(worth).or_default().push_back(*name);
    }
    for (name, worth) in told {
        let is_left = left.contains(name);
        let of_known = free.get_mut(worth).filter(|_| is_left);
        if let Some(of_known) = of_known.and_then(VecDeque::pop_front) {
            holds.insert(of_known, *name);
            left.remove(name);
        }
    }
    let mut names: BTreeMap<N, N> = holds.iter().map(|(known, told)| (*told, *known)).collect();
    for name in left {
        // Its own name, or that of the one which has taken it, and so on to one that nobody has.
        let taken = |name: &N| holds.get(name).copied();
        let last = std::iter::successors(Some(name), taken).last();
        names.extend(last.map(|last| (name, last)));
    }
    names.retain(|told, name| told != name);
    names
}

#[cfg(test)]
mod tests {
    use super::names;
    use std::{
        cell::Cell,
        cmp::Ordering,
        collections::{BTreeMap, BTreeSet},
    };

    thread_local! {
        static COMPARED: Cell<u64> = const { Cell::new(0) };
    }

    /// A number that counts how often one is compared.
    #[derive(Clone, Copy)]
    struct Counted(u32);

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARED.with(|compared| compared.set(compared.get().saturating_add(1)));
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }

    impl Eq for Counted {}

    #[test]
    fn each_is_the_first_that_is_left_of_its_worth() {
        type Pairs<'a> = &'a [(u32, u32)];
        let cases: [(Pairs<'_>, Pairs<'_>, Pairs<'_>); 8] = [
            // Told: name, worth. Known: name, worth. Renamed: from, to.
            (&[(1, 4), (2, 5)], &[(1, 4), (2, 5)], &[]),
            (&[(2, 4), (1, 5)], &[(1, 4), (2, 5)], &[(2, 1), (1, 2)]),
            (&[(0, 4), (1, 5)], &[(1, 4), (2, 5)], &[(0, 1), (1, 2)]),
            (&[(7, 4), (8, 4)], &[(1, 4), (2, 4)], &[(7, 1), (8, 2)]),
            // Those under their own names first.
            (&[(7, 4), (1, 4)], &[(1, 4), (2, 4)], &[(7, 2)]),
            // One that is new takes the name that is left by whoever has taken its own.
            (&[(0, 4), (1, 5)], &[(1, 4)], &[(0, 1), (1, 0)]),
            (
                &[(0, 4), (1, 5), (2, 6)],
                &[(1, 4), (2, 5)],
                &[(0, 1), (1, 2), (2, 0)],
            ),
            // Told twice, and known of nothing.
            (&[(1, 5), (1, 5), (2, 4)], &[(2, 5)], &[(1, 2), (2, 1)]),
        ];
        for (told, known, renamed) in cases {
            let expected: BTreeMap<u32, u32> = renamed.iter().copied().collect();
            assert_eq!(names(told, known), expected, "{told:?} {known:?}");
            assert_eq!(names(told, &[]), BTreeMap::new());
        }
    }

    // shows: T12
    #[test]
    fn a_hundred_thousand_that_are_told_again_cost_near_as_much_each_as_a_few() {
        const MANY: u32 = 100_000;
        let under = |name: fn(u32) -> u32, worth: fn(u32) -> u32| {
            let all = (0..MANY).map(move |n| (Counted(name(n)), Counted(worth(n))));
            all.collect::<Vec<_>>()
        };
        let other = |n: u32| n.wrapping_mul(7).wrapping_rem(100_001);
        let worths: [fn(u32) -> u32; 2] = [|_| 0, |n| n];
        for worth in worths {
            let known = under(|n| n, worth);
            let reversed = |n: u32| MANY.saturating_sub(n);
            for told in [
                under(|n| n, worth),
                under(other, worth),
                under(reversed, worth),
            ] {
                COMPARED.set(0);
                let renamed = names(&told, &known);
                // The logarithm of so many is 17, and a few maps are walked.
                let compared = COMPARED.get();
                assert!(compared < u64::from(MANY).saturating_mul(300), "{compared}");
                let named = |told: &Counted| renamed.get(told).map_or(told.0, |name| name.0);
                let all: BTreeSet<u32> = told.iter().map(|(name, _)| named(name)).collect();
                assert_eq!(all.len(), told.len(), "no two under one name");
            }
        }
    }
}
