//! What `debug_traceBlockByHash` answers with the callTracer.
//!
//! Source: geth, built-in tracers.

use super::{
    frame::{Frame, FrameKind},
    seal::{Inside, Mined},
};
use alloy_consensus::Transaction;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Serialize;

/// What inner frames are said to burn.
const FRAME_GAS: U64 = U64::from_limbs([2_300]);
const REVERTED: &str = "execution reverted";

/// One transaction's trace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Traced {
    tx_hash: B256,
    result: Call,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    from: Address,
    gas: U64,
    gas_used: U64,
    to: Address,
    input: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<U256>,
    r#type: &'static str,
}

/// The traces of a block's transactions.
pub(super) fn trace(inside: &Inside) -> Vec<Traced> {
    inside.mined.iter().map(traced).collect()
}

fn traced(one: &Mined) -> Traced {
    let signed = &one.tx.signed;
    let envelope = &signed.envelope;
    let created = signed.from.create(envelope.nonce());
    let to = envelope.to().unwrap_or(created);
    let kind = envelope.to().map_or(FrameKind::Create, |_| FrameKind::Call);
    let gas = U64::from(envelope.gas_limit());
    let frames = one.frames.iter();
    let root = Call {
        from: signed.from,
        gas,
        gas_used: gas,
        to,
        input: envelope.input().clone(),
        output: None,
        error: (!one.receipt.receipt.success).then_some(REVERTED),
        calls: frames.map(|frame| call(to, frame)).collect(),
        value: Some(envelope.value()),
        r#type: kind.as_str(),
    };
    Traced {
        tx_hash: *envelope.tx_hash(),
        result: root,
    }
}

fn call(caller: Address, frame: &Frame) -> Call {
    let actor = frame.actor(caller);
    Call {
        from: caller,
        gas: FRAME_GAS,
        gas_used: FRAME_GAS,
        to: frame.to,
        input: frame.input.clone(),
        output: (!frame.output.is_empty()).then(|| frame.output.clone()),
        error: frame.reverted.then_some(REVERTED),
        calls: frame.calls.iter().map(|inner| call(actor, inner)).collect(),
        value: (frame.kind != FrameKind::StaticCall).then_some(frame.value),
        r#type: frame.kind.as_str(),
    }
}
