//! What happens when, in one order: what is planned for one time happens as it was planned.

use super::{publisher::Frames, world::Which};
use confirmd::domain::{block::TxId, facts::Destination};
use std::{cmp::Reverse, collections::BinaryHeap};

/// What is due at some time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Tick,
    ReadInbox,
    Mine(Which),
    Order,
    Deed(usize),
    Faults,
    Fair(Which),
    Truth(Which),
    CatchUp(Which),
    Return(Which),
    Synced(Which),
    Restart,
    ClockRight,
    DiskFree,
    MempoolLoaded,
    TokenFeeOff,
    TokenRuns(&'static str),
    Unlist(Destination),
    DustFlood,
    /// One operator is as the others again.
    Behaves,
    /// Traces come as they should.
    TracesCome,
    Hear(Vec<Frames>),
    SendAgain(TxId),
}

/// Actions by time, in milliseconds since the beginning.
#[derive(Debug, Default)]
pub struct Agenda {
    due: BinaryHeap<Reverse<(u64, u64, Action)>>,
    planned: u64,
}

impl Agenda {
    pub fn plan(&mut self, at_ms: u64, action: Action) {
        self.planned += 1;
        self.due.push(Reverse((at_ms, self.planned, action)));
    }

    /// When the next one is due.
    pub fn next_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at_ms, ..))| *at_ms)
    }

    /// The next one.
    pub fn take(&mut self) -> Option<Action> {
        self.due.pop().map(|Reverse((_, _, action))| action)
    }

    /// Everything of this kind that is due by then happens this much later.
    pub fn postpone(&mut self, by_ms: u64, until_ms: u64, is_meant: fn(&Action) -> bool) {
        let is_meant = |entry: &(u64, u64, Action)| entry.0 <= until_ms && is_meant(&entry.2);
        let later = |Reverse(mut entry): Reverse<(u64, u64, Action)>| {
            if is_meant(&entry) {
                entry.0 += by_ms;
            }
            Reverse(entry)
        };
        self.due = std::mem::take(&mut self.due)
            .into_iter()
            .map(later)
            .collect();
    }
}
