//! Whose balance is asked for after a block, where only balances tell what contracts move: each open payment has its
//! turn, however many there are.
//!
//! A block has so many calls. A part of them is for payments whose last look left the chain, or about whom a request
//! waits; one for those whose deadline is passed, who would wait for a look alone; one for new payments, while
//! nodes still have the state that they begin with. The others go round all open payments, so that nobody is left out.

use super::{
    Watcher,
    balances::{base_block, is_open, native},
    state::ChainState,
    traces::is_ours,
};
use crate::{
    domain::{
        asset::AssetCode,
        block::{BlockRef, Height},
        facts::Destination,
        payment::{Payment, PaymentKey},
    },
    store::StoreError,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Calls after one block: of a payment that has no base yet two, of others one.
pub(super) const CALLS_MAX: usize = 200;

/// Of these, for payments that were looked at on a branch that left, or about whom a request waits.
const AGAIN_MAX: usize = 32;

/// For those whose deadline is passed.
const DUE_MAX: usize = 80;

/// For new ones.
const NEW_MAX: usize = 40;

/// Payments whose deadline is passed that are looked through for those who waited longest.
const PASSED_MAX: u32 = 2_000;

/// Deeper than reorganisations go that happen; after so many blocks it is forgotten when a payment was asked about.
const REMEMBERED: u32 = 64;

/// Which addresses were asked about, and when.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The block after which the last ones were asked for.
    pub at: Option<BlockRef>,
    /// The block after which each was last asked for.
    last: HashMap<PaymentKey, BlockRef>,
    /// The newest payment that had its turn as a new one.
    newest: Option<PaymentKey>,
    /// The last one that had its turn on the way round.
    round: Option<PaymentKey>,
}

/// Why it is a payment's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Again,
    Due,
    New,
    Round,
}

/// The turns of one block.
#[derive(Debug)]
pub(super) struct Turns {
    head: BlockRef,
    /// By height: what others are compared with is asked for first.
    pub asks: BTreeMap<Height, (BlockRef, Vec<Destination>)>,
    calls: usize,
    asked: Vec<(PaymentKey, Why)>,
    seen: BTreeSet<PaymentKey>,
    /// The newest open payment, where all up to it are known or have their turn now.
    newest: Option<PaymentKey>,
}

impl Watcher {
    /// Whom to ask about after this block.
    pub(super) fn turns(&self, chain: &ChainState, head: BlockRef) -> Result<Turns, StoreError> {
        let mut turns = Turns {
            head,
            asks: BTreeMap::new(),
            calls: 0,
            asked: Vec::new(),
            seen: BTreeSet::new(),
            newest: None,
        };
        let Some(asset) = native(chain) else {
            return Ok(turns);
        };
        let again = self.again(chain)?;
        self.take_turns(chain, &mut turns, Why::Again, &again, AGAIN_MAX)?;
        let due = self.due_for_a_look(chain, asset, head)?;
        self.take_turns(chain, &mut turns, Why::Due, &due, DUE_MAX)?;
        // After a restart those are new that nobody looked at before.
        let newest = chain.looked.newest;
        let fresh = self.store.unlooked_after(asset, newest, NEW_MAX)?;
        let all = self.take_turns(chain, &mut turns, Why::New, &fresh, NEW_MAX)?;
        if all && fresh.len() < NEW_MAX {
            turns.newest = self.store.last_open(asset)?;
        }
        let last = chain.looked.round;
        let mut round = self.store.open_after(asset, last, CALLS_MAX)?;
        if let Some(last) = last.filter(|_| round.len() < CALLS_MAX) {
            let first = self.store.open_after(asset, None, CALLS_MAX)?;
            round.extend(first.into_iter().take_while(|key| *key <= last));
        }
        let left = CALLS_MAX.saturating_sub(turns.calls);
        self.take_turns(chain, &mut turns, Why::Round, &round, left)?;
        Ok(turns)
    }

    /// Gives these, each there once, their turns in order, as far as so many calls suffice; whether all had theirs.
    fn take_turns(
        &self,
        chain: &ChainState,
        turns: &mut Turns,
        why: Why,
        keys: &[PaymentKey],
        calls_max: usize,
    ) -> Result<bool, StoreError> {
        let is_left = |key: &PaymentKey| !turns.seen.contains(key);
        let left: Vec<PaymentKey> = keys.iter().copied().filter(is_left).collect();
        let (left, others) = left.split_at(left.len().min(calls_max));
        let payments = self.store.load(left)?;
        let by_key: HashMap<PaymentKey, &Payment> = payments
            .iter()
            .map(|payment| (payment.key, payment))
            .collect();
        let calls_max = turns.calls.saturating_add(calls_max);
        for key in keys.iter().copied() {
            if turns.seen.contains(&key) {
                // It has its turn already, for another reason.
                turns.asked.push((key, why));
                continue;
            }
            if others.first() == Some(&key) {
                return Ok(false);
            }
            let Some(payment) = by_key.get(&key).filter(|_| turns.seen.insert(key)) else {
                continue;
            };
            if !is_open(chain, payment) {
                turns.asked.push((key, why));
                continue;
            }
            let base = base_block(chain, payment).filter(|base| base.id != turns.head.id);
            let calls = 1_usize.saturating_add(usize::from(base.is_some()));
            if turns.calls.saturating_add(calls) > calls_max {
                turns.seen.remove(&key);
                return Ok(false);
            }
            turns.calls = turns.calls.saturating_add(calls);
            turns.asked.push((key, why));
            for block in base.into_iter().chain([turns.head]) {
                let ask = turns.asks.entry(block.id.height);
                let (_, of) = ask.or_insert_with(|| (block, Vec::new()));
                of.push(payment.destination);
            }
        }
        Ok(true)
    }

    /// Those whose look left the chain, and those about whom a request waits.
    fn again(&self, chain: &ChainState) -> Result<Vec<PaymentKey>, StoreError> {
        let mut again = Vec::new();
        for id in self.waiting.payments_of(&chain.spec.name, AGAIN_MAX) {
            again.extend(self.store.find(&id)?.map(|payment| payment.key));
        }
        if chain.looked.at.is_some_and(|at| !is_ours(chain, at)) {
            let last = chain.looked.last.iter();
            let gone = last.filter(|(_, block)| !is_ours(chain, **block));
            let gone = gone.map(|(key, _)| *key).filter(|key| !again.contains(key));
            let mut gone: Vec<PaymentKey> = gone.collect();
            gone.sort_unstable();
            again.extend(gone);
        }
        Ok(again)
    }

    /// Those whose deadline is passed; of them those first who were asked about longest ago.
    fn due_for_a_look(
        &self,
        chain: &ChainState,
        asset: &AssetCode,
        head: BlockRef,
    ) -> Result<Vec<PaymentKey>, StoreError> {
        let mut due = self.store.open_until(asset, head.time, PASSED_MAX)?;
        let last = |key: &PaymentKey| chain.looked.last.get(key).map(|block| block.id.height);
        due.sort_by_key(last);
        Ok(due)
    }
}

impl Looked {
    /// These were asked about.
    pub(super) fn absorb(&mut self, turns: Turns) {
        let head = turns.head;
        self.at = Some(head);
        self.last
            .retain(|_, block| block.id.height.plus(REMEMBERED) > head.id.height);
        for (key, why) in turns.asked {
            self.last.insert(key, head);
            match why {
                Why::New => self.newest = self.newest.max(Some(key)),
                Why::Round => self.round = Some(key),
                Why::Again | Why::Due => {}
            }
        }
        self.newest = self.newest.max(turns.newest);
    }
}
