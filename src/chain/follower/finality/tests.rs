//! Finality as tables: what was final before, what the node names, what is final after.

use super::*;
use crate::chain::follower::testing::{block, child, hash};

fn chain_to(tip: u32) -> Window {
    Window::new((50..=tip).map(block).collect())
}

fn stranger(height: u32) -> BlockId {
    child(hash(1), height, 9_999).id
}

/// With our chain vouched for up to its tip.
fn observe(finality: &mut Finality, tip: u32, tag: Option<BlockId>) {
    let window = chain_to(tip);
    finality.observe(&window, window.tip(), tag);
}

#[test]
fn depth_counts_until_there_are_tags() {
    let cases = [
        // stored, tagged before, tip, tag, final after
        (None, false, 200, None, 100),
        (None, false, 60, None, 0),
        (Some(150), false, 200, None, 150),
        (None, true, 200, None, 0),
        (Some(80), true, 200, None, 80),
        (None, false, 200, Some(block(170).id), 170),
        (None, false, 200, Some(block(70).id), 70),
        (Some(120), false, 200, Some(block(70).id), 120),
        (None, false, 200, Some(stranger(170)), 0),
        (None, false, 200, Some(stranger(0)), 100),
        (None, false, 200, Some(block(300).id), 0),
    ];
    for (stored, tagged, tip, tag, expected) in cases {
        let mut finality = Finality::new(100, stored.map(Height), tagged);
        observe(&mut finality, tip, tag);
        let case = (stored, tagged, tip, tag);
        assert_eq!(finality.height(), Height(expected), "{case:?}");
    }
}

#[test]
fn what_was_final_stays_final_and_named() {
    let mut finality = Finality::new(100, None, false);
    observe(&mut finality, 200, Some(block(170).id));
    for tag in [
        None,
        Some(block(160).id),
        Some(stranger(180)),
        Some(block(0).id),
    ] {
        observe(&mut finality, 190, tag);
        assert_eq!(finality.height(), Height(170), "{tag:?}");
        assert_eq!(finality.tag(), Some(block(170).id), "{tag:?}");
    }
}

#[test]
fn a_tag_contradicts_only_a_known_block_of_another_hash() {
    let cases = [
        (None, false),
        (Some(block(100).id), false),
        (Some(stranger(100)), true),
        (Some(stranger(49)), true),
        (Some(stranger(48)), false),
        (Some(stranger(201)), false),
    ];
    for (tag, contradicted) in cases {
        let found = Finality::is_contradicted(&chain_to(200), tag);
        assert_eq!(found, contradicted, "{tag:?}");
    }
}

#[test]
fn a_release_takes_finality_down_to_the_fork() {
    let mut finality = Finality::new(100, None, false);
    observe(&mut finality, 200, Some(block(170).id));
    finality.release(Height(190));
    assert_eq!(finality.height(), Height(170));
    finality.release(Height(160));
    assert_eq!((finality.height(), finality.tag()), (Height(160), None));
}

#[test]
fn a_depth_of_zero_still_lets_the_tip_change() {
    let mut finality = Finality::new(0, None, false);
    observe(&mut finality, 200, None);
    assert_eq!(finality.height(), Height(199));
}
