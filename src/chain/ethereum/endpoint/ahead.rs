//! A block that was announced is asked for while the endpoint is still asked what its best block is: one
//! round trip less. Its answers are checked as any other; those that do not come are asked for again.

use super::Endpoint;
use crate::{
    chain::rpc::{RpcError, Transport},
    domain::block::BlockId,
};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// A part of a block as JSON; nothing where the endpoint does not have the block.
type Part = Result<Option<Box<RawValue>>, RpcError>;

/// Its body and its receipts.
pub(super) type Parts = (Part, Part);

/// What one block's parts are, once they have come.
struct Asked {
    block: BlockId,
    /// One task, which ends with whoever waits for it.
    parts: JoinSet<Parts>,
}

/// The block that is asked for ahead of its time, if any.
#[derive(Clone, Default)]
pub(super) struct Ahead(Arc<Mutex<Option<Asked>>>);

impl Ahead {
    fn slot(&self) -> MutexGuard<'_, Option<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, block: BlockId) -> Option<JoinSet<Parts>> {
        let asked = self.slot().take_if(|asked| asked.block == block);
        asked.map(|asked| asked.parts)
    }
}

impl<T: Transport> Endpoint<T> {
    /// Begins to ask for a block that was announced; without one, an earlier one is let go. Where receipts
    /// come one by one, the block must be known first.
    pub(in crate::chain::ethereum) fn ask_ahead(&self, announced: Option<BlockId>) {
        let announced = announced.filter(|_| self.has_block_receipts());
        let asked = announced.map(|block| {
            let mut parts = JoinSet::new();
            let endpoint = self.clone();
            parts.spawn(async move { endpoint.ask_for_parts(block).await });
            Asked { block, parts }
        });
        *self.ahead.slot() = asked;
    }

    /// A block's parts.
    pub(super) async fn parts(&self, block: BlockId) -> Parts {
        let asked = self.ahead.take(block);
        if let Some(mut parts) = asked
            && let Some(Ok(parts @ (Ok(Some(_)), Ok(Some(_))))) = parts.join_next().await
        {
            return parts;
        }
        self.ask_for_parts(block).await
    }

    async fn ask_for_parts(&self, block: BlockId) -> Parts {
        tokio::join!(self.body(block), self.receipts(block))
    }
}
