//! A gateway's own code instead of confirmd: `examples/viem`, which watches by viem, in memory.

use super::{cpu, payments};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

/// Longer than anything that is measured takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running script. Killed when dropped.
pub struct Viem {
    child: Child,
    /// What it says, and when.
    said: Receiver<(String, Instant)>,
}

impl Viem {
    /// Watches these payments' accounts: for ether and for a token by "blocks" with their transactions, or for the token
    /// alone by its "logs".
    pub fn start(url: &str, token: &str, how: &str, watched: impl Iterator<Item = u64>) -> Self {
        let mut child = Command::new("node")
            .arg(folder().join("watch.js"))
            .args([&url.replace("http://", "ws://"), token, how])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let accounts: Vec<String> = watched.map(|n| payments::account(n).to_string()).collect();
        let mut input = child.stdin.take().expect("an input");
        input
            .write_all(accounts.join("\n").as_bytes())
            .expect("an input");
        drop(input);
        let output = child.stdout.take().expect("an output");
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send((line, Instant::now()));
            }
        });
        let viem = Self { child, said };
        viem.wait_for(&["ready".to_owned()]);
        viem
    }

    /// Waits until all of this is said, in any order; when each was.
    pub fn wait_for<const N: usize>(&self, wanted: &[String; N]) -> [Instant; N] {
        let mut found = [None; N];
        while found.contains(&None) {
            let said = self.said.recv_timeout(PATIENCE);
            let (line, at) = said.unwrap_or_else(|_| panic!("waited in vain for {wanted:?}"));
            let place = wanted.iter().position(|one| *one == line);
            found[place.unwrap_or_else(|| panic!("viem said {line}"))] = Some(at);
        }
        found.map(|at| at.expect("found"))
    }

    pub fn cpu_taken(&self) -> Duration {
        cpu::taken_by(self.child.id())
    }
}

impl Drop for Viem {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs what the script needs, unless it is there.
///
/// # Errors
/// When it cannot be, for example because npm is not there.
pub fn install() -> Result<(), String> {
    let installed = folder().join("node_modules/viem/package.json");
    if fs::exists(&installed).is_ok_and(|is_there| is_there) {
        return Ok(());
    }
    let npm = Command::new("npm").arg("ci").current_dir(folder()).output();
    let npm = npm.map_err(|error| format!("npm: {error}"))?;
    if npm.status.success() {
        return Ok(());
    }
    Err(format!(
        "npm ci: {}",
        String::from_utf8_lossy(&npm.stderr).trim()
    ))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/viem")
}
