//! Until when an address had to be watched, and what nobody could see of it in the end.

use super::Settled;
use crate::simulation::{customers::Order, rows::Shown, truth::Paying};
use confirmd::domain::time::UnixMs;

impl Settled<'_> {
    /// Whether its money truly moved when the address had not to be watched any more: nobody says
    /// then what must be recorded of it. New money before that end puts the end off.
    pub(super) fn moved_after_watch(&self, order: &Order, shown: &Shown) -> bool {
        let end = self.watch_end(order, shown);
        self.paying(order).into_iter().any(|paying| {
            let mut mined = paying.mined.iter();
            paying.visible_at.0 > end || mined.any(|mined| mined.block.time.0 > end)
        })
    }

    /// Whether nobody could see how its money stood when the address had not to be watched any
    /// more.
    pub(super) fn was_blind_in_the_end(&self, order: &Order, shown: &Shown) -> bool {
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
    pub(super) fn watch_end(&self, order: &Order, shown: &Shown) -> i64 {
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
}
