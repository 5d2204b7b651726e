//! The judge: small, slow, separate. From the whole true chain history it says where every
//! payment must be, and compares.

use super::{
    answers,
    checks::Told,
    clock,
    customers::{Order, decimals},
    ethereum_side::half,
    moments::past_ms,
    naive::{At, Books, Says, Truth as Verdict, Tx},
    plan::Plan,
    promises,
    rows::{Shown, Transfer, cursor, finalized, safe, transfers},
    truth::{Credit, Paying},
    world::{Side, Which, World},
};
use confirmd::{
    domain::{block::TxId, request::Request, time::UnixMs},
    sandbox::tree::Branch,
};
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::Arc,
};

/// Block times are whole seconds, rounded down.
const BLOCK_TIME_MS: i64 = 1_000;

/// As many rows as are kept of one address; further dust is one sum.
const MOST_ROWS: usize = 1_000;

/// What the judge is told beside the database.
pub struct Case<'a> {
    pub db: &'a Connection,
    pub world: &'a World,
    pub orders: &'a HashMap<String, Order>,
    pub inbox: &'a [Request],
    pub told: &'a BTreeMap<String, Told>,
    pub now: UnixMs,
    pub plan: &'a Plan,
}

/// One chain of it, when everything is scanned.
struct Settled<'a> {
    case: &'a Case<'a>,
    side: &'a dyn Side,
    branch: Arc<Branch>,
    finalized: u32,
    safe: u32,
}

/// How many payments were looked at, by what could be said of them.
#[derive(Debug, Default)]
pub struct Judged {
    /// They are where the truth puts them.
    pub compared: u64,
    /// People decided, and the chain alone does not say where they are.
    pub decided: u64,
    /// They are not, but their money moved when nobody had to watch any more.
    pub excused: u64,
}

/// Compares every payment with where the truth puts it, when faults have stopped and everything
/// is scanned.
pub fn settle(case: &Case<'_>) -> Result<Judged, String> {
    let mut judged = Judged::default();
    promises::nothing_twice(case.db)?;
    answers::are_right(case)?;
    for which in Which::BOTH {
        let side = case.world.side(which);
        let head = side.head().id.hash;
        if cursor(case.db, which) != Some(head) {
            return Err(format!(
                "{which:?}: the cursor is not at the node's head {head}"
            ));
        }
        let finalized = finalized(case.db, which).unwrap_or(0);
        let justified = final_heights(case.plan, side, which);
        if !justified.contains(&finalized) {
            return Err(format!(
                "{which:?}: {finalized} is final, not {justified:?}"
            ));
        }
        let safe = safe(case.db, which).unwrap_or(0);
        let justified = safe_heights(case.plan, side, which);
        if !justified.contains(&safe) {
            return Err(format!("{which:?}: {safe} is safe, not {justified:?}"));
        }
        let settled = Settled {
            case,
            side,
            branch: side.branch_to(head).unwrap(),
            finalized,
            safe,
        };
        settled.compare_all(which, &mut judged)?;
    }
    Ok(judged)
}

/// Whether a transfer shows this credit.
fn is_of(credit: &Credit, order: &Order, transfer: &Transfer) -> bool {
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
    fn compare_all(&self, which: Which, judged: &mut Judged) -> Result<(), String> {
        let sql = "SELECT * FROM v1_payment WHERE chain = ?";
        let mut statement = self.case.db.prepare(sql).unwrap();
        let rows = statement.query_map([which.name()], Shown::read).unwrap();
        for shown in rows.map(Result::unwrap) {
            let order = &self.case.orders[&shown.id];
            let transfers = transfers(self.case.db, &shown.id);
            let of_it = |why| format!("{}: {why}", shown.id);
            self.holds_together(order, &shown, &transfers)
                .map_err(of_it)?;
            match self.look_at(order, &shown, &transfers) {
                Ok(true) => judged.compared += 1,
                Ok(false) => judged.decided += 1,
                Err(_) if self.moved_after_watch(order, &shown) => judged.excused += 1,
                Err(_) if self.was_blind_in_the_end(order, &shown) => judged.excused += 1,
                Err(why) => return Err(of_it(why)),
            }
        }
        Ok(())
    }

    /// What a payment owes whatever happens: its terms, sums, and nothing that nobody ever paid.
    fn holds_together(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<(), String> {
        promises::is_promised(self.case, order, shown)?;
        promises::adds_up(self.case, order, shown, transfers)?;
        for transfer in transfers {
            let paying = self.side.truth().get(transfer.txid);
            let paying = paying.ok_or("an unknown transaction")?;
            let mined = paying.mined.iter().flat_map(|mined| &mined.credits);
            let mut ever = mined.chain(&paying.credits);
            if !ever.any(|credit| is_of(credit, order, transfer)) {
                let (position, txid) = (&transfer.position, transfer.txid);
                return Err(format!("{position} of {txid} was never credited"));
            }
        }
        Ok(())
    }

    /// Whether a payment is where the truth puts it; false when people decided.
    fn look_at(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<bool, String> {
        self.nothing_invented(order, transfers)?;
        self.nothing_lost(order, shown, transfers)?;
        self.nothing_overlooked(order, shown, transfers)?;
        self.compare(order, shown, transfers)
    }

    /// Whether its money truly moved when the address had not to be watched any more: nobody says
    /// then what must be recorded of it. New money before that end puts the end off.
    fn moved_after_watch(&self, order: &Order, shown: &Shown) -> bool {
        let end = self.watch_end(order, shown);
        self.paying(order).into_iter().any(|paying| {
            let mut mined = paying.mined.iter();
            paying.visible_at.0 > end || mined.any(|mined| mined.block.time.0 > end)
        })
    }

    /// Whether nobody could see how its money stood when the address had not to be watched any
    /// more.
    fn was_blind_in_the_end(&self, order: &Order, shown: &Shown) -> bool {
        let sight = self.case.world.sight(order.which);
        let ends = [Some(self.watch_end(order, shown)), shown.watch_until];
        let mut ends = ends
            .into_iter()
            .flatten()
            .filter(|end| *end < self.case.now.0);
        ends.any(|end| sight.was_blind_at(UnixMs(end)))
    }

    /// What pays an order, by when it could be seen first.
    fn paying(&self, order: &Order) -> Vec<&Paying> {
        let truth = self.side.truth();
        let paying = truth.to(&order.to).iter();
        let mut paying: Vec<&Paying> = paying.filter_map(|txid| truth.get(*txid)).collect();
        paying.sort_by_key(|paying| paying.visible_at);
        paying
    }

    /// When an address had to be watched no more, as far as its money says.
    fn watch_end(&self, order: &Order, shown: &Shown) -> i64 {
        let paying = self.paying(order);
        let watched = i64::try_from(self.case.plan.watch_after_close_ms).unwrap();
        let mut end = shown.expires_at + watched;
        // Money that comes or moves puts the end off.
        let mined = paying.iter().flat_map(|paying| &paying.mined);
        let mined = mined.map(|mined| mined.block.time.0);
        let came = paying.iter().map(|paying| paying.visible_at.0);
        let mut moves: Vec<i64> = mined.chain(came).collect();
        moves.sort_unstable();
        for at in moves {
            if at <= end {
                end = end.max(at + watched);
            }
        }
        end
    }

    /// Every transfer is a true credit, and stands where it truly stands.
    fn nothing_invented(&self, order: &Order, transfers: &[Transfer]) -> Result<(), String> {
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
    fn nothing_lost(
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
    fn nothing_overlooked(
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

    /// Whether the payment is where the naive judge puts it; false when the chain alone cannot
    /// say, because people decided.
    fn compare(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
    ) -> Result<bool, String> {
        let told = self.case.told.get(&shown.id).cloned().unwrap_or_default();
        if told.decided {
            return Ok(false);
        }
        // Blocks of branches that were left may never have been seen: a payment is as old as the
        // earliest block that was.
        let blocks = |transfer: &Transfer| {
            let paying = self.side.truth().get(transfer.txid);
            paying.map_or(0, |paying| paying.mined.len())
        };
        let most = transfers.iter().map(blocks).max().unwrap_or(0);
        let mut judged = (0..=most).map(|unseen| {
            let mut books = self.books(order, shown, transfers, unseen);
            (books.ever_paid, books.expired, books.canceled) =
                (told.ever_paid, told.expired, told.canceled);
            books.judge()
        });
        let found = Verdict {
            // Who cancelled is not on the chain.
            state: shown.state.replace("canceled/gateway", "canceled/operator"),
            received: shown.received,
            counted: shown.counted,
            surplus: shown.surplus,
            is_final: shown.is_final,
        };
        let first = judged.next().unwrap();
        if first == found || judged.any(|verdict| verdict == found) {
            return Ok(true);
        }
        Err(format!("is {found:?}, but the judge says {first:?}"))
    }

    fn books(&self, order: &Order, shown: &Shown, transfers: &[Transfer], unseen: usize) -> Books {
        let txids: BTreeSet<TxId> = transfers.iter().map(|transfer| transfer.txid).collect();
        let txs = txids.into_iter().filter_map(|txid| {
            let tx = self.transaction(order, txid, transfers, unseen)?;
            Some((txid.to_string(), tx))
        });
        Books {
            expected: order.amount,
            tolerated: shown.allowed,
            dust: order.dust(),
            sum_policy: shown.policy == "sum",
            depth: shown.required,
            // Where nobody names them, the depth at which a block is final says both.
            says: match shown.rule.as_str() {
                "safe" => Says::Safe,
                "finalized" => Says::Final,
                _ => Says::Count,
            },
            safe: self.safe,
            deadline: shown.expires_at + shown.grace,
            late_accept: shown.late_accept,
            timeout: i64::try_from(self.case.plan.confirm_timeout_ms).unwrap(),
            txs: txs.collect(),
            tip: self.branch.height().0,
            finalized: self.finalized,
            now: self.judged_at(order.which),
            ..Books::default()
        }
    }

    /// On Ethereum nobody is judged beyond the time of the last block.
    fn judged_at(&self, which: Which) -> i64 {
        let now = self.case.now.0;
        match which {
            Which::Bitcoin => now,
            Which::Ethereum => self.side.head().time.0.min(now),
        }
    }

    fn transaction(
        &self,
        order: &Order,
        txid: TxId,
        transfers: &[Transfer],
        unseen: usize,
    ) -> Option<Tx> {
        let truth = self.side.truth();
        let of_tx = transfers.iter().filter(|transfer| transfer.txid == txid);
        let first = of_tx.clone().next()?;
        let place = truth.place(txid, &self.branch);
        let pays = |mined: &super::truth::Mined| mined.credits.iter().any(|c| c.to == order.to);
        let at = match place {
            Some(mined) if pays(mined) => At::Block(mined.block.id.height.0),
            Some(_) => At::Evicted,
            None if self.side.has_unconfirmed(txid) => At::Mempool,
            None => match truth.confirmed_rival(txid, &self.branch) {
                Some(height) => At::Conflicted(Some(height.0)),
                None => At::Evicted,
            },
        };
        let time = |mined: &super::truth::Mined| mined.block.time.0;
        let mut times: Vec<i64> = truth.get(txid)?.mined.iter().map(time).collect();
        times.sort_unstable();
        let seen = times.get(unseen).copied().into_iter();
        let block_at = seen.chain(place.map(time)).min();
        let right_asset = first.asset == order.asset;
        // A contract may pay at other positions in another block: the old ones stand nowhere.
        let amount = place.filter(|mined| pays(mined)).map_or_else(
            || of_tx.clone().map(|transfer| transfer.amount).sum(),
            |mined| {
                let ours = mined.credits.iter().filter(|credit| credit.to == order.to);
                ours.map(|credit| credit.amount).sum::<u64>()
            },
        );
        let is_wrong_dust = amount < 10_u64.pow(decimals(&first.asset) / 2);
        Some(Tx {
            // Only whether there is some of a wrong asset matters, not how much.
            sats: match right_asset {
                true => amount,
                false if is_wrong_dust => 0,
                false => u64::MAX / 4,
            },
            right_asset,
            at,
            index: place.map_or(0, |mined| mined.index),
            since: block_at.map_or(first.first_seen_at, |at| at.min(first.first_seen_at)),
            seen: first.first_seen_at,
            was_mined: first.state == "orphaned",
        })
    }
}

/// What may be final: as deep below the head as it was promised, or below the highest block that
/// there ever was, since what was final stays so.
fn final_heights(plan: &Plan, side: &dyn Side, which: Which) -> RangeInclusive<u32> {
    let by_depth = u32::try_from(plan.final_depth).unwrap();
    let depth = match which {
        Which::Bitcoin => by_depth,
        Which::Ethereum => plan.tags.unwrap_or(by_depth),
    };
    side.head().id.height.minus(depth).0..=side.final_height().0
}

/// What may be called safe: what nodes named last, and nothing that they never named.
fn safe_heights(plan: &Plan, side: &dyn Side, which: Which) -> RangeInclusive<u32> {
    match (which, plan.tags) {
        (Which::Ethereum, Some(depth)) => {
            side.head().id.height.minus(half(depth)).0..=side.safe_height().0
        }
        (Which::Ethereum | Which::Bitcoin, _) => 0..=0,
    }
}

fn hash_text(which: Which, hash: confirmd::domain::block::BlockHash) -> String {
    match which {
        Which::Bitcoin => hash.to_string(),
        Which::Ethereum => format!("0x{hash}"),
    }
}
