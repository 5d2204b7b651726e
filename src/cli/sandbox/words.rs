//! Entries of the journal as lines for people.

use crate::cli::{rows::Row, screen::harmless, time::readable};
use serde_json::Value;

/// An entry: its number, time, payment, and what happened.
pub(super) fn event(event: &Row) -> String {
    let seq = event.get("seq").and_then(Value::as_i64).unwrap_or(0);
    let at = event.get("occurred_at").and_then(Value::as_i64);
    let at = at.map(time).unwrap_or_default();
    let id = text(event, "payment_id");
    format!(
        "   {:>4}  {at}  {id:14}  {}",
        format!("#{seq}"),
        what(event)
    )
}

/// The time of a day.
pub(super) fn time(ms: i64) -> String {
    let whole = readable(ms);
    whole.get(11..19).unwrap_or(&whole).to_owned()
}

/// A status with its reason.
pub(super) fn state(status: &str, reason: &str) -> String {
    match reason {
        "" => status.to_owned(),
        reason => format!("{status} ({reason})"),
    }
}

fn what(event: &Row) -> String {
    let data = event.get("data").and_then(Value::as_object);
    let empty = Row::new();
    let data = data.unwrap_or(&empty);
    let part = |key: &str| data.get(key).and_then(Value::as_object).unwrap_or(&empty);
    match text(event, "kind").as_str() {
        "registered" => registered(data),
        "transfer" => transfer(part("transfer")),
        "attention" => format!("attention: {}", text(part("attention"), "message")),
        "reversed" => format!("REVERSED: {}", step(event)),
        "finalized" => "final: it can no longer change".to_owned(),
        "command" => format!("request: {}", text(part("command"), "kind")),
        _ => step(event),
    }
}

fn registered(data: &Row) -> String {
    let (amount, asset) = (text(data, "amount_expected"), text(data, "asset"));
    let by = data.get("expires_at").and_then(Value::as_i64).map(time);
    let policy = match text(data, "policy").as_str() {
        "sum" => ", in as many parts as they like",
        _ => "",
    };
    format!(
        "new: {amount} {asset} by {}{policy}",
        by.unwrap_or_default()
    )
}

fn transfer(transfer: &Row) -> String {
    let (amount, asset) = (text(transfer, "amount"), text(transfer, "asset"));
    let height = transfer.get("block_height").and_then(Value::as_u64);
    let state = text(transfer, "state");
    let place = match (state.as_str(), height) {
        ("mempool", _) => "in the mempool".to_owned(),
        ("confirmed", Some(height)) => format!("in block {height}"),
        _ => state,
    };
    let disposition = text(transfer, "disposition");
    let aside = match disposition.as_str() {
        "counted" | "short" => String::new(),
        aside => format!(" ({aside})"),
    };
    format!("{amount} {asset} {place}{aside}")
}

fn step(event: &Row) -> String {
    let (from, to) = (text(event, "from_status"), text(event, "to_status"));
    let to_state = state(&to, &text(event, "reason"));
    if from == to || from.is_empty() {
        to_state
    } else {
        format!("{from} -> {to_state}")
    }
}

fn text(row: &Row, key: &str) -> String {
    row.get(key)
        .and_then(Value::as_str)
        .map(harmless)
        .unwrap_or_default()
}
