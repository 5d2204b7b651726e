//! Questions under way: whoever is slow holds nobody up, and is noted when it is done.
//!
//! A question runs to its end, also when nobody waits for it any longer: one that hangs is found out so, and
//! one that connects slowly is connected when it is asked again.

use super::{Endpoints, no_answer};
use crate::chain::{SourceError, ethereum::endpoint::Endpoint, rpc::Transport};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
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

/// So many questions may be under way with one endpoint: one that hangs is not asked for ever. Of those to the point
/// fewer: what it answers may be long.
const UNDER_WAY_MAX: u32 = 8;
const OWED_MAX: u32 = 3;

/// An endpoint that is being connected, for all who need it: it is connected once.
pub(super) type Link<T> = Arc<Mutex<Option<Endpoint<T>>>>;

/// How a question ended, whoever waited for it.
struct Noted {
    at: usize,
    outcome: Result<(), SourceError>,
    /// Whether it says how the endpoint is.
    tells: bool,
    is_aside: bool,
    /// How long it took, where all are asked the same.
    took: Option<Duration>,
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
    /// When the first was asked.
    since: Option<Instant>,
    /// Who was left alone or failed: asked once more when that is over, while somebody else is waited for.
    failed: BTreeSet<usize>,
    /// What says how the endpoint is.
    tells: fn(&Result<R, SourceError>) -> bool,
    /// Whether it is beside the point.
    is_aside: bool,
    /// Whether all are asked the same at the same time, so that it shows who is slow.
    is_timed: bool,
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
            since: None,
            failed: BTreeSet::new(),
            tells: |_| true,
            is_aside: false,
            is_timed: false,
        }
    }

    /// All are asked the same at the same time.
    pub(super) fn timed() -> Self {
        Self {
            is_timed: true,
            ..Self::among(Vec::new())
        }
    }

    /// Who was asked and has not answered.
    pub(super) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// Whether it is beside the point.
    pub(super) const fn is_aside(&self) -> bool {
        self.is_aside
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
        if seat.under_way >= UNDER_WAY_MAX || (!race.is_aside && seat.owes >= OWED_MAX) {
            return;
        }
        seat.under_way = seat.under_way.saturating_add(1);
        seat.owes = seat.owes.saturating_add(u32::from(!race.is_aside));
        race.pending.push(at);
        let (endpoint, is_connected) = (seat.endpoint.clone(), seat.is_connected);
        let (link, tells, is_aside) = (Arc::clone(&seat.link), race.tells, race.is_aside);
        let (noted, answers) = (self.under_way.sender.clone(), race.sender.clone());
        let (is_timed, began) = (race.is_timed && is_connected, Instant::now());
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
                took: Some(began.elapsed()).filter(|_| is_timed && answer.is_ok()),
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

    /// Asks these one after the other, and those who are left alone now when that is over.
    pub(in crate::chain::ethereum) fn in_turn<R>(&self, turns: Vec<usize>) -> Race<R> {
        let failed = self.all_but(&turns).into_iter().collect();
        Race {
            failed,
            ..Race::among(turns)
        }
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
        let since = *race.since.get_or_insert_with(Instant::now);
        loop {
            let next = race.waiting.pop_front().or_else(|| self.returned(race));
            let is_last = race.waiting.is_empty();
            let patience = if is_last { LAST_PATIENCE } else { patience };
            if let Some(at) = next {
                self.begin(race, at, patience, question.clone());
            }
            // Each question ends by itself, and nothing waits for ever for one that does not.
            let is_over = since.elapsed() > LAST_PATIENCE.saturating_mul(2);
            if is_last && (race.pending.is_empty() || is_over) {
                return None;
            }
            if let Some((at, answer)) = self.next(race, Instant::now() + HEDGE).await {
                if answer.is_err() {
                    race.failed.insert(at);
                }
                return Some((at, answer));
            }
        }
    }

    /// One that was left alone or failed and may be asked again, while somebody else is waited for.
    fn returned<R>(&self, race: &mut Race<R>) -> Option<usize> {
        let now_ms = self.now_ms();
        let is_back = |at: &&usize| !race.pending.contains(*at) && self.pool.is_back(**at, now_ms);
        let back = race.failed.iter().find(is_back).copied();
        let back = back.filter(|_| !race.pending.is_empty())?;
        race.failed.remove(&back);
        Some(back)
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
                took,
            } = noted;
            self.attach(at);
            if let Some(took) = took {
                let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                self.pool.took(at, took_ms);
            }
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
