//! The table of what catches which bug, `tests/bugs.txt`, and how a test is run with a bug: in a
//! process of its own, since without a bug it runs among all others.
//!
//! Both test programs use it, the library's and the one of the integration tests; each runs the
//! tests that are its own.

use std::{path::Path, process::Command};

/// A line of the table: a bug, and what catches it in two words.
#[derive(Debug, Clone)]
pub struct Line {
    pub bug: String,
    pub kind: String,
    pub what: String,
}

pub fn lines() -> Vec<Line> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bugs.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(read).collect()
}

fn read(line: &str) -> Line {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let Ok([bug, kind, what]) = <[String; 3]>::try_from(words) else {
        panic!("not three words: {line}");
    };
    Line { bug, kind, what }
}

/// What a test of this program says when it runs with a bug; nothing when it passes or is not
/// there.
pub fn complaint(bug: &str, test: &str) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("CONFIRMD_BUG", bug)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = !output.status.success() && said.contains("0 passed; 1 failed");
    let mut lines = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    failed.then(|| lines.nth(1).unwrap_or_default().to_owned())
}

/// A row of the report.
pub fn row(bug: &str, by: &str, words: &str) -> String {
    let words: String = words.chars().take(160).collect();
    format!("{bug:22} {by}: {words}")
}
