//! The two SQLite files: `confirmd.db`, which the daemon alone writes, and `inbox.db`, which
//! gateways write and the daemon only reads.
//!
//! Only this folder speaks SQL. It knows the domain's types and nothing of chains, sources or
//! configuration, and it judges nothing: a step comes in and is committed as a whole, payments
//! go out as they were committed. One thread owns the [`Store`].

mod commit;
mod connection;
mod error;
mod files;
mod head;
pub mod inbox;
mod load;
mod open;
mod queries;
pub mod reader;
mod registry;
mod rows;
mod scans;
mod schema;
mod token_events;
mod watches;

pub use commit::{Committed, Kept};
pub use connection::{Checkpoint, Durability};
pub use error::{OpenError, StoreError};
pub use files::Access;
pub use open::Options;
pub use queries::{Claim, Count, Credited, Loose, Reached};
pub use registry::{ChainEntry, RegistryError};
pub use rows::chain::StoredChain;
pub use scans::{Unscanned, past::PastScans};
pub use schema::Kind;
pub use token_events::Open;
pub use watches::Watched;

use rusqlite::Connection;
use std::path::PathBuf;

/// How many of the last blocks of a chain are kept to find a fork point by; far more than any
/// reorganisation that is followed.
pub const RECENT_BLOCKS: i64 = 1024;

/// The open `confirmd.db`, locked against a second daemon.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    path: PathBuf,
    kind: Kind,
    database_id: String,
    head: head::Head,
    /// Set when the disk failed: nothing is written after that.
    broken: Option<StoreError>,
    _lock: files::Lock,
}

#[cfg(test)]
mod testing;
