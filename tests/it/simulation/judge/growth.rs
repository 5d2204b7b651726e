//! Ether that contracts gave where only balances tell it: whatever came in time is shown to a person, nothing is
//! shown that did not come, and none of it is money by itself.

use super::{Settled, hash_text};
use crate::simulation::{
    customers::Order,
    moments::past_ms,
    naive::Truth as Verdict,
    providers::Tracing,
    rows::{Shown, Transfer},
};
use confirmd::domain::block::{Height, TxId};

/// What is known of a payment's growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// None is there.
    None,
    /// Some is there: until a person has looked, nobody is told that too little came.
    Shown,
}

impl Growth {
    /// Whether a payment may stand here, though the judge says this of its proven money.
    pub fn holds(self, found: &Verdict, judged: &Verdict) -> bool {
        let status = |verdict: &Verdict| verdict.state.split('/').next().unwrap().to_owned();
        let waits = match (status(judged).as_str(), status(found).as_str()) {
            ("expired", "new") | ("invalid", "new" | "confirming") => true,
            ("invalid", "canceled") => judged.state == "invalid/after_cancel",
            _ => false,
        };
        let state = found.state.clone();
        let same = Verdict {
            state,
            ..judged.clone()
        };
        self == Self::Shown && waits && *found == same
    }
}

impl Settled<'_> {
    /// Checks what is shown of a payment's growth.
    pub(super) fn growth(
        &self,
        order: &Order,
        shown: &Shown,
        grown: &[Transfer],
        proven: &[Transfer],
    ) -> Result<Growth, String> {
        let told = self.case.told.get(&shown.id);
        let is_looked_at = told.is_some_and(|told| told.looked_at || told.decided);
        let mut live: Vec<(u32, &Transfer)> = Vec::new();
        for row in grown.iter().filter(|row| row.state == "confirmed") {
            let height = row.position.trim_start_matches("balance:");
            live.push((height.parse().unwrap(), row));
        }
        live.sort_by_key(|(height, _)| *height);
        self.is_true(order, &live, proven)?;
        let is_money = |row: &&Transfer| row.disposition != "dust";
        if let Some(row) = grown.iter().find(is_money).filter(|_| !is_looked_at) {
            return Err(format!("{} is {}", row.position, row.disposition));
        }
        let is_shown = shown.needs_review && shown.is_degraded();
        if !live.is_empty() && !is_looked_at && !is_shown {
            return Err("nobody is told that its balance grew".to_owned());
        }
        let is_unjudged = ["new", "expired"]
            .iter()
            .any(|it| shown.state.starts_with(it));
        let sum = self.given_in_time(order, shown);
        if live.is_empty() && is_unjudged && !is_looked_at && !is_shown && sum >= order.dust() {
            return Err(format!(
                "{sum} that a contract gave in time are shown to nobody"
            ));
        }
        Ok(if live.is_empty() {
            Growth::None
        } else {
            Growth::Shown
        })
    }

    /// Nothing is shown that nobody gave up to that block beside what is recorded. After a reorganisation a
    /// balance may be compared with one from before the payment began, and shows what came between.
    fn is_true(
        &self,
        order: &Order,
        live: &[(u32, &Transfer)],
        proven: &[Transfer],
    ) -> Result<(), String> {
        // Who refuses every trace for a minute is asked for balances until it tells them again.
        let by_balance = self.case.plan.providers.tracing != Tracing::Told;
        let mut sum = 0;
        for (height, row) in live {
            let block = self.branch.at(Height(*height));
            let block = block.map(|hash| hash_text(order.which, hash));
            sum += row.amount;
            let given = self.side.truth().given(&order.to).iter();
            let given = given
                .filter(|(block, _)| self.branch.holds(*block) && block.id.height.0 <= *height);
            let given: u64 = given.map(|(_, amount)| amount).sum();
            let given = given + self.unrecorded(order, *height, proven);
            if !by_balance || row.asset != "ETH" || row.block_hash != block || sum > given {
                return Err(format!(
                    "{} says {}, {sum} in all, and {given} came",
                    row.position, row.amount
                ));
            }
        }
        Ok(())
    }

    /// What came in ether up to a block in transactions that are not recorded.
    fn unrecorded(&self, order: &Order, height: u32, proven: &[Transfer]) -> u64 {
        let truth = self.side.truth();
        let is_recorded = |txid: TxId| proven.iter().any(|transfer| transfer.txid == txid);
        let others = truth
            .to(&order.to)
            .iter()
            .filter(|txid| !is_recorded(**txid));
        let mined = others.filter_map(|txid| truth.place(*txid, &self.branch));
        let below = mined.filter(|mined| mined.block.id.height.0 <= height);
        let credits = below.flat_map(|mined| &mined.credits);
        let ours = credits.filter(|credit| credit.to == order.to && credit.asset == "ETH");
        ours.map(|credit| credit.amount).sum()
    }

    /// What contracts gave between the beginning of a payment in ether and its deadline.
    fn given_in_time(&self, order: &Order, shown: &Shown) -> u64 {
        if order.asset != "ETH" {
            return 0;
        }
        let begin = shown.created_at - past_ms(order.which);
        let times = begin..=shown.expires_at + shown.grace;
        let given = self.side.truth().given(&order.to).iter();
        let in_time =
            given.filter(|(block, _)| self.branch.holds(*block) && times.contains(&block.time.0));
        in_time.map(|(_, amount)| amount).sum()
    }
}
