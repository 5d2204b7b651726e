//! A coin that anybody can spend, from which blocks full of payments are made without a wallet: each
//! transaction spends the change of the one before.

use super::payments;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    absolute::LockTime,
    consensus::encode::serialize_hex,
    opcodes::{OP_TRUE, all::OP_2DROP},
    script::Builder,
    transaction::Version,
};

/// Transactions in a block beside the coinbase, and outputs of each beside the change: about what a
/// block of mainnet has.
const TRANSACTIONS: u64 = 2_500;
const STRANGERS_PAID: u64 = 3;

const STRANGERS_SATS: u64 = 1_000;
/// The first of the numbers that no payment has: strangers are paid there.
const STRANGERS: u64 = 1_000_000;

/// The coin as it is now.
pub struct Funds {
    coin: OutPoint,
    left: Amount,
    strangers: u64,
}

impl Funds {
    /// A coin of that amount that stands there and was paid to [`address`](Self::address).
    pub const fn new(coin: OutPoint, amount: Amount) -> Self {
        Self {
            coin,
            left: amount,
            strangers: STRANGERS,
        }
    }

    /// Where to pay what is to be spent here.
    pub fn address() -> String {
        let address = Address::from_script(&anybodys(), Network::Regtest);
        address.expect("a standard script").to_string()
    }

    /// The transactions of a block in hex, the last of which may pay a payment.
    pub fn block(&mut self, paid: Option<u64>) -> Vec<String> {
        let mut raw: Vec<String> = (1..TRANSACTIONS).map(|_| self.pay_strangers()).collect();
        raw.push(match paid {
            Some(n) => self.spend(vec![output(n, payments::SATS)]),
            None => self.pay_strangers(),
        });
        raw
    }

    /// Pays strangers whom nobody has paid before.
    fn pay_strangers(&mut self) -> String {
        let first = self.strangers;
        self.strangers += STRANGERS_PAID;
        let outputs = (first..self.strangers).map(|n| output(n, STRANGERS_SATS));
        self.spend(outputs.collect())
    }

    /// Its input has the size of one that spends P2WPKH.
    fn spend(&mut self, mut outputs: Vec<TxOut>) -> String {
        self.left -= outputs.iter().map(|output| output.value).sum();
        let change = u32::try_from(outputs.len()).expect("a small number");
        outputs.push(TxOut {
            value: self.left,
            script_pubkey: anybodys(),
        });
        let script = witness_script();
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: self.coin,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[&[0x30; 72][..], &[0x02; 33], script.as_bytes()]),
            }],
            output: outputs,
        };
        self.coin = OutPoint::new(transaction.compute_txid(), change);
        serialize_hex(&transaction)
    }
}

fn output(n: u64, sats: u64) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey: payments::script(n),
    }
}

fn anybodys() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&witness_script().wscript_hash())
}

/// Takes what stands where a signature and a key would, and looks at neither.
fn witness_script() -> ScriptBuf {
    let script = Builder::new().push_opcode(OP_2DROP).push_opcode(OP_TRUE);
    script.into_script()
}
