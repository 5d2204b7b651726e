//! The same question to several endpoints at once, which nobody who is slow holds up for long.

use super::{Endpoints, Seat, no_answer};
use crate::chain::{SourceError, ethereum::endpoint::Endpoint, rpc::Transport};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

/// How long connecting may take beside a question.
const CONNECT_PATIENCE: Duration = Duration::from_secs(6);

/// How long those who have not answered yet are waited for once a quorum has.
const STRAGGLERS: Duration = Duration::from_millis(250);

impl<T: Transport> Endpoints<T> {
    /// Asks some at once, for so long each, and those who are slower than a quorum a little longer
    /// than that: whoever does not answer is noted as usual.
    pub(in crate::chain::ethereum) async fn ask_some<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
        suffices: impl Fn(&[(usize, Result<R, SourceError>)]) -> bool,
    ) -> Vec<(usize, Result<R, SourceError>)>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        self.ask_each(whom, patience, question, suffices, |_| true)
            .await
    }

    /// The same beside the point: whoever is connected and does not answer this is none the worse for it.
    pub(in crate::chain::ethereum) async fn ask_aside<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
    ) -> Vec<(usize, Result<R, SourceError>)>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        let aside = move |endpoint: Endpoint<T>| {
            let asked = question(endpoint);
            async move { Ok(asked.await) }
        };
        let tells = |answer: &Result<Result<R, SourceError>, SourceError>| match answer {
            Ok(answer) => answer.is_ok(),
            Err(_) => true,
        };
        let answers = self.ask_each(whom, patience, aside, |_| false, tells).await;
        let answers = answers.into_iter();
        answers
            .map(|(at, answer)| (at, answer.and_then(|answer| answer)))
            .collect()
    }

    /// Asks some at once; those of whose answer this says so are noted by it.
    async fn ask_each<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
        suffices: impl Fn(&[(usize, Result<R, SourceError>)]) -> bool,
        tells: impl Fn(&Result<R, SourceError>) -> bool,
    ) -> Vec<(usize, Result<R, SourceError>)>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        let seats = self.seats.iter().enumerate();
        for (at, seat) in seats.filter(|(at, _)| whom.contains(at)) {
            let (endpoint, is_connected) = (seat.endpoint.clone(), seat.is_connected);
            let question = question.clone();
            asked.spawn(async move { (at, ask(endpoint, is_connected, patience, question).await) });
        }
        let mut answers = Vec::new();
        let mut until = Instant::now() + patience + CONNECT_PATIENCE;
        // Who was never reached gets the time for it once, or is left alone for a while.
        let are_connected = seats_of(&self.seats, whom).all(|seat| seat.is_connected);
        while let Ok(Some(joined)) = timeout_at(until, asked.join_next()).await {
            let Ok((at, (endpoint, answer))) = joined else {
                continue;
            };
            self.seat_is(at, endpoint, answer.is_ok());
            if tells(&answer) {
                self.heard(at, &answer);
            }
            answers.push((at, answer));
            if are_connected && suffices(&answers) {
                until = until.min(Instant::now() + STRAGGLERS);
            }
        }
        answers.sort_by_key(|(at, _)| *at);
        answers
    }

    /// Keeps an endpoint as it is once it was asked, where it was not connected.
    fn seat_is(&mut self, at: usize, endpoint: Endpoint<T>, is_connected: bool) {
        if let Some(seat) = self.seats.get_mut(at).filter(|seat| !seat.is_connected) {
            (seat.endpoint, seat.is_connected, seat.is_vetted) = (endpoint, is_connected, false);
            seat.connections = seat.connections.saturating_add(u32::from(is_connected));
        }
    }

    /// Notes how one answered what all were asked.
    fn heard<R>(&mut self, at: usize, answer: &Result<R, SourceError>) {
        let now_ms = self.now_ms();
        match answer {
            Ok(_) => {
                self.pool.heard(at, now_ms);
                self.tell(at, "");
            }
            Err(error) => self.failed(at, error),
        }
    }
}

fn seats_of<'a, T>(seats: &'a [Seat<T>], whom: &'a [usize]) -> impl Iterator<Item = &'a Seat<T>> {
    whom.iter().filter_map(|at| seats.get(*at))
}

/// Asks one endpoint, connecting it first unless it is; the endpoint as it is then.
async fn ask<T: Transport, R, F>(
    mut endpoint: Endpoint<T>,
    is_connected: bool,
    patience: Duration,
    question: impl Fn(Endpoint<T>) -> F,
) -> (Endpoint<T>, Result<R, SourceError>)
where
    F: Future<Output = Result<R, SourceError>>,
{
    let asked = async {
        if !is_connected {
            endpoint.connect().await?;
        }
        question(endpoint.clone()).await
    };
    let connecting = if is_connected {
        Duration::ZERO
    } else {
        CONNECT_PATIENCE
    };
    let answer = timeout(patience + connecting, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(no_answer(&endpoint, patience)));
    (endpoint, answer)
}
