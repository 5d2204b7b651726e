//! A daemon that starts on a node whose mempool is full of other people's transactions.

use bitcoin::consensus::encode::serialize_hex;
use serde_json::json;

use crate::confirmd::Confirmd;
use crate::confirmd::relay::Relay;
use crate::nodes::anybodys::{output, script, spend};
use crate::nodes::bitcoind::Bitcoind;

/// Transactions of strangers; each call to the node for some is about a hundred.
const STRANGERS: u32 = 3_000;
/// As many such calls may be under way at the same time.
const AT_ONCE: usize = 4;
/// What a stranger's coin holds, in BTC, and what of it is paid on.
const COIN: (&str, u64) = ("0.0002", 19_000);
/// On regtest a bitcoind goes through its whole mempool after each transaction, unless told not to.
const UNCHECKED: &str = "-checkmempool=0";

/// M12: those that pay are found wherever they stand, and the node is asked for a few hundred at a time.
// shows: M12 M7
#[test]
fn thousands_that_wait_at_the_start_are_read_a_few_requests_at_a_time() {
    let node = Bitcoind::start_with(&[UNCHECKED]);
    let coins = node.coins_for_anybody(STRANGERS, COIN.0);
    let cable = Relay::to(&node.url());
    let setup = Confirmd::with(&node).set("chains.bitcoin.rpc_url", cable.url());
    let mut confirmd = setup.init();
    let ids = ["first", "middle", "last", "nobody"];
    let addresses = ids.map(|id| {
        let address = node.new_address("bech32");
        confirmd.register(id).address(&address).submit();
        address
    });
    let [first, middle, last, _] = &addresses;
    let half = coins.len() / 2;
    node.send(first, "0.015");
    for (n, coin) in coins.iter().enumerate() {
        let raw = serialize_hex(&spend(*coin, vec![output(COIN.1, script())]));
        node.rpc().call("sendrawtransaction", json!([raw]));
        if n == half {
            node.send(middle, "0.015");
        }
    }
    node.send(last, "0.015");

    cable.answers().hold("\"getrawtransaction\"");
    confirmd.start();
    cable.answers().await_held(AT_ONCE);
    // While they wait, what else there is to do is done.
    let address = node.new_address("bech32");
    let late = confirmd.register("late").address(&address).submit();
    confirmd.await_applied(&late);
    cable.answers().release();

    for id in &ids[..3] {
        confirmd.await_status(id, "pending");
    }
    confirmd.await_status("nobody", "new");
    node.mine_empty(1);
    confirmd.await_bitcoin(&node);
    assert_eq!(cable.answers().most_at_once(), AT_ONCE);
    let calls = "confirmd_rpc_requests_total{chain=\"bitcoin\",endpoint=\"bitcoind\",\
                 method=\"getrawtransaction\",outcome=\"ok\"}";
    // A hundred at a time, each of them once, and those that pay once more.
    let calls = confirmd.metric(calls);
    assert!((31.0..34.0).contains(&calls), "{calls} calls");
}
