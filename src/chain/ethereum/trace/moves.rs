//! What frames move, whichever way a node tells them.

use crate::bugs::{Bug, planted};
use alloy_primitives::{Address, B256, U256};

/// The deepest that calls can be nested (EVM).
pub(super) const MAX_DEPTH: usize = 1_024;

/// The most moves of a block: so many burn 670 million gas, as each costs 6,700 at least.
const MAX_MOVES: usize = 100_000;

/// The most numbers in the paths of all its moves, which are seldom deep.
pub(super) const MAX_PATHS: usize = 8 << 20;

/// A transaction's trace as the node answers it.
pub(super) struct Trace {
    pub id: Option<B256>,
    pub result: Option<Traced>,
}

/// What is looked at in a root frame, and what moved below it.
pub(super) struct Traced {
    pub to: Option<Address>,
    pub value: U256,
    pub creates: bool,
    pub failed: bool,
    pub moves: Vec<Move>,
}

/// Ether that one account gave to another.
pub(super) struct Move {
    /// Child indexes from the root frame.
    pub path: Box<[u32]>,
    pub from: Address,
    pub to: Address,
    pub value: U256,
}

/// What a frame does with its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Gives it to its target.
    Moves,
    /// The same, to a contract that comes to be.
    Creates,
    /// Nothing.
    Keeps,
}

impl Kind {
    /// What a delegate call calls its value is its caller's.
    pub(super) fn of_delegate_call() -> Self {
        if planted(Bug::DelegateCallPays) {
            Self::Moves
        } else {
            Self::Keeps
        }
    }
}

/// A frame, without what is below it.
pub(super) struct Frame {
    pub kind: Kind,
    pub from: Address,
    pub to: Option<Address>,
    pub value: U256,
    pub failed: bool,
}

impl Frame {
    /// Whether it takes along what is below it.
    pub(super) fn is_void(&self) -> bool {
        self.failed && !planted(Bug::RevertedPays)
    }

    /// What it gives away, at its place below the root; the root's own value is the transaction's.
    pub(super) fn moved(&self, path: &[u32]) -> Option<Move> {
        let target = self.to.filter(|_| !path.is_empty());
        let moves = self.kind != Kind::Keeps && !self.value.is_zero();
        let to = target.filter(|to| moves && *to != self.from)?;
        Some(Move {
            path: path.into(),
            from: self.from,
            to,
            value: self.value,
        })
    }

    /// As the root of a transaction that moved this.
    pub(super) fn root(self, moves: Vec<Move>) -> Traced {
        Traced {
            to: self.to,
            value: self.value,
            creates: self.kind == Kind::Creates,
            failed: self.failed,
            moves,
        }
    }
}

/// How much moves in a block so far.
#[derive(Default)]
pub(super) struct Size {
    moves: usize,
    /// Numbers in all their paths.
    paths: usize,
}

impl Size {
    /// Takes note of one more.
    ///
    /// # Errors
    /// When that is more than fits into a block.
    pub(super) fn add(&mut self, moved: &Move) -> Result<(), &'static str> {
        self.moves = self.moves.saturating_add(1);
        self.paths = self.paths.saturating_add(moved.path.len());
        if self.moves > MAX_MOVES || self.paths > MAX_PATHS {
            return Err("more moves than a block has");
        }
        Ok(())
    }
}
