//! What must hold in every database at any time, looked at when a test ends: a dense journal, legal paths,
//! rows equal to the fold of their events, money that adds up, one outcome a request, no secret anywhere.
//! The transition table is written down here once more, so that a fault in the daemon's cannot hide.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use serde_json::Value;

use super::Confirmd;
use super::ledger::{Ledger, Row};

/// What each status may become.
const STEPS: &[(&str, &str)] = &[
    ("new", "pending confirming paid invalid expired canceled"),
    ("pending", "new confirming paid invalid expired"),
    ("confirming", "new pending paid invalid expired"),
    ("paid", "confirming pending invalid refunded"),
    (
        "invalid",
        "new confirming pending paid expired canceled refunded",
    ),
    ("expired", "new invalid paid"),
    ("canceled", "invalid paid"),
    ("refunded", ""),
];

/// Columns of a payment's row that may differ from its last snapshot: derived when read, or about the
/// journal itself.
const NOT_IN_A_SNAPSHOT: &[&str] = &["confirmations", "metadata", "last_seq", "updated_at"];

/// Waits for outstanding outcomes, stops the daemon and audits what it left.
pub fn finish(confirmd: &mut Confirmd) {
    if confirmd.is_running() {
        for request_id in confirmd.gateway().request_ids() {
            confirmd.await_outcome(&request_id);
        }
        confirmd.stop();
    }
    if confirmd.database().exists() {
        database(confirmd);
    }
    log(confirmd);
}

/// Panics, naming what is wrong, unless every invariant holds. The daemon may run.
pub fn database(confirmd: &Confirmd) {
    let ledger = confirmd.ledger();
    let check = ledger.query("PRAGMA quick_check", &[]);
    assert_eq!(check[0]["quick_check"], "ok");
    ledger.query("BEGIN", &[]); // one snapshot for all that follows
    dense(ledger);
    untouched(ledger);
    let journal = ledger.touched_journal();
    let mut histories: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for event in &journal {
        let id = event["payment_id"].as_str().expect("a payment's event");
        histories.entry(id).or_default().push(event);
    }
    let payments = ledger.query("SELECT * FROM v1_payment WHERE version > 1", &[]);
    let transfers = ledger.query("SELECT * FROM v1_transfer", &[]);
    assert_eq!(
        histories.len(),
        payments.len(),
        "a payment without a journal"
    );
    for payment in &payments {
        let id = payment["payment_id"].as_str().expect("an id");
        history(payment, &histories[id]);
        let own = transfers.iter().filter(|row| row["payment_id"] == id);
        money(payment, &own.collect::<Vec<_>>());
    }
    let twice = "SELECT request_id FROM v1_request GROUP BY request_id HAVING count(*) > 1";
    assert_eq!(ledger.query(twice, &[]), Vec::<Row>::new(), "two outcomes");
    ledger.query("COMMIT", &[]);
}

fn dense(ledger: &Ledger) {
    let sql = "SELECT count(*) AS n, coalesce(min(seq), m.first_seq) AS first,
                      coalesce(max(seq), m.first_seq - 1) AS last, m.first_seq AS begin
                 FROM v1_meta AS m LEFT JOIN v1_event";
    let found = &ledger.query(sql, &[])[0];
    let [count, first, last, begin] =
        ["n", "first", "last", "begin"].map(|name| number(&found[name]));
    let empty = i64::from(last < begin);
    assert_eq!(first, begin, "{found}");
    assert_eq!(
        count - empty,
        last - first + 1,
        "a hole in the journal: {found}"
    );
}

/// A payment that nothing happened to has its registration in the journal, and nothing in its row. There may
/// be a hundred thousand of them, so that the database counts.
fn untouched(ledger: &Ledger) {
    let sql = "SELECT payment_id FROM v1_payment AS p WHERE version = 1 AND (
                 status <> 'new' OR txid IS NOT NULL OR paid_at IS NOT NULL OR flags <> ''
                 OR replace(replace(amount_received, '0', ''), '.', '') <> ''
                 OR NOT EXISTS (SELECT 1 FROM v1_event AS e WHERE e.payment_id = p.payment_id
                   AND e.seq = p.last_seq AND e.version = 1 AND e.kind = 'registered'
                   AND e.from_status IS NULL AND e.to_status = 'new'))";
    assert_eq!(ledger.query(sql, &[]), Vec::<Row>::new());
}

/// The journal of one payment is a legal path from `new`, and its end is the row.
fn history(payment: &Row, events: &[&Row]) {
    let mut status = String::new();
    for (version, event) in (1..).zip(events) {
        assert_eq!(number(&event["version"]), version, "{event:#}");
        assert_eq!(event["kind"] == "registered", version == 1, "{event:#}");
        if let Some(to) = event["to_status"].as_str() {
            let from = event["from_status"].as_str().unwrap_or_default();
            assert_eq!(from, status, "{event:#}");
            assert!(is_legal(from, to), "{event:#}");
            assert_eq!(event["kind"] == "reversed", is_reversal(event), "{event:#}");
            to.clone_into(&mut status);
        }
        assert_eq!(event["data"]["status"], status.as_str(), "{event:#}");
    }
    assert_eq!(payment["status"], status.as_str(), "{payment:#}");
    let last = events.last().expect("at least its registration");
    assert_eq!(payment["version"], last["version"], "{payment:#}");
    assert_eq!(payment["last_seq"], last["seq"], "{payment:#}");
    for (column, value) in payment.as_object().expect("a row") {
        if !NOT_IN_A_SNAPSHOT.contains(&column.as_str()) {
            assert_eq!(
                &last["data"][column], value,
                "{column}\n{last:#}\n{payment:#}"
            );
        }
    }
}

fn is_legal(from: &str, to: &str) -> bool {
    let steps = STEPS.iter().find(|(status, _)| *status == from);
    from == to
        || (from.is_empty() && to == "new")
        || steps.is_some_and(|(_, next)| next.split(' ').any(|status| status == to))
}

/// A step out of `paid` that nobody asked for, or money that left the chain after a refund.
fn is_reversal(event: &Row) -> bool {
    match (event["from_status"].as_str(), event["to_status"].as_str()) {
        (Some("paid"), Some(to)) => to != "paid" && to != "refunded",
        (Some("refunded"), Some("refunded")) => event["kind"] == "reversed",
        _ => false,
    }
}

/// The amounts of one payment and of its transfers agree.
fn money(payment: &Row, transfers: &[&Row]) {
    let column = |name: &str| units(&payment[name]);
    let (expected, received) = (column("amount_expected"), column("amount_received"));
    let counted = column("amount_counted");
    let live = |row: &&&Row| row["state"] == "mempool" || row["state"] == "confirmed";
    let significant =
        |row: &&&Row| row["disposition"] != "dust" && row["disposition"] != "wrong_asset";
    let credits = transfers.iter().filter(live).filter(significant);
    let sum = credits.fold(U256::ZERO, |sum, row| {
        sum.saturating_add(units(&row["amount"]))
    });
    assert_eq!(received, sum, "{payment:#}\n{transfers:#?}");
    assert!(counted <= expected, "{payment:#}");
    // What was counted when a payment became final stays, should its money leave the chain after all.
    assert!(counted <= received || payment["final"] == 1, "{payment:#}");
    assert_eq!(column("shortfall"), expected - counted, "{payment:#}");
    let surplus = column("surplus");
    assert!(
        surplus.is_zero() || surplus == received.saturating_sub(counted),
        "{payment:#}"
    );
    if payment["status"] == "paid" && payment["reason"] != "operator" {
        assert!(
            counted + column("allowed_shortfall") >= expected,
            "{payment:#}"
        );
        assert_eq!(surplus, received.saturating_sub(counted), "{payment:#}");
    }
    let may_be_final = payment["status"] == "paid" || payment["status"] == "refunded";
    assert!(payment["final"] == 0 || may_be_final, "{payment:#}");
}

/// Nothing panicked, and no secret is in the log or in the database.
fn log(confirmd: &Confirmd) {
    let log = confirmd.log();
    assert!(!log.contains("panicked"), "{}", confirmd.log_tail());
    let database = std::fs::read(confirmd.database()).unwrap_or_default();
    for secret in confirmd.secrets() {
        assert!(!log.contains(secret), "{secret} is in the log");
        let found = database
            .windows(secret.len())
            .any(|bytes| bytes == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}

/// An amount in base units: every amount of an asset is printed with the same scale.
fn units(amount: &Value) -> U256 {
    let text = amount.as_str().expect("an amount as text");
    text.replace('.', "").parse().expect("digits and one point")
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("an integer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The journal of a payment that took these steps.
    fn journal(steps: &[(&str, &str, &str)]) -> Vec<Row> {
        let events = steps.iter().zip(1..).map(|((kind, from, to), version)| {
            let from = (!from.is_empty()).then_some(from);
            json!({
                "seq": version, "version": version, "kind": kind, "from_status": from,
                "to_status": to, "data": {"status": to},
            })
        });
        events.collect()
    }

    fn is_sound(steps: &[(&str, &str, &str)]) -> bool {
        let journal = journal(steps);
        let last = journal.last().expect("an event");
        let payment = json!({
            "status": last["to_status"], "version": last["version"], "last_seq": last["seq"],
        });
        let audited = || history(&payment, &journal.iter().collect::<Vec<_>>());
        std::panic::catch_unwind(audited).is_ok()
    }

    #[test]
    fn the_audit_finds_money_that_does_not_add_up() {
        let row = |received: &str, counted: &str, surplus: &str| {
            json!({
                "amount_expected": "2.0", "amount_received": received, "amount_counted": counted,
                "shortfall": "0.0", "surplus": surplus, "allowed_shortfall": "0.0", "status": "paid",
                "reason": "exact", "final": 0,
            })
        };
        let transfer = json!({"state": "confirmed", "disposition": "counted", "amount": "3.0"});
        let is_sound =
            |payment: Row| std::panic::catch_unwind(|| money(&payment, &[&transfer])).is_ok();
        assert!(is_sound(row("3.0", "2.0", "1.0")));
        assert!(!is_sound(row("2.0", "2.0", "0.0")), "less than came");
        assert!(
            !is_sound(row("3.0", "3.0", "0.0")),
            "more counted than asked"
        );
        assert!(!is_sound(row("3.0", "2.0", "0.0")), "surplus is missing");
    }
}
