//! Listening to a bitcoind's ZMQ publisher, which is a doorbell: it says when to ask, and what to
//! ask for first. Polling goes on without it at its own pace, and nothing that it says is believed.

use super::{
    notice::{self, News, Notice, Topic},
    zmtp::Subscriber,
};
use crate::{
    chain::follower::{Bell, Observer, until_stopped},
    domain::block::TxId,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info, warn};

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// After this time a publisher has taken note of what we subscribe to.
const SETTLING: Duration = Duration::from_secs(1);

/// A node that publishes has something to say within this time, also where blocks come seldom. A
/// connection that died without a word is not told from silence, so it is made anew.
const SILENCE: Duration = Duration::from_mins(10);

/// Gaps ring no more often than this.
const GAP_RINGS: Duration = Duration::from_secs(1);

/// As many named transactions are kept; what is beyond comes with the next list.
pub const NAMED_MAX: usize = 10_000;

/// Transactions that a publisher named and nobody asked the node for yet.
#[derive(Debug, Default)]
pub struct Named(Mutex<Vec<TxId>>);

impl Named {
    pub(crate) fn add(&self, txid: TxId) {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED_MAX {
            named.push(txid);
        }
    }

    /// Takes those that were named first, so many at most.
    pub(super) fn take(&self, most: usize) -> Vec<TxId> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = named.len().min(most);
        named.drain(..taken).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.is_empty()
    }
}

/// A publisher that is listened to.
pub struct Publisher {
    address: String,
    bell: Arc<Bell>,
    named: Arc<Named>,
    observer: Observer,
    silence: Duration,
    /// The last number of each topic.
    numbers: BTreeMap<Topic, u32>,
    rung_for_gap: Option<Instant>,
}

impl Publisher {
    /// The publisher at this address; nothing is sent yet.
    #[must_use]
    pub fn new(address: String, bell: Arc<Bell>, named: Arc<Named>, observer: Observer) -> Self {
        Self {
            address,
            bell,
            named,
            observer,
            silence: SILENCE,
            numbers: BTreeMap::new(),
            rung_for_gap: None,
        }
    }

    /// Listens until the daemon stops; connects again and again.
    pub async fn listen(mut self, shutdown: watch::Receiver<bool>) {
        until_stopped(self.go_on(), shutdown).await;
    }

    async fn go_on(&mut self) {
        let mut was_there = None;
        loop {
            let connected = self.connect().await;
            let is_news = was_there.replace(connected.is_ok()) != Some(connected.is_ok());
            match connected {
                Ok(subscriber) => {
                    if is_news {
                        info!(address = self.address, "listening to the ZMQ publisher");
                    }
                    // What was published before is lost, and so is what is published before the
                    // subscriptions have effect.
                    self.bell.ring();
                    let bell = Arc::clone(&self.bell);
                    let again = async move {
                        sleep(SETTLING).await;
                        bell.ring();
                    };
                    tokio::join!(self.hear(subscriber), again);
                }
                Err(error) if is_news => {
                    warn!(address = self.address, %error, "no ZMQ publisher there: news is found by polling until there is; does bitcoin.conf say zmqpubhashblock= and zmqpubsequence= with this address?");
                }
                Err(error) => debug!(%error, "no ZMQ publisher yet"),
            }
            sleep(RETRY).await;
        }
    }

    async fn connect(&self) -> io::Result<Subscriber> {
        let at = self.address.strip_prefix("tcp://").unwrap_or_default();
        let topics = Topic::ALL.map(Topic::as_str);
        let too_long = |_| Err(io::ErrorKind::TimedOut.into());
        timeout(CONNECTING, Subscriber::connect(at, &topics))
            .await
            .unwrap_or_else(too_long)
    }

    /// Hears what comes until the connection ends, or until it seems to have.
    async fn hear(&mut self, mut subscriber: Subscriber) {
        loop {
            match timeout(self.silence, subscriber.message()).await {
                Ok(Ok(frames)) => self.take(&frames),
                Ok(Err(error)) => {
                    debug!(%error, "the ZMQ publisher's connection ends");
                    return;
                }
                Err(_) => {
                    (self.observer)("silence");
                    return;
                }
            }
        }
    }

    /// Takes what was heard, whoever said it and however it came.
    pub fn take(&mut self, frames: &[Vec<u8>]) {
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let Some(notice) = notice::read(&frames) else {
            (self.observer)("other");
            return;
        };
        (self.observer)("notification");
        if self.lost_some(&notice) {
            (self.observer)("gap");
            self.ring_for_gap();
        }
        match notice.news {
            News::Chain => self.bell.ring(),
            News::Arrived(txid) => {
                self.named.add(txid);
                self.bell.ring_for_transactions();
            }
            News::Nothing => {}
        }
    }

    /// Two nodes behind one port would lose some before every other one.
    fn ring_for_gap(&mut self) {
        let now = Instant::now();
        if self.rung_for_gap.is_none_or(|at| now - at >= GAP_RINGS) {
            self.rung_for_gap = Some(now);
            self.bell.ring();
        }
    }

    /// Whether notifications of its topic were lost before this one.
    fn lost_some(&mut self, notice: &Notice) -> bool {
        let last = self.numbers.insert(notice.topic, notice.number);
        last.is_some_and(|last| notice.number != last.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests;
