//! The little of Solidity's encoding that tokens need. Knows no token.
//!
//! Source: Solidity, contract ABI specification.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

/// The first four bytes of a call: which function.
pub(super) fn selector(function: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(function).0;
    [a, b, c, d]
}

/// A call of this function with arguments of one word each.
pub(super) fn call(function: &str, arguments: &[B256]) -> Bytes {
    [&selector(function)[..], &words(arguments)].concat().into()
}

/// Words one after another.
pub(super) fn words(words: &[B256]) -> Bytes {
    words.concat().into()
}

/// An account as a word.
pub(super) fn account(account: Address) -> B256 {
    account.into_word()
}

/// A number as a word.
pub(super) fn number(number: U256) -> B256 {
    number.into()
}

/// A string as the only thing that a function returns.
pub(super) fn string(text: &str) -> Bytes {
    let length = text.len();
    let padding = length.next_multiple_of(32).saturating_sub(length);
    let head = [number(U256::from(32)), number(U256::from(length))].concat();
    [&head, text.as_bytes(), &vec![0; padding]].concat().into()
}
