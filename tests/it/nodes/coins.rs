//! Payments on a regtest node: outputs stand where the caller put them, the change comes last, and a
//! transaction can be replaced, forgotten or brought back at will.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Denomination, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness,
};
use serde_json::{Value, json};

use super::bitcoind::{Bitcoind, text};

/// What [`Bitcoind::spend`] pays for a transaction: enough for any that a test makes.
const FEE: Amount = Amount::from_sat(10_000);

/// What a replacement pays more than all that it replaces.
const FEE_STEP: Amount = Amount::from_sat(20_000);

/// bitcoind forgets a transaction that stayed unmined for two weeks.
const MEMPOOL_EXPIRY: Duration = Duration::from_hours(337);

/// Addresses and sending. Amounts are decimal strings in BTC.
impl Bitcoind {
    /// A new address of the wallet: `legacy`, `p2sh-segwit`, `bech32` or `bech32m`.
    pub fn new_address(&self, kind: &str) -> String {
        text(&self.wallet().call("getnewaddress", json!(["", kind])))
    }

    /// Pays from the wallet; the txid. Output 0 pays, output 1 is the change.
    pub fn send(&self, address: &str, amount: &str) -> String {
        self.send_many(&[(address, amount)])
    }

    /// One transaction with these outputs in this order (an address may come twice), then the change.
    pub fn send_many(&self, outputs: &[(&str, &str)]) -> String {
        self.broadcast(&self.sign_send_many(outputs))
    }

    /// As [`send_many`](Self::send_many), signed but not sent: in hex. Until it is sent, the wallet may choose
    /// the same inputs again.
    pub fn sign_send_many(&self, outputs: &[(&str, &str)]) -> String {
        // Version, no inputs, outputs, lock time; the bitcoin crate would add a witness marker, which the
        // node refuses without a witness.
        let draft = format!("0200000000{}00000000", serialize_hex(&pay_to(outputs)));
        let options = json!({"changePosition": outputs.len(), "replaceable": true});
        let funded = self
            .wallet()
            .call("fundrawtransaction", json!([draft, options, false]));
        self.sign(&text(&funded["hex"]))
    }

    /// Spends these outputs of the wallet, paid first to `outputs`, the rest as change; the txid.
    pub fn spend(&self, inputs: &[(&str, u32)], outputs: &[(&str, &str)]) -> String {
        self.broadcast(&self.sign_spend(inputs, outputs, FEE))
    }

    /// A payment that spends the change of `parent`, which may itself be unmined.
    pub fn send_from_change_of(&self, parent: &str, outputs: &[(&str, &str)]) -> String {
        let change = self.transaction(parent).output.len() - 1;
        let change = u32::try_from(change).expect("a small index");
        self.spend(&[(parent, change)], outputs)
    }

    /// Replaces an unmined transaction by one that spends the same inputs and pays `outputs` instead (nobody
    /// but the wallet, when there are none); the new txid.
    pub fn replace(&self, txid: &str, outputs: &[(&str, &str)]) -> String {
        self.broadcast(&self.sign_conflict(txid, outputs))
    }

    /// As [`replace`](Self::replace), signed but not sent: in hex, for [`mine_only`](Self::mine_only).
    pub fn sign_conflict(&self, txid: &str, outputs: &[(&str, &str)]) -> String {
        let entry = self.rpc().try_call("getmempoolentry", json!([txid]));
        let replaced_fee = entry.map_or(FEE, |entry| btc(&entry["fees"]["descendant"]));
        let inputs = self.transaction(txid).input;
        let inputs: Vec<(String, u32)> = inputs
            .iter()
            .map(|input| {
                (
                    input.previous_output.txid.to_string(),
                    input.previous_output.vout,
                )
            })
            .collect();
        let inputs: Vec<(&str, u32)> = inputs
            .iter()
            .map(|(txid, vout)| (txid.as_str(), *vout))
            .collect();
        self.sign_spend(&inputs, outputs, replaced_fee + FEE_STEP)
    }

    fn sign_spend(&self, inputs: &[(&str, u32)], outputs: &[(&str, &str)], fee: Amount) -> String {
        let mut spending = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: inputs.iter().map(unspent).collect(),
            output: pay_to(outputs),
        };
        let total: Amount = inputs
            .iter()
            .map(|&(txid, vout)| {
                self.transaction(txid).output[usize::try_from(vout).expect("a small index")].value
            })
            .sum();
        let paid: Amount = spending.output.iter().map(|output| output.value).sum();
        spending.output.push(TxOut {
            value: total
                .checked_sub(paid + fee)
                .expect("inputs that cover the outputs"),
            script_pubkey: script(&self.new_address("bech32")),
        });
        self.sign(&serialize_hex(&spending))
    }

    fn sign(&self, raw: &str) -> String {
        let signed = self
            .wallet()
            .call("signrawtransactionwithwallet", json!([raw]));
        assert_eq!(signed["complete"], json!(true), "cannot sign: {signed}");
        text(&signed["hex"])
    }

    /// Offers a transaction to the mempool; the txid.
    pub fn broadcast(&self, raw: &str) -> String {
        let txid = text(&self.rpc().call("sendrawtransaction", json!([raw])));
        // The wallet learns of it from a queue; the next payment must not choose the same inputs.
        self.rpc()
            .call("syncwithvalidationinterfacequeue", json!([]));
        txid
    }

    /// A transaction of the wallet in hex, mined or not.
    pub fn raw(&self, txid: &str) -> String {
        text(&self.wallet().call("gettransaction", json!([txid]))["hex"])
    }

    /// A transaction of the wallet or of the mempool.
    fn transaction(&self, txid: &str) -> Transaction {
        let raw = match self.wallet().try_call("gettransaction", json!([txid])) {
            Ok(found) => text(&found["hex"]),
            Err(_) => text(&self.rpc().call("getrawtransaction", json!([txid]))),
        };
        deserialize_hex(&raw).expect("a transaction from the node")
    }
}

/// The mempool.
impl Bitcoind {
    pub fn mempool(&self) -> BTreeSet<String> {
        let txids = self.rpc().call("getrawmempool", json!([]));
        serde_json::from_value(txids).expect("a list of txids")
    }

    /// Makes the mempool forget all it holds, without conflict and without a restart: it believes for a moment
    /// that two weeks have passed. A small payment of the wallet to itself, the returned txid, is in it instead.
    /// [`broadcast`](Self::broadcast) of [`raw`](Self::raw) brings a forgotten transaction back.
    pub fn expire_mempool(&self) -> String {
        let fresh = self.sign_send_many(&[(&self.new_address("bech32"), "0.01")]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let later = now.expect("a clock past 1970") + MEMPOOL_EXPIRY;
        self.rpc().call("setmocktime", json!([later.as_secs()]));
        let txid = self.broadcast(&fresh);
        self.rpc().call("setmocktime", json!([0]));
        txid
    }

    /// Lets the wallet use the inputs of a forgotten transaction for other payments.
    pub fn abandon(&self, txid: &str) {
        self.wallet().call("abandontransaction", json!([txid]));
    }
}

fn unspent(&(txid, vout): &(&str, u32)) -> TxIn {
    TxIn {
        previous_output: OutPoint::new(Txid::from_str(txid).expect("a txid"), vout),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

fn pay_to(outputs: &[(&str, &str)]) -> Vec<TxOut> {
    let output = |&(address, amount): &(&str, &str)| TxOut {
        value: Amount::from_str_in(amount, Denomination::Bitcoin).expect("an amount in BTC"),
        script_pubkey: script(address),
    };
    outputs.iter().map(output).collect()
}

fn script(address: &str) -> ScriptBuf {
    let address = Address::from_str(address).expect("a Bitcoin address");
    address.assume_checked().script_pubkey()
}

/// The node's JSON number of BTC.
fn btc(value: &Value) -> Amount {
    Amount::from_btc(value.as_f64().expect("a number")).expect("an amount in BTC")
}
