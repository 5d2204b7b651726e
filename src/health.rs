//! How the daemon is, as one snapshot that the watcher publishes and `/readyz` reads.

use crate::domain::asset::ChainName;
use std::sync::{Arc, RwLock};

/// The state of everything that readiness depends on.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Why the database cannot be written, if so.
    pub database: Option<String>,
    /// Why the inbox cannot be read, if so.
    pub inbox: Option<String>,
    /// Each chain and why it is not ready, if so.
    pub chains: Vec<(ChainName, Option<String>)>,
    /// When the watcher last finished an input or found none, on the monotonic clock.
    pub watcher_ticked_ms: u64,
}

/// A place where the snapshot is left for readers.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<RwLock<Snapshot>>);

impl Health {
    /// Changes the snapshot.
    pub fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut snapshot);
    }

    /// The snapshot as it is.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        self.0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}
