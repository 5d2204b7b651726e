//! Ether that contracts move where nobody can tell it: balances of addresses with open payments are asked
//! for, so many after each block, and what they grew by beyond what is recorded is shown to a person.
//!
//! Nobody expires before it was looked at after their deadline; whose turn it is, is said next door (`turns`).

use super::{
    Watcher, doubt::block_seen_at, plan::Plan, state::ChainState, touched::Touched, traces::is_ours,
};
use crate::{
    chain::{Ask, STATE_BLOCKS},
    clock::Now,
    domain::{
        amount::Amount,
        asset::AssetCode,
        balance::{Meaning, is_looked_at, meaning},
        block::{BlockRef, Height},
        facts::{BlockFacts, CreditAsset, Destination, Fact},
        payment::{Payment, PaymentKey},
        status::Status,
        time::UnixMs,
        view::{ChainView, TracedBy},
    },
    store::StoreError,
};
impl Watcher {
    /// How it is known on a chain what contracts move; who waited for another way is judged again.
    pub(super) fn plan_tracing(
        &self,
        at: usize,
        tracing: TracedBy,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut view = chain.view.clone();
        view.traced_by = Some(tracing);
        Self::settle_view(chain, &mut view, now);
        let mut touched = Touched::default();
        if chain.view.traced_by == Some(TracedBy::Balance) && view.traced_by != chain.view.traced_by
        {
            // What contracts paid since the last look is traced by nobody: blocks awaited it not.
            let upto = chain.view.scanned.map(|block| block.id.height);
            let open = self.store.load(&self.open_in_native(chain)?)?;
            for payment in &open {
                let known = payment.history.balance;
                let is_whole =
                    upto.is_none_or(|upto| known.is_some_and(|known| known.is_checked_to(upto)));
                if is_whole {
                    touched.again(payment.key);
                } else {
                    touched.add(payment.key, Fact::Untraced);
                }
            }
            touched.keep_loaded(open);
        }
        self.judge(&view, touched, &mut plan)?;
        Self::record_if_changed(chain, &view, now, &mut plan);
        plan.view = Some((at, view));
        Ok(plan)
    }

    /// Asks for balances after a block that is new and agreed on.
    pub(super) fn ask_for_balances(&mut self, at: usize, now: Now) -> Result<(), StoreError> {
        let chain = self.chain(at);
        let Some(head) = chain.view.agreed.filter(|_| looks_at_balances(&chain.view)) else {
            return Ok(());
        };
        if chain.looked.at.is_some_and(|looked| looked.id == head.id) {
            return Ok(());
        }
        let mut turns = self.turns(chain, head)?;
        let name = chain.spec.name.clone();
        for (block, of) in std::mem::take(&mut turns.asks).into_values() {
            self.asks.push(&name, Ask::Balances(block, of), now.wall);
        }
        self.chain_mut(at).looked.absorb(turns);
        Ok(())
    }

    /// What operators say that addresses had after a block.
    pub(super) fn plan_balances(
        &self,
        at: usize,
        block: BlockRef,
        told: &[(Destination, Vec<Amount>)],
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        if !is_ours(chain, block) || !looks_at_balances(&chain.view) {
            return Ok(plan);
        }
        let mut touched = Touched::default();
        let mut payments = Vec::new();
        for (destination, told) in told {
            let owners = self.index.owners(&chain.spec.name, destination);
            let owners: Vec<PaymentKey> = owners.collect();
            for payment in self.store.load(&owners)? {
                if payment.destination == *destination && is_open(chain, &payment) {
                    let waits = self.waiting.has_one_about(payment.id.as_str());
                    let seen_at = block_seen_at(chain, block, now);
                    let look = Look {
                        block,
                        seen_at,
                        waits,
                    };
                    look.of(chain, &payment, told, &mut touched);
                    payments.push(payment);
                }
            }
        }
        touched.keep_loaded(payments);
        self.judge(&chain.view, touched, &mut plan)?;
        Ok(plan)
    }

    /// Who got something that is no payment in a block: what the balance was before says nothing any more.
    pub(super) fn touch_earners(
        &self,
        chain: &ChainState,
        facts: &BlockFacts,
        touched: &mut Touched,
    ) {
        for earner in facts
            .earners
            .iter()
            .filter(|_| looks_at_balances(&chain.view))
        {
            for key in self.index.owners(&chain.spec.name, earner) {
                let since = facts.block.id.height;
                touched.add_credit(key, *earner, Fact::BalanceSince { since });
            }
        }
    }

    /// Of whose balances something is known that comes from blocks that leave.
    pub(super) fn touch_balances(
        &self,
        chain: &ChainState,
        fork: Height,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        for key in self.store.looked_above(&chain.spec.name, fork)? {
            if !touched.contains(key) {
                let held = chain.view.held;
                touched.add(key, Fact::Disconnected { fork, held });
            }
        }
        Ok(())
    }

    fn open_in_native(&self, chain: &ChainState) -> Result<Vec<PaymentKey>, StoreError> {
        match native(chain) {
            Some(asset) => self.store.open_in(asset),
            None => Ok(Vec::new()),
        }
    }
}

pub(super) fn native(chain: &ChainState) -> Option<&AssetCode> {
    let native = chain.spec.asset(CreditAsset::Native);
    native.map(|asset| &asset.code)
}

pub(super) fn looks_at_balances(view: &ChainView) -> bool {
    view.traced_by == Some(TracedBy::Balance)
}

/// Whether a payment waits for the chain's own money, and its balance is looked at.
pub(super) fn is_open(chain: &ChainState, payment: &Payment) -> bool {
    native(chain) == Some(&payment.terms.asset) && is_looked_at(payment)
}

/// The block after which the balance is the base, where that is not known yet: the last one before the payment's
/// own blocks, or the lowest that is remembered. A base that a reorganisation left below its own blocks is none: what
/// came between is not the payment's.
pub(super) fn base_block(chain: &ChainState, payment: &Payment) -> Option<BlockRef> {
    let mut below = chain.recent.iter().rev().copied();
    let before = below.find(|block| !payment.begins_before(block));
    let lowest = before.or(chain.recent.front().copied());
    let Some(known) = payment.history.balance else {
        return lowest;
    };
    let is_above = |block: &BlockRef| block.id.height > known.since;
    match (before.filter(is_above), known.base) {
        (Some(before), _) => Some(before),
        (None, Some(_)) => None,
        (None, None) => chain.block_at(known.since).or(lowest),
    }
}

/// One look at a payment's balance.
struct Look {
    block: BlockRef,
    seen_at: UnixMs,
    /// Whether a request waits for it.
    waits: bool,
}

impl Look {
    /// What the payment learns by it.
    fn of(&self, chain: &ChainState, payment: &Payment, told: &[Amount], touched: &mut Touched) {
        let base = base_block(chain, payment);
        let is_base = base.is_some_and(|base| base.id == self.block.id);
        let Some(balance) = agreed_on(chain, told) else {
            if is_base && chain.depth_of(self.block) > STATE_BLOCKS {
                // Too few keep that state any more; what came before this is not known.
                let agreed = chain.view.agreed_height().unwrap_or_default();
                let since = agreed.minus(STATE_BLOCKS / 2);
                touched.add(payment.key, Fact::BalanceSince { since });
                touched.add(payment.key, Fact::Untraced);
            }
            return;
        };
        if base.is_some() && !is_base {
            return;
        }
        let height = self.block.id.height;
        let known = payment.history.balance;
        if is_base && known.is_none_or(|known| known.since < height) {
            let since = height;
            touched.add(payment.key, Fact::BalanceSince { since });
            let is_first = since == Height(0);
            if !is_first && payment.begins_before(&self.block) {
                touched.add(payment.key, Fact::Untraced);
            }
        }
        if is_base || self.is_news(payment, balance) {
            let fact = Fact::Balance {
                block: self.block,
                balance,
                seen_at: self.seen_at,
            };
            touched.add(payment.key, fact);
        }
    }

    /// Whether a balance changes what is known, or somebody may wait for its having been looked at.
    fn is_news(&self, payment: &Payment, balance: Amount) -> bool {
        let deadline = payment.terms.deadline();
        let known = payment.history.balance;
        let is_due = self.block.time > deadline
            && !known.is_some_and(|known| known.is_checked_beyond(deadline));
        match meaning(payment, self.block, balance) {
            Meaning::Unknown => false,
            Meaning::Base | Meaning::Grew(_) | Meaning::Fell => true,
            Meaning::Same => self.waits || is_due || payment.judged.status != Status::New,
        }
    }
}

/// What is said: by the one who is asked, or by as many as must and no others as many alike. Under a quorum one
/// operator's word never suffices.
pub(super) fn agreed_on(chain: &ChainState, told: &[Amount]) -> Option<Amount> {
    if let [sole] = told {
        return Some(*sole).filter(|_| !chain.spec.asks_others());
    }
    let witnesses = chain.spec.witnesses();
    let is_witnessed = |amount: &&Amount| {
        let same = told.iter().filter(|other| other == amount);
        same.count() >= witnesses
    };
    let mut said = told.iter().filter(is_witnessed);
    let first = said.next()?;
    said.all(|other| other == first).then_some(*first)
}
