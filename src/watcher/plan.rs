//! What an input leads to, before anything is believed: a step to commit and what follows it.

use super::scans::Scans;
use super::undated::Undated;
use super::waiting::WaitingRequests;
use crate::{
    chain::Ask,
    domain::{
        asset::ChainName,
        facts::IgnoredReason,
        step::{ChainStep, ScanStep, Step},
        time::UnixMs,
        view::ChainView,
    },
};
use std::collections::BTreeSet;

/// A step and what becomes true with it.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is committed.
    pub step: Step,
    /// The chain whose view this is, as a place in the watcher's list.
    pub view: Option<(usize, ChainView)>,
    /// What to ask of followers afterwards.
    pub asks: Vec<(ChainName, Ask)>,
    /// How many destinations' unconfirmed money the input tells of: chain and number.
    pub answered: Option<(ChainName, usize)>,
    /// What came to a chain while the clock is in doubt.
    pub undated: Option<(usize, Undated)>,
    /// Requests that still wait for their chain.
    pub waiting: Option<WaitingRequests>,
    /// A chain's scans of the past afterwards, of one kind.
    pub scans: Option<(usize, Scans)>,
    /// Chains whose scans under way do not cover a payment of this step: the next ones do.
    pub outgrown: BTreeSet<usize>,
    /// What looked like credits in new blocks and was none.
    pub ignored: Vec<(IgnoredReason, u64)>,
    /// Whether more payments are due.
    pub more_due: bool,
}

impl Plan {
    /// Nothing to do at this time.
    pub const fn new(at: UnixMs) -> Self {
        Self {
            step: Step::new(at),
            view: None,
            asks: Vec::new(),
            answered: None,
            undated: None,
            waiting: None,
            scans: None,
            outgrown: BTreeSet::new(),
            ignored: Vec::new(),
            more_due: false,
        }
    }

    /// Makes the chain's row part of the step.
    pub fn record_chain(&mut self, view: ChainView, error: Option<String>) -> &mut ChainStep {
        self.step.chain.insert(ChainStep {
            view,
            error,
            disconnected_to: None,
            history: Vec::new(),
            connected: Vec::new(),
            scan: None::<ScanStep>,
        })
    }
}
