//! All endpoints of a chain asked together: which tip a quorum holds, who may lead to it, and how far
//! others hold our chain.

use super::{
    endpoint::Endpoint,
    quorum::{self, Vote},
    source::EthereumSource,
};
use crate::{
    chain::{Agreement, NodeStatus, SourceError, rpc::Transport},
    domain::block::{BlockId, BlockRef, Height},
};
use std::time::Duration;

/// How long each endpoint is waited for. A poll goes on without those that are slower.
const PATIENCE: Duration = Duration::from_secs(2);

/// An endpoint so many blocks behind others does not lead: nodes are one or two apart.
const BEHIND_BLOCKS: u32 = 5;

/// Blocks asked about below the height that a quorum has: 1, 2, 4 … lower, deeper than any
/// reorganisation of a healthy network.
const STEPS: u32 = 8;

type Answer<R> = (usize, Result<R, SourceError>);

impl<T: Transport> EthereumSource<T> {
    /// What a quorum of operators says of the chain, with one that holds their tip in the lead;
    /// `None` where they do not agree on anything. No endpoint alone can say more than the others.
    pub(super) async fn agreed_status(&mut self) -> Option<NodeStatus> {
        let question = |endpoint: Endpoint<T>| async move { endpoint.status().await };
        let (operators, quorum) = (&self.operators, self.quorum);
        let suffices =
            |answers: &[Answer<NodeStatus>]| shared_tip(operators, answers, quorum).is_some();
        let back = self.endpoints.back();
        let asked = self.endpoints.ask_some(&back, PATIENCE, question, suffices);
        let mut statuses = asked.await;
        if !suffices(&statuses) || one_is_ahead(operators, &statuses, quorum) {
            let rest = self.endpoints.all_but(&back);
            let asked = self.endpoints.ask_some(&rest, PATIENCE, question, suffices);
            statuses.extend(asked.await);
        }
        let operators = &self.operators;
        let shared = shared_tip(operators, &statuses, quorum);
        let (tip, holders) = match shared {
            Some(tip) => {
                let is_there = |(at, answer): &Answer<NodeStatus>| {
                    answer
                        .as_ref()
                        .is_ok_and(|status| status.tip.id == tip.id)
                        .then_some(*at)
                };
                self.compare_heads(&statuses, tip);
                (tip, statuses.iter().filter_map(is_there).collect())
            }
            None => self.tip_below(&statuses).await?,
        };
        self.note_laggards(&statuses, tip);
        let tags = |tag: fn(&NodeStatus) -> Option<BlockId>| {
            let named = statuses.iter().filter_map(|(at, answer)| {
                Some((
                    self.operators.get(*at)?.as_str(),
                    tag(answer.as_ref().ok()?),
                ))
            });
            quorum::named(&named.collect::<Vec<_>>(), self.quorum)
        };
        let (finalized, safe) = (tags(|status| status.finalized), tags(|status| status.safe));
        let leader = self.leader_among(holders, &statuses).await?;
        let answer = statuses.into_iter().find(|(at, _)| *at == leader)?.1;
        Some(NodeStatus {
            tip,
            finalized,
            safe,
            ..answer.ok()?
        })
    }

    /// The highest block that a quorum holds at or somewhat below the height that it has, and who holds
    /// it.
    async fn tip_below(
        &mut self,
        statuses: &[Answer<NodeStatus>],
    ) -> Option<(BlockRef, Vec<usize>)> {
        let top = quorum_height(&self.operators, statuses, self.quorum)?;
        let below = (0..STEPS).map_while(|step| top.0.checked_sub(1 << step));
        let heights: Vec<Height> = std::iter::once(top.0).chain(below).map(Height).collect();
        let question = move |endpoint: Endpoint<T>| {
            let heights = heights.clone();
            async move { endpoint.blocks_at(&heights).await }
        };
        let answered = statuses.iter().filter(|(_, answer)| answer.is_ok());
        let whom: Vec<usize> = answered.map(|(at, _)| *at).collect();
        let asked = self
            .endpoints
            .ask_some(&whom, PATIENCE, question, |_| false);
        let answers = asked.await;
        let tip = quorum::held(&votes(&self.operators, &answers), self.quorum)?;
        let holds = |(at, answer): &Answer<Vec<BlockRef>>| {
            answer
                .as_ref()
                .is_ok_and(|blocks| blocks.contains(&tip))
                .then_some(*at)
        };
        for (at, answer) in &answers {
            let has_other = answer.as_ref().is_ok_and(|blocks| {
                let mut there = blocks
                    .iter()
                    .filter(|block| block.id.height == tip.id.height);
                there.any(|block| block.id != tip.id)
            });
            self.dissents(*at, tip, has_other);
        }
        let holders = answers.iter().filter_map(holds).collect();
        Some((tip, holders))
    }

    /// Who leads to a tip that these hold: who leads already, else the first that is as it should be.
    async fn leader_among(
        &mut self,
        mut holders: Vec<usize>,
        statuses: &[Answer<NodeStatus>],
    ) -> Option<usize> {
        let leader = self.endpoints.leads_at();
        let back = self.endpoints.back();
        let is_syncing = |at: usize| {
            let answer = statuses.iter().find(|(other, _)| *other == at);
            answer.is_some_and(|(_, answer)| answer.as_ref().is_ok_and(|status| status.syncing))
        };
        holders.sort_by_key(|at| (!back.contains(at), is_syncing(*at), *at != leader, *at));
        for at in holders {
            let is_fit =
                self.endpoints.is_vetted(at) || self.status_of(at, Some(PATIENCE)).await.is_ok();
            if is_fit {
                self.endpoints.lead(at);
                return Some(at);
            }
        }
        None
    }

    /// Notes who has another block at the height of the tip that a quorum holds.
    fn compare_heads(&mut self, statuses: &[Answer<NodeStatus>], tip: BlockRef) {
        for (at, answer) in statuses {
            let head = answer.as_ref().ok().map(|status| status.tip);
            if let Some(head) = head.filter(|head| head.id.height == tip.id.height) {
                self.dissents(*at, tip, head.id != tip.id);
            }
        }
    }

    /// Notes who is far behind the tip that a quorum holds.
    fn note_laggards(&mut self, statuses: &[Answer<NodeStatus>], tip: BlockRef) {
        for (at, answer) in statuses {
            let Ok(status) = answer else { continue };
            let head = status.tip.id.height;
            let behind = tip.id.height.minus(head.0).0;
            if behind >= BEHIND_BLOCKS {
                let why = format!("it is {behind} blocks behind others, at {head}");
                self.endpoints.is_behind(*at, &why);
            }
        }
    }

    fn dissents(&mut self, at: usize, tip: BlockRef, has_other: bool) {
        let height = tip.id.height;
        let what = format!("at height {height} it has another block than a quorum of operators");
        self.endpoints.dissents(at, has_other.then_some(&what));
    }

    /// How far operators hold these blocks of ours, ascending.
    pub(super) async fn agreement_on(&mut self, ours: &[BlockRef]) -> Agreement {
        let heights: Vec<Height> = ours.iter().map(|block| block.id.height).collect();
        let question = move |endpoint: Endpoint<T>| {
            let heights = heights.clone();
            async move { endpoint.blocks_at(&heights).await }
        };
        let (operators, quorum) = (&self.operators, self.quorum);
        let held = |answers: &[Answer<Vec<BlockRef>>]| {
            let ours_alone = answers.iter().map(|(at, answer)| {
                let blocks = answer.as_ref().map(|blocks| {
                    let both = blocks.iter().filter(|block| ours.contains(block));
                    both.copied().collect()
                });
                (*at, blocks.map_err(Clone::clone))
            });
            let ours_alone: Vec<Answer<Vec<BlockRef>>> = ours_alone.collect();
            quorum::held(&votes(operators, &ours_alone), quorum)
        };
        let top = ours.last().copied();
        let suffices = |answers: &[Answer<Vec<BlockRef>>]| held(answers) == top;
        let all = self.endpoints.all_but(&[]);
        let asked = self.endpoints.ask_some(&all, PATIENCE, question, suffices);
        let answers = asked.await;
        Agreement {
            held: held(&answers),
            dissent: self.dissent(&answers, top),
        }
    }

    /// What those who do not hold our tip say instead.
    fn dissent(&self, answers: &[Answer<Vec<BlockRef>>], top: Option<BlockRef>) -> Vec<String> {
        let says = |at: usize| {
            let name = self.endpoints.name(at);
            let answer = answers.iter().find(|(other, _)| *other == at);
            match answer.map(|(_, answer)| answer) {
                None => Some(format!("{name} has not answered")),
                Some(Err(error)) => Some(error.to_string()),
                Some(Ok(blocks)) => match blocks.iter().max_by_key(|block| block.id.height) {
                    Some(block) if Some(*block) == top => None,
                    Some(block) => {
                        let BlockId { height, hash } = block.id;
                        Some(format!("{name} has block {height} {hash}"))
                    }
                    None => Some(format!("{name} has no block there")),
                },
            }
        };
        let all = self.endpoints.all_but(&[]);
        all.into_iter().filter_map(says).collect()
    }

    /// Where no quorum is asked: leaves a leader whose tip has not moved for long for one that is some
    /// blocks ahead on the same chain.
    pub(super) async fn leave_if_it_stands(&mut self, tip: BlockRef) {
        if self.endpoints.all_but(&[]).len() < 2
            || !self.standing.is_due(tip, self.endpoints.now_ms())
        {
            return;
        }
        let height = tip.id.height;
        let ahead = height.plus(BEHIND_BLOCKS);
        let question =
            move |endpoint: Endpoint<T>| async move { endpoint.blocks_at(&[height, ahead]).await };
        let leader = self.endpoints.leads_at();
        let others = self.endpoints.all_but(&[leader]);
        let asked = self
            .endpoints
            .ask_some(&others, PATIENCE, question, |_| false);
        let is_ahead = |(at, answer): Answer<Vec<BlockRef>>| {
            let blocks = answer.ok()?;
            let has = |height: Height| blocks.iter().find(|block| block.id.height == height);
            (has(height) == Some(&tip) && has(ahead).is_some()).then_some(at)
        };
        if let Some(at) = asked.await.into_iter().find_map(is_ahead) {
            let why = format!(
                "it stands at {height}, and others are {BEHIND_BLOCKS} blocks or more ahead"
            );
            self.endpoints.is_behind(leader, &why);
            self.endpoints.lead(at);
        }
    }
}

/// A leader's tip, and since when it is the same.
#[derive(Debug, Default)]
pub(super) struct StandingTip {
    tip: Option<BlockRef>,
    since_ms: u64,
}

impl StandingTip {
    /// How long a tip may stand before others are asked, and between two times that they are.
    const LONG_MS: u64 = 60_000;

    /// Whether others should be asked now.
    fn is_due(&mut self, tip: BlockRef, now_ms: u64) -> bool {
        let stands = self.tip == Some(tip);
        let is_due = stands && now_ms.saturating_sub(self.since_ms) >= Self::LONG_MS;
        if !stands || is_due {
            (self.tip, self.since_ms) = (Some(tip), now_ms);
        }
        is_due
    }
}

/// The tip that so many operators name, if none of so many is higher.
fn shared_tip(
    operators: &[String],
    statuses: &[Answer<NodeStatus>],
    quorum: usize,
) -> Option<BlockRef> {
    let tips = tips(statuses);
    let shared = quorum::held(&votes(operators, &tips), quorum)?;
    let top = quorum_height(operators, statuses, quorum);
    Some(shared).filter(|shared| Some(shared.id.height) == top)
}

fn quorum_height(
    operators: &[String],
    statuses: &[Answer<NodeStatus>],
    quorum: usize,
) -> Option<Height> {
    quorum::height(&votes(operators, &tips(statuses)), quorum)
}

/// Whether one is higher than a quorum of those who answered.
fn one_is_ahead(operators: &[String], statuses: &[Answer<NodeStatus>], quorum: usize) -> bool {
    let tips = tips(statuses);
    let votes = votes(operators, &tips);
    quorum::height(&votes, 1) > quorum::height(&votes, quorum)
}

fn tips(statuses: &[Answer<NodeStatus>]) -> Vec<Answer<Vec<BlockRef>>> {
    let tip = |(at, answer): &Answer<NodeStatus>| {
        let tip = answer.as_ref().map(|status| vec![status.tip]);
        (*at, tip.map_err(Clone::clone))
    };
    statuses.iter().map(tip).collect()
}

fn votes<'a>(operators: &'a [String], answers: &'a [Answer<Vec<BlockRef>>]) -> Vec<Vote<'a>> {
    let vote = |(at, answer): &'a Answer<Vec<BlockRef>>| {
        let (operator, blocks) = operators.get(*at).zip(answer.as_ref().ok())?;
        Some(Vote { operator, blocks })
    };
    answers.iter().filter_map(vote).collect()
}
