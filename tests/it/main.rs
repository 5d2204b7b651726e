//! The integration tests, in one binary: one module for each boundary of the daemon, and `nodes`, the
//! harness that starts real nodes for them. A test that needs a node fails without it; it never skips.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what went wrong by panicking, and reports on its output"
)]

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

/// Counts what is on the heap, for the test of a long life.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

mod alterations;
mod architecture;
mod bitcoin;
mod bugs;
mod command_line;
mod confirmd;
mod demands;
mod ethereum;
mod ethereum_source;
mod forged_blocks;
mod fuzzing;
mod gateway_consumer;
mod hostile;
mod kills;
mod nodes;
mod nodes_work;
mod operators;
mod playground;
mod revision;
mod sandbox;
mod scenarios;
mod simulation;
mod storage;
