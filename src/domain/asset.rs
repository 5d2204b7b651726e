//! Chains and assets by name, and what is configured about an asset.

use super::{
    amount::Amount,
    terms::{Depth, DepthRule},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is.
            #[must_use]
            pub fn new(name: &str) -> Self {
                Self(name.into())
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// A configured chain: `bitcoin`, `ethereum`, or any other name the operator gave.
    ChainName
}
name_type! {
    /// A configured asset: `BTC`, `USDT`.
    AssetCode
}

/// Which rules of evidence a chain follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainKind {
    /// Transactions with outputs, a mempool, probabilistic finality.
    Bitcoin,
    /// Accounts, logs, no mempool, finality by tag.
    Ethereum,
}

impl ChainKind {
    /// The public name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Ethereum => "ethereum",
        }
    }

    /// What stands before a hash of this chain in public text.
    #[must_use]
    pub const fn hash_prefix(self) -> &'static str {
        match self {
            Self::Bitcoin => "",
            Self::Ethereum => "0x",
        }
    }

    /// Whether unconfirmed transactions can be seen.
    #[must_use]
    pub const fn has_mempool(self) -> bool {
        match self {
            Self::Bitcoin => true,
            Self::Ethereum => false,
        }
    }
}

/// What carries an asset on its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetKind {
    /// The chain's own money.
    Native,
    /// An ERC-20 contract, by its address.
    Token([u8; 20]),
}

/// More depth for more money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Applies to expected amounts greater than this.
    pub above: Amount,
    /// How deep it must be from then on.
    pub depth: Depth,
}

/// One configured asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name.
    pub code: AssetCode,
    /// The chain that carries it.
    pub chain: ChainName,
    /// Native or a contract.
    pub kind: AssetKind,
    /// Digits after the point of one whole unit.
    pub decimals: u8,
    /// How deep money must be before `paid`, unless a tier asks for more.
    pub depth: Depth,
    /// Greater depths for greater amounts, ascending by `above`.
    pub tiers: Vec<Tier>,
    /// Less than this changes nothing.
    pub dust: Amount,
    /// Whether new payments may ask for it.
    pub enabled: bool,
}

impl Asset {
    /// Whether some of its payments wait for what nodes call safe or final.
    #[must_use]
    pub fn waits_for_tags(&self) -> bool {
        let tiers = self.tiers.iter().map(|tier| tier.depth);
        let mut depths = tiers.chain([self.depth]);
        depths.any(|depth| depth.rule != DepthRule::Confirmations)
    }

    /// How deep the money must be for an expected amount of this asset.
    #[must_use]
    pub fn depth_for(&self, amount: Amount) -> Depth {
        self.tiers
            .iter()
            .rev()
            .find(|tier| amount > tier.above)
            .map_or(self.depth, |tier| tier.depth)
    }
}
