//! What the database says to somebody else: a separate process, under another user where the tests run as
//! root, with another SQLite library, opens `confirmd.db` read-only and answers queries.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};
use serde_json::{Value, json};

use crate::nodes::POLL_EVERY;

/// The user that reads when the tests run as root.
pub const READER: &str = "nobody";

/// What passes by itself: a reader that may not write meets a writer in the middle of something.
const PASSING: [&str; 4] = ["locked", "busy", "readonly", "unable to open"];
const LIMIT: Duration = Duration::from_secs(10);

/// A row by its columns' names.
pub type Row = Value;

/// The reading process. Ended when dropped.
pub struct Ledger(RefCell<Reader>);

struct Reader {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Ledger {
    /// Starts a reader of this database; opens it at the first question.
    pub fn of(database: &Path) -> Self {
        let user = reading_user();
        let mut process = Command::new("python3")
            .args(["-c", include_str!("reader.py")])
            .arg(database)
            .args([user.uid.to_string(), user.gid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, which reads the database as a gateway would");
        let questions = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self(RefCell::new(Reader {
            process,
            questions,
            answers,
        }))
    }

    /// The rows of a query. Opens the database anew and asks again where the README tells gateways to.
    pub fn query(&self, sql: &str, params: &[&str]) -> Vec<Row> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.try_query(sql, params) {
                Ok(rows) => return rows,
                Err(error) => {
                    let passes = PASSING.iter().any(|word| error.contains(word));
                    let patient = passes && Instant::now() < deadline;
                    assert!(patient, "{sql} by a reader: {error}");
                }
            }
            let _ = self.reopen();
            thread::sleep(POLL_EVERY);
        }
    }

    /// The rows of a query, or SQLite's words.
    pub fn try_query(&self, sql: &str, params: &[&str]) -> Result<Vec<Row>, String> {
        self.ask(&json!([sql, params]))
    }

    /// Opens the database anew, as a gateway does that has just started.
    pub fn reopen(&self) -> Result<(), String> {
        self.ask(&json!("reopen")).map(|_| ())
    }

    /// The Unix user that reads.
    pub fn uid(&self) -> u32 {
        let answer = self.ask(&json!("who")).expect("an answer");
        let uid = answer[0]["uid"].as_u64().expect("a user id");
        u32::try_from(uid).expect("a user id")
    }

    fn ask(&self, question: &Value) -> Result<Vec<Row>, String> {
        let mut reader = self.0.borrow_mut();
        writeln!(reader.questions, "{question}").expect("a reader that listens");
        let mut answer = String::new();
        let read = reader.answers.read_line(&mut answer);
        read.expect("a reader that answers");
        let mut answer: Value = serde_json::from_str(&answer).expect("a reader that speaks JSON");
        match (answer["rows"].take(), answer["error"].as_str()) {
            (Value::Array(rows), _) => Ok(rows),
            (_, error) => Err(error.unwrap_or("no answer").to_owned()),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let process = &mut self.0.get_mut().process;
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// `nobody` when the tests run as root, else whoever runs them.
pub fn reading_user() -> User {
    let uid = Uid::effective();
    let user = if uid.is_root() {
        User::from_name(READER)
    } else {
        User::from_uid(uid)
    };
    user.expect("a user database").expect("a user to read as")
}

/// The views, a row or many at a time.
impl Ledger {
    pub fn payment(&self, id: &str) -> Option<Row> {
        let sql = "SELECT * FROM v1_payment WHERE payment_id = ?";
        self.query(sql, &[id]).pop()
    }

    /// The journal of one payment, oldest first; `data` is parsed.
    pub fn events(&self, id: &str) -> Vec<Row> {
        parsed(self.query(
            "SELECT * FROM v1_event WHERE payment_id = ? ORDER BY seq",
            &[id],
        ))
    }

    /// The whole journal, oldest first; `data` is parsed.
    pub fn journal(&self) -> Vec<Row> {
        parsed(self.query("SELECT * FROM v1_event ORDER BY seq", &[]))
    }

    /// The entries of payments to which something happened since their registration, oldest first.
    pub fn touched_journal(&self) -> Vec<Row> {
        let sql = "SELECT e.* FROM v1_payment AS p JOIN v1_event AS e USING (payment_id)
                    WHERE p.version > 1 ORDER BY e.seq";
        parsed(self.query(sql, &[]))
    }

    /// The credits of one payment, oldest first.
    pub fn transfers(&self, id: &str) -> Vec<Row> {
        let sql = "SELECT * FROM v1_transfer WHERE payment_id = ? \
                   ORDER BY first_seen_at, block_height, txid, position";
        self.query(sql, &[id])
    }

    pub fn chain(&self, name: &str) -> Option<Row> {
        self.query("SELECT * FROM v1_chain WHERE chain = ?", &[name])
            .pop()
    }

    /// What became of a request.
    pub fn outcome(&self, request_id: &str) -> Option<Row> {
        let sql = "SELECT * FROM v1_request WHERE request_id = ?";
        self.query(sql, &[request_id]).pop()
    }
}

fn parsed(mut events: Vec<Row>) -> Vec<Row> {
    for event in &mut events {
        let data = event["data"].as_str().expect("data in every event");
        event["data"] = serde_json::from_str(data).expect("data that is JSON");
    }
    events
}
