//! One simulation: an agenda of what happens when, the system that lives through it, and the
//! checks after every step.

use super::{
    agenda::{Action, Agenda},
    clock::SimClock,
    customers::Deed,
    judge,
    mischief::Mischief,
    plan::Plan,
    publisher::Publisher,
    rows,
    stage::Stage,
    story,
    system::{Handled, System},
    wire::{Shared, Weather},
    world::{Forgetting, Side as _, Which},
};
use confirmd::{
    crash::{self, Disk},
    domain::block::TxId,
    random::Random,
    watcher::Input,
};
use std::{
    collections::{BTreeMap, HashMap},
    future::Future as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    task::Poll,
};
use tokio::time::sleep_until;

/// How often the watcher is told that time passed.
const TICK_MS: u64 = 5_000;
/// How often faults are drawn.
pub(super) const FAULT_MS: u64 = 60_000;

/// A quiet time, in which everything is polled several times.
const QUIET_MS: u64 = 800_000;

/// What came of a seed.
#[derive(Debug, Default)]
pub struct Report {
    pub coverage: BTreeMap<String, u64>,
    pub orders: u64,
    /// Payments that are where the judge puts them.
    pub compared: u64,
    /// Those that people decided.
    pub decided: u64,
    /// Those whose money moved after their watch.
    pub excused: u64,
    /// Stands for the whole journal, but for the ids of its events.
    pub journal: u64,
    pub blocks: u64,
    pub exchanges: u64,
}

pub struct Simulation {
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    pub(super) random: Random,
    /// What nodes that lie draw from.
    pub(super) liar: Random,
    pub(super) mischief: Mischief,
    pub(super) publisher: Publisher,
    pub(super) agenda: Agenda,
    pub(super) deeds: Vec<(String, Deed)>,
    pub(super) last_paid: HashMap<String, TxId>,
    /// What happened, to be read when something is wrong.
    pub(super) trace: Vec<String>,
    pub(super) settling: bool,
    pub(super) report: Report,
}

impl Simulation {
    /// Lives through a seed's plan; what went wrong, with the story of it.
    pub async fn run(plan: Plan, dir: PathBuf) -> Result<Report, String> {
        let mut simulation = Self::new(plan, dir);
        match simulation.live_or_panic().await {
            Ok(()) => Ok(simulation.report),
            Err(why) => Err(simulation.tell(&why)),
        }
    }

    /// A panic is something that went wrong, too.
    async fn live_or_panic(&mut self) -> Result<(), String> {
        let mut life = Box::pin(self.live());
        std::future::poll_fn(|context| {
            let step = AssertUnwindSafe(|| life.as_mut().poll(context));
            catch_unwind(step).unwrap_or_else(|cause| {
                Poll::Ready(Err(format!("panicked: {}", story::words(&*cause))))
            })
        })
        .await
    }

    pub(super) fn new(plan: Plan, dir: PathBuf) -> Self {
        let clock = Arc::new(SimClock::start());
        let mut random = Random::new(plan.seed ^ 0x00c0_ffee);
        let shared = Shared::draw(&plan, &mut random, clock.truth());
        let publisher = Publisher::new(plan.seed, &shared.world().bitcoin);
        let genesis = shared.world().ethereum.genesis();
        let config = plan.config(&dir, genesis);
        Self {
            stage: Stage::open(&config, dir, clock, shared),
            liar: Random::new(plan.seed ^ 0x11a5),
            mischief: Mischief::new(plan.seed),
            publisher,
            plan,
            random,
            agenda: Agenda::default(),
            deeds: Vec::new(),
            last_paid: HashMap::new(),
            trace: Vec::new(),
            settling: false,
            report: Report::default(),
        }
    }

    pub(super) fn plan_in(&mut self, ms: u64, action: Action) {
        self.agenda.plan(self.stage.clock.elapsed_ms() + ms, action);
    }

    async fn live(&mut self) -> Result<(), String> {
        self.begin();
        self.until(self.plan.span_ms).await?;
        assert!(self.plan.fails_with != Some("panic"), "on purpose");
        self.settle().await?;
        match self.plan.fails_with {
            Some(fault) if self.report.coverage.contains_key(&format!("fault {fault}")) => {
                Err(format!("{fault} happened"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Everything that goes on by itself.
    pub(super) fn begin(&mut self) {
        let heard = if self.plan.publishes { "heard" } else { "none" };
        self.count(&format!("publisher {heard}"));
        for name in self.plan.providers.names() {
            self.count(&format!("providers {name}"));
        }
        let first = [Action::Tick, Action::Order, Action::Faults];
        let mining = Which::BOTH.map(Action::Mine);
        for action in first.into_iter().chain(mining) {
            self.plan_in(1, action);
        }
        if self.plan.dust_flood {
            let at = self.mischief.troubles.below(self.plan.span_ms);
            self.plan_in(at, Action::DustFlood);
        }
    }

    /// Faults stop; after some blocks and polls everything must be where the judge puts it.
    async fn settle(&mut self) -> Result<(), String> {
        self.note("faults stop");
        self.settling = true;
        crash::disarm();
        crash::set_disk(Disk::Sound);
        self.stage.clock.skew(0);
        for which in Which::BOTH {
            self.stage.shared.wire(which).weather = Weather::Fair;
            self.stage.shared.wire(which).lie = None;
            self.stage.shared.wire(which).amid_walk = None;
            self.stage.shared.world().side_mut(which).catch_up();
            self.stage.shared.world().side_mut(which).sync(false);
        }
        self.behave();
        self.trace_again();
        self.forget(Forgetting::NoMore);
        if self.stage.system.is_none() {
            self.restart();
        }
        for _ in 0..3 {
            self.until(self.stage.clock.elapsed_ms() + QUIET_MS).await?;
            for which in Which::BOTH {
                self.mine_beyond(which);
            }
        }
        // Long enough for polls, too short for an Ethereum head to grow old.
        self.until(self.stage.clock.elapsed_ms() + 130_000).await?;
        self.judge()
    }

    fn judge(&mut self) -> Result<(), String> {
        let world = self.stage.shared.world();
        let case = judge::Case {
            db: &self.stage.db,
            world: &world,
            orders: &self.stage.orders,
            inbox: &self.stage.inbox,
            told: &self.stage.reader.told,
            now: self.stage.clock.truth(),
            plan: &self.plan,
        };
        self.stage.reader.reread(&self.stage.db)?;
        let judged = judge::settle(&case)?;
        self.report.compared = judged.compared;
        self.report.journal = self.stage.reader.journal;
        self.report.decided = judged.decided;
        self.report.excused = judged.excused;
        for which in Which::BOTH {
            self.report.blocks += u64::from(world.side(which).head().id.height.0);
            let wire = self.stage.shared.wire(which);
            self.report.exchanges += wire.exchanges;
            let amid = "fault amid_walk".to_owned();
            *self.report.coverage.entry(amid).or_default() += wire.amid_walks;
        }
        self.report.orders = u64::try_from(self.stage.orders.len()).unwrap();
        for (what, times) in &self.stage.reader.coverage {
            *self.report.coverage.entry(what.clone()).or_default() += times;
        }
        let registered: i64 = self
            .stage
            .db
            .query_row("SELECT count(*) FROM v1_request", [], |row| row.get(0))
            .unwrap();
        let asked = i64::try_from(self.stage.inbox.len()).unwrap();
        if registered != asked {
            return Err(format!("{asked} requests have {registered} outcomes"));
        }
        Ok(())
    }

    /// Lets time pass up to this moment: inputs are handled as they come, actions as they are due.
    pub(super) async fn until(&mut self, end_ms: u64) -> Result<(), String> {
        loop {
            let next_ms = self.agenda.next_ms().unwrap_or(u64::MAX);
            match self.stage.input_before(next_ms.min(end_ms)).await {
                Some(message) => self.give(&message.input).await?,
                None if next_ms > end_ms => return Ok(()),
                None => {
                    let Some(action) = self.agenda.take() else {
                        return Ok(());
                    };
                    self.act(action).await?;
                }
            }
        }
    }

    /// Gives the system an input until it is committed or the system is gone.
    async fn give(&mut self, input: &Input) -> Result<(), String> {
        while self.stage.system.is_some() {
            match self.stage.hand(input)? {
                Handled::Done => break,
                Handled::Died => {
                    self.note("dies inside a commit");
                    self.count_trap();
                    self.crash();
                }
                Handled::Broke => self.leave_broken_disk(),
                Handled::Again => {
                    self.mischief.disk_refused = true;
                    // As long as nothing can be written, only the world goes on.
                    let next = self.stage.clock.elapsed_ms() + 500;
                    sleep_until(self.stage.clock.moment(next)).await;
                    self.act_on_world(next).await?;
                }
            }
        }
        if self.stage.system.as_ref().is_some_and(System::has_more_due) {
            self.plan_in(0, Action::Tick);
        }
        Ok(())
    }

    /// What happens in the world while the daemon cannot write; what it would do comes later.
    async fn act_on_world(&mut self, until_ms: u64) -> Result<(), String> {
        let is_daemons = |action: &Action| matches!(action, Action::Tick | Action::ReadInbox);
        self.agenda.postpone(1_000, until_ms, is_daemons);
        while self.stage.system.is_some() && self.agenda.next_ms().is_some_and(|at| at <= until_ms)
        {
            if let Some(action) = self.agenda.take() {
                Box::pin(self.act(action)).await?;
            }
        }
        Ok(())
    }

    /// Takes note of what stands between the daemon and its nodes.
    fn look(&self) {
        let is_hard = self.stage.system.is_none() || crash::disk() == Disk::Full;
        let is_wrong = !self.stage.clock.is_right();
        for which in Which::BOTH {
            let wire = self.stage.shared.wire(which);
            let is_bad = wire.is_hard();
            drop(wire);
            let now = self.stage.clock.truth();
            self.stage
                .shared
                .world()
                .look(which, is_hard || is_bad, is_wrong, now);
        }
    }

    async fn act(&mut self, action: Action) -> Result<(), String> {
        self.look();
        match action {
            Action::Tick => {
                self.plan_in(TICK_MS, Action::Tick);
                self.give(&Input::Tick).await?;
            }
            Action::ReadInbox => self.read_inbox().await?,
            Action::Mine(which) => self.mine_in_time(which),
            Action::Order => self.order(),
            Action::Deed(n) => self.deed(n),
            Action::Faults => self.draw_faults(),
            Action::DustFlood => self.dust_flood(),
            Action::Hear(all) => self.hear(&all),
            Action::SendAgain(txid) => self.send_again(txid),
            Action::Restart => {
                if self.stage.system.is_none() {
                    self.restart();
                }
            }
            Action::Fair(_)
            | Action::Truth(_)
            | Action::CatchUp(_)
            | Action::Return(_)
            | Action::Synced(_)
            | Action::TokenRuns(_)
            | Action::Unlist(_)
            | Action::ClockRight
            | Action::DiskFree
            | Action::MempoolLoaded
            | Action::Behaves
            | Action::TracesCome
            | Action::TokenFeeOff => self.heal(&action),
        }
        self.publish();
        Ok(())
    }

    async fn read_inbox(&mut self) -> Result<(), String> {
        while let Some(input) = self.stage.unread() {
            self.give(&input).await?;
        }
        Ok(())
    }

    fn mine_in_time(&mut self, which: Which) {
        if self.settling {
            return;
        }
        let (block_ms, wait) = match which {
            // Exponential enough: between nothing and three times the mean.
            Which::Bitcoin => {
                let factor = self.random.below(100).pow(2);
                let block_ms = self.plan.bitcoin_block_ms;
                (block_ms, block_ms * factor * 3 / 10_000 + 1_000)
            }
            // A slot is missed now and then.
            Which::Ethereum => {
                let slots = 1 + u64::from(self.random.chance(30));
                let block_ms = self.plan.ethereum_block_ms;
                (block_ms, block_ms * slots)
            }
        };
        let often = [0, 300, 700, 1000];
        let seldom = [500, 1000];
        let shares = if block_ms > 60_000 {
            &seldom[..]
        } else {
            &often[..]
        };
        let share = *self.random.pick(shares).unwrap();
        self.mine(which, share);
        self.plan_in(wait, Action::Mine(which));
    }

    fn mine(&mut self, which: Which, share: u64) {
        let at = self.stage.clock.truth();
        self.stage.shared.world().side_mut(which).mine(at, share);
    }

    /// Mines on until the chain is longer than whatever branch a node that strayed has shown:
    /// from there the daemon goes to no chain that is not.
    fn mine_beyond(&mut self, which: Which) {
        let scanned = rows::height(&self.stage.db, which);
        self.mine(which, 0);
        while self.stage.shared.world().side(which).best().id.height.0 <= scanned {
            self.mine(which, 0);
        }
    }

    pub(super) fn forget(&mut self, how: Forgetting) -> bool {
        self.stage
            .shared
            .world()
            .bitcoin
            .forget(how, &mut self.random)
    }

    pub(super) fn crash(&mut self) {
        self.stage.kill();
        let wait = *self.random.pick(&[500, 5_000, 60_000, 1_800_000]).unwrap();
        self.plan_in(wait, Action::Restart);
    }

    pub(super) fn restart(&mut self) {
        self.note("the daemon starts");
        self.stage.start();
        self.plan_in(100, Action::ReadInbox);
    }
}
