//! Payments in ether and tokens, from a real anvil with tokens that behave like USDT and USDC.

mod endpoints;
mod ether;
mod finality;
mod heads;
mod hostile;
mod inner;
mod quorum;
mod reorgs;
mod tokens;
mod two_chains;
mod unproven;

use alloy_primitives::Address;

use crate::confirmd::{Confirmd, Ethereum};

/// Who is paid in most tests.
const RECEIVER: Address = Address::repeat_byte(0x31);

/// An anvil with the test tokens and a daemon that follows it: what was logged when the tokens were deployed
/// concerns no payment.
fn world() -> (Ethereum, Confirmd) {
    let ethereum = Ethereum::start();
    let confirmd = Confirmd::with(&ethereum).start();
    confirmd.await_ethereum(&ethereum.anvil);
    (ethereum, confirmd)
}

/// Registers a payment to [`RECEIVER`], and waits until it is watched.
#[track_caller]
fn register(confirmd: &Confirmd, payment_id: &str, asset: &str, amount: &str) {
    register_to(confirmd, payment_id, asset, amount, RECEIVER);
}

#[track_caller]
fn register_to(confirmd: &Confirmd, id: &str, asset: &str, amount: &str, receiver: Address) {
    let payment = confirmd.register(id).asset(asset).address(receiver);
    confirmd.await_applied(&payment.amount(amount).submit());
}
