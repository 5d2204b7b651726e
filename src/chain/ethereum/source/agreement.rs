//! All endpoints of a chain asked together: which tip a quorum holds, who may lead to it, and how far
//! others hold our chain.

use super::EthereumSource;
use crate::chain::ethereum::{
    endpoint::Endpoint,
    endpoints::{Endpoints, STRAGGLERS},
    quorum::{self, Vote},
};
use crate::{
    chain::{Agreement, NodeStatus, SourceError, ever_lower, rpc::Transport},
    domain::block::{BlockId, BlockRef, Height},
};
use std::{collections::BTreeSet, slice, time::Duration};

/// How long each endpoint is waited for. A poll goes on without those that are slower.
const PATIENCE: Duration = Duration::from_secs(2);

/// An endpoint so many blocks behind others does not lead: nodes are one or two apart.
pub(super) const BEHIND_BLOCKS: u32 = 5;

pub(super) type Answer<R> = (usize, Result<R, SourceError>);

impl<T: Transport> EthereumSource<T> {
    /// What a quorum of operators says of the chain, with one that holds their tip in the lead;
    /// `None` where they do not agree on anything. No endpoint alone can say more than the others.
    pub(super) async fn agreed_status(&mut self) -> Option<NodeStatus> {
        let statuses = self.statuses().await;
        self.answered = who(&statuses, |_| true);
        let shared = shared_tip(&tips(&self.operators, &statuses), self.needed_operators());
        if self.is_split(&statuses, shared).await {
            return None;
        }
        let (tip, holders) = match shared {
            Some(tip) => {
                self.compare_heads(&statuses, tip);
                (tip, who(&statuses, |status| status.tip.id == tip.id))
            }
            None => self.tip_below(&statuses).await?,
        };
        self.was_split = false;
        self.note_laggards(&statuses, tip);
        self.beyond = self.beyond(&statuses, tip);
        let finalized = self.agreed_tag(&statuses, |status| status.finalized).await;
        let safe = self.agreed_tag(&statuses, |status| status.safe).await;
        let tagged = self.name_tags(&statuses);
        let leader = self.leader_among(holders, &statuses).await?;
        let answer = statuses.into_iter().find(|(at, _)| *at == leader)?.1;
        Some(NodeStatus {
            tip,
            finalized,
            safe,
            tagged,
            ..answer.ok()?
        })
    }

    /// Everybody's state: of those who are not left alone, and of the others where these do not suffice.
    async fn statuses(&mut self) -> Vec<Answer<NodeStatus>> {
        let question = |endpoint: Endpoint<T>| async move { endpoint.status().await };
        let (operators, needed, quorum) =
            (self.operators.clone(), self.needed_operators(), self.quorum);
        let back = self.endpoints.back();
        let asked = self.operators_of(&back).len();
        let suffices = |answers: &[Answer<NodeStatus>]| {
            let votes = tips(&operators, answers);
            // So few are missing that they cannot say otherwise together.
            let missing = asked.saturating_sub(quorum::voices(&votes));
            shared_tip(&votes, needed).is_some() && missing < quorum
        };
        let asked = self
            .endpoints
            .ask_some(&back, PATIENCE, question, &suffices);
        let mut statuses = asked.await;
        let votes = tips(&operators, &statuses);
        if shared_tip(&votes, needed).is_none() || one_is_ahead(&votes, needed) {
            let rest = self.endpoints.all_but(&back);
            // What they say may make more agree, and is not waited for where enough do.
            let has_tip = shared_tip(&votes, needed).is_some();
            let patience = if has_tip { STRAGGLERS } else { PATIENCE };
            let asked = self.endpoints.ask_some(&rest, patience, question, suffices);
            let answers = asked.await;
            statuses.extend(answers);
        }
        statuses
    }

    /// How many operators must hold a block: more than half of all, once as many held one as held another.
    fn needed_operators(&self) -> usize {
        let all = self.operators.iter().collect::<BTreeSet<_>>().len();
        let majority = all.div_euclid(2).saturating_add(1);
        if self.was_split {
            self.quorum.max(majority)
        } else {
            self.quorum
        }
    }

    /// Whether a quorum holds one block and another quorum another one at the same height; it is noted.
    async fn is_split(
        &mut self,
        statuses: &[Answer<NodeStatus>],
        shared: Option<BlockRef>,
    ) -> bool {
        let votes = tips(&self.operators, statuses);
        let mut split = quorum::split(&votes, self.quorum);
        let others = who(statuses, |status| Some(status.tip) != shared);
        // So many have blocks at a height where two quorums could contradict each other.
        let both = self.quorum.saturating_mul(2);
        let height = quorum::height(&votes, both);
        let may_be = self.operators_of(&others).len() >= self.quorum;
        if let Some(height) = height.filter(|_| split.is_none() && may_be) {
            let whom = who(statuses, |_| true);
            let answers = ask_for_blocks(&mut self.endpoints, &whom, vec![height], |_| false).await;
            split = quorum::split(&chains(&self.operators, &answers), self.quorum);
        }
        self.note_split(split)
    }

    /// Notes that two quorums contradict each other, or that none do.
    fn note_split(&mut self, split: Option<[BlockId; 2]>) -> bool {
        self.split = split.map(|[one, other]| {
            let (height, one, other, quorum) = (one.height, one.hash, other.hash, self.quorum);
            format!(
                "{quorum} operators hold block {height} {one}, and {quorum} hold {other} there: nothing is agreed on until more than half of all hold the same"
            )
        });
        self.was_split |= self.split.is_some();
        self.split.is_some()
    }

    /// The highest block that a quorum holds at or somewhat below the height that it has, and who holds
    /// it.
    async fn tip_below(
        &mut self,
        statuses: &[Answer<NodeStatus>],
    ) -> Option<(BlockRef, Vec<usize>)> {
        let needed = self.needed_operators();
        let top = quorum::height(&tips(&self.operators, statuses), needed)?;
        let whom = who(statuses, |_| true);
        let heights = ever_lower(top).collect();
        let answers = ask_for_blocks(&mut self.endpoints, &whom, heights, |_| false).await;
        let votes = chains(&self.operators, &answers);
        let (split, tip) = (
            quorum::split(&votes, self.quorum),
            quorum::held(&votes, needed),
        );
        if self.note_split(split) {
            return None;
        }
        let tip = tip?;
        for (at, answer) in &answers {
            let has_other = answer.as_ref().is_ok_and(|blocks| {
                let mut there = blocks
                    .iter()
                    .filter(|block| block.id.height == tip.id.height);
                there.any(|block| block.id != tip.id)
            });
            self.dissents(*at, tip, has_other);
        }
        Some((tip, who(&answers, |blocks| blocks.contains(&tip))))
    }

    /// The highest block that a quorum calls so. Where they name different ones, as on a chain on which each block is
    /// called so soon, whoever names one calls those below it the same: they are asked for theirs at the height
    /// that enough of them reach.
    async fn agreed_tag(
        &mut self,
        statuses: &[Answer<NodeStatus>],
        tag: fn(&NodeStatus) -> Option<BlockId>,
    ) -> Option<BlockId> {
        let needed = self.needed_operators();
        let names = statuses.iter().filter_map(|(at, answer)| {
            let named = tag(answer.as_ref().ok()?)?;
            Some((*at, self.operators.get(*at)?.as_str(), named))
        });
        let names: Vec<(usize, &str, BlockId)> = names.collect();
        let words: Vec<(&str, BlockId)> =
            names.iter().map(|(_, who, named)| (*who, *named)).collect();
        let height = quorum::reached(&words, needed)?;
        let alike = quorum::named(&words, needed);
        if alike.is_some_and(|named| named.height == height) {
            return alike;
        }
        let reach = names.iter().filter(|(_, _, named)| named.height >= height);
        let whom: Vec<usize> = reach.map(|(at, _, _)| *at).collect();
        let operators = self.operators.clone();
        let held = |answers: &[Answer<Vec<BlockRef>>]| {
            let held = quorum::held(&chains(&operators, answers), needed);
            held.map(|block| block.id)
        };
        let suffices = |answers: &[Answer<Vec<BlockRef>>]| held(answers).is_some();
        let answers = ask_for_blocks(&mut self.endpoints, &whom, vec![height], suffices).await;
        held(&answers).max(alike)
    }

    /// Who leads to a tip that these hold: who leads already, unless another is much quicker, else the first that
    /// is as it should be.
    async fn leader_among(
        &mut self,
        mut holders: Vec<usize>,
        statuses: &[Answer<NodeStatus>],
    ) -> Option<usize> {
        let leader = self.endpoints.leads_at();
        let back = self.endpoints.back();
        let syncing = who(statuses, |status| status.syncing);
        holders.sort_by_key(|at| {
            let is_slow = self.endpoints.is_slow(*at);
            (
                !back.contains(at),
                syncing.contains(at),
                is_slow,
                *at != leader,
                *at,
            )
        });
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

    /// Whether so many operators name final blocks that those who would form a quorum with them cannot all
    /// be without: depth counts only where none names any.
    fn name_tags(&self, statuses: &[Answer<NodeStatus>]) -> bool {
        let named = self.operators_of(&who(statuses, |status| status.tagged));
        let all = self.operators_of(&self.endpoints.all_but(&[]));
        named.len() > all.len().saturating_sub(self.quorum)
    }

    fn operators_of(&self, endpoints: &[usize]) -> BTreeSet<&str> {
        let operators = endpoints.iter().filter_map(|at| self.operators.get(*at));
        operators.map(String::as_str).collect()
    }

    /// Who claims to be far beyond the tip that a quorum holds, where those who say that it is the tip
    /// are none.
    fn beyond(&self, statuses: &[Answer<NodeStatus>], tip: BlockRef) -> Vec<String> {
        let far = tip.id.height.plus(BEHIND_BLOCKS);
        let near = who(statuses, |status| status.tip.id.height < far);
        if self.operators_of(&near).len() >= self.quorum {
            return Vec::new();
        }
        let answered = statuses
            .iter()
            .filter_map(|(at, answer)| Some((*at, answer.as_ref().ok()?.tip.id)));
        let beyond = answered.filter(|(_, head)| head.height >= far);
        let words = beyond.map(|(at, BlockId { height, hash })| {
            let name = self.endpoints.name(at);
            format!("{name} has block {height} {hash}")
        });
        words.collect()
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
        let (operators, needed, quorum) =
            (self.operators.clone(), self.needed_operators(), self.quorum);
        let held = |answers: &[Answer<Vec<BlockRef>>]| {
            let votes = chains(&operators, answers);
            quorum::held_of(&votes, needed, |block| ours.contains(block))
        };
        let top = ours.last().copied();
        // Whoever is left alone was asked for its tip a moment ago, where that matters.
        let mut whom = self.endpoints.back();
        whom.extend(
            self.answered
                .iter()
                .filter(|at| !self.endpoints.back().contains(at)),
        );
        let asked = self.operators_of(&whom).len();
        let heights = ours.iter().map(|block| block.id.height).collect();
        let suffices = |answers: &[Answer<Vec<BlockRef>>]| {
            let missing = asked.saturating_sub(quorum::voices(&chains(&operators, answers)));
            held(answers) == top && missing < quorum
        };
        let answers = ask_for_blocks(&mut self.endpoints, &whom, heights, suffices).await;
        let split = quorum::split(&chains(&operators, &answers), quorum);
        if split.is_some() {
            self.note_split(split);
        }
        Agreement {
            held: held(&answers).filter(|_| self.split.is_none()),
            dissent: self.dissent(&answers, top),
            beyond: Vec::new(),
            split: self.split.clone(),
        }
    }

    /// What those who do not hold our tip say instead.
    fn dissent(&self, answers: &[Answer<Vec<BlockRef>>], top: Option<BlockRef>) -> Vec<String> {
        let says = |at: usize| {
            let name = self.endpoints.name(at);
            let answer = answers.iter().find(|(other, _)| *other == at);
            match answer.map(|(_, answer)| answer) {
                None => {
                    let why = self.endpoints.why(at).map(str::to_owned);
                    Some(why.unwrap_or_else(|| format!("{name} has not answered")))
                }
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
}

/// Asks some endpoints for their own blocks at these heights.
pub(super) async fn ask_for_blocks<T: Transport>(
    endpoints: &mut Endpoints<T>,
    whom: &[usize],
    heights: Vec<Height>,
    suffices: impl Fn(&[Answer<Vec<BlockRef>>]) -> bool,
) -> Vec<Answer<Vec<BlockRef>>> {
    let question = move |endpoint: Endpoint<T>| {
        let heights = heights.clone();
        async move { endpoint.blocks_at(&heights).await }
    };
    endpoints.ask_some(whom, PATIENCE, question, suffices).await
}

/// Who answered so.
pub(super) fn who<R>(answers: &[Answer<R>], is_so: impl Fn(&R) -> bool) -> Vec<usize> {
    let answered = answers
        .iter()
        .filter(|(_, answer)| answer.as_ref().is_ok_and(&is_so));
    answered.map(|(at, _)| *at).collect()
}

/// The tip that so many operators name, if none of so many is higher.
fn shared_tip(tips: &[Vote<'_>], quorum: usize) -> Option<BlockRef> {
    let top = quorum::height(tips, quorum);
    quorum::held(tips, quorum).filter(|shared| Some(shared.id.height) == top)
}

/// Whether one is higher than a quorum of those who answered.
fn one_is_ahead(tips: &[Vote<'_>], quorum: usize) -> bool {
    quorum::height(tips, 1) > quorum::height(tips, quorum)
}

/// What statuses say: each endpoint's tip.
fn tips<'a>(operators: &'a [String], statuses: &'a [Answer<NodeStatus>]) -> Vec<Vote<'a>> {
    votes(operators, statuses, |status| slice::from_ref(&status.tip))
}

/// What blocks at some heights say.
fn chains<'a>(operators: &'a [String], answers: &'a [Answer<Vec<BlockRef>>]) -> Vec<Vote<'a>> {
    votes(operators, answers, Vec::as_slice)
}

fn votes<'a, R>(
    operators: &'a [String],
    answers: &'a [Answer<R>],
    blocks: impl Fn(&'a R) -> &'a [BlockRef],
) -> Vec<Vote<'a>> {
    let vote = |(at, answer): &'a Answer<R>| {
        let (operator, answer) = operators.get(*at).zip(answer.as_ref().ok())?;
        let blocks = blocks(answer);
        Some(Vote { operator, blocks })
    };
    answers.iter().filter_map(vote).collect()
}
