//! The Ethereum side of the world: a block every twelve seconds, and payers whose transactions
//! wait for the next one.

use super::{Pay, Refused, pace::Pace};
use crate::{
    domain::{
        block::{BlockRef, Height, TxId},
        facts::CreditAsset,
        time::{SpanMs, UnixMs},
    },
    sandbox::{
        ethereum::{Block, Chain, Intent, Sender, SimulatedNode, Token, TokenKind, Tx, View},
        tree::Linked as _,
    },
};

/// A number that developers' chains have, so that no wallet takes it for a real one.
pub const CHAIN_ID: u64 = 1337;

/// How often a block comes.
const INTERVAL: SpanMs = SpanMs::from_secs(12);
/// How many blocks there are before anybody is paid.
const HISTORY: u32 = 100;
/// How far below the head blocks are final: two epochs.
const FINAL_BELOW: u32 = 64;
/// How many blocks keep their transactions; nobody asks for older ones.
const KEPT: u32 = 4096;
/// Old blocks are forgotten once in so many.
const FORGET_EVERY: u32 = 256;

/// The tokens on the simulated chain, as they are on the real one.
#[must_use]
pub fn tokens() -> [Token; 2] {
    [
        Token {
            contract: [0xa1; 20],
            symbol: "USDT".to_owned(),
            decimals: 6,
            kind: TokenKind::Tether,
        },
        Token {
            contract: [0xa2; 20],
            symbol: "USDC".to_owned(),
            decimals: 6,
            kind: TokenKind::Circle,
        },
    ]
}

/// The chain, its node and its people.
#[derive(Debug)]
pub(super) struct EthereumSide {
    chain: Chain,
    view: View,
    payer: Sender,
    /// What waits for the next block.
    pending: Vec<Tx>,
    /// What is in a block that is not final.
    mined: Vec<(Tx, BlockRef)>,
    pub(super) pace: Pace,
}

impl EthereumSide {
    pub(super) fn new(now: UnixMs) -> Self {
        let ago = |n: u32| SpanMs(INTERVAL.0.saturating_mul(n.into()));
        let genesis_at = now.minus(ago(HISTORY));
        let chain = Chain::new(CHAIN_ID, genesis_at, tokens().to_vec());
        let mut side = Self {
            view: View::new(&chain),
            chain,
            payer: Sender::new(CHAIN_ID, 1),
            pending: Vec::new(),
            mined: Vec::new(),
            pace: Pace::new(INTERVAL, now),
        };
        for n in (0..HISTORY).rev() {
            side.block(now.minus(ago(n)));
        }
        side
    }

    pub(super) const fn node(&self) -> SimulatedNode<'_> {
        SimulatedNode {
            chain: &self.chain,
            view: &self.view,
        }
    }

    pub(super) fn tip(&self) -> BlockRef {
        let head = self.view.head(&self.chain);
        head.map_or_else(|| self.chain.genesis(), Block::reference)
    }

    pub(super) fn advance(&mut self, now: UnixMs) {
        for at in self.pace.due(now) {
            self.block(at);
        }
    }

    /// A block with everything that waits.
    fn block(&mut self, at: UnixMs) {
        let transactions = std::mem::take(&mut self.pending);
        let parent = self.tip().id.hash;
        let Ok(block) = self.chain.extend(parent, at, transactions.clone()) else {
            self.pending = transactions;
            return;
        };
        self.mined
            .extend(transactions.into_iter().map(|tx| (tx, block)));
        self.adopt(block);
    }

    fn adopt(&mut self, head: BlockRef) {
        self.view.set_head(&self.chain, head.id.hash);
        let finalized = head.id.height.minus(FINAL_BELOW).max(self.finalized());
        self.view.finalize_to(Some(finalized));
        self.mined.retain(|(_, block)| block.id.height > finalized);
        if head.id.height.0.is_multiple_of(FORGET_EVERY) {
            self.chain.prune_below(head.id.height.minus(KEPT));
        }
    }

    fn finalized(&self) -> Height {
        self.view.finalized().unwrap_or(Height(0))
    }

    pub(super) fn mine(&mut self, blocks: u32, now: UnixMs) {
        (0..blocks).for_each(|_| self.block(now));
    }

    pub(super) fn mine_empty(&mut self, now: UnixMs) -> Result<(), Refused> {
        let parent = self.tip().id.hash;
        let block = self.chain.extend(parent, now, Vec::new());
        self.adopt(block.map_err(|_| Refused::LostBlock)?);
        Ok(())
    }

    pub(super) fn loose_blocks(&self) -> u32 {
        self.tip().id.height.minus(self.finalized().0).0
    }

    pub(super) fn reorg(&mut self, blocks: u32, now: UnixMs) -> Result<(), Refused> {
        let fork = self.tip().id.height.minus(blocks);
        let mut head = self.view.branch().at(fork).ok_or(Refused::LostBlock)?;
        let mut last = None;
        for _ in 0..=blocks {
            let block = self.chain.extend(head, now, Vec::new());
            let block = block.map_err(|_| Refused::LostBlock)?;
            head = block.id.hash;
            last = Some(block);
        }
        self.adopt(last.ok_or(Refused::LostBlock)?);
        let branch = self.view.branch();
        let (stay, left) = std::mem::take(&mut self.mined)
            .into_iter()
            .partition(|(_, block)| branch.holds(*block));
        self.mined = stay;
        let left: Vec<(Tx, BlockRef)> = left;
        self.pending.extend(left.into_iter().map(|(tx, _)| tx));
        Ok(())
    }

    pub(super) fn pay(&mut self, pay: &Pay) -> Result<TxId, Refused> {
        let to: [u8; 20] = pay
            .to
            .as_bytes()
            .try_into()
            .map_err(|_| Refused::NoAccount)?;
        let amount = pay.amount.base();
        let intent = match pay.asset {
            CreditAsset::Native => Intent::ether(to, amount),
            CreditAsset::Token(contract) => Intent::token(contract, to, amount),
        };
        let tx = self.payer.sign(intent);
        let id = tx.id();
        self.pending.push(tx);
        Ok(id)
    }
}
