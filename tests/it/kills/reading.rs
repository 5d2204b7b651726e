//! What a gateway has read of the journal: nothing of it may ever change or go away again.

use crate::confirmd::ledger::{Ledger, Row};

/// The events that were read so far, and from which database.
#[derive(Default)]
pub struct Reading {
    events: Vec<Row>,
    /// How many of them were read again after a death.
    read_again: usize,
    database_id: Option<Row>,
}

impl Reading {
    /// Reads on, as a gateway does that polls; it must be able to at any moment.
    pub fn read_on(&mut self, ledger: &Ledger) {
        let last = self.events.len().to_string();
        let sql = "SELECT * FROM v1_event WHERE seq > CAST(? AS INTEGER) ORDER BY seq";
        for event in ledger.query(sql, &[&last]) {
            assert_eq!(event["seq"], self.events.len() + 1, "a hole in the journal");
            self.events.push(event);
        }
    }

    /// Reads again what was read since the last death, first as the reader that was there all the time, then
    /// as one that has just come and finds what a dead process left: both see all that was read before.
    pub fn read_again(&mut self, ledger: &Ledger) {
        self.compare(ledger, self.read_again);
        let reopened = ledger.reopen();
        reopened.expect("a database that another user can open");
        self.compare(ledger, self.read_again);
        self.read_again = self.events.len();
        self.read_on(ledger);
        let id = ledger
            .query("SELECT database_id FROM v1_meta", &[])
            .remove(0);
        let known = self.database_id.get_or_insert_with(|| id.clone());
        assert_eq!(*known, id, "consumers would have to begin anew");
    }

    /// All events but the first so many are there as they were.
    pub fn compare(&self, ledger: &Ledger, but: usize) {
        let sql = "SELECT * FROM v1_event WHERE seq > CAST(? AS INTEGER) ORDER BY seq";
        let now = ledger.query(sql, &[&but.to_string()]);
        let before = &self.events[but..];
        assert!(
            now.len() >= before.len(),
            "{} events were read, {} are left",
            before.len(),
            now.len()
        );
        for (before, now) in before.iter().zip(&now) {
            assert_eq!(before, now, "an event that was read has changed");
        }
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }
}
