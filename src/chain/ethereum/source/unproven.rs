//! Blocks that no endpoint can prove: who must tell the same of one for it to be taken as it is told.
//!
//! What one endpoint fails and another passes, that one lies about. What all fail alike is a format that this
//! version does not know, or a lie that all tell; nothing here can tell these apart. So it is done only where an
//! operator wants it, and everything credited by such a block says that its hash did not prove it.

use super::EthereumSource;
use crate::chain::ethereum::{
    endpoint::{BlockError, Endpoint},
    quorum,
    scan::Block,
    told::Reading,
    verify::{FailedCheck, Fault, VerifyError},
};
use crate::{
    bugs::{Bug, planted},
    chain::{SourceError, rpc::Transport},
    config::OnUnverifiable,
    domain::{
        block::{BlockHash, BlockRef, Height},
        facts::BlockFacts,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// How long each endpoint's blocks are waited for, which may be large.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one endpoint says of each block that it was asked about.
type Readings = BTreeMap<BlockHash, Result<Reading, BlockError>>;

/// An endpoint by its place, and what it says.
type Answer = (usize, Result<Readings, SourceError>);

/// Who must tell the same.
#[derive(Debug, Clone, Copy)]
enum Needed {
    /// Every configured endpoint, of which there are so many.
    All(usize),
    /// So many operators.
    Operators(usize),
}

/// A block of which enough tell the same, each failing the same check.
struct Agreed<'a> {
    block: &'a Block,
    check: FailedCheck,
}

impl<T: Transport> EthereumSource<T> {
    /// Whether a block that nobody can verify may be taken as it is told.
    pub(super) const fn degrades(&self) -> bool {
        match self.on_unverifiable {
            OnUnverifiable::Stop => false,
            OnUnverifiable::Degrade => true,
        }
    }

    /// Whether one of these blocks fails what it will fail again.
    pub(super) fn will_fail_again(&self, failures: &[(usize, BlockError)]) -> bool {
        failures.iter().any(|(_, error)| match error {
            BlockError::Unverified(error) => {
                let is_lasting = |check| self.doubts.is_lasting(error.block.hash, check);
                error.fault.check().is_some_and(is_lasting)
            }
            BlockError::Source(_) => false,
        })
    }

    /// The blocks that are missing, from all endpoints at once: proved where one's answer is, else as
    /// enough of them tell.
    pub(super) async fn as_told(
        &mut self,
        blocks: &[BlockRef],
        mut found: BTreeMap<Height, BlockFacts>,
    ) -> Result<Vec<BlockFacts>, SourceError> {
        let is_missing = |block: &&BlockRef| !found.contains_key(&block.id.height);
        let missing: Vec<BlockRef> = blocks.iter().filter(is_missing).copied().collect();
        let answers = self.readings(&missing).await;
        for block in &missing {
            let words = words(&answers, block.id.hash);
            if let Some(proven) = proven(&words) {
                let facts = self.keep_outline(proven.clone());
                self.doubts.settled(&facts);
                found.insert(block.id.height, facts);
                self.blame(&failures(&words), &found);
            } else if let Some(told) = self.agreed(&words) {
                self.doubts.taken(told.check);
                let facts = self.keep_outline(told.block.clone());
                found.insert(block.id.height, facts);
            } else {
                return Err(self.refuse(&words));
            }
        }
        self.note_served(true, &[]);
        Ok(found.into_values().collect())
    }

    /// What enough endpoints tell alike of a block that will not be proved by asking again.
    fn agreed<'a>(&self, words: &[Word<'a>]) -> Option<Agreed<'a>> {
        let agreed = agreed(words, &self.operators, self.needed())?;
        let block = agreed.block.facts.block.id.hash;
        self.doubts
            .is_lasting(block, agreed.check)
            .then_some(agreed)
    }

    fn needed(&self) -> Needed {
        if planted(Bug::OneTellsAll) {
            Needed::Operators(1)
        } else if self.quorum > 1 {
            Needed::Operators(self.quorum)
        } else {
            Needed::All(self.endpoints.all_but(&[]).len())
        }
    }

    /// Why a block is neither proved nor taken as it is told.
    fn refuse(&mut self, words: &[Word<'_>]) -> SourceError {
        let is_agreed = agreed(words, &self.operators, self.needed()).is_some();
        let failures = if is_agreed {
            failures(words)
        } else {
            words.iter().filter_map(Word::refusal).collect()
        };
        self.note_served(false, &failures);
        self.judge(words.len(), failures)
    }

    /// What each endpoint says of these blocks. Where a quorum suffices, nobody is waited for beyond it.
    async fn readings(&mut self, blocks: &[BlockRef]) -> Vec<Answer> {
        let (wanted, contracts) = (blocks.to_vec(), Arc::clone(&self.contracts));
        let question = move |endpoint: Endpoint<T>| {
            let (blocks, contracts) = (wanted.clone(), Arc::clone(&contracts));
            async move { Ok(read_all(&endpoint, blocks, contracts).await) }
        };
        let needed = self.needed();
        let operators = &self.operators;
        let suffices = |answers: &[Answer]| {
            blocks.iter().all(|block| {
                let words = words(answers, block.id.hash);
                proven(&words).is_some() || agreed(&words, operators, needed).is_some()
            })
        };
        let back = self.endpoints.back();
        let asked = self
            .endpoints
            .ask_some(&back, PATIENCE, question.clone(), suffices);
        let mut answers = asked.await;
        if !suffices(&answers) {
            let rest = self.endpoints.all_but(&back);
            let asked = self.endpoints.ask_some(&rest, PATIENCE, question, suffices);
            answers.extend(asked.await);
        }
        for (at, answer) in &answers {
            let failed = answer
                .iter()
                .flatten()
                .find_map(|(_, reading)| match reading {
                    Err(BlockError::Source(error @ SourceError::Transient(_))) => Some(error),
                    Ok(_) | Err(_) => None,
                });
            if let Some(error) = failed {
                self.endpoints.failed(*at, error);
            }
        }
        answers
    }
}

/// What one endpoint says of one block.
struct Word<'a> {
    at: usize,
    said: Result<&'a Reading, BlockError>,
}

impl<'a> Word<'a> {
    /// What it tells without proof, and what it fails.
    fn told(&self) -> Option<(&'a Block, FailedCheck)> {
        match &self.said {
            Ok(Reading::Told { check, told, .. }) => told.as_ref().ok().map(|told| (told, *check)),
            Ok(Reading::Proven(_)) | Err(_) => None,
        }
    }

    /// Why what it tells is not taken.
    fn refusal(&self) -> Option<(usize, BlockError)> {
        let Ok(Reading::Told { error, check, told }) = &self.said else {
            return self.failure();
        };
        let why = match told {
            Ok(_) => "not enough endpoints tell the same of it",
            Err(why) => why,
        };
        let fault = Fault::Untold {
            check: *check,
            why: format!(
                "{}, and it cannot be taken as it is told: {why}",
                error.fault
            ),
        };
        let block = error.block;
        let error = BlockError::Unverified(VerifyError { block, fault });
        Some((self.at, error))
    }

    /// The check that its answer fails, or why there is no answer.
    fn failure(&self) -> Option<(usize, BlockError)> {
        match &self.said {
            Ok(Reading::Proven(_)) => None,
            Ok(Reading::Told { error, .. }) => {
                Some((self.at, BlockError::Unverified(error.clone())))
            }
            Err(error) => Some((self.at, error.clone())),
        }
    }
}

/// What each says of a block.
fn words(answers: &[Answer], block: BlockHash) -> Vec<Word<'_>> {
    let all = answers.iter();
    all.map(|(at, answer)| word(*at, answer, block)).collect()
}

fn word(at: usize, answer: &Result<Readings, SourceError>, block: BlockHash) -> Word<'_> {
    let nothing = || SourceError::Transient("reading blocks was interrupted".to_owned());
    let said = match answer {
        Ok(readings) => match readings.get(&block) {
            Some(reading) => reading.as_ref().map_err(BlockError::clone),
            None => Err(BlockError::Source(nothing())),
        },
        Err(error) => Err(BlockError::Source(error.clone())),
    };
    Word { at, said }
}

fn failures(words: &[Word<'_>]) -> Vec<(usize, BlockError)> {
    words.iter().filter_map(Word::failure).collect()
}

fn proven<'a>(words: &[Word<'a>]) -> Option<&'a Block> {
    words.iter().find_map(|word| match word.said {
        Ok(Reading::Proven(block)) => Some(block),
        Ok(Reading::Told { .. }) | Err(_) => None,
    })
}

/// What as many as are needed tell, all of them failing the same check; nothing where as many tell
/// something else.
fn agreed<'a>(words: &[Word<'a>], operators: &[String], needed: Needed) -> Option<Agreed<'a>> {
    let mut sides: Vec<(Agreed<'a>, BTreeSet<usize>, BTreeSet<String>)> = Vec::new();
    for word in words {
        let Some((block, check)) = word.told() else {
            continue;
        };
        let is_same = |side: &&mut (Agreed<'a>, _, _)| {
            side.0.check == check && tell_the_same(side.0.block, block)
        };
        let operator = quorum::operator(operators, word.at);
        match sides.iter_mut().find(is_same) {
            Some((_, ends, voices)) => {
                ends.insert(word.at);
                voices.insert(operator);
            }
            None => sides.push((
                Agreed { block, check },
                BTreeSet::from([word.at]),
                BTreeSet::from([operator]),
            )),
        }
    }
    sides.retain(|(_, ends, voices)| match needed {
        Needed::All(count) => ends.len() == count,
        Needed::Operators(quorum) => voices.len() >= quorum,
    });
    let first = sides.pop()?;
    sides.is_empty().then_some(first.0)
}

fn tell_the_same(one: &Block, other: &Block) -> bool {
    let (ours, theirs) = (&one.facts, &other.facts);
    ours.block == theirs.block
        && ours.transactions == theirs.transactions
        && ours.credits.iter().eq(theirs.credits.iter())
        && ours.ignored == theirs.ignored
        && ours.token_events == theirs.token_events
        && one.outline == other.outline
}

/// A few blocks at once.
async fn read_all<T: Transport>(
    endpoint: &Endpoint<T>,
    blocks: Vec<BlockRef>,
    contracts: Arc<[[u8; 20]]>,
) -> Readings {
    let mut reading = JoinSet::new();
    for block in blocks {
        let (endpoint, contracts) = (endpoint.clone(), Arc::clone(&contracts));
        reading.spawn(async move { (block.id.hash, endpoint.reading(&block, &contracts).await) });
    }
    let mut read = BTreeMap::new();
    while let Some(joined) = reading.join_next().await {
        read.extend(joined);
    }
    read
}
