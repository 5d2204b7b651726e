//! Several operators: what they do not hold becomes neither final nor left.

use crate::chain::{
    ChainInput,
    follower::{
        Options, Standing, Start,
        testing::{Bench, FakeNode, options},
    },
};
use crate::domain::block::Height;

/// In step with a chain of this height that must be held by two operators, and is.
async fn following(height: u32) -> Bench {
    let options = Options {
        quorum: 2,
        ..options()
    };
    let mut bench = Bench::with(FakeNode::with_height(height), options, Start::default());
    assert_eq!(bench.poll().await, Ok(Standing::InStep));
    let told = format!("agreed {height}");
    assert!(bench.watcher.told().contains(&told));
    bench
}

#[tokio::test]
async fn what_others_hold_is_told_when_it_changes_and_before_the_poll_is_done() {
    let mut bench = following(200).await;
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["polled 200"]);
    let held = bench.node.best_from(Height(0));
    bench.node.mine(2).others_hold(&held);
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["connect 201-202", "polled 202"]);
    bench.node.others_agree();
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["agreed 202", "polled 202"]);
}

#[tokio::test]
async fn where_nobody_else_is_asked_nothing_is_told_of_others() {
    let mut bench = Bench::following(200).await;
    bench.node.others_hold(&[]).mine(1);
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["connect 201", "polled 201"]);
}

// shows: P7
#[tokio::test]
async fn a_quorum_that_is_lost_for_long_is_told_with_who_says_what_and_heals() {
    let mut bench = following(200).await;
    bench.node.others_hold(&[]);
    let mut polls = 0;
    let lost = loop {
        bench.node.mine(1);
        bench.poll().await.unwrap();
        polls += 1;
        let inputs = bench.watcher.inputs().into_iter();
        let words = inputs.filter_map(|input| {
            let ChainInput::Agreed { lost, .. } = input else {
                return None;
            };
            lost
        });
        let words = words.last();
        if let Some(words) = words {
            break words;
        }
        assert!(polls < 100, "never lost");
    };
    // Each poll takes some seconds of the stepping clock; the limit is 30 s.
    assert!((8..=31).contains(&polls), "{polls}");
    let tip = bench.node.tip();
    let start = format!("too few operators hold our block {}", tip.id.height);
    assert!(lost.starts_with(&start), "{lost}");
    assert!(lost.ends_with("other has none of it"), "{lost}");

    bench.node.others_agree();
    bench.poll().await.unwrap();
    let told = bench.watcher.told();
    assert_eq!(told[0], format!("agreed {}", tip.id.height));
}

#[tokio::test]
async fn a_lost_quorum_is_told_again_after_a_restart_also_where_none_is_asked_any_more() {
    for (quorum, others, told) in [
        (2, false, "agreed nothing, lost"),
        (2, true, "agreed 200"),
        (1, false, "agreed 200"),
    ] {
        let mut bench = following(200).await;
        bench.options.quorum = quorum;
        bench.restart_with(|start| start.lost_quorum = true);
        if !others {
            bench.node.others_hold(&[]);
        }
        if quorum == 1 {
            bench.node.others_agree();
        }
        bench.poll().await.unwrap();
        assert_eq!(bench.watcher.told(), [told, "polled 200"]);
        bench.poll().await.unwrap();
        let again = bench.watcher.told();
        assert_eq!(again.contains(&told.to_owned()), told.ends_with("lost"));
    }
}

#[tokio::test]
async fn nothing_becomes_final_that_others_do_not_hold() {
    let mut bench = following(200).await;
    let held = bench.node.best_from(Height(0));
    bench.node.mine(60).others_hold(&held);
    for _ in 0..3 {
        bench.catch_up().await.unwrap();
    }
    assert_eq!(bench.follower.finality.height(), Height(170), "200 less 30");
    let tag = bench.node.at(230).id;
    bench.node.tag(Some(tag), Some(tag));
    bench.watcher.forget();
    bench.poll().await.unwrap();
    assert_eq!(bench.follower.finality.height(), Height(170));
    let inputs = bench.watcher.inputs().into_iter();
    let status = inputs.filter_map(|input| {
        let ChainInput::Status(status) = input else {
            return None;
        };
        Some(status)
    });
    let status = status.last();
    let status = status.unwrap();
    assert_eq!((status.finalized, status.safe), (None, None));

    bench.node.others_agree();
    for _ in 0..2 {
        bench.poll().await.unwrap();
    }
    assert_eq!(bench.follower.finality.height(), Height(230));
}

/// How far one alone may lead our chain is counted from what others held last, not from where a run began.
// shows: P7
#[tokio::test]
async fn what_one_alone_shows_is_followed_for_128_blocks_however_often_we_restart() {
    let mut bench = following(200).await;
    let held = bench.node.best_from(Height(0));
    bench.node.mine(500).others_hold(&held);
    for _ in 0..3 {
        for _ in 0..5 {
            bench.catch_up().await.unwrap();
        }
        let top = bench.watcher.tip().id.height;
        assert_eq!(top, Height(328));
        bench.restart();
        assert_eq!(bench.poll().await, Ok(Standing::Behind));
        assert_eq!(bench.watcher.tip().id.height, top);
    }
    bench.node.others_agree();
    for _ in 0..5 {
        bench.catch_up().await.unwrap();
    }
    bench.assert_in_step();
}

/// What one alone has shown stays above a tip on which the others stand still; nothing rests on it, and it is said.
// shows: P7
#[tokio::test]
async fn blocks_of_one_alone_above_a_quiet_agreed_tip_are_not_agreed_and_are_told() {
    let mut bench = following(200).await;
    let held = bench.node.best_from(Height(0));
    bench.node.mine(3).others_hold(&held);
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["connect 201-203", "polled 203"]);
    // A quorum is back, and its tip is the old one.
    bench.node.lag(3);
    let mut said = None;
    for _ in 0..40 {
        assert_eq!(bench.poll().await, Ok(Standing::Behind));
        let inputs = bench.watcher.inputs();
        assert!(inputs.iter().all(|input| input.joined().is_empty()));
        for input in inputs {
            if let ChainInput::Agreed { block, lost } = input {
                assert_eq!(block, Some(held[200]));
                said = said.or(lost);
            } else if let ChainInput::Status(status) = input {
                assert_eq!(status.tip, held[200]);
            }
        }
    }
    let said = said.expect("it is told");
    let words = "one operator alone shows blocks above 200 ";
    assert!(said.starts_with(words), "{said}");
}

/// Half of the operators hold one block and half another: each half is a quorum.
// shows: P7
#[tokio::test]
async fn two_quorums_that_contradict_each_other_freeze_at_once_until_they_do_not() {
    let mut bench = following(200).await;
    bench.node.mine(1).split(Some("two hold a, two hold b"));
    bench.poll().await.unwrap();
    let inputs = bench.watcher.inputs();
    let lost = inputs.iter().find_map(|input| {
        let ChainInput::Agreed { block: None, lost } = input else {
            return None;
        };
        lost.clone()
    });
    assert_eq!(
        lost.as_deref(),
        Some("two hold a, two hold b"),
        "{inputs:?}"
    );
    bench.node.split(None);
    bench.poll().await.unwrap();
    assert!(bench.watcher.told().contains(&"agreed 201".to_owned()));
}

/// A block from the future that one alone shows would make the daemon doubt its clock, on every chain.
#[tokio::test]
async fn what_one_alone_shows_says_nothing_of_the_clock() {
    let mut bench = following(200).await;
    bench.node.others_hold(&[]);
    for _ in 0..3 {
        bench.node.mine(1);
        bench.poll().await.unwrap();
    }
    bench.restart();
    bench.poll().await.unwrap();
    let inputs = bench.watcher.inputs().into_iter();
    let times = inputs.filter_map(|input| {
        let ChainInput::Status(status) = input else {
            return None;
        };
        Some(status.tip.time)
    });
    let agreed_at = bench.node.at(200).time;
    let late: Vec<_> = times.filter(|time| *time > agreed_at).collect();
    assert_eq!(late, []);
}

// shows: P7
#[tokio::test]
async fn a_block_that_others_hold_is_left_when_they_leave_it() {
    let mut bench = following(200).await;
    let (chain, held) = (bench.watcher.chain(), bench.node.best_from(Height(0)));
    bench.node.others_hold(&held).fork(2, 3);
    for others in [&held[..], &held[..199], &[]] {
        // They hold ours, or neither, or have not answered: nothing that was agreed on is left.
        bench.node.others_hold(others);
        let said = bench.poll().await.unwrap_err().to_string();
        let expected = "leaves blocks above 198 that a quorum of operators held";
        assert!(said.contains(expected), "{said}");
        assert_eq!(bench.watcher.chain(), chain);
    }
    bench.watcher.forget();
    bench
        .node
        .others_hold(&bench.node.best_from(Height(0))[..200]);
    bench.poll().await.unwrap();
    let told = bench.watcher.told();
    assert_eq!(told[0], "back to 198, connect 199-201");
    bench.node.others_agree();
    bench.poll().await.unwrap();
    assert_eq!(bench.watcher.told(), ["agreed 201", "polled 201"]);
    bench.assert_in_step();
}
