//! Waiting until a view shows what it must, and saying everything that is known when it does not.

use std::time::Instant;

use serde_json::{Value, json};

use super::ledger::Row;
use super::{Confirmd, LIMIT};
use crate::nodes::anvil::Anvil;
use crate::nodes::bitcoind::Bitcoind;

/// The columns of `wanted` that a row does not have as wanted: name, found, wanted.
pub fn differences(row: &Row, wanted: &Value) -> Vec<String> {
    let wanted = wanted.as_object().expect("columns and values");
    wanted
        .iter()
        .filter(|(column, value)| row[column.as_str()] != **value)
        .map(|(column, value)| format!("{column} is {}, not {value}", row[column.as_str()]))
        .collect()
}

/// Panics unless a row has these columns.
#[track_caller]
pub fn assert_row(row: &Row, wanted: &Value) {
    let differences = differences(row, wanted);
    assert!(
        differences.is_empty(),
        "{}\nin {row:#}",
        differences.join("; ")
    );
}

impl Confirmd {
    /// Waits until the payment has these columns; the row.
    #[track_caller]
    pub fn await_payment(&self, id: &str, wanted: &Value) -> Row {
        self.await_row(&format!("payment {id}"), id, wanted, || {
            self.ledger().payment(id)
        })
    }

    /// Waits until the payment has this status; the row.
    #[track_caller]
    pub fn await_status(&self, id: &str, status: &str) -> Row {
        self.await_payment(id, &json!({"status": status}))
    }

    /// Waits until a transfer of the payment has these columns; the row.
    #[track_caller]
    pub fn await_transfer(&self, id: &str, txid: &str, wanted: &Value) -> Row {
        self.await_row(&format!("transfer {txid} of {id}"), id, wanted, || {
            let mut rows = self.ledger().transfers(id).into_iter();
            rows.find(|row| row["txid"] == txid)
        })
    }

    /// Waits until the journal has an entry of the payment with these columns; the entry.
    #[track_caller]
    pub fn await_event(&self, id: &str, wanted: &Value) -> Row {
        self.await_row(&format!("an event of {id}"), id, wanted, || {
            let events = self.ledger().events(id);
            let fits = |event: &&Row| differences(event, wanted).is_empty();
            events.iter().find(fits).or(events.last()).cloned()
        })
    }

    /// Waits until the request has its outcome; the row.
    #[track_caller]
    pub fn await_outcome(&self, request_id: &str) -> Row {
        self.await_row(&format!("request {request_id}"), "", &json!({}), || {
            self.ledger().outcome(request_id)
        })
    }

    /// Waits until the request has this outcome; the row.
    #[track_caller]
    pub fn await_applied(&self, request_id: &str) -> Row {
        let row = self.await_outcome(request_id);
        assert_eq!(row["outcome"], "applied", "{row:#}");
        row
    }

    /// Waits until the request was refused with this code; the row.
    #[track_caller]
    pub fn await_refused(&self, request_id: &str, code: &str) -> Row {
        let row = self.await_outcome(request_id);
        assert_eq!(
            (&row["outcome"], &row["code"]),
            (&json!("refused"), &json!(code)),
            "{row:#}"
        );
        assert!(
            row["message"]
                .as_str()
                .is_some_and(|text| text.contains(' ')),
            "{row:#}"
        );
        row
    }

    /// Waits until the chain has these columns; the row.
    #[track_caller]
    pub fn await_chain(&self, name: &str, wanted: &Value) -> Row {
        self.await_row(&format!("chain {name}"), "", wanted, || {
            self.ledger().chain(name)
        })
    }

    /// Waits until every block of the node is recorded.
    #[track_caller]
    pub fn await_bitcoin(&self, node: &Bitcoind) -> Row {
        let (height, hash) = (node.height(), node.tip());
        let tip = json!({"scanned_height": height, "scanned_hash": hash, "healthy": 1});
        self.await_chain("bitcoin", &tip)
    }

    /// Waits until every block of the node is recorded.
    #[track_caller]
    pub fn await_ethereum(&self, anvil: &Anvil) -> Row {
        let height = anvil.block_number();
        let hash = anvil.hash_at(height).to_string();
        let tip = json!({"scanned_height": height, "scanned_hash": hash, "healthy": 1});
        self.await_chain("ethereum", &tip)
    }

    /// Waits until the log has a line with this text.
    #[track_caller]
    pub fn await_log(&self, text: &str) {
        self.await_true(&format!("{text:?} in the log"), || {
            self.log().contains(text)
        });
    }

    /// Waits until something holds.
    #[track_caller]
    pub fn await_true(&self, what: &str, mut holds: impl FnMut() -> bool) {
        self.await_row(what, "", &json!({}), || holds().then_some(Value::Null));
    }

    #[track_caller]
    fn await_row(
        &self,
        what: &str,
        payment_id: &str,
        wanted: &Value,
        mut look: impl FnMut() -> Option<Row>,
    ) -> Row {
        let deadline = Instant::now() + LIMIT;
        loop {
            let found = look();
            match &found {
                Some(row) if differences(row, wanted).is_empty() => return row.clone(),
                _ if Instant::now() < deadline => std::thread::sleep(crate::nodes::POLL_EVERY),
                _ => panic!(
                    "waited {LIMIT:?} in vain for {what}\nwanted: {wanted}\nfound: {found:#?}\n{}",
                    self.story(payment_id)
                ),
            }
        }
    }

    /// Everything that the views tell about a payment, for a failing test.
    fn story(&self, payment_id: &str) -> String {
        let ledger = self.ledger();
        let rows = [
            ledger.payment(payment_id).into_iter().collect(),
            ledger.transfers(payment_id),
            ledger.query("SELECT * FROM v1_chain", &[]),
        ];
        let events = ledger.events(payment_id).into_iter().map(|event| {
            let fields = ["seq", "kind", "from_status", "to_status", "reason"];
            format!(
                "event {}",
                fields.map(|field| event[field].to_string()).join(" ")
            )
        });
        let rows = rows.iter().flatten().map(Row::to_string);
        rows.chain(events).collect::<Vec<_>>().join("\n")
    }

    /// The statuses that a payment went through, oldest first.
    pub fn path(&self, id: &str) -> Vec<String> {
        let mut path: Vec<String> = Vec::new();
        for event in self.ledger().events(id) {
            if let Some(status) = event["to_status"].as_str()
                && path.last().is_none_or(|last| last != status)
            {
                path.push(status.to_owned());
            }
        }
        path
    }

    /// How often the journal has an entry of this kind for the payment.
    pub fn count_events(&self, id: &str, kind: &str) -> usize {
        let events = self.ledger().events(id);
        events.iter().filter(|event| event["kind"] == kind).count()
    }
}
