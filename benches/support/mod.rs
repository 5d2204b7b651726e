//! What the measuring programs share: a clock that other programs on the machine hardly disturb,
//! blocks of a given weight, a real watcher on a real database filled with payments, and the real
//! daemon as a process.
#![allow(
    dead_code,
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a program that measures says what went wrong by panicking, prints figures, and uses a part of this"
)]

pub mod bitcoin;
pub mod configuration;
pub mod connection;
pub mod cpu;
pub mod ethereum;
pub mod figures;
pub mod floor;
pub mod folders;
pub mod gateway;
pub mod memory;
pub mod pauses;
pub mod payments;
pub mod process;
pub mod race;
pub mod rig;
pub mod taken;
pub mod viem;
