//! A node that goes on while it is asked, and answers that come in any order.

use confirmd::random::Random;
use serde_json::{Value, json};

use super::register;
use crate::confirmd::Confirmd;
use crate::confirmd::relay::Relay;
use crate::nodes::bitcoind::Bitcoind;

/// A funded node, a cable to it, and a daemon that follows it over the cable.
fn cabled() -> (Bitcoind, Relay, Confirmd) {
    let node = Bitcoind::start();
    let cable = Relay::to(&node.url());
    let setup = Confirmd::with(&node).set("chains.bitcoin.rpc_url", cable.url());
    let confirmd = setup.start();
    (node, cable, confirmd)
}

/// F8: the node goes over to a third branch when it has answered once, or twice, what the daemon asks on
/// its way down from the tip of the second.
// shows: F8
#[test]
fn a_reorganisation_amid_the_walk_is_followed_from_its_own_fork_point() {
    let (node, cable, confirmd) = cabled();
    node.mine_empty(2);
    for (answers, id) in [(1, "order-1"), (2, "order-2")] {
        let address = node.new_address("bech32");
        let deep = confirmd.register(id).address(&address);
        confirmd.await_applied(&deep.with("confirmations", 50).submit());
        let payment = node.sign_send_many(&[(&address, "0.015")]);
        let first = node.mine_only(&[&payment]);
        node.mine_empty(9);
        let mined = json!({"status": "confirming", "block_hash": first, "confirmations": 10});
        confirmd.await_payment(id, &mined);
        let (entries, before) = (confirmd.ledger().events(id).len(), reorgs(&confirmd));

        cable.cut();
        node.reorg(10, 12);
        cable.answers().hold("\"getblockhash\"");
        cable.mend();
        for _ in 1..answers {
            cable.answers().await_held(1);
            cable.answers().let_go(0);
        }
        cable.answers().await_held(1);
        node.rollback(14);
        node.mine_empty(3);
        let third = node.mine_only(&[&payment]);
        node.mine_empty(11);
        cable.answers().release();

        let moved = json!({"status": "confirming", "block_hash": third, "confirmations": 12});
        confirmd.await_payment(id, &moved);
        confirmd.await_bitcoin(&node);
        // From the first branch to the third: nothing was believed of the second.
        let reorgs = reorgs(&confirmd) - before;
        assert!((reorgs - 1.0).abs() < 0.5, "{reorgs} reorganisations");
        let told = confirmd.ledger().events(id).split_off(entries);
        let is_pending = |event: &Value| event["to_status"] == "pending";
        assert!(!told.iter().any(is_pending), "{told:#?}");
        assert_eq!(confirmd.ledger().transfers(id).len(), 1);
    }
}

fn reorgs(confirmd: &Confirmd) -> f64 {
    confirmd.metric("confirmd_reorgs_total{chain=\"bitcoin\"}")
}

/// Blocks that are asked for at once.
const AT_ONCE: usize = 4;

/// F17: of every batch of headers the answers come in another order, and of the blocks that are asked for
/// at the same time any comes first.
// shows: F17
#[test]
fn headers_and_blocks_that_come_in_any_order_are_followed_in_theirs() {
    for seed in [1, 2, 3] {
        let (node, cable, confirmd) = cabled();
        let ids = ["a", "b", "c", "d", "e", "f"];
        let txids = ids.map(|id| {
            let address = register(&confirmd, &node, id);
            (id, node.send(&address, "0.015"))
        });
        // After these the next are asked for in one go.
        node.mine_empty(14);
        confirmd.await_bitcoin(&node);
        cable.jumble(seed);

        cable.cut();
        let mut blocks = Vec::new();
        for (id, txid) in &txids {
            blocks.push((*id, node.mine_only(&[txid])));
            node.mine_empty(1);
        }
        cable.answers().hold("\"getblock\"");
        cable.mend();
        let mut random = Random::new(seed);
        for left in (1..=2 * ids.len()).rev() {
            let held = left.min(AT_ONCE);
            cable.answers().await_held(held);
            let end = u64::try_from(held).expect("a small number");
            let any = usize::try_from(random.below(end)).expect("a small number");
            cable.answers().let_go(any);
        }
        cable.answers().release();
        assert_eq!(cable.answers().most_at_once(), AT_ONCE);
        for (id, block) in &blocks {
            let paid = json!({"status": "paid", "block_hash": block});
            confirmd.await_payment(id, &paid);
        }
        assert_eq!(told_in(&confirmd, "paid"), ids);

        // Of a deeper one a bitcoind does not take the transactions back into its mempool.
        cable.cut();
        node.reorg(10, 12);
        cable.mend();
        confirmd.await_bitcoin(&node);
        for id in &ids[1..] {
            confirmd.await_payment(id, &json!({"status": "pending", "confirmations": 0}));
        }
        assert!(cable.jumbled() > 3, "{} batches", cable.jumbled());
        assert!((reorgs(&confirmd) - 1.0).abs() < 0.5);
    }
}

/// The payments that became this, in the order of the journal.
fn told_in(confirmd: &Confirmd, status: &str) -> Vec<String> {
    let sql =
        "SELECT payment_id FROM v1_event WHERE to_status = ? AND kind = 'status' ORDER BY seq";
    let rows = confirmd.ledger().query(sql, &[status]);
    let id = |row: &Value| row["payment_id"].as_str().expect("a text").to_owned();
    rows.iter().map(id).collect()
}
