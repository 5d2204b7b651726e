//! A bitcoind's publisher: what its node's view gains and loses is said in the frames of ZMQ
//! notifications. On the way some are lost, late or repeated, and others are heard that name nothing.
//! It draws from a source of its own.

use super::{
    agenda::Action,
    bitcoin_side::BitcoinSide,
    plan::Faults,
    run::Simulation,
    world::{Meddling, Side as _},
};
use confirmd::{
    chain::bitcoin::NAMED_MAX,
    domain::block::{BlockHash, TxId},
    random::Random,
    sandbox::tree::Branch,
};
use std::collections::BTreeSet;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
/// More names than are kept at most.
const FLOOD: u64 = 12_000;

/// The frames of one notification.
pub type Frames = Vec<Vec<u8>>;

/// Names of what goes wrong, for the coverage.
pub const MISHAPS: [&str; 8] = [
    "names_lost",
    "names_late",
    "names_mixed",
    "names_again",
    "names_foreign",
    "names_gone",
    "names_flood",
    "names_undone",
];

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    Best(BlockHash),
    Connected(BlockHash),
    Disconnected(BlockHash),
    Arrived(TxId),
    Removed(TxId),
}

/// What becomes of a notification on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is heard at once.
    Prompt,
    Lost,
    /// It is late, and so are those behind it.
    Late,
    /// It alone is late.
    Mixed,
    /// It is heard once more.
    Again,
}

/// What the publisher knows of its node and has said of it.
pub struct Publisher {
    random: Random,
    branch: Branch,
    held: BTreeSet<TxId>,
    /// What left the mempool.
    gone: Vec<TxId>,
    /// How many of each topic were said, and how many of transactions.
    said: [u32; 2],
    of_transactions: u64,
    /// Whose next name is lost.
    unnamed: BTreeSet<TxId>,
    /// Before this nothing is heard that keeps its place.
    clear_at_ms: u64,
}

impl Publisher {
    pub fn new(seed: u64, side: &BitcoinSide) -> Self {
        let (chain, view) = side.node();
        Self {
            random: Random::new(seed ^ 0x00dd_2309),
            branch: Branch::to(chain.tree(), view.head(chain)),
            held: BTreeSet::new(),
            gone: Vec::new(),
            said: [0; 2],
            of_transactions: 0,
            unnamed: BTreeSet::new(),
            clear_at_ms: 0,
        }
    }

    /// What the node's view gained and lost since this was last asked.
    fn changes(&mut self, side: &BitcoinSide) -> Vec<Notice> {
        let (chain, view) = side.node();
        let switched = self.branch.switch(chain.tree(), view.head(chain));
        let left = switched.left.iter().rev().copied();
        let joined = switched.joined.iter().copied();
        let mut notices: Vec<Notice> = left.map(Notice::Disconnected).collect();
        notices.extend(joined.map(Notice::Connected));
        if !notices.is_empty() {
            notices.push(Notice::Best(view.head(chain)));
        }
        if !view.unconfirmed().map(|tx| &tx.txid).eq(&self.held) {
            let bodies = switched.joined.iter().flat_map(|hash| {
                let block = chain.tree().get(*hash).unwrap();
                block.transactions().iter().map(|tx| tx.txid)
            });
            let mined: BTreeSet<TxId> = bodies.collect();
            let held = view.unconfirmed().map(|tx| tx.txid).collect();
            let gone = self.held.difference(&held).copied();
            self.gone.extend(gone);
            // Of what a block takes nothing is said.
            let gone = self.held.difference(&held).copied();
            let removed = gone.filter(|txid| !mined.contains(txid));
            notices.extend(removed.map(Notice::Removed));
            let arrived = held.difference(&self.held).copied();
            notices.extend(arrived.map(Notice::Arrived));
            self.held = held;
        }
        notices
    }

    /// The next notification.
    fn frames(&mut self, notice: Notice) -> Frames {
        let [heads, others] = &mut self.said;
        let sequence = |hash: [u8; 32], letter| [&hash[..], &[letter]].concat();
        let (topic, said, mut body) = match notice {
            Notice::Best(hash) => ("hashblock", heads, hash.0.to_vec()),
            Notice::Connected(hash) => ("sequence", others, sequence(hash.0, b'C')),
            Notice::Disconnected(hash) => ("sequence", others, sequence(hash.0, b'D')),
            Notice::Arrived(txid) => ("sequence", others, sequence(txid.0, b'A')),
            Notice::Removed(txid) => ("sequence", others, sequence(txid.0, b'R')),
        };
        if let Notice::Arrived(_) | Notice::Removed(_) = notice {
            self.of_transactions += 1;
            body.extend(self.of_transactions.to_le_bytes());
        }
        let number = said.to_le_bytes().to_vec();
        *said = said.wrapping_add(1);
        vec![topic.as_bytes().to_vec(), body, number]
    }

    fn fate(&mut self, faults: &Faults) -> Fate {
        let fates = [
            (faults.names_lost, Fate::Lost),
            (faults.names_late, Fate::Late),
            (faults.names_mixed, Fate::Mixed),
            (faults.names_again, Fate::Again),
        ];
        let mut fates = fates.into_iter();
        let fate = fates.find(|(per_mille, _)| self.random.chance(*per_mille));
        fate.map_or(Fate::Prompt, |(_, fate)| fate)
    }

    /// The name of what nobody ever heard of.
    fn foreign(&mut self) -> Frames {
        let txid = TxId(self.random.bytes());
        self.frames(Notice::Arrived(txid))
    }
}

impl Simulation {
    /// Says what the node's view gained and lost.
    pub(super) fn publish(&mut self) {
        if !self.plan.publishes {
            return;
        }
        for notice in self.changes() {
            let frames = self.publisher.frames(notice);
            let is_unnamed =
                |txid: &TxId| notice == Notice::Arrived(*txid) || notice == Notice::Removed(*txid);
            if !self.publisher.unnamed.iter().any(is_unnamed) {
                self.send(frames);
            }
        }
        self.publisher.unnamed.clear();
    }

    fn changes(&mut self) -> Vec<Notice> {
        self.publisher.changes(&self.stage.shared.world().bitcoin)
    }

    fn send(&mut self, frames: Frames) {
        let fate = if self.settling {
            Fate::Prompt
        } else {
            self.publisher.fate(&self.plan.faults)
        };
        let now = self.stage.clock.elapsed_ms();
        let in_order = self.publisher.clear_at_ms.saturating_sub(now);
        let random = &mut self.publisher.random;
        match fate {
            Fate::Prompt => self.say(in_order, vec![frames]),
            Fate::Lost => self.mishap("names_lost"),
            Fate::Late => {
                let late = in_order + random.between(SECOND, 5 * MINUTE);
                self.publisher.clear_at_ms = now + late;
                self.mishap("names_late");
                self.say(late, vec![frames]);
            }
            Fate::Mixed => {
                let late = in_order + random.between(SECOND, MINUTE);
                self.mishap("names_mixed");
                self.say(late, vec![frames]);
            }
            Fate::Again => {
                let late = in_order + random.between(SECOND, 10 * MINUTE);
                self.mishap("names_again");
                self.say(in_order, vec![frames.clone()]);
                self.say(late, vec![frames]);
            }
        }
    }

    fn say(&mut self, in_ms: u64, all: Vec<Frames>) {
        self.plan_in(in_ms, Action::Hear(all));
    }

    /// Counts what goes wrong while there is somebody to hear it.
    fn mishap(&mut self, name: &str) {
        if self.stage.system.is_some() {
            self.count(&format!("fault {name}"));
        }
    }

    /// A daemon that is up hears it.
    pub(super) fn hear(&mut self, all: &[Frames]) {
        if let Some(system) = &mut self.stage.system {
            for frames in all {
                system.hear(frames);
            }
        }
    }

    /// Names that name nothing, once a minute.
    pub(super) fn misname(&mut self, faults: &Faults) {
        if !self.plan.publishes {
            return;
        }
        if self.publisher.random.chance(faults.names_foreign) {
            self.mishap("names_foreign");
            let frames = self.publisher.foreign();
            self.send(frames);
        }
        if self.publisher.random.chance(faults.names_gone) {
            self.name_what_is_gone();
        }
        if self.publisher.random.chance(faults.names_flood) {
            self.flood_with_names();
        }
        if self.publisher.random.chance(faults.names_undone) {
            self.replace_for_a_moment();
        }
    }

    /// What was replaced, evicted or mined long ago is named as if it came.
    fn name_what_is_gone(&mut self) {
        let Publisher { random, gone, .. } = &mut self.publisher;
        if let Some(txid) = random.pick(gone).copied() {
            self.mishap("names_gone");
            let frames = self.publisher.frames(Notice::Arrived(txid));
            self.send(frames);
        }
    }

    /// Among them is everything that waits.
    fn flood_with_names(&mut self) {
        self.note("fault: a flood of names");
        self.mishap("names_flood");
        let kept = u64::try_from(NAMED_MAX).unwrap();
        let count = self.publisher.random.between(kept, FLOOD);
        let mut flood: Vec<Frames> = (0..count).map(|_| self.publisher.foreign()).collect();
        let held = self.publisher.held.clone().into_iter();
        flood.extend(held.map(|txid| self.publisher.frames(Notice::Arrived(txid))));
        self.say(0, flood);
    }

    /// What waits is replaced, which is heard at once, and sent again, which is not heard.
    fn replace_for_a_moment(&mut self) {
        self.publish();
        let now = self.stage.clock.truth();
        let mut world = self.stage.shared.world();
        let random = &mut self.publisher.random;
        let Some(txid) = random.pick(&world.bitcoin.unconfirmed()).copied() else {
            return;
        };
        let paid = world.bitcoin.truth().get(txid).map(|tx| tx.credits.clone());
        let paid = paid.filter(|_| random.chance(500)).unwrap_or_default();
        let to = paid.first().map(|credit| (credit.to, credit.amount));
        let replaced = world.bitcoin.meddle(txid, &Meddling::Replace(to), now);
        drop(world);
        if replaced.is_none() {
            return;
        }
        self.note(format_args!("fault: {txid} is replaced for a moment"));
        for notice in self.changes() {
            let frames = self.publisher.frames(notice);
            self.say(0, vec![frames]);
        }
        let moment = self.publisher.random.between(1_500, 4_000);
        self.plan_in(moment, Action::SendAgain(txid));
    }

    /// It is back, and nobody says so.
    pub(super) fn send_again(&mut self, txid: TxId) {
        let now = self.stage.clock.truth();
        let mut world = self.stage.shared.world();
        let was_there = world.bitcoin.has_unconfirmed(txid);
        world.bitcoin.meddle(txid, &Meddling::Resend, now);
        let is_back = !was_there && world.bitcoin.has_unconfirmed(txid);
        drop(world);
        if is_back {
            self.publisher.unnamed.insert(txid);
            self.note(format_args!("{txid} is back, and nobody says so"));
            self.mishap("names_undone");
        }
    }
}
