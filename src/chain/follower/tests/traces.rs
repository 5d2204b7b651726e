//! What contracts moved: told behind the blocks, and no block waits for another's.

use super::{permanent, transient};
use crate::{
    chain::{
        Ask, SourceError,
        follower::{
            Standing,
            testing::{Bench, Call},
            traces::Look,
        },
    },
    domain::{block::Height, facts::Destination, payment::ScanFrom, view::TracedBy},
};

/// In step with a chain of this height whose further blocks await their traces.
async fn following(height: u32) -> Bench {
    let bench = Bench::following(height).await;
    bench.node.state().traced = true;
    bench
}

/// What comes of tracing the best block at this height: a refusal, or nothing yet.
fn trace_of(bench: &Bench, height: u32, comes: Option<SourceError>) {
    let hash = bench.node.at(height).id.hash;
    bench.node.state().untraced.insert(hash, comes);
}

fn heal(bench: &Bench) {
    bench.node.state().untraced.clear();
}

/// Polls, and looks for traces as long as some come.
async fn go_on(bench: &mut Bench) {
    assert_eq!(bench.catch_up().await, Ok(Standing::InStep));
    while bench.follower.trace().await.unwrap() == Look::News {}
}

async fn told(bench: &mut Bench) -> Vec<String> {
    go_on(bench).await;
    bench.watcher.told()
}

#[tokio::test]
async fn a_poll_tells_blocks_and_a_look_after_it_their_traces() {
    let mut bench = following(200).await;
    bench.node.mine(2);
    let expected = ["connect 201-202", "polled 202", "traced 201-202 to 202"];
    assert_eq!(told(&mut bench).await, expected);
    assert_eq!(told(&mut bench).await, ["polled 202"], "only once");
    // Where nothing awaits a trace nobody is asked.
    bench.node.state().traced = false;
    let asked = bench.node.count(Call::Traces);
    bench.node.mine(1);
    assert_eq!(told(&mut bench).await, ["connect 203", "polled 203"]);
    assert_eq!(bench.node.count(Call::Traces), asked);
}

// shows: T12
#[tokio::test]
async fn a_trace_that_is_late_or_refused_holds_up_no_block_and_no_other_trace() {
    let mut bench = following(200).await;
    bench.node.mine(3);
    trace_of(&bench, 201, None);
    trace_of(&bench, 202, Some(transient()));
    let expected = [
        "connect 201-203",
        "polled 203",
        "traced 203 to 200, problem",
    ];
    assert_eq!(told(&mut bench).await, expected);
    heal(&bench);
    let expected = ["polled 203", "traced 201-202 to 203"];
    assert_eq!(told(&mut bench).await, expected);
    // A problem is told, and that it is over.
    bench.node.mine(1);
    trace_of(&bench, 204, Some(permanent()));
    let problem = "traced nothing to 203, problem";
    assert_eq!(
        told(&mut bench).await,
        ["connect 204", "polled 204", problem]
    );
    heal(&bench);
    assert_eq!(told(&mut bench).await, ["polled 204", "traced 204 to 204"]);
}

/// Operators who differ about one transaction hold back neither the others of its block nor other blocks.
#[tokio::test]
async fn what_is_not_disputed_is_told_and_the_rest_is_waited_for() {
    let mut bench = following(200).await;
    bench.node.mine(2);
    let hash = bench.node.at(201).id.hash;
    bench.node.state().disputed.insert(hash, transient());
    let expected = [
        "connect 201-202",
        "polled 202",
        "traced 201-202 to 200, problem",
    ];
    assert_eq!(told(&mut bench).await, expected);
    bench.node.state().disputed.clear();
    assert_eq!(told(&mut bench).await, ["polled 202", "traced 201 to 202"]);
}

/// Where it has turned out that nobody traces, nothing is to be waited for.
#[tokio::test]
async fn what_nobody_will_ever_trace_is_given_up_at_once() {
    let mut bench = following(200).await;
    bench.node.mine(1);
    trace_of(&bench, 201, Some(permanent()));
    let mut given_up = 0;
    for is_known in [false, true] {
        bench.node.state().traced_by = is_known.then_some(TracedBy::Balance);
        for _ in 0..10 {
            let told = told(&mut bench).await.into_iter();
            given_up += told.filter(|told| told.contains("without 201")).count();
        }
        assert_eq!(given_up, usize::from(is_known));
    }
}

// shows: T12
#[tokio::test]
async fn a_block_that_is_refused_and_lies_deep_is_given_up_with_all_below_it() {
    let mut bench = following(200).await;
    bench.node.mine(4);
    for height in 201..=203 {
        trace_of(&bench, height, Some(permanent()));
    }
    trace_of(&bench, 204, Some(transient()));
    bench.node.mine(125);
    go_on(&mut bench).await;
    let given_up = |bench: &Bench| -> Vec<String> {
        let told = bench.watcher.told().into_iter();
        told.filter(|told| told.contains("without")).collect()
    };
    for _ in 0..40 {
        go_on(&mut bench).await;
    }
    let all = given_up(&bench);
    assert!(
        matches!(&*all, [one] if one.ends_with("to 201, without 201, problem")),
        "{all:?}"
    );
    // What was not refused often enough may yet come, however deep it is.
    bench.node.mine(1);
    go_on(&mut bench).await;
    let all = given_up(&bench);
    assert!(
        matches!(&*all, [one] if one.ends_with("to 202, without 202, problem")),
        "{all:?}"
    );
    heal(&bench);
    bench.node.mine(100);
    go_on(&mut bench).await;
    for _ in 0..40 {
        go_on(&mut bench).await;
    }
    let told = bench.watcher.told();
    let last = told.iter().rfind(|told| told.starts_with("traced"));
    assert!(
        last.is_some_and(|told| told.ends_with("to 430")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_long_gap_is_given_up_within_a_few_polls() {
    let mut bench = following(200).await;
    bench.node.mine(600);
    for height in 201..=700 {
        trace_of(&bench, height, Some(permanent()));
    }
    go_on(&mut bench).await;
    bench.watcher.forget();
    for _ in 0..3 {
        go_on(&mut bench).await;
    }
    let told = bench.watcher.told();
    let gone = told.iter().find(|told| told.contains("without 201 202"));
    assert!(
        gone.is_some_and(|told| told.contains("671 672, problem")),
        "{told:?}"
    );
}

/// Four polls a block, and nobody can trace.
#[tokio::test]
async fn on_a_living_chain_whose_blocks_nobody_can_trace_each_is_given_up_in_its_time() {
    for error in [transient(), permanent()] {
        let mut bench = following(200).await;
        for height in 201..=400 {
            bench.node.mine(1);
            trace_of(&bench, height, Some(error.clone()));
            for _ in 0..4 {
                go_on(&mut bench).await;
            }
        }
        let told = bench.watcher.told();
        let last = told.iter().rfind(|told| told.starts_with("traced"));
        let to = last.and_then(|told| told.split(" to ").nth(1));
        let to: u32 = to
            .and_then(|to| to.split(',').next()?.parse().ok())
            .unwrap();
        assert!(to >= 400 - 128 - 10, "{error:?}: {last:?}");
    }
}

#[tokio::test]
async fn what_one_alone_tells_is_told_and_that_it_is_one() {
    let mut bench = following(200).await;
    bench.node.mine(1);
    bench.node.state().sole = true;
    let expected = [
        "connect 201",
        "polled 201",
        "traced 201 to 201, without 201",
    ];
    assert_eq!(told(&mut bench).await, expected);
}

#[tokio::test]
async fn blocks_that_left_are_not_traced_any_more() {
    let mut bench = following(200).await;
    bench.node.mine(3);
    for height in 201..=203 {
        trace_of(&bench, height, None);
    }
    let expected = ["connect 201-203", "polled 203"];
    assert_eq!(told(&mut bench).await, expected);
    bench.node.fork(2, 3);
    let expected = [
        "back to 201, connect 202-204",
        "polled 204",
        "traced 202-204 to 200",
    ];
    assert_eq!(told(&mut bench).await, expected);
    heal(&bench);
    assert_eq!(told(&mut bench).await, ["polled 204", "traced 201 to 204"]);
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_run_stopped() {
    let mut bench = following(200).await;
    bench.node.mine(5);
    trace_of(&bench, 203, None);
    told(&mut bench).await;
    bench.restart_with(|start| start.traced = Some(Height(202)));
    heal(&bench);
    let expected = ["polled 205", "traced 203-205 to 205"];
    assert_eq!(told(&mut bench).await, expected);
    // Where nothing was traced nothing is.
    bench.restart_with(|start| start.traced = None);
    assert_eq!(told(&mut bench).await, ["polled 205"]);
}

#[tokio::test]
async fn blocks_below_all_that_is_known_are_given_up_at_a_restart() {
    let mut bench = following(200).await;
    bench.node.mine(5);
    go_on(&mut bench).await;
    let lowest = bench.watcher.chain().first().expect("a chain").id.height;
    bench.restart_with(|start| start.traced = Some(lowest.minus(2)));
    bench.watcher.forget();
    let all = told(&mut bench).await;
    let to = lowest.minus(1);
    assert_eq!(all[1], format!("traced nothing to {to}, without {lowest}"));
    bench.restart_with(|start| start.traced = Some(to));
    let all = told(&mut bench).await;
    assert!(!all.iter().any(|told| told.contains("without")), "{all:?}");
}

// shows: T12
#[tokio::test(start_paused = true)]
async fn the_past_is_scanned_with_its_traces_or_says_that_they_are_gone() {
    let scan = |bench: &mut Bench, from: u32| {
        bench.follower.ask(Ask::Backfill {
            traces: true,
            batch: 1,
            from: ScanFrom::Height(Height(from)),
            to: Height(300),
        });
    };
    let mut bench = Bench::following(300).await;
    bench.node.state().traced = true;
    scan(&mut bench, 299);
    while bench.follower.serve().await.unwrap() {}
    assert_eq!(bench.watcher.told(), ["backfill 1: 299-300 to 300"]);
    let asked = bench.node.count(Call::Traces);
    assert!(asked > 0);
    // Deeper than nodes keep the state.
    trace_of(&bench, 172, Some(permanent()));
    scan(&mut bench, 172);
    while bench.follower.serve().await.unwrap() {}
    let all = bench.watcher.told();
    let gone: Vec<&String> = all
        .iter()
        .filter(|told| told.contains("not all traced"))
        .collect();
    assert_eq!(gone.len(), 1, "{all:?}");
    assert!(all.last().is_some_and(|told| told.ends_with("to 300")));
}

#[tokio::test]
async fn what_balances_grew_by_is_asked_and_told() {
    let mut bench = following(200).await;
    let destination = Destination::new(&[7; 20]).unwrap();
    let block = bench.node.at(200);
    bench.follower.ask(Ask::Growth(block, vec![destination]));
    bench.node.fail(Call::Growth, 1, transient());
    bench.follower.serve().await.unwrap();
    assert_eq!(
        bench.watcher.told(),
        [""; 0],
        "it is asked again after a poll"
    );
    bench.follower.ask(Ask::Growth(block, vec![destination]));
    bench.follower.serve().await.unwrap();
    assert_eq!(bench.watcher.told(), ["grown 1 in 200"]);
}

/// Nobody waits for ever for what nobody will tell, and who is away or asked too much has the time to tell it.
#[tokio::test]
async fn growth_is_told_for_the_last_time_when_a_deep_block_was_asked_about_for_an_hour() {
    let mut bench = following(600).await;
    let destination = Destination::new(&[7; 20]).unwrap();
    let mut said = async |minutes, height, error: Option<SourceError>| {
        bench.clock.forward(minutes);
        let block = bench.node.at(height);
        if let Some(error) = error {
            bench.node.fail(Call::Growth, 1, error);
        }
        bench.follower.ask(Ask::Growth(block, vec![destination]));
        bench.follower.serve().await.unwrap();
        bench.watcher.told().pop().unwrap_or_default()
    };
    let last = "grown 1 in 471, for the last time";
    assert_eq!(said(0, 471, None).await, "grown 1 in 471");
    assert_eq!(
        said(59, 471, Some(permanent())).await,
        "",
        "it may be mended"
    );
    assert_eq!(said(0, 471, Some(transient())).await, "");
    assert_eq!(said(2, 471, Some(transient())).await, last);
    assert_eq!(said(0, 471, None).await, last, "until it is heard");
    assert_eq!(said(0, 472, None).await, "grown 1 in 472", "nodes have it");
    assert_eq!(said(90, 472, None).await, "grown 1 in 472");
}

/// A slow node takes seconds for each, and blocks come meanwhile.
#[tokio::test]
async fn growth_is_asked_about_in_portions_and_of_each_block_once_at_a_time() {
    let mut bench = following(200).await;
    let destination = Destination::new(&[7; 20]).unwrap();
    for height in [195, 196, 196, 197, 195, 198, 199, 200] {
        let block = bench.node.at(height);
        bench.follower.ask(Ask::Growth(block, vec![destination]));
    }
    assert_eq!(bench.follower.serve().await, Ok(true));
    let told = |bench: &mut Bench| bench.watcher.told();
    let first = [
        "grown 1 in 195",
        "grown 1 in 196",
        "grown 1 in 197",
        "grown 1 in 198",
    ];
    assert_eq!(told(&mut bench), first);
    assert_eq!(bench.follower.serve().await, Ok(false));
    assert_eq!(told(&mut bench).last().unwrap(), "grown 1 in 200");
}

// shows: T12
#[tokio::test]
async fn while_a_block_cannot_be_read_those_below_it_are_traced() {
    let mut bench = following(200).await;
    bench.node.mine(3);
    bench.catch_up().await.unwrap();
    bench.node.mine(1);
    bench.node.unreadable(204);
    for _ in 0..3 {
        assert!(bench.poll().await.is_err());
    }
    let told = bench.watcher.told();
    assert!(
        told.contains(&"traced 201-203 to 203".to_owned()),
        "{told:?}"
    );
}
