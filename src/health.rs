//! How the daemon is, as one snapshot that the watcher publishes and `/readyz` reads.

use crate::{clock::Now, domain::asset::ChainName};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

/// How long the watcher may stand still before it counts as stuck: far beyond the slowest
/// commit, and below what the service manager waits.
pub const STALL_MS: u64 = 30_000;

/// The state of everything that readiness depends on.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Why the database cannot be written, if so.
    pub database: Option<String>,
    /// Why the inbox cannot be read, if so.
    pub inbox: Option<String>,
    /// Each chain and why it is not ready, if so.
    pub chains: Vec<(ChainName, Option<String>)>,
    /// What is to be said of chains besides; it makes none of them less ready.
    pub remarks: Vec<(ChainName, String)>,
    /// Endpoints by chain and name: how each stands in a word, and why it is left alone, if it is.
    pub endpoints: BTreeMap<(ChainName, String), (&'static str, String)>,
    /// When the watcher last finished an input or found none, on the monotonic clock.
    pub watcher_ticked_ms: u64,
}

impl Snapshot {
    /// Why the daemon is not live, if so: nodes that do not answer are no reason.
    #[must_use]
    pub fn stalled(&self, now: Now) -> Option<String> {
        let still_ms = now.monotonic_ms.saturating_sub(self.watcher_ticked_ms);
        (still_ms > STALL_MS).then(|| {
            let seconds = still_ms.div_euclid(1000);
            format!("the watcher has not moved for {seconds} s")
        })
    }

    /// Words for the time before the watcher's first input.
    #[must_use]
    pub const fn starting(&self) -> Option<&'static str> {
        if self.watcher_ticked_ms == 0 {
            Some("is starting")
        } else {
            None
        }
    }

    /// A chain's endpoints, and why each is left alone; empty where it is not.
    pub fn endpoints<'a>(
        &'a self,
        chain: &'a ChainName,
    ) -> impl Iterator<Item = (&'a str, &'static str, &'a str)> {
        let own = self
            .endpoints
            .iter()
            .filter(move |((of, _), _)| of == chain);
        own.map(|((_, name), (state, why))| (name.as_str(), *state, why.as_str()))
    }

    /// That one endpoint of several is left, if so: when it fails, nobody is there.
    #[must_use]
    pub fn last_endpoint(&self, chain: &ChainName) -> Option<String> {
        let all = self.endpoints(chain).count();
        let mut left = self.endpoints(chain).filter(|(_, _, why)| why.is_empty());
        let (last, _, _) = left.next().filter(|_| all > 1)?;
        let is_alone = left.next().is_none();
        is_alone.then(|| format!("only {last} is left of {all} endpoints"))
    }

    /// Whether payments are judged: the database takes commits and every chain is fresh. An
    /// inbox that a writer holds for a moment changes nothing about that.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.starting().is_none()
            && self.database.is_none()
            && self.chains.iter().all(|(_, reason)| reason.is_none())
    }
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

    /// An endpoint of a chain stands so; with a reason where it is left alone.
    pub fn endpoint(&self, chain: &ChainName, name: &str, state: &'static str, why: &str) {
        let key = (chain.clone(), name.to_owned());
        self.update(|health| {
            health.endpoints.insert(key, (state, why.to_owned()));
        });
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
