//! Transactions of the simulated chain: bytes, and what they truly pay to whom.

use super::credit::TrueCredit;
use crate::{
    chain::bitcoin::tx_id,
    domain::{
        amount::Amount,
        block::{Height, TxId},
        facts::{CreditAsset, Destination},
        transfer::Position,
    },
};
use bitcoin::{
    OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    consensus::serialize,
    hashes::{Hash as _, sha256d},
    transaction::Version,
};

/// A transaction that may be put into a mempool and into blocks of any branch.
#[derive(Debug, Clone)]
pub struct Tx {
    /// Its id.
    pub txid: TxId,
    /// What it spends.
    pub inputs: Vec<OutPoint>,
    /// What it truly pays, in the order of its outputs.
    pub credits: Vec<TrueCredit>,
    /// The same id, as outputs are named by it.
    id: bitcoin::Txid,
    /// As the network carries it.
    pub(super) raw: Vec<u8>,
    pub(super) decoded: Transaction,
}

impl Tx {
    /// Spends `inputs` and pays these scripts, in satoshi, in this order.
    #[must_use]
    pub fn new(inputs: &[OutPoint], outputs: &[(Destination, u64)]) -> Self {
        let spend = |previous_output: &OutPoint| TxIn {
            previous_output: *previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let outputs: Vec<TxOut> = outputs.iter().map(output).collect();
        Self::of(inputs.iter().map(spend).collect(), outputs)
    }

    /// The coinbase of a block at this height, which pays these scripts, or nobody; `mark` tells blocks
    /// apart that are otherwise alike.
    #[must_use]
    pub fn coinbase(height: Height, mark: u64, outputs: &[(Destination, u64)]) -> Self {
        let script_sig = ScriptBuf::builder()
            .push_int(height.0.into())
            .push_slice(mark.to_be_bytes())
            .into_script();
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let mut outputs: Vec<TxOut> = outputs.iter().map(output).collect();
        if outputs.is_empty() {
            outputs.push(TxOut {
                value: bitcoin::Amount::from_sat(5_000_000_000),
                script_pubkey: ScriptBuf::new_op_return([]),
            });
        }
        Self::of(vec![input], outputs)
    }

    fn of(input: Vec<TxIn>, output: Vec<TxOut>) -> Self {
        let decoded = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input,
            output,
        };
        let id = decoded.compute_txid();
        Self {
            txid: tx_id(id),
            id,
            inputs: decoded.input.iter().map(|i| i.previous_output).collect(),
            credits: credits(&decoded),
            raw: serialize(&decoded),
            decoded,
        }
    }

    /// One of its outputs, to be spent.
    #[must_use]
    pub fn out_point(&self, vout: u32) -> OutPoint {
        OutPoint::new(self.id, vout)
    }
}

fn output(&(script, sats): &(Destination, u64)) -> TxOut {
    TxOut {
        value: bitcoin::Amount::from_sat(sats),
        script_pubkey: ScriptBuf::from_bytes(script.as_bytes().to_vec()),
    }
}

fn credits(tx: &Transaction) -> Vec<TrueCredit> {
    let credit = |(vout, output): (u32, &TxOut)| {
        let sats = output.value.to_sat();
        (sats > 0 && !output.script_pubkey.is_op_return()).then_some(TrueCredit {
            position: Position::Output(vout),
            asset: CreditAsset::Native,
            to: Destination::new(output.script_pubkey.as_bytes())?,
            amount: Amount::from_u64(sats),
        })
    };
    (0..).zip(&tx.output).filter_map(credit).collect()
}

/// Outputs that nobody has spent yet, made up as they are needed.
#[derive(Debug, Clone, Default)]
pub struct Coins(u64);

impl Coins {
    /// Another output, whose transaction no chain of ours holds.
    pub fn fresh(&mut self) -> OutPoint {
        self.0 = self.0.saturating_add(1);
        let txid = sha256d::Hash::hash(&self.0.to_be_bytes());
        OutPoint::new(bitcoin::Txid::from_raw_hash(txid), 0)
    }
}
