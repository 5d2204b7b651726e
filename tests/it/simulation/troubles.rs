//! Further faults that draw from a source of their own: nodes that sync, tokens whose issuer stops
//! them, a disk that breaks, and more dust at one address than rows are kept for.

use super::{
    agenda::Action,
    customers::{Deed, Order},
    ethereum_intents::{account, contract_of},
    plan::Faults,
    run::Simulation,
    world::Which,
};
use confirmd::{crash, domain::facts::Destination, sandbox::ethereum::Change};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// More transactions than rows that are kept of one address.
const FLOOD: u64 = 1_060;

impl Simulation {
    pub(super) fn troubles(&mut self, faults: &Faults) {
        for which in Which::BOTH {
            if self.mischief.troubles.chance(faults.sync_trouble) {
                self.sync(which);
            }
        }
        if self.mischief.troubles.chance(faults.token_stop) {
            self.stop_token();
        }
        if self.mischief.troubles.chance(faults.broken_disk) {
            self.note("fault: the next commit finds a broken disk");
            crash::set_disk(crash::Disk::Broken);
        }
    }

    /// The node says that it is not done with its own network.
    fn sync(&mut self, which: Which) {
        self.note(format_args!("fault: {which:?}'s node syncs"));
        self.count("fault sync_trouble");
        self.stage.shared.world().side_mut(which).sync(true);
        let span = self.mischief.troubles.between(1_000, 90 * MINUTE);
        self.plan_in(span, Action::Synced(which));
    }

    /// A token's issuer stops it, or takes an account that is to be paid from it.
    fn stop_token(&mut self) {
        let span = self.mischief.troubles.between(MINUTE, 2 * HOUR);
        if self.mischief.troubles.chance(500) {
            let asset = *self.mischief.troubles.pick(&["USDT", "USDC"]).unwrap();
            self.note(format_args!("fault: {asset} stops"));
            self.count("fault token_pause");
            self.administer(asset, Change::Pause);
            self.plan_in(span, Action::TokenRuns(asset));
            return;
        }
        let open = |order: &&Order| order.asset == "USDC";
        let orders = self.stage.orders.values().filter(open);
        let mut orders: Vec<(&String, Destination)> =
            orders.map(|order| (&order.id, order.to)).collect();
        // The youngest, whose money may still come.
        orders.sort_by_key(|(id, _)| (id.len(), *id));
        let Some((id, to)) = orders.pop() else { return };
        let line = format!("fault: USDC takes {id}'s account from it");
        self.note(line);
        self.count("fault token_listing");
        self.administer("USDC", Change::Blacklist(account(&to)));
        self.plan_in(span, Action::Unlist(to));
    }

    fn administer(&mut self, asset: &str, change: Change) {
        let token = contract_of(asset).unwrap();
        let mut world = self.stage.shared.world();
        world.ethereum.administer(token, change);
    }

    pub(super) fn run_token(&mut self, asset: &str) {
        self.administer(asset, Change::Unpause);
    }

    pub(super) fn unlist(&mut self, to: &Destination) {
        self.administer("USDC", Change::Unblacklist(account(to)));
    }

    /// A commit found the disk broken: the daemon leaves, as it does not know what is on it.
    pub(super) fn leave_broken_disk(&mut self) {
        self.note("leaves a broken disk");
        self.count("fault broken_disk");
        crash::set_disk(crash::Disk::Sound);
        self.crash();
    }

    /// More dust than rows are kept for; and the customer pays.
    pub(super) fn dust_flood(&mut self) {
        let order = self.odd_order("BTC", None);
        self.count("oddity dust_flood");
        for _ in 0..FLOOD {
            let amount = self.mischief.customers.between(1, order.dust() - 1);
            self.odd_deed(&order, 12 * MINUTE, Deed::Pay { amount, parts: 1 });
        }
        let amount = order.amount;
        self.odd_deed(&order, 15 * MINUTE, Deed::Pay { amount, parts: 1 });
    }
}
