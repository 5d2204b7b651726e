//! Payments in bitcoin, from a real node through the real daemon to the rows that another user reads.

mod amounts;
mod commands;
mod crowd;
mod full_block;
mod health;
mod lag;
mod late;
mod mempool;
mod networks;
mod outages;
mod refusals;
mod reorgs;
mod walk;
mod zmq;

use crate::confirmd::Confirmd;
use crate::nodes::bitcoind::Bitcoind;

/// What most tests ask for, in BTC with the scale that the views print.
const AMOUNT: &str = "0.01500000";

/// A funded node and a daemon that follows it.
fn world() -> (Bitcoind, Confirmd) {
    let node = Bitcoind::start();
    let confirmd = Confirmd::with(&node).start();
    (node, confirmd)
}

/// Registers a payment of [`AMOUNT`] to a new address, and waits until it is watched; the address.
#[track_caller]
fn register(confirmd: &Confirmd, node: &Bitcoind, payment_id: &str) -> String {
    let address = node.new_address("bech32");
    let request = confirmd.register(payment_id).address(&address).submit();
    confirmd.await_applied(&request);
    address
}
