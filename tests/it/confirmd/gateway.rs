//! The payment gateway: writes requests into `inbox.db` as the contract says, with rusqlite, whether or not
//! the daemon runs.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use super::now_ms;

/// Numbers the requests of this process, so that each has an id of its own.
static COMMANDS: AtomicU64 = AtomicU64::new(1);

/// Where requests are written.
#[derive(Clone, Debug)]
pub struct Gateway {
    inbox: PathBuf,
}

/// A registration under construction; written by [`submit`](Self::submit).
#[derive(Clone, Debug)]
pub struct Registration {
    gateway: Gateway,
    pub payment_id: String,
    request_id: String,
    created_at: i64,
    body: Map<String, Value>,
}

impl Gateway {
    pub fn new(inbox: PathBuf) -> Self {
        Self { inbox }
    }

    /// A connection to the inbox that waits for other writers.
    pub fn connect(&self) -> Connection {
        let connection = Connection::open(&self.inbox).expect("an inbox that can be written");
        connection
            .busy_timeout(Duration::from_secs(30))
            .expect("a busy timeout");
        connection
    }

    /// A registration of 0.015 BTC until something else is said; without an address.
    pub fn register(&self, payment_id: &str) -> Registration {
        Registration {
            gateway: self.clone(),
            payment_id: payment_id.to_owned(),
            request_id: format!("register-{payment_id}"),
            created_at: now_ms(),
            body: Map::from_iter([
                ("asset".to_owned(), json!("BTC")),
                ("amount".to_owned(), json!("0.015")),
            ]),
        }
    }

    /// Writes any request about a payment; its id.
    pub fn request(&self, kind: &str, payment_id: &str, body: &Value) -> String {
        let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{kind}-{payment_id}-{number}");
        self.insert(&request_id, kind, payment_id, &body.to_string(), now_ms());
        request_id
    }

    /// Writes one row as it is given.
    pub fn insert(&self, request_id: &str, kind: &str, payment_id: &str, body: &str, at: i64) {
        insert(&self.connect(), request_id, kind, payment_id, body, at)
            .unwrap_or_else(|error| panic!("the inbox refuses {kind} {payment_id}: {error}"));
    }

    /// The ids of all requests, in the order written.
    pub fn request_ids(&self) -> Vec<String> {
        let connection = self.connect();
        let mut ids = connection
            .prepare("SELECT request_id FROM request ORDER BY seq")
            .expect("an inbox");
        let rows = ids.query_map([], |row| row.get(0)).expect("requests");
        rows.map(|id| id.expect("a request id")).collect()
    }
}

/// Writes one row as it is given, on an open connection.
pub fn insert(
    inbox: &Connection,
    request_id: &str,
    kind: &str,
    payment_id: &str,
    body: &str,
    at: i64,
) -> rusqlite::Result<usize> {
    let sql =
        "INSERT OR IGNORE INTO request (request_id, kind, payment_id, body, actor, created_at)
               VALUES (?1, ?2, ?3, ?4, 'test', ?5)";
    inbox
        .prepare_cached(sql)?
        .execute(params![request_id, kind, payment_id, body, at])
}

impl Registration {
    /// Sets any field of the body.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body.insert(field.to_owned(), value.into());
        self
    }

    pub fn asset(self, code: &str) -> Self {
        self.with("asset", code)
    }

    pub fn address(self, address: impl Display) -> Self {
        self.with("address", format!("{address}"))
    }

    pub fn amount(self, amount: &str) -> Self {
        self.with("amount", amount)
    }

    /// The deadline, so many milliseconds after the request was written; before it when negative.
    pub fn expires_in_ms(self, span_ms: i64) -> Self {
        let at = now_ms() + span_ms;
        self.with("expires_at", at)
    }

    /// As if the gateway had written it so long ago.
    pub fn written_ago(mut self, span: Duration) -> Self {
        self.created_at -= i64::try_from(span.as_millis()).expect("a short span");
        self
    }

    pub fn request_id(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.request_id);
        self
    }

    pub fn body(&self) -> String {
        Value::Object(self.body.clone()).to_string()
    }

    /// Writes the request; its id.
    pub fn submit(self) -> String {
        let body = self.body();
        self.gateway.insert(
            &self.request_id,
            "register",
            &self.payment_id,
            &body,
            self.created_at,
        );
        self.request_id
    }
}
