//! Where a payment stands: what the naive judge says of its true money, and what is shown.

use super::{Settled, growth::Growth};
use crate::simulation::{
    customers::{Order, decimals},
    naive::{At, Books, Says, Truth as Verdict, Tx},
    rows::{Shown, Transfer},
    truth::Mined,
    world::Which,
};
use confirmd::domain::block::TxId;
use std::collections::BTreeSet;

impl Settled<'_> {
    /// Whether the payment is where the naive judge puts it; false when the chain alone cannot
    /// say, because people decided.
    pub(super) fn compare(
        &self,
        order: &Order,
        shown: &Shown,
        transfers: &[Transfer],
        growth: Growth,
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
        let fits = |verdict: &Verdict| *verdict == found || growth.holds(&found, verdict);
        if fits(&first) || judged.any(|verdict| fits(&verdict)) {
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
            safe: self.heights.safe,
            deadline: shown.expires_at + shown.grace,
            late_accept: shown.late_accept,
            timeout: i64::try_from(self.case.plan.confirm_timeout_ms).unwrap(),
            txs: txs.collect(),
            tip: self.branch.height().0,
            finalized: self.heights.finalized,
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
        let pays = |mined: &Mined| mined.credits.iter().any(|c| c.to == order.to);
        let at = match place {
            Some(mined) if pays(mined) => At::Block(mined.block.id.height.0),
            Some(_) => At::Evicted,
            None if self.side.has_unconfirmed(txid) => At::Mempool,
            None => match truth.confirmed_rival(txid, &self.branch) {
                Some(height) => At::Conflicted(Some(height.0)),
                None => At::Evicted,
            },
        };
        let time = |mined: &Mined| mined.block.time.0;
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
