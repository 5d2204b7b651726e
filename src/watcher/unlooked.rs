//! Balances that nobody tells, on a chain where they alone tell what contracts move: nobody who waits for ether
//! expires or is refused meanwhile, so an operator must know.

use super::{Watcher, balances, state::ChainState, traces::is_ours};
use crate::chain::{ChainInput, STATE_BLOCKS};
use tracing::{info, warn};

impl ChainState {
    /// What an operator should know of it.
    pub(super) fn unlooked_remark(&self) -> Option<String> {
        let why = self.unlooked.as_ref()?;
        balances::looks_at_balances(&self.view).then(|| {
            format!(
                "what contracts moved is not known: balances alone tell it here, and they are not \
                 told, so no payment in ether expires or is refused: {why}"
            )
        })
    }
}

impl Watcher {
    /// Takes note of whether balances are told. Of old blocks few nodes can tell them, and nothing follows of it.
    pub(super) fn note_balances(&mut self, at: usize, input: &ChainInput) {
        let ChainInput::Balances {
            block,
            told,
            problem,
        } = input
        else {
            return;
        };
        let chain = self.chain(at);
        let is_deep = chain.depth_of(*block) >= STATE_BLOCKS / 2;
        if is_deep || !is_ours(chain, *block) || (told.is_empty() && problem.is_none()) {
            return;
        }
        let is_told = told
            .iter()
            .any(|(_, told)| balances::agreed_on(chain, told).is_some());
        let differ = || "no two operators say the same, or too few say anything".to_owned();
        let why = (!is_told).then(|| problem.clone().unwrap_or_else(differ));
        let chain = self.chain_mut(at);
        let name = &chain.spec.name;
        match (&why, &chain.unlooked) {
            (Some(why), None) => {
                warn!(chain = %name, why, "balances are not told: no payment in ether expires or is refused");
            }
            (None, Some(_)) => info!(chain = %name, "balances are told again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        chain.unlooked = why;
    }
}
