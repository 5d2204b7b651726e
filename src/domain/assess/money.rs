//! A payment's credits gathered into transactions, the unit in which money is judged.
//!
//! Knows sums, places and times; knows nothing of statuses or of the chain's progress.

use super::gate::Wait;
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    asset::AssetCode,
    block::{Height, TxId},
    evidence::Evidence,
    payment::Payment,
    terms::{Depth, DepthRule},
    time::UnixMs,
    transfer::{Anchor, Place, Position, Transfer},
    view::ChainView,
};
use std::collections::BTreeMap;

/// Newly minted bitcoin can be spent after this many confirmations (consensus rule).
pub const COINBASE_MATURITY: u32 = 100;

/// Where a transaction stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In a block of the best chain.
    Mined(Anchor),
    /// In the mempool.
    Mempool,
    /// Nowhere.
    Gone,
}

/// The credits of one asset in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// The transaction.
    pub txid: TxId,
    /// Whether it is the asset that was asked for.
    pub expected: bool,
    /// Their sum; of the live ones while any is live.
    pub amount: Amount,
    /// Whether the sum reaches the dust limit.
    pub significant: bool,
    /// Where it stands.
    pub standing: Standing,
    /// The earliest time at which it is known to have been there.
    pub since: UnixMs,
    /// Our first observation.
    pub first_seen_at: UnixMs,
    /// Whether it must ripen.
    pub coinbase: bool,
    /// Whether a block ever held it.
    pub ever_mined: bool,
    /// Whether a conflicting transaction stands in a block.
    pub conflicted: bool,
    /// The credits, as indexes into the payment's transfers.
    pub rows: Vec<usize>,
}

impl Money {
    /// Whether it is in the mempool or in a block.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        match self.standing {
            Standing::Mined(_) | Standing::Mempool => true,
            Standing::Gone => false,
        }
    }

    /// The block that holds it.
    #[must_use]
    pub const fn anchor(&self) -> Option<&Anchor> {
        match &self.standing {
            Standing::Mined(anchor) => Some(anchor),
            Standing::Mempool | Standing::Gone => None,
        }
    }

    /// Confirmations that it needs where others need `required`.
    fn depth_required(&self, required: u32) -> u32 {
        if self.coinbase && !planted(Bug::CoinbaseUnripe) {
            required.max(COINBASE_MATURITY)
        } else {
            required
        }
    }

    /// The block that holds it.
    #[must_use]
    pub fn height(&self) -> Option<Height> {
        self.anchor().map(|anchor| anchor.block.id.height)
    }

    /// Whether it is in a block and deep enough.
    #[must_use]
    pub fn is_deep(&self, depth: Depth, view: &ChainView) -> bool {
        let is_ignored = depth.rule != DepthRule::Confirmations && planted(Bug::TagIgnored);
        self.height().is_some_and(|height| {
            let is_called = view.is_called(depth.rule, height);
            is_ignored || is_called && !self.lacks_confirmations(height, depth, view)
        })
    }

    fn lacks_confirmations(&self, height: Height, depth: Depth, view: &ChainView) -> bool {
        let required = self.depth_required(depth.confirmations);
        // A young chain has safe blocks before it has final ones.
        let is_named_safe =
            depth.rule == DepthRule::Safe && view.safe.is_some_and(|safe| height <= safe);
        !is_named_safe
            && view.counts_confirmations(depth.rule)
            && view.confirmations(height) < required
    }

    /// The block of ours on which a verdict rests once it is deep: the one that buried it so many
    /// blocks deep, or its own where a tag says that it is deep. `None` while it is in no block.
    #[must_use]
    pub fn buried_at(&self, depth: Depth) -> Option<Height> {
        match depth.rule {
            DepthRule::Confirmations => self.counted_at(depth),
            DepthRule::Safe | DepthRule::Finalized => self.height(),
        }
    }

    /// What makes it deep enough, while it is not.
    #[must_use]
    pub fn waits(&self, depth: Depth, view: &ChainView) -> Vec<Wait> {
        let Some(height) = self.height().filter(|_| !self.is_deep(depth, view)) else {
            return Vec::new();
        };
        let called = match depth.rule {
            DepthRule::Confirmations => None,
            DepthRule::Safe => Some(Wait::Safe(height)),
            DepthRule::Finalized => Some(Wait::Final(height)),
        };
        let called = called.filter(|_| !view.is_called(depth.rule, height));
        let counted = self.counted_at(depth).map(Wait::Cursor);
        let counted = counted.filter(|_| self.lacks_confirmations(height, depth, view));
        called.into_iter().chain(counted).collect()
    }

    /// The cursor height at which it has its confirmations.
    fn counted_at(&self, depth: Depth) -> Option<Height> {
        let ahead = 1_u32.saturating_add(u32::from(planted(Bug::CountAhead)));
        let blocks = self
            .depth_required(depth.confirmations)
            .saturating_sub(ahead);
        self.height().map(|height| height.plus(blocks))
    }

    /// Blocks first, by height and place in them; then the mempool, by first observation; the
    /// transaction id settles what is left.
    fn order(&self) -> (u8, Height, u32, UnixMs, TxId) {
        let (class, height, index) = match &self.standing {
            Standing::Mined(anchor) => (0, anchor.block.id.height, anchor.tx_index),
            Standing::Mempool => (1, Height(0), 0),
            Standing::Gone => (2, Height(0), 0),
        };
        (class, height, index, self.first_seen_at, self.txid)
    }
}

/// Whether a credit is more than one operator's unchecked word.
#[must_use]
pub fn is_vouched_for(transfer: &Transfer) -> bool {
    transfer.evidence > Evidence::Claimed
        || planted(Bug::ClaimsTrusted)
        || (transfer.is_growth() && planted(Bug::BalancePays))
}

/// Gathers a payment's credits, in the order in which they are judged.
#[must_use]
pub fn gather(payment: &Payment) -> Vec<Money> {
    gather_if(payment, |transfer| {
        is_vouched_for(transfer) || is_accepted(payment, transfer)
    })
}

/// The same with what a person may count: that by which only the balance grew.
#[must_use]
pub fn gather_for_person(payment: &Payment) -> Vec<Money> {
    gather_if(payment, |transfer| {
        is_vouched_for(transfer) || transfer.is_growth()
    })
}

/// Whether a person has counted that by which the balance grew.
fn is_accepted(payment: &Payment, transfer: &Transfer) -> bool {
    let accepted = payment.history.accepted.as_ref();
    let is_among = |txids: &[String]| txids.contains(&transfer.txid.to_string());
    transfer.is_growth() && accepted.is_some_and(|accepted| is_among(&accepted.txids))
}

fn gather_if(payment: &Payment, counts: impl Fn(&Transfer) -> bool) -> Vec<Money> {
    let mut by_transaction: BTreeMap<(TxId, &AssetCode, bool), Vec<usize>> = BTreeMap::new();
    let rows = payment.transfers.iter().enumerate();
    for (row, transfer) in rows.filter(|(_, transfer)| counts(transfer)) {
        let aggregate = transfer.position == Position::Dust;
        by_transaction
            .entry((transfer.txid, &transfer.asset, aggregate))
            .or_default()
            .push(row);
    }
    let mut money: Vec<Money> = by_transaction
        .into_iter()
        .filter_map(|((txid, _, aggregate), rows)| sum_up(payment, txid, rows, aggregate))
        .collect();
    money.sort_by_key(Money::order);
    money
}

fn sum_up(payment: &Payment, txid: TxId, rows: Vec<usize>, aggregate: bool) -> Option<Money> {
    let credits: Vec<&Transfer> = rows
        .iter()
        .filter_map(|row| payment.transfers.get(*row))
        .collect();
    let first = credits.first()?;
    let expected = first.asset == payment.terms.asset || planted(Bug::WrongAssetCounted);
    let standing = standing(&credits);
    let amount = credits
        .iter()
        .filter(|credit| standing == Standing::Gone || credit.place.is_live())
        .fold(Amount::ZERO, |sum, credit| {
            sum.saturating_add(credit.amount)
        });
    let dust = if expected {
        payment.terms.dust
    } else {
        first.dust
    };
    Some(Money {
        txid,
        expected,
        amount,
        significant: !aggregate && !amount.is_zero() && amount >= dust,
        standing,
        since: credits.iter().map(|credit| credit.on_time_since()).min()?,
        first_seen_at: credits.iter().map(|credit| credit.first_seen_at).min()?,
        coinbase: credits.iter().any(|credit| credit.coinbase),
        ever_mined: credits.iter().any(|credit| credit.was_ever_mined()),
        conflicted: credits.iter().any(|credit| is_conflicted(&credit.place)),
        rows,
    })
}

/// The weakest place of the live credits: a transaction is in a block only as a whole.
fn standing(credits: &[&Transfer]) -> Standing {
    let live = || credits.iter().filter(|credit| credit.place.is_live());
    let mined = live().filter_map(|credit| credit.place.anchor());
    match mined.max_by_key(|anchor| anchor.block.id.height) {
        Some(anchor) if live().all(|credit| credit.place.anchor().is_some()) => {
            Standing::Mined(*anchor)
        }
        Some(_) => Standing::Mempool,
        None if live().next().is_some() => Standing::Mempool,
        None => Standing::Gone,
    }
}

const fn is_conflicted(place: &Place) -> bool {
    match place {
        Place::Replaced { confirmed_in, .. } => confirmed_in.is_some(),
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => false,
    }
}
