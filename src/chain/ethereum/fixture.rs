//! Builds blocks for tests as a node would answer them: consistent in every root, with the fields
//! that nodes add. It knows only alloy's types, so that benches can include it by path.

use alloy_consensus::{
    EthereumReceipt, EthereumTxEnvelope, Header, ReceiptWithBloom, TxEip1559, TxEip2930, TxEip4844,
    TxEip7702, TxLegacy, TxReceipt, proofs,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bloom, Log, Signature, TxKind, U256};
use serde_json::{Value, json};

/// A transaction as a block holds it.
pub type Envelope = EthereumTxEnvelope<TxEip4844>;

/// A block under construction.
#[derive(Clone, Default)]
pub struct BlockBuilder {
    /// Number, parent, time and whatever else a test wants; the roots are computed.
    pub header: Header,
    txs: Vec<(Envelope, bool, Vec<Log>)>,
    withdrawals: Option<Vec<Withdrawal>>,
}

/// A block as a node would answer it.
#[derive(Clone)]
pub struct Built {
    /// With all roots.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// The answer to `eth_getBlockByHash(hash, true)`.
    pub block: Value,
    /// The answer to `eth_getBlockReceipts(hash)`.
    pub receipts: Value,
}

impl BlockBuilder {
    /// A block at this height after that one, twelve seconds a height.
    pub fn new(number: u64, parent: B256) -> Self {
        let header = Header {
            number,
            parent_hash: parent,
            timestamp: 1_700_000_000 + 12 * number,
            gas_limit: 60_000_000,
            base_fee_per_gas: Some(7),
            ..Header::default()
        };
        Self {
            header,
            ..Self::default()
        }
    }

    /// Makes two blocks of one height differ.
    pub fn extra(mut self, extra: &'static str) -> Self {
        self.header.extra_data = extra.as_bytes().into();
        self
    }

    /// Adds a transaction, whether it succeeded, and its logs.
    pub fn tx(mut self, envelope: Envelope, succeeded: bool, logs: Vec<Log>) -> Self {
        self.txs.push((envelope, succeeded, logs));
        self
    }

    /// Adds a successful transfer of ether.
    pub fn ether(self, to: Address, value: U256) -> Self {
        let nonce = self.next_nonce();
        self.tx(eip1559(nonce, to.into(), value), true, Vec::new())
    }

    /// Adds a successful call with these logs.
    pub fn logs(self, to: Address, logs: Vec<Log>) -> Self {
        let nonce = self.next_nonce();
        self.tx(eip1559(nonce, to.into(), U256::ZERO), true, logs)
    }

    /// Adds withdrawals, as since Shanghai.
    pub fn withdrawals(mut self, to: &[(Address, u64)]) -> Self {
        let list = (0..).zip(to).map(|(index, (address, amount))| Withdrawal {
            index,
            validator_index: index + 100,
            address: *address,
            amount: *amount,
        });
        self.withdrawals = Some(list.collect());
        self
    }

    fn next_nonce(&self) -> u64 {
        self.txs.iter().fold(0, |nonce, _| nonce + 1)
    }

    /// Computes the roots and the answers.
    pub fn build(mut self) -> Built {
        let receipts = self.receipts();
        let envelopes: Vec<&Envelope> = self.txs.iter().map(|(tx, ..)| tx).collect();
        self.header.transactions_root = proofs::calculate_transaction_root(
            &envelopes.iter().map(|tx| (*tx).clone()).collect::<Vec<_>>(),
        );
        self.header.receipts_root = proofs::calculate_receipt_root(&receipts);
        self.header.logs_bloom = receipts
            .iter()
            .fold(Bloom::ZERO, |all, r| all | r.logs_bloom);
        self.header.gas_used = receipts.last().map_or(0, |r| r.receipt.cumulative_gas_used);
        self.header.withdrawals_root = self
            .withdrawals
            .as_deref()
            .map(proofs::calculate_withdrawals_root);
        let hash = self.header.hash_slow();
        Built {
            block: self.block_json(hash, &envelopes),
            receipts: self.receipts_json(hash, &receipts),
            hash,
            header: self.header,
        }
    }

    fn receipts(&self) -> Vec<ReceiptWithBloom<EthereumReceipt>> {
        (1..)
            .zip(&self.txs)
            .map(|(number, (tx, success, logs))| {
                EthereumReceipt {
                    tx_type: tx.tx_type(),
                    success: *success,
                    cumulative_gas_used: 21_000 * number,
                    logs: logs.clone(),
                }
                .into_with_bloom()
            })
            .collect()
    }

    fn block_json(&self, hash: B256, envelopes: &[&Envelope]) -> Value {
        let mut block = serde_json::to_value(&self.header).unwrap();
        let transactions = envelopes.iter().enumerate().map(|(index, tx)| {
            let mut tx = serde_json::to_value(tx).unwrap();
            tx["blockHash"] = json!(hash);
            tx["blockNumber"] = json!(format!("{:#x}", self.header.number));
            tx["transactionIndex"] = json!(format!("{index:#x}"));
            tx["from"] = json!(Address::repeat_byte(0xf0));
            tx
        });
        block["transactions"] = transactions.collect();
        block["hash"] = json!(hash);
        block["size"] = json!("0x220");
        block["uncles"] = json!([]);
        if let Some(withdrawals) = &self.withdrawals {
            block["withdrawals"] = serde_json::to_value(withdrawals).unwrap();
        }
        block
    }

    fn receipts_json(&self, hash: B256, receipts: &[ReceiptWithBloom<EthereumReceipt>]) -> Value {
        let mut log_index = 0_u64;
        let mut logs = |logs: &[Log], tx: &Envelope, index: usize| -> Value {
            let one = |log: &Log| {
                log_index += 1;
                json!({
                    "address": log.address, "topics": log.topics(), "data": log.data.data,
                    "blockHash": hash, "blockNumber": format!("{:#x}", self.header.number),
                    "transactionHash": tx.tx_hash(), "transactionIndex": format!("{index:#x}"),
                    "logIndex": format!("{:#x}", log_index - 1),
                    "removed": false,
                })
            };
            logs.iter().map(one).collect()
        };
        let one = |(index, (receipt, tx)): (
            usize,
            (&ReceiptWithBloom<EthereumReceipt>, &Envelope),
        )| {
            json!({
                "type": format!("{:#x}", u8::from(tx.tx_type())),
                "status": format!("{:#x}", u8::from(receipt.receipt.success)),
                "cumulativeGasUsed": format!("{:#x}", receipt.receipt.cumulative_gas_used),
                "logs": logs(&receipt.receipt.logs, tx, index), "logsBloom": receipt.logs_bloom,
                "transactionHash": tx.tx_hash(), "transactionIndex": format!("{index:#x}"), "blockHash": hash, "gasUsed": "0x5208",
                "effectiveGasPrice": "0x7", "from": Address::repeat_byte(0xf0),
                "contractAddress": null,
            })
        };
        let transactions = self.txs.iter().map(|(tx, ..)| tx);
        let all = receipts.iter().zip(transactions).enumerate();
        all.map(one).collect()
    }
}

/// Nobody's signature, which roots bind all the same; its parity is the nonce's.
fn sign(
    tx: impl Into<alloy_consensus::EthereumTypedTransaction<TxEip4844>>,
    nonce: u64,
) -> Envelope {
    Envelope::new_unhashed(
        tx.into(),
        Signature::new(
            U256::from(0x1234_u64),
            U256::from(0x5678_u64),
            nonce % 2 == 1,
        ),
    )
}

/// A transaction of type 0; with a chain, as EIP-155 says.
pub fn legacy(nonce: u64, to: TxKind, value: U256, chain_id: Option<u64>) -> Envelope {
    sign(
        TxLegacy {
            chain_id,
            nonce,
            gas_price: 9,
            gas_limit: 21_000,
            to,
            value,
            input: vec![0xca, 0x11].into(),
        },
        nonce,
    )
}

/// A transaction of type 1 (EIP-2930).
pub fn eip2930(nonce: u64, to: TxKind, value: U256) -> Envelope {
    sign(
        TxEip2930 {
            chain_id: 1,
            nonce,
            gas_limit: 30_000,
            gas_price: 9,
            to,
            value,
            access_list: access_list(),
            ..TxEip2930::default()
        },
        nonce,
    )
}

/// A transaction of type 2 (EIP-1559).
pub fn eip1559(nonce: u64, to: TxKind, value: U256) -> Envelope {
    sign(
        TxEip1559 {
            chain_id: 1,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 100,
            max_priority_fee_per_gas: 1,
            to,
            value,
            ..TxEip1559::default()
        },
        nonce,
    )
}

/// A transaction of type 3 (EIP-4844), with two blobs.
pub fn eip4844(nonce: u64, to: Address, value: U256) -> Envelope {
    sign(
        alloy_consensus::EthereumTypedTransaction::Eip4844(TxEip4844 {
            chain_id: 1,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 100,
            max_priority_fee_per_gas: 1,
            to,
            value,
            access_list: access_list(),
            blob_versioned_hashes: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
            max_fee_per_blob_gas: 3,
            ..TxEip4844::default()
        }),
        nonce,
    )
}

/// A transaction of type 4 (EIP-7702), with one authorisation.
pub fn eip7702(nonce: u64, to: Address, value: U256) -> Envelope {
    let authorization = Authorization {
        chain_id: U256::from(1_u8),
        address: Address::repeat_byte(0xde),
        nonce: 5,
    };
    let signed =
        SignedAuthorization::new_unchecked(authorization, 1, U256::from(3_u8), U256::from(4_u8));
    sign(
        TxEip7702 {
            chain_id: 1,
            nonce,
            gas_limit: 50_000,
            max_fee_per_gas: 100,
            max_priority_fee_per_gas: 1,
            to,
            value,
            authorization_list: vec![signed],
            ..TxEip7702::default()
        },
        nonce,
    )
}

fn access_list() -> AccessList {
    AccessList(vec![AccessListItem {
        address: Address::repeat_byte(0xac),
        storage_keys: vec![B256::repeat_byte(9)],
    }])
}

/// An ERC-20 Transfer log.
pub fn transfer_log(token: Address, from: Address, to: Address, amount: U256) -> Log {
    let topics = vec![
        alloy_primitives::keccak256("Transfer(address,address,uint256)"),
        from.into_word(),
        to.into_word(),
    ];
    Log::new_unchecked(token, topics, amount.to_be_bytes_vec().into())
}
