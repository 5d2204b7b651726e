//! The loop around a follower: when to poll, when to answer, when to try again.
//!
//! It ends only with the daemon: whatever a node answers, the chain waits and tries again, and
//! the other chains go on.

use super::{Bell, Follower, Gone, Halt, Sink, Standing, backoff::Backoff, traces::Look};
use crate::chain::{Ask, ChainInput, ChainSource, SourceError, says_the_same};
use std::{future::ready, sync::Arc, time::Duration};
use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

/// The least time between the end of a poll and the beginning of the next, however often pushes ring:
/// a push wakes the loop, but the loop asks at its own pace.
const WAKE_GAP: Duration = Duration::from_millis(10);

/// The least time between two looks at transactions that were named: those that come together are
/// asked for together.
const NAMED_GAP: Duration = Duration::from_millis(20);

/// How long after a poll is begun to trace, and the time between two looks for what has come: blocks and
/// whoever stores them come first.
const LOOK_GAP: Duration = Duration::from_millis(100);

/// How long after a failure it is tried again, however often pushes ring.
const RUNG_BACKOFF: Duration = Duration::from_secs(1);

/// How many polls in a row may find the node behind in the middle of an answer before that is
/// reported: behind a balancer it happens at every other block.
const BEHIND_TOLERATED: u32 = 3;

/// How often a failure that goes on is logged again.
const REPEAT: Duration = Duration::from_mins(1);

/// How a running follower is reached.
#[derive(Debug)]
pub struct Signals {
    /// What the watcher asks; a bounded queue that the watcher fills without waiting.
    pub asks: mpsc::Receiver<Ask>,
    /// Rung by pushes of a node: something may be new.
    pub bell: Arc<Bell>,
    /// Becomes true when the daemon stops; so does its end.
    pub shutdown: watch::Receiver<bool>,
}

/// What follows a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The next poll at once: the node has more.
    None,
    /// The usual interval.
    Interval,
    /// Nothing is asked of the source meanwhile.
    Backoff(Duration),
}

/// What answering left to do before the next poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Something that need not wait.
    More,
    /// A scan of the past looks again then for what contracts moved.
    Look(Instant),
}

/// What was last said of a failing source.
#[derive(Debug)]
struct Complaint {
    error: SourceError,
    at: Instant,
}

/// Waits after a failure. A node that pushes is there, and worth another try soon.
async fn back_off(bell: &Bell, began: Instant, span: Duration) {
    let rung = async {
        select! {
            biased;
            () = bell.rung() => {}
            () = bell.rung_for_transactions() => {}
        }
        sleep_until(began + RUNG_BACKOFF).await;
    };
    select! {
        biased;
        () = sleep_until(began + span) => {}
        () = rung => {}
    }
}

struct Loop<S, K> {
    follower: Follower<S, K>,
    backoff: Backoff,
    behind: u32,
    complaint: Option<Complaint>,
    /// When is looked next for what contracts moved.
    look_at: Option<Instant>,
    /// Whether the last poll came of a ring.
    was_rung: bool,
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Follows the chain until the daemon stops or nobody listens.
    pub async fn run(self, mut signals: Signals) {
        let backoff = Backoff::new(self.options.seed, self.options.poll_interval);
        let mut running = Loop {
            follower: self,
            backoff,
            behind: 0,
            complaint: None,
            look_at: None,
            was_rung: false,
        };
        let mut shutdown = signals.shutdown.clone();
        select! {
            biased;
            // Its end means the same as its word.
            _ = shutdown.wait_for(|stopping| *stopping) => {}
            Err(Gone) = running.go_on(&mut signals) => {}
        }
    }
}

impl<S: ChainSource, K: Sink> Loop<S, K> {
    async fn go_on(&mut self, signals: &mut Signals) -> Result<(), Gone> {
        loop {
            let began = Instant::now();
            let rest = self.poll().await?;
            match rest {
                Rest::None => {
                    self.serve_once(signals).await?;
                }
                Rest::Interval => self.serve_until_next(signals, began).await?,
                Rest::Backoff(span) => back_off(&signals.bell, began, span).await,
            }
        }
    }

    async fn poll(&mut self) -> Result<Rest, Gone> {
        match self.follower.poll_once().await {
            Ok(standing) => {
                self.recovered();
                let more = standing == Standing::More;
                Ok(if more { Rest::None } else { Rest::Interval })
            }
            Err(Halt::Gone(gone)) => Err(gone),
            Err(Halt::Source(error)) => self.failed(error).await,
        }
    }

    fn recovered(&mut self) {
        self.backoff.succeeded();
        self.behind = 0;
        if self.complaint.take().is_some() {
            info!(chain = %self.follower.options.chain, "the source answers again");
        }
    }

    /// Decides how to go on after a failure, and reports it unless it is too common to mention.
    async fn failed(&mut self, error: SourceError) -> Result<Rest, Gone> {
        let (rest, is_news) = match error {
            SourceError::Behind(_) => {
                self.behind = self.behind.saturating_add(1);
                (Rest::Interval, self.behind > BEHIND_TOLERATED)
            }
            SourceError::Transient(_) => (Rest::Backoff(self.backoff.failed()), true),
            SourceError::Permanent(_) => (Rest::Backoff(self.backoff.refused()), true),
        };
        if is_news {
            self.complain(error).await?;
        }
        Ok(rest)
    }

    /// Tells the watcher of every failure, which backoff keeps rare, because a status may have
    /// come in between; logs it when it changes, and now and then while it lasts.
    async fn complain(&mut self, error: SourceError) -> Result<(), Gone> {
        let known = self.complaint.as_ref();
        let said = error.to_string();
        let is_known = |known: &Complaint| says_the_same(&known.error.to_string(), &said);
        if !known.is_some_and(|known| is_known(known) && known.at.elapsed() < REPEAT) {
            warn!(chain = %self.follower.options.chain, %error, "the source fails");
            self.complaint = Some(Complaint {
                error: error.clone(),
                at: Instant::now(),
            });
        }
        let failed = ChainInput::Failed { error };
        self.follower.sink.deliver(failed).await
    }

    async fn serve_once(&mut self, signals: &mut Signals) -> Result<Left, Gone> {
        while self.follower.asks.has_room() {
            let Ok(ask) = signals.asks.try_recv() else {
                break;
            };
            self.follower.ask(ask);
        }
        match self.follower.serve().await {
            Ok(more) if more => Ok(Left::More),
            Ok(_) => {
                let look = self.follower.next_look();
                Ok(look.map_or(Left::Nothing, |after| Left::Look(Instant::now() + after)))
            }
            Err(Halt::Gone(gone)) => Err(gone),
            Err(Halt::Source(error)) => {
                debug!(chain = %self.follower.options.chain, %error, "an ask must wait");
                Ok(Left::Nothing)
            }
        }
    }

    /// Looks for what contracts moved. What cannot be had now is tried again at the pace of polls.
    async fn look(&mut self) -> Result<(), Gone> {
        let gap = match self.follower.trace().await {
            Ok(Look::Done) => None,
            Ok(Look::News) => Some(Duration::ZERO),
            Ok(Look::UnderWay) => Some(LOOK_GAP),
            Ok(Look::Stuck) | Err(Halt::Source(_)) => Some(self.follower.options.poll_interval),
            Err(Halt::Gone(gone)) => return Err(gone),
        };
        self.look_at = gap.map(|gap| Instant::now() + gap);
        Ok(())
    }

    async fn read_named(&mut self, bell: &Bell) -> Result<(), Gone> {
        match self.follower.read_named().await {
            Ok(more) => {
                if more {
                    bell.ring_for_transactions();
                }
                Ok(())
            }
            Err(Halt::Gone(gone)) => Err(gone),
            Err(Halt::Source(error)) => {
                debug!(chain = %self.follower.options.chain, %error, "what was named is left to the next list");
                Ok(())
            }
        }
    }

    /// Answers asks until the next poll is due, or something rings.
    async fn serve_until_next(
        &mut self,
        signals: &mut Signals,
        began: Instant,
    ) -> Result<(), Gone> {
        let until = began + self.follower.options.poll_interval;
        // Whoever rings all the time is polled half of the time.
        let taken = Some(began.elapsed()).filter(|_| self.was_rung);
        let gap = taken.unwrap_or_default().max(WAKE_GAP);
        self.was_rung = false;
        let next = Instant::now() + gap;
        let mut named = began;
        if self.follower.awaits_traces() {
            let look_at = *self.look_at.get_or_insert(Instant::now() + LOOK_GAP);
            // Whoever rings all the time does not keep it from being traced.
            if look_at <= Instant::now() {
                self.look().await?;
            }
        }
        loop {
            let left = self.serve_once(signals).await?;
            let look_at = self.look_at.unwrap_or(until);
            let scan_at = match left {
                Left::Look(at) => at,
                Left::Nothing | Left::More => until,
            };
            select! {
                biased;
                () = sleep_until(until) => return Ok(()),
                () = signals.bell.rung() => {
                    self.was_rung = true;
                    sleep_until(until.min(next)).await;
                    return Ok(());
                }
                () = signals.bell.rung_for_transactions() => {
                    sleep_until(until.min(named + NAMED_GAP)).await;
                    named = Instant::now();
                    self.read_named(&signals.bell).await?;
                }
                () = sleep_until(look_at), if self.look_at.is_some() => self.look().await?,
                () = ready(()), if left == Left::More => {}
                () = sleep_until(scan_at), if scan_at < until => {}
                Some(ask) = signals.asks.recv(), if self.follower.asks.has_room() => {
                    self.follower.ask(ask);
                }
            }
        }
    }
}
