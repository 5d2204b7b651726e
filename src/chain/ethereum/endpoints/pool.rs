//! Which of a chain's endpoints is asked, by how each has answered. Pure: it asks nobody and reads
//! no clock; times are milliseconds of the monotonic clock.
//!
//! One leads: it alone says which blocks there are, from the beginning of a poll to its end. What two
//! endpoints say of a chain is no picture of it: a lagging one's head and a sibling that another holds
//! would look like blocks that left. Blocks are asked for by hash, and may come from anyone.

/// How long an endpoint is left alone after it failed once; twice as long each further time.
const FIRST_PAUSE_MS: u64 = 5_000;
/// The longest that it is left alone: an operator who mended it does not wait longer.
const LONGEST_PAUSE_MS: u64 = 300_000;
/// The longest after what it answered was disproved: honest nodes are known to answer with
/// half-written receipts for some seconds.
const LONGEST_LIE_PAUSE_MS: u64 = 60_000;
/// One that is unfit is unfit until somebody does something about it.
const UNFIT_PAUSE_MS: u64 = 60_000;
/// One that fell behind catches up, or does not.
const BEHIND_PAUSE_MS: u64 = 30_000;

/// So long without a failure is a while.
const STEADY_MS: u64 = 600_000;

/// Whoever takes this much longer than the quickest, and twice as long, is slow.
const SLOW_MS: u64 = 100;
/// A single slow answer says little: of what is remembered, each one changes a fourth.
const REMEMBERED: u64 = 4;

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was not asked yet.
    Untried,
    /// It answers.
    Alive,
    /// It asked not to be asked for a while.
    RateLimited,
    /// It is some blocks behind another.
    Behind,
    /// It does not answer, or not sensibly.
    Unreachable,
    /// It is on another chain, lacks what is needed, or refuses us.
    Unfit,
    /// What it answered failed a check that another's answer about the same block passed, or a
    /// quorum of operators has long held another block.
    Lying,
}

impl Standing {
    /// The name in logs and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Alive => "alive",
            Self::RateLimited => "rate_limited",
            Self::Behind => "behind",
            Self::Unreachable => "unreachable",
            Self::Unfit => "unfit",
            Self::Lying => "lying",
        }
    }

    /// Whether it failed when it was asked last.
    pub(super) const fn is_left_alone(self) -> bool {
        match self {
            Self::Untried | Self::Alive => false,
            Self::RateLimited | Self::Behind | Self::Unreachable | Self::Unfit | Self::Lying => {
                true
            }
        }
    }
}

/// How an endpoint failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It wants to be left alone for so long.
    RateLimited { pause_ms: u64 },
    /// Others have blocks that it lacks.
    Behind,
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
    /// How long it takes to answer what all are asked, once that is known.
    took_ms: Option<u64>,
    /// Whether it named blocks that nobody has.
    misled: bool,
    /// When it failed last.
    failed_at_ms: Option<u64>,
}

impl Member {
    const UNTRIED: Self = Self {
        standing: Standing::Untried,
        aside_until_ms: 0,
        failures: 0,
        lies: 0,
        took_ms: None,
        misled: false,
        failed_at_ms: None,
    };
}

impl Pool {
    /// So many endpoints of which nothing is known yet.
    pub(super) fn new(endpoints: usize) -> Self {
        Self {
            members: vec![Member::UNTRIED; endpoints],
            leader: 0,
        }
    }

    /// Whom to ask, one after the other until one answers: the leader, then the others, those that are
    /// slow after those that are not, and last whoever ever told what was not so. Those that failed a
    /// moment ago are left out; when that leaves nobody, all are asked, first the one that is soonest
    /// to be asked again.
    pub(super) fn order(&self, now_ms: u64) -> Vec<usize> {
        let count = self.members.len();
        let aside_until = |at: usize| self.members.get(at).map(|member| member.aside_until_ms);
        let mut all: Vec<usize> = (self.leader..count).chain(0..self.leader).collect();
        all.sort_by_key(|at| {
            let is_slow = self.is_slow(*at, now_ms);
            (*at != self.leader).then(|| (!self.is_trusted(*at), is_slow))
        });
        let is_back = |at: &usize| self.is_back(*at, now_ms);
        if all.iter().any(is_back) {
            all.retain(is_back);
        } else {
            all.sort_by_key(|at| aside_until(*at));
        }
        all
    }

    /// Whether one is not left alone now.
    pub(super) fn is_back(&self, at: usize, now_ms: u64) -> bool {
        let member = self.members.get(at);
        member.is_some_and(|member| member.aside_until_ms <= now_ms)
    }

    /// It took so long to answer what all are asked.
    pub(super) fn took(&mut self, at: usize, ms: u64) {
        if let Some(member) = self.members.get_mut(at) {
            let remembered = |before: u64| {
                let others = before.saturating_mul(REMEMBERED.saturating_sub(1));
                others.saturating_add(ms).div_euclid(REMEMBERED)
            };
            member.took_ms = Some(member.took_ms.map_or(ms, remembered));
        }
    }

    /// Whether another that is not left alone answers much sooner.
    pub(super) fn is_slow(&self, at: usize, now_ms: u64) -> bool {
        let took = |at: usize| self.members.get(at).and_then(|member| member.took_ms);
        let back = (0..self.len()).filter(|at| self.is_back(*at, now_ms));
        let quickest = back.filter_map(took).min();
        took(at).zip(quickest).is_some_and(|(took, quickest)| {
            took > quickest.saturating_mul(2) && took > quickest.saturating_add(SLOW_MS)
        })
    }

    /// It named blocks that nobody has.
    pub(super) fn misled(&mut self, at: usize) {
        if let Some(member) = self.members.get_mut(at) {
            member.misled = true;
        }
    }

    /// Whether it was never disproved, and named no blocks that nobody has.
    pub(super) fn is_trusted(&self, at: usize) -> bool {
        let member = self.members.get(at);
        member.is_some_and(|member| member.lies == 0 && !member.misled)
    }

    /// Whether it has not failed for a while: what answers small questions may fail at others again and again.
    pub(super) fn is_steady(&self, at: usize, now_ms: u64) -> bool {
        let failed = self.members.get(at).and_then(|member| member.failed_at_ms);
        failed.is_none_or(|failed_ms| now_ms.saturating_sub(failed_ms) >= STEADY_MS)
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.members.len()
    }

    /// The one that says which blocks there are.
    pub(super) const fn leader(&self) -> usize {
        self.leader
    }

    /// How one stands.
    pub(super) fn standing(&self, at: usize) -> Standing {
        let member = self.members.get(at);
        member.map_or(Standing::Untried, |member| member.standing)
    }

    /// It answered.
    pub(super) fn answered(&mut self, at: usize) {
        if let Some(member) = self.members.get_mut(at) {
            member.standing = Standing::Alive;
            member.aside_until_ms = 0;
            member.failures = 0;
        }
    }

    /// It answered what all are asked. One that is left alone for what it answers stays so.
    pub(super) fn heard(&mut self, at: usize, now_ms: u64) {
        let is_judged = self.members.get(at).is_some_and(|member| {
            let standing = member.standing;
            let for_answers = standing == Standing::Lying || standing == Standing::Behind;
            for_answers && member.aside_until_ms > now_ms
        });
        if !is_judged {
            self.answered(at);
        }
    }

    /// It says which blocks there are from now on.
    pub(super) const fn lead(&mut self, at: usize) {
        self.leader = at;
    }

    /// It failed and is left alone for a while.
    pub(super) fn failed(&mut self, at: usize, failure: Failure, now_ms: u64) {
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        let again = |times: &mut u32, longest_ms: u64| {
            *times = times.saturating_add(1);
            let doublings = times.saturating_sub(1).min(16);
            (FIRST_PAUSE_MS << doublings).min(longest_ms)
        };
        let (standing, pause_ms) = match failure {
            Failure::RateLimited { pause_ms } => (Standing::RateLimited, pause_ms),
            Failure::Unreachable => {
                let pause_ms = again(&mut member.failures, LONGEST_PAUSE_MS);
                (Standing::Unreachable, pause_ms)
            }
            Failure::Behind => (Standing::Behind, BEHIND_PAUSE_MS),
            Failure::Unfit => (Standing::Unfit, UNFIT_PAUSE_MS),
            Failure::Lie => {
                let pause_ms = again(&mut member.lies, LONGEST_LIE_PAUSE_MS);
                (Standing::Lying, pause_ms)
            }
        };
        member.standing = standing;
        member.failed_at_ms = Some(now_ms);
        member.aside_until_ms = now_ms.saturating_add(pause_ms);
    }
}

#[cfg(test)]
mod tests;
