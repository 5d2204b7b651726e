//! Answers to the watcher.

use super::{permanent, transient};
use crate::{
    chain::{
        Ask, ChainInput,
        follower::testing::{Bench, Call, hash},
    },
    domain::{
        block::TxId,
        facts::{Destination, OutPoint},
    },
};

fn txid(number: u64) -> TxId {
    TxId(hash(number).0)
}

fn output(of: u64) -> OutPoint {
    OutPoint {
        txid: txid(of),
        vout: 0,
    }
}

fn unconfirmed() -> Ask {
    Ask::Unconfirmed(vec![Destination::new(b"somebody").unwrap()])
}

#[tokio::test]
async fn unconfirmed_transactions_come_as_news_of_the_mempool() {
    let mut bench = Bench::following(50).await;
    bench.follower.ask(unconfirmed());
    assert_eq!(bench.follower.serve().await, Ok(false));
    assert_eq!(bench.watcher.told(), ["mempool +1"]);
}

#[tokio::test]
async fn each_vanished_transaction_gets_the_spender_of_one_of_its_inputs() {
    let mut bench = Bench::following(50).await;
    bench
        .node
        .spent(output(3), txid(30))
        .spent(output(4), txid(40));
    bench
        .node
        .spent(output(5), txid(50))
        .spent(output(6), txid(104));
    let vanished = vec![
        (txid(101), vec![output(1), output(2)]),
        (txid(102), vec![output(1), output(3), output(4)]),
        (txid(103), vec![output(5)]),
        (txid(104), vec![output(6)]),
        (txid(105), vec![]),
    ];
    bench.follower.ask(Ask::Spenders(vanished));
    bench.follower.serve().await.unwrap();
    let inputs = bench.watcher.inputs();
    let [ChainInput::Spenders { answers }] = inputs.as_slice() else {
        panic!("{inputs:?}");
    };
    let expected = [
        (txid(101), None),
        (txid(102), Some(txid(30))),
        (txid(103), Some(txid(50))),
        // 104 spends its own input: it is back in the mempool and has not vanished.
        (txid(105), None),
    ];
    assert_eq!(answers.as_slice(), expected);
}

#[tokio::test]
async fn an_ask_that_fails_is_answered_later_and_in_order() {
    let mut bench = Bench::following(50).await;
    bench.node.fail(Call::Unconfirmed, 1, transient());
    bench.follower.ask(unconfirmed());
    bench.follower.ask(Ask::Spenders(vec![(txid(1), vec![])]));
    assert_eq!(bench.follower.serve().await, Err(transient().into()));
    assert_eq!(bench.watcher.told(), [""; 0]);
    assert_eq!(bench.follower.serve().await, Ok(false));
    assert_eq!(bench.watcher.told(), ["mempool +1", "spenders 1"]);
}

#[tokio::test]
async fn an_ask_that_the_node_can_never_answer_does_not_hold_up_the_next() {
    let mut bench = Bench::following(50).await;
    bench.node.fail(Call::Spenders, 1, permanent());
    let vanished = vec![(txid(1), vec![output(1)])];
    bench.follower.ask(Ask::Spenders(vanished));
    bench.follower.ask(unconfirmed());
    assert_eq!(bench.follower.serve().await, Ok(false));
    assert_eq!(bench.watcher.told(), ["mempool +1"]);
}

/// To a payment that was registered late, no answer would mean that no money is there.
#[tokio::test]
async fn a_node_that_refuses_says_nothing_of_money() {
    let mut bench = Bench::following(50).await;
    bench.node.fail(Call::Unconfirmed, 1, permanent());
    bench.follower.ask(unconfirmed());
    assert_eq!(bench.follower.serve().await, Err(permanent().into()));
    assert_eq!(bench.watcher.told(), [""; 0]);
    assert_eq!(bench.follower.serve().await, Ok(false));
    assert_eq!(bench.watcher.told(), ["mempool +1"]);
}
