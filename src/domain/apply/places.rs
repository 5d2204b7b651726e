//! Facts to transfers: which credits there are and where each stands.
//!
//! Knows nothing of statuses, amounts that are owed, or the journal.

use super::dust::{aggregate, is_further_dust};
use crate::domain::{
    amount::Amount,
    asset::ChainKind,
    block::{BlockRef, Height, TxId},
    facts::{Credit, Fact, OutPoint},
    payment::Payment,
    time::UnixMs,
    transfer::{Anchor, Disposition, Place, Position, Transfer},
};
use std::collections::BTreeSet;

/// Takes facts into a payment, in order.
pub fn take(payment: &mut Payment, facts: &[Fact]) {
    let rests_on = accepted_money(payment);
    for fact in facts {
        take_one(payment, fact, facts);
    }
    void_acceptance(payment, &rests_on);
    if payment.scan.is_complete() {
        payment.history.scan_refused = None;
    }
    inherit_first_seen(&mut payment.transfers);
}

fn take_one(payment: &mut Payment, fact: &Fact, all: &[Fact]) {
    match fact {
        Fact::Disconnected { fork } => disconnect(payment, *fork),
        Fact::Mined {
            credit,
            block,
            tx_index,
            seen_at,
            inputs,
        } => {
            let anchor = Anchor {
                block: *block,
                tx_index: *tx_index,
            };
            mined(payment, credit, anchor, (*seen_at, inputs), all);
        }
        Fact::Seen {
            credit,
            seen_at,
            inputs,
        } => seen(payment, credit, *seen_at, inputs, all),
        Fact::Evicted { txid } => each_of(payment, *txid, evict),
        Fact::Replaced { txid, by } => {
            let ours = transactions(payment);
            each_of(payment, *txid, |t| replace(t, *by, &ours));
        }
        Fact::Conflicted { txid, by, block } => {
            each_of(payment, *txid, |t| conflict(t, *by, *block));
        }
        Fact::Scanned { to } => scanned(payment, *to),
        Fact::ScanRefused { why } => payment.history.scan_refused.clone_from(why),
    }
}

fn each_of(payment: &mut Payment, txid: TxId, change: impl Fn(&mut Transfer)) {
    let of = |transfer: &&mut Transfer| transfer.txid == txid;
    payment.transfers.iter_mut().filter(of).for_each(change);
}

/// Blocks above `fork` left the best chain: their money falls back to the mempool, where there
/// is one, until the source says otherwise.
fn disconnect(payment: &mut Payment, fork: Height) {
    let gone = |block: &BlockRef| block.id.height > fork;
    for transfer in &mut payment.transfers {
        match &mut transfer.place {
            Place::Block(anchor) if gone(&anchor.block) && transfer.position != Position::Dust => {
                transfer.place = fallen_back(payment.kind, transfer.coinbase);
            }
            Place::Replaced { confirmed_in, .. } => {
                *confirmed_in = confirmed_in.filter(|block| !gone(block));
            }
            Place::Block(_) | Place::Mempool | Place::Evicted | Place::Orphaned => {}
        }
    }
    cut_scan_back(payment, fork);
}

/// The rows in blocks that an acceptance rests on, as they are.
fn accepted_money(payment: &Payment) -> Vec<(usize, Transfer)> {
    let accepted = payment.history.accepted.as_ref();
    let txids = accepted.map_or(&[][..], |accepted| &accepted.txids);
    let rests = |t: &Transfer| t.place.anchor().is_some() && txids.contains(&t.txid.to_string());
    let rows = payment.transfers.iter().enumerate();
    rows.filter(|(_, transfer)| rests(transfer))
        .map(|(row, transfer)| (row, transfer.clone()))
        .collect()
}

/// An acceptance is void when money that it rests on is in no block, or is less, after all facts:
/// a transaction that only moved to another block keeps it.
fn void_acceptance(payment: &mut Payment, rests_on: &[(usize, Transfer)]) {
    let Some(accepted) = payment.history.accepted.as_ref() else {
        return;
    };
    let stands = |(row, was): &(usize, Transfer)| {
        payment.transfers.get(*row).is_some_and(|is| {
            is.place.anchor().is_some() && is.asset == was.asset && is.amount >= was.amount
        })
    };
    let found = |txid: &String| rests_on.iter().any(|(_, t)| t.txid.to_string() == *txid);
    let holds = rests_on.iter().all(stands) && accepted.txids.iter().all(found);
    if !holds && !payment.history.is_final {
        payment.history.accepted = None;
    }
}

/// A coinbase transaction cannot be in a mempool.
const fn fallen_back(kind: ChainKind, coinbase: bool) -> Place {
    if kind.has_mempool() && !coinbase {
        Place::Mempool
    } else {
        Place::Orphaned
    }
}

fn cut_scan_back(payment: &mut Payment, fork: Height) {
    let scan = &mut payment.scan;
    scan.goal = scan.goal.map(|goal| goal.min(fork));
    scan.scanned_to = scan.scanned_to.map(|to| to.min(fork));
    scan.skip_if_nothing_lies_between();
}

/// The past of a held payment waits for a person: what it brings might be refused again. One
/// whose scan was refused is not meant when others are scanned.
fn scanned(payment: &mut Payment, to: Height) {
    if payment.history.held.is_some() || payment.history.scan_refused.is_some() {
        return;
    }
    let scan = &mut payment.scan;
    let to = scan.goal.map_or(to, |goal| goal.min(to));
    scan.scanned_to = Some(scan.scanned_to.map_or(to, |known| known.max(to)));
}

/// A transaction in a block has ended every other one outside that spends the same output.
fn mined(
    payment: &mut Payment,
    credit: &Credit,
    anchor: Anchor,
    (seen_at, inputs): (UnixMs, &[OutPoint]),
    all: &[Fact],
) {
    let time = anchor.block.time;
    if let Some(transfer) = find(payment, credit) {
        transfer.place = Place::Block(anchor);
        transfer.first_block_at.get_or_insert(time);
        observe(transfer, seen_at, inputs);
        restate(transfer, credit);
    } else if !payment.is_watched_at(seen_at.min(time)) {
        return;
    } else if is_further_dust(payment, credit, all) {
        aggregate(payment, credit, anchor, all);
    } else {
        let mut transfer = new_row(credit, seen_at, Place::Block(anchor));
        transfer.first_block_at = Some(time);
        transfer.inputs = inputs.to_vec();
        payment.transfers.push(transfer);
    }
    for other in rivals(payment, credit.txid, inputs) {
        conflict(other, credit.txid, anchor.block);
    }
}

/// A contract may credit something else when its transaction is executed in another block.
fn restate(transfer: &mut Transfer, credit: &Credit) {
    transfer.asset = credit.asset.clone();
    transfer.decimals = credit.decimals;
    transfer.amount = credit.amount;
    transfer.dust = credit.dust;
    transfer.from_address.clone_from(&credit.from_address);
}

fn observe(transfer: &mut Transfer, seen_at: UnixMs, inputs: &[OutPoint]) {
    transfer.first_seen_at = transfer.first_seen_at.min(seen_at);
    if transfer.inputs.is_empty() {
        transfer.inputs = inputs.to_vec();
    }
}

/// Transfers of other transactions that spend one of these outputs.
fn rivals<'a>(
    payment: &'a mut Payment,
    txid: TxId,
    inputs: &'a [OutPoint],
) -> impl Iterator<Item = &'a mut Transfer> {
    let shares = |t: &Transfer| t.inputs.iter().any(|input| inputs.contains(input));
    let transfers = payment.transfers.iter_mut();
    transfers.filter(move |t| t.txid != txid && shares(t))
}

/// A transaction in the mempool has taken the place of every other unconfirmed one that spends
/// the same output. It never overrules a block: news of the mempool may be older than the block.
fn seen(
    payment: &mut Payment,
    credit: &Credit,
    seen_at: UnixMs,
    inputs: &[OutPoint],
    all: &[Fact],
) {
    if let Some(transfer) = find(payment, credit) {
        revive(transfer, seen_at, inputs);
    } else if payment.is_watched_at(seen_at) && !is_further_dust(payment, credit, all) {
        let mut transfer = new_row(credit, seen_at, Place::Mempool);
        transfer.inputs = inputs.to_vec();
        payment.transfers.push(transfer);
    }
    let ours = transactions(payment);
    for other in rivals(payment, credit.txid, inputs) {
        replace(other, credit.txid, &ours);
    }
}

/// The transactions that pay this payment.
fn transactions(payment: &Payment) -> BTreeSet<TxId> {
    payment.transfers.iter().map(|t| t.txid).collect()
}

fn revive(transfer: &mut Transfer, seen_at: UnixMs, inputs: &[OutPoint]) {
    observe(transfer, seen_at, inputs);
    match transfer.place {
        Place::Evicted
        | Place::Orphaned
        | Place::Replaced {
            confirmed_in: None, ..
        } => transfer.place = Place::Mempool,
        Place::Mempool
        | Place::Block(_)
        | Place::Replaced {
            confirmed_in: Some(_),
            ..
        } => {}
    }
}

fn evict(transfer: &mut Transfer) {
    match transfer.place {
        Place::Mempool if transfer.first_block_at.is_some() => transfer.place = Place::Orphaned,
        Place::Mempool => transfer.place = Place::Evicted,
        Place::Block(_) | Place::Evicted | Place::Replaced { .. } | Place::Orphaned => {}
    }
}

/// What replaced a transfer first stays, so that the n-th replacement is not news about n rows;
/// but one that pays us takes the place of one that does not, to be as early as the first.
fn replace(transfer: &mut Transfer, by: TxId, ours: &BTreeSet<TxId>) {
    let replaced = Place::Replaced {
        by,
        confirmed_in: None,
    };
    match transfer.place {
        Place::Mempool | Place::Evicted | Place::Orphaned => transfer.place = replaced,
        Place::Replaced {
            by: first,
            confirmed_in: None,
        } if !ours.contains(&first) && ours.contains(&by) => transfer.place = replaced,
        Place::Block(_) | Place::Replaced { .. } => {}
    }
}

fn conflict(transfer: &mut Transfer, by: TxId, block: BlockRef) {
    match transfer.place {
        Place::Block(_) => {}
        Place::Mempool | Place::Evicted | Place::Orphaned | Place::Replaced { .. } => {
            transfer.place = Place::Replaced {
                by,
                confirmed_in: Some(block),
            };
        }
    }
}

fn find<'a>(payment: &'a mut Payment, credit: &Credit) -> Option<&'a mut Transfer> {
    let is = |transfer: &&mut Transfer| transfer.is(credit.txid, &credit.position);
    payment.transfers.iter_mut().find(is)
}

pub(super) fn new_row(credit: &Credit, seen_at: UnixMs, place: Place) -> Transfer {
    Transfer {
        txid: credit.txid,
        position: credit.position.clone(),
        asset: credit.asset.clone(),
        decimals: credit.decimals,
        amount: credit.amount,
        dust: credit.dust,
        from_address: credit.from_address.clone(),
        coinbase: credit.coinbase,
        place,
        disposition: Disposition::Dust,
        first_seen_at: seen_at,
        first_block_at: None,
        inputs: Vec::new(),
    }
}

/// A replacement is as early as what it replaced, so that bumping a fee after the deadline costs
/// nobody their payment. Dust passes nothing on: a tiny transaction in time must not keep an old
/// price open for a large one later.
fn inherit_first_seen(transfers: &mut [Transfer]) {
    // Each round passes one link of a chain of replacements on; chains are short.
    for _ in 0..transfers.len() {
        let links: Vec<(TxId, UnixMs)> = transfers
            .iter()
            .filter(|t| is_significant(transfers, t))
            .filter_map(|t| Some((replaced_by(&t.place)?, t.on_time_since())))
            .collect();
        let mut moved = false;
        for (by, since) in links {
            for heir in transfers.iter_mut().filter(|t| t.txid == by) {
                moved |= since < heir.first_seen_at;
                heir.first_seen_at = heir.first_seen_at.min(since);
            }
        }
        if !moved {
            return;
        }
    }
}

/// Whether the whole transaction of a transfer is more than dust.
fn is_significant(transfers: &[Transfer], one: &Transfer) -> bool {
    let same = transfers.iter();
    let same = same.filter(|t| t.txid == one.txid && t.asset == one.asset);
    same.fold(Amount::ZERO, |sum, t| sum.saturating_add(t.amount)) >= one.dust
}

const fn replaced_by(place: &Place) -> Option<TxId> {
    match place {
        Place::Replaced { by, .. } => Some(*by),
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => None,
    }
}
