//! `payment list`: payments that match, the last registered first.

use crate::{
    cli::{
        Context,
        failure::Failure,
        rows::{Row, rows},
        screen::{Column, Show},
    },
    domain::{status::Status, terms::DepthRule},
    store::reader::PaymentFilter,
};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only this status; may be given several times.
    #[arg(long, value_parser = status)]
    status: Vec<Status>,
    /// Only this asset.
    #[arg(long)]
    asset: Option<String>,
    /// Only this chain.
    #[arg(long)]
    chain: Option<String>,
    /// Only this address.
    #[arg(long)]
    address: Option<String>,
    /// Only those that a person should look at.
    #[arg(long)]
    review: bool,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

const COLUMNS: &[Column] = &[
    Column("payment", "payment_id", Show::Text),
    Column("status", "status", Show::Status),
    Column("reason", "reason", Show::Text),
    Column("asset", "asset", Show::Text),
    Column("expected", "amount_expected", Show::Number),
    Column("received", "amount_received", Show::Number),
    Column("conf", "confirmations", Show::Number),
    Column("of", "of", Show::Number),
    Column("review", "needs_review", Show::Warning),
    Column("flags", "flags", Show::Text),
    Column("expires", "expires_at", Show::Time),
    Column("changed", "updated_at", Show::Time),
];

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| {
        let names: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        format!("is not one of {}", names.join(", "))
    })
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let filter = PaymentFilter {
        statuses: arguments.status.clone(),
        asset: arguments.asset.clone(),
        chain: arguments.chain.clone(),
        address: arguments.address.clone(),
        needs_review: arguments.review,
    };
    let mut rows = rows(&context.reader()?.payments(&filter, arguments.limit)?);
    if !arguments.json {
        rows.iter_mut().for_each(add_depth);
    }
    context
        .screen
        .listing(COLUMNS, rows, arguments.json, "no such payments")
}

/// How deep money must be: so many confirmations, or what its block must be called.
fn add_depth(row: &mut Row) {
    let rule = row.get("depth_rule").and_then(Value::as_str);
    let is_called = rule != Some(DepthRule::Confirmations.as_str());
    let column = if is_called {
        "depth_rule"
    } else {
        "confirmations_required"
    };
    let depth = row.get(column).cloned().unwrap_or_default();
    row.insert("of".to_owned(), depth);
}
