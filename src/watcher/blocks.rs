//! Blocks that join or leave the best chain: whom they touch, and the view after them.

use super::{
    Watcher, doubt::block_seen_at, ownership::Hit, plan::Plan, state::ChainState, touched::Touched,
    unproven,
};
use crate::{
    bugs::{Bug, planted},
    chain::ethereum,
    clock::Now,
    domain::{
        block::{BlockRef, Height, TxId},
        facts::{BlockFacts, Candidate, Credit, Fact, OutPoint},
        payment::PaymentKey,
        time::UnixMs,
        view::{ChainView, FreezeReason},
    },
    store::StoreError,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Transactions of ours that this input takes out of blocks.
#[derive(Debug, Default)]
pub(super) struct Disconnected {
    /// By what they spend, to know a conflict by.
    spenders: HashMap<OutPoint, Vec<(TxId, PaymentKey)>>,
    /// All of them: one that is mined again stays with its payments, watched or not.
    transactions: HashSet<TxId>,
}

impl Watcher {
    /// Following begins at `first`; the blocks below are known by their headers.
    pub(super) fn plan_start(
        &self,
        at: usize,
        history: &[BlockRef],
        first: &BlockFacts,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let mut plan = self.plan_advance(at, None, std::slice::from_ref(first), now)?;
        if let Some(step) = &mut plan.step.chain {
            step.history = history.to_vec();
        }
        Ok(plan)
    }

    /// Blocks above `fork` left the best chain and `blocks` joined it.
    pub(super) fn plan_advance(
        &self,
        at: usize,
        fork: Option<BlockRef>,
        blocks: &[BlockFacts],
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let base = fork.or(chain.view.scanned);
        if !is_linked(base, blocks) {
            let problem = format!(
                "chain {}: blocks that do not follow the cursor",
                chain.spec.name
            );
            return Err(StoreError::Refused(problem));
        }
        let mut view = chain.view.clone();
        if let Some(fork) = fork {
            cut_tags(&mut view, fork.id.height);
        }
        view.scanned = blocks.last().map(|facts| facts.block).or(base);
        view.agreed = Self::agreed_after(chain, view.agreed, fork, view.scanned);
        view.held = held_after(chain, &view, fork);
        view.traced = traced_after(view.traced, fork, blocks);
        view.traced_at = traced_at(chain, &view, fork, blocks);
        Self::settle_view(chain, &mut view, now);

        let mut touched = Touched::default();
        let gone = match fork {
            Some(fork) => {
                let gone = self.touch_disconnected(chain, fork.id.height, &mut touched)?;
                self.touch_balances(chain, fork.id.height, &mut touched)?;
                gone
            }
            None => Disconnected::default(),
        };
        self.touch_not_deep_any_more(chain, &view, &mut touched)?;
        for facts in blocks {
            let seen_at = block_seen_at(chain, facts.block, now);
            self.touch_block(chain, facts, &gone, seen_at, &mut touched)?;
        }
        self.touch_users_of_tokens(chain, blocks, &mut touched, &mut plan)?;
        self.touch_due(&view, &mut touched, &mut plan)?;
        self.judge(&view, touched, &mut plan)?;
        plan.step
            .entries
            .extend(unproven::entry(chain, blocks, now.wall));

        if chain.suspended_at.is_some() {
            plan.undated = Some((at, self.undated_in(chain, blocks, now)));
        }
        plan.ignored = blocks
            .iter()
            .flat_map(|facts| facts.ignored.iter().copied())
            .collect();
        let error = Self::row_error(chain, &view, now);
        let step = plan.record_chain(view.clone(), error);
        step.disconnected_to = fork.map(|block| block.id.height);
        step.connected = blocks.iter().map(|facts| facts.block).collect();
        plan.view = Some((at, view));
        Ok(plan)
    }

    /// What is agreed on once blocks above `fork` left and the cursor is another: who holds a block
    /// holds all below it.
    fn agreed_after(
        chain: &ChainState,
        agreed: Option<BlockRef>,
        fork: Option<BlockRef>,
        cursor: Option<BlockRef>,
    ) -> Option<BlockRef> {
        if !chain.spec.asks_others() {
            return cursor;
        }
        let is_above =
            |block: &BlockRef| agreed.is_some_and(|agreed| agreed.id.height > block.id.height);
        fork.filter(is_above).or(agreed)
    }

    /// When the cursor falls, blocks that stayed lose confirmations too.
    fn touch_not_deep_any_more(
        &self,
        chain: &ChainState,
        view: &ChainView,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let (before, after) = (chain.view.scanned, view.scanned);
        let Some((before, after)) = before.zip(after) else {
            return Ok(());
        };
        let after = after.id.height;
        if after < before.id.height {
            for key in self.store.not_deep_any_more(&chain.spec.name, after)? {
                touched.again(key);
            }
        }
        Ok(())
    }

    /// Every payment with money above the fork point, and that money's transactions.
    fn touch_disconnected(
        &self,
        chain: &ChainState,
        fork: Height,
        touched: &mut Touched,
    ) -> Result<Disconnected, StoreError> {
        let keys = self.store.anchored_above(&chain.spec.name, fork)?;
        let payments = self.store.load(&keys)?;
        let mut gone = Disconnected::default();
        for payment in &payments {
            let held = chain.view.held;
            touched.add(payment.key, Fact::Disconnected { fork, held });
            for transfer in &payment.transfers {
                gone.transactions.insert(transfer.txid);
                let entry = (transfer.txid, payment.key);
                for input in &transfer.inputs {
                    gone.spenders.entry(*input).or_default().push(entry);
                }
            }
        }
        touched.keep_loaded(payments);
        Ok(gone)
    }

    /// Whom a block's credits and spends concern.
    pub(super) fn touch_block(
        &self,
        chain: &ChainState,
        facts: &BlockFacts,
        gone: &Disconnected,
        seen_at: UnixMs,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let mut inputs = HashMap::new();
        let may_watch = self.index.may_watch(&chain.spec.name);
        let all = !gone.transactions.is_empty();
        let candidates = facts.credits.tagged(|tag| all || may_watch(tag));
        let hits = candidates.filter_map(|candidate| {
            self.mined(chain, facts, &candidate, gone, seen_at, &mut inputs)
        });
        let hits = hits.collect();
        self.touch_credits(chain, hits, touched)?;
        self.touch_earners(chain, facts, touched);
        self.touch_named(chain, facts, touched);
        for spend in &facts.spends {
            let Some(by) = transaction(facts, spend.tx_index) else {
                continue;
            };
            let unconfirmed = chain.unconfirmed.spenders(&spend.outpoint);
            let ours = unconfirmed.flat_map(|txid| {
                let payments = chain.unconfirmed.payments(txid);
                payments.map(move |key| (txid, key))
            });
            let disconnected = gone
                .spenders
                .get(&spend.outpoint)
                .into_iter()
                .flatten()
                .copied();
            for (txid, key) in ours.chain(disconnected).filter(|(txid, _)| *txid != by) {
                touched.add(
                    key,
                    Fact::Conflicted {
                        txid,
                        by,
                        block: facts.block,
                    },
                );
            }
        }
        Ok(())
    }

    /// A credit in a block that may concern somebody: its address is watched, or its transaction
    /// has just left another block.
    fn mined(
        &self,
        chain: &ChainState,
        facts: &BlockFacts,
        candidate: &Candidate,
        gone: &Disconnected,
        seen_at: UnixMs,
        inputs: &mut HashMap<u32, Arc<[OutPoint]>>,
    ) -> Option<Hit> {
        let owners = self.index.owners(&chain.spec.name, &candidate.destination);
        let owners: Vec<PaymentKey> = owners.collect();
        if owners.is_empty() && gone.transactions.is_empty() {
            return None;
        }
        let txid = transaction(facts, candidate.tx_index)?;
        if owners.is_empty() && !gone.transactions.contains(&txid) {
            return None;
        }
        let credit = Credit {
            in_told_block: facts.unproven.is_some(),
            ..credit(chain, txid, candidate)?
        };
        let inputs = inputs.entry(candidate.tx_index);
        let inputs = inputs.or_insert_with(|| spent_by(facts, candidate.tx_index));
        let fact = |credit| Fact::Mined {
            credit,
            block: facts.block,
            tx_index: candidate.tx_index,
            seen_at,
            inputs: Arc::clone(inputs),
        };
        Some(Hit::new(owners, candidate.destination, credit, fact))
    }

    /// Brings health and finality of a view up to date with its cursor.
    pub(super) fn settle_view(chain: &ChainState, view: &mut ChainView, now: Now) {
        if let Some((_, status)) = &chain.answer {
            view.tip = Some(status.tip);
            let before = view.tagged && !planted(Bug::TagsForgotten);
            view.tagged = before || status.tagged || status.finalized.is_some();
        }
        view.healthy = Self::trouble(chain, view, now).is_none();
        if view.frozen.is_none() && !view.tagged {
            let depth = chain.spec.final_depth;
            let agreed = view.agreed_height();
            let by_depth = agreed.and_then(|agreed| agreed.0.checked_sub(depth));
            view.finalized = view.finalized.max(by_depth.map(Height));
        }
    }
}

/// The highest block that was ever held once blocks above `fork` left and the cursor is another. Following
/// begins at a block that a quorum holds.
fn held_after(chain: &ChainState, view: &ChainView, fork: Option<BlockRef>) -> Option<Height> {
    if !chain.spec.asks_others() || chain.view.scanned.is_none() {
        return view.scanned.map(|cursor| cursor.id.height);
    }
    let held = view.held;
    held.map(|held| fork.map_or(held, |fork| held.min(fork.id.height)))
}

/// What a transaction of a block spends.
fn spent_by(facts: &BlockFacts, tx_index: u32) -> Arc<[OutPoint]> {
    let spends = facts.spends.iter();
    let own = spends.filter(|spend| spend.tx_index == tx_index);
    own.map(|spend| spend.outpoint).collect()
}

/// A candidate as a credit of a configured asset.
pub(super) fn credit(chain: &ChainState, txid: TxId, candidate: &Candidate) -> Option<Credit> {
    let asset = chain.spec.asset(candidate.asset)?;
    if ethereum::sender::is_self_transfer(candidate) {
        return None;
    }
    Some(Credit {
        txid,
        position: candidate.position.clone(),
        asset: asset.code.clone(),
        amount: candidate.amount,
        from_address: ethereum::sender::payer(candidate).map(ethereum::address::checksummed),
        coinbase: candidate.coinbase,
        evidence: candidate.evidence,
        in_told_block: false,
        dust: asset.dust,
        decimals: asset.decimals,
    })
}

pub(super) fn transaction(facts: &BlockFacts, index: u32) -> Option<TxId> {
    facts
        .transactions
        .get(usize::try_from(index).ok()?)
        .copied()
}

/// What left the chain is safe no more, and on a chain that an operator released not final either.
fn cut_tags(view: &mut ChainView, fork: Height) {
    if !planted(Bug::SafeOutlivesBlock) {
        view.safe = view.safe.map(|height| height.min(fork));
    }
    if view.frozen == Some(FreezeReason::Released) {
        view.finalized = view.finalized.map(|height| height.min(fork));
    }
}

/// Up to where nothing is missing of what contracts moved: no further than the first block that awaits
/// it. Nothing is said of a chain on which none ever awaited it.
fn traced_after(
    traced: Option<Height>,
    fork: Option<BlockRef>,
    blocks: &[BlockFacts],
) -> Option<Height> {
    let traced = traced.map(|known| fork.map_or(known, |fork| known.min(fork.id.height)));
    blocks.iter().fold(traced, |traced, facts| {
        let below = facts.block.id.height.minus(1);
        match (traced, facts.awaits_trace) {
            (None, true) => Some(below),
            (Some(known), false) if known >= below => Some(facts.block.id.height),
            (traced, _) => traced,
        }
    })
}

/// The time of the block up to which nothing is missing, where it is remembered; at least that of before.
fn traced_at(
    chain: &ChainState,
    view: &ChainView,
    fork: Option<BlockRef>,
    blocks: &[BlockFacts],
) -> Option<UnixMs> {
    let height = view.traced?;
    let mut joined = blocks.iter().map(|facts| facts.block);
    let joined = joined.find(|block| block.id.height == height);
    let known = joined.or_else(|| chain.block_at(height));
    let before = view.traced_at.filter(|_| fork.is_none());
    before.max(known.map(|block| block.time))
}

/// Whether blocks follow one another and the block before them.
fn is_linked(base: Option<BlockRef>, blocks: &[BlockFacts]) -> bool {
    let mut before = base;
    blocks.iter().all(|facts| {
        let follows = before.is_none_or(|parent| {
            parent.id.hash == facts.block.parent
                && parent.id.height.plus(1) == facts.block.id.height
        });
        before = Some(facts.block);
        follows
    })
}
