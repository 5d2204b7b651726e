//! Ethereum: one endpoint's blocks, verified down to every transaction and log.
//!
//! `wire` reads JSON, [`verify`] checks it against the block's hash, [`scan`] finds credits:
//! all pure. [`source`] follows one [`endpoint`]. Nothing here knows who is watched.

pub mod address;
mod bloom;
pub mod endpoint;
#[cfg(test)]
pub(super) mod fake_node;
#[cfg(test)]
pub(super) mod fixture;
pub mod network;
pub mod scan;
pub mod sender;
pub mod source;
pub mod token;
pub mod verify;
mod wire;

pub use address::{AddressError, parse as parse_address};
pub use network::Network;
pub use scan::verify_and_scan;
pub use source::EthereumSource;
pub use token::TokenSpec;
