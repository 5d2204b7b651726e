//! What no anvil puts into a block, though the main network does: withdrawals, requests, the root of a beacon
//! block, and blobs that are dear. The blobs themselves, which anvil shows and counts in, are left out.

use alloy_consensus::{EthereumTxEnvelope, TxEip4844, proofs};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::B256;
use serde_json::{Value, json};

use super::chain::{SHOP, STRANGER, UNPAID};
use super::fitted::{claim, read};

/// What goes beside a transaction with blobs, and into no block (EIP-4844).
const SIDECAR: [&str; 3] = ["blobs", "commitments", "proofs"];

/// A block as its proposer would have made it, and its receipts, of what anvil tells.
pub struct Dressed {
    pub block: Value,
    pub receipts: Value,
}

impl Dressed {
    pub fn new(block: &Value, receipts: &Value) -> Self {
        let (was, mut block) = (block["hash"].clone(), block.clone());
        for transaction in block["transactions"].as_array_mut().expect("a list") {
            let fields = transaction.as_object_mut().expect("in full");
            fields.retain(|name, _| !SIDECAR.contains(&name.as_str()));
        }
        let envelopes: Vec<EthereumTxEnvelope<TxEip4844>> = read(&block["transactions"]);
        block["transactionsRoot"] = json!(proofs::calculate_transaction_root(&envelopes));
        let withdrawals = withdrawals();
        block["withdrawalsRoot"] = json!(proofs::calculate_withdrawals_root(&withdrawals));
        block["withdrawals"] = json!(withdrawals);
        block["excessBlobGas"] = json!("0x4b40000");
        block["parentBeaconBlockRoot"] = json!(B256::repeat_byte(0xbe));
        block["requestsHash"] = json!(B256::repeat_byte(0xca));
        claim(&mut block);
        let (was, is) = (was.to_string(), block["hash"].to_string());
        let named_anew = |told: &Value| {
            let text = told.to_string().replace(&was, &is);
            serde_json::from_str(&text).expect("JSON as before")
        };
        Self {
            receipts: named_anew(receipts),
            block: named_anew(&block),
        }
    }

    /// The block with its transactions' hashes alone.
    pub fn header(&self) -> Value {
        let mut header = self.block.clone();
        for transaction in header["transactions"].as_array_mut().expect("a list") {
            *transaction = transaction["hash"].take();
        }
        header
    }
}

/// To somebody who is watched and to somebody who is not.
fn withdrawals() -> Vec<Withdrawal> {
    let to = [STRANGER, SHOP, UNPAID];
    let all = (7..).zip(to).map(|(index, address)| Withdrawal {
        index,
        validator_index: index * 1_000,
        address,
        amount: index * 1_000_000_000,
    });
    all.collect()
}
