//! The last guard: what the database itself refuses, and what is left of a step then.

use crate::{
    domain::{
        event::EventKind,
        payment::Payment,
        status::{Reason, Status},
        step::PaymentStep,
        transfer::{Place, Position},
    },
    store::{Store, StoreError, testing::*},
};

#[test]
fn the_database_has_the_domains_transition_table() {
    let (_dir, store) = store();
    let mut legal: Vec<String> = Vec::new();
    for from in Status::ALL {
        for to in Status::ALL {
            if from.may_become(*to) {
                legal.push(format!("{from}|{to}"));
            }
        }
    }
    legal.sort();
    let sql = "SELECT from_status, to_status FROM transition ORDER BY 1, 2";
    assert_eq!(ask(&store, sql), legal.join("\n"));
}

/// Statements that no code of ours contains, and why they are refused.
const FORBIDDEN: [(&str, &str); 33] = [
    ("UPDATE event SET data = '{}'", "the journal is immutable"),
    ("DELETE FROM event", "the journal is immutable"),
    (
        "INSERT OR REPLACE INTO event SELECT * FROM event",
        "the first event of a payment registers it as new",
    ),
    (
        "INSERT INTO event SELECT 3, event_id, payment_key, 2, kind, 'new', 'new', reason, data, 1, 1 FROM event",
        "the journal has no holes",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, payment_key, 3, kind, 'new', 'new', reason, data, 1, 1 FROM event",
        "the versions of a payment have no holes",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, payment_key, 2, kind, 'paid', 'invalid', reason, data, 1, 1 FROM event",
        "an event starts from the status that its payment has",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, payment_key, 2, kind, 'new', 'refunded', reason, data, 1, 1 FROM event",
        "the transition table does not have this step",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, payment_key, 2, kind, 'new', 'lost', reason, data, 1, 1 FROM event",
        "the transition table does not have this step",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, 2, 2, kind, NULL, NULL, reason, data, 1, 1 FROM event",
        "the versions of a payment have no holes",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, 2, 1, 'status', NULL, 'new', reason, data, 1, 1 FROM event",
        "the first event of a payment registers it as new",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, 2, 1, kind, NULL, 'paid', reason, data, 1, 1 FROM event",
        "the first event of a payment registers it as new",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, 2, 1, kind, NULL, 'new', reason, data, 1, 1 FROM event",
        "FOREIGN KEY",
    ),
    (
        "INSERT INTO event SELECT 2, event_id, 1, 2, kind, 'new', 'new', reason, '', 1, 1 FROM event",
        "CHECK",
    ),
    (
        "UPDATE payment SET status = 'refunded'",
        "the transition table does not have this step",
    ),
    (
        "UPDATE payment SET amount_expected = '0.1'",
        "the terms of a payment are fixed",
    ),
    (
        "UPDATE payment SET payment_id = 'q'",
        "the terms of a payment are fixed",
    ),
    ("UPDATE payment SET needs_review = 2", "CHECK"),
    ("DELETE FROM payment", "payments are never deleted"),
    (
        "INSERT OR REPLACE INTO payment (key, payment_id) VALUES (1, 'z')",
        "a payment starts as new, once",
    ),
    ("DELETE FROM transfer", "transfers are never deleted"),
    (
        "UPDATE transfer SET amount = '9'",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET evidence = 'claimed', amount = '9'",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET position = 'balance:9', amount = '9'",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET txid = NULL",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET decimals = 9",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET asset = 'ETH'",
        "a transfer keeps its identity",
    ),
    (
        "UPDATE transfer SET position = 'vout:9'",
        "a transfer keeps its identity",
    ),
    ("UPDATE transfer SET state = 'confirmed'", "CHECK"),
    ("UPDATE transfer SET state = 'lost'", "CHECK"),
    (
        "UPDATE request SET outcome = 'refused'",
        "outcomes are immutable",
    ),
    ("DELETE FROM request", "outcomes are immutable"),
    (
        "INSERT OR REPLACE INTO request SELECT * FROM request",
        "a request has one outcome",
    ),
    ("UPDATE meta SET one = 2", "CHECK"),
];

#[test]
fn nothing_that_was_told_can_be_changed_or_deleted() {
    let (_dir, mut store) = store();
    let mut told = payment(1, "p");
    told.transfers = vec![transfer(1, in_block(1000)), transfer(2, Place::Mempool)];
    register(&mut store, vec![told]);
    store.conn.execute_batch("INSERT INTO request (request_id, payment_id, kind, outcome, at) VALUES ('r', 'p', 'register', 'applied', 1)").unwrap();
    let before = ask(&store, "SELECT * FROM v1_event");
    for (sql, why) in FORBIDDEN {
        let refused = store.conn.execute_batch(sql).expect_err(sql).to_string();
        assert!(refused.contains(why), "{sql}: {refused}");
    }
    assert_eq!(ask(&store, "SELECT * FROM v1_event"), before);
}

/// A full disk, without filling one: SQLite may not take another page.
fn fill_disk(store: &Store, full: bool) {
    let pages: i64 = store
        .conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let limit = if full { pages } else { 1_000_000 };
    store
        .conn
        .pragma(None, "max_page_count", limit, |_| Ok(()))
        .unwrap();
}

// shows: S2
#[test]
fn a_commit_on_a_full_disk_leaves_no_trace_and_succeeds_later() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p1")]);
    let everything = |store: &Store| {
        [
            "v1_payment",
            "v1_event",
            "v1_transfer",
            "v1_chain",
            "v1_request",
            "recent_block",
        ]
        .map(|table| ask(store, &format!("SELECT * FROM {table}")))
    };
    let before = everything(&store);
    let mut large = step(
        (2..200)
            .map(|n| registered(payment(n, &format!("p{n}"))))
            .collect(),
    );
    large.chain = advance(None, &[block(1000)]).chain;
    fill_disk(&store, true);
    for _ in 0..2 {
        let refused = store.commit(&large).expect_err("the disk is full");
        assert!(matches!(refused, StoreError::Unwritable(_)), "{refused:?}");
        assert!(refused.is_transient());
        assert_eq!(everything(&store), before);
    }
    fill_disk(&store, false);
    let committed = store.commit(&large).expect("there is room again");
    assert_eq!((committed.first_seq, committed.last_seq), (Some(2), 199));
}

// shows: S2
#[test]
fn after_a_failed_disk_nothing_is_written_any_more() {
    let (_dir, mut store) = store();
    let failed = StoreError::Io("fsync".into());
    assert_eq!(store.note(failed.clone()), failed);
    let refused = store.commit(&step(vec![registered(payment(1, "p"))]));
    assert_eq!(refused, Err(failed));
    assert_eq!(ask(&store, "SELECT * FROM v1_payment"), "");
    store.close().expect("without a checkpoint");
}

/// Commits a step in which the change of one payment is wrong and that of others is right.
pub(super) fn with_neighbours(store: &mut Store, wrong: PaymentStep) -> String {
    register(store, vec![payment(8, "left"), payment(9, "right")]);
    let right = |key, id| moved(payment(key, id), Status::Paid, Some(Reason::Exact));
    let id = wrong.payment.id.clone();
    let mut all = step(vec![right(8, "left"), wrong, right(9, "right")]);
    all.chain = advance(None, &[block(1000)]).chain;
    let committed = store.commit(&all).expect("the rest is committed");
    let [kept] = &committed.kept[..] else {
        panic!("one payment is kept: {committed:?}");
    };
    assert_eq!(kept.id, id);
    let dense = "SELECT count(*) = max(seq) FROM event";
    assert_eq!(ask(store, dense), "1");
    let neighbours = "SELECT status FROM v1_payment WHERE payment_id IN ('left', 'right')";
    assert_eq!(ask(store, neighbours), "paid\npaid");
    assert_eq!(
        ask(
            store,
            "SELECT scanned_height FROM v1_chain WHERE chain = 'bitcoin'"
        ),
        "1000"
    );
    kept.problem.clone()
}

fn refunded_without_being_paid() -> PaymentStep {
    let mut with_money = payment(1, "p");
    with_money.transfers = vec![transfer(1, in_block(1000))];
    moved(with_money, Status::Refunded, None)
}

#[test]
fn a_payment_with_an_illegal_step_is_kept_and_the_rest_commits() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    let problem = with_neighbours(&mut store, refunded_without_being_paid());
    assert!(problem.contains("does not have this step"), "{problem}");
    assert_eq!(
        ask(
            &store,
            "SELECT status, needs_review, version, last_seq FROM v1_payment WHERE payment_id = 'p'"
        ),
        "new|1|2|5"
    );
    assert_eq!(
        ask(
            &store,
            "SELECT kind, version, from_status, to_status FROM v1_event WHERE seq = 5"
        ),
        "attention|2|new|new"
    );
    // The cursor passes the block, so its money must be on record.
    assert_eq!(
        ask(
            &store,
            "SELECT state FROM v1_transfer WHERE payment_id = 'p'"
        ),
        "confirmed"
    );
    let data = ask(&store, "SELECT data FROM v1_event WHERE seq = 5");
    assert!(!data.contains("could not be recorded"), "{data}");
}

/// What is wrong with a step of payment 1, and what the guard says.
fn wrong_steps() -> Vec<(&'static str, PaymentStep)> {
    let start = || payment(1, "p");
    let right = || moved(start(), Status::Pending, None);
    let change = |change: &dyn Fn(&mut PaymentStep)| {
        let mut step = right();
        change(&mut step);
        step
    };
    vec![
        (
            "is not what its entries tell",
            change(&|s| s.entries.clear()),
        ),
        (
            "is not what its entries tell",
            change(&|s| s.payment.judged.status = Status::Paid),
        ),
        (
            "is not what its entries tell",
            change(&|s| s.payment.version = 9),
        ),
        (
            "tells of another payment",
            change(&|s| {
                s.entries = moved(payment(8, "left"), Status::Pending, None).entries;
            }),
        ),
        (
            "have no holes",
            change(&|s| s.entries[0].payment.as_mut().unwrap().1 = 3),
        ),
        (
            "starts from the status",
            change(&|s| s.entries[0].from = Some(Status::Confirming)),
        ),
        (
            "a changed transfer is missing",
            change(&|s| s.changed = vec![0]),
        ),
        (
            "a payment starts as new, once",
            change(&|s| s.is_new = true),
        ),
    ]
}

#[test]
fn a_step_that_contradicts_itself_keeps_its_payment() {
    for (why, wrong) in wrong_steps() {
        let (_dir, mut store) = store();
        register(&mut store, vec![payment(1, "p")]);
        let problem = with_neighbours(&mut store, wrong);
        assert!(problem.contains(why), "{why}: {problem}");
        let shown = "SELECT status, needs_review, version FROM v1_payment WHERE payment_id = 'p'";
        assert_eq!(ask(&store, shown), "new|1|2", "{why}");
    }
}

#[test]
fn a_credit_to_one_address_belongs_to_one_payment() {
    let (_dir, mut store) = store();
    let mut first = payment(1, "first");
    first.transfers = vec![transfer(1, Place::Mempool)];
    let mut second = payment(2, "second");
    second.destination = first.destination;
    register(&mut store, vec![first]);
    let give_up = "UPDATE payment SET watching = 0";
    store.conn.execute_batch(give_up).unwrap();
    register(&mut store, vec![second.clone()]);
    second.transfers = vec![transfer(1, in_block(1000)), transfer(2, in_block(1000))];
    with_neighbours(&mut store, moved(second, Status::Confirming, None));
    let shown = "SELECT payment_id, state FROM v1_transfer ORDER BY payment_id";
    assert_eq!(ask(&store, shown), "first|mempool\nsecond|confirmed");
    let kept = store
        .load(&[crate::domain::payment::PaymentKey(2)])
        .unwrap();
    assert_eq!(kept[0].transfers, [transfer(2, in_block(1000))]);
    let mut later = kept[0].clone();
    later.transfers.push(transfer(3, Place::Mempool));
    let step = step(vec![moved(later, Status::Confirming, None)]);
    assert_eq!(store.commit(&step).unwrap().kept, [], "rows stay dense");
}

#[test]
fn one_position_may_credit_two_addresses_one_after_the_other() {
    let (_dir, mut store) = store();
    let mut first = payment(1, "first");
    first.transfers = vec![transfer(1, Place::Orphaned)];
    register(&mut store, vec![first, payment(2, "second")]);
    let mut second = payment(2, "second");
    second.transfers = vec![transfer(1, in_block(1000))];
    let step = step(vec![moved(second, Status::Confirming, None)]);
    assert_eq!(store.commit(&step).unwrap().kept, []);
}

#[test]
fn the_same_position_in_another_transaction_is_another_credit() {
    let (_dir, mut store) = store();
    let mut both = payment(1, "p");
    both.transfers = vec![transfer(1, Place::Mempool), transfer(2, Place::Mempool)];
    both.transfers[1].position = Position::Output(1);
    register(&mut store, vec![both]);
}

#[test]
fn a_payment_that_cannot_be_registered_leaves_attention_behind() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "owner")]);
    let mut rival = payment(2, "rival");
    rival.destination = payment(1, "owner").destination;
    let mut unknown_asset = payment(3, "unknown");
    unknown_asset.terms.asset = crate::domain::asset::AssetCode::new("DOGE");
    for wrong in [rival, unknown_asset] {
        let before = store.last_seq().unwrap();
        let committed = store
            .commit(&step(vec![registered(wrong.clone())]))
            .unwrap();
        assert_eq!(committed.kept.len(), 1, "{}", wrong.id);
        assert_eq!(store.find(&wrong.id).unwrap(), None);
        let told = "SELECT kind, payment_id FROM v1_event ORDER BY seq DESC LIMIT 1";
        assert_eq!(ask(&store, told), "attention|");
        assert_eq!(store.last_seq().unwrap(), before + 1);
    }
}

#[test]
fn a_step_of_an_unknown_payment_is_told_and_changes_nothing() {
    let (_dir, mut store) = store();
    let ghost: Payment = payment(5, "ghost");
    let committed = store.commit(&step(vec![moved(ghost, Status::Paid, None)]));
    assert_eq!(committed.unwrap().kept.len(), 1);
    assert_eq!(ask(&store, "SELECT * FROM payment"), "");
    let kind = EventKind::Attention.as_str();
    assert_eq!(ask(&store, "SELECT kind FROM v1_event"), kind);
}
