//! A simulated bitcoind on a regtest chain.
//!
//! [`Chain`] has every block, [`View`] is what one node holds for true, and [`Node`] answers for
//! a view as bitcoind answers over RPC and REST. Coins come from nowhere and no script is run:
//! what is real is everything that confirmd can see and check.

mod chain;
mod credit;
mod mempool;
mod node;
mod transaction;
mod view;

pub use chain::{Block, Chain};
pub use credit::TrueCredit;
pub use node::Node;
pub use transaction::{Coins, Tx};
pub use view::{Rejected, View};

#[cfg(test)]
mod tests;
