//! Assets that wait for a block to be called safe or final: where no node of their chain ever named one, depth counts
//! instead; where nodes name none any more, or no new ones, their payments wait. Both are told.

use super::{Watcher, state::ChainState};
use crate::{clock::Now, domain::block::Height};
use tracing::{info, warn};

/// On Ethereum a block is called final after two epochs, which come every six minutes and a half.
const LONG_MS: u64 = 30 * 60_000;

/// What was told of it, and since when the final block is the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untagged {
    /// Whether it was told that depth counts instead.
    is_told: bool,
    /// The final block, and since when it is that, on the monotonic clock.
    stands: Option<(Option<Height>, u64)>,
    /// Whether it was told that nothing new is called final.
    is_standing_told: bool,
}

impl Untagged {
    /// Whether it was told that depth counts instead.
    #[cfg(test)]
    pub(super) const fn is_told(&self) -> bool {
        self.is_told
    }

    /// For how long the final block has been the same.
    fn stands_ms(&self, now: Now) -> u64 {
        let since = self.stands.map(|(_, since_ms)| since_ms);
        since.map_or(0, |since_ms| now.monotonic_ms.saturating_sub(since_ms))
    }
}

impl ChainState {
    /// Assets that wait for tags.
    fn waiting_for_tags(&self) -> Option<String> {
        let assets = self.spec.assets.iter();
        let waiting = assets.filter(|asset| asset.waits_for_tags());
        let waiting: Vec<&str> = waiting.map(|asset| asset.code.as_str()).collect();
        (!waiting.is_empty()).then(|| waiting.join(","))
    }

    /// What an operator should know where nothing new has been called final for long.
    pub(super) fn untagged_remark(&self, now: Now) -> Option<String> {
        let are_expected = self.view.tagged && !self.spec.is_local;
        let waiting = self.waiting_for_tags().filter(|_| are_expected)?;
        let ms = self.untagged.stands_ms(now);
        (ms >= LONG_MS).then(|| {
            let minutes = ms.div_euclid(60_000);
            format!(
                "no node has called a new block final for {minutes} minutes: payments in {waiting} may wait for one"
            )
        })
    }
}

impl Watcher {
    /// Says once where no node of a chain names what assets wait for, and what counts instead; and where none
    /// calls a new block final.
    pub(super) fn tell_untagged(&mut self, at: usize, now: Now) {
        let chain = self.chain_mut(at);
        let name = chain.spec.name.clone();
        let finalized = chain.view.finalized;
        if chain
            .untagged
            .stands
            .is_none_or(|(height, _)| height != finalized)
        {
            chain.untagged.stands = Some((finalized, now.monotonic_ms));
        }
        let remark = chain.untagged_remark(now);
        match (&remark, chain.untagged.is_standing_told) {
            (Some(words), false) => warn!(chain = %name, "{words}"),
            (None, true) => info!(chain = %name, "blocks are called final again"),
            (Some(_), true) | (None, false) => {}
        }
        chain.untagged.is_standing_told = remark.is_some();
        let Some(assets) = chain.waiting_for_tags() else {
            return;
        };
        if chain.view.tagged || chain.untagged.is_told {
            return;
        }
        warn!(
            chain = %name,
            assets,
            final_depth = chain.spec.final_depth,
            "the node names no final block: money must be deeper than final_depth instead"
        );
        chain.untagged.is_told = true;
    }
}
