//! Ticks, signals and systemd: the daemon's relation to time and to its supervisor.

use super::{pace::Pace, reload::Reload};
use crate::{
    clock::Clock,
    health::Health,
    watcher::{Input, run::Message},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
};

/// How often the watcher is told that time passed.
const TICK: Duration = Duration::from_millis(500);
/// The watcher is stuck when it has finished nothing for this long. Commits that fail are
/// retried and tick; an unreachable node never gets here.
const STUCK_AFTER_MS: u64 = 30_000;

/// Starts the ticks.
pub(super) fn spawn_ticks(
    runtime: &Runtime,
    inputs: mpsc::Sender<Message>,
    pace: Pace,
    stopping: watch::Receiver<bool>,
) {
    runtime.spawn(tick(inputs, pace.of(TICK), stopping));
}

/// Starts the watchdog, if the service manager wants one.
pub(super) fn spawn_watchdog(
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
    health: &Health,
    stopping: watch::Receiver<bool>,
) {
    if let Some(timeout) = sd_notify::watchdog_enabled() {
        runtime.spawn(watchdog(
            timeout / 3,
            Arc::clone(clock),
            health.clone(),
            stopping,
        ));
    }
}

async fn tick(inputs: mpsc::Sender<Message>, every: Duration, mut stopping: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(every);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopping.changed() => return,
        }
        let message = Message {
            input: Input::Tick,
            done: None,
        };
        if matches!(
            inputs.try_send(message),
            Err(mpsc::error::TrySendError::Closed(_))
        ) {
            return;
        }
    }
}

async fn watchdog(
    every: Duration,
    clock: Arc<dyn Clock>,
    health: Health,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopping.changed() => return,
        }
        let idle_ms = clock
            .now()
            .monotonic_ms
            .saturating_sub(health.read().watcher_ticked_ms);
        if idle_ms < STUCK_AFTER_MS {
            notify(&[sd_notify::NotifyState::Watchdog]);
        } else {
            tracing::error!(idle_ms, "the watcher is stuck");
        }
    }
}

/// The signals that an operator sends.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on these signals end nothing by themselves. Must run inside the runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Returns at SIGTERM or SIGINT; reloads at SIGHUP.
pub(super) async fn wait_for_stop(signals: Signals, mut reload: Reload) {
    let Signals {
        mut terminate,
        mut interrupt,
        mut hangup,
    } = signals;
    let reloads = async {
        loop {
            next(&mut hangup).await;
            reload.run().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reloads => {}
    }
}

async fn next(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Tells systemd that the daemon serves; nodes are not waited for.
pub(super) fn ready() {
    notify(&[sd_notify::NotifyState::Ready]);
}

/// Tells systemd that the daemon ends on purpose.
pub(super) fn stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
