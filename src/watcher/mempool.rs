//! Unconfirmed transactions: who is paid, who is replaced, who is gone.

use super::{
    Watcher, blocks::credit, ownership::Hit, plan::Plan, state::ChainState, touched::Touched,
};
use crate::{
    bugs::{Bug, planted},
    chain::{Ask, MempoolNews},
    clock::Now,
    domain::{
        block::TxId,
        facts::{Candidate, Credit, Fact, MempoolSnapshot, OutPoint, TxFacts},
        payment::PaymentKey,
        time::UnixMs,
    },
    store::StoreError,
};
use std::sync::Arc;

/// Vanished transactions are looked up in portions of this size; the rest comes with the next
/// snapshot.
const VANISHED_MAX: usize = 100;

impl Watcher {
    /// Transactions that arrived, and a list of the whole mempool to compare with. While the clock
    /// is in doubt, nothing of it is recorded.
    pub(super) fn plan_mempool(
        &self,
        at: usize,
        news: &MempoolNews,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut touched = Touched::default();
        if chain.suspended_at.is_some() {
            plan.undated = Some((at, self.undated_among(chain, &news.arrived)));
        } else {
            for arrived in &news.arrived {
                let seen_at = now.wall.minus(now.since(arrived.first_seen_ms));
                let remembered = news.answered > 0;
                self.touch_arrived(chain, arrived, (seen_at, remembered), &mut touched)?;
            }
            let snapshot = news.snapshot.as_ref();
            if let Some(snapshot) = snapshot.filter(|snapshot| is_at_cursor(chain, snapshot)) {
                touch_returned(chain, snapshot, &mut touched);
                let gone = vanished(chain, snapshot);
                plan.asks
                    .extend(gone.map(|ask| (chain.spec.name.clone(), ask)));
            }
        }
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        self.judge(&view, touched, &mut plan)?;
        if news.answered > 0 {
            plan.answered = Some((chain.spec.name.clone(), news.answered));
        }
        plan.view = Some((at, view));
        Ok(plan)
    }

    fn touch_arrived(
        &self,
        chain: &ChainState,
        arrived: &TxFacts,
        (seen_at, remembered): (UnixMs, bool),
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        touch_replaced(chain, arrived.txid, &arrived.inputs, touched);
        let inputs: Arc<[OutPoint]> = arrived.inputs.as_slice().into();
        let hits = arrived.credits.iter();
        let fact = |credit| Fact::Seen {
            credit,
            seen_at,
            remembered,
            inputs: Arc::clone(&inputs),
        };
        let hits = hits.filter_map(|candidate| self.seen(chain, arrived, candidate, fact));
        self.touch_credits(chain, hits.collect(), touched)
    }

    /// A credit in the mempool whose address is watched.
    fn seen(
        &self,
        chain: &ChainState,
        arrived: &TxFacts,
        candidate: &Candidate,
        fact: impl FnOnce(Credit) -> Fact,
    ) -> Option<Hit> {
        let owners = self.index.owners(&chain.spec.name, &candidate.destination);
        let owners: Vec<PaymentKey> = owners.collect();
        if owners.is_empty() {
            return None;
        }
        let credit = credit(chain, arrived.txid, candidate)?;
        Some(Hit::new(owners, candidate.destination, credit, fact))
    }

    /// Who took the place of transactions that a snapshot lacked.
    pub(super) fn plan_vanished(
        &self,
        at: usize,
        answers: &[(TxId, Option<TxId>)],
        now: Now,
    ) -> Result<Plan, StoreError> {
        let chain = self.chain(at);
        let mut plan = Plan::new(now.wall);
        let mut touched = Touched::default();
        // In doubt it is not recorded what took their place: the next snapshot asks again.
        let answers = if chain.suspended_at.is_some() {
            &[]
        } else {
            answers
        };
        for (txid, spender) in answers {
            let fact = match spender {
                Some(by) if by == txid => continue,
                Some(by) => Fact::Replaced {
                    txid: *txid,
                    by: *by,
                },
                None => Fact::Evicted { txid: *txid },
            };
            for key in chain.unconfirmed.payments(*txid) {
                touched.add(key, fact.clone());
            }
        }
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        self.judge(&view, touched, &mut plan)?;
        plan.view = Some((at, view));
        Ok(plan)
    }
}

/// Only a snapshot at our own cursor says what is in the mempool and what is not: at another tip a
/// transaction may have been mined by a block that was not read yet.
fn is_at_cursor(chain: &ChainState, snapshot: &MempoolSnapshot) -> bool {
    let cursor = chain.view.scanned;
    cursor.is_some_and(|cursor| cursor.id.hash == snapshot.tip || planted(Bug::ForeignSnapshot))
}

/// A transaction in the mempool takes the place of all of ours that spend the same.
fn touch_replaced(chain: &ChainState, by: TxId, inputs: &[OutPoint], touched: &mut Touched) {
    for input in inputs {
        let spenders = chain.unconfirmed.spenders(input);
        for txid in spenders.filter(|txid| *txid != by) {
            for key in chain.unconfirmed.payments(txid) {
                touched.add(key, Fact::Replaced { txid, by });
            }
        }
    }
}

/// Transactions of ours that are in the mempool though we hold them for gone. The source tells once
/// what enters its list, and does not see one that was replaced and sent again between two lists,
/// while we heard of the replacement alone; nor do we take what comes back before the block has left
/// that ended it. Without this they would stay gone until they are mined.
fn touch_returned(chain: &ChainState, snapshot: &MempoolSnapshot, touched: &mut Touched) {
    if planted(Bug::ReturnOverlooked) {
        return;
    }
    let is_listed = |txid: &TxId| snapshot.txids.binary_search(txid).is_ok();
    for (txid, relevant) in chain.unconfirmed.returned_in(&snapshot.txids) {
        let rivals = relevant
            .inputs
            .iter()
            .flat_map(|input| chain.unconfirmed.spenders(input));
        if rivals
            .filter(|rival| *rival != txid)
            .any(|rival| is_listed(&rival))
        {
            // No mempool holds both, and they would replace each other with each list.
            continue;
        }
        touch_replaced(chain, txid, &relevant.inputs, touched);
        for key in &relevant.payments {
            touched.add(*key, Fact::Listed { txid });
        }
    }
}

/// Transactions of ours that a snapshot lacks.
fn vanished(chain: &ChainState, snapshot: &MempoolSnapshot) -> Option<Ask> {
    let gone: Vec<_> = chain
        .unconfirmed
        .missing_from(&snapshot.txids)
        .take(VANISHED_MAX)
        .map(|(txid, relevant)| (txid, relevant.inputs.clone()))
        .collect();
    (!gone.is_empty()).then_some(Ask::Spenders(gone))
}
