//! Whose a credit is, and whose an address is.
//!
//! A credit stays with the payment that holds it, whoever owns the address by now; only a new one
//! goes to the owner. Knows nothing of what money means for a payment.

use super::{Watcher, requests::Overlay, state::ChainState, touched::Touched};
use crate::{
    bugs::{Bug, planted},
    chain::Ask,
    domain::{
        facts::{Credit, Destination, Fact},
        payment::{Payment, PaymentId, PaymentKey},
        request::{Command, Refusal},
        time::UnixMs,
    },
    store::{Credited, StoreError, Watched},
};

/// A credit that may concern somebody.
#[derive(Debug)]
pub(super) struct Hit {
    /// The payments that may own the address.
    pub owners: Vec<PaymentKey>,
    /// What was credited.
    pub credit: Credited,
    /// What happened.
    pub fact: Fact,
}

impl Hit {
    /// A credit with the payments that may own its address.
    pub fn new(
        owners: Vec<PaymentKey>,
        destination: Destination,
        credit: Credit,
        fact: impl FnOnce(Credit) -> Fact,
    ) -> Self {
        Self {
            owners,
            credit: (credit.txid, credit.position.clone(), destination),
            fact: fact(credit),
        }
    }
}

impl Watcher {
    /// Gives each credit to the payment that holds it, and a new one to the owner of its address.
    ///
    /// A contract that credits another address when its transaction is executed again has moved
    /// nothing of the holder's: that credit is the owner's.
    pub(super) fn touch_credits(
        &self,
        chain: &ChainState,
        mut hits: Vec<Hit>,
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        if hits.is_empty() {
            return Ok(());
        }
        hits.dedup_by(|next, one| {
            planted(Bug::FirstPaymentOnly)
                && next.credit.0 == one.credit.0
                && next.owners != one.owners
        });
        let credits: Vec<_> = hits.iter().map(|hit| hit.credit.clone()).collect();
        let spec = &chain.spec;
        let holders = self.store.holder_of(&spec.name, spec.kind, &credits)?;
        for (hit, holder) in hits.into_iter().zip(holders) {
            let destination = hit.credit.2;
            match holder {
                Some(key) => touched.add_credit(key, destination, hit.fact),
                None => {
                    for key in hit.owners {
                        touched.add_credit(key, destination, hit.fact.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// The payment that an address belongs to, or will when the step under way is committed; not
    /// counting `except`.
    pub(super) fn owner(
        &self,
        chain: &ChainState,
        destination: &Destination,
        except: Option<PaymentKey>,
        overlay: &Overlay,
        now: UnixMs,
    ) -> Result<Option<PaymentId>, StoreError> {
        let name = &chain.spec.name;
        let others = |key: PaymentKey| Some(key) != except;
        if self.index.owners(name, destination).any(others) {
            let owner = self.store.address_owner(name, destination)?;
            if let Some((_, id)) = owner.filter(|(key, _)| others(*key)) {
                return Ok(Some(id));
            }
        }
        let mut fresh = overlay.at_address(name, destination);
        let fresh = fresh.find(|payment| others(payment.key) && payment.is_watched_at(now));
        Ok(fresh.map(|payment| payment.id.clone()))
    }

    /// Refuses to look for money on an address that is not the payment's any more.
    ///
    /// Only `extend` and `rescan` look for new money. The others decide about money that is
    /// recorded, and go through without the address: its new owner gets what comes to it, and the
    /// payment keeps what it holds.
    pub(super) fn check_address(
        &self,
        command: &Command,
        payment: &Payment,
        chain: &ChainState,
        overlay: &Overlay,
        now: UnixMs,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let extends = matches!(command, Command::Extend { .. });
        if !extends && !matches!(command, Command::Rescan { .. }) {
            return Ok(Ok(()));
        }
        let destination = &payment.destination;
        if let Some(owner) = self.owner(chain, destination, Some(payment.key), overlay, now)? {
            return Ok(Err(address_in_use(&owner)));
        }
        let mut owners = self.index.owners(&payment.chain, destination);
        if extends && !owners.any(|key| key == payment.key) {
            let message = "the address is not watched any more; register a new payment";
            return Ok(Err(Refusal::new("watch_ended", message)));
        }
        Ok(Ok(()))
    }

    /// Looks out for addresses that payments took again: what their mempool holds already is
    /// asked for, as for a new payment.
    pub(super) fn watch_again(&mut self, again: Vec<Watched>, at: UnixMs) {
        for watched in again {
            self.index
                .insert(&watched.chain, &watched.destination, watched.payment);
            let place = self.place(&watched.chain);
            if place.is_some_and(|at| self.chain(at).spec.kind.has_mempool()) {
                let ask = Ask::Unconfirmed(vec![watched.destination]);
                self.asks.push(&watched.chain, ask, at);
            }
        }
    }
}

/// The refusal of an address that another payment has.
pub(super) fn address_in_use(owner: &PaymentId) -> Refusal {
    let message = format!("the address belongs to payment {owner} until its watch window ends");
    Refusal::new("address_in_use", message)
}
