//! Counting as tables: who holds what, and what enough of them hold.

use super::*;
use crate::chain::follower::testing::{block, child, hash};

/// Which of our blocks each endpoint holds, by its operator.
type Held<'a> = &'a [(&'a str, Option<u32>)];

/// Which other block each endpoint has, by its operator.
type Said<'a> = &'a [(&'a str, BlockId)];

/// Our blocks 10 to 14.
fn ours() -> Vec<BlockRef> {
    (10..=14).map(block).collect()
}

/// Another block at this height.
fn other(height: u32, name: u64) -> BlockId {
    child(hash(1), height, 1000 * name + u64::from(height)).id
}

fn holding(held: Option<u32>, others: &[BlockId]) -> Holding {
    Holding {
        head: block(20),
        held: held.map(block),
        others: others.to_vec(),
    }
}

/// What two or three operators hold, given who says what.
fn held_by(said: &[(&str, Option<u32>)], quorum: usize) -> Option<u32> {
    let said: Vec<_> = said
        .iter()
        .map(|(operator, held)| (*operator, holding(*held, &[])))
        .collect();
    let votes: Vec<Vote<'_>> = said
        .iter()
        .map(|(operator, holding)| Vote { operator, holding })
        .collect();
    held(&ours(), &votes, quorum).map(|block| block.id.height.0)
}

#[test]
fn the_quorum_th_operator_counts() {
    let cases: [(Held<'_>, usize, Option<u32>); 9] = [
        (&[("a", Some(14)), ("b", Some(14))], 2, Some(14)),
        (&[("a", Some(14)), ("b", Some(12))], 2, Some(12)),
        (&[("a", Some(14)), ("b", None)], 2, None),
        (&[("a", Some(14))], 2, None),
        (&[("a", Some(14))], 1, Some(14)),
        // Two endpoints of one operator have one voice, and the better one counts.
        (&[("a", Some(14)), ("a", Some(14))], 2, None),
        (
            &[("a", None), ("a", Some(13)), ("b", Some(14))],
            2,
            Some(13),
        ),
        (
            &[("a", Some(10)), ("b", Some(12)), ("c", Some(14))],
            2,
            Some(12),
        ),
        (
            &[("a", Some(10)), ("b", Some(12)), ("c", Some(14))],
            3,
            Some(10),
        ),
    ];
    for (said, quorum, expected) in cases {
        assert_eq!(held_by(said, quorum), expected, "{said:?}, {quorum}");
    }
    assert_eq!(held(&[], &[], 1), None);
}

#[test]
fn a_block_outvotes_ours_when_enough_operators_hold_that_very_block() {
    let (b, c) = (other(13, 2), other(13, 3));
    let cases: [(Said<'_>, Option<BlockId>); 5] = [
        (&[("b", b), ("c", b)], Some(b)),
        (&[("b", b), ("c", c)], None),
        (&[("b", b), ("b", b)], None),
        (&[("b", b)], None),
        (&[("a", c), ("b", b), ("c", b)], Some(b)),
    ];
    for (said, expected) in cases {
        let said: Vec<_> = said
            .iter()
            .map(|(operator, other)| (*operator, holding(Some(12), &[*other])))
            .collect();
        let votes: Vec<Vote<'_>> = said
            .iter()
            .map(|(operator, holding)| Vote { operator, holding })
            .collect();
        assert_eq!(outvoted(&votes, 2), expected, "{said:?}");
    }
}

#[test]
fn one_alone_may_claim_any_height() {
    let heights = [("a", 90), ("b", 20), ("b", 40), ("c", 30)];
    let said = heights.map(|(operator, height)| {
        let head = block(height);
        let holding = Holding {
            head,
            ..holding(None, &[])
        };
        (operator, holding)
    });
    let votes = said
        .iter()
        .map(|(operator, holding)| Vote { operator, holding });
    let votes: Vec<Vote<'_>> = votes.collect();
    let expected = [(1, Some(90)), (2, Some(40)), (3, Some(30)), (4, None)];
    for (quorum, expected) in expected {
        assert_eq!(height(&votes, quorum), expected.map(Height), "{quorum}");
    }
}

#[test]
fn the_lowest_block_that_outvotes_ours_is_named() {
    let branch = [other(14, 2), other(13, 2), other(12, 2)];
    let votes = ["b", "c"].map(|operator| (operator, holding(Some(11), &branch)));
    let votes = votes
        .iter()
        .map(|(operator, holding)| Vote { operator, holding });
    let votes: Vec<Vote<'_>> = votes.collect();
    assert_eq!(outvoted(&votes, 2), Some(other(12, 2)));
}
