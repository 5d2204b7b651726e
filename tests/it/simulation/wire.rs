//! The wire between the daemon's real adapters and the simulated node: latency, and what a bad
//! network or a bad provider does to an exchange.

use super::{
    bitcoin_side::BitcoinSide,
    clock::SimClock,
    ethereum_side::EthereumSide,
    lie::Lie,
    misconduct::{Misconduct, Traces, Turn},
    plan::Plan,
    sight::Sight,
    world::{Which, World},
};
use confirmd::{
    chain::rpc::{HttpRequest, HttpResponse, Transport, TransportError, Verb},
    domain::time::UnixMs,
    random::Random,
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// How the wire behaves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// Nobody answers the door.
    Down,
    /// An answer may take minutes, or never come.
    Slow,
    /// Answers are errors, pages of HTML, cut short, or have a byte changed.
    Noisy,
    /// Answers overtake each other, and those in a batch come in any order.
    Jumbled,
}

/// Blocks leave as soon as the node has answered so many questions about its headers by height: in
/// the middle of a walk to the fork point.
#[derive(Debug)]
pub struct AmidWalk {
    pub answers: u32,
    pub clock: Arc<SimClock>,
    pub depth: u32,
    pub grow: u32,
    pub share: u64,
}

/// The wire's state, beside the world's.
#[derive(Debug)]
pub struct Wire {
    pub weather: Weather,
    pub latency_ms: u64,
    pub random: Random,
    /// What the node does not say as it is.
    pub lie: Option<Lie>,
    /// What one operator of several does.
    pub misconduct: Option<Misconduct>,
    pub traces: Traces,
    /// How many traces came late or were refused since that began.
    pub held_up: u64,
    pub amid_walk: Option<AmidWalk>,
    /// How often blocks left so.
    pub amid_walks: u64,
    /// How many exchanges there were.
    pub exchanges: u64,
}

/// How late an answer may come that others overtake.
const OVERTAKEN_MS: u64 = 1_000;

impl Wire {
    /// A good line to an honest node.
    pub fn fair(latency_ms: u64, random: Random) -> Self {
        Self {
            weather: Weather::Fair,
            latency_ms,
            random,
            lie: None,
            misconduct: None,
            traces: Traces::AsTheyShould,
            held_up: 0,
            amid_walk: None,
            amid_walks: 0,
            exchanges: 0,
        }
    }

    /// What happens to the chain now that this question is answered.
    fn answered(&mut self, request: &HttpRequest) -> Option<AmidWalk> {
        let waits = self.amid_walk.as_mut()?;
        if !asks_for_heights(request) {
            return None;
        }
        waits.answers = waits.answers.saturating_sub(1);
        self.amid_walk.take_if(|waits| waits.answers == 0)
    }

    /// Whether it stands between the daemon and its node.
    pub fn is_hard(&self) -> bool {
        let misconduct = self.misconduct.as_ref();
        self.weather != Weather::Fair
            || self.lie.is_some()
            || misconduct.is_some_and(Misconduct::is_hard)
    }

    /// What operators make of an exchange that would take so long and end so.
    fn by_operator(
        &mut self,
        operator: &str,
        request: &HttpRequest,
        (ms, fate): (u64, Fate),
    ) -> (u64, Fate) {
        let misconduct = self.misconduct.as_mut();
        let turn = misconduct.map_or(Turn::Usual, |it| it.turn(operator, request));
        let late_ms = self.traces.late_ms(request);
        self.held_up += u64::from(late_ms > 0);
        let limit = u64::try_from(request.limits.first_byte.as_millis()).unwrap();
        match turn {
            Turn::Unreachable => (ms, Fate::Unreachable),
            Turn::Limited(secs) => (ms, Fate::Limited(secs)),
            Turn::Usual if late_ms == 0 => (ms, fate),
            Turn::Usual | Turn::Late(_) => {
                let more = if let Turn::Late(more) = turn { more } else { 0 };
                let ms = ms + late_ms.max(more);
                if ms > limit {
                    (limit, Fate::TimedOut)
                } else {
                    (ms, fate)
                }
            }
        }
    }

    fn jumble(&mut self, response: &mut HttpResponse) {
        let Ok(Value::Array(mut answers)) = serde_json::from_slice(&response.body) else {
            return;
        };
        self.random.shuffle(&mut answers);
        response.body = serde_json::to_vec(&answers).unwrap();
    }
}

/// Whether headers of the best chain are asked for by their heights.
fn asks_for_heights(request: &HttpRequest) -> bool {
    let Verb::Post(body) = &request.verb else {
        return false;
    };
    let asked: Value = serde_json::from_slice(body).unwrap();
    let calls = asked.as_array().cloned().unwrap_or_else(|| vec![asked]);
    let by_height = |call: &Value| {
        let first = &call["params"][0];
        match call["method"].as_str().unwrap_or_default() {
            "getblockhash" => first != 0,
            // Block 0 says which chain it is.
            "eth_getBlockByNumber" => first
                .as_str()
                .is_some_and(|at| at.starts_with("0x") && at != "0x0"),
            _ => false,
        }
    };
    calls.iter().all(by_height)
}

/// What the simulation and the adapters share.
#[derive(Clone)]
pub struct Shared {
    world: Arc<Mutex<World>>,
    wires: [Arc<Mutex<Wire>>; 2],
}

/// One chain's way to a node of an operator.
#[derive(Clone)]
pub struct Line {
    shared: Shared,
    which: Which,
    operator: String,
}

impl Shared {
    pub fn new(world: World, wires: [Wire; 2]) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            wires: wires.map(|wire| Arc::new(Mutex::new(wire))),
        }
    }

    /// The world of a plan and the ways to its nodes.
    pub fn draw(plan: &Plan, random: &mut Random, at: UnixMs) -> Self {
        let depth = u32::try_from(plan.final_depth).unwrap();
        let mut bitcoin = BitcoinSide::new(random.fork(), at, plan.premined, depth);
        let mut ethereum = EthereumSide::new(random.fork(), at, plan.premined, plan.tags, depth);
        let mut strangers = Random::new(plan.seed ^ 0x57a6);
        bitcoin.meet(strangers.fork(), plan.strangers);
        ethereum.meet(strangers.fork(), plan.strangers);
        ethereum.provide(Random::new(plan.seed ^ 0x9a7e), plan.providers);
        let world = World {
            bitcoin,
            ethereum,
            odd_at: [at; 2],
            sights: [plan.bitcoin_poll_ms, plan.ethereum_poll_ms].map(Sight::new),
        };
        let mut wire = || Wire::fair(plan.latency_ms, random.fork());
        let wires = [wire(), wire()];
        Self::new(world, wires)
    }

    pub fn line(&self, which: Which, operator: &str) -> Line {
        Line {
            shared: self.clone(),
            which,
            operator: operator.to_owned(),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn wire(&self, which: Which) -> MutexGuard<'_, Wire> {
        let [bitcoin, ethereum] = &self.wires;
        match which {
            Which::Bitcoin => bitcoin.lock().unwrap(),
            Which::Ethereum => ethereum.lock().unwrap(),
        }
    }
}

impl Line {
    /// How long this exchange takes, and what becomes of it.
    fn draw(&self, request: &HttpRequest) -> (Duration, Fate) {
        let mut wire = self.shared.wire(self.which);
        wire.exchanges += 1;
        let latency = wire.latency_ms;
        let usual = wire.random.below(latency + 1);
        let (ms, fate) = match wire.weather {
            Weather::Fair => (usual, Fate::Answered),
            Weather::Down => (usual, Fate::Unreachable),
            Weather::Slow => {
                let ms = wire.random.between(200, 90_000);
                let limit = u64::try_from(request.limits.first_byte.as_millis()).unwrap();
                if ms > limit {
                    (limit, Fate::TimedOut)
                } else {
                    (ms, Fate::Answered)
                }
            }
            Weather::Noisy => {
                let fates = [
                    Fate::Answered,
                    Fate::Answered,
                    Fate::Status(500),
                    Fate::Status(429),
                    Fate::Page,
                    Fate::Cut,
                    Fate::Flipped,
                    Fate::Flipped,
                ];
                let fate = *wire.random.pick(&fates).unwrap();
                (usual, fate)
            }
            Weather::Jumbled => (usual + wire.random.below(OVERTAKEN_MS), Fate::Jumbled),
        };
        let (ms, fate) = wire.by_operator(&self.operator, request, (ms, fate));
        (Duration::from_millis(ms), fate)
    }
}

impl Line {
    /// What the operator's node answers.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut wire = self.shared.wire(self.which);
        let misconduct = wire.misconduct.as_mut();
        let is_apart = misconduct.is_some_and(|it| it.is_apart(&self.operator));
        let world = self.shared.world();
        let mut response = if is_apart {
            world.ethereum.respond_apart(request)
        } else {
            world.side(self.which).respond(request)
        };
        drop(world);
        if let Some(lie) = &mut wire.lie {
            lie.spoil(request, &mut response);
        }
        let weather = wire.weather;
        if let Some(misconduct) = &mut wire.misconduct {
            misconduct.spoil(&self.operator, weather, request, &mut response);
        }
        let is_refused = wire.traces.refuse(request, &mut response);
        wire.held_up += u64::from(is_refused);
        response
    }

    /// What was final stays, whatever leaves.
    fn happen_amid_walk(&self, request: &HttpRequest) {
        let Some(amid) = self.shared.wire(self.which).answered(request) else {
            return;
        };
        let mut world = self.shared.world();
        let depth = amid.depth.min(world.side(self.which).loose_blocks());
        if depth > 0 {
            let at = amid.clock.truth();
            let side = world.odd_side(self.which, at);
            side.reorg(at, depth, amid.grow, amid.share);
            drop(world);
            self.shared.wire(self.which).amid_walks += 1;
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    Unreachable,
    TimedOut,
    Status(u16),
    /// "Too many requests", and how long to wait.
    Limited(Option<u64>),
    Page,
    Cut,
    Flipped,
    Jumbled,
}

impl Transport for Line {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let (latency, fate) = self.draw(request);
        if latency > Duration::ZERO {
            tokio::time::sleep(latency).await;
        }
        match fate {
            Fate::Unreachable => {
                return Err(TransportError::Unreachable("refused".to_owned()));
            }
            Fate::TimedOut => {
                return Err(TransportError::TimedOut {
                    missing: "first byte",
                    limit: request.limits.first_byte,
                });
            }
            Fate::Status(status) => return Ok(HttpResponse::with_status(status, "busy")),
            Fate::Limited(retry_after_secs) => {
                return Ok(HttpResponse {
                    retry_after_secs,
                    ..HttpResponse::with_status(429, "too many requests")
                });
            }
            Fate::Page => return Ok(HttpResponse::ok("<html>Welcome</html>")),
            Fate::Answered | Fate::Cut | Fate::Flipped | Fate::Jumbled => {}
        }
        let mut response = self.answer(request);
        self.happen_amid_walk(request);
        let length = u64::try_from(response.body.len()).unwrap();
        let place = usize::try_from(self.shared.wire(self.which).random.below(length)).unwrap();
        match fate {
            Fate::Cut => response.body.truncate(place),
            Fate::Flipped => {
                if let Some(byte) = response.body.get_mut(place) {
                    *byte ^= 1;
                }
            }
            Fate::Jumbled => self.shared.wire(self.which).jumble(&mut response),
            Fate::Answered
            | Fate::Unreachable
            | Fate::TimedOut
            | Fate::Status(_)
            | Fate::Limited(_)
            | Fate::Page => {}
        }
        Ok(response)
    }

    fn place(&self) -> &'static str {
        "simulation"
    }
}
