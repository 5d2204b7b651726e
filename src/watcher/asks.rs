//! Questions that wait for followers: one queue a chain, so that a chain that is down holds back
//! only its own.

use crate::{
    chain::Ask,
    domain::{asset::ChainName, block::BlockRef, time::UnixMs},
};
use std::collections::{HashMap, VecDeque};

/// Questions by chain. Each queue holds at most one of each kind (of balances, one a block) beside scans of the past, of
/// which only the latest counts (with traces, and without): its size follows the registrations that wait, and the
/// money that came while the clock was in doubt.
#[derive(Debug, Default)]
pub(super) struct Asks {
    queues: Vec<(ChainName, VecDeque<Ask>)>,
    /// Destinations whose unconfirmed money was asked for and not answered yet: since when, and
    /// how many.
    unanswered: HashMap<ChainName, VecDeque<(UnixMs, usize)>>,
}

impl Asks {
    /// Adds a question, joined with one of its kind that still waits.
    pub fn push(&mut self, chain: &ChainName, ask: Ask, at: UnixMs) {
        if let Ask::Unconfirmed(destinations) = &ask {
            let unanswered = self.unanswered.entry(chain.clone()).or_default();
            unanswered.push_back((at, destinations.len()));
        }
        let queue = self.queue(chain);
        match ask {
            Ask::Unconfirmed(more) => match queue.iter_mut().find_map(unconfirmed) {
                Some(waiting) => waiting.extend(more),
                None => queue.push_back(Ask::Unconfirmed(more)),
            },
            // The next snapshot asks again for what this leaves out.
            Ask::Spenders(_) if queue.iter().any(is_spenders) => {}
            // The next poll asks again.
            Ask::Growth(block, _) if queue.iter().any(|waiting| is_about(waiting, block)) => {}
            // The balances after the next block say as much.
            Ask::Balances(block, _) if queue.iter().any(|waiting| is_after(waiting, block)) => {}
            Ask::Spenders(_) | Ask::Growth(..) | Ask::Balances(..) => queue.push_back(ask),
            Ask::Backfill { traces, .. } => {
                let is_same = |waiting: &Ask| matches!(waiting, Ask::Backfill { traces: known, .. } if *known == traces);
                queue.retain(|waiting| !is_same(waiting));
                queue.push_back(ask);
            }
        }
    }

    /// The follower told what is known of that many destinations.
    pub fn answered(&mut self, chain: &ChainName, mut destinations: usize) {
        let Some(unanswered) = self.unanswered.get_mut(chain) else {
            return;
        };
        while let Some((at, count)) = unanswered.pop_front() {
            if count > destinations {
                unanswered.push_front((at, count.saturating_sub(destinations)));
                return;
            }
            destinations = destinations.saturating_sub(count);
        }
    }

    /// The wall clock was set to this: nothing was asked later.
    pub fn clock_is_set(&mut self, now: UnixMs) {
        for (at, _) in self.unanswered.values_mut().flatten() {
            *at = now.min(*at);
        }
    }

    /// Since when destinations wait for what is known of their unconfirmed money: a poll brings
    /// only what is new, so none of them is judged by a poll before it is answered.
    pub fn unanswered_since(&self, chain: &ChainName) -> Option<UnixMs> {
        let unanswered = self.unanswered.get(chain)?;
        unanswered.iter().map(|(at, _)| *at).min()
    }

    /// The oldest question for a chain.
    pub fn pop(&mut self, chain: &ChainName) -> Option<Ask> {
        self.queue(chain).pop_front()
    }

    /// Puts a question back that its follower could not take.
    pub fn put_back(&mut self, chain: &ChainName, ask: Ask) {
        self.queue(chain).push_front(ask);
    }

    fn queue(&mut self, chain: &ChainName) -> &mut VecDeque<Ask> {
        let at = self.queues.iter().position(|(name, _)| name == chain);
        let at = at.unwrap_or_else(|| {
            self.queues.push((chain.clone(), VecDeque::new()));
            self.queues.len().saturating_sub(1)
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place was found or made just above"
        )]
        &mut self.queues[at].1
    }
}

fn unconfirmed(ask: &mut Ask) -> Option<&mut Vec<crate::domain::facts::Destination>> {
    match ask {
        Ask::Unconfirmed(waiting) => Some(waiting),
        Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Growth(..) | Ask::Balances(..) => None,
    }
}

fn is_about(ask: &Ask, block: BlockRef) -> bool {
    matches!(ask, Ask::Growth(of, _) if of.id == block.id)
}

fn is_after(ask: &Ask, block: BlockRef) -> bool {
    matches!(ask, Ask::Balances(of, _) if of.id == block.id)
}

const fn is_spenders(ask: &Ask) -> bool {
    matches!(ask, Ask::Spenders(_))
}
