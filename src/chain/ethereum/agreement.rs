//! All endpoints of a chain compared: how far enough operators hold our chain, and who leads.

use super::{
    endpoint::{Endpoint, Holding},
    quorum::{self, Vote},
    source::EthereumSource,
};
use crate::{
    chain::{Agreement, SourceError, rpc::Transport},
    domain::block::{BlockId, BlockRef, Height},
};
use std::{cmp::Reverse, time::Duration};

/// How long each endpoint is waited for. A poll goes on without those that are slower.
const PATIENCE: Duration = Duration::from_secs(2);

/// An endpoint so many blocks behind another does not lead: nodes are one or two apart.
const BEHIND_BLOCKS: u32 = 5;

type Answers = Vec<(usize, Result<Holding, SourceError>)>;

impl<T: Transport> EthereumSource<T> {
    /// Asks every endpoint about these blocks of ours, ascending.
    pub(super) async fn compare(&mut self, ours: &[BlockRef]) -> Agreement {
        let asked: Vec<BlockRef> = ours.to_vec();
        let question = move |endpoint: Endpoint<T>| {
            let asked = asked.clone();
            async move { endpoint.holding(&asked).await }
        };
        let (operators, quorum) = (&self.operators, self.quorum);
        let top = ours.last().copied();
        let suffices = |answers: &[(usize, Result<Holding, SourceError>)]| {
            quorum::held(ours, &votes(operators, answers), quorum) == top
        };
        // Those that are left alone are asked where the others are not enough, or one is ahead of them.
        let back = self.endpoints.back();
        let asked = self
            .endpoints
            .ask_some(&back, PATIENCE, question.clone(), suffices);
        let mut answers = asked.await;
        let is_ahead = |(_, answer): &(usize, Result<Holding, SourceError>)| {
            let head = answer.as_ref().ok().map(|holding| holding.head.id.height);
            head > quorum::height(&votes(operators, &answers), quorum)
        };
        if quorum > 1 && (!suffices(&answers) || answers.iter().any(is_ahead)) {
            let all = 0..self.endpoints.len();
            let rest: Vec<usize> = all.filter(|at| !back.contains(at)).collect();
            let asked = self
                .endpoints
                .ask_some(&rest, PATIENCE, question, |_| false);
            answers.extend(asked.await);
        }
        let votes = votes(&self.operators, &answers);
        let held = quorum::held(ours, &votes, self.quorum);
        let outvoted = quorum::outvoted(&votes, self.quorum);
        let highest = quorum::height(&votes, self.quorum);
        if self.quorum > 1 {
            self.note_dissent(&answers, held, outvoted);
            self.follow_majority(&answers, held, outvoted, highest);
        }
        if let Some(highest) = highest {
            self.leave_laggards(&answers, top, highest);
        }
        Agreement {
            held,
            dissent: self.dissent(&answers, top),
        }
    }

    /// Who holds another block than a quorum.
    fn note_dissent(
        &mut self,
        answers: &Answers,
        held: Option<BlockRef>,
        outvoted: Option<BlockId>,
    ) {
        for (at, answer) in answers {
            let Ok(holding) = answer else { continue };
            let what = contradiction(holding, held, outvoted);
            let what = what.map(|height| {
                format!("at height {height} it has another block than a quorum of operators")
            });
            self.endpoints.dissents(*at, what.as_deref());
        }
    }

    /// A leader that stands alone against a quorum is no leader, nor is one that led us off the quorum's
    /// branch.
    fn follow_majority(
        &mut self,
        answers: &Answers,
        held: Option<BlockRef>,
        outvoted: Option<BlockId>,
        highest: Option<Height>,
    ) {
        let leader = self.endpoints.leads_at();
        let is_with = |holding: &Holding| match outvoted {
            Some(other) => holding.others.contains(&other),
            None => holding.held == held,
        };
        let answered = answers.iter();
        let answered = answered.filter_map(|(at, answer)| Some((*at, answer.as_ref().ok()?)));
        let fit = answered.filter(|(_, holding)| is_with(holding));
        // Who is higher than a quorum may have made that up: it comes last.
        let is_higher = |height: Height| highest.is_none_or(|highest| height > highest);
        let rank =
            |at: usize, height: Height| (is_higher(height), Reverse(height), at != leader, at);
        let best = fit.min_by_key(|(at, holding)| rank(*at, holding.head.id.height));
        let successor = best.map(|(at, _)| at).filter(|at| *at != leader);
        let must_go = outvoted.is_some() || self.endpoints.is_alone(leader);
        if let Some(at) = successor.filter(|_| must_go) {
            let (from, to) = (self.endpoints.name(leader), self.endpoints.name(at));
            tracing::warn!(%from, %to, "a quorum is on another branch and is followed");
            self.endpoints.lead(at);
        }
        let is_settled = |block: &BlockId| held.is_some_and(|held| held.id.height >= block.height);
        self.outvoted = outvoted.or(self.outvoted.filter(|block| !is_settled(block)));
    }

    /// Who is some blocks behind the height that a quorum has does not lead, while one that is there
    /// holds our chain.
    fn leave_laggards(&mut self, answers: &Answers, top: Option<BlockRef>, highest: Height) {
        let heads = answers.iter().filter_map(|(at, answer)| {
            let holding = answer.as_ref().ok()?;
            Some((*at, holding.head.id.height, holding.held == top))
        });
        let heads: Vec<_> = heads.collect();
        let mut ahead = heads
            .iter()
            .filter(|(_, head, is_ours)| *is_ours && *head >= highest);
        let Some((best, _, _)) = ahead.next().copied() else {
            return;
        };
        for (at, head, _) in heads {
            let behind = highest.minus(head.0).0;
            let is_behind = behind >= BEHIND_BLOCKS;
            if is_behind {
                let why = format!("it is {behind} blocks behind others, at {head}");
                self.endpoints.is_behind(at, &why);
            }
            // What a quorum has is followed at once, whoever has it first.
            let is_slower = behind > 0 && self.quorum > 1;
            if (is_behind || is_slower) && self.endpoints.leads(at) {
                self.endpoints.lead(best);
            }
        }
    }

    /// What those who do not hold our tip say instead.
    fn dissent(&self, answers: &Answers, top: Option<BlockRef>) -> Vec<String> {
        let says = |at: usize| {
            let name = self.endpoints.name(at);
            let answer = answers.iter().find(|(other, _)| *other == at);
            match answer.map(|(_, answer)| answer) {
                None => Some(format!("{name} was not asked, or has not answered")),
                Some(Err(error)) => Some(error.to_string()),
                Some(Ok(holding)) if holding.held == top => None,
                Some(Ok(holding)) => Some(match holding.others.first() {
                    Some(BlockId { height, hash }) => format!("{name} has block {height} {hash}"),
                    None => format!("{name} is at block {}", holding.head.id.height),
                }),
            }
        };
        (0..self.endpoints.len()).filter_map(says).collect()
    }
}

/// Where an endpoint contradicts what a quorum holds: our block, or another in place of it.
fn contradiction(
    holding: &Holding,
    held: Option<BlockRef>,
    outvoted: Option<BlockId>,
) -> Option<Height> {
    let is_ours = |block: &&BlockId| held.is_some_and(|held| block.height <= held.id.height);
    let instead = holding
        .others
        .iter()
        .find(is_ours)
        .map(|block| block.height);
    let top = holding.held.map(|held| held.id.height);
    let with_us = outvoted.filter(|other| top >= Some(other.height));
    instead.or(with_us.map(|other| other.height))
}

fn votes<'a>(
    operators: &'a [String],
    answers: &'a [(usize, Result<Holding, SourceError>)],
) -> Vec<Vote<'a>> {
    let vote = |(at, answer): &'a (usize, Result<Holding, SourceError>)| {
        let (operator, holding) = operators.get(*at).zip(answer.as_ref().ok())?;
        Some(Vote { operator, holding })
    };
    answers.iter().filter_map(vote).collect()
}
