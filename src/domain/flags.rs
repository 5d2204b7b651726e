//! The independent marks beside a status.

use super::status::named_enum;
use serde::{Deserialize, Serialize};

named_enum! {
    /// One mark beside a status. The order is that of their names, as the views list them.
    Flag {
        /// Evidence is weaker than full verification. Sticks.
        Degraded = "degraded",
        /// Another significant transaction came beside the deciding one. Derived.
        Duplicate = "duplicate",
        /// Money came after the deadline. Derived.
        Late = "late",
        /// An operator decided. Sticks.
        Manual = "manual",
        /// The deciding transaction exceeds the expected amount. Derived.
        Overpaid = "overpaid",
        /// A transfer's block left the best chain once. Sticks.
        Reorged = "reorged",
        /// A transfer's transaction was replaced once. Sticks.
        Replaced = "replaced",
        /// A `paid` was withdrawn once. Sticks.
        Reversed = "reversed",
        /// From a simulated chain. Sticks.
        Simulated = "simulated",
        /// Several insufficient transactions. Derived.
        Split = "split",
        /// Short beyond what was allowed. Derived.
        Underpaid = "underpaid",
        /// Money of another asset came. Derived.
        WrongAsset = "wrong_asset",
    }
}

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(u16);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);

    const fn bit(flag: Flag) -> u16 {
        match flag {
            Flag::Degraded => 1,
            Flag::Duplicate => 1 << 1,
            Flag::Late => 1 << 2,
            Flag::Manual => 1 << 3,
            Flag::Overpaid => 1 << 4,
            Flag::Reorged => 1 << 5,
            Flag::Replaced => 1 << 6,
            Flag::Reversed => 1 << 7,
            Flag::Simulated => 1 << 8,
            Flag::Split => 1 << 9,
            Flag::Underpaid => 1 << 10,
            Flag::WrongAsset => 1 << 11,
        }
    }

    /// This set and `flag`.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        Self(self.0 | Self::bit(flag))
    }

    /// This set and, when `condition` holds, `flag`.
    #[must_use]
    pub const fn with_if(self, flag: Flag, condition: bool) -> Self {
        if condition { self.with(flag) } else { self }
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `flag` is in the set.
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & Self::bit(flag) != 0
    }

    /// The flags in the set, in the order of their names.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL
            .iter()
            .copied()
            .filter(move |flag| self.has(*flag))
    }

    /// The set as the views show it: names joined by commas, sorted; `None` for an unknown name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',')
            .filter(|name| !name.is_empty())
            .try_fold(Self::NONE, |set, name| Some(set.with(Flag::parse(name)?)))
    }
}

/// Names joined by commas, sorted; empty for no flag.
impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, flag) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(flag.as_str())?;
        }
        Ok(())
    }
}
