//! What a follower sees of the node.

use super::{Call, FakeSource, State, tx};
use crate::{
    chain::{
        Agreement, ChainSource, MempoolNews, Moves, NodeStatus, SourceError, TracedBlock,
        follower::testing::facts_of,
    },
    domain::{
        amount::Amount,
        block::{BlockId, BlockRef, Height, TxId},
        facts::{BlockFacts, Destination, MempoolSnapshot, OutPoint, TxFacts},
        view::TracedBy,
    },
};
use std::sync::MutexGuard;

impl FakeSource {
    fn enter(&self, call: Call) -> Result<MutexGuard<'_, State>, SourceError> {
        let mut state = self.0.state();
        state.enter(call)?;
        Ok(state)
    }
}

impl ChainSource for FakeSource {
    async fn connect(&mut self) -> Result<(), SourceError> {
        self.enter(Call::Connect).map(drop)
    }

    async fn status(&mut self) -> Result<NodeStatus, SourceError> {
        let takes = self.enter(Call::Status)?.status_takes;
        tokio::time::sleep(takes).await;
        let state = self.0.state();
        Ok(NodeStatus {
            tip: state.tip(),
            finalized: state.tags.0,
            safe: state.tags.1,
            tagged: state.tags.0.is_some(),
            syncing: state.syncing,
            mempool_loaded: !state.mempool_loading,
        })
    }

    async fn headers(&mut self, from: Height, count: u32) -> Result<Vec<BlockRef>, SourceError> {
        let mut state = self.enter(Call::Headers)?;
        state.header_counts.push(count);
        let from = usize::try_from(from.0).expect("small");
        let headers = state
            .seen()
            .iter()
            .skip(from)
            .take(usize::try_from(count).expect("small"));
        let shown = |header: &BlockRef| *state.lies.get(&header.id.height).unwrap_or(header);
        let mut headers: Vec<BlockRef> = headers.map(shown).collect();
        if state.shuffled {
            headers.sort_by_key(|header| header.id.height.0.wrapping_mul(2_654_435_769));
        }
        Ok(headers)
    }

    async fn blocks(&mut self, blocks: &[BlockRef]) -> Result<Vec<BlockFacts>, SourceError> {
        let state = self.enter(Call::Blocks)?;
        let body = |block: &BlockRef| {
            let hash = block.id.hash;
            if state.unreadable.contains(&hash) {
                Err(SourceError::Permanent("cannot be read".into()))
            } else if state.bodiless.contains(&hash) || !state.known.contains_key(&hash) {
                Err(SourceError::Behind("no body".into()))
            } else {
                let mut facts = facts_of(*state.swapped.get(&hash).unwrap_or(block));
                facts.awaits_trace = state.traced;
                Ok(facts)
            }
        };
        blocks.iter().map(body).collect()
    }

    async fn traces(&mut self, blocks: &[BlockRef]) -> Vec<TracedBlock> {
        let takes = self.0.state().tracing_takes;
        tokio::time::sleep(takes).await;
        let state = self.enter(Call::Traces).expect("no failure as a whole");
        let told = |block: &BlockRef| match state.untraced.get(&block.id.hash) {
            None => {
                let mut facts = facts_of(*block);
                facts.awaits_trace = state.sole;
                let dispute = state.disputed.get(&block.id.hash).cloned();
                Some((*block, Ok(Moves { facts, dispute })))
            }
            Some(Some(error)) => Some((*block, Err(error.clone()))),
            Some(None) => None,
        };
        blocks.iter().filter_map(told).collect()
    }

    async fn growth(
        &mut self,
        _: BlockRef,
        destinations: &[Destination],
    ) -> Result<Vec<Vec<Amount>>, SourceError> {
        drop(self.enter(Call::Growth)?);
        Ok(vec![vec![Amount::from_u64(7)]; destinations.len()])
    }

    async fn is_stale(&mut self, block: BlockId) -> Result<bool, SourceError> {
        let state = self.enter(Call::IsStale)?;
        let hidden = &state.best[state.seen().len()..];
        let heard_of = state.known.contains_key(&block.hash)
            && !hidden.iter().any(|hidden| hidden.id == block);
        Ok(heard_of && !state.best.iter().any(|best| best.id == block))
    }

    fn traced_by(&self) -> Option<TracedBy> {
        self.0.state().traced_by
    }

    fn has_agreed_tip(&self) -> bool {
        let state = self.0.state();
        let tip = state.tip().id.hash;
        state.split.is_none() && state.held.as_ref().is_none_or(|held| held.contains(&tip))
    }

    async fn agreement(&mut self, ours: &[BlockRef]) -> Agreement {
        let state = self.0.state();
        if state.split.is_some() {
            return Agreement {
                split: state.split.clone(),
                ..Agreement::default()
            };
        }
        let Some(held) = &state.held else {
            return Agreement::with_all(ours);
        };
        let mut from_top = ours.iter().rev();
        Agreement {
            held: from_top
                .find(|block| held.contains(&block.id.hash))
                .copied(),
            dissent: vec!["other has none of it".to_owned()],
            beyond: Vec::new(),
            split: None,
        }
    }

    async fn mempool(&mut self) -> Result<MempoolNews, SourceError> {
        let mut state = self.enter(Call::Mempool)?;
        let tip = state.tip().id.hash;
        let loading = state.mempool_loading;
        let Some(transactions) = state.mempool.as_mut() else {
            return Ok(MempoolNews::default());
        };
        let txids = transactions.iter().map(|tx| tx.txid).collect();
        let snapshot = MempoolSnapshot { tip, txids };
        Ok(MempoolNews {
            answered: 0,
            arrived: std::mem::take(transactions),
            snapshot: (!loading).then_some(snapshot),
        })
    }

    async fn named(&mut self) -> Result<MempoolNews, SourceError> {
        let mut state = self.enter(Call::Named)?;
        let count = state.named_a_look.unwrap_or(usize::MAX);
        let count = count.min(state.named.len());
        Ok(MempoolNews {
            arrived: state.named.drain(..count).collect(),
            ..MempoolNews::default()
        })
    }

    fn has_named(&self) -> bool {
        !self.0.state().named.is_empty()
    }

    async fn unconfirmed(&mut self, _: &[Destination]) -> Result<Vec<TxFacts>, SourceError> {
        self.enter(Call::Unconfirmed).map(drop)?;
        Ok(vec![tx(1)])
    }

    async fn spenders(&mut self, outpoints: &[OutPoint]) -> Result<Vec<Option<TxId>>, SourceError> {
        let state = self.enter(Call::Spenders)?;
        let spender = |outpoint| state.spenders.get(outpoint).copied();
        Ok(outpoints.iter().map(spender).collect())
    }
}
