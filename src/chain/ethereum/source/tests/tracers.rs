//! Which way of telling what contracts move is used of an endpoint that refuses what it seemed to offer, or offers
//! more than before.

use super::{
    distant::{Distant, SILENT},
    inner::{FLAT_PROBE, TRACE, inner, listed, node, refuses, shown, traces_well, tracing},
    *,
};
use crate::domain::evidence::Evidence;
use std::time::Duration;
use tokio::time::{Instant, advance};

const SWITCHED_OFF: (i64, &str) = (-32000, "tracing is not supported on your plan");

/// Refuses every trace in these words, whether or not there is such a block.
fn is_switched_off(node: &FakeNode, (code, words): (i64, &str)) {
    node.fault("debug_", error(code, words));
    node.fault("trace_", error(code, words));
    node.fault("eth_getBalance", json!("0x7"));
}

/// What the source goes by, polled once.
async fn by(source: &mut Source) -> &'static str {
    source.status().await.unwrap();
    // Whoever is tried is so in the background.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    source.status().await.unwrap();
    source.traced_by().map_or("unknown", TracedBy::as_str)
}

/// Asks for the block's traces, and lets some time go by.
async fn ask_in_vain(source: &mut Source, block: BlockRef, seconds: u64) {
    for _ in 0..seconds {
        for (_, told) in source.traces(&[block]).await {
            assert!(told.is_err());
        }
        advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_refuses_every_real_block_is_asked_another_way_after_a_while() {
    for code in [-32000, -32603] {
        let (node, block) = node();
        is_switched_off(&node, (code, SWITCHED_OFF.1));
        let mut source = tracing(&[("local", &node)]).await;
        assert_eq!(by(&mut source).await, "callTracer", "it seems to offer it");
        ask_in_vain(&mut source, block, 30).await;
        assert_eq!(by(&mut source).await, "callTracer", "it may be busy");
        ask_in_vain(&mut source, block, 60).await;
        assert_eq!(by(&mut source).await, "trace_block");
        ask_in_vain(&mut source, block, 120).await;
        assert_eq!(by(&mut source).await, "balance");
        assert!(!source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    }
    // The next way may be there.
    let (node, block) = node();
    node.fault(FLAT_PROBE, json!([]));
    let hash = node.state().chain[1].hash;
    node.fault("trace_block", listed(&node, 7, hash));
    node.fault("debug_", error(SWITCHED_OFF.0, SWITCHED_OFF.1));
    let mut source = tracing(&[("local", &node)]).await;
    ask_in_vain(&mut source, block, 90).await;
    assert_eq!(by(&mut source).await, "trace_block");
    advance(Duration::from_secs(15)).await;
    let told = inner(&mut source, block).await.unwrap();
    assert_eq!(shown(&told)[0].2, Evidence::Claimed);
}

/// What is too much for a node now it may tell later, and blocks wait for it.
#[tokio::test(start_paused = true)]
async fn who_has_told_is_asked_in_the_same_way_for_hours() {
    let (node, block) = node();
    traces_well(&node, 7);
    let mut source = tracing(&[("local", &node)]).await;
    inner(&mut source, block).await.unwrap();
    node.heal();
    is_switched_off(&node, SWITCHED_OFF);
    for (hours, way) in [(3, "callTracer"), (2, "trace_block")] {
        for _ in 0..hours * 60 {
            ask_in_vain(&mut source, block, 1).await;
            advance(Duration::from_mins(1)).await;
        }
        assert_eq!(by(&mut source).await, way, "{hours}");
    }
}

/// Whatever a node lacks of old blocks, and whatever it refuses beside what it tells.
#[tokio::test(start_paused = true)]
async fn who_lacks_old_blocks_or_refuses_some_is_asked_as_before() {
    let (node, old) = node();
    refuses(&node);
    node.mine_empty(100, "");
    let mut source = tracing(&[("local", &node)]).await;
    ask_in_vain(&mut source, old, 300).await;
    assert_eq!(by(&mut source).await, "callTracer");

    let (node, told) = self::node();
    let refused = reference(&node.mine(paying(6)));
    traces_well(&node, 7);
    let of = format!("{TRACE} [\"0x{}", refused.id.hash);
    let of = of.leak();
    node.state()
        .faults
        .insert(0, (of, error(-32000, "execution timeout")));
    let mut source = tracing(&[("local", &node)]).await;
    for _ in 0..10 {
        ask_in_vain(&mut source, refused, 20).await;
        inner(&mut source, told).await.unwrap();
    }
    assert_eq!(by(&mut source).await, "callTracer");
}

#[tokio::test(start_paused = true)]
async fn who_can_trace_later_is_found_without_a_restart() {
    for refusal in [(-32601, "the method does not exist"), SWITCHED_OFF] {
        let (node, block) = node();
        is_switched_off(&node, refusal);
        let mut source = tracing(&[("local", &node)]).await;
        ask_in_vain(&mut source, block, 400).await;
        by(&mut source).await;
        ask_in_vain(&mut source, block, 100).await;
        assert_eq!(by(&mut source).await, "balance", "{refusal:?}");
        let asked = || {
            let state = node.state();
            let log = state.log.iter();
            log.filter(|said| said.starts_with(TRACE)).count()
        };
        let before = asked();
        for _ in 0..3 {
            advance(Duration::from_mins(11)).await;
            assert_eq!(by(&mut source).await, "balance", "{refusal:?}");
        }
        assert_eq!(asked(), before + 3, "tried now and then");
        node.heal();
        traces_well(&node, 7);
        advance(Duration::from_mins(11)).await;
        assert_eq!(by(&mut source).await, "callTracer", "{refusal:?}");
    }
}

/// A node that was upgraded comes back with another connection.
#[tokio::test(start_paused = true)]
async fn who_was_away_is_tried_soon() {
    let (node, _) = node();
    is_switched_off(&node, (-32601, "the method does not exist"));
    let mut source = tracing(&[("local", &node)]).await;
    assert_eq!(by(&mut source).await, "balance");
    node.heal();
    traces_well(&node, 7);
    advance(Duration::from_mins(2)).await;
    assert_eq!(by(&mut source).await, "balance");
    source.connect().await.unwrap();
    assert_eq!(by(&mut source).await, "callTracer");
}

/// Payments whose balances are looked at are not told at each start that nobody looked.
#[tokio::test(start_paused = true)]
async fn what_a_node_says_of_a_block_that_is_nowhere_changes_no_way_that_was_found() {
    let (node, _) = node();
    is_switched_off(&node, SWITCHED_OFF);
    let mut source = source_of(&[("local", &node)]).looking_inside(Some(TracedBy::Balance));
    source.connect().await.unwrap();
    assert_eq!(by(&mut source).await, "balance");
    node.heal();
    traces_well(&node, 7);
    let mut source = source_of(&[("local", &node)]).looking_inside(Some(TracedBy::Balance));
    source.connect().await.unwrap();
    by(&mut source).await;
    assert_eq!(by(&mut source).await, "callTracer", "a real block shows it");
}

/// What is not looked at in the first minutes is never looked at; but one that stays vague, or that may not be asked,
/// does not tell.
#[tokio::test(start_paused = true)]
async fn at_first_nothing_is_known_to_be_unseen() {
    for (said, for_good) in [
        (error(-32002, "resource unavailable"), "vague"),
        (error(-32601, "the method does not exist"), "no"),
    ] {
        let (node, block) = node();
        node.fault("debug_", said.clone());
        node.fault("trace_", said);
        node.fault("eth_getBalance", json!("0x7"));
        let mut source = tracing(&[("local", &node)]).await;
        let awaits = source.blocks(&[block]).await.unwrap()[0].awaits_trace;
        assert_eq!(awaits, for_good == "vague");
        for _ in 0..2 {
            advance(Duration::from_secs(6)).await;
            by(&mut source).await;
        }
        assert_eq!(by(&mut source).await, "balance", "{for_good}");
        assert!(!source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    }
    // One that is not there at all is waited for a while, since it may trace.
    let (node, block) = node();
    node.fault("debug_", error(-32002, "resource unavailable"));
    node.fault("trace_", error(-32002, "resource unavailable"));
    node.fault("eth_getBalance", error(-32002, "resource unavailable"));
    let mut source = tracing(&[("local", &node)]).await;
    assert!(source.blocks(&[block]).await.unwrap()[0].awaits_trace);
    advance(Duration::from_mins(4)).await;
    assert!(!source.blocks(&[block]).await.unwrap()[0].awaits_trace);
}

/// Otherwise it takes half a minute for each block that it does not tell, and another minute for the one who does.
#[tokio::test(start_paused = true)]
async fn who_never_tells_in_time_holds_up_others_for_a_minute_in_all() {
    let (node, first) = node();
    traces_well(&node, 7);
    // It answers at once only what is asked of a block that is nowhere.
    let mute = Distant::new(node.clone());
    let nowhere = format!("0x{}", "00".repeat(32));
    mute.takes(move |asked| {
        let is_real = asked.contains("debug_trace") && !asked.contains(&nowhere);
        if is_real { SILENT } else { Duration::ZERO }
    });
    let nodes = [("mute", mute.clone()), ("tells", Distant::new(node))];
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let source = source_over(nodes, &clock);
    let mut source = source.looking_inside(None);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let told_after = async |source: &mut EthereumSource<Distant>, block: BlockRef| {
        let since = Instant::now();
        loop {
            let told = source.traces(&[block]).await.pop();
            if let Some((_, Ok(moves))) = told {
                return (since.elapsed().as_secs(), moves.facts.credits.len());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (seconds, credits) = told_after(&mut source, first).await;
    assert!((60..130).contains(&seconds), "{seconds}");
    assert_eq!(credits, 1);
    for _ in 0..5 {
        let (seconds, credits) = told_after(&mut source, first).await;
        assert_eq!((seconds, credits), (0, 1), "nobody is waited for");
    }
    // It is asked again after a while, and tells.
    mute.takes(|_| Duration::ZERO);
    tokio::time::sleep(Duration::from_mins(6)).await;
    let (_, told) = loop {
        if let Some(told) = source.traces(&[first]).await.pop() {
            break told;
        }
    };
    let told = told.unwrap().facts;
    assert_eq!(shown(&told)[0].2, Evidence::Witnessed);
    assert!(!told.awaits_trace);
}
