//! Writing requests, and waiting for what becomes of them.
//!
//! Knows how a request is identified and signed; must not judge one: the daemon does.

use super::{
    Context, Exit,
    failure::Failure,
    open::{open_reader, require_reach},
    rows::{Row, only_within},
    screen::{Screen, harmless},
};
use crate::{
    clock::{Clock, SystemClock},
    config::{self, Database},
    domain::{
        payment::PaymentId,
        time::{SpanMs, UnixMs},
    },
    store::{
        inbox::{InboxWriter, NewRequest, become_inbox_writer},
        reader::Reader,
    },
};
use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use std::{fs::File, io::Read, time::Duration};

/// How often a waiting command looks whether its request has an outcome.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// What every command that writes a request takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Sending {
    /// The request's own id; repeating a request under the same id does nothing twice.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// How long to wait for the daemon's answer; 0s only leaves the request.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::span)]
    wait: SpanMs,
    /// The outcome as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What every request needs beside its kind and body.
pub(super) struct Author {
    actor: String,
    pub(super) now: UnixMs,
}

impl Author {
    /// The user who calls, at this moment. Only a claim, like every actor in the inbox.
    pub(super) fn current() -> Self {
        Self::called(&format!("operator:{}", user_name()))
    }

    /// Who is no user, at this moment.
    pub(super) fn called(name: &str) -> Self {
        Self {
            actor: name.to_owned(),
            now: SystemClock::new().now().wall,
        }
    }

    /// How the author is called.
    pub(super) fn name(&self) -> &str {
        &self.actor
    }

    /// A request by this author; `None` as id takes a random one.
    pub(super) fn request(
        &self,
        request_id: Option<String>,
        kind: &str,
        payment_id: &str,
        body: &Value,
    ) -> Result<NewRequest, Failure> {
        Ok(NewRequest {
            request_id: request_id.map_or_else(random_id, Ok)?,
            kind: kind.to_owned(),
            payment_id: valid_id(payment_id)?,
            body: body.to_string(),
            actor: Some(self.actor.clone()),
            created_at: self.now,
        })
    }
}

/// Under sudo the person, not root.
fn user_name() -> String {
    let uid = Uid::current();
    let person = std::env::var("SUDO_USER").ok();
    if let Some(person) = person.filter(|_| uid.is_root()) {
        return person;
    }
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// A random UUID (version 4), for requests and for payments that nobody named.
pub(super) fn random_id() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    Ok(id.to_string())
}

/// An id that the same text always gets (UUID version 8 of a hash), so that repeating an import
/// registers nothing twice.
pub(super) fn derived_id(text: &str) -> String {
    let hash = alloy_primitives::keccak256(text);
    let mut bytes = [0_u8; 16];
    for (byte, from) in bytes.iter_mut().zip(hash) {
        *byte = from;
    }
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// The id when a payment may have it.
pub(super) fn valid_id(payment_id: &str) -> Result<String, Failure> {
    PaymentId::new(payment_id)
        .map(|id| id.as_str().to_owned())
        .ok_or_else(|| {
            let message = format!(
                "{payment_id:?} is no payment id; write 1 to {} printable ASCII characters \
                 without spaces",
                PaymentId::MAX_LEN
            );
            Failure::new(Exit::Usage, message)
        })
}

/// A body without the fields that nobody gave.
pub(super) fn body(fields: Value) -> Value {
    let Value::Object(fields) = fields else {
        return fields;
    };
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    given.collect()
}

/// Writes one request, waits as long as wanted, and shows what became of it.
pub(super) fn send_one(
    sending: &Sending,
    kind: &str,
    payment_id: &str,
    body: &Value,
    context: &mut Context,
) -> Result<(), Failure> {
    let request = Author::current().request(sending.request_id.clone(), kind, payment_id, body)?;
    let database = context.database()?;
    // Opened before root's rights are given up for the inbox: the readers' group may be another.
    let reader = open_reader(&database).ok();
    open(&database)?.insert(&request)?;
    let outcome = await_outcome(reader.as_ref(), &request.request_id, sending.wait)?;
    show(&request, outcome.as_ref(), sending, &mut context.screen)
}

fn await_outcome(
    reader: Option<&Reader>,
    request_id: &str,
    wait: SpanMs,
) -> Result<Option<Row>, Failure> {
    let Some(reader) = reader else {
        return Ok(None);
    };
    let wait_ms = u64::try_from(wait.0).unwrap_or(0);
    let look = || reader.request(request_id);
    Ok(only_within(wait_ms, LOOK_INTERVAL, look)?)
}

fn show(
    request: &NewRequest,
    outcome: Option<&Row>,
    sending: &Sending,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let of = |key: &str| outcome.and_then(|row| row.get(key)?.as_str());
    let word = of("outcome").unwrap_or("queued");
    let (code, message) = (of("code").unwrap_or(""), of("message").unwrap_or(""));
    let refusal = || {
        harmless(&format!(
            "{}: refused ({code}): {message}",
            request.payment_id
        ))
    };
    if sending.json {
        screen.json(&json!({
            "request_id": request.request_id, "payment_id": request.payment_id,
            "kind": request.kind, "outcome": word, "code": of("code"), "message": of("message"),
        }))?;
    } else if word != "refused" {
        screen.line(&sentence(request, word, message, sending.wait))?;
    }
    match word {
        "refused" if sending.json => Err(Failure::failed("")),
        "refused" => Err(Failure::failed(refusal())),
        _ => Ok(()),
    }
}

fn sentence(request: &NewRequest, word: &str, message: &str, wait: SpanMs) -> String {
    let NewRequest {
        kind,
        payment_id,
        request_id,
        ..
    } = request;
    match word {
        "queued" if wait.0 == 0 => format!("{payment_id}: {kind} is queued as {request_id}"),
        "queued" => format!(
            "{payment_id}: {kind} is queued as {request_id}; it is not answered yet, because the \
             daemon does not run or waits for its nodes"
        ),
        "applied" if message.is_empty() => format!("{payment_id}: {kind} is done"),
        _ => harmless(&format!("{payment_id}: {kind}: {word}: {message}"))
            .trim_end_matches([' ', ':'])
            .to_owned(),
    }
}

/// The inbox, opened as a user that may write nothing else.
pub(super) fn open(database: &Database) -> Result<InboxWriter, Failure> {
    let path = &database.inbox;
    require_reach(path, database.inbox_group.as_deref())?;
    become_inbox_writer(path)?;
    Ok(InboxWriter::open(path)?)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        super::screen::tests::{row, screen},
        *,
    };

    fn author() -> Author {
        Author {
            actor: "operator:test".to_owned(),
            now: UnixMs(1_000),
        }
    }

    fn request() -> NewRequest {
        let id = Some("r-1".to_owned());
        author()
            .request(id, "cancel", "order-1", &json!({}))
            .unwrap()
    }

    fn sending(json: bool, wait: i64) -> Sending {
        Sending {
            request_id: None,
            wait: SpanMs(wait),
            json,
        }
    }

    /// What is shown and how the command ends for an outcome.
    fn shown(outcome: Option<Value>, json: bool, wait: i64) -> (String, Result<(), Failure>) {
        let (mut screen, shown) = screen(false);
        let result = show(
            &request(),
            outcome.map(row).as_ref(),
            &sending(json, wait),
            &mut screen,
        );
        (shown.text(), result)
    }

    #[test]
    fn a_random_id_is_a_new_uuid_each_time() {
        let (a, b) = (random_id().unwrap(), random_id().unwrap());
        assert_ne!(a, b);
        assert_eq!(Uuid::parse_str(&a).unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_derived_id_depends_on_the_text_alone() {
        assert_eq!(derived_id("a"), derived_id("a"));
        assert_ne!(derived_id("a"), derived_id("b"));
        assert_eq!(
            Uuid::parse_str(&derived_id("a")).unwrap().get_version_num(),
            8
        );
    }

    #[test]
    fn a_payment_id_that_no_payment_may_have_is_a_usage_error() {
        for id in ["", "with space", "é", &"x".repeat(129)] {
            let failure = author()
                .request(None, "cancel", id, &json!({}))
                .unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{id:?}");
        }
    }

    #[test]
    fn a_body_has_only_what_was_given() {
        assert_eq!(
            body(json!({ "note": null, "amount": "1" })),
            json!({ "amount": "1" })
        );
    }

    #[test]
    fn a_request_without_an_outcome_is_queued_and_no_failure() {
        let (text, result) = shown(None, false, 0);
        assert_eq!(text, "order-1: cancel is queued as r-1\n");
        assert_eq!(result, Ok(()));
        assert!(shown(None, false, 1).0.contains("it is not answered yet"));
    }

    #[test]
    fn an_applied_request_is_done() {
        let applied = json!({ "outcome": "applied", "code": null, "message": null });
        assert_eq!(
            shown(Some(applied), false, 0),
            ("order-1: cancel is done\n".to_owned(), Ok(()))
        );
        let again = json!({ "outcome": "duplicate", "code": "duplicate", "message": "known" });
        assert_eq!(
            shown(Some(again), false, 0),
            ("order-1: cancel: duplicate: known\n".to_owned(), Ok(()))
        );
    }

    #[test]
    fn a_refused_request_fails_with_the_reason() {
        let refused =
            json!({ "outcome": "refused", "code": "has_money", "message": "money is live" });
        let (text, result) = shown(Some(refused.clone()), false, 0);
        assert_eq!(text, "");
        let failure = result.unwrap_err();
        assert_eq!(
            failure.message,
            "order-1: refused (has_money): money is live"
        );
        assert_eq!(failure.exit, Exit::Failed);
        let (text, result) = shown(Some(refused), true, 0);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["outcome"], &value["code"]),
            (&json!("refused"), &json!("has_money"))
        );
        assert_eq!(result.unwrap_err().exit, Exit::Failed);
    }

    #[test]
    fn the_actor_names_the_unix_user() {
        let actor = request().actor.unwrap();
        assert_eq!(actor, "operator:test");
        let actor = Author::current().actor;
        assert!(
            actor.len() > "operator:".len() && actor.starts_with("operator:"),
            "{actor}"
        );
    }
}
