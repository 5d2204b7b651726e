//! A simulated Ethereum: a chain with forks, tokens and contracts, and nodes that have views of it.
//!
//! ```text
//! sender   signs an intent: a transaction, made once, mined as often as a test wants
//!   └─ chain   executes transactions into blocks on any branch; says what each block truly credits
//!        └─ view   what one node believes: head, tags, what it offers
//!             └─ node   a function from a call to its answer
//! ```
//!
//! Blocks have real roots, blooms and hashes and transactions real signatures, so that all of it
//! passes our own verification. There are no balances: everybody is rich, and gas is only
//! plausible. Nothing here knows a payment or what the scanner makes of a block.

mod abi;
mod chain;
mod credit;
mod encode;
mod execute;
mod frame;
mod intent;
mod json;
mod node;
mod seal;
mod sender;
mod token;
mod trace;
mod tx;
mod view;

pub use chain::{Block, Chain, Contents, UnknownParent};
pub use credit::{CreditKind, TrueCredit};
pub use frame::Frame;
pub use intent::{Intent, Kind, LogShape, Move};
pub use node::SimulatedNode;
pub use sender::Sender;
pub use token::{Change, Token, TokenKind};
pub use tx::Tx;
pub use view::{Receipts, View};

#[cfg(test)]
mod tests;
