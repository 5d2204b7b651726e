//! Simulated chains: Bitcoin and Ethereum as far as confirmd can see them, without nodes or money.
//!
//! ```text
//! chain   every block ever made, on every branch, and what each one truly credits
//!   └─ node   one view of it: a head, a mempool, tags; a function from request to answer
//!        └─ transport   in memory for simulations, an HTTP listener for the sandbox
//! ```
//!
//! Everything is real enough to pass our own verification, and seeded: the same calls give the
//! same blocks. Nothing here reads a clock, and nothing knows a payment.

pub mod bitcoin;
pub mod ethereum;
pub mod json_rpc;
pub mod tree;
