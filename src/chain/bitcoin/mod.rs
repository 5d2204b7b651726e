//! Bitcoin: a bitcoind as a chain source.
//!
//! Blocks and transactions are taken as raw bytes and checked here; nothing is believed because
//! bitcoind says it. A publisher (ZMQ) only says when to ask. Who is watched is not known in here.

mod address;
mod bitcoind;
mod concurrent;
mod connect;
mod mempool;
mod notice;
mod publisher;
mod scan;
mod serialized;
mod source;
mod verify;
mod wire;
mod zmtp;

#[cfg(test)]
pub(super) mod fake;

pub use address::{AddressError, parse as parse_address};
pub use connect::Capabilities;
pub use publisher::{NAMED_MAX, Named, Publisher};
pub use scan::{scan_block, scan_transaction};
pub use source::BitcoinSource;
pub use verify::VerifyError;
pub use wire::{block_hash, tx_id};
