//! Ethereum: one endpoint's blocks, verified down to every transaction and log.
//!
//! [`wire`] reads JSON, [`verify`] checks it against the block's hash, [`scan`] finds credits:
//! all pure. [`source`] follows one [`endpoint`]. Nothing here knows who is watched.

pub mod address;
#[cfg(test)]
mod fixture;
pub mod scan;
pub mod sender;
pub mod verify;
mod wire;
