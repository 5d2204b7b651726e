//! A watcher that replays what it is told into a naive chain and trips over any inconsistency.

use crate::{
    chain::{
        ChainInput, SourceError,
        follower::{Gone, Sink, window::follows},
    },
    domain::{
        block::{BlockHash, BlockRef, Height},
        facts::BlockFacts,
    },
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
};

/// A hand on the recording watcher.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Model>>);

#[derive(Default)]
struct Model {
    /// The cursor's chain, as far as it was told.
    chain: Vec<BlockRef>,
    scanned: HashSet<BlockHash>,
    /// Blocks that were given without their contents: those below the first one.
    given: HashSet<BlockHash>,
    frozen: bool,
    inputs: Vec<ChainInput>,
}

impl Model {
    fn advance(&mut self, disconnect_to: Option<BlockRef>, connected: &[BlockFacts]) {
        assert!(
            disconnect_to.is_some() || !connected.is_empty(),
            "an empty step"
        );
        if let Some(fork) = disconnect_to {
            self.disconnect(fork);
        }
        for facts in connected {
            let links = self
                .chain
                .last()
                .is_none_or(|tip| follows(tip.id, &facts.block));
            assert!(
                links,
                "{:?} does not follow {:?}",
                facts.block,
                self.chain.last()
            );
            self.scanned.insert(facts.block.id.hash);
            self.chain.push(facts.block);
        }
    }

    fn disconnect(&mut self, fork: BlockRef) {
        let tip = self.chain.last().expect("something to disconnect");
        assert!(fork.id.height < tip.id.height, "nothing to disconnect");
        self.chain.retain(|block| block.id.height <= fork.id.height);
        if let Some(left) = self.chain.last() {
            assert_eq!(*left, fork, "the fork is not on our chain");
        } else {
            // A released chain that goes over to a branch which leaves all that is known.
            self.given.insert(fork.id.hash);
            self.chain.push(fork);
        }
    }

    fn take(&mut self, input: &ChainInput) {
        match input {
            ChainInput::Began { history, first } => {
                assert_eq!(self.chain, [], "began before");
                self.given.extend(history.iter().map(|block| block.id.hash));
                self.chain.extend(history);
                self.advance(None, std::slice::from_ref(first.as_ref()));
            }
            ChainInput::Advance {
                disconnect_to,
                connected,
            } => self.advance(*disconnect_to, connected),
            ChainInput::Polled { status, .. } => {
                let ours = self.chain.last().map(|block| block.id);
                assert_eq!(ours, Some(status.tip.id), "polled, not caught up");
                assert!(!self.frozen, "polled while frozen");
            }
            ChainInput::Frozen { .. } => assert!(!std::mem::replace(&mut self.frozen, true)),
            ChainInput::Thawed => assert!(std::mem::replace(&mut self.frozen, false)),
            ChainInput::Backfill { blocks, to, .. } => {
                let ours = |facts: &BlockFacts| {
                    self.chain.iter().all(|block| {
                        block.id.height != facts.block.id.height || *block == facts.block
                    })
                };
                assert!(blocks.iter().all(ours), "past blocks of another chain");
                assert!(blocks.last().is_none_or(|last| last.block.id.height == *to));
            }
            ChainInput::Traced { blocks, to, .. } => {
                let is_ours = |facts: &BlockFacts| self.chain.contains(&facts.block);
                assert!(blocks.iter().all(is_ours), "traces of another chain");
                let tip = self.chain.last().map(|block| block.id.height);
                assert!(tip >= Some(*to), "traced up to {to}");
            }
            ChainInput::Status(_)
            | ChainInput::Grown { .. }
            | ChainInput::TracedBy(_)
            | ChainInput::Balances { .. }
            | ChainInput::Mempool(_)
            | ChainInput::Failed { .. }
            | ChainInput::BackfillRefused { .. }
            | ChainInput::Spenders { .. } => {}
            ChainInput::Agreed { block, .. } => {
                let is_ours = |block: &BlockRef| self.chain.contains(block);
                assert!(block.as_ref().is_none_or(is_ours), "agreed on {block:?}");
            }
        }
    }
}

impl Sink for Recorder {
    async fn deliver(&mut self, input: ChainInput) -> Result<(), Gone> {
        let mut model = self.model();
        model.take(&input);
        model.inputs.push(input);
        drop(model);
        Ok(())
    }
}

impl Recorder {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().expect("no inconsistency before")
    }

    /// Begins with these blocks as the store would.
    pub(crate) fn resume(&self, recent: &[BlockRef]) {
        let mut model = self.model();
        model.chain = recent.to_vec();
        model.given = recent.iter().map(|block| block.id.hash).collect();
    }

    /// Forgets what was told, but not what follows from it.
    pub(crate) fn forget(&self) {
        self.model().inputs.clear();
    }

    pub(crate) fn chain(&self) -> Vec<BlockRef> {
        self.model().chain.clone()
    }

    pub(crate) fn tip(&self) -> BlockRef {
        *self.model().chain.last().expect("a tip")
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.model().frozen
    }

    /// Asserts that the contents of every block of the chain were delivered.
    pub(crate) fn assert_all_scanned(&self) {
        let model = self.model();
        for block in &model.chain {
            let hash = block.id.hash;
            assert!(model.scanned.contains(&hash) || model.given.contains(&hash));
        }
    }

    /// The words of the refusals since the last look.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let refusal = |input| {
            let ChainInput::BackfillRefused { message, .. } = input else {
                return None;
            };
            Some(message)
        };
        self.inputs().into_iter().filter_map(refusal).collect()
    }

    /// What was told since the last look, in words: one each, statuses left out.
    pub(crate) fn told(&self) -> Vec<String> {
        let inputs = std::mem::take(&mut self.model().inputs);
        inputs.iter().filter_map(in_words).collect()
    }

    /// What was told since the last look.
    pub(crate) fn inputs(&self) -> Vec<ChainInput> {
        std::mem::take(&mut self.model().inputs)
    }
}

fn in_words(input: &ChainInput) -> Option<String> {
    Some(match input {
        ChainInput::Status(_) => return None,
        ChainInput::Began { first, .. } => format!("begin {}", first.block.id.height),
        ChainInput::Advance {
            disconnect_to,
            connected,
        } => advance_in_words(*disconnect_to, connected),
        ChainInput::Mempool(news) => {
            let snapshot = if news.snapshot.is_some() {
                ", snapshot"
            } else {
                ""
            };
            format!("mempool +{}{snapshot}", news.arrived.len())
        }
        ChainInput::Polled { status, .. } => format!("polled {}", status.tip.id.height),
        ChainInput::Failed { error } => failure_in_words(error),
        ChainInput::Traced {
            blocks,
            to,
            given_up,
            problem,
        } => {
            let problem = problem.as_ref().map_or("", |_| ", problem");
            let gone: Vec<String> = given_up.iter().map(|b| b.id.height.to_string()).collect();
            let gone = match gone.as_slice() {
                [] => String::new(),
                gone => format!(", without {}", gone.join(" ")),
            };
            format!("traced {} to {to}{gone}{problem}", heights(blocks))
        }
        ChainInput::TracedBy(tracing) => format!("tracing {tracing}"),
        ChainInput::Balances {
            block,
            told,
            problem,
        } => {
            let problem = problem.as_ref().map_or("", |_| ", problem");
            format!("balances {} after {}{problem}", told.len(), block.id.height)
        }
        ChainInput::Grown {
            block,
            growth,
            is_last,
        } => {
            let last = if *is_last { ", for the last time" } else { "" };
            format!("grown {} in {}{last}", growth.len(), block.id.height)
        }
        ChainInput::Backfill {
            batch,
            blocks,
            to,
            untraced,
        } => {
            let untraced = if *untraced { ", not all traced" } else { "" };
            format!("backfill {batch}: {} to {to}{untraced}", heights(blocks))
        }
        ChainInput::BackfillRefused { batch, .. } => format!("refused {batch}"),
        ChainInput::Spenders { answers } => format!("spenders {}", answers.len()),
        ChainInput::Frozen { .. } => "frozen".into(),
        ChainInput::Thawed => "thawed".into(),
        ChainInput::Agreed { block, lost } => {
            let height = block.map_or_else(|| "nothing".into(), |b| b.id.height.to_string());
            let lost = lost.as_ref().map_or("", |_| ", lost");
            format!("agreed {height}{lost}")
        }
    })
}

fn advance_in_words(disconnect_to: Option<BlockRef>, connected: &[BlockFacts]) -> String {
    let left =
        disconnect_to.map_or_else(String::new, |fork| format!("back to {}, ", fork.id.height));
    format!("{left}connect {}", heights(connected))
}

fn failure_in_words(error: &SourceError) -> String {
    let kind = match error {
        SourceError::Transient(_) => "transient",
        SourceError::Behind(_) => "behind",
        SourceError::Permanent(_) => "permanent",
    };
    format!("failed {kind}")
}

fn heights(blocks: &[BlockFacts]) -> String {
    let height = |facts: &BlockFacts| facts.block.id.height;
    match (blocks.first().map(height), blocks.last().map(height)) {
        (Some(Height(first)), Some(Height(last))) if first == last => first.to_string(),
        (Some(first), Some(last)) => format!("{first}-{last}"),
        (None, _) | (_, None) => "nothing".into(),
    }
}
