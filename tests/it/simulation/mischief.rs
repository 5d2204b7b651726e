//! Faults that draw from a source of their own, so that seeds that failed before they came stay
//! what they were: branches that come back, nodes that stray, outages of hours.

use super::{
    agenda::Action,
    plan::Faults,
    rows,
    run::Simulation,
    wire::{AmidWalk, Weather},
    world::{Side, Which},
};
use confirmd::{
    domain::block::{BlockRef, Height},
    random::Random,
};
use std::sync::Arc;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// What faults remember.
pub struct Mischief {
    pub(super) random: Random,
    /// What odd customers draw from.
    pub(super) customers: Random,
    /// What sends nodes to sync, stops tokens and breaks disks.
    pub(super) troubles: Random,
    /// What orders draw that ask for terms of their own.
    pub(super) terms: Random,
    /// What lets a second reorganisation come in the middle of a walk.
    pub(super) walks: Random,
    /// What makes operators misbehave.
    pub(super) operators: Random,
    /// Where the next commit is cut off.
    pub(super) trap: &'static str,
    /// Whether the disk was full when something was to be written.
    pub(super) disk_refused: bool,
    /// A head of each chain that will be the best one again.
    comes_back: [Option<BlockRef>; 2],
    /// Until when each node cannot be reached, whatever else happens to it.
    dark_until: [u64; 2],
}

impl Mischief {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed ^ 0x00dd_17e5),
            customers: Random::new(seed ^ 0x00dd_c057),
            troubles: Random::new(seed ^ 0x00dd_7b1e),
            terms: Random::new(seed ^ 0x00dd_7e55),
            walks: Random::new(seed ^ 0x00dd_a31d),
            operators: Random::new(seed ^ 0x00dd_09e7),
            trap: "",
            disk_refused: false,
            comes_back: [None; 2],
            dark_until: [0; 2],
        }
    }
}

fn index(which: Which) -> usize {
    match which {
        Which::Bitcoin => 0,
        Which::Ethereum => 1,
    }
}

impl Simulation {
    pub(super) fn mischief(&mut self, faults: &Faults, which: Which) {
        self.fall_back(which);
        if self.mischief.random.chance(faults.flip_flop) {
            self.flip(which);
        }
        if self.mischief.random.chance(faults.stray) {
            self.stray(which);
        }
        if self.mischief.walks.chance(faults.amid_walk) {
            self.reorg_amid_walk(which);
        }
        if self.mischief.random.chance(faults.long_outage) {
            self.note(format_args!("fault: long outage, it is {which:?}'s"));
            self.count("fault long_outage");
            let span = self.mischief.random.between(HOUR, 8 * HOUR);
            self.mischief.dark_until[index(which)] = self.stage.clock.elapsed_ms() + span;
            self.stage.shared.wire(which).weather = Weather::Down;
            self.plan_in(span, Action::Fair(which));
        }
    }

    /// The weather changes, unless a long outage goes on; whether it does.
    pub(super) fn turn(&mut self, which: Which, weather: Weather) -> bool {
        let is_possible = self.stage.clock.elapsed_ms() >= self.mischief.dark_until[index(which)];
        if is_possible {
            self.stage.shared.wire(which).weather = weather;
        }
        is_possible
    }

    /// Behind a balancer, a node that lags answers beside one that lags even more.
    fn fall_back(&mut self, which: Which) {
        if !self.mischief.random.chance(300) {
            return;
        }
        let by = u32::try_from(self.mischief.random.below(9)).unwrap();
        let now = self.stage.clock.truth();
        let mut world = self.stage.shared.world();
        let falls = world.odd_if(which, now, |side| side.fall_back(by));
        drop(world);
        if falls {
            self.count("fault fall_back");
            self.note(format_args!("{which:?} lags {by} blocks more"));
        }
    }

    /// Another branch is the best one for a while.
    fn flip(&mut self, which: Which) {
        let now = self.stage.clock.truth();
        let random = &mut self.mischief.random;
        let (depth, more) = (random.between(1, 6), random.below(2));
        let share = *random.pick(&[0, 500, 1000]).unwrap();
        let depth = u32::try_from(depth).unwrap();
        let grow = depth + u32::try_from(more).unwrap();
        {
            let mut world = self.stage.shared.world();
            if depth > world.side(which).loose_blocks() {
                return;
            }
            let side = world.odd_side(which, now);
            self.mischief.comes_back[index(which)] = Some(side.best());
            side.reorg(now, depth, grow, share);
        }
        self.note(format_args!(
            "fault: {which:?} leaves {depth} blocks for a while"
        ));
        let span = self.mischief.random.between(5_000, 15 * MINUTE);
        self.plan_in(span, Action::Return(which));
    }

    /// Blocks leave, and others leave while the daemon walks down to where the first ones did.
    fn reorg_amid_walk(&mut self, which: Which) {
        let now = self.stage.clock.truth();
        let random = &mut self.mischief.walks;
        let mut draw = |most| u32::try_from(random.between(1, most)).unwrap();
        let (depth, second, answers) = (draw(14), draw(18), draw(3));
        let share = *random.pick(&[0, 500, 1000]).unwrap();
        {
            let mut world = self.stage.shared.world();
            if depth > world.side(which).loose_blocks() {
                return;
            }
            let side = world.odd_side(which, now);
            side.reorg(now, depth, depth + 1, share);
        }
        self.note(format_args!(
            "fault: {which:?} leaves {depth} blocks, and {second} amid the walk"
        ));
        self.stage.shared.wire(which).amid_walk = Some(AmidWalk {
            answers,
            clock: Arc::clone(&self.stage.clock),
            depth: second,
            grow: second + 1,
            share: 1000 - share,
        });
    }

    /// A branch that was left is the best one again, unless something final would leave.
    pub(super) fn come_back(&mut self, which: Which) {
        let Some(head) = self.mischief.comes_back[index(which)].take() else {
            return;
        };
        let again = self.mischief.random.chance(400);
        let now = self.stage.clock.truth();
        {
            let mut world = self.stage.shared.world();
            let side = world.side(which);
            let may = side
                .fork_depth(head)
                .is_some_and(|depth| depth > 0 && depth <= side.loose_blocks());
            if self.settling || !may {
                return;
            }
            let side = world.odd_side(which, now);
            let left = side.best();
            side.return_to(head);
            self.mischief.comes_back[index(which)] = again.then_some(left);
        }
        self.count("fault flip_flop");
        self.note(format_args!("{which:?} is back at {}", head.id.height));
        if again {
            let span = self.mischief.random.between(5_000, 15 * MINUTE);
            self.plan_in(span, Action::Return(which));
        }
    }

    /// The node goes to a branch without a block that the daemon holds for final, and stays there
    /// until it catches up.
    fn stray(&mut self, which: Which) {
        let below = u32::try_from(self.mischief.random.between(1, 4)).unwrap();
        let share = *self.mischief.random.pick(&[0, 500, 1000]).unwrap();
        let span = self.mischief.random.between(30_000, 3 * HOUR);
        let now = self.stage.clock.truth();
        let scanned = rows::cursor(&self.stage.db, which);
        let finalized = rows::finalized(&self.stage.db, which);
        {
            let mut world = self.stage.shared.world();
            let side = world.side(which);
            let fork = finalized.and_then(|height| height.checked_sub(below));
            let is_at_tip = side.head() == side.best() && scanned == Some(side.head().id.hash);
            let Some(fork) = fork.filter(|_| is_at_tip) else {
                return;
            };
            world.odd_side(which, now).stray(now, Height(fork), share);
        }
        self.note(format_args!("fault: {which:?}'s node leaves a final block"));
        self.plan_in(span, Action::CatchUp(which));
    }

    /// The node hears of all that it missed.
    pub(super) fn catch_up(&mut self, which: Which) {
        let now = self.stage.clock.truth();
        let catches_up = |side: &mut dyn Side| {
            let before = side.head();
            side.catch_up();
            side.head() != before
        };
        let mut world = self.stage.shared.world();
        let missed = world.odd_if(which, now, catches_up);
        drop(world);
        if missed && rows::is_frozen(&self.stage.db, which) {
            self.count("fault stray");
        } else if missed {
            self.count("fault lag");
        }
    }
}
