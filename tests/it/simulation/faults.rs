//! The faults of a simulation: what is drawn each minute, and how each of them ends.

use super::{
    agenda::Action,
    lie::Lie,
    plan::Faults,
    run::{FAULT_MS, Simulation},
    stage::COMMIT_POINTS,
    wire::Weather,
    world::{Forgetting, Which},
};
use confirmd::crash::{self, Disk};

const MINUTE: u64 = 60_000;
/// A reorganisation is deep from here on.
const DEEP: u32 = 7;

impl Simulation {
    /// Ends a fault whose time is over.
    pub(super) fn heal(&mut self, action: &Action) {
        if !matches!(action, Action::Truth(_)) {
            self.note(format_args!("healed: {action:?}"));
        }
        match action {
            Action::Fair(which) => {
                self.turn(*which, Weather::Fair);
            }
            Action::Truth(which) => self.end_lie_that_was_told(*which),
            Action::CatchUp(which) => self.catch_up(*which),
            Action::Return(which) => self.come_back(*which),
            Action::ClockRight => self.stage.clock.skew(0),
            Action::DiskFree => {
                crash::set_disk(Disk::Sound);
                if std::mem::take(&mut self.mischief.disk_refused) {
                    self.count("fault full_disk");
                }
            }
            Action::MempoolLoaded => {
                self.forget(Forgetting::NoMore);
            }
            Action::Synced(which) => self.stage.shared.world().side_mut(*which).sync(false),
            Action::TokenRuns(asset) => self.run_token(asset),
            Action::Unlist(to) => self.unlist(to),
            Action::Behaves => self.behave(),
            Action::TracesCome => self.trace_again(),
            Action::TokenFeeOff => self.stage.shared.world().ethereum.set_fee(false),
            Action::Tick
            | Action::ReadInbox
            | Action::Mine(_)
            | Action::Order
            | Action::Deed(_)
            | Action::Faults
            | Action::DustFlood
            | Action::Hear(_)
            | Action::SendAgain(_)
            | Action::Restart => {}
        }
    }

    pub(super) fn draw_faults(&mut self) {
        if self.settling {
            return;
        }
        self.plan_in(FAULT_MS, Action::Faults);
        let faults = self.plan.faults.clone();
        for which in Which::BOTH {
            self.chain_faults(&faults, which);
            self.wire_faults(&faults, which);
            self.lie(&faults, which);
            self.mischief(&faults, which);
        }
        self.mempool_faults(&faults);
        self.process_faults(&faults);
        self.odd_customers(faults.oddity);
        self.troubles(&faults);
        self.misname(&faults);
        self.operators(&faults);
        if self.happens(faults.token_fee, "token_fee") {
            self.count("fault token_fee");
            self.stage.shared.world().ethereum.set_fee(true);
            self.heals_within(6 * 60 * MINUTE, Action::TokenFeeOff);
        }
    }

    fn happens(&mut self, per_mille: u64, name: &str) -> bool {
        let happens = self.random.chance(per_mille);
        if happens {
            self.note(format_args!("fault: {name}"));
        }
        happens
    }

    fn heals_within(&mut self, ms: u64, action: Action) {
        let span = self.random.between(1_000, ms);
        self.plan_in(span, action);
    }

    fn chain_faults(&mut self, faults: &Faults, which: Which) {
        let loose = self.stage.shared.world().side(which).loose_blocks();
        if loose > 0 && self.happens(faults.reorg, "reorg") {
            self.reorg(which, loose.min(6), true);
        } else if loose > 0 && self.happens(faults.deep_reorg, "deep_reorg") {
            self.reorg(which, loose.min(150), true);
        } else if loose > 0 && self.happens(faults.rollback, "rollback") {
            self.reorg(which, loose.min(3), false);
        }
        if self.happens(faults.lag, "lag") {
            self.note(format_args!("it is {which:?}'s"));
            self.stage.shared.world().side_mut(which).lag();
            self.heals_within(60 * MINUTE, Action::CatchUp(which));
        }
    }

    fn reorg(&mut self, which: Which, deepest: u32, comes_more: bool) {
        let now = self.stage.clock.truth();
        let depth = u32::try_from(self.random.between(1, deepest.into())).unwrap();
        let more = u32::try_from(self.random.below(2)).unwrap();
        let grow = if comes_more { depth + more } else { 0 };
        let share = *self.random.pick(&[0, 500, 900, 1000]).unwrap();
        self.note(format_args!("{which:?}: {depth} blocks leave, {grow} come"));
        match (comes_more, depth < DEEP) {
            (true, true) => self.count("fault reorg"),
            (true, false) => self.count("fault deep_reorg"),
            (false, _) => self.count("fault rollback"),
        }
        let mut world = self.stage.shared.world();
        world.odd_side(which, now).reorg(now, depth, grow, share);
    }

    fn wire_faults(&mut self, faults: &Faults, which: Which) {
        for (per_mille, name, weather) in [
            (faults.outage, "outage", Weather::Down),
            (faults.slow, "slow", Weather::Slow),
            (faults.noise, "noise", Weather::Noisy),
        ] {
            if self.happens(per_mille, name) {
                self.note(format_args!("it is {which:?}'s"));
                if self.turn(which, weather) {
                    self.count(&format!("fault {name}"));
                }
                self.heals_within(40 * MINUTE, Action::Fair(which));
            }
        }
    }

    /// A lying node.
    fn lie(&mut self, faults: &Faults, which: Which) {
        if !self.liar.chance(faults.lie) {
            return;
        }
        self.end_lie(which);
        let lie = Lie::draw(which, &mut self.liar);
        self.note(format_args!("fault: lie, {lie:?}"));
        self.stage.shared.wire(which).lie = Some(lie);
        let span = self.liar.between(1_000, 8 * MINUTE);
        self.plan_in(span, Action::Truth(which));
    }

    /// Many lies are about something that comes seldom.
    fn end_lie_that_was_told(&mut self, which: Which) {
        let waits = self
            .stage
            .shared
            .wire(which)
            .lie
            .as_ref()
            .is_some_and(|lie| !lie.told);
        if self.settling || !waits {
            self.end_lie(which);
        } else {
            self.plan_in(8 * MINUTE, Action::Truth(which));
        }
    }

    fn end_lie(&mut self, which: Which) {
        let lie = self.stage.shared.wire(which).lie.take();
        if lie.is_some() {
            self.note(format_args!("healed: Truth({which:?})"));
        }
        if let Some(lie) = lie.filter(|lie| lie.told) {
            self.count(&format!("fault {}", lie.name()));
        }
    }

    fn mempool_faults(&mut self, faults: &Faults) {
        if self.happens(faults.eviction, "eviction") && self.forget(Forgetting::One) {
            self.count("fault eviction");
        }
        if self.happens(faults.mempool_loss, "mempool_loss") {
            if self.forget(Forgetting::Everything) {
                self.count("fault mempool_loss");
            }
            self.heals_within(10 * MINUTE, Action::MempoolLoaded);
        }
    }

    fn process_faults(&mut self, faults: &Faults) {
        if self.happens(faults.crash, "crash") {
            if self.stage.system.is_some() {
                self.count("fault crash");
            }
            if self.random.chance(300)
                && let Some(system) = self.stage.system.take()
            {
                system.close().unwrap();
            }
            self.crash();
        }
        if self.happens(faults.crash_in_commit, "trap") {
            self.mischief.trap = self.random.pick(&COMMIT_POINTS).unwrap();
            crash::unwind_at(self.mischief.trap);
        }
        if self.happens(faults.clock_jump, "clock_jump") {
            // Bitcoin's block times say nothing of less than two hours.
            let by = self.random.between(3 * 60 * MINUTE, 24 * 60 * MINUTE);
            let by = i64::try_from(by).unwrap();
            let by = if self.random.chance(500) { by } else { -by };
            self.stage.clock.skew(by);
            if self.stage.system.is_some() {
                self.count("fault clock_jump");
            }
            self.heals_within(60 * MINUTE, Action::ClockRight);
        }
        if self.happens(faults.full_disk, "full_disk") {
            crash::set_disk(Disk::Full);
            self.heals_within(20 * MINUTE, Action::DiskFree);
        }
    }

    /// A commit was cut off.
    pub(super) fn count_trap(&mut self) {
        self.count(&format!("fault crash_in_commit {}", self.mischief.trap));
    }
}
