//! What a payment waits for, in sentences.

use super::Case;
use crate::{
    cli::time::readable,
    domain::{
        assess::gate::{Wait, just_after},
        block::Height,
        status::Status,
        time::UnixMs,
        view::FreezeReason,
    },
};

impl Case<'_> {
    /// Nothing where the sentence about the watch says it.
    pub(super) fn wait(&self, wait: Wait) -> Option<String> {
        match wait {
            Wait::Review => Some(self.held()),
            Wait::Scan => Some(self.scan()),
            Wait::Health => Some(format!(
                "The node of {} was not healthy when last heard of: until it is, no verdict is \
                 given.",
                self.payment.chain
            )),
            Wait::Thaw => Some(self.frozen()),
            Wait::Agreement(height) => Some(format!(
                "It waits until enough operators hold our block {height}, which buries its money."
            )),
            Wait::Traces(height) => Some(format!(
                "It waits until it is known what contracts moved up to block {height}."
            )),
            Wait::Witness => Some(
                "A contract moved money to it, as one operator or its balance alone says; nothing \
                 rests on that until another says so too, or a person accepts it."
                    .to_owned(),
            ),
            Wait::Balance => Some(
                "It waits until the balance of its address is looked at: nobody can tell what \
                 contracts move."
                    .to_owned(),
            ),
            Wait::Poll(at) => self.poll(at),
            Wait::Cursor(height) => Some(format!(
                "It is judged again at block {height}, {} from now.",
                self.blocks_to(height)
            )),
            Wait::Safe(height) => Some(called("safe", height, self.view.safe_height())),
            Wait::Final(height) if self.payment.judged.status != Status::Paid => {
                Some(called("final", height, self.view.finalized))
            }
            Wait::Final(height) => Some(format!("It becomes final once block {height} is final.")),
        }
    }

    fn held(&self) -> String {
        let what = self.payment.history.held.as_ref().map_or_else(
            || "The database refused a change of it".to_owned(),
            |hold| {
                let (at, status) = (readable(hold.at.0), hold.status);
                let problem = &hold.problem;
                format!("At {at} the database refused to make it {status} ({problem:?})")
            },
        );
        format!(
            "{what}: something that came may be missing here, and no verdict is given until a \
             person looks and acknowledges it."
        )
    }

    fn scan(&self) -> String {
        let id = &self.payment.id;
        self.payment.scan_refusal().map_or_else(
            || {
                "Past blocks are still being scanned for it; until then there is no verdict."
                    .to_owned()
            },
            |why| {
                format!(
                    "Past blocks cannot be scanned for it, so there is no verdict: {why}. It is \
                     tried again from time to time; `confirmd payment rescan {id}` names another \
                     start."
                )
            },
        )
    }

    fn frozen(&self) -> String {
        let why = match self.view.frozen {
            Some(FreezeReason::BelowFinality) => "its node contradicts a block that was final",
            Some(FreezeReason::Released) => {
                "an operator released it and the daemon has not gone on yet"
            }
            Some(FreezeReason::Quorum) => "too few endpoints agree on its blocks",
            None => "it was so when this was read",
        };
        let chain = &self.payment.chain;
        format!("{chain} is frozen, because {why}: no payment may rise.")
    }

    fn poll(&self, at: UnixMs) -> Option<String> {
        let is_end_of_watch = self.payment.judged.watch_until_at.map(just_after) == Some(at);
        if is_end_of_watch {
            return None;
        }
        let shown = readable(at.0);
        Some(match self.payment.judged.status {
            Status::New => format!(
                "If nothing more comes, its deadline is judged by the first full look at the \
                 node after {shown}."
            ),
            Status::Pending => {
                format!("If its transaction is in no block by {shown}, it becomes invalid.")
            }
            Status::Confirming
            | Status::Paid
            | Status::Invalid
            | Status::Expired
            | Status::Canceled
            | Status::Refunded => format!("It is judged again at {shown}."),
        })
    }

    fn blocks_to(&self, height: Height) -> String {
        let cursor = self
            .view
            .scanned
            .map_or(Height(0), |cursor| cursor.id.height);
        match height.0.saturating_sub(cursor.0) {
            1 => "1 block".to_owned(),
            blocks => format!("{blocks} blocks"),
        }
    }
}

fn called(what: &str, height: Height, now: Option<Height>) -> String {
    let now = now.unwrap_or_default();
    format!("It is judged again once block {height} is {what}; {now} is so far.")
}
