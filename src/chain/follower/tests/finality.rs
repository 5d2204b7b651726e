//! What is final stays: freezing, healing, releasing.

use crate::chain::{
    ChainInput,
    follower::{
        Options, Standing, Start,
        testing::{Bench, Call, FakeNode, block, options},
    },
};
use crate::domain::block::{BlockId, Height};

/// Follows 40 blocks from 200 on, with those below 210 final by depth.
async fn following() -> Bench {
    let mut bench = Bench::following(200).await;
    bench.node.mine(40);
    bench.catch_up().await.unwrap();
    bench.watcher.forget();
    bench
}

#[tokio::test]
async fn a_reorg_down_to_the_final_block_is_followed() {
    let mut bench = following().await;
    bench.node.fork(30, 31);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert!(bench.watcher.told()[0].starts_with("back to 210, connect 211-226"));
    bench.assert_in_step();
}

// shows: F14
#[tokio::test]
async fn a_reorg_below_the_final_block_freezes_and_changes_nothing() {
    let mut bench = following().await;
    let (chain, tip) = (bench.watcher.chain(), bench.node.tip());
    bench.node.fork(31, 40);
    for _ in 0..3 {
        assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    }
    assert_eq!(bench.watcher.told(), ["frozen"]);
    assert_eq!(bench.watcher.chain(), chain);
    // The node comes back, on a branch that holds our final block but not our tip.
    bench.node.switch_to(tip).fork(2, 4);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    let told = ["back to 238, connect 239-242", "thawed", "polled 242"];
    assert_eq!(bench.watcher.told(), told);
    bench.assert_in_step();
}

#[tokio::test]
async fn a_frozen_chain_thaws_on_our_own_tip() {
    let mut bench = following().await;
    let tip = bench.node.tip();
    bench.node.fork(31, 40);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    bench.node.switch_to(tip);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["frozen", "thawed", "polled 240"]);
}

#[tokio::test]
async fn a_lagging_node_thaws_the_chain_only_with_our_final_block() {
    for (lag, thaws) in [(30, true), (31, false)] {
        let mut bench = following().await;
        let tip = bench.node.tip();
        bench.node.fork(31, 40);
        bench.poll().await.unwrap();
        bench.node.switch_to(tip).lag(lag);
        assert_eq!(bench.poll().await, Ok(Standing::Behind));
        assert_eq!(bench.watcher.is_frozen(), !thaws, "{lag}");
    }
}

#[tokio::test]
async fn a_rollback_below_the_final_block_freezes_too() {
    let mut bench = following().await;
    bench.node.roll_back(31);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    assert_eq!(bench.watcher.told(), ["frozen"]);
}

#[tokio::test]
async fn a_freeze_survives_a_restart_and_is_told_once() {
    let mut bench = following().await;
    let tip = bench.node.tip();
    bench.node.fork(31, 40);
    bench.poll().await.unwrap();
    bench.restart();
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    bench.node.switch_to(tip);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["frozen", "thawed", "polled 240"]);
}

#[tokio::test]
async fn a_chain_that_froze_soon_after_it_began_stays_frozen_after_a_restart() {
    let mut bench = Bench::following(200).await;
    bench.node.mine(10);
    bench.catch_up().await.unwrap();
    let tip = bench.node.tip();
    bench.node.fork(31, 40);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    bench.restart();
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    bench.watcher.forget();
    bench.node.switch_to(tip);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(bench.watcher.told(), ["thawed", "polled 210"]);
}

#[tokio::test]
async fn history_reaches_from_the_start_as_far_down_as_finality_is_deep() {
    for (depth, replaced, standing) in [
        (300, 300, Standing::InStep),
        (300, 301, Standing::Frozen),
        (5, 6, Standing::Frozen),
    ] {
        let options = Options {
            final_depth: depth,
            ..options()
        };
        let mut bench = Bench::with(FakeNode::with_height(500), options, Start::default());
        bench.poll().await.unwrap();
        bench.node.fork(replaced, 310);
        bench.restart();
        assert_eq!(bench.catch_up().await, Ok(standing), "{depth} {replaced}");
    }
}

#[tokio::test]
async fn what_was_final_by_depth_stays_so_after_a_rollback() {
    let mut bench = following().await;
    bench.node.roll_back(20);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench.node.fork(11, 40);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
}

#[tokio::test]
async fn a_released_chain_follows_one_change_below_its_final_block() {
    let mut bench = following().await;
    bench.node.fork(35, 40);
    bench.poll().await.unwrap();
    bench.restart_with(|start| start.released = true);
    bench.watcher.forget();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    let told = bench.watcher.told();
    assert_eq!(told[0], "back to 205, connect 206-221");
    assert_eq!(told[told.len() - 2..], ["thawed", "polled 245"]);
    bench.assert_in_step();
    bench.node.fork(31, 40);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen), "released once");
}

#[tokio::test]
async fn a_released_chain_takes_the_nodes_word_on_what_is_final() {
    let node = FakeNode::with_height(240);
    node.tag(Some(node.at(180).id), None);
    let start = Start {
        recent: node.best_from(Height(100)),
        ..Start::default()
    };
    let mut bench = Bench::with(node, options(), start);
    bench.poll().await.unwrap();
    bench.node.fork(70, 71);
    let tag = bench.node.at(175).id;
    bench.node.tag(Some(tag), None);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    bench.restart_with(|start| start.released = true);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(last_tags(&bench).0, Some(tag));
    bench.node.fork(66, 67);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.node.fork(68, 69);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
}

#[tokio::test]
async fn a_released_chain_whose_fork_is_out_of_sight_begins_again() {
    let mut bench = following().await;
    bench.node.fork(100, 110);
    bench.poll().await.unwrap();
    let recent = bench.watcher.chain().split_off(10);
    bench.watcher.resume(&recent);
    bench.restart_with(|start| start.released = true);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert!(!bench.watcher.is_frozen());
    bench.assert_in_step();
}

/// A chain of 240 blocks whose node calls `height` final.
async fn tagged(height: u32) -> Bench {
    let node = FakeNode::with_height(240);
    node.tag(Some(node.at(height).id), Some(node.at(height + 20).id));
    let mut bench = Bench::new(node);
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    bench
}

fn last_tags(bench: &Bench) -> (Option<BlockId>, Option<BlockId>) {
    let inputs = bench.watcher.inputs();
    let Some(ChainInput::Polled { status, .. }) = inputs.last() else {
        panic!("{inputs:?}");
    };
    (status.finalized, status.safe)
}

#[tokio::test]
async fn tags_count_instead_of_depth_as_soon_as_there_are_any() {
    let mut bench = tagged(180).await;
    bench.node.fork(60, 61);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    bench.node.fork(62, 63);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
}

// shows: P8
#[tokio::test]
async fn tags_that_go_missing_or_back_or_stick_change_nothing_that_was_final() {
    let mut bench = tagged(180).await;
    let tag = Some(bench.node.at(180).id);
    for now in [
        None,
        Some(bench.node.at(170).id),
        Some(bench.node.at(0).id),
        tag,
    ] {
        bench.node.mine(1).tag(now, None);
        bench.poll().await.unwrap();
        assert_eq!(last_tags(&bench), (tag, None));
    }
    // Depth does not come back in: 64 deep is not below 180.
    bench.node.fork(64, 65);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
}

#[tokio::test]
async fn a_tag_off_our_chain_makes_nothing_final() {
    let mut bench = tagged(180).await;
    let stranger = block(9_000).id;
    let ahead = BlockId {
        height: Height(500),
        ..stranger
    };
    bench.node.tag(Some(ahead), Some(ahead));
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    assert_eq!(last_tags(&bench), (Some(bench.node.at(180).id), None));
}

#[tokio::test]
async fn a_tag_that_contradicts_our_block_freezes_until_it_is_gone() {
    for height in [170, 180, 200] {
        let mut bench = tagged(180).await;
        let stranger = BlockId {
            height: Height(height),
            ..block(9_000).id
        };
        bench.watcher.forget();
        bench.node.tag(Some(stranger), None).mine(1);
        assert_eq!(bench.poll().await, Ok(Standing::Frozen), "{height}");
        if height <= 180 {
            assert_eq!(bench.watcher.told(), ["frozen"], "nothing is connected");
        }
        bench.node.tag(Some(bench.node.at(181).id), None);
        assert_eq!(bench.poll().await, Ok(Standing::InStep));
        assert!(!bench.watcher.is_frozen());
    }
}

#[tokio::test]
async fn a_tag_on_the_branch_that_replaces_ours_is_no_contradiction() {
    let mut bench = tagged(180).await;
    bench.node.fork(30, 31);
    bench.node.tag(Some(bench.node.at(220).id), None);
    bench.watcher.forget();
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    assert_eq!(last_tags(&bench).0, Some(bench.node.at(220).id));
}

#[tokio::test]
async fn a_safe_block_is_told_only_while_it_is_on_our_chain() {
    let mut bench = tagged(180).await;
    let safe = bench.node.at(200).id;
    assert_eq!(last_tags(&bench).1, Some(safe));
    let finalized = Some(bench.node.at(180).id);
    // The node goes over to a branch without it, and calls it safe still.
    bench.node.fork(50, 51).tag(finalized, Some(safe));
    bench.catch_up().await.unwrap();
    assert_eq!(last_tags(&bench), (finalized, None));
    let safe = bench.node.at(200).id;
    bench.node.tag(finalized, Some(safe));
    bench.poll().await.unwrap();
    assert_eq!(last_tags(&bench), (finalized, Some(safe)));
}

// shows: P8
#[tokio::test]
async fn a_restart_without_tags_does_not_fall_back_to_depth() {
    let mut bench = tagged(180).await;
    bench.restart();
    bench.node.tag(None, None);
    bench.poll().await.unwrap();
    bench.node.fork(50, 51);
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
}

#[tokio::test]
async fn genesis_as_a_tag_leaves_finality_to_depth() {
    let mut bench = tagged(0).await;
    bench.node.fork(31, 40);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
}

#[tokio::test]
async fn a_frozen_chain_is_looked_at_with_few_requests() {
    let node = FakeNode::with_height(1_500);
    let options = Options {
        final_depth: 100,
        ..options()
    };
    let recent = node.best_from(Height(400));
    let start = Start {
        recent,
        ..Start::default()
    };
    let mut bench = Bench::with(node, options, start);
    bench.node.fork(300, 301);
    bench.poll().await.unwrap();
    let before = bench.node.count(Call::Headers);
    assert_eq!(bench.poll().await, Ok(Standing::Frozen));
    assert!(bench.node.count(Call::Headers) - before <= 4);
}

#[tokio::test]
async fn a_tag_below_all_that_we_hold_says_that_the_node_names_tags() {
    let bench = tagged(20).await;
    let tag = Some(bench.node.at(20).id);
    let inputs = bench.watcher.inputs();
    let mut named = Vec::new();
    for input in &inputs {
        if let ChainInput::Status(status) | ChainInput::Polled { status, .. } = input {
            named.push(status.finalized);
        }
    }
    assert_eq!(named, [tag, tag]);
}

/// Where finality lies deeper than what is remembered, the tag that was passed while catching up must not
/// hide those that come after it.
#[tokio::test]
async fn tags_below_all_that_is_remembered_go_on_after_one_that_was_above() {
    let mut bench = Bench::following(200).await;
    bench.node.mine(40);
    let first = Some(bench.node.at(220).id);
    bench.node.tag(first, first);
    bench.catch_up().await.unwrap();
    assert_eq!(last_tags(&bench), (first, first));
    bench.node.mine(1_500);
    let [later, safe] = [300, 310].map(|height| Some(bench.node.at(height).id));
    bench.node.tag(later, safe);
    bench.catch_up().await.unwrap();
    bench.poll().await.unwrap();
    assert_eq!(last_tags(&bench), (later, safe));
}
