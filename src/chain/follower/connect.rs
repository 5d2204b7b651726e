//! Connecting blocks: the first one ever, and those that follow our tip.

use super::{
    Follower, Halt, Sink, Standing,
    fork::{self, Path},
    traces,
    window::{WINDOW_BLOCKS, Window},
};
use crate::{
    chain::{ChainInput, ChainSource, NodeStatus, SourceError},
    domain::{block::BlockRef, facts::BlockFacts},
};

/// How many headers up to the first block are fetched at least, so that a reorg of the first blocks
/// followed has a known fork point. As many as finality is deep, where the window holds them.
const FIRST_HEADERS: u32 = 128;

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Begins at the node's tip: what came before is nobody's payment unless a backfill asks.
    pub(super) async fn start_at(&mut self, status: &NodeStatus) -> Result<Standing, Halt> {
        if status.syncing {
            let message = "the node is still syncing; following starts at its tip once it is done";
            return Err(SourceError::Transient(message.into()).into());
        }
        if self.stands_alone() {
            let message = "no quorum of operators agrees on a block to begin at";
            return Err(SourceError::Transient(message.into()).into());
        }
        let tip = status.tip;
        let history = self.history_below(tip).await?;
        let mut bodies = self.bodies(&[tip]).await?;
        let first = bodies.pop().ok_or_else(|| fork::moved(tip.id.height))?;
        let untraced = traces::awaiting(std::slice::from_ref(&first));
        self.tell(ChainInput::Began {
            history: history.clone(),
            first: Box::new(first),
        })
        .await?;
        self.window = Window::new(history);
        self.untraced.add(untraced);
        self.believe([tip])?;
        Ok(Standing::InStep)
    }

    async fn history_below(&mut self, tip: BlockRef) -> Result<Vec<BlockRef>, SourceError> {
        let most = u32::try_from(WINDOW_BLOCKS).unwrap_or(u32::MAX);
        let count = self.options.final_depth.clamp(FIRST_HEADERS, most);
        let path = Path {
            head: tip.id,
            blocks: Vec::new(),
        };
        let to = tip.id.height.minus(count);
        let path = fork::descend(&mut self.source, path, to, &self.window).await?;
        let mut headers = path.blocks;
        headers.pop();
        Ok(headers)
    }

    /// Takes a path that stands on a block of ours: a continuation, or a reorg.
    pub(super) async fn follow(&mut self, path: Path) -> Result<(), Halt> {
        let ours = self.window.tip().map(|tip| tip.id);
        if ours == Some(path.head) {
            self.connect(&path.blocks).await
        } else {
            self.reorganise(path).await
        }
    }

    /// Connects blocks on top of our tip, batch by batch, as far as their bodies are there.
    pub(super) async fn connect(&mut self, blocks: &[BlockRef]) -> Result<(), Halt> {
        let mut rest = blocks;
        while !rest.is_empty() {
            let (batch, later) = split(rest, self.pace.blocks());
            let connected = match self.bodies(batch).await {
                Ok(connected) => connected,
                // Those before the block that is missing or bad are good.
                Err(SourceError::Behind(_) | SourceError::Permanent(_)) if batch.len() > 1 => {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.advance(connected).await?;
            rest = later;
        }
        Ok(())
    }

    /// Tells the watcher first, and believes after.
    async fn advance(&mut self, connected: Vec<BlockFacts>) -> Result<(), Halt> {
        let (blocks, untraced) = (refs(&connected), traces::awaiting(&connected));
        self.tell(ChainInput::Advance {
            disconnect_to: None,
            connected,
        })
        .await?;
        self.untraced.add(untraced);
        self.believe(blocks)
    }

    /// Puts blocks that the watcher was told of on our chain.
    pub(super) fn believe(
        &mut self,
        blocks: impl IntoIterator<Item = BlockRef>,
    ) -> Result<(), Halt> {
        blocks.into_iter().try_for_each(|block| {
            let extended = self.window.extend(block);
            extended.map_err(|error| SourceError::Transient(error.to_string()).into())
        })
    }

    /// The contents of these blocks, checked to be of these blocks.
    pub(super) async fn bodies(
        &mut self,
        blocks: &[BlockRef],
    ) -> Result<Vec<BlockFacts>, SourceError> {
        if blocks.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.source.blocks(blocks).await;
        let answer = answer.and_then(|facts| {
            let same = facts.iter().map(|facts| &facts.block).eq(blocks);
            let other = || SourceError::Transient("other blocks came than were asked for".into());
            same.then_some(facts).ok_or_else(other)
        });
        match answer {
            Ok(facts) => {
                self.pace.succeeded(&facts);
                Ok(facts)
            }
            Err(error) => {
                self.pace.failed();
                Err(naming(error, blocks))
            }
        }
    }
}

/// Which blocks these are.
pub(super) fn refs(facts: &[BlockFacts]) -> Vec<BlockRef> {
    facts.iter().map(|facts| facts.block).collect()
}

/// The first `count` blocks, at least one, and the others.
pub(super) fn split(blocks: &[BlockRef], count: u32) -> (&[BlockRef], &[BlockRef]) {
    let count = usize::try_from(count).unwrap_or(usize::MAX).max(1);
    blocks.split_at(count.min(blocks.len()))
}

/// A failure that belongs to one block names it, so that an operator can look it up.
fn naming(error: SourceError, blocks: &[BlockRef]) -> SourceError {
    let &[block] = blocks else { return error };
    let (height, hash) = (block.id.height, block.id.hash);
    let named = |text| format!("block {height} {hash}: {text}");
    match error {
        SourceError::Transient(text) => SourceError::Transient(named(text)),
        SourceError::Behind(text) => SourceError::Behind(named(text)),
        SourceError::Permanent(text) => SourceError::Permanent(named(text)),
    }
}
