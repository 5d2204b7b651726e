//! confirmd watches Bitcoin and Ethereum for a payment gateway and says when a payment is paid.

pub mod bugs;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod daemon;
pub mod domain;
pub mod health;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod random;
#[cfg(test)]
mod reference;
pub mod sandbox;
pub mod store;
pub mod watcher;
