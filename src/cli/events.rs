//! `events`: the journal, once or for ever.

use super::{
    Context,
    failure::Failure,
    rows::{Row, rows},
    screen::{Screen, harmless},
    time::readable,
};
use crate::store::reader::Reader;
use serde_json::Value;
use std::time::Duration;

/// How many entries are read at once: a long journal needs no more memory than a short one.
const BATCH: u32 = 500;

/// How often `--follow` looks whether somebody committed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Go on with new entries as they are recorded.
    #[arg(long)]
    follow: bool,
    /// Only entries behind this one; with --follow and without this, only new ones.
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let reader = context.reader()?;
    let mut after = match arguments.after {
        Some(seq) => seq,
        None if arguments.follow => reader.last_seq()?,
        None => 0,
    };
    let screen = &mut context.screen;
    if !arguments.json {
        screen.line(&line(&TITLES.map(str::to_owned)))?;
    }
    loop {
        // Before reading, so that a commit in between is seen by the next look.
        let version = reader.data_version()?;
        after = show_behind(&reader, after, arguments.json, screen)?;
        if !arguments.follow {
            return Ok(());
        }
        while reader.data_version()? == version {
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// Shows every entry behind `after` and says which was the last.
fn show_behind(
    reader: &Reader,
    mut after: i64,
    as_json: bool,
    screen: &mut Screen,
) -> Result<i64, Failure> {
    loop {
        let events = rows(&reader.events(after, BATCH)?);
        let Some(last) = events.last().and_then(|event| event.get("seq")?.as_i64()) else {
            return Ok(after);
        };
        for event in events {
            if as_json {
                screen.json(&Value::Object(event))?;
            } else {
                screen.line(&line(&parts(&event)))?;
            }
        }
        after = last;
    }
}

const TITLES: [&str; 6] = ["seq", "recorded", "kind", "payment", "version", "what"];

/// Fixed widths, because lines are shown as they come.
fn line([seq, at, kind, payment, version, what]: &[String; 6]) -> String {
    let line = format!("{seq:>8}  {at:20}  {kind:10}  {payment:24}  {version:>7}  {what}");
    line.trim_end().to_owned()
}

fn parts(event: &Row) -> [String; 6] {
    let text = |key: &str| match event.get(key) {
        Some(Value::String(text)) => harmless(text),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
            String::new()
        }
    };
    let at = event.get("recorded_at").and_then(Value::as_i64);
    let (from, to, reason) = (text("from_status"), text("to_status"), text("reason"));
    let step = match (from.as_str(), to.as_str()) {
        ("", to) => to.to_owned(),
        (from, to) if from == to => to.to_owned(),
        (from, to) => format!("{from} → {to}"),
    };
    let what = match reason.as_str() {
        "" => step,
        reason => format!("{step} ({reason})"),
    };
    let what = match (what.as_str(), attention(event).as_str()) {
        (_, "") => what,
        ("", word) => word.to_owned(),
        (step, word) => format!("{step}: {word}"),
    };
    [
        text("seq"),
        at.map(readable).unwrap_or_default(),
        text("kind"),
        text("payment_id"),
        text("version"),
        what,
    ]
}

/// The word for what a person should know: of a payment, or of a token with its name.
fn attention(event: &Row) -> String {
    let data = event.get("data");
    let word = |path: &str| {
        let found = data.and_then(|data| data.pointer(path));
        found.and_then(Value::as_str).map(harmless)
    };
    let of_token = word("/token/code").zip(word("/token/asset"));
    let of_token = of_token.map(|(code, asset)| format!("{code} {asset}"));
    word("/attention/code").or(of_token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::screen::tests::row, *};
    use serde_json::json;

    #[test]
    fn an_entry_is_one_line() {
        let event = row(json!({
            "seq": 7, "recorded_at": 1_795_305_168_000_i64, "kind": "status",
            "payment_id": "order-1", "version": 3, "from_status": "confirming",
            "to_status": "paid", "reason": "exact", "data": { "a": 1 },
        }));
        let shown = line(&parts(&event));
        let words: Vec<_> = shown
            .split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        assert_eq!(
            words,
            [
                "7",
                "2026-11-21 23:52:48Z",
                "status",
                "order-1",
                "3",
                "confirming → paid (exact)"
            ]
        );
    }

    #[test]
    fn an_entry_about_a_chain_has_no_payment() {
        let event =
            row(json!({ "seq": 1, "recorded_at": 0, "kind": "attention", "payment_id": null }));
        assert!(line(&parts(&event)).ends_with("attention"));
    }

    #[test]
    fn what_a_person_should_know_is_named() {
        let of_payment = json!({ "attention": { "code": "token_paused", "message": "…" } });
        let of_chain = json!({ "token": { "code": "token_paused", "asset": "USDT" } });
        for (status, data, said) in [
            (json!("new"), of_payment, "new: token_paused"),
            (json!(null), of_chain, "token_paused USDT"),
        ] {
            let event = json!({
                "seq": 1, "kind": "attention", "from_status": status, "to_status": status,
                "data": data,
            });
            assert!(line(&parts(&row(event))).ends_with(said), "{said}");
        }
    }
}
