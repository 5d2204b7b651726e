//! How an endpoint is asked for a block's receipts: all at once, or one by one in batches where that is
//! not offered. They are the same receipts either way, and the receipts root proves that none is missing.
//!
//! Source: Ethereum execution APIs, `eth_getBlockReceipts`, `eth_getTransactionReceipt`.

use super::{
    BlockError, Endpoint, INVALID_PARAMS, NOT_OFFERED, PRUNED, TellsBlock, is_null, prefixed,
    quantity,
};
use crate::{
    chain::{
        SourceError,
        ethereum::{
            verify::{self, FailedCheck, Fault, Part, ShownId, VerifyError},
            wire,
        },
        rpc::{Call, Limits, RpcError, Transport},
    },
    domain::block::{BlockId, BlockRef},
};
use alloy_primitives::B256;
use serde_json::{json, value::RawValue};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How long all receipts of a block may take one by one: as long as all at once.
const ONE_BY_ONE: Duration = Limits::BULK.total;

/// A pause that a node asks for is kept in the middle of a block when it is no longer than this; for a longer
/// one others are asked.
const PAUSE_MAX: Duration = Duration::from_secs(2);

const BY_BLOCK: &str = "eth_getBlockReceipts";
const BY_TRANSACTION: &str = "eth_getTransactionReceipt";

/// How a node is told which receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReceiptsBy {
    /// Of the block with this hash.
    Hash,
    /// Where a node takes no hash; the receipts root proves that it was the right block.
    Number,
    /// Where it offers only single ones.
    Transaction {
        /// How many the latest block had when it was connected.
        calls: usize,
    },
}

/// How many receipts are asked for in one request: half as many after each time that the node refused so
/// many, and twice as many after it took so many for a while.
#[derive(Debug)]
pub(super) struct BatchSize {
    size: AtomicUsize,
    /// How many requests of that size it took in a row.
    taken: AtomicUsize,
}

impl BatchSize {
    /// What public endpoints still accept in one request.
    const FIRST: usize = 100;

    /// So often in a row a node takes a size before it is asked for more.
    const GROWS_AFTER: usize = 16;

    pub(super) const fn new() -> Self {
        Self {
            size: AtomicUsize::new(Self::FIRST),
            taken: AtomicUsize::new(0),
        }
    }

    fn get(&self) -> usize {
        self.size.load(Ordering::Relaxed).max(1)
    }

    /// A whole request of this size was refused.
    fn refused(&self, size: usize) {
        self.change(size, (size / 2).max(1));
    }

    /// A request of this size was answered.
    fn answered(&self, size: usize) {
        if size == Self::FIRST || size != self.get() {
            return;
        }
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        if before.saturating_add(1) >= Self::GROWS_AFTER {
            self.change(size, size.saturating_mul(2).min(Self::FIRST));
        }
    }

    /// Another size, unless there is one already: several blocks are fetched at once.
    fn change(&self, from: usize, to: usize) {
        let relaxed = Ordering::Relaxed;
        let changed = self.size.compare_exchange(from, to, relaxed, relaxed);
        if changed.is_ok() {
            self.taken.store(0, relaxed);
        }
    }
}

impl<T: Transport> Endpoint<T> {
    /// Whether it tells a block's receipts all at once.
    pub(super) const fn has_block_receipts(&self) -> bool {
        match self.receipts_by {
            ReceiptsBy::Hash | ReceiptsBy::Number => true,
            ReceiptsBy::Transaction { .. } => false,
        }
    }

    /// Which way receipts come, for people. It must be connected.
    pub(in crate::chain::ethereum) fn receipts_method(&self) -> String {
        match self.receipts_by {
            ReceiptsBy::Hash => "by block".to_owned(),
            ReceiptsBy::Number => "by block number".to_owned(),
            ReceiptsBy::Transaction { calls } => {
                format!("one by one: {calls} calls for the latest block")
            }
        }
    }

    /// Finds out which way receipts come, by those of the latest block, which has so many transactions.
    pub(super) async fn probe_receipts(
        &mut self,
        latest: BlockId,
        transactions: usize,
    ) -> Result<(), SourceError> {
        self.receipts_by = ReceiptsBy::Hash;
        let mut asked = self.receipts(latest).await;
        if code(&asked) == Some(INVALID_PARAMS) {
            self.receipts_by = ReceiptsBy::Number;
            asked = self.receipts(latest).await;
        }
        if code(&asked).is_some_and(|code| NOT_OFFERED.contains(&code)) {
            self.receipts_by = ReceiptsBy::Transaction {
                calls: transactions,
            };
            return self.probe_single().await;
        }
        asked
            .map(drop)
            .map_err(|error| self.error(BY_BLOCK, &error))
    }

    /// Asked of a transaction that does not exist: who has the method says that there is none.
    async fn probe_single(&self) -> Result<(), SourceError> {
        let params = json!([B256::ZERO]);
        let asked = self
            .client
            .call_unread(BY_TRANSACTION, params, Limits::ANSWER);
        let asked = asked.await;
        if code(&asked).is_some_and(|code| NOT_OFFERED.contains(&code)) {
            return Err(self.permanent(&format!(
                "neither {BY_BLOCK} nor {BY_TRANSACTION} is offered; deposits cannot be proved \
                 without receipts"
            )));
        }
        asked
            .map(drop)
            .map_err(|error| self.error(BY_TRANSACTION, &error))
    }

    /// A block and its receipts as it tells them. One by one they are asked for only where the block itself is
    /// proved, or fails what `may_fail` says: what is no such block may name as many transactions as it likes.
    pub(super) async fn tell(
        &self,
        block: &BlockRef,
        may_fail: impl Fn(FailedCheck) -> bool,
    ) -> Result<TellsBlock, BlockError> {
        if !self.has_block_receipts() {
            let body = self.body(block.id).await;
            let body = self.present(block, "eth_getBlockByHash", body)?;
            let hashes = hashes(block, &body)?;
            if let Err(error) = verify::verify_body(body.get(), block)
                && !error.fault.check().is_some_and(may_fail)
            {
                return Err(BlockError::Unverified(error));
            }
            let asked = timeout(ONE_BY_ONE, self.one_by_one(block, &hashes));
            let late = || {
                let seconds = ONE_BY_ONE.as_secs();
                let count = hashes.len();
                let error = RpcError::TimedOut(format!("not all {count} within {seconds} s"));
                BlockError::Source(self.error(BY_TRANSACTION, &error))
            };
            let receipts = asked.await.unwrap_or_else(|_| Err(late()))?;
            return Ok(TellsBlock { body, receipts });
        }
        let (body, receipts) = self.parts(block.id).await;
        Ok(TellsBlock {
            body: self.present(block, "eth_getBlockByHash", body)?,
            receipts: self.present(block, BY_BLOCK, receipts)?.into(),
        })
    }

    /// A block's receipts all at once, where they are offered so.
    pub(super) async fn receipts(&self, block: BlockId) -> Result<Option<Box<RawValue>>, RpcError> {
        let which = match self.receipts_by {
            ReceiptsBy::Hash | ReceiptsBy::Transaction { .. } => prefixed(block.hash),
            ReceiptsBy::Number => quantity(block.height),
        };
        self.bulk(BY_BLOCK, json!([which])).await
    }

    /// The receipts of the transactions that a block is said to have, as a list: all that it has only
    /// when its roots say so.
    async fn one_by_one(&self, block: &BlockRef, hashes: &[B256]) -> Result<Box<str>, BlockError> {
        let call = |hash: &B256| Call::new(BY_TRANSACTION, json!([hash]));
        let calls: Vec<Call> = hashes.iter().map(call).collect();
        let (mut rest, mut list) = (calls.as_slice(), String::from("["));
        // Of what is left at the end, where that is less than a whole request.
        let mut most = usize::MAX;
        while !rest.is_empty() {
            let full = self.batch_size.get();
            let size = full.min(most).min(rest.len());
            let (part, _) = rest.split_at(size);
            let (receipts, refusal) = self.receipts_in(part).await;
            for (receipt, call) in receipts.iter().zip(part) {
                self.append(&mut list, receipt, block, call)?;
            }
            rest = rest.get(receipts.len()..).unwrap_or_default();
            let Some(error) = refusal else {
                self.batch_size.answered(size);
                continue;
            };
            let pause = pause(&error);
            if pause.is_none() && !(size > 1 && may_be_too_many(&error)) {
                return Err(BlockError::Source(self.error(BY_TRANSACTION, &error)));
            }
            if size == full {
                self.batch_size.refused(size);
            } else {
                most = (size / 2).max(1);
            }
            // What came is kept: who may ask only so often would never have a whole block otherwise.
            sleep(pause.unwrap_or_default()).await;
        }
        list.push(']');
        Ok(list.into())
    }

    /// The receipts that came before the first refusal, and that.
    async fn receipts_in(&self, calls: &[Call]) -> (Vec<Box<RawValue>>, Option<RpcError>) {
        let answers = match self.client.batch(calls).await {
            Ok(answers) => answers,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut receipts = Vec::with_capacity(answers.len());
        for answer in answers {
            match answer {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => return (receipts, Some(error)),
            }
        }
        (receipts, None)
    }

    /// Together they may be no longer than they may be by the block.
    fn append(
        &self,
        list: &mut String,
        receipt: &RawValue,
        block: &BlockRef,
        call: &Call,
    ) -> Result<(), BlockError> {
        if is_null(receipt) {
            let (id, which) = (ShownId(block.id), &call.params);
            let text = format!("{self} {BY_TRANSACTION}: block {id}: {which} is not there (yet)");
            return Err(BlockError::Source(SourceError::Behind(text)));
        }
        let limit_bytes = Limits::BULK.max_body_bytes;
        if list.len().saturating_add(receipt.get().len()) > limit_bytes {
            let error = RpcError::TooLarge { limit_bytes };
            return Err(BlockError::Source(self.error(BY_TRANSACTION, &error)));
        }
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(receipt.get());
        Ok(())
    }
}

/// The hashes of the transactions that a block is said to have.
fn hashes(block: &BlockRef, body: &RawValue) -> Result<Vec<B256>, BlockError> {
    wire::hashes(body.get()).map_err(|error| {
        BlockError::Unverified(VerifyError {
            block: block.id,
            fault: Fault::Malformed {
                part: Part::Transactions,
                why: error.to_string(),
            },
        })
    })
}

/// The pause that a node asks for in the middle of a block, if it is a short one.
fn pause(error: &RpcError) -> Option<Duration> {
    let RpcError::RateLimited { retry_after } = error else {
        return None;
    };
    (*retry_after <= PAUSE_MAX).then_some(*retry_after)
}

/// Whether fewer at once may help. There are as many ways to say that as there are nodes; what is not
/// meant that way is said again of a single one.
const fn may_be_too_many(error: &RpcError) -> bool {
    match error {
        RpcError::Node { code, .. } => *code != PRUNED,
        RpcError::TooLarge { .. } => true,
        RpcError::Transient(_)
        | RpcError::TimedOut(_)
        | RpcError::RateLimited { .. }
        | RpcError::Unauthorized(_)
        | RpcError::Malformed(_) => false,
    }
}

fn code<R>(answer: &Result<R, RpcError>) -> Option<i64> {
    answer.as_ref().err().and_then(RpcError::code)
}
