//! Why a person should look at a payment, in sentences.

use super::Case;
use crate::domain::{
    assess::cause::{About, Cause},
    snapshot::txid_text,
    status::Reason,
    token::TokenAct,
};

impl Case<'_> {
    /// The causes, one sentence each, and what a person can do then.
    pub(super) fn review(&self, causes: &[Cause]) -> Vec<String> {
        if !self.payment.judged.needs_review {
            return Vec::new();
        }
        let causes = causes.iter().map(|cause| self.cause(*cause));
        let mut sentences: Vec<_> = causes
            .map(|cause| format!("A person should look: {cause}."))
            .collect();
        let id = &self.payment.id;
        sentences.push(format!(
            "A person who has looked says so with `confirmd payment ack {id} --note …`; accept, \
             reject or refunded settles it."
        ));
        sentences
    }

    fn cause(&self, cause: Cause) -> String {
        match cause {
            Cause::Reversal(1) => "it was paid, and that was withdrawn".to_owned(),
            Cause::Reversal(count) => {
                format!("it was paid, and that was withdrawn {count} times")
            }
            Cause::Held(_) => "the database refused a change of it".to_owned(),
            Cause::ScanRefused(_) => {
                "money may stand in past blocks that cannot be scanned".to_owned()
            }
            Cause::Untraced => {
                "it expired, and what contracts moved is not known of every block that \
                 may hold its money"
                    .to_owned()
            }
            Cause::Impossible(status) => format!(
                "what came calls for {status}, and no step leads there from {}",
                self.payment.judged.status
            ),
            Cause::Invalid(reason) => format!("it is invalid, because {}", because(reason)),
            Cause::Token(act, txid) => {
                let txid = txid_text(self.payment.kind, txid);
                format!("transaction {txid} {}", done_by(act))
            }
            Cause::Money(about, txid) if !txid.exists() => {
                format!("money without a known transaction {}", said_of(about))
            }
            Cause::Money(about, txid) => {
                let txid = txid_text(self.payment.kind, txid);
                format!("transaction {txid} {}", said_of(about))
            }
        }
    }
}

/// What a transaction did by which a token's contract deprives the address of its money.
const fn done_by(act: TokenAct) -> &'static str {
    match act {
        TokenAct::Blacklisted => {
            "put the address on a token's blacklist: what it holds of it cannot be moved"
        }
        TokenAct::FundsDestroyed => "destroyed what the address held of a token",
        TokenAct::Paused
        | TokenAct::Unpaused
        | TokenAct::FeeChanged
        | TokenAct::Deprecated
        | TokenAct::Upgraded
        | TokenAct::Unblacklisted => "changed a token's rules",
    }
}

const fn said_of(about: About) -> &'static str {
    match about {
        About::WrongAsset => "is of another asset",
        About::AfterCancel => "came after the payment was withdrawn",
        About::Late => "came after the deadline",
        About::Surplus => "came beside what was asked for",
        About::Invalid => "came to a payment that is not paid by it",
        About::Lost => "paid it for good and has left the chain all the same",
        About::AfterRefund => "came after the money was returned",
        About::Excess => "brings more than was asked for",
        About::ExcessSum => "brings the sum above what was asked for",
        About::Grown => "came by which only the balance grew: accept it if it is the payer's",
        About::Doubted => {
            "is what one operator alone says that a contract paid, and the balance did not grow by it"
        }
    }
}

const fn because(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::Underpaid) => "too little came",
        Some(Reason::Split) => "several transactions came and none of them suffices alone",
        Some(Reason::WrongAsset) => "only money of another asset came",
        Some(Reason::Late) => "the money came after the deadline",
        Some(Reason::AfterCancel) => "money came after the payment was withdrawn",
        Some(Reason::DoubleSpent) => "a conflicting transaction was confirmed instead",
        Some(Reason::ConfirmTimeout) => "its transaction got into no block for too long",
        Some(Reason::Reorged) => "its money left the best chain",
        Some(Reason::Dropped) => "its money left the mempool",
        Some(
            Reason::Exact
            | Reason::WithinTolerance
            | Reason::Overpaid
            | Reason::Operator
            | Reason::Deadline
            | Reason::Gateway
            | Reason::Forced,
        )
        | None => "what came does not satisfy the rules",
    }
}
