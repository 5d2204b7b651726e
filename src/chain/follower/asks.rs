//! What the watcher asked and is not answered yet: a bounded queue, and at most one scan of each kind.

use super::{Follower, Halt, Sink, backfill::Backfill, scans::Scans};
use crate::{
    chain::{Ask, ChainInput, ChainSource, MempoolNews, STATE_BLOCKS, SourceError},
    domain::{
        block::{BlockHash, BlockRef, Height, TxId},
        facts::OutPoint,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tracing::{debug, warn};

/// How many asks wait here; further ones wait in the channel, and the watcher tries again later.
const ASKS_KEPT: usize = 64;

/// How many asks about balances are answered before others have their turn: a slow node takes seconds for each.
const BALANCES_AT_ONCE: usize = 4;

/// Whether an ask is about balances.
const fn is_slow(ask: &Ask) -> bool {
    match ask {
        Ask::Growth(..) | Ask::Balances(..) => true,
        Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Unconfirmed(_) => false,
    }
}

/// Since when deep blocks are asked about: who is away, or asked too much, may tell it later.
#[derive(Debug, Default)]
struct Untold(BTreeMap<BlockHash, u64>);

impl Untold {
    /// For so long everybody has the time to tell it.
    const LONG_MS: u64 = 3_600_000;
    /// So many are remembered at once; others begin when there is room.
    const MAX: usize = 4_096;

    /// Whether nobody will tell more.
    fn is_over(&mut self, block: BlockRef, now_ms: u64) -> bool {
        let is_full = self.0.len() >= Self::MAX;
        if is_full && !self.0.contains_key(&block.id.hash) {
            // Whoever was answered long ago is asked about no more.
            let is_young = |since_ms: u64| now_ms.saturating_sub(since_ms) < 2 * Self::LONG_MS;
            self.0.retain(|_, since_ms| is_young(*since_ms));
            if self.0.len() >= Self::MAX {
                return false;
            }
        }
        let since_ms = *self.0.entry(block.id.hash).or_insert(now_ms);
        now_ms.saturating_sub(since_ms) >= Self::LONG_MS
    }
}

/// The asks that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Asks {
    untold: Untold,
    /// Asks that a request or a few answer, in the order in which they came.
    quick: VecDeque<Ask>,
    pub(super) scans: Scans,
}

impl Asks {
    /// Whether another ask may come in.
    pub(super) fn has_room(&self) -> bool {
        self.quick.len() < ASKS_KEPT
    }

    /// Takes an ask in; a backfill replaces the one before of its kind.
    pub(super) fn push(&mut self, ask: Ask) {
        match ask {
            Ask::Backfill {
                batch,
                from,
                to,
                traces,
            } => {
                self.scans.put(Backfill::new(batch, from, to, traces));
            }
            // Asked after every poll until it is answered, however long that takes.
            Ask::Growth(block, _) if self.waits_for_growth(block) => {}
            Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => {
                self.quick.push_back(ask);
            }
        }
    }

    fn waits_for_growth(&self, block: BlockRef) -> bool {
        let mut waiting = self.quick.iter();
        waiting.any(|ask| matches!(ask, Ask::Growth(of, _) if of.id == block.id))
    }

    /// Blocks above `fork` are no longer ours.
    pub(super) fn disconnected(&mut self, fork: Height) {
        self.scans.disconnected(fork);
    }
}

impl<S: ChainSource, K: Sink> Follower<S, K> {
    /// Takes in what the watcher wants to know.
    pub fn ask(&mut self, ask: Ask) {
        self.asks.push(ask);
    }

    /// Answers every quick ask and works on a scan of the past for one request; whether work is left
    /// that need not wait for the next poll.
    ///
    /// # Errors
    /// When the source fails, with the unanswered asks kept in order, or when nobody listens.
    pub async fn serve(&mut self) -> Result<bool, Halt> {
        let mut slow = 0_usize;
        while let Some(ask) = self.asks.quick.pop_front() {
            slow = slow.saturating_add(usize::from(is_slow(&ask)));
            if slow > BALANCES_AT_ONCE {
                self.asks.quick.push_front(ask);
                return Ok(true);
            }
            if let Err(halt) = self.answer(&ask).await {
                self.asks.quick.push_front(ask);
                return Err(halt);
            }
        }
        self.work_on_backfill().await
    }

    /// How long a scan of the past rests until it looks again for what contracts moved; nothing while none rests.
    #[must_use]
    pub fn next_look(&self) -> Option<Duration> {
        let now_ms = self.clock.now().monotonic_ms;
        let at_ms = self.asks.scans.next_look_ms()?;
        Some(Duration::from_millis(at_ms.saturating_sub(now_ms)))
    }

    async fn answer(&mut self, ask: &Ask) -> Result<(), Halt> {
        let answer = match ask {
            Ask::Spenders(vanished) => self.spenders(vanished).await,
            Ask::Unconfirmed(destinations) => {
                let arrived = self.source.unconfirmed(destinations).await;
                if let Err(error @ SourceError::Permanent(_)) = arrived {
                    // Nothing would be an answer: that no money is there.
                    return Err(error.into());
                }
                arrived.map(|arrived| {
                    ChainInput::Mempool(MempoolNews {
                        arrived,
                        snapshot: None,
                        answered: destinations.len(),
                    })
                })
            }
            Ask::Growth(block, destinations) => {
                let is_last = self.is_asked_for_long(*block);
                let told = match self.source.growth(*block, destinations).await {
                    Ok(told) => told,
                    Err(error) => {
                        debug!(%error, "what balances grew by is not known");
                        // What nobody can tell now is asked again after the next poll; that nobody will
                        // tell it any more is an answer, too.
                        if !is_last {
                            return Ok(());
                        }
                        vec![Vec::new(); destinations.len()]
                    }
                };
                Ok(ChainInput::Grown {
                    block: *block,
                    growth: destinations.iter().copied().zip(told).collect(),
                    is_last,
                })
            }
            Ask::Balances(block, destinations) => {
                let (told, problem) = match self.source.balances(*block, destinations).await {
                    Ok(told) => (told, None),
                    // Everybody says no, and will.
                    Err(SourceError::Permanent(why)) => {
                        (vec![Vec::new(); destinations.len()], Some(why))
                    }
                    Err(SourceError::Transient(why) | SourceError::Behind(why)) => {
                        (Vec::new(), Some(why))
                    }
                };
                Ok(ChainInput::Balances {
                    block: *block,
                    told: destinations.iter().copied().zip(told).collect(),
                    problem,
                })
            }
            Ask::Backfill { .. } => return Ok(()),
        };
        match answer {
            Ok(input) => self.tell(input).await,
            Err(SourceError::Permanent(message)) => {
                dropped(&message);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a block lies so deep that no node need have its state, and has been asked about for long since.
    fn is_asked_for_long(&mut self, block: BlockRef) -> bool {
        let tip = self.window.tip().map(|tip| tip.id.height);
        let depth = tip.unwrap_or_default().minus(block.id.height.0).0;
        let now_ms = self.clock.now().monotonic_ms;
        depth > STATE_BLOCKS && self.asks.untold.is_over(block, now_ms)
    }

    /// Who spends what these transactions spent. One that spends its own inputs is back in the
    /// mempool and has not vanished: there is nothing to say about it.
    async fn spenders(
        &mut self,
        vanished: &[(TxId, Vec<OutPoint>)],
    ) -> Result<ChainInput, SourceError> {
        let outpoints: Vec<OutPoint> = vanished.iter().flat_map(|(_, o)| o).copied().collect();
        let spenders = self.source.spenders(&outpoints).await?;
        if spenders.len() != outpoints.len() {
            let message = "spenders came for another number of outputs than was asked";
            return Err(SourceError::Transient(message.into()));
        }
        let mut spenders = spenders.into_iter();
        let answers = vanished.iter().filter_map(|(txid, inputs)| {
            let mut of_this = spenders.by_ref().take(inputs.len()).flatten();
            let spender = of_this.next();
            of_this.for_each(drop);
            (spender != Some(*txid)).then_some((*txid, spender))
        });
        let answers = answers.collect();
        Ok(ChainInput::Spenders { answers })
    }
}

fn dropped(problem: &str) {
    warn!(
        problem,
        "the source cannot answer the watcher; the ask is dropped"
    );
}
