//! Two daemons that follow the same nodes and get the same requests: the victim dies again and again, the
//! control never. Once both have caught up, they must say the same.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::confirmd::domain::asset::ChainKind;
use ::confirmd::random::Random;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::nodes::{Coin, Nodes};
use super::reading::Reading;
use super::same;
use crate::confirmd::{Confirmd, LIMIT, audit, now_ms};
use crate::nodes::{POLL_EVERY, send_signal};

pub const SIGKILL: i32 = 9;
pub const SIGABRT: i32 = 6;

/// The variable that names the point at which the daemon ends itself.
const ABORT_AT: &str = "CONFIRMD_ABORT_AT";

/// The variable that says after how many pages a commit copies its WAL to the main file.
const CHECKPOINT_PAGES: &str = "CONFIRMD_CHECKPOINT_PAGES";

/// How long the victim may live with what there is to do, before there is more.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two looks at whether both say the same.
const COMPARE_EVERY: Duration = Duration::from_millis(50);

/// The depth at which a payment in bitcoin is final: more than any reorganisation here, few enough to be reached.
const FINAL_DEPTH: i64 = 12;

/// What an order waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Registered; may be paid.
    Open,
    /// Paid by this transaction.
    Paid(String),
    /// Its transaction left the chain for good; may be paid again once both daemons know.
    Lost,
    /// Not to be paid any more.
    Closed,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub coin: Coin,
    pub address: String,
    pub stage: Stage,
}

pub struct World {
    pub victim: Confirmd,
    pub control: Confirmd,
    pub nodes: Box<dyn Nodes>,
    pub dice: Random,
    pub orders: Vec<Order>,
    /// Paid in bitcoin and in no block, in the order sent.
    pub unmined: Vec<usize>,
    /// Bitcoin that was sent to addresses of which the daemons do not know yet: address and txid.
    pub early: Vec<(String, String)>,
    /// The transfers that both must know, and how, before anything may be undone.
    pub awaited: Vec<(String, String, Value)>,
    /// Requests whose outcomes were not looked at yet, and how many there were before.
    requests: Vec<String>,
    requests_done: usize,
    reading: Reading,
}

/// Beginning, dying, catching up.
impl World {
    /// The control on these nodes; of the victim there is nothing but its configuration.
    pub fn new(nodes: impl Nodes + 'static, seed: u64) -> Self {
        let setup = || {
            let setup = nodes.followed().set("payments.grace", "0s");
            setup.set("chains.bitcoin.final_depth", FINAL_DEPTH)
        };
        Self {
            victim: setup().configured(),
            control: setup().start(),
            nodes: Box::new(nodes),
            dice: Random::new(seed),
            orders: Vec::new(),
            unmined: Vec::new(),
            early: Vec::new(),
            awaited: Vec::new(),
            requests: Vec::new(),
            requests_done: 0,
            reading: Reading::default(),
        }
    }

    /// Starts the victim so that it ends itself at the n-th passing of a point.
    pub fn spawn_armed(&mut self, point: &str, nth: u32) {
        self.checkpoint_often_or_seldom();
        let trap = format!("{point}:{nth}");
        self.victim.set_env(ABORT_AT, Some(&trap));
        self.victim.spawn();
        self.victim.set_env(ABORT_AT, None);
    }

    /// Every other life has a checkpoint in each commit, where some of the deaths fall; the others leave a WAL
    /// of many steps behind.
    pub fn checkpoint_often_or_seldom(&mut self) {
        let often = self.dice.chance(500).then_some("1");
        self.victim.set_env(CHECKPOINT_PAGES, often);
    }

    /// Kills the victim so much later, whatever it does then.
    pub fn kill_after(&self, delay: Duration) -> JoinHandle<()> {
        let process = self.victim.id();
        thread::spawn(move || {
            thread::sleep(delay); // the moment itself, no waiting for anything
            send_signal(process, Signal::SIGKILL);
        })
    }

    /// Waits for the victim's end, which must be by this signal, and looks at what is left.
    pub fn examine(&mut self, signal: i32, what: &str, mut nudge: impl FnMut(&mut Self)) {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.end_within(PATIENCE) {
                break status;
            }
            assert!(Instant::now() < deadline, "{what} is never passed");
            nudge(self);
        };
        let log = self.victim.log_tail();
        assert_eq!(status.signal(), Some(signal), "{what}: {status}\n{log}");
        if self.reading.len() > 0 || self.has_schema() {
            self.reading.read_again(self.victim.ledger());
        }
    }

    fn end_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.victim.exited();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            thread::sleep(POLL_EVERY);
        }
    }

    /// Whether a victim of which nothing was read yet came so far as to have something to read.
    fn has_schema(&self) -> bool {
        let ledger = self.victim.ledger();
        let tables = "SELECT count(*) AS count FROM sqlite_schema";
        let found = ledger.reopen().and_then(|()| ledger.try_query(tables, &[]));
        found.is_ok_and(|rows| rows[0]["count"] != 0)
    }

    /// Looks at all that the dead victim has left.
    pub fn audit(&self) {
        audit::database(&self.victim);
    }

    /// Reads everything again that was ever read of the victim's journal.
    pub fn read_all_again(&self) {
        self.reading.compare(self.victim.ledger(), 0);
    }

    /// Reads the journal on while the victim lives or is dead.
    pub fn read_on(&mut self) {
        self.reading.read_on(self.victim.ledger());
    }

    /// How many events were read.
    pub fn events(&self) -> usize {
        self.reading.len()
    }

    /// Waits until both daemons know all that the nodes know and all that was asked, and say the same.
    pub fn settle(&mut self) {
        for daemon in [&self.control, &self.victim] {
            for request in &self.requests {
                daemon.await_outcome(request);
            }
            self.await_scanned(daemon);
            for (payment, txid, wanted) in &self.awaited {
                daemon.await_transfer(payment, txid, wanted);
            }
        }
        self.await_sameness();
        self.requests_done += self.requests.len();
        self.requests.clear();
        self.awaited.clear();
        self.read_on();
        for order in &mut self.orders {
            if order.stage == Stage::Lost {
                order.stage = Stage::Open;
            }
        }
    }

    /// Waits until a daemon has recorded every block of the nodes.
    pub fn await_scanned(&self, daemon: &Confirmd) {
        for (name, chain) in [
            ("bitcoin", ChainKind::Bitcoin),
            ("ethereum", ChainKind::Ethereum),
        ] {
            let (height, hash) = (self.nodes.height(chain), self.nodes.tip(chain));
            let tip = json!({"scanned_height": height, "scanned_hash": hash, "healthy": 1});
            daemon.await_chain(name, &tip);
        }
    }

    fn await_sameness(&self) {
        let mut found = Vec::new();
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            let may_roll_back = self.nodes.may_roll_back();
            found = same::differences(&self.victim, &self.control, may_roll_back);
            if found.is_empty() {
                return;
            }
            thread::sleep(COMPARE_EVERY);
        }
        let log = self.control.log_tail();
        panic!(
            "the victim says otherwise:\n{}\nthe control's {log}",
            found.join("\n")
        );
    }
}

/// Requests, the same for both.
impl World {
    /// Writes one request into both inboxes.
    pub fn submit(&mut self, kind: &str, payment_id: &str, body: &Value) {
        let number = self.requests_done + self.requests.len();
        let request_id = format!("{number}-{kind}-{payment_id}");
        let (body, at) = (body.to_string(), now_ms());
        for daemon in [&self.control, &self.victim] {
            let gateway = daemon.gateway();
            gateway.insert(&request_id, kind, payment_id, &body, at);
        }
        self.requests.push(request_id);
        self.read_on();
    }

    /// Registers a payment to a new address; its place among the orders.
    pub fn register(&mut self, coin: Coin) -> usize {
        let address = self.new_address(coin);
        let now = self.nodes.height(coin.chain());
        self.register_at(coin, &address, &json!({"scan_from": now}))
    }

    /// Registers a payment to this address, with further fields of the request.
    pub fn register_at(&mut self, coin: Coin, address: &str, fields: &Value) -> usize {
        let id = format!("order-{}", self.orders.len());
        let (asset, amount, _) = coin.price();
        let mut body = json!({"asset": asset, "amount": amount, "address": address});
        let fields = fields.as_object().expect("fields").clone();
        body.as_object_mut().expect("a body").extend(fields);
        self.submit("register", &id, &body);
        self.orders.push(Order {
            id,
            coin,
            address: address.to_owned(),
            stage: Stage::Open,
        });
        self.orders.len() - 1
    }

    pub fn new_address(&self, coin: Coin) -> String {
        let seed = format!("{} {}", self.orders.len(), self.early.len());
        self.nodes.new_address(coin, &seed)
    }

    /// The first orders of a coin at a stage, at most so many.
    pub fn orders_at(&self, coin: Coin, stage: &Stage, limit: usize) -> Vec<usize> {
        let orders = self.orders.iter().enumerate();
        let fit = orders.filter(|(_, order)| order.coin == coin && order.stage == *stage);
        fit.map(|(place, _)| place).take(limit).collect()
    }
}
