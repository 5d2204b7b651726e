//! Asks endpoints what contracts moved in a block, in the background, and compares what operators who are
//! independent of each other say.
//!
//! A trace takes a node long, and it is needed for ether alone: whoever follows the chain asks now and
//! then what has come. What two operators tell alike is witnessed; what one tells, while nobody else
//! can or does, is its claim. Where they contradict each other, nothing is known.

use super::{
    endpoint::{CALL_TRACER, Endpoint},
    trace::{self, Root},
};
use crate::{
    chain::{
        SourceError, WITNESSES,
        rpc::{RpcError, Transport},
    },
    domain::{
        block::{BlockHash, BlockRef, TxId},
        evidence::Evidence,
        facts::Candidate,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
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

/// How long a trace is waited for before others are asked.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long other operators who can trace are waited for while one alone tells.
const OTHERS_PATIENCE: Duration = Duration::from_mins(1);

/// After so long nobody asks any more what came of a block.
const ABANDONED: Duration = Duration::from_mins(2);

/// How nodes say that they are asked too much (EIP-1474).
const LIMIT_EXCEEDED: i64 = -32005;

/// What a trace of a block is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub transactions: Arc<[TxId]>,
    pub roots: Arc<[Root]>,
    /// Whether the block's hash binds it.
    pub is_proven: bool,
}

/// Traces that are under way, and what they are compared with.
#[derive(Default)]
pub(super) struct Tracing {
    outlines: BTreeMap<BlockHash, Outline>,
    /// In the order in which they came.
    order: VecDeque<BlockHash>,
    running: BTreeMap<BlockHash, Running>,
    /// Since when one operator alone tells of a block.
    sole_since: BTreeMap<BlockHash, Instant>,
}

/// A block that is being traced.
struct Running {
    since: Instant,
    outline: Outline,
    hearing: Task<Result<Heard, SourceError>>,
}

/// Work in the background, which ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

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
}

/// What operators told of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// Two tell the same.
    Witnessed(Vec<Candidate>),
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
    pub operator: String,
    pub endpoint: Endpoint<T>,
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
        self.sole_since.retain(|_, since| is_asked(*since));
        self.running.len() >= RUNNING_MAX
    }

    /// Whether one operator alone has told of a block for as long as others are waited for.
    pub(super) fn waited_long_for(&mut self, block: BlockHash) -> bool {
        let since = self.sole_since.entry(block).or_insert_with(Instant::now);
        since.elapsed() >= OTHERS_PATIENCE
    }

    /// A block is done with.
    pub(super) fn forget(&mut self, block: BlockHash) {
        self.sole_since.remove(&block);
    }

    /// Begins to trace a block.
    pub(super) fn begin<T: Transport>(
        &mut self,
        block: BlockRef,
        outline: Outline,
        witnesses: Vec<Witness<T>>,
    ) {
        let running = Running {
            since: Instant::now(),
            hearing: Task(tokio::spawn(hear(
                block,
                Arc::clone(&outline.roots),
                witnesses,
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
            let broken = |_| Err(SourceError::Transient("tracing was interrupted".into()));
            let outcome = joined.unwrap_or_else(broken);
            finished.push((*block, Verdict { outline, outcome }));
        }
        finished
    }
}

/// What one operator says.
struct Word {
    operator: String,
    credits: Vec<Candidate>,
}

/// Hears as many operators as must tell the same, and further ones while they do not.
async fn hear<T: Transport>(
    block: BlockRef,
    roots: Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Result<Heard, SourceError> {
    let (mut words, mut errors) = (Vec::<Word>::new(), Vec::new());
    let mut rest = VecDeque::from(witnesses);
    while agreed(&words).is_none() && !rest.is_empty() {
        let missing = WITNESSES.saturating_sub(words.len()).max(1);
        let asked: Vec<Witness<T>> = rest.drain(..missing.min(rest.len())).collect();
        for (operator, answer) in ask_all(block, &roots, asked).await {
            match answer {
                Ok(credits) if words.iter().all(|word| word.operator != operator) => {
                    words.push(Word { operator, credits });
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
    }
    judge(block, words, &errors)
}

/// What two of them tell alike, as the first of them says it. How the calls between are counted differs
/// from client to client.
fn agreed(words: &[Word]) -> Option<&Word> {
    words.iter().find(|word| {
        let same = words.iter().filter(|other| tell_the_same(word, other));
        same.count() >= WITNESSES
    })
}

fn tell_the_same(one: &Word, other: &Word) -> bool {
    let moved = |credit: &Candidate| {
        (
            credit.tx_index,
            credit.destination,
            credit.amount,
            credit.payer.clone(),
        )
    };
    one.credits
        .iter()
        .map(moved)
        .eq(other.credits.iter().map(moved))
}

fn judge(
    block: BlockRef,
    mut words: Vec<Word>,
    errors: &[SourceError],
) -> Result<Heard, SourceError> {
    if let Some(word) = agreed(&words) {
        let witnessed = |credit: &Candidate| Candidate {
            evidence: Evidence::Witnessed,
            ..credit.clone()
        };
        return Ok(Heard::Witnessed(
            word.credits.iter().map(witnessed).collect(),
        ));
    }
    match (words.pop(), words.is_empty()) {
        (Some(Word { operator, credits }), true) => Ok(Heard::Sole { operator, credits }),
        (None, _) => Err(refused(block, errors)),
        (Some(_), false) => Err(SourceError::Transient(format!(
            "operators tell different moves of contracts in block {}",
            block.id.height
        ))),
    }
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

/// Who answers, and what.
type Answered = (String, Result<Vec<Candidate>, SourceError>);

async fn ask_all<T: Transport>(
    block: BlockRef,
    roots: &Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Vec<Answered> {
    let mut asked = Vec::new();
    for Witness { operator, endpoint } in witnesses {
        let (name, roots) = (endpoint.to_string(), Arc::clone(roots));
        let asking = Task(tokio::spawn(
            async move { ask(&endpoint, block, &roots).await },
        ));
        asked.push((operator, name, asking));
    }
    let until = Instant::now() + PATIENCE;
    let mut answers = Vec::new();
    for (operator, name, mut asking) in asked {
        let late = || SourceError::Transient(format!("{name}: no trace within {PATIENCE:?}"));
        let answer = match timeout_at(until, &mut asking.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(late()),
        };
        answers.push((operator, answer));
    }
    answers
}

async fn ask<T: Transport>(
    endpoint: &Endpoint<T>,
    block: BlockRef,
    roots: &[Root],
) -> Result<Vec<Candidate>, SourceError> {
    let traces = endpoint.traces(&block).await;
    let traces = traces.map_err(|error| source_error(endpoint, &error))?;
    trace::inner_credits(traces.get(), roots).map_err(|error| {
        let height = block.id.height;
        SourceError::Permanent(format!("{endpoint}: block {height}: {error}"))
    })
}

/// A node that says no has its reason, and is likely to say it again; one that says nothing, or that it is
/// asked too much, may answer later.
fn source_error<T: Transport>(endpoint: &Endpoint<T>, error: &RpcError) -> SourceError {
    let text = format!("{endpoint}: {CALL_TRACER}: {error}");
    let says_no = error.code().is_some_and(|code| code != LIMIT_EXCEEDED);
    if says_no || matches!(error, RpcError::TooLarge { .. }) {
        SourceError::Permanent(text)
    } else {
        SourceError::Transient(text)
    }
}
