//! What must hold of everything that is read from strangers, whatever they send: one function for each
//! parser. cargo-fuzz runs them on what it makes up, the daemon's tests on `corpus/` and on mutations of it.
//!
//! Uses nothing but the daemon's public interface.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target says what is wrong by panicking"
)]

mod blocks;
mod rpc;
mod texts;

pub use blocks::{bitcoin_block, bitcoin_transaction, ethereum_block};
pub use rpc::{rpc_answer, rpc_batch};
pub use texts::{address, amount, config, deed, request, time};

/// A target and its name, which is also that of its corpus. It says whether it took the data for what it
/// should be, so that a target that takes nothing any more is noticed.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("bitcoin_block", bitcoin_block),
    ("bitcoin_transaction", bitcoin_transaction),
    ("ethereum_block", ethereum_block),
    ("rpc_answer", rpc_answer),
    ("rpc_batch", rpc_batch),
    ("request", request),
    ("config", config),
    ("amount", amount),
    ("address", address),
    ("deed", deed),
    ("time", time),
];

/// The first line of a text and the rest; nothing of what is no text.
fn lines(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data).ok()?;
    Some(text.split_once('\n').unwrap_or((text, "")))
}
