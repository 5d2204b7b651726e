//! Leaving blocks of ours for the node's: one input disconnects and connects.

use super::{
    Follower, Halt, Sink,
    connect::{refs, split},
    fork::{self, Path},
    pace::BATCH_BLOCKS,
    traces,
};
use crate::{
    chain::{ChainInput, ChainSource, SourceError},
    domain::{
        block::{BlockId, BlockRef, Height},
        facts::BlockFacts,
    },
};
use tracing::info;

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Goes over to the node's branch. Transactions that both branches hold stay in a block
    /// throughout, because the first batch reaches our old height where the limit lets it.
    pub(super) async fn reorganise(&mut self, path: Path) -> Result<(), Halt> {
        let fork = self.fork_block(path.head).await?;
        self.may_leave(fork, &path.blocks).await?;
        let left = self.window.tip().map_or(Height(0), |tip| tip.id.height);
        let depth = left.minus(fork.id.height.0).0;
        let needed = depth.saturating_add(1).min(BATCH_BLOCKS);
        let (first, rest) = split(&path.blocks, self.pace.blocks().max(needed));
        let connected = self.bodies(first).await?;
        info!(depth, fork = fork.id.height.0, tip = left.0, "reorg");
        self.leave(fork, connected).await?;
        self.connect(rest).await
    }

    /// Whether the node's branch may take the place of all that we know, because an operator
    /// released the chain.
    pub(super) fn may_leave_all(&self, path: &Path) -> bool {
        self.released && path.head.height >= self.window.bottom()
    }

    async fn leave(&mut self, fork: BlockRef, connected: Vec<BlockFacts>) -> Result<(), Halt> {
        let (blocks, untraced) = (refs(&connected), traces::awaiting(&connected));
        self.tell(ChainInput::Advance {
            disconnect_to: Some(fork),
            connected,
        })
        .await?;
        self.window.rewind(fork);
        self.agreed.rewind(fork);
        self.untraced.rewind(fork.id.height);
        self.untraced.add(untraced);
        self.asks.disconnected(fork.id.height);
        if self.released {
            self.finality.release(fork.id.height);
        }
        self.believe(blocks)
    }

    async fn fork_block(&mut self, fork: BlockId) -> Result<BlockRef, SourceError> {
        if let Some(ours) = self.window.get(fork.height).filter(|ours| ours.id == fork) {
            return Ok(ours);
        }
        let headers = fork::linked_headers(&mut self.source, fork.height, 1).await?;
        let found = headers.first().filter(|header| header.id == fork).copied();
        found.ok_or_else(|| fork::moved(fork.height))
    }
}
