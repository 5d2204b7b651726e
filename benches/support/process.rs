//! The real daemon as a process of its own, on real nodes.

use super::{configuration::Setup, cpu};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long the daemon may take to be ready; a database of a million payments is checked first.
const START_LIMIT: Duration = Duration::from_mins(5);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running daemon. Killed when dropped.
pub struct Daemon {
    child: Child,
    http_port: u16,
}

impl Daemon {
    /// Starts it and waits until it judges payments of every chain.
    pub fn start(setup: &Setup) -> Self {
        let mut daemon = Self::launch(setup);
        daemon.wait_until(setup, Self::is_ready, LOOK_EVERY);
        daemon
    }

    /// Starts it and waits until it listens, which is before it follows a chain.
    pub fn start_listening(setup: &Setup) -> Self {
        let mut daemon = Self::launch(setup);
        let listens = |daemon: &Self| daemon.get("/livez").is_ok();
        daemon.wait_until(setup, listens, Duration::from_millis(1));
        daemon
    }

    fn launch(setup: &Setup) -> Self {
        let log = File::create(setup.folder.join("confirmd.log")).expect("a log");
        let executable = executable();
        let child = Command::new(&executable)
            .arg("--config")
            .arg(setup.file())
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build it first: cargo build",
                executable.display()
            )
        });
        Self {
            child,
            http_port: setup.http_port,
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What all its threads have taken of the processor since its start.
    pub fn cpu_taken(&self) -> Duration {
        cpu::taken_by(self.id())
    }

    /// A metric that counts, over all of its series whose labels contain this text.
    pub fn counted(&self, metric: &str, labels: &str) -> u64 {
        let page = self.get("/metrics").expect("metrics");
        let series = page
            .lines()
            .filter(|line| line.starts_with(metric) && line.contains(labels));
        let values = series.filter_map(|line| line.rsplit(' ').next());
        values
            .map(|value| value.parse::<u64>().expect("a count"))
            .sum()
    }

    /// Ends it as an operator does.
    pub fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).expect("a running daemon");
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "confirmd ended with {status}");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    fn wait_until(&mut self, setup: &Setup, is_so: impl Fn(&Self) -> bool, look_every: Duration) {
        let deadline = Instant::now() + START_LIMIT;
        while !is_so(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "confirmd is not ready: {}",
                std::fs::read_to_string(setup.folder.join("confirmd.log")).unwrap_or_default()
            );
            std::thread::sleep(look_every);
        }
    }

    fn is_ready(&self) -> bool {
        self.get("/readyz")
            .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Named by `CONFIRMD_EXE`, or built beside this program.
fn executable() -> PathBuf {
    if let Some(named) = std::env::var_os("CONFIRMD_EXE") {
        return named.into();
    }
    let this = std::env::current_exe().expect("this program's path");
    let folder = this.ancestors().nth(2).expect("a folder of programs");
    folder.join("confirmd")
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(any).expect("a free port");
    listener.local_addr().expect("an address").port()
}
