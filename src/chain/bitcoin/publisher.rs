//! Listening to a bitcoind's ZMQ publisher, which is a doorbell: it says when to ask, and what to
//! ask for first. Polling goes on without it at its own pace, and nothing that it says is believed.

use super::notice::{self, News, Notice, Topic};
use crate::{chain::follower::Bell, domain::block::TxId};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    select,
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};
use zeromq::{Socket as _, SocketRecv as _, SubSocket, ZmqError, ZmqMessage};

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A node that publishes has something to say within this time, also where blocks come seldom. A
/// connection that died without a word is not told from silence, so it is made anew.
const SILENCE: Duration = Duration::from_mins(10);

/// As many named transactions are kept; what is beyond comes with the next list.
const NAMED_MAX: usize = 10_000;

/// Transactions that a publisher named and nobody asked the node for yet.
#[derive(Debug, Default)]
pub struct Named(Mutex<Vec<TxId>>);

impl Named {
    pub(super) fn add(&self, txid: TxId) {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED_MAX {
            named.push(txid);
        }
    }

    pub(super) fn take(&self) -> Vec<TxId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Told of everything that is heard: a `notification`, a `gap` before it, or a `silence`.
pub type Observer = Arc<dyn Fn(&'static str) + Send + Sync>;

/// A publisher that is listened to.
pub struct Publisher {
    address: String,
    bell: Arc<Bell>,
    named: Arc<Named>,
    observer: Observer,
    silence: Duration,
    /// The last number of each topic.
    numbers: BTreeMap<Topic, u32>,
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
        }
    }

    /// Listens until the daemon stops; connects again and again.
    pub async fn listen(mut self, mut shutdown: watch::Receiver<bool>) {
        select! {
            biased;
            // Its end means the same as its word.
            _ = shutdown.wait_for(|stopping| *stopping) => {}
            () = self.go_on() => {}
        }
    }

    async fn go_on(&mut self) {
        let mut is_told = false;
        loop {
            match self.connect().await {
                Ok(socket) => {
                    info!(address = self.address, "listening to the ZMQ publisher");
                    is_told = false;
                    // What was published before is lost.
                    self.bell.ring();
                    self.hear(socket).await;
                }
                Err(error) if is_told => debug!(%error, "no ZMQ publisher yet"),
                Err(error) => {
                    warn!(address = self.address, %error, "no ZMQ publisher there: news is found by polling until there is; does bitcoin.conf say zmqpubhashblock= and zmqpubsequence= with this address?");
                    is_told = true;
                }
            }
            sleep(RETRY).await;
        }
    }

    async fn connect(&self) -> Result<SubSocket, ZmqError> {
        let connecting = async {
            let mut socket = SubSocket::new();
            for topic in Topic::ALL {
                socket.subscribe(topic.as_str()).await?;
            }
            socket.connect(&self.address).await?;
            Ok(socket)
        };
        let too_long = |_| Err(ZmqError::ConnectTimeout(CONNECTING));
        timeout(CONNECTING, connecting)
            .await
            .unwrap_or_else(too_long)
    }

    /// Hears what comes until the connection ends, or until it seems to have.
    async fn hear(&mut self, mut socket: SubSocket) {
        loop {
            match timeout(self.silence, socket.recv()).await {
                Ok(Ok(message)) => self.take(&message),
                Ok(Err(error)) => {
                    debug!(%error, "the ZMQ publisher's connection ends");
                    return;
                }
                Err(_) => {
                    (self.observer)("silence");
                    self.bell.ring();
                    return;
                }
            }
        }
    }

    fn take(&mut self, message: &ZmqMessage) {
        let frames: Vec<&[u8]> = message.iter().map(AsRef::as_ref).collect();
        let Some(notice) = notice::read(&frames) else {
            return;
        };
        (self.observer)("notification");
        if self.lost_some(&notice) {
            (self.observer)("gap");
            self.bell.ring();
        }
        match notice.news {
            News::Chain => self.bell.ring(),
            // Every transaction of a block comes as `rawtx` too, while `sequence` tells them apart.
            News::Arrived(_) if notice.topic == Topic::RawTx && self.has_sequence() => {}
            News::Arrived(txid) => {
                self.named.add(txid);
                self.bell.ring_for_transactions();
            }
            News::Nothing => {}
        }
    }

    /// Whether notifications of its topic were lost before this one.
    fn lost_some(&mut self, notice: &Notice) -> bool {
        let last = self.numbers.insert(notice.topic, notice.number);
        last.is_some_and(|last| notice.number != last.wrapping_add(1))
    }

    fn has_sequence(&self) -> bool {
        self.numbers.contains_key(&Topic::Sequence)
    }
}

#[cfg(test)]
mod tests;
