//! Simulated chains: Bitcoin and Ethereum as far as confirmd can see them, without nodes or money.
//!
//! ```text
//! chain   every block ever made, on every branch, and what each one truly credits
//!   └─ node   one view of it: a head, a mempool, tags; a function from request to answer
//!        └─ transport   in memory for simulations, an HTTP listener for the sandbox
//! world   both chains with people on them: blocks that come by themselves, payers, accidents
//!   └─ live   the world on a clock, behind listeners
//! ```
//!
//! Everything is real enough to pass our own verification, and seeded: the same calls give the
//! same blocks. Only `live` asks a clock, and nothing knows a payment.

pub mod bitcoin;
pub mod ethereum;
pub mod json_rpc;
pub mod listener;
pub mod live;
pub mod tree;
pub mod world;
