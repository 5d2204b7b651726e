//! What one bitcoind holds for true: its best chain, its mempool, its state.

use super::{chain::Chain, mempool::Mempool, transaction::Tx};
use crate::{
    domain::block::{BlockHash, Height, TxId},
    sandbox::tree::Branch,
};
use bitcoin::OutPoint;
use std::collections::{HashMap, HashSet};

/// Why a node does not take a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is in a block of the best chain.
    #[error("txn-already-known")]
    Confirmed,
    /// A transaction in a block of the best chain spends one of its inputs.
    #[error("bad-txns-inputs-missingorspent")]
    Conflict,
}

/// A node's state. Its fields are the switches of a simulation.
#[derive(Debug, Clone)]
pub struct View {
    branch: Branch,
    /// Every block that it ever adopted, with those below.
    known: HashSet<BlockHash>,
    /// What the best chain spends, and in which transaction.
    spent: HashMap<OutPoint, TxId>,
    pub(super) mempool: Mempool,
    /// How many headers it knows beyond its best block.
    pub headers_ahead: u32,
    /// Whether it is in its initial block download.
    pub initial_block_download: bool,
    /// Whether its mempool is read from disk yet.
    pub mempool_loaded: bool,
    /// Bodies below this height are gone.
    pub pruned_below: Height,
    /// Whether it serves REST.
    pub rest: bool,
}

impl View {
    /// A healthy node at genesis.
    #[must_use]
    pub fn new(chain: &Chain) -> Self {
        Self {
            branch: Branch::to(chain.tree(), chain.genesis().id.hash),
            known: HashSet::from([chain.genesis().id.hash]),
            spent: HashMap::new(),
            mempool: Mempool::default(),
            headers_ahead: 0,
            initial_block_download: false,
            mempool_loaded: true,
            pruned_below: Height(0),
            rest: false,
        }
    }

    /// Its best chain.
    #[must_use]
    pub const fn branch(&self) -> &Branch {
        &self.branch
    }

    /// The hash of its best block.
    #[must_use]
    pub fn head(&self, chain: &Chain) -> BlockHash {
        self.branch
            .head()
            .unwrap_or_else(|| chain.genesis().id.hash)
    }

    /// Whether it ever adopted this block, or one above it.
    #[must_use]
    pub fn knows(&self, block: BlockHash) -> bool {
        self.known.contains(&block)
    }

    /// Its unconfirmed transactions, by id.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &Tx> {
        self.mempool.transactions()
    }

    /// Whether it holds this transaction unconfirmed.
    #[must_use]
    pub fn has_unconfirmed(&self, txid: TxId) -> bool {
        self.mempool.get(txid).is_some()
    }

    /// Makes `head` its best block. Transactions of blocks that leave come back into the mempool
    /// as far as nothing conflicts with them; those of blocks that join leave it.
    pub fn adopt(&mut self, chain: &Chain, head: BlockHash) {
        let change = self.branch.switch(chain.tree(), head);
        let body = |hash: &BlockHash| {
            let block = chain.tree().get(*hash);
            block.map_or(&[][..], |block| block.transactions())
        };
        for tx in change
            .left
            .iter()
            .flat_map(|hash| body(hash).iter().skip(1))
        {
            self.forget_spends(tx);
        }
        for hash in &change.joined {
            self.known.insert(*hash);
            for tx in body(hash).iter().skip(1) {
                self.connect(tx);
            }
        }
        for tx in change
            .left
            .iter()
            .flat_map(|hash| body(hash).iter().skip(1))
        {
            self.take_back(tx);
        }
    }

    fn connect(&mut self, tx: &Tx) {
        self.mempool.take(tx.txid);
        self.mempool.remove_conflicts(tx);
        for input in &tx.inputs {
            self.spent.insert(*input, tx.txid);
        }
    }

    fn forget_spends(&mut self, tx: &Tx) {
        for input in &tx.inputs {
            if self.spent.get(input) == Some(&tx.txid) {
                self.spent.remove(input);
            }
        }
    }

    /// Takes an unconfirmed transaction in; what it replaces leaves.
    ///
    /// # Errors
    /// When it is confirmed, or in conflict with what is.
    pub fn receive(&mut self, tx: Tx) -> Result<(), Rejected> {
        self.check(&tx)?;
        self.mempool.insert(tx);
        Ok(())
    }

    /// Takes back what comes out of a block: it replaces nothing, and is not wanted when it is
    /// confirmed elsewhere or in conflict with what is.
    fn take_back(&mut self, tx: &Tx) {
        let taken = |input: &OutPoint| self.mempool.spender(input).is_some();
        if self.check(tx).is_ok() && !tx.inputs.iter().any(taken) {
            self.mempool.insert(tx.clone());
        }
    }

    fn check(&self, tx: &Tx) -> Result<(), Rejected> {
        for input in &tx.inputs {
            match self.spent.get(input) {
                Some(spender) if *spender == tx.txid => return Err(Rejected::Confirmed),
                Some(_) => return Err(Rejected::Conflict),
                None => {}
            }
        }
        Ok(())
    }

    /// Drops a transaction and its descendants, as for a low fee or after two weeks.
    pub fn evict(&mut self, txid: TxId) {
        self.mempool.remove(txid);
    }

    /// Loses the whole mempool, as a node that was restarted without it.
    pub fn empty_mempool(&mut self) {
        self.mempool.clear();
    }
}
