//! Where the tests of a sandbox stand: its temporary files, and one that stays with a gateway beside it.

use crate::{
    confirmd::now_ms,
    nodes::{send_signal, wait_for},
};
use nix::sys::signal::Signal;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

pub const CONFIRMD: &str = env!("CARGO_BIN_EXE_confirmd");

/// Far longer than anything here takes on an idle machine.
pub const LIMIT: Duration = Duration::from_mins(2);

/// What a gateway asks for.
pub fn order(asset: &str, amount: &str) -> Value {
    let address = match asset {
        "BTC" => "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        _ => "0x00000000000000000000000000000000000a11ce",
    };
    json!({ "asset": asset, "address": address, "amount": amount })
}

/// Where a sandbox may leave things: its temporary files, and the file by which it is found.
pub struct Ground {
    dir: TempDir,
}

impl Ground {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // As root, commands that write the inbox go on as a user who must get through here.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["tmp", "run"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(CONFIRMD);
        command.args(arguments);
        command
    }

    /// Any program, which stands here as well.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A sandbox that stays, ready.
    pub fn stay(&self, arguments: &[&str]) -> Sandbox<'_> {
        let all = [&["sandbox", "--stay"], arguments].concat();
        self.started(self.command(&all))
    }

    /// The one that this command starts, ready.
    pub fn started(&self, mut command: Command) -> Sandbox<'_> {
        let said = File::create(self.path("said")).unwrap();
        let mut process = command
            .stdout(said)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let facts = wait_for("the sandbox", LIMIT, || {
            assert_eq!(process.try_wait().unwrap(), None, "it ended");
            let file = fs::read_dir(self.path("run")).unwrap().next()?.unwrap();
            serde_json::from_slice(&fs::read(file.path()).ok()?).ok()
        });
        Sandbox {
            ground: self,
            process,
            facts,
        }
    }

    pub fn left_behind(&self) -> Vec<PathBuf> {
        let inside = |name: &str| fs::read_dir(self.path(name)).unwrap();
        let all = inside("tmp").chain(inside("run"));
        all.map(|entry| entry.unwrap().path()).collect()
    }
}

/// A sandbox that stays, and a gateway beside it.
pub struct Sandbox<'a> {
    ground: &'a Ground,
    process: Child,
    facts: Value,
}

impl Sandbox<'_> {
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    /// Registers as a gateway does, by its own clock.
    pub fn register(&self, id: &str, body: &Value) {
        let inbox = Connection::open(self.fact("inbox")).unwrap();
        inbox.busy_timeout(LIMIT).unwrap();
        inbox
            .execute(
                "INSERT OR IGNORE INTO request (request_id, kind, payment_id, body, actor, created_at)
                 VALUES (?1, 'register', ?2, ?3, 'gateway', ?4)",
                params![format!("register-{id}"), id, body.to_string(), now_ms()],
            )
            .unwrap();
        self.until(id, "new", "");
    }

    pub fn column<T: rusqlite::types::FromSql>(&self, id: &str, what: &str) -> Option<T> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(self.fact("database"), flags).unwrap();
        database.busy_timeout(LIMIT).unwrap();
        let sql = format!("SELECT {what} FROM v1_payment WHERE payment_id = ?1");
        let value = database.query_row(&sql, [id], |row| row.get(0));
        value.ok()
    }

    pub fn until(&self, id: &str, status: &str, reason: &str) {
        wait_for(&format!("{id} to be {status} {reason}"), LIMIT, || {
            let state: String = self.column(id, "status || ' ' || ifnull(reason, '')")?;
            (state == format!("{status} {reason}")).then_some(())
        });
    }

    /// Every status that a payment ever had, one after the other.
    pub fn path_of(&self, id: &str) -> Vec<String> {
        let database = Connection::open(self.fact("database")).unwrap();
        let mut statement = database
            .prepare(
                "SELECT to_status FROM v1_event WHERE payment_id = ?1
                 AND kind IN ('registered', 'status', 'reversed') ORDER BY seq",
            )
            .unwrap();
        let rows = statement.query_map([id], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A request to the endpoint: its HTTP status and answer.
    pub fn request(&self, head: &str, body: &str) -> (u16, Value) {
        self.send(head, "Content-Type: application/json\r\n", body)
    }

    /// The same with this header, if any.
    pub fn send(&self, head: &str, header: &str, body: &str) -> (u16, Value) {
        let at = self.fact("control");
        let mut stream = TcpStream::connect(at).unwrap();
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {header}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    pub fn post(&self, deed: &str, body: &Value) -> Value {
        let (status, answer) = self.request(&format!("POST /{deed}"), &body.to_string());
        assert_eq!(status, 200, "{deed}: {answer}");
        answer
    }

    /// The same from a second terminal.
    pub fn sandbox(&self, arguments: &[&str]) -> Output {
        let output = self.ground.run(&[&["sandbox"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        output
    }

    /// What it wrote to its standard output.
    pub fn said(&self) -> String {
        fs::read_to_string(self.ground.path("said")).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, signal: Signal) {
        send_signal(self.process.id(), signal);
    }

    /// Ends it by this signal; its exit code.
    pub fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        let status = wait_for("the sandbox to end", LIMIT, || {
            self.process.try_wait().unwrap()
        });
        status.code()
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
