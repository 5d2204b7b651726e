//! Ethereum: blocks, verified down to every transaction and log.
//!
//! `wire` reads JSON, [`verify`] checks it against the block's hash, `told` reads what no hash can prove,
//! [`scan`] finds credits and, with `token_events`, what tokens' administrations did, `trace` what contracts moved, `quorum` counts what
//! endpoints hold: all pure. `endpoints` asks one [`endpoint`] or all of them, [`source`] is what a follower sees, with `inner` for what contracts
//! moved; [`heads`] says when to ask. Nothing here knows who is watched.

pub mod address;
mod bloom;
pub mod endpoint;
mod endpoints;
#[cfg(test)]
pub(super) mod fake_node;
#[cfg(test)]
pub(super) mod fixture;
pub mod heads;
mod inner;
pub mod network;
mod quorum;
pub mod scan;
pub mod sender;
pub mod source;
pub mod token;
mod token_events;
mod told;
mod trace;
pub mod verify;
mod wire;

pub use address::{AddressError, parse as parse_address};
pub use endpoints::StandingObserver;
pub use heads::{Announced, Heads};
pub use network::Network;
pub use scan::verify_and_scan;
pub use source::EthereumSource;
pub use token::TokenSpec;
