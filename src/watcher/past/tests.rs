//! The blocks in memory by themselves: their limits and their links.

use super::*;
use crate::domain::{
    amount::Amount,
    block::BlockHash,
    facts::{Candidate, CreditAsset, Payer},
    time::UnixMs,
    transfer::Position,
};

fn address(n: u32) -> Destination {
    Destination::new(&n.to_be_bytes()).unwrap()
}

fn hash(height: u32, branch: u8) -> BlockHash {
    let mut hash = [branch; 32];
    hash[..4].copy_from_slice(&height.to_be_bytes());
    BlockHash(hash)
}

fn id(height: u32) -> BlockId {
    BlockId {
        height: Height(height),
        hash: hash(height, 0),
    }
}

/// A block that credits these addresses.
fn block(height: u32, credited: impl IntoIterator<Item = u32>) -> BlockFacts {
    let credit = |n| Candidate {
        evidence: crate::domain::evidence::Evidence::Proven,
        destination: address(n),
        asset: CreditAsset::Native,
        amount: Amount::from_u64(1),
        tx_index: 0,
        position: Position::Output(0),
        payer: Payer::Unknown,
        coinbase: false,
    };
    BlockFacts {
        credits: credited.into_iter().map(credit).collect(),
        ..BlockFacts::empty(BlockRef {
            id: id(height),
            parent: hash(height.wrapping_sub(1), 0),
            time: UnixMs(i64::from(height) * 1000),
        })
    }
}

fn past(blocks: impl IntoIterator<Item = BlockFacts>) -> Past {
    let mut past = Past::default();
    for block in blocks {
        past.remember(&block);
    }
    past
}

/// Whether nothing came to the n-th address from a height up to another.
fn nothing(past: &Past, n: u32, from: u32, to: u32) -> bool {
    past.shows_nothing(&address(n), ScanFrom::Height(Height(from)), id(to), true)
}

#[test]
fn only_an_unbroken_walk_down_to_the_start_shows_anything() {
    let past = past([8, 9, 10, 12].map(|height| block(height, [height])));
    for (n, from, to, shown) in [
        (1, 8, 10, true),
        (1, 10, 10, true),
        (1, 7, 10, false),
        (1, 12, 12, true),
        (1, 10, 12, false),
        (1, 8, 11, false),
        (10, 10, 10, false),
        (8, 8, 10, false),
        (8, 9, 10, true),
        (12, 8, 10, true),
    ] {
        assert_eq!(nothing(&past, n, from, to), shown, "{n} {from} {to}");
    }
    let times = [(9_999, true), (8_000, true), (7_999, false)];
    for (time, shown) in times {
        let from = ScanFrom::Time(UnixMs(time));
        assert_eq!(
            past.shows_nothing(&address(1), from, id(10), true),
            shown,
            "{time}"
        );
    }
}

#[test]
fn nothing_is_below_the_first_block_of_a_chain() {
    let past = past((0..3).map(|height| block(height, [])));
    assert!(past.shows_nothing(&address(1), ScanFrom::Time(UnixMs(-5)), id(2), true));
}

#[test]
fn a_block_of_another_branch_shows_nothing() {
    let mut other = block(9, []);
    other.block.id.hash = hash(9, 1);
    let past = past([block(8, []), other, block(10, [])]);
    assert!(nothing(&past, 1, 10, 10));
    assert!(!nothing(&past, 1, 9, 10));
    assert!(!nothing(&past, 1, 9, 9));
}

#[test]
fn the_oldest_blocks_go_when_there_are_too_many() {
    let max = u32::try_from(BLOCKS_MAX).unwrap();
    let mut past = past((1..=max + 1).map(|height| block(height, [])));
    assert_eq!(past.blocks.len(), BLOCKS_MAX);
    assert!(nothing(&past, 1, 2, max + 1) && !nothing(&past, 1, 1, max + 1));
    past.remember(&block(1, []));
    assert!(nothing(&past, 1, 2, max + 1), "an older one takes no place");
}

#[test]
fn the_oldest_blocks_go_when_they_credit_too_many() {
    let each = u32::try_from(TAGS_MAX / 4).unwrap();
    let mut past = past((1..=5).map(|height| block(height, 100..100 + each)));
    assert_eq!((past.blocks.len(), past.tags), (4, TAGS_MAX));
    past.remember(&block(5, 100..100 + each));
    assert_eq!((past.blocks.len(), past.tags), (4, TAGS_MAX));
    past.forget_above(Height(2));
    assert_eq!((past.blocks.len(), past.tags), (1, TAGS_MAX / 4));
}

/// A block whose traces operators dispute, or one alone tells, may hold more than was told.
#[test]
fn what_was_told_of_contracts_is_not_all_until_nobody_waits_for_more() {
    let awaiting = |height, credited: &[u32], awaits_trace| BlockFacts {
        awaits_trace,
        ..block(height, credited.iter().copied())
    };
    let mut past = past([awaiting(10, &[1], true)]);
    let traced = |past: &mut Past, credited: &[u32], awaits_trace| {
        past.complete(&awaiting(10, credited, awaits_trace));
    };
    assert!(!nothing(&past, 3, 10, 10), "not traced yet");
    traced(&mut past, &[2], true);
    assert!(!nothing(&past, 3, 10, 10), "disputed");
    traced(&mut past, &[2, 3], false);
    for (n, shown) in [(1, false), (2, false), (3, false), (4, true)] {
        assert_eq!(nothing(&past, n, 10, 10), shown, "{n}");
    }
    // Told once more, as after a restart, it takes no more room.
    let before = past.tags;
    traced(&mut past, &[2, 3, 2], true);
    assert_eq!(past.tags, before);
    assert!(nothing(&past, 4, 10, 10), "it was complete");
    past.forget_above(Height(9));
    assert_eq!(past.tags, 0);
}
