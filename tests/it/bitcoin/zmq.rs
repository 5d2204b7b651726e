//! A publisher as a doorbell: heard, absent, gone and back.

use super::{AMOUNT, register};
use crate::{
    confirmd::{Confirmd, command::with_config},
    nodes::{bitcoind::Bitcoind, free_port},
};

/// Longer than any of these tests waits for anything: what happens was heard, not polled.
const SELDOM: &str = "10m";

fn listening(node: &Bitcoind) -> Confirmd {
    Confirmd::with(node)
        .set("chains.bitcoin.zmq", node.zmq_url())
        .set("chains.bitcoin.poll_interval", SELDOM)
        .start()
}

fn is_paid_by_what_is_heard(confirmd: &Confirmd, node: &Bitcoind, payment_id: &str) {
    let address = register(confirmd, node, payment_id);
    node.send(&address, AMOUNT);
    confirmd.await_status(payment_id, "pending");
    node.mine(1);
    confirmd.await_status(payment_id, "confirming");
    node.mine(1);
    confirmd.await_status(payment_id, "paid");
}

#[test]
fn what_is_published_is_seen_without_waiting_for_a_poll() {
    let node = Bitcoind::start();
    let confirmd = listening(&node);
    confirmd.await_log("listening to the ZMQ publisher");
    is_paid_by_what_is_heard(&confirmd, &node, "order-1");
    let heard = "confirmd_push_events_total{chain=\"bitcoin\",event=\"notification\"}";
    assert!(confirmd.metric(heard) >= 3.0);
}

#[test]
fn a_reorganisation_is_heard_too() {
    let node = Bitcoind::start();
    let confirmd = listening(&node);
    is_paid_by_what_is_heard(&confirmd, &node, "order-1");
    node.rollback(2);
    confirmd.await_status("order-1", "pending");
}

/// The publisher's process ends without a word to us, and is back later.
// shows: P10
#[test]
fn a_publisher_that_comes_back_is_heard_again() {
    let mut node = Bitcoind::start();
    let confirmd = listening(&node);
    confirmd.await_log("listening to the ZMQ publisher");
    node.restart();
    is_paid_by_what_is_heard(&confirmd, &node, "order-1");
}

// shows: P10
#[test]
fn a_publisher_that_is_not_there_delays_nothing() {
    let node = Bitcoind::start();
    let nobody = format!("tcp://127.0.0.1:{}", free_port());
    let confirmd = Confirmd::with(&node)
        .set("chains.bitcoin.zmq", nobody.as_str())
        .start();
    is_paid_by_what_is_heard(&confirmd, &node, "order-1");
    confirmd.await_log("no ZMQ publisher there: news is found by polling until there is");
    let check = with_config(&confirmd.config_file(), &["check"]);
    let said = format!("zmq = \"{nobody}\", but the node publishes nothing there; start it with");
    assert!(check.all().contains(&said), "{}", check.all());
}
