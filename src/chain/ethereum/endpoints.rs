//! A chain's endpoints: connects them, asks them in the order that [`super::pool`] says, and tells
//! how each stands. What is asked and what the answers mean is not known in here.

use super::{
    doubts::all_failed,
    endpoint::Endpoint,
    network::Network,
    pool::{Failure, Pool, Standing},
};
use crate::{
    chain::{
        SourceError,
        rpc::{Client, Transport},
    },
    clock::Clock,
    domain::block::Height,
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// The others than the leader are asked how high they are so often.
const LOOK_EVERY_MS: u64 = 10_000;

/// Why one is left alone that answers.
const LAGS: &str = "it is blocks below another endpoint";

/// Is told of an endpoint by its name, and in a word how it stands now.
pub type StandingObserver = Arc<dyn Fn(&str, &'static str) + Send + Sync>;

/// One or more endpoints of the same chain.
pub(super) struct Endpoints<T> {
    seats: Vec<Seat<T>>,
    pool: Pool,
    /// Looks at others than the leader that are under way.
    looks: JoinSet<Look<T>>,
    looked_ms: Option<u64>,
    clock: Arc<dyn Clock>,
    observer: StandingObserver,
}

/// An endpoint's place in the pool.
struct Seat<T> {
    endpoint: Endpoint<T>,
    is_connected: bool,
    /// As it was told last.
    standing: Standing,
}

/// Which endpoint was looked at, what became of it when it had to be connected first, and how high
/// it is.
type Look<T> = (usize, Endpoint<T>, Result<Height, SourceError>);

impl<T: Transport> Endpoints<T> {
    /// Endpoints that must be on this network; nothing is asked yet.
    pub(super) fn new(clients: Vec<Client<T>>, network: Network, clock: Arc<dyn Clock>) -> Self {
        let seat = |client| Seat {
            endpoint: Endpoint::new(client, network),
            is_connected: false,
            standing: Standing::Untried,
        };
        Self {
            pool: Pool::new(clients.len()),
            seats: clients.into_iter().map(seat).collect(),
            looks: JoinSet::new(),
            looked_ms: None,
            clock,
            observer: Arc::new(|_, _| {}),
        }
    }

    /// Somebody is told how each endpoint stands.
    pub(super) fn observe(&mut self, observer: StandingObserver) {
        for seat in &self.seats {
            observer(seat.endpoint.name(), seat.standing.as_str());
        }
        self.observer = observer;
    }

    /// The one that is asked first.
    pub(super) fn leader(&self) -> Option<&Endpoint<T>> {
        self.named(self.pool.leader())
    }

    /// One of them, by its place.
    pub(super) fn named(&self, at: usize) -> Option<&Endpoint<T>> {
        self.seats.get(at).map(|seat| &seat.endpoint)
    }

    /// Whom to ask now, one after the other.
    pub(super) fn order(&self) -> Vec<usize> {
        self.pool.order(self.now_ms())
    }

    /// All are connected anew before they are asked again.
    pub(super) fn reconnect(&mut self) {
        for seat in &mut self.seats {
            seat.is_connected = false;
        }
    }

    /// One of them said how the chain stands: it is asked first from now on.
    pub(super) fn leads(&mut self, at: usize, head: Height) {
        self.pool.leads(at, head);
        self.tell(at, LAGS);
    }

    /// What it answered failed a check that another's answer passed.
    pub(super) fn lied(&mut self, at: usize, check: &str) {
        self.pool.failed(at, Failure::Lie, self.now_ms());
        self.tell(at, check);
    }

    /// Asks one endpoint after the other until one answers; which one that was.
    pub(super) async fn ask<R, F>(
        &mut self,
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Send,
    ) -> Result<(usize, R), SourceError>
    where
        F: Future<Output = Result<R, SourceError>> + Send,
    {
        let mut errors = Vec::new();
        let order = self.order();
        let patience = (order.len() > 1).then_some(patience);
        for at in order {
            match self.ask_one(at, patience, &question).await {
                Ok(answer) => return Ok((at, answer)),
                Err(error) => errors.push(error),
            }
        }
        Err(all_failed(&errors))
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
        let answer = within(patience, asked).await;
        match &answer {
            Ok(_) => {
                self.pool.answered(at);
                self.tell(at, LAGS);
            }
            Err(error) => self.failed(at, error),
        }
        answer
    }

    /// Connects an endpoint unless it is. All must be on the chain that the first was found to be on.
    async fn connected(&mut self, at: usize) -> Result<(), SourceError> {
        let Some(seat) = self.seats.get_mut(at).filter(|seat| !seat.is_connected) else {
            return Ok(());
        };
        seat.endpoint.connect().await?;
        seat.is_connected = true;
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
        seat.is_connected = false;
        self.pool.failed(at, failure, self.now_ms());
        self.tell(at, &error.to_string());
    }

    /// Tells once how an endpoint stands, and why.
    fn tell(&mut self, at: usize, why: &str) {
        let standing = self.pool.standing(at);
        let Some(seat) = self
            .seats
            .get_mut(at)
            .filter(|seat| seat.standing != standing)
        else {
            return;
        };
        let (endpoint, was) = (seat.endpoint.name(), seat.standing.as_str());
        let now = standing.as_str();
        (self.observer)(endpoint, now);
        match standing {
            Standing::Untried => {}
            Standing::Alive if seat.standing == Standing::Untried => {
                tracing::debug!(endpoint, "an endpoint answers");
            }
            Standing::Alive => tracing::info!(endpoint, was, "an endpoint answers again"),
            Standing::Behind
            | Standing::RateLimited
            | Standing::Unreachable
            | Standing::Unfit
            | Standing::Lying => tracing::warn!(endpoint, now, why, "an endpoint is left alone"),
        }
        seat.standing = standing;
    }

    /// Asks the others once in a while how high they are. Nobody waits for it.
    pub(super) fn look_around(&mut self) {
        let now_ms = self.now_ms();
        let is_due = |looked| now_ms.saturating_sub(looked) >= LOOK_EVERY_MS;
        if !self.looks.is_empty() || !self.looked_ms.is_none_or(is_due) {
            return;
        }
        self.looked_ms = Some(now_ms);
        for at in self.pool.followers(now_ms) {
            if let Some(seat) = self.seats.get(at) {
                let (endpoint, is_connected) = (seat.endpoint.clone(), seat.is_connected);
                self.looks.spawn(look(at, endpoint, is_connected));
            }
        }
    }

    /// Takes in what the others answered since.
    pub(super) fn take_looks(&mut self) {
        while let Some(looked) = self.looks.try_join_next() {
            let Ok((at, endpoint, head)) = looked else {
                continue;
            };
            match (head, self.seats.get_mut(at)) {
                (Ok(head), Some(seat)) => {
                    (seat.endpoint, seat.is_connected) = (endpoint, true);
                    self.pool.is_at(at, head);
                    self.tell(at, LAGS);
                    self.tell(self.pool.leader(), LAGS);
                }
                (Err(error), _) => self.failed(at, &error),
                (Ok(_), None) => {}
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.now().monotonic_ms
    }
}

/// Asks an endpoint how high it is, once it is known to be on our chain.
async fn look<T: Transport>(at: usize, mut endpoint: Endpoint<T>, is_connected: bool) -> Look<T> {
    let head = async {
        if !is_connected {
            endpoint.connect().await?;
        }
        endpoint.head().await
    };
    let head = head.await;
    (at, endpoint, head)
}

/// Waits for an answer, where there is somebody else to ask for so long only.
async fn within<R>(
    patience: Option<Duration>,
    answer: impl Future<Output = Result<R, SourceError>>,
) -> Result<R, SourceError> {
    let Some(patience) = patience else {
        return answer.await;
    };
    timeout(patience, answer).await.unwrap_or_else(|_| {
        let text = format!(
            "no answer within {} s, others are asked",
            patience.as_secs()
        );
        Err(SourceError::Transient(text))
    })
}
