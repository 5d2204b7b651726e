//! The window as tables.

use super::*;
use crate::chain::follower::testing::{block, child, hash};

/// Blocks 1 and up, so that number and height agree.
fn window(numbers: std::ops::RangeInclusive<u32>) -> Window {
    Window::new(numbers.map(block).collect())
}

fn heights(window: &Window) -> Option<(u32, u32)> {
    let lowest = window.lowest()?.id.height.0;
    Some((lowest, window.tip()?.id.height.0))
}

#[test]
fn the_longest_linked_end_of_what_was_stored_is_taken() {
    let stranger = child(hash(700), 5, 77);
    let cases = [
        (Vec::new(), None),
        (vec![block(5)], Some((5, 5))),
        ((1..=9).map(block).collect(), Some((1, 9))),
        ([1, 2, 4, 5].map(block).to_vec(), Some((4, 5))),
        ([1, 3, 5].map(block).to_vec(), Some((5, 5))),
        (vec![block(4), stranger, block(6)], Some((6, 6))),
    ];
    for (recent, kept) in cases {
        assert_eq!(heights(&Window::new(recent.clone())), kept, "{recent:?}");
    }
}

#[test]
fn only_the_successor_of_the_tip_goes_on_top() {
    let other_parent = child(hash(3), 6, 60);
    let other_height = child(hash(5), 7, 60);
    let cases = [
        (block(6), true),
        (block(7), false),
        (block(5), false),
        (other_parent, false),
        (other_height, false),
    ];
    for (block, fits) in cases {
        let mut window = window(1..=5);
        let before = window.clone();
        assert_eq!(window.extend(block).is_ok(), fits, "{block:?}");
        assert_eq!(window != before, fits);
    }
    assert_eq!(Window::default().extend(block(9)), Ok(()));
}

#[test]
fn hashes_are_known_from_the_lowest_blocks_parent_to_the_tip() {
    let window = window(3..=5);
    let cases = [
        (1, None),
        (2, Some(2)),
        (3, Some(3)),
        (5, Some(5)),
        (6, None),
    ];
    for (height, number) in cases {
        let expected = number.map(hash);
        assert_eq!(window.hash_at(Height(height)), expected, "{height}");
    }
    assert_eq!(window.bottom(), Height(2));
    assert!(window.contains(block(4).id));
    assert!(!window.contains(child(hash(3), 4, 40).id));
}

#[test]
fn genesis_has_nothing_below() {
    let genesis = child(hash(1_000), 0, 0);
    let window = Window::new(vec![genesis]);
    assert_eq!(window.bottom(), Height(0));
    assert_eq!(window.hash_at(Height(0)), Some(genesis.id.hash));
    assert_eq!(parent(&genesis), None);
}

#[test]
fn rewinding_makes_the_fork_the_tip() {
    for (fork, kept) in [(5, (3, 5)), (4, (3, 4)), (3, (3, 3)), (2, (2, 2))] {
        let mut window = window(3..=5);
        window.rewind(block(fork));
        assert_eq!(heights(&window), Some(kept), "{fork}");
        assert_eq!(window.extend(block(fork + 1)), Ok(()));
    }
}

#[test]
fn a_fork_that_is_not_ours_leaves_nothing_of_ours() {
    let mut window = window(3..=5);
    let stranger = child(hash(900), 4, 44);
    window.rewind(stranger);
    assert_eq!(window.tip(), Some(stranger));
    assert_eq!(window.lowest(), Some(stranger));
}

#[test]
fn the_oldest_blocks_are_forgotten_beyond_the_limit() {
    let limit = u32::try_from(WINDOW_BLOCKS).unwrap();
    let mut window = window(1..=limit);
    window.extend(block(limit + 1)).unwrap();
    assert_eq!(heights(&window), Some((2, limit + 1)));
    let restored = Window::new((1..=limit + 3).map(block).collect());
    assert_eq!(heights(&restored), Some((4, limit + 3)));
}

#[test]
fn blocks_are_listed_downwards_from_a_height() {
    let window = window(3..=6);
    for (from, listed) in [
        (9, vec![6, 5, 4, 3]),
        (4, vec![4, 3]),
        (3, vec![3]),
        (2, vec![]),
    ] {
        let blocks = window
            .down_from(Height(from))
            .map(|block| block.id.height.0);
        assert_eq!(blocks.collect::<Vec<_>>(), listed, "{from}");
    }
}
