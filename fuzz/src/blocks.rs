//! Blocks of both chains as nodes send them.

use ::bitcoin::{Block, Network, Transaction, block::Header, consensus::deserialize};
use confirmd::{
    chain::{
        bitcoin::{block_hash, scan_block, scan_transaction, tx_id},
        ethereum::{verify::any_header_ref, verify_and_scan},
    },
    domain::{
        block::{BlockHash, BlockId, BlockRef, Height, TxId},
        facts::{BlockFacts, Candidate},
        time::UnixMs,
        transfer::Position,
    },
};
use std::fmt::Debug;

/// How many single changes are made to a block that was believed.
const CHANGES: usize = 16;

/// Some contracts whose logs are money.
const TOKENS: [[u8; 20]; 2] = [[0xa1; 20], [0xa2; 20]];

/// A raw block. One that is believed at the place that its own header names is believed with nothing else in
/// it, and says of each credit in which of its transactions it is.
pub fn bitcoin_block(data: &[u8]) -> bool {
    let Some(Ok(header)) = data.get(..80).map(deserialize::<Header>) else {
        assert!(scan_block(data, &anywhere(), Network::Regtest).is_err());
        return false;
    };
    let asked = BlockRef {
        id: BlockId {
            height: Height(200),
            hash: block_hash(header.block_hash()),
        },
        parent: block_hash(header.prev_blockhash),
        time: UnixMs(0),
    };
    let read = |data: &[u8]| scan_block(data, &asked, Network::Regtest).ok();
    if let Some(facts) = read(data) {
        let block: Block = deserialize(data).expect("the library reads what is believed");
        let txids = block.txdata.iter().map(|tx| tx_id(tx.compute_txid()));
        assert_eq!(facts.transactions, txids.collect::<Vec<_>>());
        let spent = block.txdata.iter().skip(1).map(|tx| tx.input.len());
        assert_eq!(facts.spends.len(), spent.sum::<usize>());
        let credits: Vec<_> = facts.credits.iter().map(credit).collect();
        assert_eq!(credits, named_outputs(&block));
    }
    check(data, read, |byte| byte ^ 1)
}

/// A transaction's and an output's place, who is paid, and how much.
type Paid = (u32, Position, Vec<u8>, u64);

fn credit(credit: Candidate) -> Paid {
    let sats = u64::try_from(credit.amount.base()).unwrap();
    let script = credit.destination.as_bytes().to_vec();
    (credit.tx_index, credit.position, script, sats)
}

/// What the library says that a block pays to those whom an address can name.
fn named_outputs(block: &Block) -> Vec<Paid> {
    let mut paid = Vec::new();
    for (tx_index, tx) in (0..).zip(&block.txdata) {
        for (vout, output) in (0..).zip(&tx.output) {
            let (script, sats) = (&output.script_pubkey, output.value.to_sat());
            let is_named = script.is_p2pkh() || script.is_p2sh() || script.is_witness_program();
            if is_named && sats > 0 {
                paid.push((tx_index, Position::Output(vout), script.to_bytes(), sats));
            }
        }
    }
    paid
}

/// A raw transaction of the mempool, asked for by its own id: believed, it has as many inputs as the network
/// would count, and no change of it is believed that changes a fact. A witness belongs to no id.
pub fn bitcoin_transaction(data: &[u8]) -> bool {
    let known = deserialize::<Transaction>(data).ok();
    let asked = known
        .as_ref()
        .map_or(TxId([0; 32]), |tx| tx_id(tx.compute_txid()));
    let read = |data: &[u8]| scan_transaction(data, asked, 7).ok();
    let Some(facts) = read(data) else {
        assert!(known.is_none(), "a transaction is not believed");
        return false;
    };
    assert_eq!(facts.txid, asked);
    assert!(facts.inputs.len() <= known.map_or(0, |tx| tx.input.len()));
    changes_no_fact(data, &facts, read, |byte| byte ^ 1);
    true
}

/// A block and its receipts as JSON, a line each; as with Bitcoin's.
pub fn ethereum_block(data: &[u8]) -> bool {
    let Some((block, _)) = super::lines(data) else {
        return false;
    };
    let asked = any_header_ref(block).unwrap_or_else(|_| anywhere());
    let read = |data: &[u8]| {
        let (block, receipts) = super::lines(data)?;
        verify_and_scan(block, receipts, &asked, &TOKENS).ok()
    };
    check(data, read, other_digit)
}

/// Whoever believes the data believes no change of it that would change a fact.
fn check(
    data: &[u8],
    read: impl Fn(&[u8]) -> Option<BlockFacts>,
    change: impl Fn(u8) -> u8,
) -> bool {
    let Some(facts) = read(data) else {
        return false;
    };
    let transactions = u32::try_from(facts.transactions.len()).unwrap();
    assert!(
        facts
            .credits
            .iter()
            .all(|credit| credit.tx_index < transactions)
    );
    assert!(facts.credits.iter().all(|credit| !credit.amount.is_zero()));
    changes_no_fact(data, &facts, read, change);
    true
}

/// No single change is believed that says something else.
fn changes_no_fact<F: Debug>(
    data: &[u8],
    facts: &F,
    read: impl Fn(&[u8]) -> Option<F>,
    change: impl Fn(u8) -> u8,
) {
    let facts = format!("{facts:?}");
    let mut changed = data.to_vec();
    let step = data.len() / CHANGES + 1;
    let first = data.iter().fold(0, |sum, byte| sum + usize::from(*byte)) % step;
    for place in (first..data.len()).step_by(step) {
        changed[place] = change(data[place]);
        if let Some(found) = read(&changed) {
            assert_eq!(format!("{found:?}"), facts, "byte {place} was changed");
        }
        changed[place] = data[place];
    }
}

/// Another digit of a number in hex, so that JSON stays what it is.
const fn other_digit(byte: u8) -> u8 {
    match byte {
        b'0' => b'1',
        b'a'..=b'f' | b'1'..=b'9' => b'0',
        _ => byte,
    }
}

/// No block's place.
const fn anywhere() -> BlockRef {
    BlockRef {
        id: BlockId {
            height: Height(0),
            hash: BlockHash([0; 32]),
        },
        parent: BlockHash([0; 32]),
        time: UnixMs(0),
    }
}
