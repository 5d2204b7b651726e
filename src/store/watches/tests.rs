//! Addresses that are watched, given up, and taken again.

use super::*;
use crate::{domain::status::Status, store::testing::*};

fn watched(store: &Store) -> Vec<i64> {
    let mut found = Vec::new();
    store.watched(|watched| found.push(watched)).unwrap();
    let ascending = |a: &Watched, b: &Watched| a.destination <= b.destination;
    assert!(found.is_sorted_by(ascending), "{found:?}");
    found.iter().map(|watched| watched.payment.0).collect()
}

fn until(key: i64, watch_until_at: Option<i64>) -> Payment {
    let mut payment = payment(key, &format!("p{key}"));
    payment.judged.watch_until_at = watch_until_at.map(UnixMs);
    payment
}

/// Registers payments and withdraws them at once.
fn register_closed(store: &mut Store, payments: Vec<Payment>) {
    register(store, payments.clone());
    let close = |payment| moved(payment, Status::Canceled, None);
    let closed = step(payments.into_iter().map(close).collect());
    assert_eq!(store.commit(&closed).unwrap().kept, []);
}

fn end(store: &mut Store, at: i64, limit: u32) -> Vec<i64> {
    let ended = store.end_watches(&bitcoin(), UnixMs(at), limit).unwrap();
    ended.iter().map(|watched| watched.payment.0).collect()
}

fn owner(store: &Store, payment: &Payment) -> Option<(i64, String)> {
    let owner = store.address_owner(&bitcoin(), &payment.destination);
    owner.unwrap().map(|(key, id)| (key.0, id.to_string()))
}

const SOON: i64 = NOW.0 + 10;

#[test]
fn an_address_is_watched_until_its_end_is_collected() {
    let (_dir, mut store) = store();
    let payments = [
        until(1, None),
        until(2, Some(SOON)),
        until(3, Some(SOON + 1)),
        until(4, Some(SOON + 2)),
    ];
    register_closed(&mut store, payments.to_vec());
    assert_eq!(watched(&store), [1, 2, 3, 4]);
    assert_eq!(end(&mut store, SOON, 9), Vec::<i64>::new());
    assert_eq!(end(&mut store, SOON + 1, 9), [2]);
    assert_eq!(end(&mut store, SOON + 1, 9), Vec::<i64>::new());
    assert_eq!(watched(&store), [1, 3, 4]);
    assert_eq!(owner(&store, &payments[0]), Some((1, "p1".into())));
    assert_eq!(owner(&store, &payments[1]), None);
    assert_eq!(end(&mut store, SOON + 9, 1), [3]);
    assert_eq!(end(&mut store, SOON + 9, 1), [4]);
}

#[test]
fn an_address_is_given_up_by_the_clock_of_its_own_chain() {
    let (_dir, mut store) = store();
    let mut other = until(2, Some(SOON));
    other.chain = ChainName::new("ethereum");
    other.kind = crate::domain::asset::ChainKind::Ethereum;
    other.destination = Destination::new(&[9; 20]).unwrap();
    other.terms.asset = crate::domain::asset::AssetCode::new("ETH");
    other.terms.decimals = 18;
    register_closed(&mut store, vec![until(1, Some(SOON)), other]);
    assert_eq!(end(&mut store, SOON + 9, 9), [1]);
    let ethereum = ChainName::new("ethereum");
    let ended = store.end_watches(&ethereum, UnixMs(SOON + 9), 9).unwrap();
    assert_eq!(
        ended
            .iter()
            .map(|watched| watched.payment.0)
            .collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn a_new_payment_is_watched_until_it_is_judged() {
    let (_dir, mut store) = store();
    register(
        &mut store,
        vec![until(1, Some(NOW.0 - 1)), until(2, Some(SOON))],
    );
    assert_eq!(end(&mut store, SOON + 9, 9), Vec::<i64>::new());
    assert_eq!(watched(&store), [1, 2]);
    let expired = moved(until(2, Some(SOON)), Status::Expired, None);
    store.commit(&step(vec![expired])).unwrap();
    assert_eq!(end(&mut store, SOON + 9, 9), [2]);
}

#[test]
fn an_address_that_was_given_up_is_free_and_is_not_taken_back_from_another() {
    let (_dir, mut store) = store();
    let (first, third) = (until(1, Some(SOON)), until(3, Some(SOON)));
    register_closed(&mut store, vec![first.clone(), third.clone()]);
    assert_eq!(end(&mut store, SOON + 1, 9), [1, 3]);
    let mut second = until(2, None);
    second.destination = first.destination;
    register(&mut store, vec![second.clone()]);
    assert_eq!(watched(&store), [2]);
    // Both windows open again, but the first address is somebody else's now.
    let reopen = |payment: Payment| {
        let canceled = moved(payment, Status::Canceled, None).payment;
        let mut paid = moved(canceled, Status::Paid, None);
        paid.payment.judged.watch_until_at = None;
        paid
    };
    let committed = store.commit(&step(vec![reopen(first.clone()), reopen(third.clone())]));
    let committed = committed.unwrap();
    assert_eq!(committed.kept, []);
    assert_eq!(committed.watched_again, [Watched::by(&third)]);
    assert_eq!(watched(&store), [2, 3]);
    assert_eq!(owner(&store, &first), Some((2, "p2".into())));
}

#[test]
fn a_change_after_the_window_does_not_open_it() {
    let (_dir, mut store) = store();
    let old = until(1, Some(NOW.0 - 1));
    register_closed(&mut store, vec![old.clone()]);
    assert_eq!(end(&mut store, NOW.0, 9), [1]);
    let canceled = moved(old, Status::Canceled, None).payment;
    let invalid = moved(canceled, Status::Invalid, None);
    let committed = store.commit(&step(vec![invalid])).unwrap();
    assert_eq!(committed.watched_again, []);
    assert_eq!(watched(&store), Vec::<i64>::new());
}
