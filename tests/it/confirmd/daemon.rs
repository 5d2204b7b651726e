//! The daemon's process: its folder and configuration, starting, stopping, killing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Group, Uid};
use tempfile::TempDir;
use toml::Value;

use super::command::{self, CONFIRMD, Done};
use super::config::{Config, Followed};
use super::gateway::{Gateway, Registration};
use super::ledger::{Ledger, reading_user};
use super::{LIMIT, audit};
use crate::nodes::rpc::Rpc;
use crate::nodes::{free_port, scratch_folder, send_signal, wait_for};

/// How long the daemon may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Starts with other ports each, before the daemon itself is to blame.
const START_ATTEMPTS: u32 = 5;

/// How much of the log a failed test shows.
const LOG_TAIL_BYTES: u64 = 12_000;

/// A configuration in its folder, not yet used.
pub struct Setup {
    folder: TempDir,
    config: Config,
    env: Vec<(String, String)>,
}

/// A daemon with all that it keeps. Stopped and audited when dropped.
pub struct Confirmd {
    folder: TempDir,
    config: Config,
    env: Vec<(String, String)>,
    process: Option<Child>,
    ledger: Ledger,
    secrets: Vec<String>,
}

impl Setup {
    /// Adds another chain.
    pub fn and(mut self, node: &impl Followed) -> Self {
        node.configure(&mut self.config);
        self
    }

    /// Sets a key of the configuration by its dotted path.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.config.set(path, value);
        self
    }

    /// Removes a key or table of the configuration.
    pub fn remove(mut self, path: &str) -> Self {
        self.config.remove(path);
        self
    }

    /// The daemon's URL of its one Ethereum endpoint.
    pub fn endpoint(mut self, url: &str) -> Self {
        self.config.endpoint(url);
        self
    }

    /// Sets a variable of the daemon's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The daemon's files, made by `confirmd init`; the daemon itself does not run.
    pub fn init(self) -> Confirmd {
        let confirmd = self.configured();
        confirmd.command(&["init"]).ok();
        confirmd
    }

    /// Nothing but the configuration file.
    pub fn configured(self) -> Confirmd {
        let confirmd = Confirmd {
            ledger: Ledger::of(&self.folder.path().join("db/confirmd.db")),
            folder: self.folder,
            config: self.config,
            env: self.env,
            process: None,
            secrets: Vec::new(),
        };
        confirmd.write_config();
        confirmd
    }

    /// The running daemon.
    pub fn start(self) -> Confirmd {
        let mut confirmd = self.init();
        confirmd.start();
        confirmd
    }
}

/// Starting and stopping.
impl Confirmd {
    /// The configuration of a daemon that follows this node.
    pub fn with(node: &impl Followed) -> Setup {
        let folder = scratch_folder();
        let open = Permissions::from_mode(0o755); // other users pass through to the databases
        fs::set_permissions(folder.path(), open).expect("a folder of our own");
        let mut config = Config::default();
        let path = |name: &str| folder.path().join(name).display().to_string();
        config.set("database.path", path("db/confirmd.db"));
        config.set("database.inbox", path("inbox/inbox.db"));
        if Uid::effective().is_root() {
            let group = Group::from_gid(reading_user().gid).expect("a group database");
            let group = group.expect("the reader's group").name;
            config.set("database.group", group.as_str());
            config.set("database.inbox_group", group);
        }
        config.set("http.listen", format!("127.0.0.1:{}", free_port()));
        let setup = Setup {
            folder,
            config,
            env: Vec::new(),
        };
        setup.and(node)
    }

    /// Starts `confirmd run` and waits until it serves.
    pub fn start(&mut self) {
        for _ in 0..START_ATTEMPTS {
            self.spawn();
            if self.serves() {
                return;
            }
            assert!(
                self.log().contains("cannot listen"),
                "confirmd does not start: {}",
                self.log_tail()
            );
            self.config
                .set("http.listen", format!("127.0.0.1:{}", free_port()));
            self.write_config();
        }
        panic!("no free port for confirmd: {}", self.log_tail());
    }

    /// Starts `confirmd run` and waits for nothing.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log file");
        let process = Command::new(CONFIRMD)
            .arg("--config")
            .arg(self.config_file())
            .arg("run")
            .env("RUST_LOG", "info,confirmd=debug")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn();
        self.process = Some(process.expect("the binary under test"));
    }

    /// Whether it comes to serve; false when it ended instead.
    fn serves(&mut self) -> bool {
        let page = Rpc::new(self.http_port());
        wait_for("confirmd to serve", LIMIT, || {
            if self.exited().is_some() {
                return Some(false);
            }
            let (status, _) = page.get("/livez").ok()?;
            (status == 200).then_some(true)
        })
    }

    /// How it ended, when it ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        let status = process.try_wait().expect("a child of our own")?;
        self.process = None;
        Some(status)
    }

    /// Waits until it ends by itself; its exit code.
    pub fn await_exit(&mut self) -> i32 {
        let status = wait_for("confirmd to end", LIMIT, || self.exited());
        status.code().unwrap_or(-1)
    }

    /// Stops it by SIGTERM; it must end well and soon.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = wait_for("confirmd to stop", STOP_LIMIT, || self.exited());
        assert!(status.success(), "{status}: {}", self.log_tail());
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a child of our own");
            process.wait().expect("a child of our own");
        }
    }

    /// Stops it well and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("a running daemon");
        send_signal(process.id(), signal);
    }

    pub fn is_running(&mut self) -> bool {
        self.exited();
        self.process.is_some()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("a running daemon").id()
    }
}

/// What it has and how to talk to it.
impl Confirmd {
    /// Reads the views as another user.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn gateway(&self) -> Gateway {
        Gateway::new(self.inbox())
    }

    /// A registration of 0.015 BTC until something else is said; without an address.
    pub fn register(&self, payment_id: &str) -> Registration {
        self.gateway().register(payment_id)
    }

    /// Runs another command of `confirmd` with the same configuration.
    pub fn command(&self, args: &[&str]) -> Done {
        command::with_config(&self.config_file(), args)
    }

    /// A page of its listener: status and text.
    pub fn page(&self, path: &str) -> (u16, String) {
        let page = Rpc::new(self.http_port()).get(path);
        let (status, body) = page.unwrap_or_else(|error| panic!("{path}: {error}"));
        (status, String::from_utf8(body).expect("UTF-8"))
    }

    /// How it is known on Ethereum what contracts move.
    pub fn tracing(&self) -> String {
        let chain = self.ledger.chain("ethereum").unwrap_or_default();
        let method = chain.get("tracing").and_then(serde_json::Value::as_str);
        method.unwrap_or_default().to_owned()
    }

    /// The sum of a metric's series whose line starts with this, such as `confirmd_reorgs_total{chain="bitcoin"}`.
    pub fn metric(&self, prefix: &str) -> f64 {
        let (_, text) = self.page("/metrics");
        text.lines()
            .filter(|line| line.starts_with(prefix))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// Changes its configuration, for the next start.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        self.config.set(path, value);
        self.write_config();
    }

    /// Sets a variable of its environment, or takes it away, for the next start.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.env.retain(|(known, _)| known != name);
        self.env
            .extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// A text that may appear in nothing that the daemon writes; the audit looks for it.
    pub fn keep_secret(&mut self, secret: impl Into<String>) {
        self.secrets.push(secret.into());
    }

    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> PathBuf {
        self.folder().join("db/confirmd.db")
    }

    pub fn inbox(&self) -> PathBuf {
        self.folder().join("inbox/inbox.db")
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder().join("config.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("confirmd.log")
    }

    fn write_config(&self) {
        self.config.write(&self.config_file());
    }

    fn http_port(&self) -> u16 {
        let listen = self.config.get("http.listen");
        let (_, port) = listen
            .as_str()
            .expect("an address")
            .rsplit_once(':')
            .expect("a port");
        port.parse().expect("a port")
    }

    /// Everything that it logged since the folder was made.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The end of its log, for a failing test.
    pub fn log_tail(&self) -> String {
        let Ok(mut file) = File::open(self.log_file()) else {
            return "no log".to_owned();
        };
        let len = file.metadata().map_or(0, |found| found.len());
        let mut tail = Vec::new();
        let read = file
            .seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_BYTES)))
            .and_then(|_| file.read_to_end(&mut tail));
        read.expect("a log of our own");
        format!("log:\n{}", String::from_utf8_lossy(&tail))
    }
}

impl Confirmd {
    #[expect(
        clippy::print_stderr,
        reason = "shown with the failure of its test alone"
    )]
    fn show_log(&self) {
        eprintln!("{}", self.log_tail());
    }
}

impl Drop for Confirmd {
    fn drop(&mut self) {
        if thread::panicking() {
            self.show_log();
            self.kill();
        } else {
            audit::finish(self);
        }
    }
}
