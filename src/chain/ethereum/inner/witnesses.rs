//! Asks endpoints what contracts moved in a block, in the background, and compares what operators who are
//! independent of each other say.
//!
//! A trace takes a node long, and it is needed for ether alone: whoever follows the chain asks now and
//! then what has come. What two operators tell alike is witnessed, in whichever way each of them tells it; what
//! one tells, while nobody else can or does, is its claim; so is what too few tell alike for the quorum. Where they contradict each other about a
//! transaction, nothing is known of that transaction.

mod asking;

use super::rests::Rests;
use crate::chain::ethereum::{
    endpoint::Endpoint,
    trace::{Format, Outline, Root},
};
use crate::{
    bugs::{Bug, planted},
    chain::{SourceError, WITNESSES, rpc::Transport},
    domain::{
        amount::Amount,
        block::{BlockHash, BlockRef},
        evidence::Evidence,
        facts::{Candidate, Destination, Payer},
    },
};
use asking::{Answered, ask_all};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

/// How many blocks are kept to compare their traces with; an older one is fetched again.
const OUTLINES_MAX: usize = 64;

/// How long a look waits for what has not come yet.
const LOOK: Duration = Duration::from_millis(20);

/// How many are traced at once: each answer may be large.
const RUNNING_MAX: usize = 4;

/// How many that nobody has asked about since are kept beside them.
const KEPT_MAX: usize = 4 * RUNNING_MAX;

/// After so long nobody asks any more what came of a block.
const ABANDONED: Duration = Duration::from_mins(2);

/// Traces that are under way, and what they are compared with.
#[derive(Default)]
pub(in crate::chain::ethereum) struct Tracing {
    outlines: BTreeMap<BlockHash, Outline>,
    /// In the order in which they came.
    order: VecDeque<BlockHash>,
    running: BTreeMap<BlockHash, Running>,
    /// Blocks that are asked about again.
    pub(super) rests: Rests,
}

/// A block that is being traced.
struct Running {
    since: Instant,
    outline: Outline,
    hearing: Task<(Result<Heard, SourceError>, Vec<Said>)>,
}

/// Work in the background, which ends with whoever waits for it.
pub(super) struct Task<T>(pub JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of tracing a block, and which transactions it has.
#[derive(Debug)]
pub(super) struct Verdict {
    pub outline: Outline,
    pub outcome: Result<Heard, SourceError>,
    pub said: Vec<Said>,
}

/// What an endpoint said when it was asked for a block's traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// Its place.
    pub at: usize,
    /// How it was asked.
    pub format: Format,
    pub word: Word,
}

/// Whether it told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It did.
    Told,
    /// It said no.
    Refused,
    /// It said nothing that can be used.
    Nothing,
    /// It said nothing in time.
    Silent,
}

/// What operators told of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// As many as must tell the same; fewer, where nobody tells anything else, and then it is their claim.
    Witnessed(Vec<Candidate>),
    /// The same of all transactions but some.
    Disputed(Vec<Candidate>),
    /// One alone tells.
    Sole {
        /// Who.
        operator: String,
        /// What it tells.
        credits: Vec<Candidate>,
    },
}

/// An endpoint that may be asked.
pub(super) struct Witness<T> {
    /// Its place.
    pub at: usize,
    pub operator: String,
    pub endpoint: Endpoint<T>,
    /// How it tells what it tells.
    pub format: Format,
}

impl Tracing {
    /// Keeps what a block's traces will be compared with.
    pub(super) fn keep(&mut self, block: BlockHash, outline: Outline) {
        if self.outlines.insert(block, outline).is_none() {
            self.order.push_back(block);
        }
        while self.order.len() > OUTLINES_MAX {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.outlines.remove(&oldest));
        }
    }

    /// What a block's traces are compared with, if that is still known.
    pub(super) fn outline(&self, block: BlockHash) -> Option<Outline> {
        self.outlines.get(&block).cloned()
    }

    pub(super) fn is_running(&self, block: BlockHash) -> bool {
        self.running.contains_key(&block)
    }

    /// Whether as many are under way as may be, but for those that nobody asks about any more.
    pub(super) fn is_full(&mut self) -> bool {
        let now = Instant::now();
        let is_asked = |since: Instant| now.duration_since(since) < ABANDONED;
        self.running.retain(|_, running| is_asked(running.since));
        self.rests.forget_after(ABANDONED);
        let all = self.running.values();
        let under_way = all
            .filter(|running| !running.hearing.0.is_finished())
            .count();
        under_way >= RUNNING_MAX || self.running.len() >= KEPT_MAX
    }

    /// Begins to trace a block, of which so many must tell the same for it to be witnessed.
    pub(super) fn begin<T: Transport>(
        &mut self,
        block: BlockRef,
        outline: Outline,
        witnesses: Vec<Witness<T>>,
        needed: usize,
    ) {
        let running = Running {
            since: Instant::now(),
            hearing: Task(tokio::spawn(hear(
                block,
                Arc::clone(&outline.roots),
                witnesses,
                needed,
            ))),
            outline,
        };
        self.running.insert(block.id.hash, running);
    }

    /// What has come of these blocks until a moment from now.
    pub(super) async fn finished(&mut self, blocks: &[BlockRef]) -> Vec<(BlockRef, Verdict)> {
        let until = Instant::now() + LOOK;
        let mut finished = Vec::new();
        for block in blocks {
            let Some(running) = self.running.get_mut(&block.id.hash) else {
                continue;
            };
            let Ok(joined) = timeout_at(until, &mut running.hearing.0).await else {
                continue;
            };
            let outline = running.outline.clone();
            self.running.remove(&block.id.hash);
            let broken = || SourceError::Transient("tracing was interrupted".into());
            let (outcome, said) = joined.unwrap_or_else(|_| (Err(broken()), Vec::new()));
            let verdict = Verdict {
                outline,
                outcome,
                said,
            };
            finished.push((*block, verdict));
        }
        finished
    }
}

/// What one operator tells.
struct Account {
    operator: String,
    credits: Vec<Candidate>,
}

/// Hears as many operators as must tell the same, and further ones while they do not.
async fn hear<T: Transport>(
    block: BlockRef,
    roots: Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
    needed: usize,
) -> (Result<Heard, SourceError>, Vec<Said>) {
    let (mut words, mut errors) = (Vec::<Account>::new(), Vec::new());
    let mut all_said = Vec::new();
    let mut rest = VecDeque::from(witnesses);
    while !is_settled(&words, needed) && !rest.is_empty() {
        let missing = needed.saturating_sub(words.len()).max(1);
        let asked: Vec<Witness<T>> = rest.drain(..missing.min(rest.len())).collect();
        for Answered {
            operator,
            said,
            answer,
        } in ask_all(block, &roots, asked).await
        {
            all_said.push(said);
            match answer {
                Ok(credits) if words.iter().all(|word| word.operator != operator) => {
                    words.push(Account { operator, credits });
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    (judge(block, words, &errors, needed), all_said)
}

/// Whether as many as must tell the same of every transaction.
fn is_settled(words: &[Account], needed: usize) -> bool {
    let settled = |tx| agreed(words, tx).is_some_and(|(_, alike)| alike >= needed);
    words.len() >= needed && transactions(words).all(settled)
}

/// Those in which anybody says that contracts moved something.
fn transactions(words: &[Account]) -> impl Iterator<Item = u32> {
    let credits = words.iter().flat_map(|word| &word.credits);
    let transactions: BTreeSet<u32> = credits.map(|credit| credit.tx_index).collect();
    transactions.into_iter()
}

/// What two of them tell alike of a transaction, as the first of them says it, and how many do, unless two others
/// tell something else. How the calls between are counted differs from client to client.
fn agreed(words: &[Account], tx: u32) -> Option<(&Account, usize)> {
    let told: Vec<Vec<Moved>> = words.iter().map(|word| word.moved(tx)).collect();
    let alike = |one: &&Vec<Moved>| told.iter().filter(|other| other == one).count() >= WITNESSES;
    let first = told.iter().position(|one| alike(&one))?;
    let same = told.get(first);
    let is_contradicted = told.iter().filter(alike).any(|other| Some(other) != same);
    let count = told.iter().filter(|other| Some(*other) == same).count();
    let word = words.get(first).filter(|_| !is_contradicted);
    word.map(|word| (word, count))
}

/// Who got how much from whom.
type Moved = (Destination, Amount, Option<[u8; 20]>);

impl Account {
    fn of(&self, tx: u32) -> impl Iterator<Item = &Candidate> {
        let credits = self.credits.iter();
        credits.filter(move |credit| credit.tx_index == tx)
    }

    /// What was moved in a transaction, wherever in it.
    fn moved(&self, tx: u32) -> Vec<Moved> {
        let payer = |credit: &Candidate| match &credit.payer {
            Payer::Account(account) => Some(*account),
            Payer::Unknown | Payer::Signer(_) => None,
        };
        let moved = |credit: &Candidate| (credit.destination, credit.amount, payer(credit));
        let mut all: Vec<Moved> = self.of(tx).map(moved).collect();
        all.sort_unstable();
        all
    }
}

fn judge(
    block: BlockRef,
    mut words: Vec<Account>,
    errors: &[SourceError],
    needed: usize,
) -> Result<Heard, SourceError> {
    if words.len() < WITNESSES {
        let sole = words.pop().ok_or_else(|| refused(block, errors))?;
        let Account { operator, credits } = sole;
        return Ok(Heard::Sole { operator, credits });
    }
    let mut witnessed = Vec::new();
    let mut is_disputed = false;
    for tx in transactions(&words) {
        match agreed(&words, tx) {
            // Under a greater quorum it is a claim, and whoever tells something else is no liar yet.
            Some((word, alike)) if alike < needed && !planted(Bug::TwoWitnessAll) => {
                witnessed.extend(word.of(tx).cloned());
                is_disputed |= alike < words.len();
            }
            Some((word, _)) => witnessed.extend(word.of(tx).map(|credit| Candidate {
                evidence: Evidence::Witnessed,
                ..credit.clone()
            })),
            None => is_disputed = true,
        }
    }
    Ok(if is_disputed {
        Heard::Disputed(witnessed)
    } else {
        Heard::Witnessed(witnessed)
    })
}

/// No repetition helps only where everybody refuses.
fn refused(block: BlockRef, errors: &[SourceError]) -> SourceError {
    if errors.is_empty() {
        let height = block.id.height;
        let text = format!("block {height}: no endpoint that can trace can be asked now");
        return SourceError::Transient(text);
    }
    let may_heal = |error: &SourceError| !matches!(error, SourceError::Permanent(_));
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let said = said.join("; ");
    if errors.iter().any(may_heal) {
        SourceError::Transient(said)
    } else {
        SourceError::Permanent(said)
    }
}
