//! From verified bytes to facts: every credit to something an address can name, and every
//! output that is spent.
//!
//! It does not know who is watched, so it reports all of them, compactly: no allocation per
//! output.

use super::{
    verify::{self, VerifyError},
    wire,
};
use crate::bugs::{Bug, planted};
use crate::domain::{
    amount::Amount,
    block::{BlockRef, TxId},
    facts::{
        BlockFacts, Candidate, CreditAsset, Destination, IgnoredReason, OutPoint, Payer, Spend,
        TxFacts,
    },
    time::UnixMs,
    transfer::Position,
};
use bitcoin::{Block, Network, Script, Transaction, TxOut, consensus::deserialize};

/// Parses a raw block, checks that it is the one asked for at that place in the chain, and
/// reduces it to facts.
///
/// # Errors
/// See [`VerifyError`]: nothing of a block is believed when anything is wrong with it.
pub fn scan_block(
    raw: &[u8],
    asked: &BlockRef,
    network: Network,
) -> Result<BlockFacts, VerifyError> {
    let block: Block = deserialize(raw).map_err(verify::unparsable)?;
    let txids = verify::block(&block, asked, network)?;
    let transactions = txids.into_iter().map(wire::tx_id).collect();
    Ok(block_facts(&block, asked, transactions))
}

fn block_facts(block: &Block, asked: &BlockRef, transactions: Vec<TxId>) -> BlockFacts {
    let outputs = block.txdata.iter().map(|tx| tx.output.len()).sum();
    let inputs = block.txdata.iter().map(|tx| tx.input.len()).sum();
    let mut facts = BlockFacts {
        block: BlockRef {
            time: UnixMs::from_secs(block.header.time.into()),
            ..*asked
        },
        transactions,
        credits: Vec::with_capacity(outputs),
        spends: Vec::with_capacity(inputs),
        ignored: Vec::new(),
    };
    let mut zero_values = 0_u64;
    for (tx_index, tx) in (0_u32..).zip(&block.txdata) {
        let coinbase = tx.is_coinbase();
        zero_values = zero_values.saturating_add(credits(tx, tx_index, &mut facts.credits));
        if !coinbase {
            facts
                .spends
                .extend(inputs_of(tx).map(|outpoint| Spend { outpoint, tx_index }));
        }
    }
    if zero_values > 0 {
        facts.ignored.push((IgnoredReason::ZeroValue, zero_values));
    }
    facts
}

/// The facts of an unconfirmed transaction as the network carries it, seen at this monotonic time.
///
/// # Errors
/// What is wrong with the bytes: they are no transaction, or another one than was asked for.
pub fn scan_transaction(raw: &[u8], asked: TxId, first_seen_ms: u64) -> Result<TxFacts, String> {
    let unreadable = |why: String| format!("transaction {asked}: {why}");
    let tx: Transaction = deserialize(raw).map_err(|error| unreadable(error.to_string()))?;
    let txid = wire::tx_id(tx.compute_txid());
    if txid != asked {
        return Err(unreadable(format!("the bytes are those of {txid}")));
    }
    Ok(tx_facts(&tx, txid, first_seen_ms))
}

fn tx_facts(tx: &Transaction, txid: TxId, first_seen_ms: u64) -> TxFacts {
    let mut facts = TxFacts {
        txid,
        first_seen_ms,
        credits: Vec::new(),
        inputs: inputs_of(tx).collect(),
    };
    credits(tx, 0, &mut facts.credits);
    facts
}

fn inputs_of(tx: &Transaction) -> impl Iterator<Item = OutPoint> + '_ {
    tx.input.iter().map(|input| OutPoint {
        txid: wire::tx_id(input.previous_output.txid),
        vout: input.previous_output.vout,
    })
}

/// Adds a transaction's credits; returns how many were of nothing and left out.
fn credits(tx: &Transaction, tx_index: u32, credits: &mut Vec<Candidate>) -> u64 {
    let coinbase = tx.is_coinbase();
    let mut zero_values = 0_u64;
    let first_only = planted(Bug::FirstOutputOnly);
    for (vout, output) in (0_u32..)
        .zip(&tx.output)
        .take_while(|(n, _)| *n == 0 || !first_only)
    {
        let Some(destination) = destination(&output.script_pubkey) else {
            continue;
        };
        if output.value == bitcoin::Amount::ZERO {
            zero_values = zero_values.saturating_add(1);
            continue;
        }
        credits.push(candidate(output, destination, tx_index, vout, coinbase));
    }
    zero_values
}

fn candidate(
    output: &TxOut,
    destination: Destination,
    tx_index: u32,
    vout: u32,
    coinbase: bool,
) -> Candidate {
    Candidate {
        destination,
        asset: CreditAsset::Native,
        amount: Amount::from_u64(output.value.to_sat()),
        tx_index,
        position: Position::Output(vout),
        payer: Payer::Unknown,
        coinbase,
    }
}

/// The script, when an address can name it: P2PKH, P2SH or a witness program. Bare keys, bare
/// multisig and data have none.
fn destination(script: &Script) -> Option<Destination> {
    let nameable = script.is_p2pkh() || script.is_p2sh() || script.is_witness_program();
    nameable
        .then(|| Destination::new(script.as_bytes()))
        .flatten()
}

#[cfg(test)]
mod tests;
