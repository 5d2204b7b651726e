//! Questions under way: whoever is slow holds nobody up, and is noted when it is done.
//!
//! A question runs to its end, also when nobody waits for it any longer: one that hangs is found out so, and
//! one that connects slowly is connected when it is asked again.

use super::{Endpoints, no_answer};
use crate::chain::{SourceError, ethereum::endpoint::Endpoint, rpc::Transport};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

/// How long connecting may take beside a question.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(6);

/// How long one is waited for alone while there are others to ask: then the next is asked, too.
pub(in crate::chain::ethereum) const HEDGE: Duration = Duration::from_secs(1);

/// How long the last one is waited for: longer than any exchange may take.
const LAST_PATIENCE: Duration = Duration::from_secs(150);

/// So many questions may be under way with one endpoint: one that hangs is not asked for ever.
const UNDER_WAY_MAX: u32 = 8;

/// An endpoint that is being connected, for all who need it: it is connected once.
pub(super) type Link<T> = Arc<Mutex<Option<Endpoint<T>>>>;

/// How a question ended, whoever waited for it.
struct Noted {
    at: usize,
    outcome: Result<(), SourceError>,
    /// Whether it says how the endpoint is.
    tells: bool,
    is_aside: bool,
}

/// All questions under way.
pub(super) struct UnderWay {
    sender: mpsc::UnboundedSender<Noted>,
    noted: mpsc::UnboundedReceiver<Noted>,
    /// They end with whoever asks.
    tasks: JoinSet<()>,
}

impl UnderWay {
    pub(super) fn new() -> Self {
        let (sender, noted) = mpsc::unbounded_channel();
        Self {
            sender,
            noted,
            tasks: JoinSet::new(),
        }
    }
}

/// One endpoint's answer, by its place.
pub(super) type Answered<R> = (usize, Result<R, SourceError>);

/// Answers that are waited for.
pub(in crate::chain::ethereum) struct Race<R> {
    sender: mpsc::UnboundedSender<Answered<R>>,
    answers: mpsc::UnboundedReceiver<Answered<R>>,
    pending: Vec<usize>,
    /// Who is asked next, one after the other.
    waiting: VecDeque<usize>,
    /// What says how the endpoint is.
    tells: fn(&Result<R, SourceError>) -> bool,
    /// Whether it is beside the point.
    is_aside: bool,
}

impl<R> Race<R> {
    /// Nobody is asked yet; each of these is, in turn.
    pub(in crate::chain::ethereum) fn among(whom: Vec<usize>) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self {
            sender,
            answers,
            pending: Vec::new(),
            waiting: whom.into(),
            tells: |_| true,
            is_aside: false,
        }
    }

    /// Who was asked and has not answered.
    pub(super) fn pending(&self) -> &[usize] {
        &self.pending
    }
}

impl<R> Race<Result<R, SourceError>> {
    /// Beside the point: whoever can be connected and does not answer this is none the worse for it.
    pub(in crate::chain::ethereum) fn aside() -> Self {
        let tells = |answer: &Result<Result<R, SourceError>, SourceError>| {
            answer.as_ref().map_or(true, Result::is_ok)
        };
        Self {
            tells,
            is_aside: true,
            ..Self::among(Vec::new())
        }
    }
}

impl<T: Transport> Endpoints<T> {
    /// Asks one of them, and goes on.
    pub(in crate::chain::ethereum) fn begin<R, F>(
        &mut self,
        race: &mut Race<R>,
        at: usize,
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Send + Sync + 'static,
    ) where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        let Some(seat) = self.seats.get_mut(at) else {
            return;
        };
        if seat.under_way >= UNDER_WAY_MAX {
            return;
        }
        seat.under_way = seat.under_way.saturating_add(1);
        seat.owes = seat.owes.saturating_add(u32::from(!race.is_aside));
        race.pending.push(at);
        let (endpoint, is_connected) = (seat.endpoint.clone(), seat.is_connected);
        let (link, tells, is_aside) = (Arc::clone(&seat.link), race.tells, race.is_aside);
        let (noted, answers) = (self.under_way.sender.clone(), race.sender.clone());
        self.under_way.tasks.spawn(async move {
            let answer = if is_connected {
                within(patience, &endpoint, question(endpoint.clone())).await
            } else {
                let asked = async { question(linked(&link, &endpoint).await?).await };
                within(patience.saturating_add(CONNECT_PATIENCE), &endpoint, asked).await
            };
            let outcome = answer.as_ref().map(|_| ()).map_err(Clone::clone);
            let noting = Noted {
                at,
                outcome,
                tells: tells(&answer),
                is_aside,
            };
            // Nobody may be waiting for either any more.
            let _ = noted.send(noting);
            let _ = answers.send((at, answer));
        });
    }

    /// The next answer, if one comes until then.
    pub(in crate::chain::ethereum) async fn next<R>(
        &mut self,
        race: &mut Race<R>,
        until: Instant,
    ) -> Option<Answered<R>> {
        if race.pending.is_empty() {
            return None;
        }
        let answer = timeout_at(until, race.answers.recv()).await.ok().flatten();
        self.note();
        let (at, _) = answer.as_ref()?;
        let place = race.pending.iter().position(|pending| pending == at)?;
        race.pending.swap_remove(place);
        answer
    }

    /// The next answer of those who are asked one after the other. The next of them is asked when it is
    /// called again, since what came did not suffice, and when nobody has answered for a while; what is
    /// under way goes on.
    pub(in crate::chain::ethereum) async fn next_in_turn<R, F>(
        &mut self,
        race: &mut Race<R>,
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
    ) -> Option<Answered<R>>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        loop {
            let next = race.waiting.pop_front();
            let patience = if race.waiting.is_empty() {
                LAST_PATIENCE
            } else {
                patience
            };
            if let Some(at) = next {
                self.begin(race, at, patience, question.clone());
            }
            let wait = if race.waiting.is_empty() {
                LAST_PATIENCE.saturating_add(CONNECT_PATIENCE)
            } else {
                HEDGE
            };
            let answer = self.next(race, Instant::now() + wait).await;
            if answer.is_some() || race.waiting.is_empty() {
                return answer;
            }
        }
    }

    /// Notes how questions ended, also those that nobody waits for any more.
    pub(super) fn note(&mut self) {
        while self.under_way.tasks.try_join_next().is_some() {}
        while let Ok(noted) = self.under_way.noted.try_recv() {
            let Noted {
                at,
                outcome,
                tells,
                is_aside,
            } = noted;
            self.attach(at);
            if let Some(seat) = self.seats.get_mut(at) {
                seat.under_way = seat.under_way.saturating_sub(1);
                seat.owes = seat.owes.saturating_sub(u32::from(!is_aside));
            }
            match outcome {
                Ok(()) if tells => self.heard(at),
                // Several questions that one hang leaves open are one failure.
                Err(error) if tells && self.pool.is_back(at, self.now_ms()) => {
                    self.failed(at, &error);
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Takes over an endpoint that was connected beside a question. All must be on the chain that the first
    /// was found to be on.
    fn attach(&mut self, at: usize) {
        let Some(seat) = self.seats.get_mut(at).filter(|seat| !seat.is_connected) else {
            return;
        };
        let linked = seat.link.try_lock().ok().and_then(|link| link.clone());
        if let Some(endpoint) = linked {
            let network = endpoint.network();
            (seat.endpoint, seat.is_connected, seat.is_vetted) = (endpoint, true, false);
            seat.connections = seat.connections.saturating_add(1);
            for seat in &mut self.seats {
                seat.endpoint.expect(network);
            }
        }
    }

    fn heard(&mut self, at: usize) {
        self.pool.heard(at, self.now_ms());
        self.tell(at, "");
    }
}

/// An endpoint once it is connected, by whomever.
async fn linked<T: Transport>(
    link: &Link<T>,
    endpoint: &Endpoint<T>,
) -> Result<Endpoint<T>, SourceError> {
    let mut link = link.lock().await;
    if let Some(connected) = link.as_ref() {
        return Ok(connected.clone());
    }
    let mut endpoint = endpoint.clone();
    endpoint.connect().await?;
    *link = Some(endpoint.clone());
    Ok(endpoint)
}

async fn within<T: Transport, R>(
    patience: Duration,
    endpoint: &Endpoint<T>,
    asked: impl Future<Output = Result<R, SourceError>>,
) -> Result<R, SourceError> {
    let answer = timeout(patience, asked).await;
    answer.unwrap_or_else(|_| Err(no_answer(endpoint, patience)))
}
