//! Touched and due payments through the domain, into a step.

use super::{Watcher, plan::Plan, touched::Touched};
use crate::{
    bugs::{Bug, planted},
    domain::{apply::apply, asset::ChainKind, time::UnixMs, view::ChainView},
    store::{Reached, StoreError},
};

/// Payments that fall due by themselves are judged in portions of this size, so that an input
/// that waits behind them is handled soon.
pub(super) const DUE_MAX: u32 = 500;

impl Watcher {
    /// Judges every touched payment under `view` and adds what changed to the plan's step.
    pub(super) fn judge(
        &self,
        view: &ChainView,
        mut touched: Touched,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        touched.keep_loaded(self.store.load(&touched.unloaded())?);
        for (payment, facts) in touched.into_payments() {
            plan.step
                .payments
                .extend(apply(&payment, &facts, view, plan.step.at));
        }
        // A full portion of which nothing changed would come again at once, for ever.
        plan.more_due &= !plan.step.payments.is_empty();
        Ok(())
    }

    /// Adds payments that reached a height or a time at which their judgement may change.
    pub(super) fn touch_due(
        &self,
        view: &ChainView,
        touched: &mut Touched,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        let agreed = if planted(Bug::QuorumIgnored) {
            view.scanned.map(|cursor| cursor.id.height)
        } else {
            view.agreed_height()
        };
        let Some(agreed) = agreed.filter(|_| gives_verdicts(view)) else {
            return Ok(());
        };
        let wall = Some(plan.step.at).filter(|_| planted(Bug::ExpireByWallClock));
        let reached = Reached {
            scanned: Some(agreed),
            safe: view.safe_height(),
            finalized: view.finalized,
            traced: view.traced,
        };
        let due = self.store.due(
            &view.name,
            reached,
            wall.unwrap_or(judged_until(view)),
            DUE_MAX,
        )?;
        plan.more_due = u32::try_from(due.len()).is_ok_and(|found| found >= DUE_MAX);
        for key in due {
            if !touched.contains(key) {
                touched.again(key);
            }
        }
        Ok(())
    }
}

/// Whether anything can fall due: while the chain gives no verdicts nothing changes by itself.
const fn gives_verdicts(view: &ChainView) -> bool {
    view.healthy && view.frozen.is_none()
}

/// Up to when deadlines can be judged: the last full poll began then, and on Ethereum the block that
/// is agreed on is that far too.
pub(super) fn judged_until(view: &ChainView) -> UnixMs {
    let polled = view.polled_at.unwrap_or(UnixMs(0));
    match view.kind {
        ChainKind::Bitcoin => polled,
        ChainKind::Ethereum => view.agreed.map_or(UnixMs(0), |head| head.time.min(polled)),
    }
}
