//! Releasing a chain that froze, as an operator decides with the daemon stopped.

use super::{Store, error::StoreError};
use crate::domain::{
    asset::ChainName,
    event::{Entry, EventKind},
    step::{ChainStep, Step},
    time::UnixMs,
    view::ChainView,
};

/// Why a chain was not released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The database knows no chain of that name.
    #[error("there is no chain {0} in the database")]
    Unknown(ChainName),
    /// There is nothing to release it from.
    #[error("chain {0} is not frozen")]
    NotFrozen(ChainName),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Lets a frozen chain follow its node again: the next start follows one change below
    /// finality. The journal keeps the note for good.
    ///
    /// # Errors
    /// When the chain is unknown or not frozen; nothing is changed then.
    pub fn release(
        &mut self,
        chain: &ChainName,
        note: &str,
        actor: &str,
        now: UnixMs,
    ) -> Result<(), ReleaseError> {
        let known = self.chain(chain)?;
        let known = known.ok_or_else(|| ReleaseError::Unknown(chain.clone()))?;
        if known.view.frozen.is_none() {
            return Err(ReleaseError::NotFrozen(chain.clone()));
        }
        let mut step = Step::new(now);
        step.entries.push(entry(chain, note, actor, now));
        step.chain = Some(ChainStep {
            view: ChainView {
                frozen: None,
                ..known.view
            },
            error: None,
            released: true,
            disconnected_to: None,
            connected: Vec::new(),
            scan: None,
        });
        self.commit(&step)?;
        Ok(())
    }
}

fn entry(chain: &ChainName, note: &str, actor: &str, now: UnixMs) -> Entry {
    Entry {
        payment: None,
        kind: EventKind::Attention,
        from: None,
        to: None,
        reason: None,
        data: serde_json::json!({
            "chain": chain, "released": true, "note": note, "actor": actor,
        }),
        occurred_at: now,
    }
}

#[cfg(test)]
mod tests;
