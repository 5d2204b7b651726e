//! The real daemon as a process, for tests: a folder of its own, a configuration, `confirmd run` as a child,
//! a gateway that writes the inbox, and a ledger that reads the views as another user would. Every value
//! that a test asserts comes through the ledger.
//!
//! A daemon that goes out of scope is stopped, and its whole database is audited: see [`audit`].
#![allow(dead_code, reason = "a harness offers more than each test module uses")]

pub mod audit;
pub mod command;
pub mod config;
pub mod daemon;
pub mod gateway;
pub mod ledger;
pub mod listeners;
pub mod relay;
pub mod simulated;
pub mod wait;

pub use config::Ethereum;
pub use daemon::Confirmd;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long anything may take that must happen, on a machine that is busy with other tests.
pub const LIMIT: Duration = Duration::from_mins(1);

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("a clock past 1970").as_millis())
        .expect("a clock before the year 3000")
}
