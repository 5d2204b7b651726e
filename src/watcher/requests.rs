//! Requests from the inbox: each gets exactly one outcome, committed with its effect.

use super::{Requests, Watcher, plan::Plan, state::ChainState};
use crate::{
    chain::Ask,
    clock::Now,
    domain::{
        asset::Asset,
        asset::ChainName,
        command::{CarriedOut, carry_out},
        facts::Destination,
        payment::{Payment, PaymentId, PaymentKey, ScanFrom},
        register::{self, Registration},
        request::{self, Command, Refusal, Register, Request},
        step::{InboxPosition, Outcome, PaymentStep, RequestOutcome},
        time::UnixMs,
        view::ChainView,
    },
    store::StoreError,
};
use std::collections::BTreeMap;

/// Requests that wait for their chain, at most; further ones are refused as `busy`. Each is at
/// most 8 KiB.
const WAITING_MAX: usize = 10_000;

/// Waiting requests are looked at again in portions of this size, in turn.
const WAITING_PORTION: usize = 500;

/// What becomes of one request.
enum Verdict {
    Applied(Box<PaymentStep>),
    Duplicate(&'static str),
    /// Its chain must be healthy and scanned to the node's tip first.
    Waits,
}

/// Payments as the step so far leaves them: a request sees what an earlier one of the same step
/// did.
struct Overlay {
    payments: BTreeMap<PaymentId, Payment>,
    next_key: i64,
}

impl Watcher {
    /// Rows of the inbox.
    pub(super) fn handle_requests(
        &mut self,
        requests: &Requests,
        now: Now,
    ) -> Result<(), StoreError> {
        let fresh = self.without_known(&requests.rows)?;
        let mut plan = self.plan_requests(fresh, self.waiting.clone(), now)?;
        plan.step.inbox = position(requests, plan.waiting.as_deref().unwrap_or_default());
        self.commit(plan)?;
        for at in 0..self.chains.len() {
            if let Err(error) = self.ask_for_past(at, now) {
                tracing::warn!(%error, "could not look for payments that need past blocks");
            }
        }
        Ok(())
    }

    /// Requests that waited for their chain, once it is ready for them.
    pub(super) fn handle_waiting(&mut self, now: Now) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut rows = self.waiting.clone();
        let rest = rows.split_off(rows.len().min(WAITING_PORTION));
        let plan = self.plan_requests(rows, rest, now)?;
        self.commit(plan)
    }

    /// Rows that have no outcome yet and do not wait for one.
    fn without_known(&self, rows: &[Request]) -> Result<Vec<Request>, StoreError> {
        let ids: Vec<String> = rows.iter().map(|row| row.request_id.clone()).collect();
        let known = self.store.known_requests(&ids)?;
        let waits = |row: &Request| self.waiting.iter().any(|known| known.seq == row.seq);
        let fresh = rows
            .iter()
            .filter(|row| !known.contains(&row.request_id) && !waits(row));
        Ok(fresh.cloned().collect())
    }

    fn plan_requests(
        &self,
        rows: Vec<Request>,
        mut waiting: Vec<Request>,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::new(now.wall);
        let mut overlay = Overlay {
            payments: BTreeMap::new(),
            next_key: self.next_key,
        };
        for row in rows {
            let parsed = request::parse(&row);
            let note = parsed
                .as_ref()
                .ok()
                .and_then(Command::note)
                .map(str::to_owned);
            let verdict = match parsed {
                Ok(command) => self.decide(&row, &command, &mut overlay, now)?,
                Err(refusal) => Err(refusal),
            };
            match verdict {
                Ok(Verdict::Waits) if waiting.len() < WAITING_MAX => waiting.push(row),
                Ok(Verdict::Waits) => {
                    let refusal = Refusal::new("busy", "too many requests wait for their chain");
                    plan.step.outcomes.push(refused(row, note, &refusal));
                }
                Ok(Verdict::Applied(step)) => {
                    let version = step
                        .entries
                        .first()
                        .and_then(|entry| entry.payment.as_ref());
                    let version = version.map(|(_, version)| *version);
                    plan.step
                        .outcomes
                        .push(outcome(row, note, Outcome::Applied, version));
                    overlay
                        .payments
                        .insert(step.payment.id.clone(), step.payment.clone());
                    plan.step.payments.push(*step);
                }
                Ok(Verdict::Duplicate(why)) => {
                    let mut duplicate = outcome(row, note, Outcome::Duplicate, None);
                    why.clone_into(&mut duplicate.message);
                    plan.step.outcomes.push(duplicate);
                }
                Err(refusal) => plan.step.outcomes.push(refused(row, note, &refusal)),
            }
        }
        plan.asks = self.unconfirmed_asks(&plan.step.payments);
        plan.waiting = Some(waiting);
        Ok(plan)
    }

    fn decide(
        &self,
        request: &Request,
        command: &Command,
        overlay: &mut Overlay,
        now: Now,
    ) -> Result<Result<Verdict, Refusal>, StoreError> {
        if let Err(refusal) = self.is_allowed(command) {
            return Ok(Err(refusal));
        }
        let Some(id) = PaymentId::new(&request.payment_id) else {
            return Ok(Err(Refusal::new(
                "bad_payment_id",
                "the payment id is not readable",
            )));
        };
        let known = match overlay.payments.get(&id) {
            Some(payment) => Some(payment.clone()),
            None => self.store.find(&id)?,
        };
        match (command, known) {
            (Command::Register(body), known) => {
                self.register(request, body, known.as_ref(), id, overlay, now)
            }
            (_, None) => Ok(Err(Refusal::new(
                "unknown_payment",
                format!("no payment {id} is registered"),
            ))),
            (_, Some(payment)) => Ok(self.carry_out(request, command, &payment, now)),
        }
    }

    fn is_allowed(&self, command: &Command) -> Result<(), Refusal> {
        if command.settles_appeal() && !self.operator_commands {
            let message = "accept and reject are switched off by [database] operator_commands";
            return Err(Refusal::new("operator_commands_off", message));
        }
        Ok(())
    }

    fn carry_out(
        &self,
        request: &Request,
        command: &Command,
        payment: &Payment,
        now: Now,
    ) -> Result<Verdict, Refusal> {
        let Some(at) = self.place(&payment.chain) else {
            let message = format!("chain {} is not configured any more", payment.chain);
            return Err(Refusal::new("unknown_chain", message));
        };
        let chain = self.chain(at);
        let mut view = chain.view.clone();
        self.settle_view(chain, &mut view, now);
        if command.waits_for_chain() && !is_ready(chain, &view, payment) {
            return Ok(Verdict::Waits);
        }
        if let Command::Rescan { scan_from } = command {
            check_reach(chain, *scan_from)?;
        }
        Ok(
            match carry_out(payment, command, request, &view, now.wall)? {
                CarriedOut::Applied(step) => Verdict::Applied(step),
                CarriedOut::Duplicate(why) => Verdict::Duplicate(why),
            },
        )
    }

    fn register(
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
        if let Some(owner) = self.owner(chain, &destination, overlay)? {
            let message =
                format!("the address belongs to payment {owner} until its watch window ends");
            return Ok(Err(Refusal::new("address_in_use", message)));
        }
        if let Some(Err(refusal)) = body.scan_from.map(|from| check_reach(chain, from)) {
            return Ok(Err(refusal));
        }
        let mut view = chain.view.clone();
        self.settle_view(chain, &mut view, now);
        let registration = Registration {
            key: PaymentKey(overlay.next_key),
            id,
            register: body,
            asset,
            kind: chain.spec.kind,
            address,
            destination,
            created_at: request.created_at,
        };
        Ok(
            register::register(registration, &self.defaults, &view, now.wall).map(|step| {
                overlay.next_key = overlay.next_key.saturating_add(1);
                Verdict::Applied(Box::new(step))
            }),
        )
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

    fn owner(
        &self,
        chain: &ChainState,
        destination: &Destination,
        overlay: &Overlay,
    ) -> Result<Option<PaymentId>, StoreError> {
        let name = &chain.spec.name;
        let fresh = overlay
            .payments
            .values()
            .find(|payment| payment.chain == *name && payment.destination == *destination);
        if let Some(payment) = fresh {
            return Ok(Some(payment.id.clone()));
        }
        if self.index.owners(name, destination).next().is_none() {
            return Ok(None);
        }
        Ok(self
            .store
            .address_owner(name, destination)?
            .map(|(_, id)| id))
    }

    /// Whether new addresses are paid already by transactions in the mempool.
    fn unconfirmed_asks(&self, payments: &[PaymentStep]) -> Vec<(ChainName, Ask)> {
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

/// Whether a request may rest on what has not come: the chain is healthy and scanned to the tip,
/// and so is the payment's own past, unless that cannot be had.
fn is_ready(chain: &ChainState, view: &ChainView, payment: &Payment) -> bool {
    if !payment.scan.is_complete() && chain.refused.is_none() {
        return false;
    }
    let tip = chain.answer.as_ref().map(|(_, status)| status.tip.id);
    view.healthy && view.polled_at.is_some() && tip == view.scanned.map(|cursor| cursor.id)
}

/// Refuses a start that is further back than `max_rescan` blocks. For a start by time the recent
/// blocks' average distance tells how many that are.
fn check_reach(chain: &ChainState, from: ScanFrom) -> Result<(), Refusal> {
    let Some(cursor) = chain.view.scanned else {
        return Ok(());
    };
    let blocks = match from {
        ScanFrom::Height(height) => cursor.id.height.0.saturating_sub(height.0),
        ScanFrom::Time(time) => blocks_since(chain, time).unwrap_or(0),
    };
    if blocks > chain.spec.max_rescan {
        let message = format!(
            "scan_from is about {blocks} blocks back; at most {} are allowed (max_rescan of chain {})",
            chain.spec.max_rescan, chain.spec.name
        );
        return Err(Refusal::new("scan_too_far", message));
    }
    Ok(())
}

fn blocks_since(chain: &ChainState, time: UnixMs) -> Option<u32> {
    let (first, last) = (chain.recent.front()?, chain.recent.back()?);
    let blocks = i64::from(last.id.height.0.saturating_sub(first.id.height.0));
    let span_ms = last.time.since(first.time).0.max(1);
    let wanted_ms = last.time.since(time).0.max(0);
    let estimate = wanted_ms.checked_mul(blocks)?.checked_div(span_ms)?;
    u32::try_from(estimate).ok()
}

/// Read up to the last row, but no further than before the first that still waits: a restart
/// reads that one again and skips those that have their outcome.
fn position(requests: &Requests, waiting: &[Request]) -> Option<InboxPosition> {
    let last = requests.rows.last()?.seq;
    let first_waiting = waiting.iter().map(|request| request.seq).min();
    let seq = first_waiting.map_or(last, |seq| last.min(seq.saturating_sub(1)));
    Some(InboxPosition {
        inbox_id: requests.inbox_id.clone(),
        seq,
    })
}

fn outcome(
    request: Request,
    note: Option<String>,
    outcome: Outcome,
    version: Option<u64>,
) -> RequestOutcome {
    let (code, message) = (String::new(), String::new());
    RequestOutcome {
        request,
        outcome,
        code,
        message,
        note,
        version,
    }
}

fn refused(request: Request, note: Option<String>, refusal: &Refusal) -> RequestOutcome {
    let code = refusal.code.to_owned();
    let message = refusal.message.clone();
    RequestOutcome {
        code,
        message,
        ..outcome(request, note, Outcome::Refused, None)
    }
}
