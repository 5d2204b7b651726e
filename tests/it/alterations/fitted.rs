//! Lies that fit themselves: what hangs on an altered part is computed anew, up to the hash that the block claims.

use alloy_consensus::{EthereumReceipt, Header, TxEip4844, TxType, proofs};
use alloy_consensus::{EthereumTxEnvelope, TxReceipt as _};
use alloy_primitives::{Bloom, Log, U256};
use confirmd::random::Random;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::recorded::{Answer, Lie};

/// A transaction moves more ether.
pub fn transactions(block: &Answer, random: &mut Random) -> Option<Vec<Lie>> {
    let mut lie = block.truth.clone();
    let transactions = lie["transactions"].as_array_mut()?;
    let chosen = random.below(u64::try_from(transactions.len()).ok()?);
    let chosen = transactions.get_mut(usize::try_from(chosen).ok()?)?;
    let value: U256 = read(&chosen["value"]);
    chosen["value"] = json!(value + U256::from(random.between(1, u64::MAX)));
    let envelopes: Vec<EthereumTxEnvelope<TxEip4844>> = read(&lie["transactions"]);
    lie["transactionsRoot"] = json!(proofs::calculate_transaction_root(&envelopes));
    claim(&mut lie);
    Some(vec![(block.call.clone(), lie.to_string())])
}

/// A log moves more of its token.
pub fn receipts(block: &Answer, receipts: &Answer, random: &mut Random) -> Option<Vec<Lie>> {
    let mut lie = receipts.truth.clone();
    let logs = lie.as_array_mut()?.iter_mut();
    let mut logs: Vec<&mut Value> = logs
        .filter_map(|receipt| receipt["logs"].as_array_mut())
        .flatten()
        .collect();
    let chosen = random.below(u64::try_from(logs.len()).ok()?);
    let chosen = logs.get_mut(usize::try_from(chosen).ok()?)?;
    let more = U256::from(random.next());
    chosen["data"] = format!("{more:#066x}").into();
    let all: Vec<_> = lie.as_array()?.iter().map(receipt).collect();
    let all: Vec<_> = all
        .into_iter()
        .map(EthereumReceipt::into_with_bloom)
        .collect();
    let mut header = block.truth.clone();
    header["receiptsRoot"] = json!(proofs::calculate_receipt_root(&all));
    let bloom = all.iter().fold(Bloom::ZERO, |sum, one| sum | one.bloom());
    header["logsBloom"] = json!(bloom);
    claim(&mut header);
    Some(vec![
        (block.call.clone(), header.to_string()),
        (receipts.call.clone(), lie.to_string()),
    ])
}

/// The hash of what the header says now.
pub fn claim(block: &mut Value) {
    let header: Header = read(block);
    block["hash"] = json!(header.hash_slow());
}

fn receipt(json: &Value) -> EthereumReceipt {
    let kind: U256 = read(&json["type"]);
    let log = |log: &Value| {
        Log::new_unchecked(
            read(&log["address"]),
            read(&log["topics"]),
            read(&log["data"]),
        )
    };
    let logs = json["logs"].as_array().expect("logs").iter();
    EthereumReceipt {
        tx_type: TxType::try_from(kind.to::<u8>()).expect("a type"),
        success: json["status"] == "0x1",
        cumulative_gas_used: read::<U256>(&json["cumulativeGasUsed"]).to(),
        logs: logs.map(log).collect(),
    }
}

pub fn read<T: DeserializeOwned>(json: &Value) -> T {
    serde_json::from_value(json.clone()).expect("what a node says")
}
