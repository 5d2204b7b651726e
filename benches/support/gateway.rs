//! What a gateway does: it appends to the inbox, and reads the public views as another process.

use super::payments::{self, Side};
use confirmd::{
    domain::time::UnixMs,
    store::inbox::{InboxWriter, NewRequest},
};
use rusqlite::{Connection, OpenFlags, Params};
use std::{
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Between two looks at the database.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Longer than anything that is measured takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// How old a request is that says so.
const AGO_MS: i64 = 10 * 60 * 1000;

/// A gateway's connections.
pub struct Gateway {
    inbox: InboxWriter,
    views: Connection,
}

impl Gateway {
    /// Of the databases in a measurement's folder.
    pub fn open(folder: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let views = Connection::open_with_flags(folder.join("data/confirmd.db"), flags)
            .expect("a readable database");
        Self {
            inbox: InboxWriter::open(&folder.join("inbox/inbox.db")).expect("a writable inbox"),
            views,
        }
    }

    /// Asks for these payments in one transaction.
    pub fn register(&mut self, side: Side, numbers: impl Iterator<Item = u64>) {
        let requests: Vec<NewRequest> = numbers.map(|n| request(side, n)).collect();
        self.inbox.insert_all(&requests).expect("a written inbox");
    }

    /// Asks for a payment from some minutes ago whose deadline is now.
    pub fn register_for_now(&mut self, n: u64) {
        let mut request = request(Side::Bitcoin, n);
        let mut body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        body["expires_at"] = now().0.into();
        request.body = body.to_string();
        request.created_at = UnixMs(now().0 - AGO_MS);
        self.inbox.insert_all(&[request]).expect("a written inbox");
    }

    /// How many rows a view has.
    pub fn count(&self, view: &str) -> u64 {
        let sql = format!("SELECT count(*) FROM {view}");
        let count: i64 = self
            .views
            .query_row(&sql, [], |row| row.get(0))
            .expect("a readable database");
        u64::try_from(count).expect("a count")
    }

    /// Waits until a view has at least so many rows.
    pub fn wait_for_count(&self, view: &str, wanted: u64) {
        let began = Instant::now();
        while self.count(view) < wanted {
            assert!(began.elapsed() < PATIENCE, "waited in vain for {view}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether there is a row.
    pub fn has_row(&self, of: &str, of_whom: String) -> bool {
        let sql = format!("SELECT 1 FROM {of}");
        let mut statement = self.views.prepare_cached(&sql).expect("a view");
        statement.exists([of_whom]).expect("a readable database")
    }

    /// Waits for the first row, and says how long after `since` it was read.
    pub fn wait_for_row(&self, of: &str, params: impl Params + Copy, since: Instant) -> Duration {
        let sql = format!("SELECT 1 FROM {of}");
        let mut statement = self.views.prepare_cached(&sql).expect("a view");
        loop {
            if statement.exists(params).expect("a readable database") {
                return since.elapsed();
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain for {of}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn request(side: Side, n: u64) -> NewRequest {
    let row = payments::registration(side, n, now(), None);
    NewRequest {
        request_id: row.request_id,
        kind: row.kind,
        payment_id: row.payment_id,
        body: row.body,
        actor: None,
        created_at: row.created_at,
    }
}

fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.expect("a clock past 1970").as_millis();
    UnixMs(i64::try_from(ms).expect("a near future"))
}
