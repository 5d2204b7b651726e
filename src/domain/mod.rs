//! What a payment is and when it changes: pure functions over facts.
//!
//! Nothing in here does IO, reads a clock, logs, draws random numbers or depends on the order
//! of a hash map. Facts and a time go in; a change set comes out.

#![deny(clippy::arithmetic_side_effects)]

pub mod amount;
pub mod apply;
pub mod assess;
pub mod asset;
pub mod balance;
pub mod block;
pub mod command;
pub mod credits;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod facts;
pub mod flags;
pub mod payment;
pub mod register;
pub mod request;
pub mod snapshot;
pub mod status;
pub mod step;
pub mod terms;
pub mod time;
pub mod token;
pub mod transfer;
pub mod view;

#[cfg(test)]
mod tests;
