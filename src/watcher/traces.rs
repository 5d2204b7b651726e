//! What contracts moved: told behind the cursor, and worth what vouches for it.
//!
//! What two operators tell alike is taken as it is. What one alone claims is recorded and shown, but
//! nothing rests on it until the balance was asked for. As many operators as say that it grew by the claim,
//! or did not, settle it; what nobody settles while nodes keep the state is a matter for a person.

use super::{
    Watcher, blocks::Disconnected, doubt::block_seen_at, plan::Plan, state::ChainState,
    touched::Touched,
};
use crate::{
    bugs::{Bug, planted},
    chain::{Ask, STATE_BLOCKS},
    clock::Now,
    domain::{
        amount::Amount,
        asset::{AssetCode, ChainKind},
        block::{BlockId, BlockRef, Height},
        event::Entry,
        evidence::Evidence,
        facts::{BlockFacts, CreditAsset, Destination, Fact},
        payment::{Payment, PaymentKey},
        time::{SpanMs, UnixMs},
        transfer::{Anchor, Transfer},
    },
    store::StoreError,
};
use std::collections::{BTreeMap, BTreeSet};

/// Claims that are asked about after one poll, each of one payment in one block; others have their turn after
/// the next.
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

/// What a follower told of balances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth<'a> {
    /// By how much they grew in which block.
    pub block: BlockRef,
    /// For each destination, what each operator who could tell says.
    pub of: &'a [(Destination, Vec<Amount>)],
    /// Whether nobody will tell more.
    pub is_last: bool,
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
        let given_up = told.given_up.iter().map(|block| block.id.height).max();
        view.untraced_height = view.untraced_height.max(given_up);
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
        growth: Growth<'_>,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let block = growth.block;
        let mut plan = Plan::new(now.wall);
        let native = chain.spec.asset(CreditAsset::Native);
        let Some(native) = native.map(|asset| &asset.code) else {
            return Ok(plan);
        };
        let scale = Scale::of(chain, block, growth.is_last);
        let mut touched = Touched::default();
        let keys = self.store.claimed_at(&chain.spec.name, block.id.height)?;
        let payments = self.store.load(&keys)?;
        for payment in &payments {
            let claimed = claimed_in(payment, block.id, native);
            let mut told = growth.of.iter();
            let told = told.find(|(to, _)| *to == payment.destination);
            let weighed = claimed.zip(told);
            let weighed = weighed.and_then(|(claimed, (_, told))| scale.weigh(claimed, told));
            if let Some(evidence) = weighed {
                if evidence == Evidence::Doubted {
                    tracing::warn!(payment = %payment.id, block = %block.id.height, "no balance is known to have grown by what a trace claims that a contract paid");
                }
                let block = block.id;
                touched.add(payment.key, Fact::Weighed { block, evidence });
            }
        }
        touched.keep_loaded(payments);
        self.judge(&chain.view, touched, &mut plan)?;
        Ok(plan)
    }

    /// Asks what balances grew by in blocks in which something is claimed, all of them in turn: whoever
    /// sends much that nobody can settle keeps nobody else waiting for good. On Bitcoin nothing is claimed.
    pub(super) fn ask_for_growth(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        if chain.spec.kind == ChainKind::Bitcoin {
            return Ok(());
        }
        let name = chain.spec.name.clone();
        let claims = self.store.claimed(&name, chain.claims_asked, CLAIMS_MAX)?;
        let keys: BTreeSet<PaymentKey> = claims.iter().map(|(_, key)| *key).collect();
        let keys: Vec<PaymentKey> = keys.into_iter().collect();
        let mut asks: BTreeMap<Height, (BlockRef, Vec<Destination>)> = BTreeMap::new();
        for payment in self.store.load(&keys)? {
            let of_this = claims.iter().filter(|(_, key)| *key == payment.key);
            for block in of_this.filter_map(|(height, _)| claim_at(&payment, *height)) {
                let ask = asks.entry(block.id.height);
                let (_, destinations) = ask.or_insert_with(|| (block, Vec::new()));
                if !destinations.contains(&payment.destination) {
                    destinations.push(payment.destination);
                }
            }
        }
        let is_all = claims.len() < usize::try_from(CLAIMS_MAX).unwrap_or(usize::MAX);
        self.chain_mut(at).claims_asked = claims.last().copied().filter(|_| !is_all);
        for (block, destinations) in asks.into_values() {
            self.asks
                .push(&name, Ask::Growth(block, destinations), now.wall);
        }
        Ok(())
    }
}

/// Whether a block is still on our chain, as far as that is remembered.
pub(super) fn is_ours(chain: &ChainState, block: BlockRef) -> bool {
    let cursor = chain.view.scanned.map(|cursor| cursor.id.height);
    let known = chain.block_at(block.id.height);
    known.map_or(Some(block.id.height) <= cursor, |known| {
        known.id == block.id
    })
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

/// The block at this height, where one operator claims that something came in it.
fn claim_at(payment: &Payment, height: Height) -> Option<BlockRef> {
    let mut claims = payment.transfers.iter().filter(|row| row.is_claim());
    claims.find_map(|claim| {
        let block = claim.place.anchor()?.block;
        (block.id.height == height).then_some(block)
    })
}

/// By whose word a claim is weighed.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// So many settle it, where as many do not say the contrary.
    witnesses: usize,
    /// Whether one operator's word suffices where no other can tell: never under a quorum.
    takes_one: bool,
    /// Whether nobody will tell more of it.
    is_last: bool,
}

impl Scale {
    /// For claims in a block. While the chain is in trouble, more may be told later.
    fn of(chain: &ChainState, block: BlockRef, is_last: bool) -> Self {
        let is_well = chain.view.healthy && chain.view.frozen.is_none();
        Self {
            witnesses: chain.spec.witnesses(),
            takes_one: !chain.spec.asks_others() || planted(Bug::WeighedByOne),
            is_last: is_last && is_well && chain.depth_of(block) > STATE_BLOCKS,
        }
    }

    /// What vouches for a claim by what operators say that the balance grew by; nothing new where too
    /// few tell, or too many contradict them, as long as more may come.
    fn weigh(self, claimed: Amount, told: &[Amount]) -> Option<Evidence> {
        let agree = told.iter().filter(|grown| **grown >= claimed).count();
        let disagree = told.len().saturating_sub(agree);
        let settled = if agree >= self.witnesses && disagree < self.witnesses {
            Some(Evidence::Witnessed)
        } else if disagree >= self.witnesses && agree < self.witnesses {
            Some(Evidence::Doubted)
        } else {
            let sole = Some(agree).filter(|_| self.takes_one && told.len() == 1);
            sole.map(|agrees| match agrees {
                0 => Evidence::Doubted,
                _ => Evidence::Weighed,
            })
        };
        settled.or_else(|| self.is_last.then_some(Evidence::Doubted))
    }
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
