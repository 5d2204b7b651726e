//! The least that a client of an Ethereum node can do with a block: one thread downloads its header with
//! all transactions, and its receipts, both by hash and over one kept connection, and reads them into the
//! types that confirmd reads them into. It checks nothing.

use crate::support::connection::Connection;
use alloy_consensus::{EthereumReceipt, Header};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

#[path = "../../src/chain/ethereum/wire.rs"]
#[expect(dead_code, reason = "claims are for whoever checks them")]
mod wire;

/// A connection to a node.
pub struct Floor(Connection);

/// A block as a node tells it.
pub struct Told {
    pub header: Header,
    pub transactions: usize,
    pub receipts: Vec<EthereumReceipt>,
    /// Of both answers.
    pub bytes: usize,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

impl Floor {
    /// To a node on this machine, by its URL.
    pub fn connect(url: &str) -> Self {
        Self(Connection::open(url))
    }

    /// Downloads and reads a block.
    pub fn read(&mut self, hash: &str) -> Told {
        let block = self.ask("eth_getBlockByHash", &json!([hash, true]));
        let (header, body) = (wire::header(block), wire::read::<wire::Body>(block));
        let (header, body) = (header.expect("a header"), body.expect("a body"));
        let transactions = body.transactions.iter();
        let transactions: Vec<wire::Envelope> = transactions
            .map(|json| wire::transaction(json.get()).expect("a transaction"))
            .collect();
        let types: Vec<_> = transactions.iter().map(wire::Envelope::tx_type).collect();
        let of_block = block.len();
        let receipts = self.ask("eth_getBlockReceipts", &json!([hash]));
        Told {
            header,
            transactions: std::hint::black_box(transactions).len(),
            bytes: of_block + receipts.len(),
            receipts: wire::receipts(receipts, &types).expect("receipts"),
        }
    }

    fn ask(&mut self, method: &str, params: &serde_json::Value) -> &str {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.0.post(&call.to_string());
        let answer: Answer = serde_json::from_slice(answer).expect("an answer");
        answer.result.get()
    }
}
