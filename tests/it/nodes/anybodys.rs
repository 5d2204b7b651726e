//! Coins that anybody can spend: what is made of them needs neither a wallet nor a signature, so that thousands
//! of transactions cost a node no more than taking them.

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_2DROP;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid,
    Witness,
};

use super::bitcoind::Bitcoind;

/// Coins that one transaction of the wallet makes: it stays below what a node relays.
const COINS_AT_ONCE: u32 = 2_000;

/// The script of such a coin.
pub fn script() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&witness_script().wscript_hash())
}

/// Where to pay what anybody may spend.
pub fn address() -> String {
    let address = Address::from_script(&script(), Network::Regtest);
    address.expect("a standard script").to_string()
}

/// Spends such a coin; what the outputs leave of it is the fee. The input has the size of one that spends P2WPKH.
pub fn spend(coin: OutPoint, output: Vec<TxOut>) -> Transaction {
    let script = witness_script();
    let witness = Witness::from_slice(&[&[0x30; 72][..], &[0x02; 33], script.as_bytes()]);
    spend_by(coin, ScriptBuf::new(), witness, output)
}

/// Spends a coin of another kind.
pub fn spend_by(
    coin: OutPoint,
    script_sig: ScriptBuf,
    witness: Witness,
    output: Vec<TxOut>,
) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness,
        }],
        output,
    }
}

/// An output.
pub fn output(sats: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey,
    }
}

impl Bitcoind {
    /// Has the wallet make so many of these coins, each of this many BTC, and mines them.
    pub fn coins_for_anybody(&self, count: u32, btc: &str) -> Vec<OutPoint> {
        let address = address();
        let mut coins = Vec::new();
        let mut missing = count;
        while missing > 0 {
            let made = missing.min(COINS_AT_ONCE);
            let outputs: Vec<_> = (0..made).map(|_| (address.as_str(), btc)).collect();
            let txid: Txid = self.send_many(&outputs).parse().expect("a txid");
            self.mine(1);
            coins.extend((0..made).map(|vout| OutPoint::new(txid, vout)));
            missing -= made;
        }
        coins
    }
}

/// Takes what stands where a signature and a key would, and looks at neither.
fn witness_script() -> ScriptBuf {
    let script = Builder::new().push_opcode(OP_2DROP).push_opcode(OP_TRUE);
    script.into_script()
}
