//! Every block of a simulated chain, on every branch. Knows no node: see `view`.

use super::{
    credit::TrueCredit,
    execute::{self, Outcome},
    json::Written,
    seal::{self, Inside},
    token::{Ledger, Token},
    tx::Tx,
};
use crate::{
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        time::UnixMs,
    },
    sandbox::tree::{Linked, Tree},
};
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, Bytes, U256};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The code of whatever has some.
const CODE: Bytes = Bytes::from_static(&[0x60, 0x01]);

/// A block cannot stand on one that was never made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no block {0} to build on")]
pub struct UnknownParent(pub BlockHash);

/// What goes into a block.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// In this order.
    pub transactions: Vec<Tx>,
    /// What stakers take out: the account, and how many gwei.
    pub withdrawals: Vec<([u8; 20], u64)>,
}

impl From<Vec<Tx>> for Contents {
    fn from(transactions: Vec<Tx>) -> Self {
        Self {
            transactions,
            withdrawals: Vec::new(),
        }
    }
}

/// A block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Every credit in it, in block order.
    pub credits: Vec<TrueCredit>,
    pub(super) header: Header,
    /// Without its transactions.
    pub(super) brief: Box<RawValue>,
    /// The tokens after it.
    pub(super) ledger: Arc<Ledger>,
    reference: BlockRef,
}

impl Linked for Block {
    fn reference(&self) -> BlockRef {
        self.reference
    }
}

/// What a pruned block lacks.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub full: Box<RawValue>,
    pub receipts: Box<RawValue>,
    pub inside: Inside,
}

/// A simulated chain. The same calls in the same order give the same blocks.
#[derive(Debug, Clone)]
pub struct Chain {
    id: u64,
    genesis: BlockRef,
    tree: Tree<Block>,
    bodies: HashMap<BlockHash, Body>,
    /// The blocks that hold a transaction.
    mined: HashMap<TxId, Vec<BlockHash>>,
    code: BTreeMap<Address, Bytes>,
    /// What accounts were given in ether, block by block, on all branches.
    given: HashMap<Address, Vec<(BlockRef, U256)>>,
    system_logs: bool,
    made: u64,
}

impl Chain {
    /// A chain of nothing but its genesis, in which these tokens are already there.
    #[must_use]
    pub fn new(chain_id: u64, genesis_time: UnixMs, tokens: Vec<Token>) -> Self {
        let contracts = tokens.iter().map(|token| (token.contract.into(), CODE));
        let code = contracts.collect();
        let header = seal::genesis(chain_id, genesis_time);
        let ledger = Arc::new(Ledger::new(tokens));
        let (block, body) = written(header, ledger, Inside::default(), Vec::new());
        let genesis = block.reference;
        Self {
            id: chain_id,
            genesis,
            tree: Tree::new(block),
            bodies: HashMap::from([(genesis.id.hash, body)]),
            mined: HashMap::new(),
            code,
            given: HashMap::new(),
            system_logs: false,
            made: 0,
        }
    }

    /// The same with a log for every move of ether (EIP-7708), in blocks from now on.
    #[must_use]
    pub const fn with_system_logs(mut self) -> Self {
        self.system_logs = true;
        self
    }

    /// The same with a contract at this address.
    #[must_use]
    pub fn with_contract(mut self, at: [u8; 20]) -> Self {
        self.code.insert(at.into(), CODE);
        self
    }

    /// The same with an account that lends its code from a contract (EIP-7702).
    #[must_use]
    pub fn with_delegation(mut self, account: [u8; 20], contract: [u8; 20]) -> Self {
        let code = [&[0xef, 0x01, 0x00][..], &contract].concat();
        self.code.insert(account.into(), code.into());
        self
    }

    /// Adds a block to this parent, which may be any block: a fork is nothing else. No two blocks
    /// are equal. Its time is at least a second after its parent's.
    ///
    /// # Errors
    /// When there is no such parent.
    pub fn extend(
        &mut self,
        parent: BlockHash,
        at: UnixMs,
        contents: impl Into<Contents>,
    ) -> Result<BlockRef, UnknownParent> {
        let below = self.tree.get(parent).ok_or(UnknownParent(parent))?;
        self.made = self.made.saturating_add(1);
        let mut ledger = Arc::clone(&below.ledger);
        let contents = contents.into();
        let mut executed = execute_all(contents.transactions, &mut ledger, self.system_logs);
        let outcomes = executed.iter_mut();
        let credits = outcomes.flat_map(|(_, outcome)| std::mem::take(&mut outcome.credits));
        let credits = credits.collect();
        let withdrawals = withdrawals(self.made, contents.withdrawals);
        let inside = Inside::new(executed, withdrawals);
        let header = seal::child(&below.header, parent.0.into(), at, self.made, &inside);
        let (block, body) = written(header, ledger, inside, credits);
        for one in &body.inside.mined {
            let blocks = self.mined.entry(one.tx.id()).or_default();
            blocks.push(block.reference.id.hash);
        }
        for (account, amount) in given(&block, &body) {
            let known = self.given.entry(account).or_default();
            known.push((block.reference, amount));
        }
        self.bodies.insert(block.reference.id.hash, body);
        Ok(self.tree.insert(block))
    }

    /// Forgets the transactions and receipts of all blocks below this height, as nodes do with old
    /// ones (EIP-4444). Headers and credits stay.
    pub fn prune_below(&mut self, height: Height) {
        let tree = &self.tree;
        self.bodies.retain(|hash, _| {
            let block = tree.get(*hash);
            block.is_some_and(|block| block.reference.id.height >= height)
        });
        let bodies = &self.bodies;
        self.mined.retain(|_, blocks| {
            blocks.retain(|block| bodies.contains_key(block));
            !blocks.is_empty()
        });
    }

    /// Its EIP-155 chain id.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.id
    }

    /// Its first block.
    #[must_use]
    pub const fn genesis(&self) -> BlockRef {
        self.genesis
    }

    /// A block of any branch.
    #[must_use]
    pub fn block(&self, hash: BlockHash) -> Option<&Block> {
        self.tree.get(hash)
    }

    /// Every block.
    #[must_use]
    pub const fn tree(&self) -> &Tree<Block> {
        &self.tree
    }

    /// What is inside a block; `None` when that was pruned.
    pub(super) fn body(&self, hash: BlockHash) -> Option<&Body> {
        self.bodies.get(&hash)
    }

    /// The blocks of all branches that hold this transaction.
    pub(super) fn blocks_with(&self, tx: TxId) -> &[BlockHash] {
        self.mined.get(&tx).map_or(&[], Vec::as_slice)
    }

    /// What an account was given in ether, by the block that gave it, on all branches.
    pub(super) fn given(&self, account: Address) -> &[(BlockRef, U256)] {
        self.given.get(&account).map_or(&[], Vec::as_slice)
    }

    /// The code at an address; none at most.
    pub(super) fn code(&self, at: Address) -> Bytes {
        self.code.get(&at).cloned().unwrap_or_default()
    }
}

fn execute_all(
    transactions: Vec<Tx>,
    ledger: &mut Arc<Ledger>,
    system_logs: bool,
) -> Vec<(Tx, Outcome)> {
    let numbered = (0..).zip(transactions);
    numbered
        .map(|(index, tx)| {
            let outcome = execute::execute(&tx, index, ledger, system_logs);
            (tx, outcome)
        })
        .collect()
}

fn withdrawals(salt: u64, of: Vec<([u8; 20], u64)>) -> Vec<Withdrawal> {
    // A block has 16 at most (EIP-4895), so these never meet those of another block.
    let first = salt.saturating_mul(16);
    let numbered = (first..).zip(of);
    numbered
        .map(|(index, (account, amount))| Withdrawal {
            index,
            validator_index: index,
            address: account.into(),
            amount,
        })
        .collect()
}

/// Who got how much ether in a block, payments and withdrawals.
fn given(block: &Block, body: &Body) -> Vec<(Address, U256)> {
    let credits = block.credits.iter();
    let paid = credits.filter(|credit| credit.token.is_none());
    let paid = paid.map(|credit| (Address::from(credit.to), credit.amount));
    let withdrawn = body.inside.withdrawals.iter();
    let withdrawn = withdrawn.map(|taken| (taken.address, taken.amount_wei()));
    paid.chain(withdrawn).collect()
}

/// A block and its body, with all JSON that will be asked for often.
fn written(
    header: Header,
    ledger: Arc<Ledger>,
    inside: Inside,
    credits: Vec<TrueCredit>,
) -> (Block, Body) {
    let hash = header.hash_slow();
    let writing = Written {
        header: &header,
        hash,
        inside: &inside,
    };
    let (brief, full, receipts) = (writing.brief(), writing.full(), writing.receipts());
    let block = Block {
        credits,
        brief,
        reference: reference(&header, BlockHash(hash.0)),
        header,
        ledger,
    };
    let body = Body {
        full,
        receipts,
        inside,
    };
    (block, body)
}

fn reference(header: &Header, hash: BlockHash) -> BlockRef {
    let height = Height(u32::try_from(header.number).unwrap_or(u32::MAX));
    BlockRef {
        id: BlockId { height, hash },
        parent: BlockHash(header.parent_hash.0),
        time: UnixMs::from_secs(i64::try_from(header.timestamp).unwrap_or(i64::MAX)),
    }
}
