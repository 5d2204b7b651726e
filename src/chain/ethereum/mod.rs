//! Ethereum: blocks, verified down to every transaction and log.
//!
//! `wire` reads JSON, [`verify`] checks it against the block's hash, `told` reads what no hash can prove,
//! [`scan`] finds credits and, with `token_events`, what tokens' administrations did, `pool` says which [`endpoint`] to ask, `quorum` counts what they hold: all pure.
//! `endpoints` asks them, `proven` takes blocks from whoever proves them, `agreement` and `unproven` compare what
//! all say, and [`source`] is what a follower sees; [`heads`] says when to ask. Nothing here knows who is watched.

mod able;
pub mod address;
mod agreement;
mod bloom;
mod comparison;
mod doubts;
pub mod endpoint;
mod endpoints;
#[cfg(test)]
pub(super) mod fake_node;
#[cfg(test)]
pub(super) mod fixture;
pub mod heads;
mod inner;
pub mod network;
mod pool;
mod proven;
mod quorum;
mod rests;
pub mod scan;
pub mod sender;
pub mod source;
pub mod token;
mod token_events;
mod told;
mod trace;
mod tracers;
mod unproven;
pub mod verify;
mod width;
mod wire;
mod witnesses;

pub use address::{AddressError, parse as parse_address};
pub use endpoints::StandingObserver;
pub use heads::{Announced, Heads};
pub use network::Network;
pub use scan::verify_and_scan;
pub use source::EthereumSource;
pub use token::TokenSpec;
