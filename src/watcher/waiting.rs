//! Requests that wait until their chain is ready for them.

use crate::domain::{asset::ChainName, request::Request, time::UnixMs};

/// Requests that may wait, at most; further ones are refused as `busy`.
const REQUESTS_MAX: usize = 10_000;
/// What their bodies may hold together.
const BYTES_MAX: usize = 8 << 20;

/// A request that has no outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The request.
    pub request: Request,
    /// The inbox that it came from.
    pub inbox_id: String,
    /// The chain that it waits for.
    pub chain: ChainName,
    /// When it was read: the chain must have been polled since.
    pub read_at: UnixMs,
}

/// All of them, in the order in which they were read.
#[derive(Debug, Clone, Default)]
pub(super) struct WaitingRequests(Vec<Waiting>);

impl WaitingRequests {
    /// Whether one more may wait.
    pub fn has_room_for(&self, request: &Request) -> bool {
        let bytes: usize = self
            .0
            .iter()
            .map(|waiting| waiting.request.body.len())
            .sum();
        self.0.len() < REQUESTS_MAX && bytes.saturating_add(request.body.len()) <= BYTES_MAX
    }

    /// Adds one behind all others.
    pub fn push(&mut self, waiting: Waiting) {
        self.0.push(waiting);
    }

    /// The ids of all.
    pub fn request_ids(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .map(|waiting| waiting.request.request_id.as_str())
    }

    /// Whether an earlier request about the same payment waits, which this one must not overtake.
    pub fn holds_back(&self, payment_id: &str) -> Option<&ChainName> {
        let earlier = self
            .0
            .iter()
            .find(|waiting| waiting.request.payment_id == payment_id);
        earlier.map(|waiting| &waiting.chain)
    }

    /// Takes out the first `limit` that wait for one of these chains.
    pub fn take_for(&mut self, chains: &[ChainName], limit: usize) -> Vec<Waiting> {
        let mut taken = Vec::new();
        self.0.retain(|waiting| {
            let take = taken.len() < limit && chains.contains(&waiting.chain);
            if take {
                taken.push(waiting.clone());
            }
            !take
        });
        taken
    }

    /// The first row of an inbox that still waits.
    pub fn first_seq(&self, inbox_id: &str) -> Option<i64> {
        let mine = self.0.iter().filter(|waiting| waiting.inbox_id == inbox_id);
        mine.map(|waiting| waiting.request.seq).min()
    }

    /// Whether anything waits for this chain.
    pub fn any_for(&self, chain: &ChainName) -> bool {
        self.0.iter().any(|waiting| waiting.chain == *chain)
    }
}
