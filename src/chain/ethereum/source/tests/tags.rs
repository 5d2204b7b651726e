//! What a quorum calls safe and final.

use super::{
    endpoints::down,
    quorum::{of_operators, three},
    *,
};

/// Depth stands for tags only where nobody who counts names any.
#[tokio::test]
async fn one_operator_neither_hides_that_there_are_tags_nor_makes_it_so() {
    let (nodes, blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    for (naming, is_tagged) in [(0, false), (1, false), (2, true), (3, true)] {
        for (node, height) in nodes.iter().zip([2, 3, 4]) {
            let is_naming = height < 2 + naming;
            node.state().finalized = is_naming.then_some(height);
        }
        let status = source.status().await.unwrap();
        assert_eq!(status.tagged, is_tagged, "{naming}");
        // Each names another: what two are at or beyond counts.
        let both = naming.checked_sub(1).filter(|_| is_tagged);
        let expected = both.map(|at| blocks[at].id);
        assert_eq!(status.finalized, expected, "{naming}");
    }
    down(&nodes[2]);
    let (mut source, _) = of_operators(&nodes, ["a", "b", "b"]);
    nodes[1].state().finalized = None;
    let status = source.status().await.unwrap();
    assert_eq!(
        (status.tagged, status.finalized),
        (true, None),
        "one of two"
    );
}

/// On chains where each block is final at once no two ever name the same.
// shows: P8
#[tokio::test]
async fn what_two_are_beyond_is_final_and_one_alone_takes_nobody_along() {
    let (nodes, blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    for (named, expected) in [([3, 5, 6], 5), ([6, 2, 4], 4), ([6, 6, 1], 6)] {
        for (node, height) in nodes.iter().zip(named) {
            node.state().finalized = Some(height);
        }
        let status = source.status().await.unwrap();
        assert_eq!(status.finalized, Some(blocks[expected - 1].id), "{named:?}");
    }
    // Two are at five or beyond, but one of them has another block there.
    nodes[2].roll_back(2);
    nodes[2].mine_empty(2, "forged");
    nodes[0].state().finalized = Some(2);
    nodes[1].state().finalized = Some(5);
    nodes[2].state().finalized = Some(6);
    assert_eq!(source.status().await.unwrap().finalized, None);
}

// shows: P8
#[tokio::test]
async fn a_tag_is_what_so_many_operators_name() {
    let (nodes, blocks) = three();
    let (mut source, _) = of_operators(&nodes, ["a", "b", "c"]);
    let finalized = |status: &NodeStatus| status.finalized.map(|block| block.height.0);
    nodes[0].state().finalized = Some(5);
    nodes[1].state().finalized = Some(3);
    nodes[2].state().finalized = None;
    let status = source.status().await.unwrap();
    assert_eq!(finalized(&status), Some(3), "both call it so");
    nodes[1].state().finalized = None;
    let status = source.status().await.unwrap();
    assert_eq!(finalized(&status), None, "one alone");
    nodes[1].state().finalized = Some(3);
    nodes[2].state().finalized = Some(3);
    let status = source.status().await.unwrap();
    assert_eq!(status.finalized, Some(blocks[2].id));
    down(&nodes[1]);
    down(&nodes[2]);
    let status = source.status().await.unwrap();
    assert_eq!(finalized(&status), None, "one alone names none");
}
