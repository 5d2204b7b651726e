//! Which of a chain's endpoints is asked, by how each has answered. Pure: it asks nobody and reads
//! no clock; times are milliseconds of the monotonic clock.
//!
//! Whom to ask is all that is decided here. Whatever an endpoint says is verified as far as a block
//! hash binds it, whoever is asked, and asking another never makes less suffice.

use crate::domain::block::Height;

/// An endpoint so many blocks below the highest one is not asked while another is there.
const BEHIND_BLOCKS: u32 = 5;
/// How long an endpoint is left alone after it failed once; twice as long each further time.
const FIRST_PAUSE_MS: u64 = 5_000;
/// The longest that it is left alone: an operator who mended it does not wait longer.
const LONGEST_PAUSE_MS: u64 = 300_000;
/// One that is unfit is unfit until somebody does something about it.
const UNFIT_PAUSE_MS: u64 = 60_000;

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was not asked yet.
    Untried,
    /// It answers.
    Alive,
    /// It answers, and is blocks below another one.
    Behind,
    /// It asked not to be asked for a while.
    RateLimited,
    /// It does not answer, or not sensibly.
    Unreachable,
    /// It is on another chain, lacks what is needed, or refuses us.
    Unfit,
    /// What it answered failed a check that another's answer about the same block passed.
    Lying,
}

impl Standing {
    /// The name in logs and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Alive => "alive",
            Self::Behind => "behind",
            Self::RateLimited => "rate_limited",
            Self::Unreachable => "unreachable",
            Self::Unfit => "unfit",
            Self::Lying => "lying",
        }
    }
}

/// How an endpoint failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It wants to be left alone for so long.
    RateLimited { pause_ms: u64 },
    /// It did not answer.
    Unreachable,
    /// It cannot be used as it is.
    Unfit,
    /// It answered what another disproved.
    Lie,
}

/// All endpoints of a chain, in the order of the configuration.
#[derive(Debug)]
pub(super) struct Pool {
    members: Vec<Member>,
    /// The one that is asked first: the last that said how the chain stands.
    leader: usize,
}

#[derive(Debug, Clone)]
struct Member {
    standing: Standing,
    aside_until_ms: u64,
    /// How often it failed since it last answered.
    failures: u32,
    /// How often it was disproved. That it answers makes it no more honest.
    lies: u32,
    /// As it said last while it led.
    head: Option<Height>,
    is_behind: bool,
}

impl Member {
    const UNTRIED: Self = Self {
        standing: Standing::Untried,
        aside_until_ms: 0,
        failures: 0,
        lies: 0,
        head: None,
        is_behind: false,
    };

    const fn is_usable(&self, now_ms: u64) -> bool {
        self.aside_until_ms <= now_ms && !self.is_behind
    }
}

impl Pool {
    /// So many endpoints of which nothing is known yet.
    pub(super) fn new(endpoints: usize) -> Self {
        Self {
            members: vec![Member::UNTRIED; endpoints],
            leader: 0,
        }
    }

    /// Whom to ask, one after the other until one answers: the leader, then the others. Those that
    /// failed a moment ago or are behind are left out; when that leaves nobody, the one that is
    /// soonest to be asked again is asked now.
    pub(super) fn order(&self, now_ms: u64) -> Vec<usize> {
        let count = self.members.len();
        let is_usable = |at: &usize| {
            let member = self.members.get(*at);
            member.is_some_and(|member| member.is_usable(now_ms))
        };
        let from_leader = (self.leader..count).chain(0..self.leader);
        let usable: Vec<usize> = from_leader.filter(is_usable).collect();
        if !usable.is_empty() {
            return usable;
        }
        let soonest = |at: &usize| self.members.get(*at).map(|member| member.aside_until_ms);
        (0..count).min_by_key(soonest).into_iter().collect()
    }

    /// The one that is asked first while nothing is wrong with it.
    pub(super) const fn leader(&self) -> usize {
        self.leader
    }

    /// The others than the leader that are not left alone.
    pub(super) fn followers(&self, now_ms: u64) -> impl Iterator<Item = usize> {
        let members = self.members.iter().enumerate();
        let others = members.filter(|(at, _)| *at != self.leader);
        others
            .filter(move |(_, member)| member.aside_until_ms <= now_ms)
            .map(|(at, _)| at)
    }

    /// How one stands.
    pub(super) fn standing(&self, at: usize) -> Standing {
        let member = self.members.get(at).unwrap_or(&Member::UNTRIED);
        if member.standing == Standing::Alive && member.is_behind {
            return Standing::Behind;
        }
        member.standing
    }

    /// It answered.
    pub(super) fn answered(&mut self, at: usize) {
        if let Some(member) = self.members.get_mut(at) {
            member.standing = Standing::Alive;
            member.aside_until_ms = 0;
            member.failures = 0;
        }
    }

    /// It said how the chain stands, and is asked first from now on.
    pub(super) fn leads(&mut self, at: usize, head: Height) {
        self.answered(at);
        self.leader = at;
        if let Some(member) = self.members.get_mut(at) {
            member.head = Some(head);
            member.is_behind = false;
        }
    }

    /// Another than the leader said how high it is, a moment after the leader did.
    pub(super) fn is_at(&mut self, at: usize, head: Height) {
        self.answered(at);
        let leader = self.members.get_mut(self.leader);
        let Some((leads, leader)) = leader.and_then(|leader| leader.head.zip(Some(leader))) else {
            return;
        };
        leader.is_behind = head.minus(leads.0).0 >= BEHIND_BLOCKS;
        if let Some(member) = self.members.get_mut(at) {
            member.is_behind = leads.minus(head.0).0 >= BEHIND_BLOCKS;
        }
    }

    /// It failed and is left alone for a while.
    pub(super) fn failed(&mut self, at: usize, failure: Failure, now_ms: u64) {
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        let again = |times: &mut u32| {
            *times = times.saturating_add(1);
            let doublings = times.saturating_sub(1).min(16);
            (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS)
        };
        let (standing, pause_ms) = match failure {
            Failure::RateLimited { pause_ms } => (Standing::RateLimited, pause_ms),
            Failure::Unreachable => (Standing::Unreachable, again(&mut member.failures)),
            Failure::Unfit => (Standing::Unfit, UNFIT_PAUSE_MS),
            Failure::Lie => (Standing::Lying, again(&mut member.lies)),
        };
        member.standing = standing;
        member.aside_until_ms = now_ms.saturating_add(pause_ms);
    }
}

#[cfg(test)]
mod tests;
