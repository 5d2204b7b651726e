//! Tells how each endpoint stands, and why it is left alone: the log, and whoever observes.

use super::{Endpoints, pool::Standing};
use crate::chain::rpc::Transport;
use std::sync::Arc;

/// Is told of an endpoint by its name, in a word how it stands now, and why it is left alone, if it is.
pub type StandingObserver = Arc<dyn Fn(&str, &'static str, &str) + Send + Sync>;

impl<T: Transport> Endpoints<T> {
    /// Somebody is told how each endpoint stands.
    pub(in crate::chain::ethereum) fn observe(&mut self, observer: StandingObserver) {
        for seat in &self.seats {
            observer(seat.endpoint.name(), seat.standing.as_str(), "");
        }
        self.observer = observer;
    }

    /// Why one was left alone when it was asked last.
    pub(in crate::chain::ethereum) fn why(&self, at: usize) -> Option<&str> {
        let seat = self.seats.get(at).filter(|seat| !seat.why.is_empty());
        seat.map(|seat| seat.why.as_str())
    }

    /// Tells once how an endpoint stands, and why.
    pub(super) fn tell(&mut self, at: usize, why: &str) {
        let standing = self.pool.standing(at);
        let Some(seat) = self.seats.get_mut(at) else {
            return;
        };
        let says = standing == Standing::Alive || !why.is_empty();
        if says && seat.why != why {
            why.clone_into(&mut seat.why);
        }
        if seat.standing == standing {
            return;
        }
        let (endpoint, was) = (seat.endpoint.name(), seat.standing.as_str());
        let now = standing.as_str();
        (self.observer)(endpoint, now, why);
        match standing {
            Standing::Untried => {}
            Standing::Alive if seat.standing == Standing::Untried => {
                tracing::debug!(endpoint, "an endpoint answers");
            }
            Standing::Alive => tracing::info!(endpoint, was, "an endpoint answers again"),
            Standing::RateLimited
            | Standing::Behind
            | Standing::Unreachable
            | Standing::Unfit
            | Standing::Lying => {
                tracing::warn!(endpoint, now, why, "an endpoint is left alone");
            }
        }
        seat.standing = standing;
        self.tell_last(standing);
    }

    /// Warns once when one is left of several.
    fn tell_last(&self, changed: Standing) {
        let mut left = self
            .seats
            .iter()
            .filter(|seat| !seat.standing.is_left_alone());
        let last = left.next().filter(|_| self.seats.len() > 1);
        if let Some(last) = last.filter(|_| changed.is_left_alone() && left.next().is_none()) {
            let (endpoint, of) = (last.endpoint.name(), self.seats.len());
            tracing::warn!(endpoint, of, "it is the last endpoint that is left");
        }
    }
}
