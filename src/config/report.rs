//! What is wrong with a configuration file, gathered until everything was looked at.
//!
//! Knows files and lines; must not know what any key means. A problem never quotes a value that
//! may hold a secret: whoever adds one decides what to quote.

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line in the file, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The key with its sections, for example `payments.grace`; empty where there is none.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Everything that is wrong with a configuration file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file.
    pub file: PathBuf,
    /// At least one problem.
    pub problems: Vec<Problem>,
}

/// One line a problem: `file:line: key: what is wrong; what to do`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.file.display())?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

/// Gathers problems and warnings about one text.
#[derive(Debug)]
pub(super) struct Report<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Report<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            problems: RefCell::new(Vec::new()),
            warnings: RefCell::new(Vec::new()),
        }
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        let before = self.text.bytes().take(offset);
        before
            .filter(|byte| *byte == b'\n')
            .count()
            .saturating_add(1)
    }

    pub(super) fn problem(&self, line: usize, key: &str, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            line,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    pub(super) fn warning(&self, key: &str, message: &str) {
        self.warnings.borrow_mut().push(format!("{key}: {message}"));
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// The value when nothing was wrong. A value that is missing without a problem is a defect
    /// of the reader, and is reported rather than believed.
    pub(super) fn conclude<T>(self, file: &Path, value: Option<T>) -> Result<T, ConfigErrors> {
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            if let Some(value) = value {
                return Ok(value);
            }
            problems.push(Problem {
                line: 0,
                key: String::new(),
                message: "cannot be understood".to_owned(),
            });
        }
        problems.sort();
        problems.dedup();
        Err(ConfigErrors {
            file: file.to_owned(),
            problems,
        })
    }
}
