//! What pushes of a node ring. A bell says when to ask, never what is true.

use std::sync::Arc;
use tokio::{
    select,
    sync::{Notify, watch},
};

/// Told of everything that is heard of a node that pushes: a `notification`, a `gap` before it, a `silence`,
/// or `other`, which is no notification that we know.
pub type Observer = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Listens for ever, until the daemon stops.
pub async fn until_stopped(
    listening: impl Future<Output = ()>,
    mut shutdown: watch::Receiver<bool>,
) {
    select! {
        biased;
        // Its end means the same as its word.
        _ = shutdown.wait_for(|stopping| *stopping) => {}
        () = listening => {}
    }
}

/// Rung by whoever listens to a node, heard by the follower's loop.
#[derive(Debug, Default)]
pub struct Bell {
    chain: Notify,
    transactions: Notify,
}

impl Bell {
    /// The best chain may have changed, or something was missed: everything is polled.
    pub fn ring(&self) {
        self.chain.notify_one();
    }

    /// The source can name unconfirmed transactions that may be new.
    pub fn ring_for_transactions(&self) {
        self.transactions.notify_one();
    }

    /// Waits for [`Self::ring`]; one that was not waited for counts.
    pub async fn rung(&self) {
        self.chain.notified().await;
    }

    /// Waits for [`Self::ring_for_transactions`]; one that was not waited for counts.
    pub async fn rung_for_transactions(&self) {
        self.transactions.notified().await;
    }
}
