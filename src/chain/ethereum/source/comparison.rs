//! Where no quorum is asked, one endpoint leads alone: now and then it is compared with the others, and left for one
//! that is far ahead of it on the same chain, or much quicker.

use super::{
    EthereumSource,
    agreement::{Answer, BEHIND_BLOCKS, ask_for_blocks, who},
};
use crate::{
    chain::rpc::Transport,
    domain::{block::BlockRef, time::SpanMs},
};

/// A tip that is younger may be the network's.
const OLD: SpanMs = SpanMs::from_secs(60);

/// When the leader was compared with others last.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    at_ms: Option<u64>,
}

impl Comparison {
    /// How often: a node that falls behind, or stands still, is left within two such times.
    const EVERY_MS: u64 = 60_000;

    /// Whether it is to be compared now.
    fn is_due(&mut self, now_ms: u64) -> bool {
        let since_ms = *self.at_ms.get_or_insert(now_ms);
        let is_due = now_ms.saturating_sub(since_ms) >= Self::EVERY_MS;
        if is_due {
            self.at_ms = Some(now_ms);
        }
        is_due
    }
}

impl<T: Transport> EthereumSource<T> {
    /// Leaves a leader with this tip for one that has blocks far beyond it when the leader itself has none such, or
    /// for one that answers much sooner; else goes back to the first configured that is as good. Those that are left
    /// alone are not asked.
    pub(super) async fn compare_leader(&mut self, tip: BlockRef) {
        let whom = self.endpoints.back();
        let leader = self.endpoints.leads_at();
        let are_others = whom.contains(&leader) && whom.len() > 1;
        if !are_others || !self.comparison.is_due(self.endpoints.now_ms()) {
            return;
        }
        let height = tip.id.height;
        let ahead = height.plus(BEHIND_BLOCKS);
        // Whoever is much slower than these is nobody to go to.
        let suffices = |answers: &[Answer<Vec<BlockRef>>]| {
            answers.len() > 1 && answers.iter().any(|(at, _)| *at == leader)
        };
        let answers = ask_for_blocks(&mut self.endpoints, &whom, vec![height, ahead], suffices);
        let answers = answers.await;
        let on_chain = who(&answers, |blocks| blocks.contains(&tip));
        let far = who(&answers, |blocks| {
            blocks.iter().any(|block| block.id.height == ahead)
        });
        if !on_chain.contains(&leader) {
            return;
        }
        // Whoever is in step with its network has a young tip: nobody takes its place by a tale of later blocks.
        let is_old = self.endpoints.age_of(&tip) > OLD;
        let are_ahead = !far.contains(&leader) && on_chain.iter().any(|at| far.contains(at));
        let is_behind = are_ahead && is_old;
        let may_lead = |at: &&usize| {
            let is_as_good = far.contains(*at) || !(is_behind || far.contains(&leader));
            let is_sound = self.endpoints.is_trusted(**at) && self.endpoints.is_steady(**at);
            // Whoever told what was not so, or failed, is better than one that is left behind, and than no other.
            is_as_good && (is_behind || **at == leader || is_sound)
        };
        let best = on_chain.iter().filter(may_lead).min_by_key(|at| {
            let is_trusted = self.endpoints.is_trusted(**at);
            (!is_trusted, self.endpoints.is_slow(**at), **at)
        });
        let Some(best) = best.copied().filter(|best| *best != leader) else {
            return;
        };
        let (was, now) = (self.endpoints.name(leader), self.endpoints.name(best));
        if is_behind {
            let why = format!("it is {BEHIND_BLOCKS} blocks or more behind others, at {height}");
            self.endpoints.is_behind(leader, &why);
        } else {
            let why = if !self.endpoints.is_trusted(leader) {
                "the other has told what is not so"
            } else if self.endpoints.is_slow(leader) {
                "it answers much sooner"
            } else {
                "it is configured before the other"
            };
            tracing::info!(%was, %now, why, "another endpoint is asked first");
        }
        self.endpoints.lead(best);
    }
}
