//! Which blocks are asked about, and what an answer means.

use super::*;
use crate::chain::follower::testing::block;

const PATIENCE_MS: u64 = 30_000;

fn answer(held: Option<u32>) -> Agreement {
    Agreement {
        held: held.map(block),
        dissent: vec!["other is down".to_owned()],
        beyond: Vec::new(),
        split: None,
    }
}

#[test]
fn the_tip_and_ever_fewer_blocks_below_are_asked_about() {
    let heights = |from: u32, to: u32| -> Vec<u32> {
        let blocks = samples(&Window::new((from..=to).map(block).collect()));
        blocks.iter().map(|block| block.id.height.0).collect()
    };
    let expected = [872, 936, 968, 984, 992, 996, 998, 999, 1000];
    assert_eq!(heights(0, 1000), expected);
    assert_eq!(heights(990, 1000), [992, 996, 998, 999, 1000]);
    assert_eq!(heights(0, 2), [0, 1, 2]);
    assert_eq!(heights(7, 7), [7]);
    assert_eq!(samples(&Window::default()), []);
}

#[test]
fn between_two_samples_the_block_above_the_lower_is_asked_about() {
    let window = Window::new((0..=1000).map(block).collect());
    let samples = samples(&window);
    for (held, expected) in [
        (872, &[873, 874, 876, 880, 888, 904][..]),
        (992, &[993, 994]),
        (996, &[997]),
        (998, &[]),
        (999, &[]),
        (1000, &[]),
    ] {
        let found = between(&window, block(held), &samples);
        let heights: Vec<u32> = found.iter().map(|block| block.id.height.0).collect();
        assert_eq!(heights, expected, "{held}");
    }
}

#[test]
fn a_quorum_is_lost_when_it_goes_no_further_for_long() {
    // At each time the tip and what is held: what is told.
    let told = |steps: &[(u64, u32, Option<u32>)]| -> Vec<Option<(Option<u32>, bool)>> {
        let mut agreed = Agreed::default();
        let learn = |&(at_ms, tip, held): &(u64, u32, Option<u32>)| {
            let news = agreed.learn(&answer(held), block(tip), at_ms, PATIENCE_MS)?;
            let ChainInput::Agreed { block, lost } = news else {
                panic!("{news:?}")
            };
            Some((block.map(|block| block.id.height.0), lost.is_some()))
        };
        steps.iter().map(learn).collect()
    };
    let fine = |height| Some((Some(height), false));
    let lost = |height| Some((Some(height), true));
    // A standing tip that is held is no loss, however long it stands.
    assert_eq!(
        told(&[(0, 9, Some(9)), (90_000, 9, Some(9))]),
        [fine(9), None]
    );
    // Others may lag as long as they go on.
    let lagging = [
        (0, 9, Some(5)),
        (29_000, 12, Some(6)),
        (58_000, 15, Some(7)),
    ];
    assert_eq!(told(&lagging), [fine(5), fine(6), fine(7)]);
    // Who stands still below the tip is lost after the patience, and told at each look.
    let standing = [
        (0, 9, Some(9)),
        (30_000, 12, Some(9)),
        (30_001, 12, Some(9)),
        (31_000, 13, Some(9)),
        (32_000, 13, Some(10)),
        (33_000, 13, Some(10)),
    ];
    let expected = [fine(9), None, lost(9), lost(9), fine(10), None];
    assert_eq!(told(&standing), expected);
    // Nobody holds anything of ours, from the start.
    assert_eq!(
        told(&[(5, 9, None), (30_006, 9, None)]),
        [None, Some((None, true))]
    );
    // What is held less high than before is told, and is no progress.
    let falling = [(0, 9, Some(9)), (1_000, 9, Some(4)), (2_000, 9, Some(9))];
    assert_eq!(told(&falling), [fine(9), fine(4), fine(9)]);
}

#[test]
fn a_tip_that_is_held_for_ever_while_others_go_on_is_a_loss() {
    let mut agreed = Agreed::default();
    let mut lost = |at_ms, height, beyond: &[&str]| {
        let answer = Agreement {
            beyond: beyond.iter().map(|&who| who.to_owned()).collect(),
            ..Agreement::with_all(&[block(height)])
        };
        let news = agreed.learn(&answer, block(height), at_ms, PATIENCE_MS);
        news.map(|news| {
            let ChainInput::Agreed { lost, .. } = news else {
                panic!("{news:?}")
            };
            lost
        })
    };
    let c = &["c has block 20"];
    assert_eq!(lost(0, 9, &[]), Some(None));
    assert_eq!(lost(30_000, 9, c), None);
    let told = lost(60_001, 9, c).flatten().expect("words");
    assert!(
        told.starts_with("too few operators go on from our block 9 "),
        "{told}"
    );
    assert!(told.ends_with(": c has block 20"), "{told}");
    // Any progress ends it, and so does the end of the claim.
    assert_eq!(lost(61_000, 10, c), Some(None));
    assert_eq!(lost(91_000, 10, c), None);
    assert!(lost(91_001, 10, c).flatten().is_some());
    assert_eq!(lost(92_000, 10, &[]), Some(None));
    // Who is beyond while others go on, too, is ahead of them, and no more.
    for step in 0..9 {
        assert_eq!(
            lost(93_000 + step * 20_000, 11 + u32::try_from(step).unwrap(), c),
            Some(None)
        );
    }
}

#[test]
fn who_held_a_block_that_left_holds_the_fork() {
    let mut agreed = Agreed::default();
    agreed.learn(&answer(Some(9)), block(9), 0, PATIENCE_MS);
    agreed.rewind(block(7));
    assert_eq!(agreed.block(), Some(block(7)));
    agreed.rewind(block(8));
    assert_eq!(agreed.block().map(|block| block.id.height), Some(Height(7)));
}
