//! What a gateway has read of the journal: nothing of it may ever change or go away again.

use crate::confirmd::ledger::{Ledger, Row};

/// The events that were read so far, and from which database.
#[derive(Default)]
pub struct Reading {
    events: Vec<Row>,
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

    /// Reads everything again, first as the reader that was there all the time, then as one that has just
    /// come and finds what a dead process left: both see all that was read before.
    pub fn read_again(&mut self, ledger: &Ledger) {
        self.compare(ledger);
        let reopened = ledger.reopen();
        reopened.expect("a database that another user can open");
        self.compare(ledger);
        self.read_on(ledger);
        let id = ledger
            .query("SELECT database_id FROM v1_meta", &[])
            .remove(0);
        let known = self.database_id.get_or_insert_with(|| id.clone());
        assert_eq!(*known, id, "consumers would have to begin anew");
    }

    fn compare(&self, ledger: &Ledger) {
        let now = ledger.query("SELECT * FROM v1_event ORDER BY seq", &[]);
        assert!(
            now.len() >= self.events.len(),
            "{} events were read, {} are left",
            self.events.len(),
            now.len()
        );
        for (before, now) in self.events.iter().zip(&now) {
            assert_eq!(before, now, "an event that was read has changed");
        }
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }
}
