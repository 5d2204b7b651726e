//! Identities of blocks and transactions.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A block's distance from genesis.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Height(pub u32);

impl Height {
    /// The height `blocks` above this one; stops at the largest height.
    #[must_use]
    pub const fn plus(self, blocks: u32) -> Self {
        Self(self.0.saturating_add(blocks))
    }

    /// The height `blocks` below this one; stops at genesis.
    #[must_use]
    pub const fn minus(self, blocks: u32) -> Self {
        Self(self.0.saturating_sub(blocks))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// The bytes are in the order in which explorers print them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// Reads 64 hexadecimal digits, with or without `0x`.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0_u8; 32];
                let digits = text.strip_prefix("0x").unwrap_or(text);
                alloy_primitives::hex::decode_to_slice(digits, &mut bytes).ok()?;
                Some(Self(bytes))
            }
        }

        /// Lower-case hexadecimal without a prefix.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&alloy_primitives::hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

hash_type! {
    /// The hash that identifies a block.
    BlockHash
}
hash_type! {
    /// The hash that identifies a transaction.
    TxId
}

/// A block of one chain: its height and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// Distance from genesis.
    pub height: Height,
    /// Header hash.
    pub hash: BlockHash,
}

/// Where and when a block stands: what a cursor keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRef {
    /// Height and hash.
    pub id: BlockId,
    /// The hash of the block before it.
    pub parent: BlockHash,
    /// The header's own time; decides nothing on Bitcoin, where it may be two hours off.
    pub time: super::time::UnixMs,
}

/// Which bytes are zero where there is no transaction.
const BLANK: std::ops::Range<usize> = 4..28;

impl TxId {
    /// Stands for no transaction: only is known that a balance grew in the block of this height.
    #[must_use]
    pub fn of_balance(height: Height) -> Self {
        let mut bytes = [0; 32];
        let height = height.0.to_be_bytes();
        let ends = bytes.iter_mut().zip(height);
        ends.for_each(|(byte, digit)| *byte = digit);
        Self(bytes)
    }

    /// Whether it names a transaction: no hash begins a row of so many zeros.
    #[must_use]
    pub fn exists(&self) -> bool {
        let blank = self.0.get(BLANK);
        blank.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
    }
}
