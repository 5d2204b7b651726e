//! Ethereum blocks of a given weight whose every root is right.

use super::{configuration::USDT, payments, rig};
use alloy_primitives::{Address, B256, Log, U256};
use confirmd::{
    chain::ethereum::verify_and_scan,
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::BlockFacts,
    },
};

#[path = "../../src/chain/ethereum/fixture.rs"]
mod fixture;

/// Transactions in a block, of which each fourth moves ether and the others call tokens.
const TRANSACTIONS: usize = 400;
/// Logs in a block.
const LOGS: usize = 1000;

/// A block as a node answers it, and where it was asked for.
pub struct RawBlock {
    pub block: String,
    pub receipts: String,
    pub asked: BlockRef,
}

impl RawBlock {
    /// Verified and scanned, as the source does it.
    pub fn scan(&self) -> BlockFacts {
        verify_and_scan(&self.block, &self.receipts, &self.asked, &[USDT]).expect("a valid block")
    }
}

/// A chain that grows by large blocks.
pub struct Chain {
    height: Height,
    parent: BlockHash,
}

impl Chain {
    /// A chain after the rig's first block.
    pub const fn new() -> Self {
        let first = rig::first_block();
        Self {
            height: first.id.height,
            parent: first.id.hash,
        }
    }

    /// The next block, in which these payments are paid.
    pub fn next(&mut self, paid: &[u64]) -> RawBlock {
        self.height = self.height.plus(1);
        let number = u64::from(self.height.0);
        let mut block = fixture::BlockBuilder::new(number, B256::from(self.parent.0));
        block.header.timestamp = rig::NOW.0.unsigned_abs() / 1000;
        let mut logs = logs(self.height, paid).into_iter();
        let a_call = LOGS.div_ceil(TRANSACTIONS - TRANSACTIONS / 4);
        for n in 0..TRANSACTIONS {
            let to = somebody(n);
            block = if n % 4 == 0 {
                block.ether(to, U256::from(n + 1))
            } else {
                block.logs(to, logs.by_ref().take(a_call).collect())
            };
        }
        let built = block.build();
        let asked = BlockRef {
            id: BlockId {
                height: self.height,
                hash: BlockHash(built.hash.0),
            },
            parent: self.parent,
            time: rig::NOW,
        };
        self.parent = asked.id.hash;
        RawBlock {
            block: built.block.to_string(),
            receipts: built.receipts.to_string(),
            asked,
        }
    }
}

/// Half of them transfers of USDT to nobody, half of other tokens; payments in between.
fn logs(height: Height, paid: &[u64]) -> Vec<Log> {
    let from = payments::account(u64::from(height.0));
    let apart = LOGS / (paid.len() + 1);
    let log = |n: usize| {
        let is_paid = n.is_multiple_of(apart) && n > 0;
        let hit = paid.get((n / apart).wrapping_sub(1)).filter(|_| is_paid);
        let (token, to, amount) = match hit {
            Some(paid) => (USDT.into(), payments::account(*paid), payments::MICRO_USDT),
            None if n.is_multiple_of(2) => (USDT.into(), somebody(n), 7),
            None => (somebody(n % 50), somebody(n), 7),
        };
        fixture::transfer_log(token, from, to, U256::from(amount))
    };
    (0..LOGS).map(log).collect()
}

fn somebody(n: usize) -> Address {
    payments::account(u64::MAX - n as u64)
}
