//! The inbox thread: reads requests and hands them over, one portion at a time. A gateway that
//! holds the file stops only this thread.

use crate::{
    config::Config,
    domain::step::InboxPosition,
    store::inbox::{Batch, InboxError, InboxReader},
    watcher::{Input, Requests, run::Message},
};
use anyhow::Context as _;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{mpsc, oneshot, watch},
};

/// How often the inbox is looked at. A registration is answered from the next look on.
const LOOK_EVERY: Duration = Duration::from_millis(150);

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
        super::join(self.thread, "inbox").map(|()| true)
    }
}

/// Starts the thread; it ends when the daemon stops.
pub(super) fn spawn(
    config: &Config,
    position: Option<InboxPosition>,
    inputs: &mpsc::Sender<Message>,
    runtime: &Runtime,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<InboxThread> {
    let reader = InboxReader::new(&config.database.inbox)?;
    let look = Look {
        reader,
        position,
        trouble: None,
        inputs: inputs.downgrade(),
        runtime: runtime.handle().clone(),
        stopping,
    };
    InboxThread::start(move || look.run())
}

struct Look {
    reader: InboxReader,
    position: Option<InboxPosition>,
    trouble: Option<String>,
    /// Weak: the watcher ends when all senders are gone, and must not wait for this thread.
    inputs: mpsc::WeakSender<Message>,
    runtime: Handle,
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
        self.set_trouble(None)?;
        let Some(last) = batch.requests.last().map(|request| request.seq) else {
            return Some(false);
        };
        crate::crash::point("inbox_read");
        let inbox_id = batch.inbox_id.clone();
        let requests = Requests {
            inbox_id: batch.inbox_id,
            rows: batch.requests,
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
            // A gateway writes for a moment; a look that finds it so is not worth a word.
            InboxError::Busy => {}
            InboxError::NotReadable(_) => self.set_trouble(Some(error.to_string()))?,
        }
        Some(false)
    }

    fn set_trouble(&mut self, trouble: Option<String>) -> Option<()> {
        if self.trouble == trouble {
            return Some(());
        }
        if let Some(text) = &trouble {
            tracing::warn!(problem = %text, "requests wait");
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
            drop(tokio::time::timeout(LOOK_EVERY, wait).await);
        };
        self.runtime.block_on(stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_watcher_does_not_wait_for_a_thread_that_hangs() {
        let runtime = super::super::runtime().unwrap();
        let (inputs, mut received) = mpsc::channel::<Message>(1);
        let (_stop, stopping) = watch::channel(false);
        let look = Look {
            reader: InboxReader::new("nowhere").unwrap(),
            position: None,
            trouble: None,
            inputs: inputs.downgrade(),
            runtime: runtime.handle().clone(),
            stopping,
        };
        drop(inputs);
        assert!(received.blocking_recv().is_none());
        drop(look);
    }
}
