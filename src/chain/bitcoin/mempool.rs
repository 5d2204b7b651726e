//! Which unconfirmed transactions are known, and how the node's list is compared with them.
//!
//! Of each transaction only its id, when it was first seen, and 8 bytes of each output are kept:
//! enough to answer a registration from memory, with 300,000 entries in some 30 MB.

use super::{
    bitcoind::{Bitcoind, Fetched},
    concurrent::in_order,
};
use crate::{
    bugs::{Bug, planted},
    chain::{MempoolNews, SourceError, rpc::Transport},
    clock::Clock,
    domain::{
        block::TxId,
        facts::{Destination, MempoolSnapshot, TxFacts},
    },
};
use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// Transactions asked for in one batch.
const BATCH: usize = 100;

/// Batches under way at once: a bitcoind has 4 RPC threads by default, or more.
const BATCHES_AT_ONCE: usize = 4;

/// New transactions taken in one call, so that blocks need not wait for a first list of
/// 300,000; their facts take some 20 MB.
const MAX_ARRIVALS: usize = 20_000;

/// So often a transaction that is listed but cannot be read is asked for again, before lists count
/// as whole without it: a node's trouble passes, but what cannot be read for good must not hold up
/// everybody else's deadlines.
const TRIES: u32 = 10;

/// A transaction that could not be read.
#[derive(Debug, Clone, Copy)]
struct Unread {
    first_listed_ms: u64,
    tries: u32,
}

/// What is kept of one transaction.
#[derive(Debug)]
struct Entry {
    first_seen_ms: u64,
    outputs: Box<[u64]>,
}

/// The known transactions: ids, sorted, and an entry for each in the same order.
#[derive(Debug)]
pub(super) struct Pool {
    txids: Arc<[TxId]>,
    entries: Vec<Entry>,
    /// Those that the node lists, or listed, and could not be read when they were last asked for.
    unread: BTreeMap<TxId, Unread>,
    /// The key of the fingerprints, so that nobody can prepare outputs that collide.
    key: RandomState,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            txids: Arc::from([]),
            entries: Vec::new(),
            unread: BTreeMap::new(),
            key: RandomState::new(),
        }
    }

    /// Those of the sorted `listed` that are not known.
    fn unknown(&self, listed: &[TxId]) -> Vec<TxId> {
        let mut known = self.txids.iter().peekable();
        listed
            .iter()
            .filter(|txid| {
                while known.next_if(|known| known < txid).is_some() {}
                known.peek() != Some(txid)
            })
            .copied()
            .collect()
    }

    /// Adds what arrived; forgets what is not in the sorted `listed`.
    fn absorb(&mut self, arrived: &[TxFacts], listed: Option<&[TxId]>) {
        if arrived.is_empty() && listed.is_none_or(|listed| *listed == *self.txids) {
            return;
        }
        let old = std::mem::take(&mut self.entries);
        let mut listed = listed.map(|listed| listed.iter().peekable());
        let mut pool: Vec<(TxId, Entry)> = self
            .txids
            .iter()
            .copied()
            .zip(old)
            .filter(|(txid, _)| {
                listed.as_mut().is_none_or(|listed| {
                    while listed.next_if(|listed| *listed < txid).is_some() {}
                    listed.peek() == Some(&txid)
                })
            })
            .collect();
        pool.extend(arrived.iter().map(|tx| (tx.txid, self.entry(tx))));
        pool.sort_by_key(|(txid, _)| *txid);
        self.txids = pool.iter().map(|(txid, _)| *txid).collect();
        self.entries = pool.into_iter().map(|(_, entry)| entry).collect();
    }

    fn entry(&self, tx: &TxFacts) -> Entry {
        Entry {
            first_seen_ms: tx.first_seen_ms,
            outputs: tx
                .credits
                .iter()
                .map(|credit| self.fingerprint(&credit.destination))
                .collect(),
        }
    }

    fn fingerprint(&self, destination: &Destination) -> u64 {
        self.key.hash_one(destination)
    }

    /// Takes note of what could not be read at this time; why, when it is worth another try.
    fn failed(&mut self, unread: Vec<(TxId, SourceError)>, at_ms: u64) -> Option<SourceError> {
        let mut waits = None;
        for (txid, error) in unread {
            let known = self.unread.entry(txid).or_insert(Unread {
                first_listed_ms: at_ms,
                tries: 0,
            });
            known.tries = known.tries.saturating_add(1);
            if known.tries < TRIES {
                waits.get_or_insert(error);
            } else if known.tries == TRIES {
                tracing::warn!(%error, "a transaction of the mempool cannot be read: lists count without it, and a payment by it is seen in a block only");
            }
        }
        waits
    }

    /// When a transaction that arrived was first listed, and forgets what is listed no more.
    fn settle_unread(&mut self, arrived: &mut [TxFacts], listed: Option<&[TxId]>) {
        for tx in arrived {
            if let Some(unread) = self.unread.remove(&tx.txid) {
                tx.first_seen_ms = tx.first_seen_ms.min(unread.first_listed_ms);
            }
        }
        if let Some(listed) = listed {
            self.unread
                .retain(|txid, _| listed.binary_search(txid).is_ok());
        }
    }

    /// Known transactions that seem to pay one of these destinations, and when each was first
    /// seen; a fingerprint may deceive.
    fn paying(&self, destinations: &[Destination]) -> Vec<(TxId, u64)> {
        let wanted: HashSet<u64> = destinations.iter().map(|d| self.fingerprint(d)).collect();
        let pays = |entry: &Entry| entry.outputs.iter().any(|output| wanted.contains(output));
        self.txids
            .iter()
            .zip(&self.entries)
            .filter(|(_, entry)| pays(entry))
            .map(|(txid, entry)| (*txid, entry.first_seen_ms))
            .collect()
    }
}

/// Compares the node's mempool with what is known, and fetches what is new.
///
/// Nothing becomes known before it is returned: should this be abandoned half way, the next
/// call brings it again.
pub(super) async fn news<T: Transport>(
    node: &Bitcoind<T>,
    pool: &mut Pool,
    clock: &dyn Clock,
) -> Result<MempoolNews, SourceError> {
    let (tip, loaded) = node.tip_and_loaded().await?;
    let listed = node.mempool_txids().await?;
    let seen_ms = clock.now().monotonic_ms;
    let mut unknown = pool.unknown(&listed);
    let all = unknown.len() <= MAX_ARRIVALS;
    unknown.truncate(MAX_ARRIVALS);
    let (fetched, failure) = fetch(node, &unknown, seen_ms).await;
    let mut arrived = fetched.found;
    pool.settle_unread(&mut arrived, loaded.then_some(&listed));
    let waits = pool.failed(fetched.unread, seen_ms).is_some();
    let whole = match failure {
        Some(error) if arrived.is_empty() => return Err(error),
        Some(_) => false,
        None => all && loaded && !waits,
    };
    // The list belongs to a tip that was there before it and is there after all of it was read.
    let stable = whole && node.best_hash().await.is_ok_and(|after| after == tip);
    pool.absorb(&arrived, loaded.then_some(&listed));
    let snapshot = stable.then(|| MempoolSnapshot {
        tip,
        txids: Arc::clone(&pool.txids),
    });
    Ok(MempoolNews {
        arrived,
        snapshot,
        answered: 0,
    })
}

/// The named transactions that are in the mempool, for an early look: they are not known by it, and
/// the next list brings them once more. So whatever went on between two lists, and whatever a
/// publisher left out or made up, the lists alone decide.
pub(super) async fn named<T: Transport>(
    node: &Bitcoind<T>,
    mut txids: Vec<TxId>,
    clock: &dyn Clock,
) -> Result<MempoolNews, SourceError> {
    txids.sort_unstable();
    txids.dedup();
    let seen_ms = clock.now().monotonic_ms;
    let mut there = Vec::new();
    for batch in txids.chunks(BATCH) {
        if planted(Bug::NameBelieved) {
            there.extend(batch);
        } else {
            there.extend(node.in_mempool(batch).await?);
        }
    }
    let (fetched, failure) = fetch(node, &there, seen_ms).await;
    match failure {
        Some(error) if fetched.found.is_empty() => Err(error),
        Some(_) | None => Ok(MempoolNews {
            arrived: fetched.found,
            snapshot: None,
            answered: 0,
        }),
    }
}

/// What could be fetched, and what stopped it.
async fn fetch<T: Transport>(
    node: &Bitcoind<T>,
    txids: &[TxId],
    seen_ms: u64,
) -> (Fetched, Option<SourceError>) {
    let tasks = txids
        .chunks(BATCH)
        .map(|batch| {
            let (node, batch) = (node.clone(), batch.to_vec());
            async move { node.transactions(&batch, seen_ms).await }
        })
        .collect();
    let mut all = Fetched::default();
    let mut failure = None;
    for batch in in_order(tasks, BATCHES_AT_ONCE).await {
        match batch {
            Ok(fetched) => {
                all.found.extend(fetched.found);
                all.unread.extend(fetched.unread);
            }
            Err(error) => failure = Some(error),
        }
    }
    (all, failure)
}

/// The known unconfirmed transactions that pay one of these destinations, read again.
pub(super) async fn paying<T: Transport>(
    node: &Bitcoind<T>,
    pool: &mut Pool,
    destinations: &[Destination],
) -> Result<Vec<TxFacts>, SourceError> {
    let hits = pool.paying(destinations);
    let txids: Vec<TxId> = hits.iter().map(|(txid, _)| *txid).collect();
    let (Fetched { mut found, unread }, failure) = fetch(node, &txids, 0).await;
    if let Some(error) = failure {
        return Err(error);
    }
    // These were read before, and have their time.
    if let Some(error) = pool.failed(unread, u64::MAX) {
        return Err(error);
    }
    pool.settle_unread(&mut found, None);
    let wanted: HashSet<&Destination> = destinations.iter().collect();
    found.retain(|tx| {
        tx.credits
            .iter()
            .any(|credit| wanted.contains(&credit.destination))
    });
    for tx in &mut found {
        if let Ok(place) = hits.binary_search_by_key(&tx.txid, |(txid, _)| *txid) {
            tx.first_seen_ms = hits.get(place).map_or(tx.first_seen_ms, |(_, at)| *at);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
