//! One simulation: an agenda of what happens when, the system that lives through it, and the
//! checks after every step.

use super::{
    agenda::{Action, Agenda},
    bitcoin_side::BitcoinSide,
    checks::{self, Reader},
    clock::SimClock,
    customers::{Deed, Order},
    ethereum_side::EthereumSide,
    judge,
    plan::Plan,
    system::{Handled, System},
    wire::{Shared, Weather, Wire},
    world::{Forgetting, Side as _, Which, World},
};
use confirmd::{
    config::Config,
    crash,
    domain::{block::TxId, request::Request},
    random::Random,
    watcher::Input,
};
use rusqlite::Connection;
use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
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
    pub compared: u64,
    pub blocks: u64,
    pub exchanges: u64,
}

pub struct Simulation {
    pub(super) plan: Plan,
    pub(super) config: Config,
    pub(super) dir: PathBuf,
    pub(super) clock: Arc<SimClock>,
    pub(super) shared: Shared,
    pub(super) system: Option<System>,
    pub(super) random: Random,
    pub(super) agenda: Agenda,
    pub(super) deeds: Vec<(String, Deed)>,
    pub(super) orders: HashMap<String, Order>,
    pub(super) last_paid: HashMap<String, TxId>,
    pub(super) inbox: Vec<Request>,
    pub(super) reader: Reader,
    pub(super) db: Connection,
    /// What happened, to be read when something is wrong.
    pub(super) trace: Vec<String>,
    pub(super) settling: bool,
    pub(super) report: Report,
}

impl Simulation {
    /// Lives through a seed's plan; what went wrong, with the story of it.
    pub async fn run(plan: Plan, dir: PathBuf) -> Result<Report, String> {
        let mut simulation = Self::new(plan, dir);
        let outcome = simulation.live().await;
        crash::disarm();
        crash::fill_disk(false);
        match outcome {
            Ok(()) => Ok(simulation.report),
            Err(why) => Err(simulation.tell(&why)),
        }
    }

    fn new(plan: Plan, dir: PathBuf) -> Self {
        let path = dir.join("config.toml");
        std::fs::write(&path, plan.config(&dir)).unwrap();
        let config = Config::load(&path).unwrap();
        let clock = Arc::new(SimClock::start());
        let mut random = Random::new(plan.seed ^ 0x00c0_ffee);
        let shared = shared(&plan, &mut random, &clock);
        let system = System::start(&config, &dir, &clock, &shared);
        let db = checks::open(&dir);
        Self {
            plan,
            config,
            dir,
            clock,
            shared,
            system: Some(system),
            random,
            agenda: Agenda::default(),
            deeds: Vec::new(),
            orders: HashMap::new(),
            last_paid: HashMap::new(),
            inbox: Vec::new(),
            reader: Reader::default(),
            db,
            trace: Vec::new(),
            settling: false,
            report: Report::default(),
        }
    }

    pub(super) fn plan_in(&mut self, ms: u64, action: Action) {
        self.agenda.plan(self.clock.elapsed_ms() + ms, action);
    }

    async fn live(&mut self) -> Result<(), String> {
        let first = [Action::Tick, Action::Order, Action::Faults];
        let mining = Which::BOTH.map(Action::Mine);
        for action in first.into_iter().chain(mining) {
            self.plan_in(1, action);
        }
        self.until(self.plan.span_ms).await?;
        self.settle().await
    }

    /// Faults stop; after some blocks and polls everything must be where the judge puts it.
    async fn settle(&mut self) -> Result<(), String> {
        self.note("faults stop");
        self.settling = true;
        crash::disarm();
        crash::fill_disk(false);
        self.clock.skew(0);
        for which in Which::BOTH {
            self.shared.wire(which).weather = Weather::Fair;
            self.shared.world().side_mut(which).catch_up();
        }
        self.forget(Forgetting::NoMore);
        if self.system.is_none() {
            self.restart();
        }
        for _ in 0..3 {
            self.until(self.clock.elapsed_ms() + QUIET_MS).await?;
            for which in Which::BOTH {
                self.mine(which, 0);
            }
        }
        // Long enough for polls, too short for an Ethereum head to grow old.
        self.until(self.clock.elapsed_ms() + 130_000).await?;
        self.judge()
    }

    fn judge(&mut self) -> Result<(), String> {
        let world = self.shared.world();
        let case = judge::Case {
            db: &self.db,
            world: &world,
            orders: &self.orders,
            told: &self.reader.told,
            now: self.clock.truth(),
            plan: &self.plan,
        };
        self.report.compared = judge::settle(&case)?;
        for which in Which::BOTH {
            self.report.blocks += u64::from(world.side(which).head().id.height.0);
            self.report.exchanges += self.shared.wire(which).exchanges;
        }
        self.report.orders = u64::try_from(self.orders.len()).unwrap();
        for (what, times) in &self.reader.coverage {
            *self.report.coverage.entry(what.clone()).or_default() += times;
        }
        let registered: i64 = self
            .db
            .query_row("SELECT count(*) FROM v1_request", [], |row| row.get(0))
            .unwrap();
        let asked = i64::try_from(self.inbox.len()).unwrap();
        if registered != asked {
            return Err(format!("{asked} requests have {registered} outcomes"));
        }
        Ok(())
    }

    /// Lets time pass up to this moment: inputs are handled as they come, actions as they are due.
    async fn until(&mut self, end_ms: u64) -> Result<(), String> {
        loop {
            let next_ms = self.agenda.next_ms().unwrap_or(u64::MAX);
            let next = self.clock.moment(next_ms.min(end_ms));
            let input = if let Some(system) = &mut self.system {
                tokio::select! {
                    biased;
                    () = sleep_until(next) => None,
                    message = system.inputs.recv() => message,
                }
            } else {
                sleep_until(next).await;
                None
            };
            match input {
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
        loop {
            let Some(system) = &mut self.system else {
                return Ok(());
            };
            match system.handle(input) {
                Handled::Done => break,
                Handled::Died => {
                    self.note("dies inside a commit");
                    self.count("fault crash_in_commit");
                    self.crash();
                    return self.check();
                }
                Handled::Again => {
                    // As long as nothing can be written, only the world goes on.
                    let next = self.clock.elapsed_ms() + 500;
                    sleep_until(self.clock.moment(next)).await;
                    self.act_on_world(next).await?;
                }
            }
        }
        self.check()?;
        if self.system.as_ref().is_some_and(System::has_more_due) {
            self.plan_in(0, Action::Tick);
        }
        Ok(())
    }

    /// What happens in the world while the daemon cannot write; what it would do comes later.
    async fn act_on_world(&mut self, until_ms: u64) -> Result<(), String> {
        let is_daemons = |action: &Action| matches!(action, Action::Tick | Action::ReadInbox);
        self.agenda.postpone(1_000, until_ms, is_daemons);
        while self.system.is_some() && self.agenda.next_ms().is_some_and(|at| at <= until_ms) {
            if let Some(action) = self.agenda.take() {
                Box::pin(self.act(action)).await?;
            }
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), String> {
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
            Action::Restart => {
                if self.system.is_none() {
                    self.restart();
                }
            }
            Action::Fair(_)
            | Action::CatchUp(_)
            | Action::ClockRight
            | Action::DiskFree
            | Action::MempoolLoaded
            | Action::TokenFeeOff => self.heal(&action),
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let world = self.shared.world();
        self.reader.read(&self.db, &world, &self.orders)
    }

    async fn read_inbox(&mut self) -> Result<(), String> {
        while let Some(input) = self
            .system
            .as_ref()
            .and_then(|system| system.unread(&self.inbox))
        {
            self.give(&input).await?;
            if let Some(system) = &mut self.system {
                system.has_read(&input);
            }
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
        let at = self.clock.truth();
        self.shared.world().side_mut(which).mine(at, share);
    }

    pub(super) fn forget(&mut self, how: Forgetting) {
        self.shared.world().bitcoin.forget(how, &mut self.random);
    }

    pub(super) fn crash(&mut self) {
        crash::disarm();
        self.system = None;
        let wait = *self.random.pick(&[500, 5_000, 60_000, 1_800_000]).unwrap();
        self.plan_in(wait, Action::Restart);
    }

    fn restart(&mut self) {
        self.note("the daemon starts");
        let system = System::start(&self.config, &self.dir, &self.clock, &self.shared);
        self.system = Some(system);
        self.plan_in(100, Action::ReadInbox);
    }
}

/// The world and the ways to its nodes.
fn shared(plan: &Plan, random: &mut Random, clock: &SimClock) -> Shared {
    let depth = u32::try_from(plan.final_depth).unwrap();
    let at = clock.truth();
    let world = World {
        bitcoin: BitcoinSide::new(random.fork(), at, depth),
        ethereum: EthereumSide::new(random.fork(), at, plan.tags, depth),
        odd_at: [at; 2],
    };
    let mut wire = || Wire {
        weather: Weather::Fair,
        latency_ms: plan.latency_ms,
        random: random.fork(),
        exchanges: 0,
    };
    let wires = [wire(), wire()];
    Shared::new(world, wires)
}
