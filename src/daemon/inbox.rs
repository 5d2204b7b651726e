//! The inbox thread: reads requests and hands them over, one portion at a time. A gateway that
//! holds the file stops only this thread.

use super::{pace::Pace, thread::join, times};
use crate::{
    clock::Clock,
    config::Config,
    domain::step::InboxPosition,
    store::inbox::{Batch, InboxError, InboxReader},
    watcher::{Input, Requests, run::Message},
};
use anyhow::Context as _;
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{mpsc, oneshot, watch},
};

/// How often the inbox is looked at. A registration is answered from the next look on.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// A gateway writes for a moment, and many take turns; nobody needs the inbox for this long.
const LONG_BUSY_MS: u64 = 30_000;
const LONG_BUSY: &str = "the inbox cannot be read: somebody has held its lock for more than 30 s";

/// How long a stop waits for the thread: somebody who may write the inbox's directory can lay a
/// trap there in which a file operation never ends.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// The running thread.
pub(super) struct InboxThread {
    thread: JoinHandle<()>,
    ended: Receiver<()>,
}

impl InboxThread {
    fn start(run: impl FnOnce() + Send + 'static) -> anyhow::Result<Self> {
        let (alive, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("inbox".to_owned())
            .spawn(move || {
                // Dropped when the thread ends, however it ends.
                let _alive = alive;
                run();
            })
            .context("cannot start the inbox's thread")?;
        Ok(Self { thread, ended })
    }

    /// Waits for its end, but not for ever: what it reads is only believed once it is committed,
    /// so nothing is lost when the process ends before it. Says whether it ended.
    ///
    /// # Errors
    /// When it ended by a panic.
    pub(super) fn stop(self) -> anyhow::Result<bool> {
        self.stop_within(STOP_PATIENCE)
    }

    fn stop_within(self, patience: Duration) -> anyhow::Result<bool> {
        if self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the inbox's thread hangs; stopping without it");
            return Ok(false);
        }
        join(self.thread, "inbox").map(|()| true)
    }
}

/// What the thread is connected with.
pub(super) struct Wiring<'a> {
    pub(super) inputs: &'a mpsc::Sender<Message>,
    pub(super) runtime: &'a Runtime,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) pace: Pace,
    pub(super) stopping: watch::Receiver<bool>,
}

/// Starts the thread; it ends when the daemon stops.
pub(super) fn spawn(
    config: &Config,
    position: Option<InboxPosition>,
    wiring: Wiring<'_>,
) -> anyhow::Result<InboxThread> {
    let Wiring {
        inputs,
        runtime,
        clock,
        pace,
        stopping,
    } = wiring;
    let reader = InboxReader::new(&config.database.inbox)?;
    let look = Look {
        reader,
        position,
        trouble: None,
        busy_since_ms: None,
        inputs: inputs.downgrade(),
        runtime: runtime.handle().clone(),
        clock: Arc::clone(clock),
        pause: pace.of(LOOK_EVERY),
        stopping,
    };
    InboxThread::start(move || look.run())
}

struct Look {
    reader: InboxReader,
    position: Option<InboxPosition>,
    trouble: Option<String>,
    busy_since_ms: Option<u64>,
    /// Weak: the watcher ends when all senders are gone, and must not wait for this thread.
    inputs: mpsc::WeakSender<Message>,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    pause: Duration,
    stopping: watch::Receiver<bool>,
}

impl Look {
    fn run(mut self) {
        while !*self.stopping.borrow() {
            let more = match self.reader.read(self.position.as_ref()) {
                Ok(batch) => self.hand_over(batch),
                Err(error) => self.complain(&error),
            };
            match more {
                Some(true) => {}
                Some(false) => self.rest(),
                None => return,
            }
        }
    }

    /// Waits until the requests are committed; `Some(true)` when there may be more at once, and
    /// `None` when nobody listens any more.
    fn hand_over(&mut self, batch: Batch) -> Option<bool> {
        self.busy_since_ms = None;
        self.set_trouble(None)?;
        let Some(last) = batch.requests.last().map(|request| request.seq) else {
            return Some(false);
        };
        crate::crash::point("inbox_read");
        let inbox_id = batch.inbox_id.clone();
        let requests = Requests {
            inbox_id: batch.inbox_id,
            rows: times::of_clock(batch.requests, self.clock.as_ref()),
        };
        let (done, committed) = oneshot::channel();
        let message = Message {
            input: Input::Requests(requests),
            done: Some(done),
        };
        self.send(message)?;
        committed.blocking_recv().ok()?;
        self.position = Some(InboxPosition {
            inbox_id,
            seq: last,
        });
        Some(true)
    }

    fn complain(&mut self, error: &InboxError) -> Option<bool> {
        match error {
            InboxError::Busy => {
                let now_ms = self.clock.now().monotonic_ms;
                let since_ms = *self.busy_since_ms.get_or_insert(now_ms);
                if now_ms.saturating_sub(since_ms) > LONG_BUSY_MS {
                    self.set_trouble(Some(LONG_BUSY.to_owned()))?;
                }
            }
            InboxError::NotReadable(_) => {
                self.busy_since_ms = None;
                self.set_trouble(Some(error.to_string()))?;
            }
        }
        Some(false)
    }

    fn set_trouble(&mut self, trouble: Option<String>) -> Option<()> {
        if self.trouble == trouble {
            return Some(());
        }
        if let Some(text) = &trouble {
            tracing::warn!(problem = text.as_str(), "requests wait");
        }
        self.trouble.clone_from(&trouble);
        let message = Message {
            input: Input::InboxTrouble(trouble),
            done: None,
        };
        self.send(message)
    }

    fn send(&self, message: Message) -> Option<()> {
        self.inputs.upgrade()?.blocking_send(message).ok()
    }

    fn rest(&mut self) {
        let stopped = async {
            let wait = self.stopping.wait_for(|stopping| *stopping);
            drop(tokio::time::timeout(self.pause, wait).await);
        };
        self.runtime.block_on(stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Now, domain::time::UnixMs};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_stop_waits_for_the_thread_but_not_for_ever() {
        let ends = InboxThread::start(|| {}).unwrap();
        assert!(ends.stop().unwrap());
        let (release, held) = channel::<()>();
        let hangs = InboxThread::start(move || held.recv().unwrap_or_default()).unwrap();
        assert!(!hangs.stop_within(Duration::from_millis(50)).unwrap());
        drop(release);
        let panics = InboxThread::start(|| std::panic::resume_unwind(Box::new(()))).unwrap();
        panics.stop().expect_err("a panic is told");
    }

    #[derive(Debug, Default)]
    struct HandClock(AtomicU64);

    impl Clock for HandClock {
        fn now(&self) -> Now {
            Now {
                wall: UnixMs(0),
                monotonic_ms: self.0.load(Ordering::Relaxed),
            }
        }
    }

    fn look(inputs: &mpsc::Sender<Message>, runtime: &Runtime, clock: &Arc<HandClock>) -> Look {
        Look {
            reader: InboxReader::new("nowhere").unwrap(),
            position: None,
            trouble: None,
            busy_since_ms: None,
            inputs: inputs.downgrade(),
            runtime: runtime.handle().clone(),
            clock: Arc::<HandClock>::clone(clock),
            pause: LOOK_EVERY,
            stopping: watch::channel(false).1,
        }
    }

    #[test]
    fn the_watcher_does_not_wait_for_a_thread_that_hangs() {
        let runtime = super::super::running::runtime().unwrap();
        let (inputs, mut received) = mpsc::channel::<Message>(1);
        let look = look(&inputs, &runtime, &Arc::default());
        drop(inputs);
        assert!(received.blocking_recv().is_none());
        drop(look);
    }

    #[test]
    fn a_lock_that_is_held_for_long_is_told_once_and_taken_back() {
        let runtime = super::super::running::runtime().unwrap();
        let (inputs, mut received) = mpsc::channel::<Message>(8);
        let clock = Arc::new(HandClock::default());
        let mut look = look(&inputs, &runtime, &clock);
        let mut told = || match received.try_recv().map(|message| message.input) {
            Ok(Input::InboxTrouble(trouble)) => Some(trouble),
            _ => None,
        };
        let nothing_new = || {
            Ok(Batch {
                inbox_id: "a".to_owned(),
                requests: Vec::new(),
            })
        };
        let lost = || Err(InboxError::NotReadable("gone".to_owned()));
        let (held, gone) = (LONG_BUSY.to_owned(), lost().unwrap_err().to_string());
        for (at_ms, read, wanted) in [
            (0, Err(InboxError::Busy), None),
            (30_000, Err(InboxError::Busy), None),
            (30_150, nothing_new(), None),
            (30_300, Err(InboxError::Busy), None),
            (60_300, Err(InboxError::Busy), None),
            (60_301, Err(InboxError::Busy), Some(Some(held.clone()))),
            (90_000, Err(InboxError::Busy), None),
            (90_150, nothing_new(), Some(None)),
            (90_300, Err(InboxError::Busy), None),
            (130_000, lost(), Some(Some(gone.clone()))),
            (130_150, Err(InboxError::Busy), None),
            (160_151, Err(InboxError::Busy), Some(Some(held.clone()))),
        ] {
            clock.0.store(at_ms, Ordering::Relaxed);
            let more = match read {
                Ok(batch) => look.hand_over(batch),
                Err(error) => look.complain(&error),
            };
            assert_eq!(more, Some(false), "{at_ms}");
            assert_eq!(told(), wanted, "{at_ms}");
        }
    }
}
