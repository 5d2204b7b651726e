//! The thread around the watcher: takes inputs in order and does not let go of one before it is
//! committed.

use super::{Input, Watcher};
use crate::{
    chain::Ask, clock::Clock, domain::asset::ChainName, health::Health, store::StoreError,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How long to wait before a failed commit is tried again; a full disk does not empty faster.
const RETRY: Duration = Duration::from_millis(500);

/// A tick is due after this long, however many inputs come.
const TICK_MS: u64 = 1000;

/// An input, and who wants to know that it is committed.
#[derive(Debug)]
pub struct Message {
    /// The input.
    pub input: Input,
    /// Told once the input is committed.
    pub done: Option<oneshot::Sender<()>>,
}

/// Where inputs come from and asks go to.
#[derive(Debug)]
pub struct Channels {
    /// Inputs; the watcher ends when all senders are gone.
    pub inputs: mpsc::Receiver<Message>,
    /// Each chain's follower.
    pub asks: Vec<(ChainName, mpsc::Sender<Ask>)>,
}

/// Handles inputs until all senders are gone, then returns the watcher to be closed.
///
/// A commit that fails for lack of room or behind a lock is said once and tried again for as long
/// as it takes: nothing is skipped, and a stop meanwhile loses nothing that was committed.
///
/// # Errors
/// When going on could make it worse: the disk failed, the file is damaged, or the database
/// refused a step as contradicting what it holds. The process must end and open it again.
pub fn run(
    mut watcher: Watcher,
    mut channels: Channels,
    clock: &Arc<dyn Clock>,
    health: &Health,
    stopping: &dyn Fn() -> bool,
) -> Result<Watcher, StoreError> {
    let mut ticked_ms = 0;
    while let Some(message) = next(&watcher, &mut channels.inputs) {
        let mut failed: Option<String> = None;
        while let Err(error) = watcher.handle(&message.input) {
            if !error.is_transient() {
                return Err(error);
            }
            say_once(&mut failed, &error, health);
            health.update(|state| state.watcher_ticked_ms = clock.now().monotonic_ms);
            if stopping() {
                return Ok(watcher);
            }
            std::thread::sleep(RETRY);
        }
        if failed.is_some() {
            tracing::info!("the database can be written again");
            health.update(|state| state.database = None);
        }
        health.update(|state| state.watcher_ticked_ms = clock.now().monotonic_ms);
        if let Some(done) = message.done {
            // Whoever asked may have stopped meanwhile; the input is committed either way.
            let _: Result<(), ()> = done.send(());
        }
        send_asks(&mut watcher, &channels.asks);
        ticked_ms = tick_if_due(&mut watcher, clock, ticked_ms);
    }
    Ok(watcher)
}

/// The next message; a tick when nothing waits and more payments are due.
fn next(watcher: &Watcher, inputs: &mut mpsc::Receiver<Message>) -> Option<Message> {
    if watcher.has_more_due() {
        match inputs.try_recv() {
            Ok(message) => return Some(message),
            Err(mpsc::error::TryRecvError::Empty) => {
                return Some(Message {
                    input: Input::Tick,
                    done: None,
                });
            }
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
        }
    }
    inputs.blocking_recv()
}

fn say_once(failed: &mut Option<String>, error: &StoreError, health: &Health) {
    let text = error.to_string();
    if failed.as_ref() != Some(&text) {
        tracing::error!(
            error = text.as_str(),
            "cannot commit; trying again until it works"
        );
        health.update(|state| state.database = Some(text.clone()));
        *failed = Some(text);
    }
}

/// Ticks between inputs that leave no pause: a catch-up of hours must not stop the clock.
fn tick_if_due(watcher: &mut Watcher, clock: &Arc<dyn Clock>, ticked_ms: u64) -> u64 {
    let now_ms = clock.now().monotonic_ms;
    if now_ms.saturating_sub(ticked_ms) < TICK_MS {
        return ticked_ms;
    }
    if let Err(error) = watcher.handle(&Input::Tick) {
        tracing::warn!(error = error.to_string(), "a tick was left out");
    }
    now_ms
}

/// Hands asks to followers; one whose queue is full gets its ask after the next input.
pub fn send_asks(watcher: &mut Watcher, followers: &[(ChainName, mpsc::Sender<Ask>)]) {
    for (chain, follower) in followers {
        while let Some(ask) = watcher.next_ask(chain) {
            if let Err(mpsc::error::TrySendError::Full(ask)) = follower.try_send(ask) {
                watcher.retry_ask(chain, ask);
                break;
            }
        }
    }
}
