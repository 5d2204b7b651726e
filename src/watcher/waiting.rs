//! Requests that wait until their chain is ready for them.

use super::Requests;
use crate::domain::{asset::ChainName, payment::PaymentId, request::Request, time::UnixMs};
use std::collections::BTreeSet;

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
    /// Whether one of them is about a payment.
    pub fn has_one_about(&self, payment_id: &str) -> bool {
        let mut all = self.0.iter();
        all.any(|waiting| waiting.request.payment_id == payment_id)
    }

    /// The payments that those for a chain are about, of the first so many.
    pub fn payments_of(&self, chain: &ChainName, requests: usize) -> BTreeSet<PaymentId> {
        let of_chain = self.0.iter().filter(|waiting| waiting.chain == *chain);
        let ids = of_chain
            .take(requests)
            .map(|waiting| &waiting.request.payment_id);
        ids.filter_map(|id| PaymentId::new(id)).collect()
    }

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
    /// Of another inbox all are earlier: it was read before.
    pub fn holds_back(&self, inbox_id: &str, request: &Request) -> Option<&ChainName> {
        let is_earlier =
            |waiting: &Waiting| waiting.inbox_id != inbox_id || waiting.request.seq < request.seq;
        let mut same = self.0.iter();
        let earlier = same.find(|waiting| {
            waiting.request.payment_id == request.payment_id && is_earlier(waiting)
        });
        earlier.map(|waiting| &waiting.chain)
    }

    /// Takes over the places of those that an inbox holds too: it replaced the one that they came
    /// from, and a restart finds them only there.
    pub fn move_to(&mut self, requests: &Requests) {
        let elsewhere = self.0.iter_mut();
        for waiting in elsewhere.filter(|waiting| waiting.inbox_id != requests.inbox_id) {
            let id = &waiting.request.request_id;
            if let Some(row) = requests.rows.iter().find(|row| row.request_id == *id) {
                waiting.inbox_id.clone_from(&requests.inbox_id);
                waiting.request.seq = row.seq;
            }
        }
    }

    /// Counts all of them as read at this time, because the clock that they were read by was
    /// wrong then or is now.
    pub fn read_again(&mut self, at: UnixMs) {
        for waiting in &mut self.0 {
            waiting.read_at = at;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(inbox_id: &str, seq: i64) -> Waiting {
        Waiting {
            request: request(seq),
            inbox_id: inbox_id.to_owned(),
            chain: ChainName::new("bitcoin"),
            read_at: UnixMs(0),
        }
    }

    fn request(seq: i64) -> Request {
        Request {
            seq,
            request_id: format!("r{seq}"),
            kind: "ack".to_owned(),
            payment_id: "a".to_owned(),
            body: "{}".to_owned(),
            actor: None,
            created_at: UnixMs(0),
        }
    }

    #[test]
    fn only_an_earlier_request_about_the_same_payment_holds_one_back() {
        let mut all = WaitingRequests::default();
        all.push(waiting("inbox", 5));
        for (inbox_id, seq, held_back) in
            [("inbox", 4, false), ("inbox", 6, true), ("new", 1, true)]
        {
            let found = all.holds_back(inbox_id, &request(seq));
            assert_eq!(found.is_some(), held_back, "{inbox_id} {seq}");
        }
        let other = Request {
            payment_id: "b".to_owned(),
            ..request(6)
        };
        assert!(all.holds_back("inbox", &other).is_none());
    }
}
