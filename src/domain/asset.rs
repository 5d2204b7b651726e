//! Chains and assets by name, and what is configured about an asset.

use super::amount::Amount;
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
    /// Confirmations from then on.
    pub confirmations: u32,
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
    /// Confirmations before `paid`, unless a tier asks for more.
    pub confirmations: u32,
    /// Greater depths for greater amounts, ascending by `above`.
    pub tiers: Vec<Tier>,
    /// Less than this changes nothing.
    pub dust: Amount,
    /// Whether new payments may ask for it.
    pub enabled: bool,
}

impl Asset {
    /// Confirmations that an expected amount of this asset needs.
    #[must_use]
    pub fn confirmations_for(&self, amount: Amount) -> u32 {
        self.tiers
            .iter()
            .rev()
            .find(|tier| amount > tier.above)
            .map_or(self.confirmations, |tier| tier.confirmations)
    }
}
