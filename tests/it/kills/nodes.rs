//! What a load does to the chains, on whichever nodes: real ones, or simulated ones in this process.

use confirmd::domain::asset::ChainKind;

use crate::confirmd::daemon::Setup;

mod real;
mod simulated;

pub use real::Real;
pub use simulated::Simulated;

/// What a payment is asked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coin {
    Btc,
    Eth,
    Usdt,
}

impl Coin {
    pub const ALL: [Self; 3] = [Self::Btc, Self::Eth, Self::Usdt];

    pub const fn chain(self) -> ChainKind {
        match self {
            Self::Btc => ChainKind::Bitcoin,
            Self::Eth | Self::Usdt => ChainKind::Ethereum,
        }
    }

    /// Its code, what is asked of each payment, and half of that in base units.
    pub const fn price(self) -> (&'static str, &'static str, u64) {
        match self {
            Self::Btc => ("BTC", "0.015", 750_000),
            Self::Eth => ("ETH", "0.02", 10_000_000_000_000_000),
            Self::Usdt => ("USDT", "25", 12_500_000),
        }
    }
}

/// One node of each chain, on which nothing happens by itself.
pub trait Nodes {
    /// A configuration of a daemon that follows both.
    fn followed(&self) -> Setup;

    fn height(&self, chain: ChainKind) -> u64;

    /// The hash of the last block, as the views print it.
    fn tip(&self, chain: ChainKind) -> String;

    /// An address that nobody has been paid to.
    fn new_address(&self, coin: Coin, seed: &str) -> String;

    /// Sends base units of a coin; the txid, as the views print it.
    fn pay(&self, coin: Coin, address: &str, units: u64) -> String;

    /// Makes blocks of whatever waits.
    fn mine(&self, chain: ChainKind, blocks: u64);

    /// Makes a block on Bitcoin that leaves the mempool as it is.
    fn mine_empty(&self);

    /// Replaces the topmost blocks by empty ones.
    fn replace_blocks(&self, chain: ChainKind, depth: u64);

    /// Whether somebody who asks in between sees blocks leave before others come.
    fn may_roll_back(&self) -> bool;

    /// Whether a transaction was in a block and will never be in one again.
    fn has_forgotten(&self, coin: Coin, txid: &str) -> bool;

    /// Replaces a payment in Bitcoin's mempool by one to somebody else.
    fn replace(&self, address: &str, txid: &str);

    /// Replaces the last block, which holds nothing but this payment, by ones that spend its coins elsewhere.
    fn double_spend(&self, address: &str, txid: &str);
}
