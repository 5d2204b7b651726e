//! What the gateway of a world writes.

use super::World;
use crate::{
    domain::request::Request,
    watcher::{Input, Requests},
};

impl World {
    pub fn ask(&mut self, kind: &str, id: &str, body: &str) {
        let row = self.row(kind, id, body);
        self.give_rows(vec![row]);
    }

    /// The next row of the inbox, not given yet.
    pub fn row(&mut self, kind: &str, id: &str, body: &str) -> Request {
        self.seq += 1;
        let row = Request {
            seq: self.seq,
            request_id: format!("r{}", self.seq),
            kind: kind.to_owned(),
            payment_id: id.to_owned(),
            body: body.to_owned(),
            actor: None,
            created_at: self.now(),
        };
        self.rows.push(row.clone());
        row
    }

    /// What the inbox holds after a row.
    pub fn rows_after(&self, seq: i64) -> Vec<Request> {
        let later = self.rows.iter().filter(|row| row.seq > seq);
        later.cloned().collect()
    }

    pub fn give_rows(&mut self, rows: Vec<Request>) {
        self.give_rows_of("inbox", rows);
    }

    /// Rows of an inbox that may have replaced another.
    pub fn give_rows_of(&mut self, inbox_id: &str, rows: Vec<Request>) {
        let requests = Requests {
            inbox_id: inbox_id.to_owned(),
            rows,
        };
        self.watcher.handle(&Input::Requests(requests)).unwrap();
    }
}
