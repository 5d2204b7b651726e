//! From a registration in the inbox to a new payment: asset and chain, address, owner, past.
//!
//! Knows nothing of the order of requests nor of what is committed.

use super::{
    Watcher,
    ownership::address_in_use,
    reach::check_reach,
    requests::{Overlay, Verdict},
    state::ChainState,
};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        asset::{Asset, AssetKind, ChainName},
        payment::{Payment, PaymentId},
        register::{self, Registration},
        request::{Refusal, Register, Request},
        step::PaymentStep,
    },
    store::{Kind, StoreError},
};

impl Watcher {
    /// Decides a registration: a new payment, a repetition, or a refusal.
    pub(super) fn register(
        &self,
        request: &Request,
        body: &Register,
        known: Option<&Payment>,
        id: PaymentId,
        overlay: &mut Overlay,
        now: Now,
    ) -> Result<Result<Verdict, Refusal>, StoreError> {
        let (chain, asset) = match self.asset(body) {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (destination, address) = match chain.spec.addresses.parse(&body.address) {
            Ok(parsed) => parsed,
            Err(message) => return Ok(Err(Refusal::new("bad_address", message))),
        };
        if let Some(payment) = known {
            return Ok(if register::same_terms(payment, body, asset, &address) {
                Ok(Verdict::Duplicate(
                    "the payment is registered already with these terms",
                ))
            } else {
                Err(register::known_id_other_terms(&id))
            });
        }
        if let Some(owner) = self.owner(chain, &destination, None, overlay, now.wall)? {
            return Ok(Err(address_in_use(&owner)));
        }
        if chain.doubts_clock() && register::check_created(request.created_at, now.wall).is_err() {
            return Ok(Ok(Verdict::Waits(chain.spec.name.clone())));
        }
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        let from = register::scan_from(body, chain.spec.kind, request.created_at, now.wall);
        let in_native = asset.kind == AssetKind::Native;
        let registration = Registration {
            nothing_before: chain.had_nothing_since(from, &destination, in_native),
            key: overlay.next_key(),
            id,
            register: body,
            asset,
            kind: chain.spec.kind,
            address,
            destination,
            created_at: request.created_at,
            simulated: self.store.kind() == Kind::Sandbox,
        };
        let registered = register::register(registration, &self.defaults, &view, now.wall)
            .and_then(|step| check_reach(chain, from).map(|()| step));
        Ok(registered.map(|step| {
            overlay.take_key();
            Verdict::Applied(Box::new(step))
        }))
    }

    fn asset(&self, body: &Register) -> Result<(&ChainState, &Asset), Refusal> {
        let assets = self
            .chains
            .iter()
            .flat_map(|chain| chain.spec.assets.iter().map(move |asset| (chain, asset)));
        let mut found = assets.filter(|(_, asset)| asset.code.as_str() == body.asset);
        let (chain, asset) = found.next().ok_or_else(|| {
            Refusal::new(
                "unknown_asset",
                format!("asset {:?} is not configured", body.asset),
            )
        })?;
        if !asset.enabled {
            let message = format!("asset {} takes no new payments", asset.code);
            return Err(Refusal::new("asset_disabled", message));
        }
        Ok((chain, asset))
    }

    /// Whether new addresses are paid already by transactions in the mempool.
    pub(super) fn unconfirmed_asks(&self, payments: &[PaymentStep]) -> Vec<(ChainName, Ask)> {
        let with_mempool = self
            .chains
            .iter()
            .filter(|chain| chain.spec.kind.has_mempool());
        with_mempool
            .filter_map(|chain| {
                let name = &chain.spec.name;
                let fresh = payments.iter().filter(|step| step.is_new);
                let mine = fresh.filter(|step| step.payment.chain == *name);
                let addresses: Vec<_> = mine.map(|step| step.payment.destination).collect();
                (!addresses.is_empty()).then(|| (name.clone(), Ask::Unconfirmed(addresses)))
            })
            .collect()
    }
}
