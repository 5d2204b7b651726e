//! Whether two daemons say the same of the same chains and requests, apart from when they heard of it and
//! in how many steps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::confirmd::Confirmd;
use crate::confirmd::ledger::Row;

/// Times of our own observation: only whether there is one must agree.
const OBSERVED: &[&str] = &[
    "first_seen_at",
    "confirmed_at",
    "paid_at",
    "closed_at",
    "updated_at",
    "watch_until_at",
    "at",
    "event_seq",
];

/// How many steps it took.
const COUNTED: &[&str] = &["version", "last_seq"];

/// Every row by its name, without what may differ.
type Picture = BTreeMap<String, Row>;

/// The rows of the one that the other does not have or has otherwise; empty when both say the same.
pub fn differences(one: &Confirmd, other: &Confirmd, may_roll_back: bool) -> Vec<String> {
    let (mut one, mut other) = (picture(one), picture(other));
    forget_reversals_on_the_way(&mut one, &mut other, may_roll_back);
    let names = one
        .keys()
        .chain(other.keys().filter(|name| !one.contains_key(*name)));
    names
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| format!("{name}: {}", columns(one.get(name), other.get(name))))
        .collect()
}

/// Money that left the chain and came back soon was a `paid` reversed to whoever asked in between. And a real
/// node rolls back before it goes on, so that a block that stays has fewer confirmations for a moment. Who
/// asks in that moment sees a `paid` reversed and paid again, who does not ask sees nothing.
fn forget_reversals_on_the_way(one: &mut Picture, other: &mut Picture, may_roll_back: bool) {
    for (name, row) in one {
        let Some(twin) = other.get_mut(name) else {
            continue;
        };
        let both_moved = has(row, "reorged") && has(twin, "reorged");
        let unlike = has(row, "reversed") != has(twin, "reversed");
        if unlike && (may_roll_back || both_moved) {
            forget_reversal(row);
            forget_reversal(twin);
        }
    }
}

fn has(row: &Row, wanted: &str) -> bool {
    let flags = row["flags"].as_str().unwrap_or_default();
    flags.split(',').any(|flag| flag == wanted)
}

fn forget_reversal(row: &mut Row) {
    let flags = row["flags"].as_str().unwrap_or_default();
    let kept: Vec<&str> = flags
        .split(',')
        .filter(|flag| *flag != "reversed")
        .collect();
    row["flags"] = json!(kept.join(","));
    row["needs_review"] = Value::Null;
}

fn columns(one: Option<&Row>, other: Option<&Row>) -> String {
    let (Some(Value::Object(one)), Some(Value::Object(other))) = (one, other) else {
        return format!("{one:?}, and the other {other:?}");
    };
    let unlike = one
        .iter()
        .filter(|(column, value)| other[*column] != **value);
    let said =
        unlike.map(|(column, value)| format!("{column} {value}, and the other {}", other[column]));
    said.collect::<Vec<_>>().join("; ")
}

fn picture(confirmd: &Confirmd) -> Picture {
    let views = [
        ("payment", "SELECT * FROM v1_payment", &["payment_id"][..]),
        (
            "transfer",
            "SELECT * FROM v1_transfer",
            &["payment_id", "txid", "position"],
        ),
        ("request", "SELECT * FROM v1_request", &["request_id"]),
        ("chain", "SELECT * FROM v1_chain", &["chain"]),
        ("asset", "SELECT * FROM v1_asset", &["asset"]),
    ];
    let ledger = confirmd.ledger();
    ledger.query("BEGIN", &[]); // one snapshot for all
    let mut picture = Picture::new();
    for (view, sql, key) in views {
        for row in ledger.query(sql, &[]) {
            let key = key.iter().map(|column| row[*column].to_string());
            let name = format!("{view} {}", key.collect::<Vec<_>>().join(" "));
            let known = picture.insert(name, without_the_way(row));
            assert!(known.is_none(), "two rows of one name: {known:?}");
        }
    }
    ledger.query("COMMIT", &[]);
    picture
}

fn without_the_way(mut row: Row) -> Row {
    for (column, value) in row.as_object_mut().expect("a row") {
        if OBSERVED.contains(&column.as_str()) {
            *value = json!(!value.is_null());
        } else if COUNTED.contains(&column.as_str()) {
            *value = Value::Null;
        }
    }
    row
}
