//! One simulation: an agenda of what happens when, the system that lives through it, and the
//! checks after every step.

use super::{
    checks::{self, Reader},
    clock::SimClock,
    customers::{self, Deed, Order},
    judge,
    plan::Plan,
    system::{Handled, System},
    wire::{Shared, Weather, Wire},
    world::World,
};
use confirmd::{
    clock::Clock as _,
    config::Config,
    crash,
    domain::{block::TxId, request::Request},
    random::Random,
    watcher::Input,
};
use rusqlite::Connection;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    path::PathBuf,
    sync::Arc,
};
use tokio::time::sleep_until;

/// How often the watcher is told that time passed.
const TICK_MS: u64 = 5_000;
/// How often faults are drawn.
const FAULT_MS: u64 = 60_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Tick,
    ReadInbox,
    Mine,
    Order,
    Deed(usize),
    Faults,
    Weather(u8),
    Restart,
    Catch,
    ClockBack,
    DiskFree,
    MempoolLoaded,
}

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
    plan: Plan,
    config: Config,
    dir: PathBuf,
    clock: Arc<SimClock>,
    shared: Shared,
    system: Option<System>,
    random: Random,
    agenda: BinaryHeap<Reverse<(u64, u64, Action)>>,
    planned: u64,
    deeds: Vec<(String, Deed)>,
    orders: HashMap<String, Order>,
    last_paid: HashMap<String, TxId>,
    inbox: Vec<Request>,
    reader: Reader,
    db: Connection,
    /// What happened, to be read when something is wrong.
    trace: Vec<String>,
    settling: bool,
    report: Report,
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
        let world = World::new(random.next(), clock.truth());
        let wire = Wire {
            weather: Weather::Fair,
            latency_ms: plan.latency_ms,
            random: random.fork(),
            exchanges: 0,
        };
        let shared = Shared::new(world, wire);
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
            agenda: BinaryHeap::new(),
            planned: 0,
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

    fn tell(&self, why: &str) -> String {
        let seed = self.plan.seed;
        let id = why
            .split([' ', ':'])
            .find(|word| word.starts_with("order-"));
        let concerns = |line: &&String| {
            let of = |id: &str| line.split([' ', ':']).any(|word| word == id);
            !line.contains("order-") || id.is_none_or(of)
        };
        let story: Vec<&String> = self.trace.iter().filter(concerns).collect();
        let story: Vec<&str> = story
            .iter()
            .rev()
            .take(150)
            .rev()
            .map(|line| line.as_str())
            .collect();
        let rows = id.map_or_else(String::new, |id| checks::everything_about(&self.db, id));
        format!(
            "seed {seed}: {why}\n\n{:?}\n\n{}\n\n{rows}\n\nreplay: CONFIRMD_SEED={seed} \
             scripts/test simulation::one_seed\n",
            self.plan,
            story.join("\n")
        )
    }

    fn note(&mut self, what: impl std::fmt::Display) {
        let at = self.clock.elapsed_ms();
        let (hours, rest) = (at / 3_600_000, at % 3_600_000);
        let (minutes, ms) = (rest / 60_000, rest % 60_000);
        let line = format!(
            "{hours:02}:{minutes:02}:{:02}.{:03}  {what}",
            ms / 1000,
            ms % 1000
        );
        self.trace.push(line);
    }

    fn count(&mut self, what: &str) {
        *self.report.coverage.entry(what.to_owned()).or_default() += 1;
    }

    fn plan_at(&mut self, at: u64, action: Action) {
        self.planned += 1;
        self.agenda.push(Reverse((at, self.planned, action)));
    }

    fn plan_in(&mut self, ms: u64, action: Action) {
        self.plan_at(self.clock.elapsed_ms() + ms, action);
    }

    async fn live(&mut self) -> Result<(), String> {
        for action in [Action::Tick, Action::Mine, Action::Order, Action::Faults] {
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
        self.shared.wire().weather = Weather::Fair;
        {
            let mut world = self.shared.world();
            world.view.mempool_loaded = true;
            world.catch_up();
        }
        if self.system.is_none() {
            self.restart();
        }
        for _ in 0..3 {
            let quiet = 4 * self.plan.bitcoin_poll_ms + 600_000;
            self.until(self.clock.elapsed_ms() + quiet).await?;
            self.mine(0);
        }
        let quiet = 4 * self.plan.bitcoin_poll_ms + 600_000;
        self.until(self.clock.elapsed_ms() + quiet).await?;
        self.check()?;
        self.judge()
    }

    fn judge(&mut self) -> Result<(), String> {
        let world = self.shared.world();
        let case = judge::Case {
            world: &world,
            orders: &self.orders,
            told: &self.reader.told,
            now: self.clock.truth(),
            confirm_timeout_ms: self.plan.confirm_timeout_ms,
        };
        self.report.compared = judge::settle(&self.db, &case)?;
        self.report.blocks = u64::from(judge::head_height(&world));
        self.report.exchanges = self.shared.wire().exchanges;
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
            let next_ms = self.agenda.peek().map_or(u64::MAX, |Reverse((at, ..))| *at);
            let next = self.clock.moment(next_ms.min(end_ms));
            let input = match &mut self.system {
                Some(system) => tokio::select! {
                    biased;
                    () = sleep_until(next) => None,
                    message = system.inputs.recv() => message,
                },
                None => {
                    sleep_until(next).await;
                    None
                }
            };
            match input {
                Some(message) => self.give(&message.input).await?,
                None if next_ms > end_ms => return Ok(()),
                None => {
                    let Some(Reverse((_, _, action))) = self.agenda.pop() else {
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
                    if self.agenda_has(next) {
                        self.act_on_world(next).await?;
                    }
                }
            }
        }
        self.check()?;
        if self.system.as_ref().is_some_and(System::has_more_due) {
            self.plan_in(0, Action::Tick);
        }
        Ok(())
    }

    fn agenda_has(&self, at_ms: u64) -> bool {
        self.agenda
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= at_ms)
    }

    /// What happens in the world while the daemon cannot write.
    async fn act_on_world(&mut self, until_ms: u64) -> Result<(), String> {
        let mut kept = Vec::new();
        while self.agenda_has(until_ms) {
            let Some(Reverse((at, n, action))) = self.agenda.pop() else {
                break;
            };
            match action {
                Action::Tick | Action::ReadInbox => {
                    kept.push(Reverse((at + 1_000, n, action)));
                }
                other => Box::pin(self.act(other)).await?,
            }
            if self.system.is_none() {
                break;
            }
        }
        self.agenda.extend(kept);
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Tick => {
                self.plan_in(TICK_MS, Action::Tick);
                self.give(&Input::Tick).await?;
            }
            Action::ReadInbox => self.read_inbox().await?,
            Action::Mine => {
                if !self.settling {
                    let share = self.random.pick(&[0, 300, 700, 1000, 1000]).copied();
                    self.mine(share.unwrap_or(1000));
                    let block_ms = self.plan.bitcoin_block_ms;
                    // Exponential enough: between nothing and four times the mean.
                    let factor = self.random.below(100).pow(2);
                    let wait = block_ms * factor * 3 / 10_000 + 1_000;
                    self.plan_in(wait, Action::Mine);
                }
            }
            Action::Order => self.order(),
            Action::Deed(n) => self.deed(n),
            Action::Faults => self.draw_faults(),
            Action::Weather(0) => {
                self.note("the wire is fair again");
                self.shared.wire().weather = Weather::Fair;
            }
            Action::Weather(_) => {}
            Action::Restart => {
                if self.system.is_none() {
                    self.restart();
                }
            }
            Action::Catch => {
                self.shared.world().catch_up();
                self.note("the node catches up");
            }
            Action::ClockBack => {
                self.note("the wall clock is right again");
                self.clock.skew(0);
            }
            Action::DiskFree => {
                self.note("the disk has room again");
                crash::fill_disk(false);
            }
            Action::MempoolLoaded => self.shared.world().view.mempool_loaded = true,
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

    fn mine(&mut self, share: u64) {
        let at = self.clock.truth();
        self.shared.world().mine(at, share);
        let new = self.shared.world().newest_payments();
        for (tx, block) in new {
            let pays = |order: &&Order| tx.credits.iter().any(|credit| credit.to == order.script);
            let paid = self
                .orders
                .values()
                .find(pays)
                .map(|order| order.id.clone());
            if let Some(id) = paid {
                self.note(format_args!(
                    "{id}: {} in block {} {}",
                    tx.txid, block.height, block.hash
                ));
            }
        }
    }

    fn order(&mut self) {
        if self.settling {
            return;
        }
        let now = self.clock.elapsed_ms();
        let n = u64::try_from(self.orders.len()).unwrap();
        let story = customers::draw(n, now, self.plan.bitcoin_block_ms, &mut self.random);
        self.count(&format!("habit {}", story.habit));
        self.note(format_args!(
            "{} for {} sat, {}",
            story.order.id, story.order.sats, story.habit
        ));
        let body = customers::registration(&story.order);
        let id = story.order.id.clone();
        self.orders.insert(id.clone(), story.order);
        let register = Deed::Ask {
            kind: "register",
            body,
        };
        for (at, deed) in std::iter::once((story.registered_at, register)).chain(story.deeds) {
            self.deeds.push((id.clone(), deed));
            self.plan_at(at, Action::Deed(self.deeds.len() - 1));
        }
        let _created: u64 = story.created_at;
        let every = self.plan.order_every_ms;
        let wait = self.random.between(1, 2 * every);
        self.plan_in(wait, Action::Order);
    }

    fn deed(&mut self, n: usize) {
        let (id, deed) = self.deeds[n].clone();
        if self.settling {
            return;
        }
        self.note(format_args!("{id}: {deed:?}"));
        if let Deed::Ask { kind, body } = &deed {
            let seq = i64::try_from(self.inbox.len()).unwrap() + 1;
            let now = self.clock.truth();
            let body = customers::command_body(kind, body, now, &mut self.random);
            self.inbox.push(customers::row(seq, kind, &id, body, now));
            let wait = self.random.between(1, 2_000);
            self.plan_in(wait, Action::ReadInbox);
            return;
        }
        let now = self.clock.truth();
        let last = self.last_paid.get(&id).copied();
        let order = self.orders[&id].clone();
        let paid = customers::act(&mut self.shared.world(), &order, last, &deed, now);
        if let Some(txid) = paid {
            self.last_paid.insert(id, txid);
        }
    }

    fn crash(&mut self) {
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

    fn happens(&mut self, per_mille: u64, name: &str) -> bool {
        let happens = self.random.chance(per_mille);
        if happens {
            self.count(&format!("fault {name}"));
            self.note(format_args!("fault: {name}"));
        }
        happens
    }

    fn draw_faults(&mut self) {
        if self.settling {
            return;
        }
        self.plan_in(FAULT_MS, Action::Faults);
        let faults = self.plan.faults.clone();
        self.chain_faults(&faults);
        for (per_mille, name, weather) in [
            (faults.outage, "outage", Weather::Down),
            (faults.slow, "slow", Weather::Slow),
            (faults.noise, "noise", Weather::Noisy),
        ] {
            if self.happens(per_mille, name) {
                self.shared.wire().weather = weather;
                let span = self.random.between(5_000, 40 * 60_000);
                self.plan_in(span, Action::Weather(0));
            }
        }
        if self.happens(faults.crash, "crash") {
            if self.random.chance(300) {
                if let Some(system) = self.system.take() {
                    system.close().unwrap();
                }
            }
            self.crash();
        }
        if self.happens(faults.crash_in_commit, "trap") {
            let points = [
                "after_begin",
                "mid_step",
                "mid_rollback",
                "mid_backfill",
                "after_commit",
            ];
            crash::unwind_at(self.random.pick(&points).unwrap());
        }
        if self.happens(faults.clock_jump, "clock_jump") {
            let by = i64::try_from(self.random.between(61_000, 86_400_000)).unwrap();
            let by = if self.random.chance(500) { by } else { -by };
            self.clock.skew(by);
            let span = self.random.between(30_000, 60 * 60_000);
            self.plan_in(span, Action::ClockBack);
        }
        if self.happens(faults.full_disk, "full_disk") {
            crash::fill_disk(true);
            let span = self.random.between(1_000, 20 * 60_000);
            self.plan_in(span, Action::DiskFree);
        }
    }

    fn chain_faults(&mut self, faults: &super::plan::Faults) {
        let now = self.clock.truth();
        let safe_depth = {
            let final_depth = u32::try_from(self.plan.final_depth).unwrap();
            self.shared.world().loose_blocks(final_depth)
        };
        let share = *self.random.pick(&[0, 500, 900, 1000]).unwrap();
        if safe_depth > 0 && self.happens(faults.reorg, "reorg") {
            let depth =
                u32::try_from(self.random.between(1, u64::from(safe_depth.min(6)))).unwrap();
            let grow = depth + u32::try_from(self.random.below(2)).unwrap();
            self.note(format_args!("reorg of {depth} by {grow}"));
            self.shared.world().reorg(now, depth, grow, share);
        } else if safe_depth > 0 && self.happens(faults.deep_reorg, "deep_reorg") {
            let depth = u32::try_from(self.random.between(1, u64::from(safe_depth))).unwrap();
            self.note(format_args!("reorg of {depth}"));
            self.shared.world().reorg(now, depth, depth + 1, share);
        } else if safe_depth > 0 && self.happens(faults.rollback, "rollback") {
            let depth =
                u32::try_from(self.random.between(1, u64::from(safe_depth.min(3)))).unwrap();
            self.shared.world().reorg(now, depth, 0, 0);
        }
        if self.happens(faults.lag, "lag") {
            self.shared.world().lag();
            let span = self.random.between(60_000, 60 * 60_000);
            self.plan_in(span, Action::Catch);
        }
        if self.happens(faults.eviction, "eviction") {
            let mut world = self.shared.world();
            let txids: Vec<TxId> = world.view.unconfirmed().map(|tx| tx.txid).collect();
            if let Some(txid) = self.random.pick(&txids) {
                world.view.evict(*txid);
            }
        }
        if self.happens(faults.mempool_loss, "mempool_loss") {
            let mut world = self.shared.world();
            world.view.empty_mempool();
            world.view.mempool_loaded = false;
            drop(world);
            let span = self.random.between(1_000, 10 * 60_000);
            self.plan_in(span, Action::MempoolLoaded);
        }
    }

    #[expect(dead_code, reason = "shown when a trace is looked at")]
    fn wall(&self) -> i64 {
        self.clock.now().wall.0
    }
}
