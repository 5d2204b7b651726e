//! Two of three operators must hold a block: which tip they agree on, and who leads to it.

use super::{
    endpoints::{Told, asked, down, source_told},
    *,
};
use crate::clock::Now;
use std::sync::atomic::{AtomicU64, Ordering};

/// Three nodes with the same six blocks.
pub(super) fn three() -> ([FakeNode; 3], Vec<BlockRef>) {
    let nodes = [FakeNode::new(), FakeNode::new(), FakeNode::new()];
    let mut blocks = Vec::new();
    for amount in 1..=6 {
        let built = nodes.each_ref().map(|node| node.mine(paying(amount)));
        blocks.push(reference(&built[0]));
    }
    (nodes, blocks)
}

pub(super) fn of_operators(nodes: &[FakeNode; 3], operators: [&str; 3]) -> (Source, Told) {
    let [a, b, c] = nodes;
    let (source, told) = source_told(&[("a", a), ("b", b), ("c", c)]);
    let operators = operators.map(str::to_owned).to_vec();
    (source.with_quorum(2, operators), told)
}

fn leader(source: &Source) -> String {
    source.endpoints.leader().unwrap().name().to_owned()
}

/// The tip of a status, and whether a quorum holds it.
async fn tip(source: &mut Source) -> (u32, bool) {
    let status = source.status().await.unwrap();
    (status.tip.id.height.0, source.has_agreed_tip())
}

fn says(told: &Told, words: &str) -> bool {
    told.lock().unwrap().iter().any(|said| said == words)
}

// shows: P7
#[tokio::test]
async fn the_tip_is_the_highest_block_that_so_many_operators_hold() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    assert_eq!(tip(&mut source).await, (6, true));
    nodes[0].mine(paying(7));
    assert_eq!(tip(&mut source).await, (6, true), "one alone is ahead");
    nodes[1].mine(paying(7));
    assert_eq!(tip(&mut source).await, (7, true));
    down(&nodes[1]);
    assert_eq!(tip(&mut source).await, (6, true), "the third has no more");
    down(&nodes[2]);
    assert_eq!(tip(&mut source).await, (7, false), "what one alone says");
    nodes[2].heal();
    assert_eq!(
        tip(&mut source).await,
        (6, true),
        "although it is left alone"
    );
}

// shows: P7
#[tokio::test]
async fn whoever_is_well_beyond_what_a_quorum_holds_is_named() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    down(&nodes[1]);
    for amount in 7..=10 {
        nodes[2].mine(paying(amount));
        assert_eq!(tip(&mut source).await, (6, true));
        assert_eq!(source.beyond_agreed(), [""; 0], "{amount}");
    }
    let head = reference(&nodes[2].mine(paying(11)));
    assert_eq!(tip(&mut source).await, (6, true), "two hold it");
    let said = format!("c (memory) has block 11 {}", head.id.hash);
    assert_eq!(source.beyond_agreed(), [said]);
    // Two who stand there say that it is the tip: whoever is beyond it then is alone.
    nodes[1].heal();
    assert_eq!(tip(&mut source).await, (6, true));
    assert_eq!(source.beyond_agreed(), [""; 0]);
    nodes[0].mine(paying(7));
    for amount in 7..=11 {
        nodes[1].mine(paying(amount));
    }
    assert_eq!(tip(&mut source).await, (11, true));
    assert_eq!(source.beyond_agreed(), [""; 0]);
}

// shows: P7
#[tokio::test]
async fn two_endpoints_of_one_operator_have_one_voice() {
    let (nodes, _) = three();
    down(&nodes[2]);
    let (mut source, _) = of_operators(&nodes, ["a", "a", "c"]);
    assert_eq!(tip(&mut source).await, (6, false));
    nodes[2].heal();
    assert_eq!(tip(&mut source).await, (6, true));
}

// shows: P7
#[tokio::test]
async fn who_is_on_another_branch_does_not_lead_however_high_it_is() {
    for (depth, forged) in [(2, 9), (0, 5000), (1, 1), (3, 3)] {
        let (nodes, _) = three();
        let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
        assert_eq!(tip(&mut source).await, (6, true));
        assert_eq!(leader(&source), "a");
        nodes[0].roll_back(depth);
        nodes[0].mine_empty(forged, "forged");
        assert_eq!(tip(&mut source).await, (6, true), "{depth} {forged}");
        assert_eq!(leader(&source), "b", "{depth} {forged}");
    }
}

#[tokio::test]
async fn siblings_agree_on_the_block_below() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    for (node, extra) in nodes.iter().zip(["one", "two", "three"]) {
        node.roll_back(1);
        node.mine_empty(1, extra);
    }
    assert_eq!(tip(&mut source).await, (5, true));
    assert_eq!(leader(&source), "a");
}

#[tokio::test]
async fn those_that_hold_nothing_together_agree_on_nothing() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    let genesis = nodes[0].state().chain[0].clone();
    for (node, extra) in nodes.iter().zip(["one", "two", "three"]) {
        node.state().chain = vec![genesis.clone()];
        node.mine_empty(300, extra);
    }
    assert_eq!(tip(&mut source).await, (300, false));
}

/// Two of four are no more than half: either half is a quorum, and they may contradict each other.
// shows: P7
#[tokio::test]
async fn two_halves_that_contradict_each_other_agree_on_nothing_until_most_agree() {
    for (depth, forged) in [(1, 1), (2, 2), (2, 1), (2, 5), (3, 1)] {
        let nodes = [(); 4].map(|()| FakeNode::new());
        let mut blocks = Vec::new();
        for amount in 1..=6 {
            let built = nodes.each_ref().map(|node| node.mine(paying(amount)));
            blocks.push(reference(&built[0]));
        }
        let names = ["a", "b", "c", "d"];
        let by_name: Vec<(&str, &FakeNode)> = names.into_iter().zip(&nodes).collect();
        let operators = names.map(str::to_owned).to_vec();
        let mut source = source_of(&by_name).with_quorum(2, operators);
        assert_eq!(tip(&mut source).await, (6, true));
        for node in &nodes[2..] {
            node.roll_back(depth);
            node.mine_empty(forged, "other half");
        }
        for _ in 0..3 {
            let (_, is_agreed) = tip(&mut source).await;
            assert!(!is_agreed, "{depth} {forged}");
            let agreement = source.agreement(&blocks).await;
            assert_eq!(agreement.held, None, "{depth} {forged}");
            let said = agreement.split.expect("a contradiction");
            let words = "nothing is agreed on until more than half of all hold the same";
            assert!(
                said.starts_with("2 operators hold block ") && said.ends_with(words),
                "{said}"
            );
        }
        // That one half falls silent makes the other no more believable.
        down(&nodes[2]);
        down(&nodes[3]);
        let (_, is_agreed) = tip(&mut source).await;
        assert!(!is_agreed, "{depth} {forged}");
        let honest = nodes[0].state().chain.clone();
        nodes[2].state().chain = honest;
        nodes[2].heal();
        assert_eq!(tip(&mut source).await, (6, true), "{depth} {forged}");
        let agreement = source.agreement(&blocks).await;
        assert_eq!((agreement.held, agreement.split), (Some(blocks[5]), None));
    }
}

#[tokio::test]
async fn how_far_others_hold_our_blocks_is_told_with_what_they_say_instead() {
    let (nodes, blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    nodes[1].roll_back(2);
    nodes[1].mine_empty(1, "other");
    nodes[2].roll_back(4);
    let agreement = source.agreement(&blocks).await;
    assert_eq!(agreement.held, Some(blocks[3]));
    let [b, c] = &agreement.dissent[..] else {
        panic!("{agreement:?}")
    };
    assert!(b.starts_with("b (memory) has block 5 "), "{b}");
    assert!(c.starts_with("c (memory) has block 2 "), "{c}");
    down(&nodes[1]);
    down(&nodes[2]);
    let agreement = source.agreement(&blocks).await;
    assert_eq!(agreement.held, None);
    assert_eq!(agreement.dissent.len(), 2);
}

#[tokio::test]
async fn one_that_goes_on_with_another_block_lies_and_one_that_does_so_for_a_moment_does_not() {
    let (nodes, _) = three();
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]);
    let leave = || {
        nodes[0].roll_back(1);
        nodes[0].mine_empty(1, "sibling");
    };
    let come_back = || {
        nodes[0].roll_back(1);
        nodes[0].mine(paying(6));
    };
    for _ in 0..3 {
        leave();
        for _ in 0..9 {
            source.status().await.unwrap();
        }
        come_back();
        source.status().await.unwrap();
    }
    assert!(!says(&told, "a lying"));
    leave();
    for _ in 0..10 {
        assert!(!says(&told, "a lying"));
        source.status().await.unwrap();
    }
    assert!(says(&told, "a lying"));
    source.status().await.unwrap();
    assert_eq!(
        told.lock().unwrap().last().unwrap(),
        "a lying",
        "it stays so"
    );
}

#[tokio::test]
async fn one_five_blocks_behind_is_left_alone() {
    for (lag, is_behind) in [(4, false), (5, true)] {
        let (nodes, _) = three();
        let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]);
        nodes[0].roll_back(lag);
        assert_eq!(tip(&mut source).await, (6, true));
        assert_eq!(leader(&source), "b");
        assert_eq!(says(&told, "a behind"), is_behind, "{lag}");
        let before = asked(&nodes[0], "");
        source.status().await.unwrap();
        assert_eq!(asked(&nodes[0], "") == before, is_behind);
    }
}

#[tokio::test]
async fn one_that_holds_the_tip_and_shows_no_way_to_it_does_not_lead_for_long() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    for _ in 0..5 {
        source.status().await.unwrap();
        assert_eq!(leader(&source), "a");
        source.doubt_leader();
    }
    source.status().await.unwrap();
    assert_eq!(leader(&source), "b");
}

#[tokio::test]
async fn one_that_is_syncing_leads_only_while_all_are() {
    let (nodes, _) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    nodes[0].state().syncing = json!({"currentBlock": "0x1"});
    assert!(!source.status().await.unwrap().syncing);
    assert_eq!(leader(&source), "b");
    for node in &nodes[1..] {
        node.state().syncing = json!({"currentBlock": "0x1"});
    }
    assert!(source.status().await.unwrap().syncing);
}

#[tokio::test]
async fn an_endpoint_on_another_chain_has_no_voice() {
    let (nodes, blocks) = three();
    nodes[1].state().chain_id = 5;
    down(&nodes[2]);
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    assert_eq!(tip(&mut source).await, (6, false));
    let said = source.agreement(&blocks).await.dissent.join("; ");
    assert!(said.contains("chain id: expected 31337, found 5"), "{said}");
}

/// Tokens are checked at each connection, also where the quorum made it.
#[tokio::test]
async fn who_leads_has_shown_its_tokens() {
    let (nodes, _) = three();
    nodes[0].state().decimals = json!(format!("{:#066x}", 18));
    let (mut source, told) = of_operators(&nodes, ["a", "b", "c"]);
    assert_eq!(tip(&mut source).await, (6, true));
    assert_eq!(leader(&source), "b");
    assert!(says(&told, "a unfit"));
}

/// A clock that a test moves.
#[derive(Debug, Default)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Now {
        Now {
            monotonic_ms: self.0.load(Ordering::Relaxed),
            ..SystemClock::new().now()
        }
    }
}

/// Where no quorum is asked, others are asked only when the leader's tip has not moved for a minute.
#[tokio::test]
async fn a_leader_that_stands_still_is_left_for_one_that_goes_on() {
    for (ahead, expected) in [(4, "a"), (5, "b")] {
        let (nodes, _) = three();
        let clock = Arc::new(Hands::default());
        let as_clock: Arc<dyn Clock> = Arc::<Hands>::clone(&clock);
        let client = |(name, node): (&str, &FakeNode)| {
            let clock = Arc::clone(&as_clock);
            Client::new(name, node.transport(), Auth::None, clock, silent())
        };
        let clients = ["a", "b", "c"]
            .into_iter()
            .zip(&nodes)
            .map(client)
            .collect();
        let network = Network {
            chain_id: 31_337,
            genesis: None,
        };
        let mut source = EthereumSource::over(clients, network, Vec::new(), Arc::clone(&as_clock));
        source.status().await.unwrap();
        nodes[1].mine_empty(ahead, "ahead");
        clock.0.store(59_999, Ordering::Relaxed);
        source.status().await.unwrap();
        assert_eq!((asked(&nodes[1], ""), leader(&source)), (0, "a".to_owned()));
        clock.0.store(60_000, Ordering::Relaxed);
        source.status().await.unwrap();
        assert_eq!(leader(&source), expected);
        // One on another branch is not ahead, whatever it claims.
        nodes[2].roll_back(1);
        nodes[2].mine_empty(50, "forged");
    }
}
