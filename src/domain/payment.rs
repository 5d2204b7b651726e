//! A payment: what the gateway asked for, what came, and how it was last judged.

use super::{
    amount::Amount,
    asset::{ChainKind, ChainName},
    balance::Balance,
    block::{BlockRef, Height, TxId},
    facts::Destination,
    flags::Flags,
    register,
    status::{Reason, Status},
    terms::Terms,
    time::UnixMs,
    token::TokenNotice,
    transfer::Transfer,
};
use crate::bugs::{Bug, planted};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The store's own number of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentKey(pub i64);

/// The gateway's name of a payment: 1 to 128 bytes of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(Arc<str>);

impl PaymentId {
    /// The longest id in bytes.
    pub const MAX_LEN: usize = 128;

    /// Takes a text; `None` when it is empty, too long, or not printable ASCII without spaces.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        (fits && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// From where past blocks are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScanFrom {
    /// From this block on.
    Height(Height),
    /// From the last block at or before this time on.
    Time(UnixMs),
}

/// The height or the time, as requests write it.
impl fmt::Display for ScanFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => height.fmt(f),
            Self::Time(at) => at.0.fmt(f),
        }
    }
}

impl ScanFrom {
    /// From this number on, an integer is a time and no height: as milliseconds it is April 1970,
    /// and no chain has so many blocks.
    pub const FIRST_TIME: i64 = 10_000_000_000;

    /// Whether whoever walks the chain downwards need not look below this block.
    #[must_use]
    pub fn is_reached_by(self, block: &BlockRef) -> bool {
        let is_early_enough = match self {
            Self::Height(from) => block.id.height <= from,
            Self::Time(from) => block.time <= from,
        };
        is_early_enough || block.id.height == Height(0)
    }
}

/// How far the past was scanned for a payment that was registered at a moving chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Where it starts.
    pub from: ScanFrom,
    /// Up to where it is done; `None` before its first block.
    pub scanned_to: Option<Height>,
    /// Where it ends: the cursor at registration; `None` when the chain had no cursor yet, and
    /// then the chain's first block settles it.
    pub goal: Option<Height>,
}

impl Scan {
    /// Whether every block that may hold money of this payment was looked at; until then it gets
    /// no `paid`, `expired` or `invalid`.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match (self.scanned_to, self.goal) {
            (Some(to), Some(goal)) => to >= goal,
            (_, None) | (None, Some(_)) => false,
        }
    }
}

impl Scan {
    /// A scan that a registration or a request starts at this cursor.
    #[must_use]
    pub fn starting(from: ScanFrom, cursor: Option<Height>) -> Self {
        let mut scan = Self {
            from,
            scanned_to: None,
            goal: cursor,
        };
        scan.skip_if_nothing_lies_between();
        scan
    }

    /// A scan of which nothing is left to do: it is known what came up to this cursor.
    #[must_use]
    pub const fn done(from: ScanFrom, cursor: Height) -> Self {
        Self {
            from,
            scanned_to: Some(cursor),
            goal: Some(cursor),
        }
    }

    /// Whether money in this block may be the payment's and not known yet, when the block is
    /// scanned for whomever: it lies between the payment's own start and what it knows already.
    #[must_use]
    pub fn looks_at(&self, block: &BlockRef, kind: ChainKind) -> bool {
        let is_known = self.scanned_to.is_some_and(|to| block.id.height <= to);
        self.begins_before(block, kind) && !is_known
    }

    /// Whether a block is not before the payment's own start. Times of blocks are only about right, so a
    /// start by time reaches back a little further.
    #[must_use]
    pub fn begins_before(&self, block: &BlockRef, kind: ChainKind) -> bool {
        match self.from {
            ScanFrom::Height(from) => block.id.height >= from,
            ScanFrom::Time(from) => block.time >= from.minus(register::slack(kind)),
        }
    }

    /// Whether blocks that were scanned from here up to there are the next of this past: nothing that it
    /// lacks is left out below them.
    #[must_use]
    pub fn goes_on_with(&self, from: ScanFrom, to: Height) -> bool {
        match (from, self.scanned_to, self.from) {
            _ if planted(Bug::PastJumped) => true,
            (ScanFrom::Height(from), Some(known), _) => from <= known.plus(1),
            (ScanFrom::Height(from), None, ScanFrom::Height(own)) => from <= own && own <= to,
            (ScanFrom::Time(from), None, ScanFrom::Time(own)) => from <= own,
            (ScanFrom::Height(_), None, ScanFrom::Time(_))
            | (ScanFrom::Time(_), Some(_), _)
            | (ScanFrom::Time(_), None, ScanFrom::Height(_)) => false,
        }
    }

    /// Settles the goal of a scan that began before the chain had a cursor.
    pub fn settle_goal(&mut self, cursor: Option<Height>) {
        if self.goal.is_none() && cursor.is_some() {
            *self = Self::starting(self.from, cursor);
        }
    }

    /// Ends a scan that starts above its goal: nothing lies between.
    pub fn skip_if_nothing_lies_between(&mut self) {
        match self.from {
            ScanFrom::Height(from) if self.goal.is_some_and(|goal| from > goal) => {
                self.scanned_to = self.goal;
            }
            ScanFrom::Height(_) | ScanFrom::Time(_) => {}
        }
    }
}

impl Payment {
    /// Why its past cannot be scanned, while that is so.
    #[must_use]
    pub fn scan_refusal(&self) -> Option<&str> {
        let refusal = self.history.scan_refused.as_deref();
        refusal.filter(|_| !self.scan.is_complete())
    }

    /// Where the scan of its past was registered to start, whatever a request changed later.
    #[must_use]
    pub fn registered_scan_from(&self) -> ScanFrom {
        self.history.registered_from.unwrap_or(self.scan.from)
    }

    /// Whether a block is not before the payment's own start, where it was registered to start or where a request
    /// moved that.
    #[must_use]
    pub fn begins_before(&self, block: &BlockRef) -> bool {
        let registered = Scan {
            from: self.registered_scan_from(),
            ..self.scan
        };
        let mut starts = [self.scan, registered].into_iter();
        starts.any(|scan| scan.begins_before(block, self.kind))
    }

    /// Whether money that came at this time still belongs to the payment. A `new` payment is
    /// watched until it is judged, however long its source was away.
    #[must_use]
    pub fn is_watched_at(&self, at: UnixMs) -> bool {
        self.judged.status == Status::New || self.judged.watch_until_at.is_none_or(|end| at <= end)
    }
}

/// A payment as facts and as last judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The store's number.
    pub key: PaymentKey,
    /// The gateway's name.
    pub id: PaymentId,
    /// On which chain.
    pub chain: ChainName,
    /// That chain's rules.
    pub kind: ChainKind,
    /// The watched address in canonical text.
    pub address: String,
    /// The watched address in the chain's bytes.
    pub destination: Destination,
    /// What was agreed.
    pub terms: Terms,
    /// The request's time.
    pub created_at: UnixMs,
    /// How far the past is scanned.
    pub scan: Scan,
    /// What people and time did to it.
    pub history: History,
    /// Every credit to the address.
    pub transfers: Vec<Transfer>,
    /// The last judgement, as the row shows it.
    pub judged: Judgement,
    /// Dense count of the payment's journal entries.
    pub version: u64,
    /// When anything in the row last changed.
    pub updated_at: UnixMs,
}

/// What was decided about a payment and cannot be derived from its transfers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When it was registered, by our clock: what was not looked for before is known only from a
    /// poll that began later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<UnixMs>,
    /// Whether its blocks must be traced too before it may expire: native money on Ethereum.
    #[serde(skip_serializing_if = "is_default")]
    pub needs_traces: bool,
    /// What its address had, where nobody can tell what contracts move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// By the height of each block after which the balance had grown, after which one it was its base.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub grown: BTreeMap<Height, Height>,
    /// Flags that stick.
    #[serde(skip_serializing_if = "is_default")]
    pub sticky: Flags,
    /// Whether it was ever `paid`.
    #[serde(skip_serializing_if = "is_default")]
    pub ever_paid: bool,
    /// When it last became `paid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<UnixMs>,
    /// Closed as `expired` or `canceled`, with the reason and the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// An operator's acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Acceptance>,
    /// An operator rejected it: automatic changes ended.
    #[serde(skip_serializing_if = "is_default")]
    pub rejected: bool,
    /// The gateway says that it returned the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Refund>,
    /// How often a `paid` was withdrawn, or refunded money left the chain.
    #[serde(skip_serializing_if = "is_default")]
    pub reversals: u32,
    /// The causes for review that a person has already seen; any other raises it again.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub acked: BTreeSet<String>,
    /// A status that the facts asked for and the transition table does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impossible: Option<Status>,
    /// The database refused a change; no verdict is made until a person looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// Why its past cannot be scanned; it is not scanned with others until that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_refused: Option<String>,
    /// What tokens' administrations did that concerned it: the last act of each kind and asset, in the
    /// order in which they were told. A block that leaves the chain takes none of them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_notices: Vec<TokenNotice>,
    /// Where its scan was registered to start, once a request moved that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_from: Option<ScanFrom>,
    /// A status that somebody set by hand, in a sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<Status>,
    /// Whether the judgement is fixed for good.
    #[serde(skip_serializing_if = "is_default")]
    pub is_final: bool,
    /// The last time that the status or its reason changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_at: Option<UnixMs>,
    /// The last time that significant money came or moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_at: Option<UnixMs>,
}

/// Most of a history never happens, and what did not is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A change that the database refused. What is stored may lack what the change would have
/// brought, so the payment gets no `paid`, `expired` or `invalid` and is not scanned for, until a
/// person acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was first refused.
    pub at: UnixMs,
    /// The status that the change would have led to.
    pub status: Status,
    /// What was refused.
    pub problem: String,
}

/// How a payment was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// `expired` or `canceled`.
    pub status: Status,
    /// `deadline`, `gateway` or `operator`.
    pub reason: Reason,
    /// When.
    pub at: UnixMs,
}

/// An operator's acceptance of a payment that the rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// When.
    pub at: UnixMs,
    /// The transactions (hex) whose money was accepted; void when one leaves the best chain.
    pub txids: Vec<String>,
}

/// A statement that money was returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// When.
    pub at: UnixMs,
    /// `gateway` or `operator`.
    pub reason: Reason,
}

/// A payment judged: every derived column of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What it is.
    pub status: Status,
    /// Why.
    pub reason: Option<Reason>,
    /// The marks beside it.
    pub flags: Flags,
    /// Whether a person should look.
    pub needs_review: bool,
    /// Whether it can no longer change.
    pub is_final: bool,
    /// Live significant money of the expected asset.
    pub received: Amount,
    /// What of it pays.
    pub counted: Amount,
    /// What is missing.
    pub shortfall: Amount,
    /// What is too much.
    pub surplus: Amount,
    /// The deciding transaction.
    pub txid: Option<TxId>,
    /// The block that holds it.
    pub block: Option<BlockRef>,
    /// When money of the payment was first observed.
    pub first_seen_at: Option<UnixMs>,
    /// When the deciding transaction was first seen in a block.
    pub confirmed_at: Option<UnixMs>,
    /// When it last became `paid`.
    pub paid_at: Option<UnixMs>,
    /// When it was closed.
    pub closed_at: Option<UnixMs>,
    /// Until when the address is watched; `None` while that has no end in sight.
    pub watch_until_at: Option<UnixMs>,
    /// When it must be judged again though nothing happens to it.
    pub due: Due,
}

/// When a judgement may change by itself.
///
/// Only verdicts and finality come by themselves, so nothing is due while the source is
/// unhealthy or the chain frozen, and no payment while its scan of the past is under way; its
/// thresholds then wait, however old. Otherwise a payment is due when the cursor reached
/// `height`, what is safe reached `safe_height`, finality reached `final_height`, traces reached
/// `traced_height`, or the last full poll began at or after `at`: the
/// poll ([`super::view::ChainView::polled_at`]) and not the clock, since no judgement depends on
/// a time before such a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// Once the cursor reaches this height.
    pub height: Option<Height>,
    /// Once this height is safe.
    pub safe_height: Option<Height>,
    /// Once finality reaches this height.
    pub final_height: Option<Height>,
    /// Once it is known what contracts moved up to this height.
    pub traced_height: Option<Height>,
    /// Once a full poll began at this time or later.
    pub at: Option<UnixMs>,
}
