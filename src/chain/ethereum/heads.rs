//! Listening to an endpoint's `newHeads`, which is a doorbell: it says when to ask, and which block to ask for
//! first. Polling goes on without it at its own pace, and nothing that it says is believed.
//!
//! Source: geth, "Real-time events" (`eth_subscribe`).

mod subscription;

use crate::{
    chain::follower::{Bell, Observer, until_stopped},
    config::SecretUrl,
    domain::block::{BlockHash, BlockId},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use subscription::{Refused, Subscription};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tracing::{debug, info, warn};

/// How long it may take to connect and to subscribe.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long after a failure it is tried again, and twice as long after each further one.
const RETRY: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Blocks that come sooner after another ring together: whoever announces all the time does not have
/// everybody asked all the time.
const RING_GAP: Duration = Duration::from_millis(200);

/// How often in a row it may ring that soon, and after how long once more: what is announced need not be true,
/// and each ring has every endpoint asked.
const RINGS_MAX: u32 = 5;
const RING_EARNED: Duration = Duration::from_secs(1);

/// Where payments are promised within minutes, blocks come more often than this. A connection that died without
/// a word, or repeats itself, is not told from a quiet chain, so it is made anew.
const SILENCE: Duration = Duration::from_mins(2);

/// The block that was announced last and that nobody asked for yet.
#[derive(Debug, Default)]
pub struct Announced(Mutex<Option<BlockId>>);

impl Announced {
    pub(super) fn say(&self, block: BlockId) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(block);
    }

    pub(super) fn take(&self) -> Option<BlockId> {
        let mut announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        announced.take()
    }
}

/// An endpoint that is listened to.
pub struct Heads {
    endpoint: String,
    url: SecretUrl,
    bell: Arc<Bell>,
    announced: Arc<Announced>,
    observer: Observer,
    silence: Duration,
    retry: Duration,
    last: Option<BlockHash>,
    rings: Rings,
}

/// How often it may ring. It outlives connections: whoever is called again has no more rings.
#[derive(Debug)]
struct Rings {
    /// When all rings are earned that it had.
    earned_at: Instant,
}

impl Rings {
    fn new() -> Self {
        Self {
            earned_at: Instant::now(),
        }
    }

    /// It rings; when it may again.
    fn ring(&mut self, now: Instant) -> Instant {
        self.earned_at = self.earned_at.max(now) + RING_EARNED;
        let next = now
            + self
                .earned_at
                .duration_since(now + RING_EARNED * (RINGS_MAX - 1));
        next.max(now + RING_GAP)
    }
}

impl Heads {
    /// The endpoint that is called so, at this WebSocket URL; nothing is sent yet.
    #[must_use]
    pub fn new(
        endpoint: String,
        url: SecretUrl,
        bell: Arc<Bell>,
        announced: Arc<Announced>,
        observer: Observer,
    ) -> Self {
        Self {
            endpoint,
            url,
            bell,
            announced,
            observer,
            silence: SILENCE,
            retry: RETRY,
            last: None,
            rings: Rings::new(),
        }
    }

    /// Listens until the daemon stops; connects again and again.
    pub async fn listen(mut self, shutdown: watch::Receiver<bool>) {
        until_stopped(Box::pin(self.go_on()), shutdown).await;
    }

    async fn go_on(&mut self) {
        let (mut was_there, mut wait) = (None, self.retry);
        loop {
            let subscribed = subscribe(&self.url).await;
            let is_news = was_there.replace(subscribed.is_ok()) != Some(subscribed.is_ok());
            let endpoint = self.endpoint.as_str();
            match subscribed {
                Ok(subscription) => {
                    if is_news {
                        info!(endpoint, "listening to newHeads");
                    }
                    wait = self.retry;
                    // What was announced before is lost.
                    self.bell.ring();
                    self.hear(subscription).await;
                    sleep(wait).await;
                }
                Err(error) => {
                    if is_news {
                        warn!(endpoint, %error, "no newHeads there: blocks are found by polling until there are");
                    } else {
                        debug!(endpoint, %error, "no newHeads yet");
                    }
                    sleep(wait).await;
                    wait = RETRY_MAX.min(wait * 2);
                }
            }
        }
    }

    /// Hears what comes until the connection ends, or until it seems to have.
    async fn hear(&mut self, mut subscription: Subscription) {
        let mut until = Instant::now() + self.silence;
        // When may be rung again, and whether that is waited for.
        let (mut quiet_until, mut is_new) = (Instant::now(), false);
        loop {
            let heard = select! {
                biased;
                () = sleep_until(quiet_until), if is_new => {
                    self.bell.ring();
                    (quiet_until, is_new) = (self.rings.ring(Instant::now()), false);
                    continue;
                }
                heard = timeout_at(until, subscription.next()) => heard,
            };
            match heard {
                Ok(Ok(Some(block))) => {
                    (self.observer)("notification");
                    if self.last.replace(block.hash) == Some(block.hash) {
                        continue;
                    }
                    until = Instant::now() + self.silence;
                    self.announced.say(block);
                    is_new = true;
                }
                Ok(Ok(None)) => (self.observer)("other"),
                Ok(Err(error)) => {
                    let endpoint = self.endpoint.as_str();
                    debug!(endpoint, %error, "the connection for newHeads ends");
                    return;
                }
                Err(_) => {
                    (self.observer)("silence");
                    return;
                }
            }
        }
    }
}

/// Whether an endpoint announces its blocks at this WebSocket URL.
///
/// # Errors
/// Why not, in words without secrets.
pub async fn probe(url: &SecretUrl) -> Result<(), String> {
    let subscribed = subscribe(url).await;
    subscribed.map(drop).map_err(|error| error.to_string())
}

async fn subscribe(url: &SecretUrl) -> Result<Subscription, Refused> {
    let subscribed = timeout(CONNECTING, Subscription::open(url)).await;
    subscribed.unwrap_or_else(|_| {
        let seconds = CONNECTING.as_secs();
        Err(Refused::here(url, &format!("no answer within {seconds} s")))
    })
}

#[cfg(test)]
mod tests;
