//! What an input leads to, before anything is believed: a step to commit and what follows it.

use super::state::Batch;
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
    /// Requests that still wait for their chain.
    pub waiting: Option<WaitingRequests>,
    /// The scan of the past that is under way afterwards.
    pub batch: Option<(usize, Option<Batch>)>,
    /// Chains whose scan under way does not cover a payment of this step: the next one does.
    pub outgrown: BTreeSet<usize>,
    /// A scan of the past that was refused: when on the monotonic clock, and why.
    pub refused: Option<(usize, u64, String)>,
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
            waiting: None,
            batch: None,
            outgrown: BTreeSet::new(),
            refused: None,
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
            connected: Vec::new(),
            scan: None::<ScanStep>,
        })
    }
}
