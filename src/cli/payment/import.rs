//! `payment import`: many registrations from a file of JSON lines.
//!
//! Each line is a registration's body with `payment_id` beside it, and `request_id` where the
//! caller has one. Nothing is written unless every line can be read.

use crate::{
    cli::{
        Context, Exit,
        failure::Failure,
        inbox::{self, Author, derived_id},
    },
    store::inbox::{InboxWriter, Inserted, NewRequest},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

/// How many rows one transaction holds: other writers wait for at most this many.
const BATCH: usize = 500;

/// How many wrong lines are named: enough to see what is wrong with a file.
const MAX_NAMED: usize = 20;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The file; - reads standard input.
    #[arg(value_name = "FILE.jsonl")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Result<(), Failure> {
    let database = context.database()?;
    let requests = read(&arguments.file)?;
    let mut writer = inbox::open(&database)?;
    let new = write_all(&mut writer, &requests, context.screen.is_terminal)?;
    let known = requests.len().saturating_sub(new);
    let known = match known {
        0 => String::new(),
        known => format!(", {known} were queued before"),
    };
    context
        .screen
        .line(&format!("{new} registrations queued{known}"))
}

fn read(file: &PathBuf) -> Result<Vec<NewRequest>, Failure> {
    let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    parse(input, &Author::current())
}

/// Every line as a request, or what is wrong with the first of them.
fn parse(input: impl BufRead, author: &Author) -> Result<Vec<NewRequest>, Failure> {
    let (mut requests, mut wrong) = (Vec::new(), Vec::new());
    for (line, number) in input.lines().zip(1_u64..) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match registration(&line, author) {
            Ok(request) => requests.push(request),
            Err(message) => wrong.push(format!("line {number}: {message}")),
        }
        if wrong.len() >= MAX_NAMED {
            break;
        }
    }
    if wrong.is_empty() {
        return Ok(requests);
    }
    wrong.push("nothing was queued".to_owned());
    Err(Failure::failed(wrong.join("\n")))
}

fn registration(line: &str, author: &Author) -> Result<NewRequest, String> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("is no JSON object ({error})"))?;
    let payment_id = take_text(&mut fields, "payment_id")?.ok_or("has no payment_id")?;
    let request_id = take_text(&mut fields, "request_id")?
        .unwrap_or_else(|| derived_id(&format!("register {payment_id} {fields:?}")));
    author
        .request(
            Some(request_id),
            "register",
            &payment_id,
            &Value::Object(fields),
        )
        .map_err(|failure| failure.message)
}

fn take_text(fields: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match fields.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a {key} that is no text")),
    }
}

fn write_all(
    writer: &mut InboxWriter,
    requests: &[NewRequest],
    with_bar: bool,
) -> Result<usize, Failure> {
    let bar = if with_bar {
        bar(requests.len())
    } else {
        ProgressBar::hidden()
    };
    let mut new = 0_usize;
    for batch in requests.chunks(BATCH) {
        let inserted = writer.insert_all(batch)?;
        let added = inserted
            .iter()
            .filter(|outcome| **outcome != Inserted::Known);
        new = new.saturating_add(added.count());
        bar.inc(u64::try_from(batch.len()).unwrap_or(0));
    }
    bar.finish_and_clear();
    Ok(new)
}

fn bar(count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Result<Vec<NewRequest>, Failure> {
        parse(text.as_bytes(), &Author::current())
    }

    #[test]
    fn each_line_is_a_registration() {
        let text = "{\"payment_id\":\"a\",\"asset\":\"BTC\",\"amount\":\"1\",\"address\":\"x\"}\n\n\
                    {\"payment_id\":\"b\",\"request_id\":\"r\",\"asset\":\"BTC\"}\n";
        let requests = parsed(text).unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].payment_id, "a");
        let body: Value = serde_json::from_str(&requests[0].body).unwrap();
        assert_eq!(
            body,
            json!({ "asset": "BTC", "amount": "1", "address": "x" })
        );
        assert_eq!(
            (requests[1].kind.as_str(), requests[1].request_id.as_str()),
            ("register", "r")
        );
    }

    #[test]
    fn the_same_line_gets_the_same_request_id_and_another_line_another() {
        let id = |text: &str| parsed(text).unwrap()[0].request_id.clone();
        let line = "{\"payment_id\":\"a\",\"amount\":\"1\"}";
        assert_eq!(id(line), id("{ \"amount\": \"1\", \"payment_id\": \"a\" }"));
        assert_ne!(id(line), id("{\"payment_id\":\"a\",\"amount\":\"2\"}"));
        assert_ne!(id(line), id("{\"payment_id\":\"b\",\"amount\":\"1\"}"));
    }

    #[test]
    fn wrong_lines_are_all_named_and_nothing_is_queued() {
        let text = "{\"payment_id\":\"a\"}\nnonsense\n{\"asset\":\"BTC\"}\n{\"payment_id\":7}\n\
                    {\"payment_id\":\"a b\"}\n";
        let message = parsed(text).unwrap_err().message;
        let lines: Vec<_> = message
            .lines()
            .map(|line| &line[..line.len().min(28)])
            .collect();
        assert_eq!(
            lines,
            [
                "line 2: is no JSON object (e",
                "line 3: has no payment_id",
                "line 4: has a payment_id tha",
                "line 5: \"a b\" is no payment ",
                "nothing was queued",
            ]
        );
    }

    #[test]
    fn only_the_first_wrong_lines_of_a_wrong_file_are_named() {
        let message = parsed(&"x\n".repeat(1000)).unwrap_err().message;
        assert_eq!(message.lines().count(), MAX_NAMED + 1);
    }
}
