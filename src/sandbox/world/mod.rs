//! Both simulated chains in their own time: blocks come by themselves, people pay, and somebody
//! may make everything go wrong.
//!
//! Knows scripts, accounts and amounts; must not know a payment. What time it is, it is told.

mod bitcoin;
mod ethereum;
mod pace;
#[cfg(test)]
mod tests;

pub use ethereum::{CHAIN_ID, tokens};

use crate::{
    chain::rpc::{HttpRequest, HttpResponse},
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::{BlockRef, TxId},
        facts::{CreditAsset, Destination},
        time::UnixMs,
    },
    sandbox::json_rpc,
};
use bitcoin::BitcoinSide;
use ethereum::EthereumSide;

/// The most blocks that one order makes or takes away.
pub const MAX_BLOCKS: u32 = 1000;
/// The most transfers that wait for their time.
const MAX_WAITING: usize = 10_000;

/// Somebody's intention to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pay {
    /// On which chain.
    pub chain: ChainKind,
    /// Whom.
    pub to: Destination,
    /// In what.
    pub asset: CreditAsset,
    /// How much.
    pub amount: Amount,
}

/// Which transaction of Bitcoin's mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The only one that pays this.
    Paying(Destination),
    /// The one of this id.
    Called(TxId),
}

/// A transaction, and the one that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The one that is gone.
    pub gone: TxId,
    /// The one that is there now.
    pub by: TxId,
}

/// Why the world does not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A number of blocks outside what is possible.
    #[error("between 1 and {most} blocks, please")]
    Blocks {
        /// The most that are possible now.
        most: u32,
    },
    /// Bitcoin counts in 64 bits, and has no tokens.
    #[error("Bitcoin cannot carry that")]
    NotOnBitcoin,
    /// Not 20 bytes.
    #[error("that is no Ethereum account")]
    NoAccount,
    /// Replacing needs a transaction that waits in Bitcoin's mempool.
    #[error("no unconfirmed Bitcoin transaction pays this: it was never sent, or is in a block")]
    NothingToReplace,
    /// There is nobody to be paid instead.
    #[error("that transaction pays nobody but its payer")]
    PaysNobody,
    /// Each of several might be meant.
    #[error("several unconfirmed transactions pay this: name one of {}", listed(.0))]
    Several(Vec<TxId>),
    /// Something conflicts with it.
    #[error("the node does not take the transaction: {0}")]
    Rejected(#[from] super::bitcoin::Rejected),
    /// Too many wait already.
    #[error("{MAX_WAITING} transfers wait for their time already")]
    TooManyWait,
    /// A block that was there a moment ago is gone: a defect of the simulation.
    #[error("the simulated chain lost a block")]
    LostBlock,
}

fn listed(txids: &[TxId]) -> String {
    let txids: Vec<String> = txids.iter().map(TxId::to_string).collect();
    txids.join(", ")
}

/// Both chains, the node of each, and what is to come.
#[derive(Debug)]
pub struct World {
    bitcoin: BitcoinSide,
    ethereum: EthereumSide,
    /// Until when the nodes cannot be reached.
    away_until: Option<UnixMs>,
    waiting: Vec<(UnixMs, Pay)>,
    now: UnixMs,
}

impl World {
    /// Chains with some history, whose blocks come from now on.
    #[must_use]
    pub fn new(now: UnixMs) -> Self {
        Self {
            bitcoin: BitcoinSide::new(now),
            ethereum: EthereumSide::new(now),
            away_until: None,
            waiting: Vec::new(),
            now,
        }
    }

    /// Lets everything happen that is due by now, in order as far as anybody can see.
    pub fn advance(&mut self, now: UnixMs) {
        self.now = now;
        if self.away_until.is_some_and(|until| until <= now) {
            self.away_until = None;
        }
        self.send_waiting();
        self.bitcoin.advance(now);
        self.ethereum.advance(now);
    }

    fn send_waiting(&mut self) {
        let now = self.now;
        let due: Vec<Pay> = self
            .waiting
            .iter()
            .filter(|(at, _)| *at <= now)
            .map(|(_, pay)| *pay)
            .collect();
        self.waiting.retain(|(at, _)| *at > now);
        for pay in due {
            if let Err(error) = self.pay(&pay) {
                tracing::warn!(%error, "a transfer that waited was not sent");
            }
        }
    }

    /// What a chain's node answers.
    #[must_use]
    pub fn respond(&self, chain: ChainKind, request: &HttpRequest) -> HttpResponse {
        if self.away_until.is_some() {
            return HttpResponse::with_status(503, "the simulated node is away");
        }
        match chain {
            ChainKind::Bitcoin => json_rpc::respond(&self.bitcoin.node(), request),
            ChainKind::Ethereum => json_rpc::respond(&self.ethereum.node(), request),
        }
    }

    /// Sends a transaction.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn pay(&mut self, pay: &Pay) -> Result<TxId, Refused> {
        match pay.chain {
            ChainKind::Bitcoin => self.bitcoin.pay(pay),
            ChainKind::Ethereum => self.ethereum.pay(pay),
        }
    }

    /// Sends a transaction when it is time.
    ///
    /// # Errors
    /// When too many wait already.
    pub fn pay_at(&mut self, at: UnixMs, pay: Pay) -> Result<(), Refused> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refused::TooManyWait);
        }
        self.waiting.push((at, pay));
        Ok(())
    }

    /// Whether a Bitcoin transaction waits in the mempool.
    #[must_use]
    pub fn waits(&self, txid: TxId) -> bool {
        self.bitcoin.waits(txid)
    }

    /// Replaces an unconfirmed Bitcoin transaction by one that spends the same coin and pays whom
    /// that one paid this much, or nothing.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn replace(
        &mut self,
        which: Unconfirmed,
        amount: Option<Amount>,
    ) -> Result<Replaced, Refused> {
        self.bitcoin.replace(which, amount)
    }

    /// Makes blocks on these chains at once.
    ///
    /// # Errors
    /// When it is none, or too many; then nothing was done.
    pub fn mine(&mut self, chains: &[ChainKind], blocks: u32) -> Result<(), Refused> {
        within(blocks, MAX_BLOCKS)?;
        for chain in chains {
            match chain {
                ChainKind::Bitcoin => self.bitcoin.mine(blocks, self.now),
                ChainKind::Ethereum => self.ethereum.mine(blocks, self.now),
            }
        }
        Ok(())
    }

    /// Makes a block on a chain that leaves everything waiting.
    ///
    /// # Errors
    /// When the simulation is defective.
    pub fn mine_empty(&mut self, chain: ChainKind) -> Result<(), Refused> {
        match chain {
            ChainKind::Bitcoin => self.bitcoin.mine_empty(self.now),
            ChainKind::Ethereum => self.ethereum.mine_empty(self.now),
        }
    }

    /// Replaces the last blocks of these chains by one more, all of them empty; what was in them
    /// is mined again later. Final blocks stay.
    ///
    /// # Errors
    /// When it is none, or too many; then nothing was done.
    pub fn reorg(&mut self, chains: &[ChainKind], blocks: u32) -> Result<(), Refused> {
        for chain in chains {
            within(blocks, self.loose_blocks(*chain))?;
        }
        chains.iter().try_for_each(|chain| match chain {
            ChainKind::Bitcoin => self.bitcoin.reorg(blocks, self.now),
            ChainKind::Ethereum => self.ethereum.reorg(blocks, self.now),
        })
    }

    fn loose_blocks(&self, chain: ChainKind) -> u32 {
        match chain {
            ChainKind::Bitcoin => self.bitcoin.loose_blocks(),
            ChainKind::Ethereum => self.ethereum.loose_blocks(),
        }
    }

    /// A chain stops making blocks, or goes on.
    pub const fn stall(&mut self, chain: ChainKind, stalled: bool) {
        match chain {
            ChainKind::Bitcoin => self.bitcoin.pace.stall(stalled),
            ChainKind::Ethereum => self.ethereum.pace.stall(stalled),
        }
    }

    /// Whether a chain makes no blocks by itself.
    #[must_use]
    pub const fn is_stalled(&self, chain: ChainKind) -> bool {
        match chain {
            ChainKind::Bitcoin => self.bitcoin.pace.is_stalled(),
            ChainKind::Ethereum => self.ethereum.pace.is_stalled(),
        }
    }

    /// No node can be reached until then.
    pub const fn go_away(&mut self, until: UnixMs) {
        self.away_until = Some(until);
    }

    /// Until when no node can be reached, if so.
    #[must_use]
    pub const fn away_until(&self) -> Option<UnixMs> {
        self.away_until
    }

    /// The last block of a chain.
    #[must_use]
    pub fn tip(&self, chain: ChainKind) -> BlockRef {
        match chain {
            ChainKind::Bitcoin => self.bitcoin.tip(),
            ChainKind::Ethereum => self.ethereum.tip(),
        }
    }
}

const fn within(blocks: u32, most: u32) -> Result<(), Refused> {
    if blocks == 0 || blocks > most {
        Err(Refused::Blocks { most })
    } else {
        Ok(())
    }
}
