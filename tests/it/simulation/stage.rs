//! The daemon in its simulated world: what it stands on, how inputs reach it, and what is checked
//! whenever it has taken a step. Knows neither what happens in that world nor why.

use super::{
    checks::{self, Reader},
    clock::SimClock,
    customers::Order,
    system::{Handled, System},
    wire::Shared,
};
use confirmd::{
    config::Config,
    crash,
    domain::request::Request,
    watcher::{Input, run::Message},
};
use rusqlite::Connection;
use std::{collections::HashMap, path::PathBuf, sync::Arc};
use tokio::time::sleep_until;

/// Where a commit may be cut off.
pub const COMMIT_POINTS: [&str; 5] = [
    "after_begin",
    "mid_step",
    "mid_rollback",
    "mid_backfill",
    "after_commit",
];

pub struct Stage {
    pub config: Config,
    pub dir: PathBuf,
    pub clock: Arc<SimClock>,
    pub shared: Shared,
    /// `None` while the daemon is down.
    pub system: Option<System>,
    pub orders: HashMap<String, Order>,
    pub inbox: Vec<Request>,
    pub reader: Reader,
    pub db: Connection,
}

impl Stage {
    /// Starts a daemon with this configuration file. Must run inside the runtime.
    pub fn open(config: &str, dir: PathBuf, clock: Arc<SimClock>, shared: Shared) -> Self {
        let path = dir.join("config.toml");
        std::fs::write(&path, config).unwrap();
        let config = Config::load(&path).unwrap();
        let system = System::start(&config, &dir, &clock, &shared);
        Self {
            db: checks::open(&dir),
            config,
            dir,
            clock,
            shared,
            system: Some(system),
            orders: HashMap::new(),
            inbox: Vec::new(),
            reader: Reader::default(),
        }
    }

    /// Starts the daemon on what its databases hold.
    pub fn start(&mut self) {
        let system = System::start(&self.config, &self.dir, &self.clock, &self.shared);
        self.system = Some(system);
    }

    /// The daemon is gone without a word.
    pub fn kill(&mut self) {
        crash::disarm();
        self.system = None;
    }

    /// What a follower tells before this moment; `None` when the moment has come.
    pub async fn input_before(&mut self, at_ms: u64) -> Option<Message> {
        let moment = self.clock.moment(at_ms);
        let Some(system) = &mut self.system else {
            sleep_until(moment).await;
            return None;
        };
        tokio::select! {
            biased;
            () = sleep_until(moment) => None,
            message = system.inputs.recv() => message,
        }
    }

    /// Gives the daemon an input, and checks what came of it.
    pub fn hand(&mut self, input: &Input) -> Result<Handled, String> {
        let Some(system) = &mut self.system else {
            return Ok(Handled::Died);
        };
        let handled = system.handle(input);
        match handled {
            Handled::Done => system.has_read(input),
            Handled::Died | Handled::Broke => self.kill(),
            Handled::Again => return Ok(handled),
        }
        self.check()?;
        Ok(handled)
    }

    /// Rows of the inbox that the daemon was not given yet, as one input.
    pub fn unread(&self) -> Option<Input> {
        self.system.as_ref()?.unread(&self.inbox)
    }

    fn check(&mut self) -> Result<(), String> {
        let world = self.shared.world();
        let now = self.clock.truth();
        self.reader.read(&self.db, &world, &self.orders, now)
    }
}
