//! Counting as tables: who holds what, and what enough of them hold.

use super::*;
use crate::chain::follower::testing::{block, child, hash};

/// What each endpoint says it holds, by its operator.
type Said<'a, B> = &'a [(&'a str, &'a [B])];

/// The tag of each endpoint, by its operator.
type Named<'a> = &'a [(&'a str, BlockId)];

/// Block 13 of another branch.
fn other(name: u64) -> BlockRef {
    child(hash(1), 13, 1000 * name)
}

fn held_by(said: Said<'_, BlockRef>, quorum: usize) -> Option<BlockRef> {
    let votes: Vec<Vote<'_>> = said
        .iter()
        .map(|(operator, blocks)| Vote { operator, blocks })
        .collect();
    held(&votes, quorum)
}

#[test]
fn the_highest_block_that_so_many_operators_hold_counts() {
    let [b12, b13, b14] = [12, 13, 14].map(block);
    let (low, all) = ([b12], [b12, b13, b14]);
    let (one, two) = ([b12, other(1)], [b12, other(2)]);
    let cases: [(Said<'_, BlockRef>, usize, Option<BlockRef>); 10] = [
        (&[("a", &all), ("b", &all)], 2, Some(b14)),
        (&[("a", &all), ("b", &low)], 2, Some(b12)),
        (&[("a", &all), ("b", &[])], 2, None),
        (&[("a", &all)], 2, None),
        (&[("a", &all)], 1, Some(b14)),
        // Two endpoints of one operator have one voice, and the better one counts.
        (&[("a", &all), ("a", &all)], 2, None),
        (&[("a", &low), ("a", &all), ("b", &all)], 2, Some(b14)),
        (&[("a", &all), ("b", &one), ("c", &one)], 2, Some(other(1))),
        (&[("a", &all), ("b", &one), ("c", &two)], 2, Some(b12)),
        (&[("a", &all), ("b", &one), ("c", &two)], 3, Some(b12)),
    ];
    for (said, quorum, expected) in cases {
        assert_eq!(held_by(said, quorum), expected, "{said:?}, {quorum}");
    }
    assert_eq!(held(&[], 1), None);
}

#[test]
fn two_blocks_at_one_height_that_a_quorum_each_holds_are_a_split() {
    let [b12, b13, b14] = [12, 13, 14].map(block);
    let (ours, theirs) = ([b12, b13, b14], [b12, other(1)]);
    let both = Some([b13.id, other(1).id]);
    let cases: [(Said<'_, BlockRef>, usize, bool); 7] = [
        (
            &[("a", &ours), ("b", &ours), ("c", &theirs), ("d", &theirs)],
            2,
            true,
        ),
        (
            &[("a", &ours), ("b", &ours), ("c", &theirs), ("d", &theirs)],
            3,
            false,
        ),
        (&[("a", &ours), ("b", &ours), ("c", &theirs)], 2, false),
        (
            &[("a", &ours), ("b", &ours), ("c", &theirs), ("c", &theirs)],
            2,
            false,
        ),
        // One that says both has a voice on either side.
        (
            &[("a", &ours), ("b", &ours), ("b", &theirs), ("c", &theirs)],
            2,
            true,
        ),
        (
            &[("a", &ours), ("b", &ours), ("c", &[b12]), ("d", &[b12])],
            2,
            false,
        ),
        (&[("a", &ours), ("b", &theirs)], 1, true),
    ];
    for (said, quorum, is_split) in cases {
        let votes: Vec<Vote<'_>> = said
            .iter()
            .map(|(operator, blocks)| Vote { operator, blocks })
            .collect();
        let found = split(&votes, quorum).map(|mut pair| {
            pair.sort_unstable();
            pair
        });
        let expected = both.filter(|_| is_split).map(|mut pair| {
            pair.sort_unstable();
            pair
        });
        assert_eq!(found, expected, "{said:?}, {quorum}");
    }
}

#[test]
fn one_alone_may_claim_any_height() {
    let heights = [("a", 90), ("b", 20), ("b", 40), ("c", 30)];
    let said = heights.map(|(operator, height)| (operator, [block(height)]));
    let votes = said
        .iter()
        .map(|(operator, blocks)| Vote { operator, blocks });
    let votes: Vec<Vote<'_>> = votes.collect();
    let expected = [(1, Some(90)), (2, Some(40)), (3, Some(30)), (4, None)];
    for (quorum, expected) in expected {
        assert_eq!(height(&votes, quorum), expected.map(Height), "{quorum}");
    }
}

#[test]
fn a_tag_is_what_so_many_operators_name_and_reaches_what_so_many_are_beyond() {
    let (low, high) = (block(12).id, block(14).id);
    let cases: [(Named<'_>, Option<BlockId>, Option<u32>); 6] = [
        (&[("a", high), ("b", high)], Some(high), Some(14)),
        (&[("a", high), ("b", low), ("c", low)], Some(low), Some(12)),
        (&[("a", high), ("b", low)], None, Some(12)),
        (
            &[("a", high), ("b", high), ("c", low)],
            Some(high),
            Some(14),
        ),
        (&[("a", high), ("a", high)], None, None),
        (&[], None, None),
    ];
    for (names, alike, height) in cases {
        assert_eq!(named(names, 2), alike, "{names:?}");
        assert_eq!(reached(names, 2), height.map(Height), "{names:?}");
    }
}
