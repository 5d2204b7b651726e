//! The mempool of a bitcoind in memory, as it changes.

use super::*;
use crate::{
    chain::{
        ChainSource,
        bitcoin::fake::{Change, Fake, TestClock, output, spending, wpkh},
    },
    domain::facts::OutPoint,
};
use alloy_primitives::hex;
use bitcoin::Transaction;
use std::sync::atomic::Ordering;

fn payment(to: u8) -> Transaction {
    spending(to, 1, vec![output(1000, &wpkh(to)), output(50, "6a")])
}

fn address(byte: u8) -> Destination {
    Destination::new(&hex::decode(wpkh(byte)).unwrap()).unwrap()
}

fn ids(arrived: &[TxFacts]) -> Vec<TxId> {
    arrived.iter().map(|tx| tx.txid).collect()
}

fn sorted(mut txids: Vec<TxId>) -> Vec<TxId> {
    txids.sort_unstable();
    txids
}

fn listed(news: &MempoolNews) -> Option<Vec<TxId>> {
    news.snapshot
        .as_ref()
        .map(|snapshot| snapshot.txids.to_vec())
}

#[tokio::test]
async fn only_what_is_new_is_fetched_and_the_whole_is_listed() {
    let fake = Fake::new();
    let tip = fake.mine(vec![]);
    let first = fake.add(payment(1));
    let mut source = fake.source();
    let news = source.mempool().await.unwrap();
    assert_eq!(ids(&news.arrived), [first]);
    assert_eq!(news.snapshot.as_ref().unwrap().tip, tip.id.hash);
    let second = fake.add(payment(2));
    fake.state().calls.clear();
    let news = source.mempool().await.unwrap();
    assert_eq!(ids(&news.arrived), [second]);
    assert_eq!(listed(&news), Some(sorted(vec![first, second])));
    let fetched = |fake: &Fake| {
        let calls = &fake.state().calls;
        calls
            .iter()
            .filter(|call| *call == "getrawtransaction")
            .count()
    };
    assert_eq!(fetched(&fake), 1);
    assert!(source.mempool().await.unwrap().arrived.is_empty());
    assert_eq!(fetched(&fake), 1);
}

#[tokio::test]
async fn a_transaction_tells_its_credits_inputs_and_when_it_was_first_seen() {
    let fake = Fake::new();
    fake.add(payment(1));
    let clock = Arc::new(TestClock::default());
    clock.1.store(5_000, Ordering::SeqCst);
    let shared: Arc<TestClock> = Arc::clone(&clock);
    let mut source = fake.source_with(shared, false);
    let news = source.mempool().await.unwrap();
    let tx = &news.arrived[0];
    assert_eq!(tx.first_seen_ms, 5_000);
    assert_eq!(tx.credits.len(), 1);
    assert_eq!(tx.credits[0].destination, address(1));
    let txid = TxId([1; 32]);
    assert_eq!(tx.inputs, [OutPoint { txid, vout: 1 }]);
    // A later registration hears of the same moment.
    clock.1.store(9_000, Ordering::SeqCst);
    source.mempool().await.unwrap();
    let found = source.unconfirmed(&[address(1)]).await.unwrap();
    assert_eq!(found[0].first_seen_ms, 5_000);
}

#[tokio::test]
async fn what_a_push_names_is_looked_at_early_and_left_to_the_lists() {
    let fake = Fake::new();
    let old = fake.add(payment(1));
    let mut source = fake.source();
    source.mempool().await.unwrap();
    let named = fake.add(payment(2));
    let later = fake.add(payment(3));
    // What came back is named again, though a list knows it; what is nowhere is nothing.
    for txid in [named, old, named, TxId([9; 32])] {
        source.named().add(txid);
    }
    let news = ChainSource::named(&mut source).await.unwrap();
    assert_eq!(sorted(ids(&news.arrived)), sorted(vec![old, named]));
    assert!(news.snapshot.is_none());
    let news = ChainSource::named(&mut source).await.unwrap();
    assert!(news.arrived.is_empty());
    let news = source.mempool().await.unwrap();
    assert_eq!(sorted(ids(&news.arrived)), sorted(vec![named, later]));
    assert_eq!(listed(&news), Some(sorted(vec![old, named, later])));
}

/// Blocks have their turn between two portions of what a flood of names brings.
#[tokio::test]
async fn a_flood_of_names_is_looked_at_in_portions() {
    let fake = Fake::new();
    let mut source = fake.source();
    source.mempool().await.unwrap();
    let named = fake.add(payment(2));
    for n in 0_u32..1_500 {
        let foreign = [&n.to_le_bytes()[..], &[9; 28]].concat();
        source.named().add(TxId(foreign.try_into().unwrap()));
    }
    source.named().add(named);
    let mut looks = Vec::new();
    let mut arrived = Vec::new();
    while source.has_named() {
        fake.state().calls.clear();
        let news = ChainSource::named(&mut source).await.unwrap();
        arrived.extend(ids(&news.arrived));
        let calls = fake.state().calls.clone();
        let asked = calls.iter().filter(|call| *call == "getmempoolentry");
        looks.push(asked.count());
    }
    assert_eq!(looks, [1_000, 501]);
    assert_eq!(arrived, [named]);
}

/// With an index of all transactions a node shows mined ones, too.
#[tokio::test]
async fn a_name_of_what_is_not_in_the_mempool_names_nothing() {
    let fake = Fake::new();
    let mined = fake.add(payment(2));
    fake.state().not_in_mempool = Some(mined);
    let mut source = fake.source();
    source.named().add(mined);
    let news = ChainSource::named(&mut source).await.unwrap();
    assert!(news.arrived.is_empty());
    let calls = fake.state().calls.clone();
    assert!(
        !calls.contains(&"getrawtransaction".to_owned()),
        "{calls:?}"
    );
}

#[tokio::test]
async fn what_leaves_is_forgotten_and_comes_back_as_new() {
    let fake = Fake::new();
    let tx = payment(1);
    let txid = fake.add(tx.clone());
    let mut source = fake.source();
    source.mempool().await.unwrap();
    fake.state().mempool.clear();
    let news = source.mempool().await.unwrap();
    assert_eq!(listed(&news), Some(vec![]));
    assert!(source.unconfirmed(&[address(1)]).await.unwrap().is_empty());
    fake.add(tx);
    let news = source.mempool().await.unwrap();
    assert_eq!(ids(&news.arrived), [txid]);
    assert_eq!(listed(&news), Some(vec![txid]));
}

#[tokio::test]
async fn a_tip_that_changes_meanwhile_makes_no_snapshot() {
    let fake = Fake::new();
    let mut source = fake.source();
    let mine: Change = |state| {
        state.mine(vec![]);
    };
    for method in ["getmempoolinfo", "getrawmempool", "getrawtransaction"] {
        fake.state().mempool.clear();
        source.mempool().await.unwrap();
        let txid = fake.add(payment(1));
        fake.state().after = Some((method, mine));
        let news = source.mempool().await.unwrap();
        assert_eq!(listed(&news), None, "after {method}");
        assert_eq!(ids(&news.arrived), [txid], "additions may come at any time");
        fake.state().after = None;
        let news = source.mempool().await.unwrap();
        assert_eq!(listed(&news), Some(vec![txid]));
    }
}

// shows: M6
#[tokio::test]
async fn an_unloaded_mempool_drops_nothing() {
    let fake = Fake::new();
    let (first, second) = (fake.add(payment(1)), payment(2));
    let mut source = fake.source();
    source.mempool().await.unwrap();
    fake.state().loaded = false;
    fake.state().mempool.clear();
    let second = fake.add(second);
    let news = source.mempool().await.unwrap();
    assert_eq!((ids(&news.arrived), listed(&news)), (vec![second], None));
    fake.add(payment(1));
    fake.state().loaded = true;
    let news = source.mempool().await.unwrap();
    assert!(news.arrived.is_empty(), "what was known stayed known");
    assert_eq!(listed(&news), Some(sorted(vec![first, second])));
}

#[tokio::test]
async fn what_vanishes_between_list_and_fetch_is_skipped() {
    let fake = Fake::new();
    fake.add(payment(1));
    fake.add(payment(2));
    let mut source = fake.source();
    fake.state().after = Some(("getrawmempool", |state| drop(state.mempool.pop_first())));
    let news = source.mempool().await.unwrap();
    assert_eq!(news.arrived.len(), 1);
    assert_eq!(listed(&news), Some(ids(&news.arrived)));
}

#[tokio::test]
async fn a_transaction_that_cannot_be_read_is_no_evidence_and_leaves_no_whole_list() {
    let fake = Fake::new();
    let read = fake.add(payment(1));
    let mut source = fake.source();
    source.mempool().await.unwrap();
    let unread = fake.add(payment(2));
    let broken: [Change; 4] = [
        |state| state.tamper = Some(|bytes| bytes[50] ^= 1),
        |state| state.tamper = Some(|bytes| bytes.truncate(20)),
        |state| state.tamper = Some(|bytes| bytes.push(0)),
        |state| state.refuse = Some((-1, "Database error")),
    ];
    for (case, break_it) in broken.into_iter().enumerate() {
        fake.state().after = Some(("getrawmempool", break_it));
        let news = source.mempool().await.unwrap();
        let told = (ids(&news.arrived), listed(&news));
        assert_eq!(told, (vec![], None), "case {case}");
        fake.state().after = None;
        let asked_again = source.unconfirmed(&[address(1)]).await;
        let error = asked_again.unwrap_err().to_string();
        let named = format!("getrawtransaction {read}");
        assert!(error.contains(&named), "case {case}: {error}");
        fake.state().tamper = None;
        fake.state().refuse = None;
    }
    let news = source.mempool().await.unwrap();
    assert_eq!(ids(&news.arrived), [unread], "and it is asked for again");
    assert_eq!(listed(&news), Some(sorted(vec![read, unread])));
}

/// One that cannot be read hides no other, and holds up lists for a while only. It is as old as the first
/// list that it stood on.
#[tokio::test]
async fn what_cannot_be_read_for_good_is_left_out_in_the_end() {
    let fake = Fake::new();
    let good = fake.add(payment(1));
    let bad = fake.add(payment(2));
    let clock = Arc::new(TestClock::default());
    clock.1.store(5_000, Ordering::SeqCst);
    let shared: Arc<TestClock> = Arc::clone(&clock);
    let mut source = fake.source_with(shared, false);
    fake.state().unreadable = Some(bad);
    for n in 1..TRIES {
        let news = source.mempool().await.unwrap();
        let arrived = if n == 1 { vec![good] } else { vec![] };
        assert_eq!(
            (ids(&news.arrived), listed(&news)),
            (arrived, None),
            "try {n}"
        );
    }
    let news = source.mempool().await.unwrap();
    assert_eq!(listed(&news), Some(vec![good]));
    clock.1.store(90_000, Ordering::SeqCst);
    fake.state().unreadable = None;
    let news = source.mempool().await.unwrap();
    assert_eq!(ids(&news.arrived), [bad]);
    assert_eq!(news.arrived[0].first_seen_ms, 5_000);
    assert_eq!(listed(&news), Some(sorted(vec![good, bad])));
    let found = source.unconfirmed(&[address(2)]).await.unwrap();
    assert_eq!(found[0].first_seen_ms, 5_000);
}

#[tokio::test]
async fn a_question_for_what_cannot_be_read_again_is_answered_without_it_in_the_end() {
    let fake = Fake::new();
    let bad = fake.add(payment(1));
    let mut source = fake.source();
    source.mempool().await.unwrap();
    fake.state().unreadable = Some(bad);
    for n in 1..TRIES {
        let asked = source.unconfirmed(&[address(1)]).await;
        assert!(asked.is_err(), "try {n}");
    }
    assert_eq!(source.unconfirmed(&[address(1)]).await.unwrap().len(), 0);
    fake.state().unreadable = None;
    assert_eq!(source.unconfirmed(&[address(1)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_registration_is_answered_from_what_is_known() {
    let fake = Fake::new();
    let both = spending(9, 0, vec![output(1, &wpkh(1)), output(2, &wpkh(2))]);
    let txids: Vec<TxId> = [payment(1), payment(2), payment(3), both]
        .map(|tx| fake.add(tx))
        .into();
    let mut source = fake.source();
    source.mempool().await.unwrap();
    for (asked, expected) in [
        (vec![1], vec![txids[0], txids[3]]),
        (vec![3], vec![txids[2]]),
        (vec![1, 2], vec![txids[0], txids[1], txids[3]]),
        (vec![4], vec![]),
        (vec![], vec![]),
    ] {
        let destinations: Vec<Destination> = asked.iter().copied().map(address).collect();
        let found = source.unconfirmed(&destinations).await.unwrap();
        assert_eq!(ids(&found), sorted(expected), "{asked:?}");
    }
    fake.state().mempool.clear();
    assert!(source.unconfirmed(&[address(1)]).await.unwrap().is_empty());
}

// shows: M12
#[tokio::test]
async fn a_long_first_list_comes_in_portions_and_then_whole() {
    let fake = Fake::new();
    for number in 0..u32::try_from(MAX_ARRIVALS).unwrap() + 5 {
        fake.add(spending(1, number, vec![output(1000, &wpkh(1))]));
    }
    let mut source = fake.source();
    let news = source.mempool().await.unwrap();
    assert_eq!((news.arrived.len(), listed(&news)), (MAX_ARRIVALS, None));
    let news = source.mempool().await.unwrap();
    assert_eq!(news.arrived.len(), 5);
    let snapshot = news.snapshot.unwrap();
    assert_eq!(snapshot.txids.len(), MAX_ARRIVALS + 5);
    assert!(snapshot.txids.is_sorted());
    let found = source.unconfirmed(&[address(1)]).await.unwrap();
    assert_eq!(found.len(), MAX_ARRIVALS + 5);
}

#[tokio::test]
async fn a_failure_half_way_keeps_what_came_and_lists_nothing() {
    let fake = Fake::new();
    for number in 0..250 {
        fake.add(spending(1, number, vec![]));
    }
    let mut source = fake.source();
    // Only the second of three batches fails, and the tip is as it was: still no snapshot.
    fake.state().after = Some(("getrawtransaction", |state| {
        let calls = state.calls.iter();
        let fetched = calls.filter(|call| *call == "getrawtransaction").count();
        state.refuse = (fetched == 100).then_some((-28, "Shutting down"));
    }));
    let news = source.mempool().await.unwrap();
    assert_eq!((news.arrived.len(), listed(&news)), (150, None));
    fake.state().after = None;
    let news = source.mempool().await.unwrap();
    assert_eq!(news.arrived.len(), 100);
    assert_eq!(listed(&news).unwrap().len(), 250);
}

/// Known ids, what the node lists, and what must remain.
#[test]
fn comparing_lists_finds_what_is_new_and_what_is_gone() {
    let id = |byte: u8| TxId([byte; 32]);
    let all = |bytes: &[u8]| bytes.iter().copied().map(id).collect::<Vec<_>>();
    let facts = |txid: TxId| TxFacts {
        txid,
        first_seen_ms: u64::from(txid.0[0]),
        credits: vec![],
        inputs: vec![],
    };
    for (known, listed, new) in [
        (&[][..], &[][..], &[][..]),
        (&[], &[1, 2], &[1, 2]),
        (&[1, 2], &[], &[]),
        (&[1, 2, 3], &[1, 2, 3], &[]),
        (&[2, 4], &[1, 2, 3, 4, 5], &[1, 3, 5]),
        (&[1, 3, 5], &[2, 3, 4], &[2, 4]),
        (&[1, 2, 3], &[4, 5], &[4, 5]),
        (&[4, 5], &[1, 2, 3], &[1, 2, 3]),
    ] {
        let mut pool = Pool::new();
        let before: Vec<TxFacts> = all(known).into_iter().rev().map(facts).collect();
        for tx in before {
            pool.absorb(&[tx], None);
        }
        assert_eq!(*pool.txids, *all(known));
        let listed = all(listed);
        assert_eq!(pool.unknown(&listed), all(new), "{known:?}");
        let arrived: Vec<TxFacts> = all(new).into_iter().map(facts).collect();
        for tx in arrived {
            pool.absorb(&[tx], None);
        }
        pool.absorb(&[], Some(&listed));
        assert_eq!(*pool.txids, *listed, "{known:?}");
        let kept: Vec<u64> = pool
            .entries
            .iter()
            .map(|entry| entry.first_seen_ms)
            .collect();
        let expected: Vec<u64> = listed.iter().map(|txid| u64::from(txid.0[0])).collect();
        assert_eq!(kept, expected, "each entry stays with its id");
    }
}
