//! The same question to several endpoints at once, which nobody who is slow holds up for long.

use super::{
    Endpoints, Standing,
    race::{Answered, CONNECT_PATIENCE, Race},
};
use crate::chain::{SourceError, ethereum::endpoint::Endpoint, rpc::Transport};
use std::time::Duration;
use tokio::time::Instant;

/// How long those who have not answered yet are waited for once the others suffice.
pub(in crate::chain::ethereum) const STRAGGLERS: Duration = Duration::from_millis(250);

/// So many questions long one is not waited for once others suffice, after it was too slow for them.
const PASSED_OVER: u32 = 8;

impl<T: Transport> Endpoints<T> {
    /// Asks some at once, and waits so long for them; for those who are slower than the others a little
    /// longer than these need to suffice. Whoever does not answer in its time is noted as usual.
    pub(in crate::chain::ethereum) async fn ask_some<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
        suffices: impl Fn(&[Answered<R>]) -> bool,
    ) -> Vec<Answered<R>>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        self.ask_each(whom, patience, question, suffices, Race::timed())
            .await
    }

    /// The same beside the point: whoever is connected and does not answer this is none the worse for it. Once
    /// what is said suffices, others are waited for a little longer.
    pub(in crate::chain::ethereum) async fn ask_aside<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
        suffices: impl Fn(&[(usize, &R)]) -> bool,
    ) -> Vec<Answered<R>>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        let aside = move |endpoint: Endpoint<T>| {
            let asked = question(endpoint);
            async move { Ok(asked.await) }
        };
        let enough = |answers: &[Answered<Result<R, SourceError>>]| {
            let said = answers.iter().filter_map(|(at, answer)| {
                let said = answer.as_ref().ok()?.as_ref().ok()?;
                Some((*at, said))
            });
            suffices(&said.collect::<Vec<_>>())
        };
        let answers = self
            .ask_each(whom, patience, aside, enough, Race::aside())
            .await;
        let answers = answers.into_iter();
        answers
            .map(|(at, answer)| (at, answer.and_then(|answer| answer)))
            .collect()
    }

    /// Asks some at once.
    async fn ask_each<R, F>(
        &mut self,
        whom: &[usize],
        patience: Duration,
        question: impl Fn(Endpoint<T>) -> F + Clone + Send + Sync + 'static,
        suffices: impl Fn(&[Answered<R>]) -> bool,
        mut race: Race<R>,
    ) -> Vec<Answered<R>>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, SourceError>> + Send + 'static,
    {
        self.note();
        for at in whom {
            self.begin(&mut race, *at, patience, question.clone());
        }
        // Who was never reached gets the time for it once, or is left alone for a while.
        let are_tried = whom
            .iter()
            .all(|at| self.pool.standing(*at) != Standing::Untried);
        let connecting = if are_tried {
            Duration::ZERO
        } else {
            CONNECT_PATIENCE
        };
        let mut until = Instant::now() + patience + connecting;
        let mut answers = Vec::new();
        while let Some(answer) = self.next(&mut race, until).await {
            answers.push(answer);
            if suffices(&answers) {
                let is_aside = race.is_aside();
                let mut is_waited_for = |at: &usize| {
                    let seat = self.seats.get_mut(*at);
                    seat.is_some_and(|seat| *seat.passed_over(is_aside) == 0)
                };
                if !race.pending().iter().any(&mut is_waited_for) {
                    break;
                }
                until = until.min(Instant::now() + STRAGGLERS);
            }
        }
        self.pass_over(whom, &race);
        answers.sort_by_key(|(at, _)| *at);
        answers
    }

    /// Whoever was too slow for the others is not waited for the next few times.
    fn pass_over<R>(&mut self, whom: &[usize], race: &Race<R>) {
        for at in whom {
            if let Some(seat) = self.seats.get_mut(*at) {
                let passed_over = seat.passed_over(race.is_aside());
                *passed_over = match (race.pending().contains(at), *passed_over) {
                    (false, _) => 0,
                    (true, 0) => PASSED_OVER,
                    (true, left) => left.saturating_sub(1),
                };
            }
        }
    }
}
