//! `payment show`: everything that is recorded about one payment.

use crate::{
    cli::{
        Context,
        failure::Failure,
        rows::{Row, only, rows},
        screen::{Column, Screen, Show},
    },
    store::reader::Reader,
};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The payment.
    #[arg(value_name = "ID")]
    payment_id: String,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

const PAYMENT: &[Column] = &[
    Column("payment", "payment_id", Show::Text),
    Column("status", "status", Show::Status),
    Column("reason", "reason", Show::Text),
    Column("flags", "flags", Show::Text),
    Column("needs review", "needs_review", Show::Warning),
    Column("final", "final", Show::Truth),
    Column("chain", "chain", Show::Text),
    Column("asset", "asset", Show::Text),
    Column("address", "address", Show::Text),
    Column("expected", "amount_expected", Show::Text),
    Column("received", "amount_received", Show::Text),
    Column("counted", "amount_counted", Show::Text),
    Column("shortfall", "shortfall", Show::Text),
    Column("surplus", "surplus", Show::Text),
    Column("allowed shortfall", "allowed_shortfall", Show::Text),
    Column("policy", "policy", Show::Text),
    Column("confirmations", "confirmations", Show::Text),
    Column("required", "confirmations_required", Show::Text),
    Column("depth rule", "depth_rule", Show::Text),
    Column("transaction", "txid", Show::Text),
    Column("block height", "block_height", Show::Text),
    Column("block hash", "block_hash", Show::Text),
    Column("block time", "block_at", Show::Time),
    Column("created", "created_at", Show::Time),
    Column("first seen", "first_seen_at", Show::Time),
    Column("confirmed", "confirmed_at", Show::Time),
    Column("paid", "paid_at", Show::Time),
    Column("expires", "expires_at", Show::Time),
    Column("closed", "closed_at", Show::Time),
    Column("changed", "updated_at", Show::Time),
    Column("watched until", "watch_until_at", Show::Time),
    Column("version", "version", Show::Text),
    Column("metadata", "metadata", Show::Text),
];

const TRANSFERS: &[Column] = &[
    Column("transfer", "txid", Show::Text),
    Column("position", "position", Show::Text),
    Column("asset", "asset", Show::Text),
    Column("amount", "amount", Show::Number),
    Column("state", "state", Show::Text),
    Column("disposition", "disposition", Show::Text),
    Column("evidence", "evidence", Show::Text),
    Column("conf", "confirmations", Show::Number),
    Column("block", "block_height", Show::Number),
    Column("first seen", "first_seen_at", Show::Time),
    Column("from", "from_address", Show::Text),
    Column("replaced by", "replaced_by", Show::Text),
];

const REQUESTS: &[Column] = &[
    Column("request", "request_id", Show::Text),
    Column("kind", "kind", Show::Text),
    Column("outcome", "outcome", Show::Status),
    Column("code", "code", Show::Text),
    Column("message", "message", Show::Text),
    Column("actor", "actor", Show::Text),
    Column("note", "note", Show::Text),
    Column("at", "at", Show::Time),
];

const EVENTS: &[Column] = &[
    Column("event", "seq", Show::Number),
    Column("version", "version", Show::Number),
    Column("kind", "kind", Show::Text),
    Column("from", "from_status", Show::Status),
    Column("to", "to_status", Show::Status),
    Column("reason", "reason", Show::Text),
    Column("recorded", "recorded_at", Show::Time),
];

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let reader = context.reader()?;
    let payment = existing(&reader, &arguments.payment_id)?;
    show(&reader, &payment, arguments, &mut context.screen)
}

/// The payment, or a failure that names it.
pub(super) fn existing(reader: &Reader, payment_id: &str) -> Result<Row, Failure> {
    let payment = only(&reader.payment(payment_id)?);
    payment.ok_or_else(|| Failure::failed(format!("there is no payment {payment_id:?}")))
}

fn show(
    reader: &Reader,
    payment: &Row,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let id = &arguments.payment_id;
    let (transfers, requests) = (rows(&reader.transfers(id)?), rows(&reader.requests_of(id)?));
    let events = rows(&reader.events_of(id)?);
    if arguments.json {
        return screen.json(&json!({
            "payment": payment, "transfers": transfers, "requests": requests, "events": events,
        }));
    }
    screen.fields(PAYMENT, payment)?;
    for (columns, rows) in [
        (TRANSFERS, transfers),
        (REQUESTS, requests),
        (EVENTS, events),
    ] {
        if !rows.is_empty() {
            screen.line("")?;
            screen.table(columns, &rows)?;
        }
    }
    Ok(())
}
