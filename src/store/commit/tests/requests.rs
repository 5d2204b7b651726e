//! What becomes of requests, in the same commit as what they did.

use crate::{
    domain::{
        request::Request,
        status::{Reason, Status},
        step::{InboxPosition, Outcome, PaymentStep, RequestOutcome, Step},
        time::UnixMs,
    },
    store::{Store, testing::*},
};

fn outcome(request_id: &str, payment_id: &str, version: Option<u64>) -> RequestOutcome {
    RequestOutcome {
        request: Request {
            seq: 1,
            request_id: request_id.into(),
            kind: "cancel".into(),
            payment_id: payment_id.into(),
            body: "{}".into(),
            actor: Some("shop".into()),
            created_at: UnixMs(3),
        },
        outcome: Outcome::Applied,
        code: String::new(),
        message: String::new(),
        note: Some("why".into()),
        version,
    }
}

fn with(payments: Vec<PaymentStep>, outcomes: Vec<RequestOutcome>) -> Step {
    Step {
        outcomes,
        inbox: Some(InboxPosition {
            inbox_id: "box".into(),
            seq: 7,
        }),
        ..step(payments)
    }
}

fn shown(store: &Store) -> String {
    let sql = "SELECT request_id, payment_id, kind, outcome, code, actor, note, event_seq, at
                 FROM v1_request ORDER BY request_id";
    ask(store, sql)
}

#[test]
fn an_outcome_names_the_entry_that_records_it() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "a"), payment(2, "b")]);
    let cancel = moved(payment(2, "b"), Status::Canceled, Some(Reason::Gateway));
    let mut refused = outcome("r2", "?", None);
    refused.outcome = Outcome::Refused;
    refused.code = "unknown_payment".into();
    refused.note = None;
    let outcomes = vec![
        outcome("r1", "b", Some(2)),
        refused,
        outcome("r3", "a", Some(1)),
    ];
    store.commit(&with(vec![cancel], outcomes)).unwrap();
    let at = NOW.0;
    assert_eq!(
        shown(&store),
        format!(
            "r1|b|cancel|applied||shop|why|3|{at}\n\
             r2|?|cancel|refused|unknown_payment|shop|||{at}\n\
             r3|a|cancel|applied||shop|why|1|{at}"
        )
    );
    let position = store.inbox_position().unwrap().unwrap();
    assert_eq!((position.inbox_id.as_str(), position.seq), ("box", 7));
    let asked = ["r0", "r3", "r1"].map(String::from);
    assert_eq!(store.known_requests(&asked).unwrap(), ["r3", "r1"]);
}

#[test]
fn a_request_gets_one_outcome() {
    let (_dir, mut store) = store();
    let once = with(vec![], vec![outcome("r1", "a", None)]);
    store.commit(&once).unwrap();
    let before = shown(&store);
    let mut again = outcome("r1", "b", None);
    again.outcome = Outcome::Refused;
    let twice = outcome("r2", "a", None);
    let step = with(vec![], vec![again, twice.clone(), twice]);
    store.commit(&step).expect("no id makes a commit fail");
    let first = shown(&store).lines().next().map(str::to_owned);
    assert_eq!(first.as_deref(), Some(before.as_str()));
    assert_eq!(shown(&store).lines().count(), 2);
}

#[test]
fn a_request_whose_payment_is_kept_was_not_applied() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "a")]);
    let illegal = moved(payment(1, "a"), Status::Refunded, Some(Reason::Gateway));
    let outcomes = vec![outcome("r1", "a", Some(2)), outcome("r2", "b", None)];
    store.commit(&with(vec![illegal], outcomes)).unwrap();
    let at = NOW.0;
    assert_eq!(
        shown(&store),
        format!(
            "r1|a|cancel|refused|change_refused|shop|why||{at}\n\
             r2|b|cancel|applied||shop|why||{at}"
        )
    );
}

#[test]
fn an_inbox_position_follows_the_inbox_that_is_read() {
    let (_dir, mut store) = store();
    assert_eq!(store.inbox_position().unwrap(), None);
    for (inbox_id, seq) in [("one", 5), ("one", 9), ("two", 1)] {
        let position = InboxPosition {
            inbox_id: inbox_id.into(),
            seq,
        };
        let moved = Step {
            inbox: Some(position.clone()),
            ..Step::new(NOW)
        };
        store.commit(&moved).unwrap();
        assert_eq!(store.inbox_position().unwrap(), Some(position));
    }
}
