//! What is recorded of a payment's money: every true credit, nothing that is none, each where it truly
//! stands, and in time.

use super::{Settled, hash_text};
use crate::simulation::{
    clock,
    customers::Order,
    moments::past_ms,
    rows::{Shown, Transfer, scan_goal, untraced_at},
    truth::{Credit, Mined},
    world::Which,
};
use confirmd::domain::time::UnixMs;

/// Block times are whole seconds, rounded down.
const BLOCK_TIME_MS: i64 = 1_000;

/// As many rows as are kept of one address; further dust is one sum.
const MOST_ROWS: usize = 1_000;

/// Whether a transfer shows this credit.
pub(super) fn is_of(credit: &Credit, order: &Order, transfer: &Transfer) -> bool {
    credit.to == order.to
        && credit.position == transfer.position
        && credit.asset == transfer.asset
        && credit.amount == transfer.amount
}

/// Whether a transaction is dust at an address that has as many rows as are kept of one.
fn is_further_dust(order: &Order, credits: &[Credit], transfers: &[Transfer]) -> bool {
    let ours = credits.iter().filter(|credit| credit.to == order.to);
    let sum: u64 = ours.map(|credit| credit.amount).sum();
    transfers.len() >= MOST_ROWS && sum < order.dust()
}

impl Settled<'_> {
    /// Every transfer is a true credit, and stands where it truly stands.
    pub(super) fn nothing_invented(
        &self,
        order: &Order,
        transfers: &[Transfer],
    ) -> Result<(), String> {
        let truth = self.side.truth();
        for transfer in transfers {
            let txid = transfer.txid;
            let paying = truth.get(txid).ok_or("an unknown transaction")?;
            let place = truth.place(txid, &self.branch);
            let may_credit: Vec<&Vec<_>> = place.map_or_else(
                || {
                    let mined = paying.mined.iter().map(|mined| &mined.credits);
                    std::iter::once(&paying.credits).chain(mined).collect()
                },
                |mined| vec![&mined.credits],
            );
            let mut may_credit = may_credit.into_iter().flatten();
            let is_true = may_credit.any(|credit| is_of(credit, order, transfer));
            let is_void = place.is_some() && transfer.state != "confirmed";
            if !is_true && !is_void {
                return Err(format!("{} of {txid} is no true credit", transfer.position));
            }
            let truly = place.filter(|_| is_true);
            let truly = truly.map(|mined| hash_text(order.which, mined.block.id.hash));
            if transfer.block_hash != truly {
                let shown = &transfer.block_hash;
                return Err(format!("{txid} is in block {shown:?}, not {truly:?}"));
            }
            let is_known = self.side.has_unconfirmed(txid);
            let state_holds = match transfer.state.as_str() {
                "confirmed" => truly.is_some(),
                "mempool" => is_known,
                _ => truly.is_none() && !is_known,
            };
            if !state_holds {
                return Err(format!("{txid} is {}, wrongly", transfer.state));
            }
            if transfer.first_seen_at < truth.first_visible(txid, &order.to).0 - BLOCK_TIME_MS {
                return Err(format!("{txid} was seen before it existed"));
            }
        }
        Ok(())
    }

    /// Every true credit on the chain, from when the payment was to be looked for, is a transfer.
    pub(super) fn nothing_lost(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<(), String> {
        let begin = shown.created_at - past_ms(order.which);
        let begin = order.terms.scan_from.map_or(begin, |from| from.min(begin));
        for txid in self.side.truth().to(&order.to) {
            let Some(mined) = self.side.truth().place(*txid, &self.branch) else {
                continue;
            };
            if mined.block.time.0 < begin {
                continue;
            }
            // Visible in time, but to nobody: it is in a block from after the watch.
            let sight = self.case.world.sight(order.which);
            let is_unseen =
                |end: i64| mined.block.time.0 > end && sight.was_hindered_at(UnixMs(end));
            if shown.watch_until.is_some_and(is_unseen) {
                continue;
            }
            for credit in mined.credits.iter().filter(|credit| credit.to == order.to) {
                let mut of_tx = transfers.iter().filter(|transfer| transfer.txid == *txid);
                let is_there = of_tx.any(|transfer| is_of(credit, order, transfer));
                if credit.is_inner() && self.is_untraced(order, mined, shown) {
                    continue;
                }
                if !is_there && !is_further_dust(order, &mined.credits, transfers) {
                    return Err(format!(
                        "{} of {txid} in block {} of {} was lost; visible from {}, watched until {} or {:?}",
                        credit.position,
                        mined.block.id.height,
                        mined.block.time.0,
                        self.side.truth().first_visible(*txid, &order.to).0,
                        self.watch_end(order, shown),
                        shown.watch_until,
                    ));
                }
            }
        }
        Ok(())
    }

    /// What could not be overlooked in the node's mempool was seen there, and in time.
    pub(super) fn nothing_overlooked(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<(), String> {
        let truth = self.side.truth();
        for txid in truth.to(&order.to) {
            let seen = transfers.iter().find(|transfer| transfer.txid == *txid);
            let Some(paying) = truth.get(*txid) else {
                continue;
            };
            if seen.is_none() && is_further_dust(order, &paying.credits, transfers) {
                continue;
            }
            if seen.is_none() && self.side.has_unconfirmed(*txid) {
                return Err(format!("{txid} waits in the mempool, unseen"));
            }
            let was_registered = truth.first_visible(*txid, &order.to).0 >= shown.created_at;
            let plain_at = self.case.world.sight(order.which).plain_at(*txid);
            let Some(plain_at) = plain_at.filter(|_| was_registered) else {
                continue;
            };
            let seen = seen.ok_or_else(|| format!("{txid} was never seen in the mempool"))?;
            if seen.first_seen_at > plain_at.0 {
                let at = clock::shown(plain_at);
                return Err(format!("{txid} must have been seen at {at}"));
            }
        }
        Ok(())
    }

    /// Whether it is not known for certain what contracts moved in a block, and whoever may have lost by it is
    /// flagged; where a token is expected, nobody asks what contracts moved before the registration.
    fn is_untraced(&self, order: &Order, mined: &Mined, shown: &Shown) -> bool {
        let goal = scan_goal(self.case.db, &shown.id);
        let is_past = mined.block.id.height.0 <= goal || mined.block.time.0 <= shown.created_at;
        if order.asset != "ETH" && is_past {
            return true;
        }
        let until = untraced_at(self.case.db, Which::Ethereum);
        let is_lost = until.is_some_and(|until| mined.block.time.0 <= until);
        is_lost && (shown.is_degraded() || !shown.state.starts_with("expired"))
    }
}
