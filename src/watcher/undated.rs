//! What came while the machine's clock was in doubt, by the monotonic clock.
//!
//! Knows neither payments nor what anything is worth. It is not stored: a restart makes the
//! observation again, later.

use crate::{
    clock::Now,
    domain::{block::TxId, facts::Destination, time::UnixMs},
};
use std::collections::{BTreeMap, BTreeSet};

/// Transactions that pay watched addresses and have no date yet. Its size follows the payments.
#[derive(Debug, Default)]
pub struct Undated {
    since_ms: BTreeMap<(Destination, TxId), u64>,
    in_mempool: BTreeSet<Destination>,
}

impl Undated {
    /// A transaction in the mempool pays an address; its source saw it first at this moment.
    pub fn waits(&mut self, destination: Destination, txid: TxId, since_ms: u64) {
        self.in_mempool.insert(destination);
        self.came(destination, txid, since_ms);
    }

    /// A transaction pays an address, in the mempool or in a block, at the latest since this
    /// moment.
    pub fn came(&mut self, destination: Destination, txid: TxId, since_ms: u64) {
        let since = self.since_ms.entry((destination, txid));
        let since = since.or_insert(since_ms);
        *since = since_ms.min(*since);
    }

    /// Takes over what an input told.
    pub fn absorb(&mut self, more: Self) {
        self.in_mempool.extend(more.in_mempool);
        for ((destination, txid), since_ms) in more.since_ms {
            self.came(destination, txid, since_ms);
        }
    }

    /// Since when each of them is there, by a clock that is trusted.
    #[must_use]
    pub fn dates(&self, now: Now) -> Vec<(Destination, TxId, UnixMs)> {
        let dated = |((destination, txid), since_ms): (&(Destination, TxId), &u64)| {
            (*destination, *txid, now.wall.minus(now.since(*since_ms)))
        };
        self.since_ms.iter().map(dated).collect()
    }

    /// The addresses whose money came to the mempool.
    #[must_use]
    pub fn in_mempool(&self) -> Vec<Destination> {
        self.in_mempool.iter().copied().collect()
    }
}
