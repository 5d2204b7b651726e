//! The inbox thread: reads requests and hands them over, one portion at a time. A gateway that
//! holds the file stops only this thread.

use crate::{
    config::Config,
    domain::step::InboxPosition,
    store::inbox::{Batch, InboxError, InboxReader},
    watcher::{Input, Requests, run::Message},
};
use anyhow::Context as _;
use std::{thread::JoinHandle, time::Duration};
use tokio::{
    runtime::{Handle, Runtime},
    sync::{mpsc, oneshot, watch},
};

/// How often the inbox is looked at. A registration is answered from the next look on.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Starts the thread; it ends when the daemon stops.
pub(super) fn spawn(
    config: &Config,
    position: Option<InboxPosition>,
    inputs: &mpsc::Sender<Message>,
    runtime: &Runtime,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let reader = InboxReader::new(&config.database.inbox)?;
    let look = Look {
        reader,
        position,
        trouble: None,
        inputs: inputs.clone(),
        runtime: runtime.handle().clone(),
        stopping,
    };
    std::thread::Builder::new()
        .name("inbox".to_owned())
        .spawn(move || look.run())
        .context("cannot start the inbox's thread")
}

struct Look {
    reader: InboxReader,
    position: Option<InboxPosition>,
    trouble: Option<String>,
    inputs: mpsc::Sender<Message>,
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
        self.inputs.blocking_send(message).ok()?;
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
        self.inputs.blocking_send(message).ok()
    }

    fn rest(&mut self) {
        let stopped = async {
            let wait = self.stopping.wait_for(|stopping| *stopping);
            drop(tokio::time::timeout(LOOK_EVERY, wait).await);
        };
        self.runtime.block_on(stopped);
    }
}
