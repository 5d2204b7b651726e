//! Freezing a chain whose node contradicts what was final, and thawing it.

use super::{Follower, Halt, Sink, Standing, finality::Finality};
use crate::{
    chain::{ChainInput, ChainSource, NodeStatus},
    domain::{
        block::{BlockId, BlockRef, Height},
        view::FreezeReason,
    },
};

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Says once that nothing may rise; nothing of our chain changes.
    pub(super) async fn freeze(&mut self, message: String) -> Result<Standing, Halt> {
        if !self.frozen {
            self.frozen = true;
            let reason = FreezeReason::BelowFinality;
            self.tell(ChainInput::Frozen { reason, message }).await?;
        }
        Ok(Standing::Frozen)
    }

    /// Draws the conclusions of a comparison: what is final now, and whether the node is on the
    /// chain of our final block. It is told after what was disconnected, so that nothing rises on
    /// blocks that are about to leave.
    pub(super) async fn settle(
        &mut self,
        status: &NodeStatus,
        standing: Standing,
    ) -> Result<Standing, Halt> {
        self.observe_finality(status.finalized);
        let in_step = standing == Standing::InStep;
        if in_step && Finality::is_contradicted(&self.window, status.finalized) {
            return self.freeze(contradiction(status.finalized)).await;
        }
        let agrees = match standing {
            Standing::InStep | Standing::More => true,
            Standing::Behind => self.is_at_or_above_final(status.tip.id),
            Standing::Frozen => false,
        };
        if self.stands_alone() {
            return Ok(standing);
        }
        self.released &= !in_step;
        if agrees && self.frozen {
            self.frozen = false;
            self.tell(ChainInput::Thawed).await?;
        }
        Ok(standing)
    }

    pub(super) fn observe_finality(&mut self, tag: Option<BlockId>) {
        let upto = self.vouched_for();
        self.finality.observe(&self.window, upto, tag);
    }

    fn is_at_or_above_final(&self, block: BlockId) -> bool {
        block.height >= self.finality.height() && self.window.contains(block)
    }
}

/// The node names a final block that is not ours at that height.
pub(super) fn contradiction(tag: Option<BlockId>) -> String {
    let (height, hash) = tag.map_or_else(
        || (Height(0), String::from("?")),
        |tag| (tag.height, tag.hash.to_string()),
    );
    format!(
        "the node calls block {height} {hash} final, and ours at that height is another; \
         nothing is rolled back until the node is back or the chain is released"
    )
}

/// The node's best chain left ours below the lowest block that may be a fork point.
pub(super) fn off_our_final_chain(floor: Height, tip: BlockRef) -> String {
    let BlockId { height, hash } = tip.id;
    format!(
        "the node's best chain (tip {height} {hash}) leaves ours below block {floor}, where \
         nothing may change any more; nothing is rolled back until the node is back or the chain \
         is released"
    )
}
