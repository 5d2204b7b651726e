//! Plays a scenario: one step after another on a stage of its own, in chain time. Knows how time
//! passes and inputs reach the daemon; what a step does to the world is said in `deeds`, what must
//! be so in `found`.

use super::{
    script::Script,
    step::{Moment, Step},
    words::Trouble,
};
use crate::simulation::{
    bitcoin_side::BitcoinSide,
    clock::{self, SimClock},
    ethereum_side::EthereumSide,
    rows,
    stage::Stage,
    system::{Handled, System},
    wire::{Shared, Wire},
    world::{Which, World},
};
use confirmd::{
    crash::{self, Disk},
    domain::{
        block::{BlockRef, TxId},
        time::UnixMs,
    },
    random::Random,
    watcher::Input,
};
use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

/// How often the watcher is told that time passed.
const TICK_MS: u64 = 5_000;
/// How soon what could not be written is tried again.
const AGAIN_MS: u64 = 500;
/// Long enough for every node to be polled twice.
pub const LOOK_MS: u64 = 15_000;
/// How often each chain gets a block while it is mined.
const BLOCKS_EVERY_MS: [(Which, u64); 2] = [(Which::Bitcoin, 600_000), (Which::Ethereum, 12_000)];

/// A scenario on its stage.
pub struct Player {
    pub stage: Stage,
    pub random: Random,
    /// Transactions by the names that the scenario gives them.
    pub txs: BTreeMap<String, TxId>,
    /// What was paid last to each payment.
    pub last_paid: HashMap<String, TxId>,
    /// When each payment was registered: since the beginning, and by the gateway's clock.
    pub registered: HashMap<String, (u64, UnixMs)>,
    pub heads: HashMap<String, BlockRef>,
    /// Something happened that the daemon had no time to see.
    pub unseen: bool,
    /// What could not be written yet.
    stuck: Option<Input>,
    next_tick_ms: u64,
    more: String,
}

impl Player {
    /// Plays it to its end; what went wrong, in words.
    pub async fn play(script: &Script, dir: PathBuf) -> Result<(), Trouble> {
        let mut player = Self::new(script, dir);
        let outcome = player.play_steps(script).await.and_then(|()| {
            let stage = &player.stage;
            stage.reader.reread(&stage.db)
        });
        crash::disarm();
        crash::set_disk(Disk::Sound);
        outcome
    }

    fn new(script: &Script, dir: PathBuf) -> Self {
        let plan = &script.plan;
        let clock = Arc::new(SimClock::start());
        let mut random = Random::new(plan.seed);
        let depth = u32::try_from(plan.final_depth).unwrap();
        let at = clock.truth();
        let mut ethereum = EthereumSide::new(random.fork(), at, plan.premined, plan.tags, depth);
        (ethereum.fails_again, ethereum.waits_again) = (0, 1000);
        let mut bitcoin = BitcoinSide::new(random.fork(), at, plan.premined, depth);
        bitcoin.speak_only_rpc();
        let odd_at = [at; 2];
        let world = World {
            bitcoin,
            ethereum,
            odd_at,
            // A scenario says itself what must be seen.
            sights: Default::default(),
        };
        let mut wire = || Wire::fair(plan.latency_ms, random.fork());
        let shared = Shared::new(world, [wire(), wire()]);
        let genesis = shared.world().ethereum.genesis();
        let config = plan.config(&dir, genesis) + &script.more;
        Self {
            stage: Stage::open(&config, dir, clock, shared),
            random,
            txs: BTreeMap::new(),
            last_paid: HashMap::new(),
            registered: HashMap::new(),
            heads: HashMap::new(),
            unseen: true,
            stuck: None,
            next_tick_ms: 0,
            more: String::new(),
        }
    }

    async fn play_steps(&mut self, script: &Script) -> Result<(), Trouble> {
        self.look().await?;
        for (line, step) in &script.steps {
            let at = clock::shown(self.stage.clock.truth());
            if let Err(why) = self.step(step).await {
                let chains = rows::chains(&self.stage.db);
                let more = std::mem::take(&mut self.more);
                let names: Vec<String> = self.names().collect();
                let names = names.join("\n");
                return Err(format!(
                    "line {line}, at {at}: {why}\n\n{more}\n\n{chains}\n\n{names}"
                ));
            }
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.txs
            .iter()
            .map(|(name, txid)| format!("{name} is {txid}"))
    }

    async fn step(&mut self, step: &Step) -> Result<(), Trouble> {
        match step {
            Step::Wait { until, mining } => {
                let end = self.moment(until)?;
                self.wait(end, mining).await
            }
            Step::Expect { at_once, what } => {
                if !at_once {
                    self.look().await?;
                }
                let found = self.check(what);
                if found.is_err() {
                    self.more = self.about(what);
                }
                found
            }
            Step::Start => self.start(),
            Step::Stop => self.stop(),
            Step::Register(registration) => {
                self.register(registration)?;
                self.read_inbox()
            }
            Step::Ask(id, ask) => {
                self.ask(id, ask)?;
                self.read_inbox()
            }
            Step::Deed(deed) => self.act(deed),
        }
    }

    fn moment(&self, of: &Moment) -> Result<u64, Trouble> {
        match of {
            Moment::In(ms) => Ok(self.stage.clock.elapsed_ms() + ms),
            Moment::After(ms, id) => {
                let (registered, _) = self
                    .registered
                    .get(id)
                    .ok_or_else(|| format!("{id} was never registered"))?;
                let end = registered + ms;
                if end < self.stage.clock.elapsed_ms() {
                    return Err("that moment has passed already".to_owned());
                }
                Ok(end)
            }
        }
    }

    /// Gives the daemon time to see what happened.
    async fn look(&mut self) -> Result<(), Trouble> {
        if !std::mem::take(&mut self.unseen) {
            return Ok(());
        }
        let end = self.stage.clock.elapsed_ms() + LOOK_MS;
        self.until(end).await
    }

    async fn wait(&mut self, end: u64, mining: &[Which]) -> Result<(), Trouble> {
        let now = self.stage.clock.elapsed_ms();
        let every = BLOCKS_EVERY_MS
            .iter()
            .filter(|(which, _)| mining.contains(which));
        let mut next: Vec<(u64, Which, u64)> = every
            .map(|(which, every)| (now + every, *which, *every))
            .collect();
        while let Some(first) = next.iter_mut().min() {
            if first.0 > end {
                break;
            }
            let (at, which, every) = *first;
            first.0 += every;
            self.until(at).await?;
            self.mine(which, false);
        }
        self.until(end).await?;
        self.unseen &= end - now < LOOK_MS;
        Ok(())
    }

    /// Lets time pass up to this moment: inputs are handled as they come.
    async fn until(&mut self, end_ms: u64) -> Result<(), Trouble> {
        loop {
            let now = self.stage.clock.elapsed_ms();
            if let Some(input) = self.stuck.take() {
                self.give(input)?;
            }
            if self.stuck.is_some() {
                // Nothing else may come before it.
                let next = end_ms.min(now + AGAIN_MS);
                tokio::time::sleep_until(self.stage.clock.moment(next)).await;
                if next == end_ms {
                    return Ok(());
                }
                continue;
            }
            self.read_inbox()?;
            let next = self.next_tick_ms.clamp(now, end_ms);
            match self.stage.input_before(next).await {
                Some(message) => self.give(message.input)?,
                None if next == end_ms && self.next_tick_ms != end_ms => return Ok(()),
                None => {
                    self.next_tick_ms = next + TICK_MS;
                    self.give(Input::Tick)?;
                }
            }
        }
    }

    /// Gives the daemon an input, and ticks for what became due with it.
    fn give(&mut self, input: Input) -> Result<(), Trouble> {
        if self.stage.system.is_none() {
            return Ok(());
        }
        let mut input = input;
        loop {
            match self.stage.hand(&input)? {
                Handled::Done => {}
                Handled::Again => {
                    self.stuck = Some(input);
                    return Ok(());
                }
                Handled::Died | Handled::Broke => return Ok(()),
            }
            let system = self.stage.system.as_ref();
            if !system.is_some_and(System::has_more_due) {
                return Ok(());
            }
            input = Input::Tick;
        }
    }

    fn read_inbox(&mut self) -> Result<(), Trouble> {
        while self.stuck.is_none() {
            let Some(input) = self.stage.unread() else {
                break;
            };
            self.give(input)?;
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Trouble> {
        if self.stage.system.is_some() {
            return Err("the daemon is running".to_owned());
        }
        self.stage.start();
        self.unseen = true;
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Trouble> {
        let system = self.stage.system.take().ok_or("the daemon is down")?;
        self.stuck = None;
        system.close().map_err(|error| error.to_string())
    }
}
