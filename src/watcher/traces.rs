//! What contracts moved: told behind the cursor, and worth what vouches for it.
//!
//! What two operators tell alike is taken as it is. What one alone claims is recorded and shown, but
//! nothing rests on it until the balance was asked for; whoever gives another balance than the claim
//! needs makes it a matter for a person.

use super::{
    Watcher, blocks::Disconnected, doubt::block_seen_at, plan::Plan, state::ChainState,
    touched::Touched,
};
use crate::{
    chain::{Ask, STATE_BLOCKS, WITNESSES},
    clock::Now,
    domain::{
        amount::Amount,
        asset::{AssetCode, ChainKind},
        block::{BlockId, BlockRef, Height},
        event::Entry,
        evidence::Evidence,
        facts::{BlockFacts, CreditAsset, Destination, Fact},
        payment::Payment,
        time::{SpanMs, UnixMs},
        transfer::{Anchor, Transfer},
    },
    store::StoreError,
};
use std::collections::BTreeMap;

/// Payments whose claims are asked about after one poll.
const CLAIMS_MAX: u32 = 200;

/// Blocks that nobody can tell of any more are told once an hour, however many they are.
const GAP_TOLD: SpanMs = SpanMs::from_secs(3600);

/// What a follower told of traces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// Blocks with what contracts moved in them.
    pub blocks: &'a [BlockFacts],
    /// Up to where nothing is missing.
    pub to: Height,
    /// Blocks of which nobody can tell it any more.
    pub given_up: &'a [BlockRef],
}

impl Watcher {
    /// Takes over what contracts moved, and judges what waited for it.
    pub(super) fn plan_traced(
        &self,
        at: usize,
        told: Told<'_>,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut touched = Touched::default();
        for facts in told
            .blocks
            .iter()
            .filter(|facts| is_ours(chain, facts.block))
        {
            let seen_at = block_seen_at(chain, facts.block, now);
            let gone = Disconnected::default();
            self.touch_block(chain, facts, &gone, seen_at, &mut touched)?;
        }
        touched.keep_loaded(self.store.load(&touched.unloaded())?);
        touched.leave_to_those_who_had_begun();
        let mut view = chain.view.clone();
        let cursor = view.scanned.map(|block| block.id.height);
        view.traced = view.traced.max(cursor.map(|cursor| cursor.min(told.to)));
        let traced = view.traced.and_then(|height| chain.block_at(height));
        view.traced_at = view.traced_at.max(traced.map(|block| block.time));
        let given_up_at = told.given_up.iter().map(|block| block.time).max();
        let is_news = view
            .untraced_at
            .is_none_or(|known| given_up_at.is_some_and(|at| at > known.plus(GAP_TOLD)));
        view.untraced_at = view.untraced_at.max(given_up_at);
        Self::settle_view(chain, &mut view, now);
        self.touch_due(&view, &mut touched, &mut plan)?;
        self.judge(&view, touched, &mut plan)?;
        let entry = given_up_entry(chain, told.given_up, now.wall);
        plan.step.entries.extend(entry.filter(|_| is_news));
        if plan.step.is_empty() {
            Self::record_if_changed(chain, &view, now, &mut plan);
        } else {
            let error = Self::row_error(chain, &view, now);
            plan.record_chain(view.clone(), error);
        }
        plan.view = Some((at, view));
        Ok(plan)
    }

    /// Compares what was claimed of a block with what balances grew by in it.
    pub(super) fn plan_grown(
        &self,
        at: usize,
        block: BlockRef,
        growth: &[(Destination, Vec<Amount>)],
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let native = chain.spec.asset(CreditAsset::Native);
        let Some(native) = native.map(|asset| &asset.code) else {
            return Ok(plan);
        };
        // Where a quorum is asked, one operator's word never suffices.
        let needed = if chain.spec.asks_others() {
            WITNESSES
        } else {
            1
        };
        let is_deep = chain.depth_of(block) > STATE_BLOCKS;
        let mut touched = Touched::default();
        let payments = self.claimed(chain)?;
        for payment in &payments {
            let claimed = claimed_in(payment, block.id, native);
            let told = growth.iter().filter(|(to, _)| *to == payment.destination);
            for (_, told) in told {
                let gone = claimed.filter(|_| is_deep && told.is_empty());
                let evidence = gone.map(|_| Evidence::Doubted);
                let evidence =
                    evidence.or(claimed.and_then(|claimed| weigh(claimed, told, needed)));
                if let Some(evidence) = evidence {
                    if evidence == Evidence::Doubted {
                        tracing::warn!(payment = %payment.id, block = %block.id.height, "no balance grew by what a trace claims that a contract paid");
                    }
                    let block = block.id;
                    touched.add(payment.key, Fact::Weighed { block, evidence });
                }
            }
        }
        touched.keep_loaded(payments);
        self.judge(&chain.view, touched, &mut plan)?;
        Ok(plan)
    }

    fn claimed(&self, chain: &ChainState) -> Result<Vec<Payment>, StoreError> {
        let keys = self.store.claimed(&chain.spec.name, CLAIMS_MAX)?;
        self.store.load(&keys)
    }

    /// Asks what balances grew by, of every block in which something is claimed. On Bitcoin nothing is.
    pub(super) fn ask_for_growth(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if chain.spec.kind == ChainKind::Bitcoin {
            return Ok(());
        }
        let mut asks: BTreeMap<Height, (BlockRef, Vec<Destination>)> = BTreeMap::new();
        for payment in self.claimed(chain)? {
            let claims = payment.transfers.iter();
            let claims = claims.filter(|transfer| transfer.is_claim());
            for anchor in claims.filter_map(|transfer| transfer.place.anchor()) {
                let ask = asks.entry(anchor.block.id.height);
                let (_, destinations) = ask.or_insert_with(|| (anchor.block, Vec::new()));
                if !destinations.contains(&payment.destination) {
                    destinations.push(payment.destination);
                }
            }
        }
        let name = chain.spec.name.clone();
        for (block, destinations) in asks.into_values() {
            self.asks
                .push(&name, Ask::Growth(block, destinations), now.wall);
        }
        Ok(())
    }
}

/// Whether a block is still on our chain, as far as that is remembered.
pub(super) fn is_ours(chain: &ChainState, block: BlockRef) -> bool {
    let known = chain.block_at(block.id.height);
    known.is_none_or(|known| known.id == block.id)
}

/// Money in ether that a payment is said to have got in a block, where one alone claims some of it.
fn claimed_in(payment: &Payment, block: BlockId, native: &AssetCode) -> Option<Amount> {
    let is_here = |anchor: &Anchor| anchor.block.id == block;
    let transfers = payment.transfers.iter();
    let here = transfers.filter(|transfer| {
        transfer.asset == *native && transfer.place.anchor().is_some_and(is_here)
    });
    let is_claimed = here.clone().any(Transfer::is_claim);
    let amounts = here.map(|transfer| transfer.amount);
    is_claimed.then(|| amounts.fold(Amount::ZERO, Amount::saturating_add))
}

/// What vouches for a claim by what operators say that the balance grew by; nothing new where they
/// contradict each other, or fewer can tell than are needed.
fn weigh(claimed: Amount, told: &[Amount], needed: usize) -> Option<Evidence> {
    let agree = told.iter().filter(|grown| **grown >= claimed).count();
    if agree == 0 {
        return (!told.is_empty()).then_some(Evidence::Doubted);
    }
    if agree < told.len() || agree < needed {
        return None;
    }
    Some(if agree >= WITNESSES {
        Evidence::Witnessed
    } else {
        Evidence::Weighed
    })
}

fn given_up_entry(chain: &ChainState, given_up: &[BlockRef], at: UnixMs) -> Option<Entry> {
    let heights = || given_up.iter().map(|block| block.id.height.0);
    let (from, to) = heights().min().zip(heights().max())?;
    let data = serde_json::json!({
        "chain": chain.spec.name,
        "untraced": { "from_height": from, "to_height": to },
        "message": "what contracts moved in some of these blocks is not known for certain: ether \
                    that a contract paid in them may not be seen, and payments that expire after \
                    them are flagged degraded",
    });
    Some(Entry::attention(&data, at))
}
