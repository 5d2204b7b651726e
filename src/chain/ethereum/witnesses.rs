//! Asks endpoints what contracts moved in a block, in the background, and compares what operators who are
//! independent of each other say.
//!
//! A trace takes a node long, and it is needed for ether alone: whoever follows the chain asks now and
//! then what has come. What two operators tell alike is witnessed; what one tells, while nobody else
//! can, is its claim. Where they contradict each other, nothing is known.

use super::{
    endpoint::Endpoint,
    trace::{self, Root},
};
use crate::{
    chain::{
        SourceError,
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
const LOOK: Duration = Duration::from_secs(1);

/// How many operators must tell the same where so many can.
const WITNESSES: usize = 2;

/// What a trace of a verified block is compared with.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    pub transactions: Arc<[TxId]>,
    pub roots: Arc<[Root]>,
}

/// Traces that are under way, and what they are compared with.
#[derive(Default)]
pub(super) struct Tracing {
    outlines: BTreeMap<BlockHash, Outline>,
    /// In the order in which they came.
    order: VecDeque<BlockHash>,
    running: BTreeMap<BlockHash, Running>,
}

/// A block that is being traced; nobody waits for it once it is dropped.
struct Running(JoinHandle<Verdict>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of tracing a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The inner credits.
    pub credits: Result<Vec<Candidate>, SourceError>,
    /// Whoever answered what cannot be, or what others contradict, and in words.
    pub liars: Vec<(usize, String)>,
}

/// An endpoint that may be asked.
pub(super) struct Witness<T> {
    pub at: usize,
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

    /// Nobody waits for any other block.
    pub(super) fn only(&mut self, blocks: &[BlockRef]) {
        let is_wanted = |hash: &BlockHash| blocks.iter().any(|block| block.id.hash == *hash);
        self.running.retain(|hash, _| is_wanted(hash));
    }

    pub(super) fn is_running(&self, block: BlockHash) -> bool {
        self.running.contains_key(&block)
    }

    /// Begins to trace a block.
    pub(super) fn begin<T: Transport>(
        &mut self,
        block: BlockRef,
        outline: &Outline,
        witnesses: Vec<Witness<T>>,
    ) {
        let roots = Arc::clone(&outline.roots);
        let running = tokio::spawn(hear(block, roots, witnesses));
        self.running.insert(block.id.hash, Running(running));
    }

    /// What has come of these blocks until a moment from now.
    pub(super) async fn finished(&mut self, blocks: &[BlockRef]) -> Vec<(BlockRef, Verdict)> {
        let until = Instant::now() + LOOK;
        let mut finished = Vec::new();
        for block in blocks {
            let Some(running) = self.running.get_mut(&block.id.hash) else {
                continue;
            };
            let Ok(joined) = timeout_at(until, &mut running.0).await else {
                continue;
            };
            self.running.remove(&block.id.hash);
            let broken = |_| Verdict {
                credits: Err(SourceError::Transient("tracing was interrupted".into())),
                liars: Vec::new(),
            };
            finished.push((*block, joined.unwrap_or_else(broken)));
        }
        finished
    }
}

/// What one operator says.
struct Word {
    at: usize,
    operator: String,
    credits: Vec<Candidate>,
}

/// Hears as many operators as must tell the same, and further ones while they do not.
async fn hear<T: Transport>(
    block: BlockRef,
    roots: Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Verdict {
    let (mut words, mut errors, mut liars) = (Vec::<Word>::new(), Vec::new(), Vec::new());
    let mut rest = VecDeque::from(witnesses);
    while !has_witnesses(&words) && !rest.is_empty() {
        let missing = WITNESSES.saturating_sub(words.len()).max(1);
        let asked: Vec<Witness<T>> = rest.drain(..missing.min(rest.len())).collect();
        for (witness, answer) in ask_all(block, &roots, asked).await {
            let Witness {
                at,
                operator,
                endpoint,
            } = witness;
            match answer {
                Ok(credits) if words.iter().all(|word| word.operator != operator) => {
                    words.push(Word {
                        at,
                        operator,
                        credits,
                    });
                }
                Ok(_) => {}
                Err(Refusal::Source(error)) => errors.push(error),
                Err(Refusal::Untrue(error)) => {
                    let said = format!("{endpoint}: block {}: {error}", block.id.height);
                    errors.push(SourceError::Permanent(said.clone()));
                    liars.push((at, said));
                }
            }
        }
    }
    judge(block, words, errors, liars)
}

fn has_witnesses(words: &[Word]) -> bool {
    agreed(words).is_some()
}

/// What two of them tell alike.
fn agreed(words: &[Word]) -> Option<&Word> {
    words.iter().find(|word| {
        let same = words.iter().filter(|other| other.credits == word.credits);
        same.count() >= WITNESSES
    })
}

fn judge(
    block: BlockRef,
    words: Vec<Word>,
    errors: Vec<SourceError>,
    mut liars: Vec<(usize, String)>,
) -> Verdict {
    if let Some(word) = agreed(&words) {
        let credits = told(&word.credits, Evidence::Witnessed);
        let others = words.iter().filter(|other| other.credits != word.credits);
        liars.extend(others.map(|other| (other.at, lie(block))));
        return Verdict {
            credits: Ok(credits),
            liars,
        };
    }
    let credits = match words.as_slice() {
        [word] => Ok(told(&word.credits, Evidence::Claimed)),
        [] => Err(refused(block, errors)),
        [..] => Err(SourceError::Transient(format!(
            "operators tell different moves of contracts in block {}",
            block.id.height
        ))),
    };
    Verdict { credits, liars }
}

fn lie(block: BlockRef) -> String {
    let height = block.id.height;
    format!("its trace of block {height} is another than that of two other operators")
}

fn told(credits: &[Candidate], evidence: Evidence) -> Vec<Candidate> {
    let told = |credit: &Candidate| Candidate {
        evidence,
        ..credit.clone()
    };
    credits.iter().map(told).collect()
}

/// No repetition helps only where everybody refuses.
fn refused(block: BlockRef, errors: Vec<SourceError>) -> SourceError {
    if errors.is_empty() {
        let height = block.id.height;
        let text = format!("block {height}: no endpoint that can trace was reached yet");
        return SourceError::Transient(text);
    }
    let transient = |error: &SourceError| !matches!(error, SourceError::Permanent(_));
    let may_heal = errors.iter().any(transient);
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let said = said.join("; ");
    if may_heal {
        SourceError::Transient(said)
    } else {
        SourceError::Permanent(said)
    }
}

/// Why one gave no trace.
enum Refusal {
    Source(SourceError),
    Untrue(trace::TraceError),
}

async fn ask_all<T: Transport>(
    block: BlockRef,
    roots: &Arc<[Root]>,
    witnesses: Vec<Witness<T>>,
) -> Vec<(Witness<T>, Result<Vec<Candidate>, Refusal>)> {
    let mut asked = Vec::new();
    for witness in witnesses {
        let (endpoint, roots) = (witness.endpoint.clone(), Arc::clone(roots));
        let asking = Asking(tokio::spawn(
            async move { ask(&endpoint, block, &roots).await },
        ));
        asked.push((witness, asking));
    }
    let mut answers = Vec::new();
    for (witness, mut asking) in asked {
        let interrupted = || Refusal::Source(SourceError::Transient("interrupted".into()));
        let answer = (&mut asking.0).await;
        answers.push((witness, answer.unwrap_or_else(|_| Err(interrupted()))));
    }
    answers
}

/// Ends with whoever asks.
struct Asking(JoinHandle<Result<Vec<Candidate>, Refusal>>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask<T: Transport>(
    endpoint: &Endpoint<T>,
    block: BlockRef,
    roots: &[Root],
) -> Result<Vec<Candidate>, Refusal> {
    let traces = endpoint.traces(&block).await;
    let traces = traces.map_err(|error| Refusal::Source(source_error(endpoint, &error)))?;
    trace::inner_credits(traces.get(), roots).map_err(Refusal::Untrue)
}

/// A node that says no has its reason, and will say it again; one that says nothing may answer later.
fn source_error<T: Transport>(endpoint: &Endpoint<T>, error: &RpcError) -> SourceError {
    let text = format!("{endpoint}: debug_traceBlockByHash: {error}");
    if error.code().is_some() || matches!(error, RpcError::TooLarge { .. }) {
        SourceError::Permanent(text)
    } else {
        SourceError::Transient(text)
    }
}
