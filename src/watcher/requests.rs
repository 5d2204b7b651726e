//! Requests from the inbox: each gets exactly one outcome, committed with its effect.
//!
//! Knows their order, which of them wait, and what they see of each other; what a registration
//! needs is in its own file.

use super::{
    Requests, Watcher,
    plan::Plan,
    reach::check_reach,
    state::ChainState,
    waiting::{Waiting, WaitingRequests},
};
use crate::{
    bugs::{Bug, planted},
    clock::Now,
    domain::{
        assess::gate::Gate,
        asset::ChainName,
        command::{CarriedOut, carry_out},
        facts::Destination,
        payment::{Payment, PaymentId, PaymentKey},
        request::{self, Command, Refusal, Request},
        step::{InboxPosition, Outcome, PaymentStep, RequestOutcome},
        time::UnixMs,
        view::ChainView,
    },
    store::{Kind, StoreError},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Waiting requests are decided in portions of this size.
const WAITING_PORTION: usize = 500;

/// What becomes of one request.
pub(super) enum Verdict {
    Applied(Box<PaymentStep>),
    Duplicate(&'static str),
    /// Its chain must be healthy and scanned to the node's tip first, under a clock in no doubt.
    Waits(ChainName),
}

/// Payments as the step so far leaves them: a request sees what an earlier one of the same step
/// did.
pub(super) struct Overlay {
    payments: BTreeMap<PaymentId, Payment>,
    addresses: HashMap<(ChainName, Destination), Vec<PaymentId>>,
    next_key: i64,
}

impl Overlay {
    /// The key of the next new payment.
    pub const fn next_key(&self) -> PaymentKey {
        PaymentKey(self.next_key)
    }

    /// Gives that key away.
    pub const fn take_key(&mut self) {
        self.next_key = self.next_key.saturating_add(1);
    }

    fn add(&mut self, payment: &Payment) {
        if !self.payments.contains_key(&payment.id) {
            let address = (payment.chain.clone(), payment.destination);
            let here = self.addresses.entry(address).or_default();
            here.push(payment.id.clone());
        }
        self.payments.insert(payment.id.clone(), payment.clone());
    }

    /// The payments of the step with this address, whether it is still theirs or not.
    pub fn at_address(
        &self,
        chain: &ChainName,
        destination: &Destination,
    ) -> impl Iterator<Item = &Payment> {
        let ids = self.addresses.get(&(chain.clone(), *destination));
        let ids = ids.into_iter().flatten();
        ids.filter_map(|id| self.payments.get(id))
    }
}

impl Watcher {
    /// Rows of the inbox.
    pub(super) fn handle_requests(
        &mut self,
        requests: &Requests,
        now: Now,
    ) -> Result<(), StoreError> {
        let rows = self.without_known(requests)?;
        let mut waiting = self.waiting.clone();
        waiting.move_to(requests);
        let mut plan = self.plan_requests(rows, waiting, now)?;
        plan.step.inbox = position(requests, plan.waiting.as_ref().unwrap_or(&self.waiting));
        if planted(Bug::PositionFirst) {
            let mut position = Plan::new(now.wall);
            position.step.inbox = plan.step.inbox.take();
            self.commit(position)?;
        }
        self.commit(plan)?;
        for at in 0..self.chains.len() {
            self.follow_up(at, now);
        }
        Ok(())
    }

    /// Requests that waited for their chain, once it is ready for them.
    pub(super) fn handle_waiting(&mut self, now: Now) -> Result<(), StoreError> {
        let chains = self.chains.iter();
        let ready =
            chains.filter(|chain| self.waiting.any_for(&chain.spec.name) && is_ready(chain));
        let ready: Vec<ChainName> = ready.map(|chain| chain.spec.name.clone()).collect();
        if ready.is_empty() {
            return Ok(());
        }
        let mut left = self.waiting.clone();
        let rows = left.take_for(&ready, WAITING_PORTION);
        let plan = self.plan_requests(rows, left, now)?;
        self.commit(plan)
    }

    /// Rows that have no outcome yet and do not wait for one. A forged inbox may hold one id
    /// twice: only the first row of it counts, or one outcome would stand for two effects.
    fn without_known(&self, requests: &Requests) -> Result<Vec<Waiting>, StoreError> {
        let ids: Vec<String> = requests
            .rows
            .iter()
            .map(|row| row.request_id.clone())
            .collect();
        let known = self.store.known_requests(&ids)?;
        let mut taken: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        taken.extend(self.waiting.request_ids());
        let fresh = requests
            .rows
            .iter()
            .filter(|row| taken.insert(&row.request_id));
        Ok(fresh
            .map(|row| self.just_read(row, &requests.inbox_id))
            .collect())
    }

    fn just_read(&self, row: &Request, inbox_id: &str) -> Waiting {
        Waiting {
            request: row.clone(),
            inbox_id: inbox_id.to_owned(),
            chain: ChainName::new(""),
            read_at: self.clock.now().wall,
        }
    }

    /// Decides rows in their order. One that must wait, or that comes behind a waiting one about
    /// the same payment, joins `waiting`.
    fn plan_requests(
        &self,
        rows: Vec<Waiting>,
        mut waiting: WaitingRequests,
        now: Now,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::new(now.wall);
        let mut overlay = Overlay {
            payments: BTreeMap::new(),
            addresses: HashMap::new(),
            next_key: self.next_key,
        };
        for row in rows {
            let parsed = self.read(&row.request);
            let note = parsed
                .as_ref()
                .ok()
                .and_then(Command::note)
                .map(str::to_owned);
            let behind = waiting.holds_back(&row.inbox_id, &row.request).cloned();
            let verdict = match (behind, parsed) {
                (Some(chain), Ok(_)) => Ok(Verdict::Waits(chain)),
                (None, Ok(command)) => self.decide(&row, &command, &mut overlay, now)?,
                (_, Err(refusal)) => Err(refusal),
            };
            match verdict {
                Ok(Verdict::Waits(chain)) if waiting.has_room_for(&row.request) => {
                    waiting.push(Waiting { chain, ..row });
                }
                Ok(Verdict::Waits(_)) => {
                    let refusal = Refusal::new("busy", "too many requests wait for their chain");
                    plan.step
                        .outcomes
                        .push(refused(row.request, note, &refusal));
                }
                Ok(Verdict::Applied(step)) => {
                    self.take_up(&mut plan, &mut overlay, row.request, note, *step);
                }
                Ok(Verdict::Duplicate(why)) => {
                    let mut duplicate = outcome(row.request, note, Outcome::Duplicate, None);
                    why.clone_into(&mut duplicate.message);
                    plan.step.outcomes.push(duplicate);
                }
                Err(refusal) => plan
                    .step
                    .outcomes
                    .push(refused(row.request, note, &refusal)),
            }
        }
        plan.asks = self.unconfirmed_asks(&plan.step.payments);
        plan.waiting = Some(waiting);
        Ok(plan)
    }

    fn take_up(
        &self,
        plan: &mut Plan,
        overlay: &mut Overlay,
        request: Request,
        note: Option<String>,
        step: PaymentStep,
    ) {
        let version = step
            .entries
            .first()
            .and_then(|entry| entry.payment.as_ref());
        let version = version.map(|(_, version)| *version);
        let may_be_scanned = step.payment.scan_refusal().is_none();
        if !step.is_new && !step.payment.scan.is_complete() && may_be_scanned {
            // A rescan is in no scan under way: the next one covers it and all others.
            plan.outgrown.extend(self.place(&step.payment.chain));
        }
        plan.step
            .outcomes
            .push(outcome(request, note, Outcome::Applied, version));
        overlay.add(&step.payment);
        plan.step.payments.push(step);
    }

    fn decide(
        &self,
        row: &Waiting,
        command: &Command,
        overlay: &mut Overlay,
        now: Now,
    ) -> Result<Result<Verdict, Refusal>, StoreError> {
        let request = &row.request;
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
            (_, Some(payment)) => self.carry_out(row, command, &payment, overlay, now),
        }
    }

    /// What a request asks. Of `force` nobody outside a sandbox knows.
    fn read(&self, request: &Request) -> Result<Command, Refusal> {
        if request.kind == "force" && self.store.kind() != Kind::Sandbox {
            return Err(Refusal::unknown_kind("force"));
        }
        request::parse(request)
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
        row: &Waiting,
        command: &Command,
        payment: &Payment,
        overlay: &Overlay,
        now: Now,
    ) -> Result<Result<Verdict, Refusal>, StoreError> {
        let Some(at) = self.place(&payment.chain) else {
            let message = format!("chain {} is not configured any more", payment.chain);
            return Ok(Err(Refusal::new("unknown_chain", message)));
        };
        let chain = self.chain(at);
        let mut view = chain.view.clone();
        Self::settle_view(chain, &mut view, now);
        let waits = command.waits_for_chain() && !planted(Bug::CancelUnread);
        let accepts = matches!(command, Command::Accept { .. });
        if waits && !may_be_decided(chain, &view, payment, row.read_at, accepts) {
            return Ok(Ok(Verdict::Waits(payment.chain.clone())));
        }
        if let Err(refusal) = self.check_address(command, payment, chain, overlay, now.wall)? {
            return Ok(Err(refusal));
        }
        if let Command::Rescan { scan_from } = command
            && let Err(refusal) = check_reach(chain, *scan_from)
        {
            return Ok(Err(refusal));
        }
        let carried = carry_out(payment, command, &row.request, &view, now.wall);
        Ok(carried.map(|carried| match carried {
            CarriedOut::Applied(step) => Verdict::Applied(step),
            CarriedOut::Duplicate(why) => Verdict::Duplicate(why),
        }))
    }
}

/// Whether a chain is healthy, scanned to the node's tip, held by a quorum up to there, and polled in
/// full at least once.
fn is_ready(chain: &ChainState) -> bool {
    let tip = chain.answer.as_ref().map(|(_, status)| status.tip.id);
    let view = &chain.view;
    let is_held = view.agreed == view.scanned;
    let is_caught_up = tip == view.scanned.map(|cursor| cursor.id);
    view.healthy && view.polled_at.is_some() && is_caught_up && is_held
}

/// Whether a request may rest on what has not come: its chain is ready and was polled in full
/// since the request was read, the payment's own past is scanned, unless that cannot be had, and it
/// is known what contracts paid.
fn may_be_decided(
    chain: &ChainState,
    view: &ChainView,
    payment: &Payment,
    read_at: UnixMs,
    accepts: bool,
) -> bool {
    let past = payment.scan.is_complete() || payment.scan_refusal().is_some();
    let polled = view.polled_at.is_some_and(|polled| polled >= read_at);
    let cursor = view.scanned.map(|cursor| cursor.id.height);
    let gate = Gate::new(payment, view, read_at);
    let known = gate.known_to(cursor.unwrap_or_default(), accepts).is_ok();
    past && polled && known && view.healthy && is_ready(chain)
}

/// Read up to the last row, but no further than before the first that still waits: a restart
/// reads that one again and skips those that have their outcome.
fn position(requests: &Requests, waiting: &WaitingRequests) -> Option<InboxPosition> {
    let last = requests.rows.last()?.seq;
    let first_waiting = waiting.first_seq(&requests.inbox_id);
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
