//! Waiting for the daemon's own threads.

use std::thread::JoinHandle;

/// What a thread ended with; its panic is an error.
pub(super) fn join<T>(thread: JoinHandle<T>, name: &str) -> anyhow::Result<T> {
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the {name} thread ended by a panic"))
}
