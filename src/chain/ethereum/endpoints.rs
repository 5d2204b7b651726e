//! A chain's endpoints: connects them, asks whom `pool` says, and tells how each stands. What
//! is asked and what the answers mean is not known in here.

mod failures;
mod pool;
mod race;
mod telling;
mod together;

pub(super) use race::Race;
pub use telling::StandingObserver;
pub(super) use together::STRAGGLERS;

use super::{
    endpoint::{Endpoint, Tracer},
    network::Network,
};
use crate::{
    chain::{
        SourceError,
        rpc::{Client, Transport},
    },
    clock::Clock,
    domain::{block::BlockRef, time::SpanMs},
};
use failures::all_failed;
use pool::{Failure, Pool, Standing};
use race::{Link, UnderWay};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The leader may fail so often in a row to serve the blocks that it names before another leads.
const UNSERVED_MAX: u32 = 5;

/// How long the leader is waited for while there are others.
const LEADER_PATIENCE: Duration = Duration::from_secs(10);

/// So often in a row an endpoint may have another block than a quorum: two honest ones may be on two
/// branches for some blocks.
const DISSENTS_MAX: u32 = 10;

/// One or more endpoints of the same chain.
pub(super) struct Endpoints<T> {
    seats: Vec<Seat<T>>,
    pool: Pool,
    /// How often in a row blocks that the leader named did not come.
    unserved: u32,
    clock: Arc<dyn Clock>,
    observer: StandingObserver,
    under_way: UnderWay,
}

/// An endpoint's place in the pool.
struct Seat<T> {
    endpoint: Endpoint<T>,
    is_connected: bool,
    /// How often it was connected.
    connections: u32,
    /// As it was told last.
    standing: Standing,
    /// Whether its tokens were found as configured since it was connected.
    is_vetted: bool,
    /// How often in a row it held another block than a quorum.
    dissents: u32,
    /// Where it is being connected.
    link: Link<T>,
    /// How many questions it has not answered yet.
    under_way: u32,
    /// How many of them are to the point.
    owes: u32,
    /// How many more questions to the point it is not waited for once others suffice.
    passed_over: u32,
    /// The same of those beside it: who is slow about balances may be quick about tips.
    passed_over_aside: u32,
    /// Why it was left alone last; empty since it answers.
    why: String,
}

impl<T> Seat<T> {
    /// How many more questions of a kind it is not waited for.
    const fn passed_over(&mut self, is_aside: bool) -> &mut u32 {
        if is_aside {
            &mut self.passed_over_aside
        } else {
            &mut self.passed_over
        }
    }

    /// It is connected anew before it is asked again; what connects it already goes on.
    fn disconnect(&mut self) {
        if self.is_connected {
            self.link = Link::default();
        }
        self.is_connected = false;
    }
}

impl<T: Transport> Endpoints<T> {
    /// Endpoints that must be on this network; nothing is asked yet.
    pub(super) fn new(clients: Vec<Client<T>>, network: Network, clock: Arc<dyn Clock>) -> Self {
        let seat = |client| Seat {
            endpoint: Endpoint::new(client, network),
            is_connected: false,
            connections: 0,
            standing: Standing::Untried,
            is_vetted: false,
            dissents: 0,
            link: Link::default(),
            under_way: 0,
            owes: 0,
            passed_over: 0,
            passed_over_aside: 0,
            why: String::new(),
        };
        Self {
            pool: Pool::new(clients.len()),
            seats: clients.into_iter().map(seat).collect(),
            unserved: 0,
            clock,
            observer: Arc::new(|_, _, _| {}),
            under_way: UnderWay::new(),
        }
    }

    /// The one that is asked first.
    pub(super) fn leader(&self) -> Option<&Endpoint<T>> {
        self.named(self.pool.leader())
    }

    /// One of them, by its place.
    pub(super) fn named(&self, at: usize) -> Option<&Endpoint<T>> {
        self.seats.get(at).map(|seat| &seat.endpoint)
    }

    /// All of them, with their places.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Endpoint<T>)> {
        self.seats.iter().map(|seat| &seat.endpoint).enumerate()
    }

    /// Whom to ask now, one after the other: whoever still owes an answer last.
    pub(super) fn turns(&mut self) -> Vec<usize> {
        self.note();
        let mut order = self.pool.order(self.now_ms());
        order.sort_by_key(|at| self.seats.get(*at).is_some_and(|seat| seat.owes > 0));
        order
    }

    /// What one of them is called in errors.
    pub(super) fn name(&self, at: usize) -> String {
        self.named(at).map_or_else(String::new, ToString::to_string)
    }

    /// All are connected anew before they are asked again, but for those that asked not to be asked: they have said
    /// nothing wrong, and connecting asks much of them.
    pub(super) fn reconnect(&mut self) {
        for seat in &mut self.seats {
            if seat.endpoint.paused_for_ms() == 0 {
                seat.disconnect();
            }
        }
    }

    /// One of them says which blocks there are from now on.
    pub(super) fn lead(&mut self, at: usize) {
        if self.pool.leader() != at {
            self.unserved = 0;
        }
        self.pool.lead(at);
    }

    /// Which one leads.
    pub(super) const fn leads_at(&self) -> usize {
        self.pool.leader()
    }

    /// Whether this one leads.
    pub(super) const fn leads(&self, at: usize) -> bool {
        self.pool.leader() == at
    }

    /// Blocks that the leader named came, or others say that they have none such. One that names what
    /// nobody has does not lead for long.
    pub(super) fn served(&mut self, came: bool) {
        self.unserved = if came {
            0
        } else {
            self.unserved.saturating_add(1)
        };
        if self.unserved >= UNSERVED_MAX && self.pool.len() > 1 {
            self.unserved = 0;
            let leader = self.pool.leader();
            self.pool.misled(leader);
            self.pool
                .failed(leader, Failure::Unreachable, self.now_ms());
            self.tell(leader, "the blocks that it names do not come");
            if let Some(next) = self.pool.order(self.now_ms()).first() {
                self.pool.lead(*next);
            }
        }
    }

    /// Whether an operator must act on errors of these: not while others were not asked.
    pub(super) fn failure_of(&self, asked: usize, errors: &[SourceError]) -> SourceError {
        match all_failed(errors) {
            SourceError::Permanent(text) if asked < self.pool.len() => SourceError::Transient(text),
            error @ (SourceError::Permanent(_)
            | SourceError::Transient(_)
            | SourceError::Behind(_)) => error,
        }
    }

    /// Whether its tokens were found as configured since it was connected.
    pub(super) fn is_vetted(&self, at: usize) -> bool {
        let seat = self.seats.get(at);
        seat.is_some_and(|seat| seat.is_connected && seat.is_vetted)
    }

    /// What it tells of calls inside transactions.
    pub(super) fn found(&mut self, at: usize, tracer: Tracer) {
        if let Some(seat) = self.seats.get_mut(at) {
            seat.endpoint.found(tracer);
        }
    }

    /// Which of its connections the present one is.
    pub(super) fn connection(&self, at: usize) -> u32 {
        self.seats.get(at).map_or(0, |seat| seat.connections)
    }

    /// Its tokens are as configured.
    pub(super) fn vetted(&mut self, at: usize) {
        if let Some(seat) = self.seats.get_mut(at) {
            seat.is_vetted = true;
        }
    }

    /// What it answered failed a check that another's answer passed.
    pub(super) fn lied(&mut self, at: usize, check: &str) {
        self.pool.failed(at, Failure::Lie, self.now_ms());
        self.tell(at, check);
    }

    /// Asks the leader.
    pub(super) async fn ask<R, F>(
        &mut self,
        question: impl Fn(Endpoint<T>) -> F,
    ) -> Result<R, SourceError>
    where
        F: Future<Output = Result<R, SourceError>>,
    {
        let patience = (self.pool.len() > 1).then_some(LEADER_PATIENCE);
        self.ask_one(self.pool.leader(), patience, question).await
    }

    /// Asks one of them, for so long, and notes whether it answered.
    pub(super) async fn ask_one<R, F>(
        &mut self,
        at: usize,
        patience: Option<Duration>,
        question: impl Fn(Endpoint<T>) -> F,
    ) -> Result<R, SourceError>
    where
        F: Future<Output = Result<R, SourceError>>,
    {
        let asked = async {
            self.connected(at).await?;
            match self.named(at) {
                Some(endpoint) => question(endpoint.clone()).await,
                None => Err(all_failed(&[])),
            }
        };
        let answer = match patience {
            None => asked.await,
            Some(patience) => {
                let answer = timeout(patience, asked).await;
                answer.unwrap_or_else(|_| Err(no_answer(&self.name(at), patience)))
            }
        };
        match &answer {
            Ok(_) => {
                self.pool.answered(at);
                self.tell(at, "");
            }
            Err(error) => self.failed(at, error),
        }
        answer
    }

    /// Whether another answers much sooner than this one.
    pub(super) fn is_slow(&self, at: usize) -> bool {
        self.pool.is_slow(at, self.now_ms())
    }

    /// Whether it never told what is not so. Others lead only where nobody else can.
    pub(super) fn is_trusted(&self, at: usize) -> bool {
        self.pool.is_trusted(at)
    }

    /// Whether it has not failed for a while.
    pub(super) fn is_steady(&self, at: usize) -> bool {
        self.pool.is_steady(at, self.now_ms())
    }

    /// Those that are not left alone now.
    pub(super) fn back(&self) -> Vec<usize> {
        let now_ms = self.now_ms();
        let all = 0..self.pool.len();
        all.filter(|at| self.pool.is_back(*at, now_ms)).collect()
    }

    /// Whether one has another block than a quorum, and what. One that goes on with that is left alone.
    pub(super) fn dissents(&mut self, at: usize, what: Option<&str>) {
        let Some(seat) = self.seats.get_mut(at) else {
            return;
        };
        seat.dissents = what.map_or(0, |_| seat.dissents.saturating_add(1));
        if seat.dissents >= DISSENTS_MAX {
            self.lied(at, what.unwrap_or_default());
        }
    }

    /// Another has blocks that it lacks.
    pub(super) fn is_behind(&mut self, at: usize, why: &str) {
        self.pool.failed(at, Failure::Behind, self.now_ms());
        self.tell(at, why);
    }

    /// All but these.
    pub(super) fn all_but(&self, these: &[usize]) -> Vec<usize> {
        let all = 0..self.pool.len();
        all.filter(|at| !these.contains(at)).collect()
    }

    /// Connects an endpoint unless it is. All must be on the chain that the first was found to be on.
    async fn connected(&mut self, at: usize) -> Result<(), SourceError> {
        let Some(seat) = self.seats.get_mut(at).filter(|seat| !seat.is_connected) else {
            return Ok(());
        };
        seat.endpoint.connect().await?;
        (seat.is_connected, seat.is_vetted) = (true, false);
        seat.connections = seat.connections.saturating_add(1);
        let network = seat.endpoint.network();
        for seat in &mut self.seats {
            seat.endpoint.expect(network);
        }
        Ok(())
    }

    /// Whoever failed is connected anew before it is asked again, and others meanwhile.
    pub(super) fn failed(&mut self, at: usize, error: &SourceError) {
        let Some(seat) = self.seats.get_mut(at) else {
            return;
        };
        let pause_ms = seat.endpoint.paused_for_ms();
        let failure = match error {
            // It may have tomorrow what it has not yet, and is not to blame.
            SourceError::Behind(_) => return,
            SourceError::Permanent(_) => Failure::Unfit,
            SourceError::Transient(_) if pause_ms > 0 => Failure::RateLimited { pause_ms },
            SourceError::Transient(_) => Failure::Unreachable,
        };
        if !matches!(failure, Failure::RateLimited { .. }) {
            seat.disconnect();
        }
        self.pool.failed(at, failure, self.now_ms());
        self.tell(at, &error.to_string());
    }

    /// How old a block is by the wall clock.
    pub(super) fn age_of(&self, block: &BlockRef) -> SpanMs {
        SpanMs(self.clock.now().wall.0.saturating_sub(block.time.0))
    }

    /// The monotonic clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now().monotonic_ms
    }
}

fn no_answer(endpoint: &impl std::fmt::Display, patience: Duration) -> SourceError {
    let seconds = patience.as_secs();
    SourceError::Transient(format!(
        "{endpoint}: no answer within {seconds} s; others are asked"
    ))
}
