//! What the balance of a payment's address tells, where nobody can say what contracts move.
//!
//! A balance is compared with what it was when the payment began and with all that is recorded since: what it is
//! more must have come by a contract. Nothing binds a balance to its block, and it names no transaction. Where
//! it is less, somebody has spent of it, and is compared with from there on: rather too little is seen than money
//! that is none.

use super::{
    amount::Amount,
    block::{BlockRef, Height},
    payment::Payment,
    status::Status,
    time::UnixMs,
};
use serde::{Deserialize, Serialize};

/// What is known of an address's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// After this block it was the base.
    pub since: Height,
    /// How much that was, once somebody has said it.
    #[serde(default, with = "base_units", skip_serializing_if = "Option::is_none")]
    pub base: Option<Amount>,
    /// The last block after which it was compared with the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
}

/// A block after which a balance was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub at: UnixMs,
}

impl Balance {
    /// To be asked for after this block.
    #[must_use]
    pub const fn since(since: Height) -> Self {
        Self {
            since,
            base: None,
            checked: None,
        }
    }

    /// Whether it was looked at after a block of this height or a higher one.
    #[must_use]
    pub fn is_checked_to(&self, height: Height) -> bool {
        self.checked.is_some_and(|checked| checked.height >= height)
    }

    /// Whether it was looked at after a block that is later than this.
    #[must_use]
    pub fn is_checked_beyond(&self, at: UnixMs) -> bool {
        self.checked.is_some_and(|checked| checked.at > at)
    }

    /// The highest block that what is known of it comes from.
    #[must_use]
    pub fn reaches(&self) -> Height {
        let checked = self.checked.map(|checked| checked.height);
        checked.map_or(self.since, |checked| checked.max(self.since))
    }

    /// Blocks above `fork` left the best chain.
    #[must_use]
    pub fn after_disconnect(self, fork: Height) -> Self {
        if self.since > fork {
            Self::since(fork)
        } else {
            let checked = self.checked.filter(|checked| checked.height <= fork);
            Self { checked, ..self }
        }
    }
}

/// Whether a payment's balance is looked at where only balances tell what contracts move: it is open, and all
/// that was proven to come is known. Nobody waits for a look otherwise.
#[must_use]
pub fn is_looked_at(payment: &Payment) -> bool {
    let is_open = match payment.judged.status {
        Status::New | Status::Pending | Status::Confirming => true,
        Status::Paid | Status::Invalid | Status::Expired | Status::Canceled | Status::Refunded => {
            false
        }
    };
    is_open && payment.history.needs_traces && payment.scan.is_complete()
}

/// What a balance after a block means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing: it is not known what to compare it with.
    Unknown,
    /// It is what others are compared with.
    Base,
    /// Nothing came beside what is recorded.
    Same,
    /// So much came beside what is recorded.
    Grew(Amount),
    /// Somebody spent of it.
    Fell,
}

/// What this balance of the payment's address after a block means. Less than dust is not looked at until more comes.
#[must_use]
pub fn meaning(payment: &Payment, block: BlockRef, balance: Amount) -> Meaning {
    let Some(known) = payment.history.balance else {
        return Meaning::Unknown;
    };
    let Some(base) = known.base else {
        let is_base = block.id.height == known.since;
        return if is_base {
            Meaning::Base
        } else {
            Meaning::Unknown
        };
    };
    let came = payment.transfers.iter().filter(|transfer| {
        let anchor = transfer.place.anchor();
        let height = anchor.map(|anchor| anchor.block.id.height);
        let is_since = height.is_some_and(|at| at > known.since && at <= block.id.height);
        is_since && transfer.asset == payment.terms.asset
    });
    let amounts = came.map(|transfer| transfer.amount);
    let expected = amounts.fold(base, Amount::saturating_add);
    let growth = balance.saturating_sub(expected);
    if balance < expected {
        Meaning::Fell
    } else if growth.is_zero() || growth < payment.terms.dust {
        Meaning::Same
    } else {
        Meaning::Grew(growth)
    }
}

/// An amount as its base units in decimal digits.
mod base_units {
    use super::Amount;
    use alloy_primitives::U256;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde's own form")]
    pub(super) fn serialize<S: Serializer>(
        amount: &Option<Amount>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => serializer.collect_str(&amount.base()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Amount>, D::Error> {
        let digits = Option::<String>::deserialize(deserializer)?;
        let read = |digits: String| U256::from_str_radix(&digits, 10).map_err(D::Error::custom);
        Ok(digits.map(read).transpose()?.map(Amount::from_base))
    }
}
