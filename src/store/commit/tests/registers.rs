//! What the database itself takes for a registration.

use super::guards::with_neighbours;
use crate::{
    domain::{event::EventKind, status::Status, step::PaymentStep},
    store::{Store, testing::*},
};

/// A copy of payment 1 under another key, with these values of what the journal tells, after an
/// event of its own or after none.
fn copy_of_a_payment(store: &Store, told: &str, event: &str) -> Result<(), rusqlite::Error> {
    let columns = ask(
        store,
        "SELECT group_concat(name) FROM pragma_table_info('payment')
          WHERE name NOT IN ('key', 'payment_id', 'destination', 'status', 'version', 'last_seq')",
    );
    let told: Vec<&str> = told.split('|').collect();
    let [key, status, version, last_seq] = told[..] else {
        panic!("{told:?}");
    };
    let result = store.conn.execute_batch(&format!(
        "BEGIN; {event};
         INSERT INTO payment (key, payment_id, destination, status, version, last_seq, {columns})
         SELECT {key}, 'copy', x'51', '{status}', {version}, {last_seq}, {columns}
           FROM payment WHERE key = 1;
         COMMIT",
    ));
    if result.is_err() {
        store.conn.execute_batch("ROLLBACK").unwrap();
    }
    result
}

#[test]
fn a_payment_starts_with_what_its_first_event_tells_and_with_nothing_else() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    let registers = "INSERT INTO event SELECT 2, event_id, 2, 1, kind, NULL, 'new', reason, data, 1, 1 FROM event";
    let moves = "INSERT INTO event SELECT 2, event_id, 1, 2, 'status', 'new', 'pending', reason, data, 1, 1 FROM event";
    for (told, event) in [
        ("2|new|1|1", ""),
        ("2|new|1|2", ""),
        ("2|new|0|0", ""),
        ("2|new|1|2", moves),
        ("2|pending|2|2", moves),
        ("2|new|1|1", registers),
        ("2|paid|1|2", registers),
        ("2|new|2|2", registers),
        ("3|new|1|2", registers),
    ] {
        let refused = copy_of_a_payment(&store, told, event).expect_err(told);
        let why = "a payment starts with the event that registers it";
        assert!(refused.to_string().contains(why), "{told}: {refused}");
    }
    copy_of_a_payment(&store, "2|new|1|2", registers).expect("as its event tells");
    let rows = "SELECT payment_id, status, version, last_seq FROM v1_payment ORDER BY last_seq";
    assert_eq!(ask(&store, rows), "p|new|1|1\ncopy|new|1|2");
}

/// What is wrong with the registration of payment 2, and what the guard says.
fn wrong_registrations() -> Vec<(&'static str, PaymentStep)> {
    let change = |change: &dyn Fn(&mut PaymentStep)| {
        let mut step = registered(payment(2, "q"));
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
            change(&|s| s.payment.version = 2),
        ),
        (
            "is not what its entries tell",
            change(&|s| {
                let later = moved(s.payment.clone(), Status::Pending, None);
                s.entries.extend(later.entries);
            }),
        ),
        (
            "tells of another payment",
            change(&|s| s.entries = registered(payment(8, "left")).entries),
        ),
        (
            "registers it as new",
            change(&|s| s.entries[0].to = Some(Status::Paid)),
        ),
        (
            "registers it as new",
            change(&|s| s.entries[0].kind = EventKind::Status),
        ),
        (
            "have no holes",
            change(&|s| s.entries[0].payment.as_mut().unwrap().1 = 2),
        ),
    ]
}

#[test]
fn a_registration_that_contradicts_itself_leaves_no_payment() {
    for (why, wrong) in wrong_registrations() {
        let (_dir, mut store) = store();
        let problem = with_neighbours(&mut store, wrong);
        assert!(problem.contains(why), "{why}: {problem}");
        let shown = "SELECT count(*) FROM v1_payment WHERE payment_id = 'q'";
        assert_eq!(ask(&store, shown), "0", "{why}");
    }
}

#[test]
fn a_payment_may_be_registered_and_moved_in_one_step() {
    let (_dir, mut store) = store();
    let mut registration = registered(payment(1, "p"));
    let later = moved(payment(1, "p"), Status::Pending, None);
    registration = registration.then(later);
    assert_eq!(store.commit(&step(vec![registration])).unwrap().kept, []);
    let shown = "SELECT status, version, last_seq FROM v1_payment";
    assert_eq!(ask(&store, shown), "pending|2|2");
}
