//! Facts to transfers: which credits there are and where each stands.
//!
//! Knows nothing of statuses, amounts that are owed, or the journal.

use super::{balance, growth, inherit::inherit_first_seen, ledger::Ledger};
use crate::bugs::{Bug, planted};
use crate::domain::{
    asset::ChainKind,
    block::{BlockId, BlockRef, Height, TxId},
    evidence::Evidence,
    facts::{Credit, Fact, OutPoint},
    flags::Flag,
    payment::Payment,
    time::UnixMs,
    token,
    transfer::{Anchor, Disposition, Place, Position, Transfer},
};

/// Takes facts into a payment, in order.
pub fn take(payment: &mut Payment, facts: &[Fact]) {
    let mut rests_on = accepted_money(payment);
    let known = growth::known(payment);
    let mut ledger = Ledger::new(payment, facts);
    for fact in facts {
        take_one(&mut ledger, fact);
    }
    growth::explain(payment, &known, &mut rests_on);
    void_acceptance(payment, &rests_on);
    if payment.scan.is_complete() {
        payment.history.scan_refused = None;
    }
    inherit_first_seen(payment);
}

fn take_one(ledger: &mut Ledger<'_>, fact: &Fact) {
    match fact {
        Fact::Disconnected { fork, held } => disconnect(ledger.payment(), *fork, *held),
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
            mined(ledger, credit, anchor, *seen_at, inputs);
        }
        Fact::Seen {
            credit,
            seen_at,
            remembered,
            inputs,
        } => {
            if *remembered && let Some(transfer) = ledger.find(credit) {
                transfer.first_seen_at = transfer.first_seen_at.min(*seen_at);
            }
            seen(ledger, credit, *seen_at, inputs);
        }
        Fact::Dated { txid, seen_at } => ledger.each_of(*txid, |t| {
            t.first_seen_at = t.first_seen_at.min(*seen_at);
        }),
        Fact::Listed { txid } => ledger.each_of(*txid, revive),
        Fact::Evicted { txid } => ledger.each_of(*txid, evict),
        Fact::Replaced { txid, by } => replace_all_of(ledger, *txid, *by),
        Fact::Conflicted { txid, by, block } => {
            ledger.each_of(*txid, |t| conflict(t, *by, *block));
        }
        Fact::Weighed { block, evidence } => weighed(ledger.payment(), *block, *evidence),
        Fact::Token { notice, block: _ } => {
            token::keep(&mut ledger.payment().history.token_notices, notice);
        }
        Fact::Untraced => untraced(ledger.payment()),
        Fact::BalanceSince { since } => balance::begin(ledger.payment(), *since),
        Fact::Balance {
            block,
            balance,
            seen_at,
        } => balance::told(ledger, *block, *balance, *seen_at),
        Fact::Scanned { to } => scanned(ledger.payment(), *to),
        Fact::ScanRefused { why } => ledger.payment().history.scan_refused.clone_from(why),
    }
}

/// Blocks above `fork` left the best chain: their money falls back to the mempool, where there
/// is one, until the source says otherwise. A block that no quorum ever held says nothing of when it was there.
fn disconnect(payment: &mut Payment, fork: Height, held: Option<Height>) {
    let gone = |block: &BlockRef| block.id.height > fork;
    let was_held = |block: &BlockRef| Some(block.id.height) <= held || planted(Bug::UnheldTimeKept);
    for transfer in &mut payment.transfers {
        match &mut transfer.place {
            Place::Block(anchor) if gone(&anchor.block) && transfer.position != Position::Dust => {
                if was_held(&anchor.block) {
                    transfer.first_block_at = transfer.earliest_block_at();
                }
                transfer.place = fallen_back(payment.kind, transfer.coinbase);
            }
            Place::Replaced { confirmed_in, .. } => {
                *confirmed_in = confirmed_in.filter(|block| !gone(block));
            }
            Place::Block(_) | Place::Mempool | Place::Evicted | Place::Orphaned => {}
        }
    }
    let balance = &mut payment.history.balance;
    *balance = balance.map(|known| known.after_disconnect(fork));
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
    ledger: &mut Ledger<'_>,
    credit: &Credit,
    anchor: Anchor,
    seen_at: UnixMs,
    inputs: &[OutPoint],
) {
    let known = ledger.find(credit);
    let known = known.filter(|t| t.first_block_at.is_none() || !planted(Bug::MinedAgainTwice));
    if let Some(transfer) = known {
        if transfer.place == Place::Block(anchor) && transfer.evidence > credit.evidence {
            return; // Somebody says again, and less reliably, what is known.
        }
        if transfer.was_shown_by_one_alone() {
            transfer.first_seen_at = seen_at;
        }
        transfer.evidence = credit.evidence;
        transfer.place = Place::Block(anchor);
        restate(transfer, credit);
    } else if !ledger
        .payment()
        .is_watched_at(seen_at.min(anchor.block.time))
    {
        return;
    } else if ledger.is_further_dust(credit) {
        ledger.aggregate(credit, anchor);
    } else {
        ledger.add(new_row(credit, seen_at, Place::Block(anchor)));
    }
    if credit.in_told_block && credit.evidence == Evidence::Claimed {
        degrade(ledger.payment());
    }
    for rival in ledger.spends(credit.txid, inputs) {
        ledger.each_of(rival, |t| conflict(t, credit.txid, anchor.block));
    }
}

/// What one operator claimed of a block was compared with the balance.
fn weighed(payment: &mut Payment, block: BlockId, evidence: Evidence) {
    for transfer in &mut payment.transfers {
        let is_in = |anchor: &Anchor| anchor.block.id == block;
        if transfer.is_claim() && transfer.place.anchor().is_some_and(is_in) {
            transfer.evidence = evidence;
        }
    }
}

/// More may have come than is known.
const fn untraced(payment: &mut Payment) {
    if payment.history.needs_traces {
        degrade(payment);
    }
}

/// What is known of it is worth less than a proof, for good. A claim in a block that is not proven itself says so
/// at once: balances that grew by it later are no proof of the block.
const fn degrade(payment: &mut Payment) {
    payment.history.sticky = payment.history.sticky.with(Flag::Degraded);
}

/// A contract may credit something else when its transaction is executed in another block.
fn restate(transfer: &mut Transfer, credit: &Credit) {
    transfer.asset = credit.asset.clone();
    transfer.decimals = credit.decimals;
    transfer.amount = credit.amount;
    transfer.dust = credit.dust;
    transfer.from_address.clone_from(&credit.from_address);
}

/// A transaction in the mempool has taken the place of every other unconfirmed one that spends
/// the same output. It never overrules a block: news of the mempool may be older than the block.
fn seen(ledger: &mut Ledger<'_>, credit: &Credit, seen_at: UnixMs, inputs: &[OutPoint]) {
    if let Some(transfer) = ledger.find(credit) {
        revive(transfer);
    } else if ledger.payment().is_watched_at(seen_at) && !ledger.is_further_dust(credit) {
        ledger.add(new_row(credit, seen_at, Place::Mempool));
    }
    for rival in ledger.spends(credit.txid, inputs) {
        replace_all_of(ledger, rival, credit.txid);
    }
}

fn replace_all_of(ledger: &mut Ledger<'_>, txid: TxId, by: TxId) {
    let takes_over = |first: &TxId| !ledger.pays_us(*first) && ledger.pays_us(by);
    let Some(first) = ledger.first_of(txid).map(|t| t.place) else {
        return;
    };
    let takes_over = replaced_by(&first).is_some_and(|first| takes_over(&first));
    ledger.each_of(txid, |t| replace(t, by, takes_over));
}

fn revive(transfer: &mut Transfer) {
    match transfer.place {
        Place::Evicted if planted(Bug::EvictedForgotten) => {}
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
fn replace(transfer: &mut Transfer, by: TxId, takes_over: bool) {
    let replaced = Place::Replaced {
        by,
        confirmed_in: None,
    };
    match transfer.place {
        Place::Mempool if planted(Bug::ReplacedStays) => {}
        Place::Mempool | Place::Evicted | Place::Orphaned => transfer.place = replaced,
        Place::Replaced {
            confirmed_in: None, ..
        } if takes_over => transfer.place = replaced,
        Place::Block(_) | Place::Replaced { .. } => {}
    }
}

fn conflict(transfer: &mut Transfer, by: TxId, block: BlockRef) {
    match transfer.place {
        Place::Block(_)
        | Place::Replaced {
            confirmed_in: Some(_),
            ..
        } => {}
        Place::Mempool | Place::Evicted | Place::Orphaned | Place::Replaced { .. } => {
            transfer.place = Place::Replaced {
                by,
                confirmed_in: Some(block),
            };
        }
    }
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
        evidence: credit.evidence,
        place,
        disposition: Disposition::Dust,
        first_seen_at: seen_at,
        first_block_at: None,
        inputs: Vec::new(),
    }
}

pub(super) const fn replaced_by(place: &Place) -> Option<TxId> {
    match place {
        Place::Replaced { by, .. } => Some(*by),
        Place::Mempool | Place::Block(_) | Place::Evicted | Place::Orphaned => None,
    }
}
