//! Runs `confirmd` commands as an operator does, and reads what they print.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The binary under test.
pub const CONFIRMD: &str = env!("CARGO_BIN_EXE_confirmd");

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary with these arguments and waits for its end.
pub fn confirmd(args: &[&str]) -> Done {
    run(Command::new(CONFIRMD).args(args))
}

/// Runs a command on a configuration file.
pub fn with_config(config: &Path, args: &[&str]) -> Done {
    run(Command::new(CONFIRMD)
        .arg("--config")
        .arg(config)
        .args(args))
}

fn run(command: &mut Command) -> Done {
    let output = command.env("RUST_LOG", "debug").output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    Done {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).expect("UTF-8 on stdout"),
        stderr: String::from_utf8(stderr).expect("UTF-8 on stderr"),
    }
}

impl Done {
    /// What it printed; panics unless it succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// The JSON values that it printed, one a line or one in all; panics unless it succeeded.
    pub fn json(self) -> Vec<Value> {
        let text = self.ok();
        let values = serde_json::Deserializer::from_str(&text).into_iter();
        values
            .map(|value| value.unwrap_or_else(|error| panic!("{error} in {text}")))
            .collect()
    }

    /// Everything that it printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
