//! Intents as transactions of their kind, unsigned. Gas and fees are plausible, no more.

use super::intent::{Intent, Kind, Step};
use alloy_consensus::{
    EthereumTxEnvelope, EthereumTypedTransaction, SignableTransaction, TxEip1559, TxEip2930,
    TxEip4844, TxEip7702, TxLegacy,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, TxKind, U256, b256};

/// A transaction as blocks hold it: without the sidecar of blobs.
pub(super) type Envelope = EthereumTxEnvelope<TxEip4844>;
/// A transaction that nobody has signed.
pub(super) type Unsigned = EthereumTypedTransaction<TxEip4844>;

const GWEI: u128 = 1_000_000_000;
/// The most that a transaction pays for a unit of gas.
const MAX_FEE: u128 = 1000 * GWEI;
/// What it pays above the base fee.
const TIP: u128 = GWEI / 10;
/// What every transaction burns.
const PLAIN_GAS: u64 = 21_000;
/// About what a log, a call, or a list in the transaction costs.
const STEP_GAS: u64 = 30_000;
/// What a byte of calldata costs.
const BYTE_GAS: u64 = 16;
/// The hash of some blob, which begins with its version (EIP-4844).
const BLOB: B256 = b256!("0x01b10b0000000000000000000000000000000000000000000000000000000000");
/// The contract that an account of a type 4 transaction lends its code from.
const DELEGATE: Address = Address::repeat_byte(0xde);

/// The transaction that does this.
pub(super) fn unsigned(intent: &Intent, chain_id: u64, nonce: u64) -> Unsigned {
    let fields = Fields {
        chain_id,
        nonce,
        gas_limit: gas(intent),
        intent,
    };
    match (intent.kind, intent.to) {
        (Kind::Unprotected, _) => fields.legacy(None).into(),
        (Kind::Legacy, _) => fields.legacy(Some(chain_id)).into(),
        (Kind::AccessList, _) => fields.eip2930().into(),
        (Kind::Blob, TxKind::Call(to)) => Unsigned::Eip4844(fields.eip4844(to)),
        (Kind::SetCode, TxKind::Call(to)) => fields.eip7702(to).into(),
        (Kind::DynamicFee, _) | (Kind::Blob | Kind::SetCode, TxKind::Create) => {
            fields.eip1559().into()
        }
    }
}

/// What is signed.
pub(super) fn signature_hash(unsigned: &Unsigned) -> B256 {
    match unsigned {
        Unsigned::Legacy(tx) => tx.signature_hash(),
        Unsigned::Eip2930(tx) => tx.signature_hash(),
        Unsigned::Eip1559(tx) => tx.signature_hash(),
        Unsigned::Eip4844(tx) => tx.signature_hash(),
        Unsigned::Eip7702(tx) => tx.signature_hash(),
    }
}

fn gas(intent: &Intent) -> u64 {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let steps = count(
        intent
            .steps
            .len()
            .max(intent.steps.iter().map(frames).sum()),
    );
    let lists = match intent.kind {
        Kind::AccessList | Kind::Blob | Kind::SetCode => 1,
        Kind::Unprotected | Kind::Legacy | Kind::DynamicFee => 0,
    };
    PLAIN_GAS
        .saturating_add(STEP_GAS.saturating_mul(steps.saturating_add(lists)))
        .saturating_add(BYTE_GAS.saturating_mul(count(intent.input.len())))
}

fn frames(step: &Step) -> usize {
    match step {
        Step::Call(frame) => frame.calls.len().saturating_add(1),
        Step::Move(_) | Step::Change { .. } | Step::Log { .. } => 1,
    }
}

struct Fields<'a> {
    chain_id: u64,
    nonce: u64,
    gas_limit: u64,
    intent: &'a Intent,
}

impl Fields<'_> {
    fn legacy(&self, chain_id: Option<u64>) -> TxLegacy {
        TxLegacy {
            chain_id,
            nonce: self.nonce,
            gas_price: MAX_FEE,
            gas_limit: self.gas_limit,
            to: self.intent.to,
            value: self.intent.value,
            input: self.intent.input.clone(),
        }
    }

    fn eip2930(&self) -> TxEip2930 {
        TxEip2930 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_price: MAX_FEE,
            gas_limit: self.gas_limit,
            to: self.intent.to,
            value: self.intent.value,
            access_list: access_list(),
            input: self.intent.input.clone(),
        }
    }

    fn eip1559(&self) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to: self.intent.to,
            value: self.intent.value,
            access_list: AccessList::default(),
            input: self.intent.input.clone(),
        }
    }

    fn eip4844(&self, to: Address) -> TxEip4844 {
        TxEip4844 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            value: self.intent.value,
            access_list: access_list(),
            blob_versioned_hashes: vec![BLOB],
            max_fee_per_blob_gas: MAX_FEE,
            input: self.intent.input.clone(),
        }
    }

    fn eip7702(&self, to: Address) -> TxEip7702 {
        let authorization = Authorization {
            chain_id: U256::from(self.chain_id),
            address: DELEGATE,
            nonce: self.nonce,
        };
        // Nobody's: an authorisation that does not hold is skipped, and the rest goes on.
        let (r, s) = (U256::from(3), U256::from(4));
        let nobody_s = SignedAuthorization::new_unchecked(authorization, 1, r, s);
        TxEip7702 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            value: self.intent.value,
            access_list: AccessList::default(),
            authorization_list: vec![nobody_s],
            input: self.intent.input.clone(),
        }
    }
}

fn access_list() -> AccessList {
    AccessList(vec![AccessListItem {
        address: Address::repeat_byte(0xac),
        storage_keys: vec![B256::repeat_byte(9)],
    }])
}
