//! A coin that anybody can spend, from which blocks full of payments are made without a wallet: each
//! transaction spends the change of the one before.

use super::nodes::anybodys::{output, script, spend};
use crate::support::payments;
use bitcoin::{Amount, OutPoint, TxOut, consensus::encode::serialize_hex};

/// Transactions in a block beside the coinbase, and outputs of each beside the change: about what a
/// block of mainnet has.
const TRANSACTIONS: u64 = 2_500;
const STRANGERS_PAID: u64 = 3;

const STRANGERS_SATS: u64 = 1_000;
/// The first of the numbers that no payment has: strangers are paid there.
pub const STRANGERS: u64 = 1_000_000;

/// The coin as it is now.
pub struct Funds {
    coin: OutPoint,
    left: Amount,
    strangers: u64,
}

impl Funds {
    /// A coin of that amount that stands there and is anybody's.
    pub const fn new(coin: OutPoint, amount: Amount) -> Self {
        Self {
            coin,
            left: amount,
            strangers: STRANGERS,
        }
    }

    /// The transactions of a block in hex, the last of which may pay a payment.
    pub fn block(&mut self, paid: Option<u64>) -> Vec<String> {
        let mut raw: Vec<String> = (1..TRANSACTIONS).map(|_| self.pay_strangers()).collect();
        raw.push(match paid {
            Some(n) => self.pay(vec![output(payments::SATS, payments::script(n))]),
            None => self.pay_strangers(),
        });
        raw
    }

    /// Pays strangers whom nobody has paid before.
    fn pay_strangers(&mut self) -> String {
        let first = self.strangers;
        self.strangers += STRANGERS_PAID;
        let outputs = (first..self.strangers).map(|n| output(STRANGERS_SATS, payments::script(n)));
        self.pay(outputs.collect())
    }

    fn pay(&mut self, mut outputs: Vec<TxOut>) -> String {
        self.left -= outputs.iter().map(|output| output.value).sum();
        let change = u32::try_from(outputs.len()).expect("a small number");
        outputs.push(output(self.left.to_sat(), script()));
        let transaction = spend(self.coin, outputs);
        self.coin = OutPoint::new(transaction.compute_txid(), change);
        serialize_hex(&transaction)
    }
}
