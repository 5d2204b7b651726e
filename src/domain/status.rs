//! Statuses, their reasons, and the table of legal transitions.

use serde::{Deserialize, Serialize};

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The public name, as in the views and the journal.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value with this public name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use named_enum;

named_enum! {
    /// What a payment is.
    Status {
        /// Registered, its address is watched, nothing significant is live.
        New = "new",
        /// The deciding transaction is in the mempool, or fell back to it.
        Pending = "pending",
        /// The deciding transaction is in a block, below the required depth.
        Confirming = "confirming",
        /// Amount, time and depth hold, or an operator accepted.
        Paid = "paid",
        /// Money came that does not satisfy the rules, or a seen payment turned bad.
        Invalid = "invalid",
        /// The deadline passed with nothing significant in time.
        Expired = "expired",
        /// Withdrawn before anything significant was seen.
        Canceled = "canceled",
        /// The gateway says that it returned the money.
        Refunded = "refunded",
    }
}

named_enum! {
    /// Why a payment has its status.
    Reason {
        /// New again: its unconfirmed transaction is gone.
        Dropped = "dropped",
        /// Its block left the best chain.
        Reorged = "reorged",
        /// Paid to the unit.
        Exact = "exact",
        /// Paid, short by no more than was allowed.
        WithinTolerance = "within_tolerance",
        /// Paid with more than was asked.
        Overpaid = "overpaid",
        /// Decided by a person.
        Operator = "operator",
        /// One transaction with too little.
        Underpaid = "underpaid",
        /// Several transactions, none of which suffices.
        Split = "split",
        /// Only money of another asset.
        WrongAsset = "wrong_asset",
        /// Money after the deadline.
        Late = "late",
        /// Money after the gateway withdrew the payment.
        AfterCancel = "after_cancel",
        /// A conflicting transaction confirmed.
        DoubleSpent = "double_spent",
        /// Seen, but in no block for too long.
        ConfirmTimeout = "confirm_timeout",
        /// The deadline passed.
        Deadline = "deadline",
        /// Decided by the gateway.
        Gateway = "gateway",
        /// Set by hand, in a sandbox only.
        Forced = "forced",
    }
}

impl Status {
    /// The names of some, with words between them.
    pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a Self>, between: &str) -> String {
        let names: Vec<&str> = all.into_iter().map(|status| status.as_str()).collect();
        names.join(between)
    }

    /// Whether the transition table has this step.
    #[must_use]
    pub const fn may_become(self, to: Self) -> bool {
        use Status::{Canceled, Confirming, Expired, Invalid, New, Paid, Pending, Refunded};
        match self {
            New => matches!(
                to,
                Pending | Confirming | Paid | Invalid | Expired | Canceled
            ),
            Pending => matches!(to, New | Confirming | Paid | Invalid | Expired),
            Confirming => matches!(to, New | Pending | Paid | Invalid | Expired),
            Paid => matches!(to, Confirming | Pending | Invalid | Refunded),
            Invalid => {
                matches!(
                    to,
                    New | Confirming | Pending | Paid | Expired | Canceled | Refunded
                )
            }
            Expired => matches!(to, New | Invalid | Paid),
            Canceled => matches!(to, Invalid | Paid),
            Refunded => false,
        }
    }
}
