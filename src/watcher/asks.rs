//! Questions that wait for followers: one queue a chain, so that a chain that is down holds back
//! only its own.

use crate::{chain::Ask, domain::asset::ChainName};
use std::collections::VecDeque;

/// Questions by chain. Each queue holds at most one of each kind beside scans of the past, of
/// which only the latest counts: its size follows the registrations that wait.
#[derive(Debug, Default)]
pub(super) struct Asks(Vec<(ChainName, VecDeque<Ask>)>);

impl Asks {
    /// Adds a question, joined with one of its kind that still waits.
    pub fn push(&mut self, chain: &ChainName, ask: Ask) {
        let queue = self.queue(chain);
        match ask {
            Ask::Unconfirmed(more) => match queue.iter_mut().find_map(unconfirmed) {
                Some(waiting) => waiting.extend(more),
                None => queue.push_back(Ask::Unconfirmed(more)),
            },
            // The next snapshot asks again for what this leaves out.
            Ask::Spenders(_) if queue.iter().any(is_spenders) => {}
            Ask::Spenders(_) => queue.push_back(ask),
            Ask::Backfill { .. } => {
                queue.retain(|waiting| !matches!(waiting, Ask::Backfill { .. }));
                queue.push_back(ask);
            }
        }
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
        let at = self.0.iter().position(|(name, _)| name == chain);
        let at = at.unwrap_or_else(|| {
            self.0.push((chain.clone(), VecDeque::new()));
            self.0.len().saturating_sub(1)
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "the place was found or made just above"
        )]
        &mut self.0[at].1
    }
}

fn unconfirmed(ask: &mut Ask) -> Option<&mut Vec<crate::domain::facts::Destination>> {
    match ask {
        Ask::Unconfirmed(waiting) => Some(waiting),
        Ask::Backfill { .. } | Ask::Spenders(_) => None,
    }
}

const fn is_spenders(ask: &Ask) -> bool {
    matches!(ask, Ask::Spenders(_))
}
