//! The scans of a chain's past that followers are asked to do.
//!
//! There are two kinds that go on beside each other: those for payments in ether, which look for what contracts
//! moved and wait for it, and all others, which never do. Of each kind one is under way at a time.

use crate::domain::{
    block::Height,
    payment::{PaymentKey, ScanFrom},
    step::ScanStep,
};

/// A scan of the past that a follower is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its name in asks and answers.
    pub id: u64,
    /// For whom.
    pub covers: Covers,
    /// Whether it looks for what contracts moved.
    pub traced: bool,
    /// Where it starts.
    pub from: ScanFrom,
    /// Up to where it is done; `None` before its first block.
    pub done: Option<Height>,
    /// It ends at this block.
    pub goal: Height,
    /// How many blocks are left of its turn.
    pub turn_left: u32,
}

impl Batch {
    /// What blocks up to there, the next that it brings, say of the payments that wait.
    pub const fn step(&self, to: Height) -> ScanStep {
        ScanStep {
            from: self.next(),
            to,
            up_to: self.covers.last(),
            traced: self.traced,
        }
    }

    /// Where it goes on.
    pub const fn next(&self) -> ScanFrom {
        match self.done {
            Some(done) => ScanFrom::Height(done.plus(1)),
            None => self.from,
        }
    }
}

/// The payments of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// This one alone.
    One(PaymentKey),
    /// This one alone, whose scan was refused before.
    Again(PaymentKey),
    /// Every one up to this of which it leaves nothing out.
    UpTo {
        /// The last one.
        last: PaymentKey,
        /// For how many it was asked.
        payments: u32,
    },
}

impl Covers {
    /// The last payment.
    pub const fn last(self) -> PaymentKey {
        match self {
            Self::One(key) | Self::Again(key) | Self::UpTo { last: key, .. } => key,
        }
    }
}

/// The scans of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scans {
    /// Whether they look for what contracts moved.
    pub traced: bool,
    /// The one under way.
    pub under_way: Option<Batch>,
    /// How many payments the next may be for: fewer after one was refused, until it is known
    /// whose past stands in the way.
    pub limit: u32,
    /// The last single payment whose scan was refused or tried again, and from when on the
    /// monotonic clock the next such payment may be tried.
    pub refused: Option<(PaymentKey, u64)>,
    /// How many turns there were.
    pub turns: u32,
    /// How many blocks were scanned.
    pub blocks: u32,
}

impl Scans {
    const fn of(traced: bool) -> Self {
        Self {
            traced,
            under_way: None,
            limit: u32::MAX,
            refused: None,
            turns: 0,
            blocks: 0,
        }
    }
}

/// The scans of both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes {
    plain: Scans,
    traced: Scans,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            plain: Scans::of(false),
            traced: Scans::of(true),
        }
    }
}

impl Lanes {
    /// Those that look for what contracts moved, or the others.
    #[must_use]
    pub const fn of(&self, traced: bool) -> &Scans {
        if traced { &self.traced } else { &self.plain }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, traced: bool) -> &mut Scans {
        if traced {
            &mut self.traced
        } else {
            &mut self.plain
        }
    }

    /// All of them.
    #[must_use]
    pub const fn both(&self) -> [Scans; 2] {
        [self.plain, self.traced]
    }

    /// The scan of this name, if it is under way, and the others of its kind.
    pub fn find(&self, id: u64) -> Option<(Scans, Batch)> {
        let named = |scans: Scans| {
            let batch = scans.under_way.filter(|batch| batch.id == id)?;
            Some((scans, batch))
        };
        self.both().into_iter().find_map(named)
    }

    /// Gives up those under way of which this is so: the next ones are planned anew.
    pub fn end_where(&mut self, is_over: impl Fn(&Batch) -> bool) {
        for scans in [&mut self.plain, &mut self.traced] {
            scans.under_way = scans.under_way.filter(|batch| !is_over(batch));
        }
    }
}
