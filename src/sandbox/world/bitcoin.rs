//! The Bitcoin side of the world: a block every ten minutes, a mempool, and payers with coins.

use super::{Pay, Refused, Replaced, Unconfirmed, pace::Pace};
use crate::{
    domain::{
        amount::Amount,
        block::{BlockRef, TxId},
        facts::{CreditAsset, Destination},
        time::{SpanMs, UnixMs},
    },
    sandbox::{
        bitcoin::{Block, Chain, Coins, Node, Tx, View},
        tree::Linked as _,
    },
};

/// How often a block comes.
const INTERVAL: SpanMs = SpanMs::from_secs(600);
/// How many blocks there are before anybody is paid.
const HISTORY: u32 = 100;
/// No reorganisation reaches deeper: from 100 on a block is final.
const DEEPEST: u32 = 99;

/// What payers keep of their coins.
const CHANGE: u64 = 1_000_000;
/// How much higher a replacement's fee is.
const HIGHER_FEE: u64 = 1_000;

/// The chain, its node and its people.
#[derive(Debug)]
pub(super) struct BitcoinSide {
    chain: Chain,
    view: View,
    coins: Coins,
    pub(super) pace: Pace,
}

impl BitcoinSide {
    pub(super) fn new(now: UnixMs) -> Self {
        let chain = Chain::new();
        let mut side = Self {
            view: View::new(&chain),
            chain,
            coins: Coins::default(),
            pace: Pace::new(INTERVAL, now),
        };
        for n in (0..HISTORY).rev() {
            let ago = SpanMs(INTERVAL.0.saturating_mul(n.into()));
            side.block(now.minus(ago));
        }
        side
    }

    pub(super) const fn node(&self) -> Node<'_> {
        Node {
            chain: &self.chain,
            view: &self.view,
        }
    }

    pub(super) fn tip(&self) -> BlockRef {
        let tip = self.chain.tree().get(self.view.head(&self.chain));
        tip.map_or_else(|| self.chain.genesis(), Block::reference)
    }

    pub(super) fn advance(&mut self, now: UnixMs) {
        for at in self.pace.due(now) {
            self.block(at);
        }
    }

    /// A block with the whole mempool, which holds no chains of transactions.
    fn block(&mut self, at: UnixMs) {
        let transactions = self.view.unconfirmed().cloned().collect();
        self.block_on(self.tip(), at, transactions);
    }

    fn block_on(
        &mut self,
        parent: BlockRef,
        at: UnixMs,
        transactions: Vec<Tx>,
    ) -> Option<BlockRef> {
        let at = at.max(parent.time);
        let block = self.chain.extend(parent.id.hash, at, transactions)?;
        self.view.adopt(&self.chain, block.id.hash);
        Some(block)
    }

    pub(super) fn mine(&mut self, blocks: u32, now: UnixMs) {
        (0..blocks).for_each(|_| self.block(now));
    }

    pub(super) fn mine_empty(&mut self, now: UnixMs) -> Result<(), Refused> {
        let block = self.block_on(self.tip(), now, Vec::new());
        block.map(|_| ()).ok_or(Refused::LostBlock)
    }

    pub(super) fn loose_blocks(&self) -> u32 {
        self.tip().id.height.0.saturating_sub(1).min(DEEPEST)
    }

    pub(super) fn reorg(&mut self, blocks: u32, now: UnixMs) -> Result<(), Refused> {
        let fork = self.tip().id.height.minus(blocks);
        let fork = self.view.branch().at(fork);
        let fork = fork.and_then(|hash| self.chain.tree().get(hash));
        let mut parent = fork.ok_or(Refused::LostBlock)?.reference();
        for _ in 0..=blocks {
            // The node hears of the other branch when it is the longer one.
            let at = now.max(parent.time);
            let block = self.chain.extend(parent.id.hash, at, Vec::new());
            parent = block.ok_or(Refused::LostBlock)?;
        }
        self.view.adopt(&self.chain, parent.id.hash);
        Ok(())
    }

    pub(super) fn pay(&mut self, pay: &Pay) -> Result<TxId, Refused> {
        let sats = match pay.asset {
            CreditAsset::Native => sats(pay.amount)?,
            CreditAsset::Token(_) => return Err(Refused::NotOnBitcoin),
        };
        let coin = self.coins.fresh();
        let outputs: Vec<_> = std::iter::once((pay.to, sats))
            .chain(change(CHANGE))
            .collect();
        self.send(Tx::new(&[coin], &outputs))
    }

    pub(super) fn waits(&self, txid: TxId) -> bool {
        self.view.unconfirmed().any(|tx| tx.txid == txid)
    }

    pub(super) fn replace(
        &mut self,
        which: Unconfirmed,
        amount: Option<Amount>,
    ) -> Result<Replaced, Refused> {
        let is_it = |tx: &&Tx| match which {
            Unconfirmed::Paying(to) => tx.credits.iter().any(|credit| credit.to == to),
            Unconfirmed::Called(txid) => tx.txid == txid,
        };
        let found: Vec<&Tx> = self.view.unconfirmed().filter(is_it).collect();
        let gone = match found.as_slice() {
            [] => return Err(Refused::NothingToReplace),
            [only] => *only,
            several => {
                return Err(Refused::Several(several.iter().map(|tx| tx.txid).collect()));
            }
        };
        let (txid, inputs) = (gone.txid, gone.inputs.clone());
        let to = match which {
            Unconfirmed::Paying(to) => Some(to),
            // The first output is the payer's intention, the last one is change.
            Unconfirmed::Called(_) if gone.credits.len() > 1 => {
                gone.credits.first().map(|credit| credit.to)
            }
            Unconfirmed::Called(_) => None,
        };
        if to.is_none() && amount.is_some() {
            return Err(Refused::PaysNobody);
        }
        let paid = to.zip(amount.map(sats).transpose()?);
        // Each replacement leaves its payer less: none is the transaction that it replaces.
        let kept = gone.credits.last().map(|credit| sats(credit.amount));
        let kept = kept.transpose()?.unwrap_or(CHANGE).min(CHANGE);
        let kept = change(kept.saturating_sub(HIGHER_FEE));
        let outputs: Vec<_> = paid.into_iter().chain(kept).collect();
        let by = self.send(Tx::new(&inputs, &outputs))?;
        Ok(Replaced { gone: txid, by })
    }

    fn send(&mut self, tx: Tx) -> Result<TxId, Refused> {
        let txid = tx.txid;
        self.view.receive(tx)?;
        Ok(txid)
    }
}

fn sats(amount: Amount) -> Result<u64, Refused> {
    u64::try_from(amount.base()).map_err(|_| Refused::NotOnBitcoin)
}

/// What a payer keeps, on a script that no payment has: a witness program of 20 bytes.
fn change(sats: u64) -> Option<(Destination, u64)> {
    let script = [&[0x00, 0x14][..], &[0xcc; 20]].concat();
    Some((Destination::new(&script)?, sats))
}
