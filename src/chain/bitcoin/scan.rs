//! From verified bytes to facts: every credit to something an address can name, and every
//! output that is spent.
//!
//! It does not know who is watched, so it reports all of them, compactly: no allocation per
//! output.

use super::{
    serialized::{self, SerializedTx},
    verify::{self, VerifyError},
    wire,
};
use crate::bugs::{Bug, planted};
use crate::domain::{
    block::{BlockRef, TxId},
    credits::{Output, Outputs},
    facts::{BlockFacts, Destination, IgnoredReason, OutPoint, Spend, TxFacts},
};
use bitcoin::{Network, Script};

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
    let verified = verify::block(raw, asked, network)?;
    Ok(block_facts(verified.block, &verified.transactions))
}

fn block_facts(block: BlockRef, transactions: &[SerializedTx<'_>]) -> BlockFacts {
    let mut credits = Outputs::with_capacity(transactions.iter().map(|tx| tx.output_count).sum());
    let mut spends = Vec::with_capacity(transactions.iter().map(|tx| tx.input_count).sum());
    let mut zero_values = 0_u64;
    for (tx_index, tx) in (0_u32..).zip(transactions) {
        zero_values = zero_values.saturating_add(each_credit(tx, tx_index, |to, output| {
            credits.push(to, output);
        }));
        if !tx.is_coinbase() {
            spends.extend(inputs_of(tx).map(|outpoint| Spend { outpoint, tx_index }));
        }
    }
    let ignored = (zero_values > 0).then_some((IgnoredReason::ZeroValue, zero_values));
    BlockFacts {
        transactions: transactions.iter().map(|tx| wire::tx_id(tx.txid)).collect(),
        credits: credits.into(),
        spends,
        ignored: ignored.into_iter().collect(),
        ..BlockFacts::empty(block)
    }
}

/// The facts of an unconfirmed transaction as the network carries it, seen at this monotonic time.
///
/// # Errors
/// What is wrong with the bytes: they are no transaction, or another one than was asked for.
pub fn scan_transaction(raw: &[u8], asked: TxId, first_seen_ms: u64) -> Result<TxFacts, String> {
    let unreadable = |why: String| format!("transaction {asked}: {why}");
    let tx = SerializedTx::read(raw).map_err(|error| unreadable(error.to_string()))?;
    let txid = wire::tx_id(tx.txid);
    if txid != asked {
        return Err(unreadable(format!("the bytes are those of {txid}")));
    }
    Ok(tx_facts(&tx, txid, first_seen_ms))
}

fn tx_facts(tx: &SerializedTx<'_>, txid: TxId, first_seen_ms: u64) -> TxFacts {
    let mut credits = Vec::new();
    each_credit(tx, 0, |to, output| {
        credits.extend(Destination::new(to).map(|to| output.credit(to)));
    });
    TxFacts {
        txid,
        first_seen_ms,
        credits,
        inputs: inputs_of(tx).collect(),
    }
}

fn inputs_of<'a>(tx: &SerializedTx<'a>) -> impl Iterator<Item = OutPoint> + use<'a> {
    tx.inputs().map(|input| OutPoint {
        txid: wire::tx_id(input.previous_output.txid),
        vout: input.previous_output.vout,
    })
}

/// Tells a transaction's credits; returns how many were of nothing and left out.
fn each_credit(tx: &SerializedTx<'_>, tx_index: u32, mut tell: impl FnMut(&[u8], Output)) -> u64 {
    let coinbase = tx.is_coinbase();
    let mut zero_values = 0_u64;
    let first_only = planted(Bug::FirstOutputOnly);
    for (vout, output) in (0_u32..)
        .zip(tx.outputs())
        .take_while(|(n, _)| *n == 0 || !first_only)
    {
        let serialized::Output {
            sats,
            script_pubkey,
        } = output;
        let Some(destination) = destination(script_pubkey) else {
            continue;
        };
        if sats == 0 {
            zero_values = zero_values.saturating_add(1);
            continue;
        }
        let output = Output {
            tx_index,
            vout,
            sats,
            coinbase,
        };
        tell(destination, output);
    }
    zero_values
}

/// The script, when an address can name it: P2PKH, P2SH or a witness program. Bare keys, bare
/// multisig and data have none.
fn destination(script: &Script) -> Option<&[u8]> {
    let nameable = script.is_p2pkh() || script.is_p2sh() || script.is_witness_program();
    nameable.then(|| script.as_bytes())
}

#[cfg(test)]
mod tests;
