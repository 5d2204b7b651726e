//! Whether a configured token is what the node has at its contract: code, and the same decimals.
//! A wrong address would watch nothing; wrong decimals would be wrong by powers of ten.

use super::{address, endpoint::Endpoint};
use crate::{
    chain::{
        SourceError,
        rpc::{Call, RpcError, Transport},
    },
    domain::asset::AssetCode,
};
use alloy_primitives::{Bytes, U256};
use serde_json::json;

/// The selector of `decimals()` (ERC-20).
const DECIMALS: &str = "0x313ce567";

/// The contract ran and refused (execution APIs); older nodes only say so in words.
const EXECUTION_REVERTED: i64 = 3;

/// A token as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpec {
    /// Its name.
    pub asset: AssetCode,
    /// Its contract.
    pub contract: [u8; 20],
    /// Digits after the point of one whole unit.
    pub decimals: u8,
}

/// Each of these tokens that the node does not have as configured, with what is wrong.
///
/// # Errors
/// When the node does not answer.
pub async fn problems<T: Transport>(
    endpoint: &Endpoint<T>,
    tokens: &[TokenSpec],
) -> Result<Vec<String>, SourceError> {
    let mut problems = Vec::new();
    for token in tokens {
        match check(endpoint, token).await {
            Ok(()) => {}
            Err(SourceError::Permanent(problem)) => problems.push(problem),
            Err(error @ (SourceError::Transient(_) | SourceError::Behind(_))) => return Err(error),
        }
    }
    Ok(problems)
}

/// Checks one token against what the node has at its best block.
///
/// # Errors
/// `Permanent`, naming asset, contract, what was expected and what was found; others when the
/// node does not answer.
async fn check<T: Transport>(endpoint: &Endpoint<T>, token: &TokenSpec) -> Result<(), SourceError> {
    let contract = address::checksummed(token.contract);
    let wrong = |what: String| {
        let asset = &token.asset;
        SourceError::Permanent(format!(
            "{endpoint}: asset {asset}, contract {contract}: {what}"
        ))
    };
    let code_call = Call::new("eth_getCode", json!([contract, "latest"]));
    let decimals_params = json!([{ "to": contract, "data": DECIMALS }, "latest"]);
    let decimals_call = Call::new("eth_call", decimals_params);
    let [code, said] = endpoint.batch([code_call, decimals_call]).await?;
    let code: Bytes = endpoint.read("eth_getCode", code)?;
    if code.is_empty() {
        return Err(wrong("expected a contract, found no code there".to_owned()));
    }
    let said: Bytes = match said {
        Err(error) if is_revert(&error) => Bytes::new(),
        answer => endpoint.read("eth_call", answer)?,
    };
    let expected = token.decimals;
    match decimals(&said) {
        Some(found) if found == U256::from(expected) => Ok(()),
        Some(found) => Err(wrong(format!(
            "expected {expected} decimals, found {found}"
        ))),
        None => Err(wrong(format!(
            "expected {expected} decimals, found no answer to decimals()"
        ))),
    }
}

fn is_revert(error: &RpcError) -> bool {
    matches!(error, RpcError::Node { code, message }
        if *code == EXECUTION_REVERTED || message.contains("revert"))
}

fn decimals(answer: &[u8]) -> Option<U256> {
    let word: [u8; 32] = answer.try_into().ok()?;
    Some(U256::from_be_bytes(word))
}
