//! The source against a bitcoind in memory.

use super::*;
use crate::chain::bitcoin::fake::{
    Change, Fake, NOBODY, TestClock, output, spending, unreachable, wpkh,
};

/// A node with `blocks` blocks above genesis.
fn node(blocks: usize) -> Fake {
    let fake = Fake::new();
    for _ in 0..blocks {
        fake.mine(vec![]);
    }
    fake
}

fn words<R: std::fmt::Debug>(result: Result<R, SourceError>) -> String {
    match result.unwrap_err() {
        SourceError::Transient(text) => format!("transient: {text}"),
        SourceError::Behind(text) => format!("behind: {text}"),
        SourceError::Permanent(text) => format!("permanent: {text}"),
    }
}

#[tokio::test]
async fn connecting_tells_what_the_node_is() {
    let fake = node(3);
    {
        let mut state = fake.state();
        state.pruned_below = 2;
        state.headers_ahead = 7;
        state.initial_block_download = true;
    }
    let found = fake.source().probe().await.unwrap();
    let expected = Capabilities {
        network: "regtest",
        version: 290_000,
        subversion: "/Fake:1/".into(),
        tip: fake.state().block_ref(3).id,
        headers: Height(10),
        initial_block_download: true,
        prune_height: Some(Height(2)),
        rest: false,
        zmq: vec![],
    };
    assert_eq!(found, expected);
    assert_eq!(fake.source().connect().await, Ok(()));
}

// shows: F18
#[tokio::test]
async fn a_node_of_another_network_is_refused_by_name() {
    let fake = node(1);
    fake.state().chain = "main";
    let on_mainnet = "permanent: btc (memory) is on mainnet, but regtest is configured";
    assert_eq!(words(fake.source().connect().await), on_mainnet);
    assert_eq!(words(fake.source().status().await), on_mainnet);
    fake.state().chain = "liquidv1";
    let unknown = "permanent: btc (memory) is on an unknown network, but regtest is configured";
    assert_eq!(words(fake.source().connect().await), unknown);
}

#[tokio::test]
async fn a_chain_with_another_beginning_is_refused() {
    let fake = node(2);
    fake.state().best.remove(0);
    let said = words(fake.source().connect().await);
    let begins = fake.state().block_ref(0).id.hash;
    let genesis = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
    let expected = format!(
        "permanent: btc (memory) begins with block {begins}, but regtest begins with {genesis}"
    );
    assert_eq!(said, expected);
}

#[tokio::test]
async fn too_old_a_node_is_refused() {
    let fake = node(1);
    fake.state().version = 239_999;
    let said = words(fake.source().connect().await);
    assert!(
        said.starts_with("permanent: btc (memory) is of version 239999"),
        "{said}"
    );
}

#[tokio::test]
async fn a_node_that_starts_up_or_is_away_is_asked_again_later() {
    let fake = node(1);
    fake.state().refuse = Some((-28, "Loading block index…"));
    let starting = "transient: btc (memory) is starting up: Loading block index… (code -28)";
    let mut source = fake.source();
    assert_eq!(words(source.connect().await), starting);
    assert_eq!(words(source.status().await), starting);
    assert_eq!(words(source.headers(Height(0), 5).await), starting);
    assert_eq!(words(source.mempool().await), starting);
    let tip = fake.state().block_ref(1);
    assert_eq!(words(source.blocks(&[tip]).await), starting);
    assert_eq!(words(source.is_stale(tip.id).await), starting);
    let away = words(unreachable().status().await);
    assert_eq!(
        away,
        "transient: btc (memory) getblockchaininfo: cannot connect: refused"
    );
}

#[tokio::test]
async fn the_status_says_tip_sync_and_mempool() {
    let fake = node(2);
    let mut source = fake.source();
    let status = source.status().await.unwrap();
    let tip = fake.state().block_ref(2);
    let expected = NodeStatus {
        tip,
        finalized: None,
        safe: None,
        tagged: false,
        syncing: false,
        mempool_loaded: true,
    };
    assert_eq!(status, expected);
    let cases: [(Change, bool, bool); 4] = [
        (|state| state.headers_ahead = 2, false, true),
        (|state| state.headers_ahead = 3, true, true),
        (|state| state.initial_block_download = true, true, true),
        (|state| state.loaded = false, true, false),
    ];
    for (change, syncing, mempool_loaded) in cases {
        change(&mut fake.state());
        let status = source.status().await.unwrap();
        assert_eq!(
            (status.syncing, status.mempool_loaded),
            (syncing, mempool_loaded)
        );
    }
}

#[tokio::test]
async fn the_tip_is_verified_once_and_again_when_it_changes() {
    let fake = node(2);
    let mut source = fake.source();
    for _ in 0..3 {
        source.status().await.unwrap();
    }
    let asked = |fake: &Fake| {
        let calls = &fake.state().calls;
        calls
            .iter()
            .filter(|call| *call == "getblockheader")
            .count()
    };
    assert_eq!(asked(&fake), 1);
    let tip = fake.mine(vec![]);
    assert_eq!(source.status().await.unwrap().tip, tip);
    assert_eq!(asked(&fake), 2);
}

#[tokio::test]
async fn headers_come_in_order_up_to_the_tip() {
    let fake = node(250);
    let mut source = fake.source();
    for (from, count, expected) in [
        (0, 3, 0..3),
        (1, 220, 1..221),
        (248, 2000, 248..251),
        (250, 1, 250..251),
        (251, 10, 0..0),
        (u32::MAX, 3, 0..0),
        (5, 0, 0..0),
    ] {
        let found = source.headers(Height(from), count).await.unwrap();
        let state = fake.state();
        let expected: Vec<BlockRef> = expected.map(|height| state.block_ref(height)).collect();
        assert_eq!(found, expected, "{count} from {from}");
    }
}

#[tokio::test]
async fn blocks_come_verified_in_the_order_asked() {
    let fake = node(0);
    let txs: Vec<_> = (1..=9)
        .map(|n| spending(n, 0, vec![output(1000, &wpkh(n))]))
        .collect();
    let blocks: Vec<BlockRef> = txs.iter().map(|tx| fake.mine(vec![tx.clone()])).collect();
    for rest in [false, true] {
        fake.state().rest = rest;
        fake.state().calls.clear();
        let mut source = fake.source_with(Arc::new(TestClock::default()), true);
        source.connect().await.unwrap();
        let found = source.blocks(&blocks).await.unwrap();
        let order: Vec<BlockRef> = found.iter().map(|facts| facts.block).collect();
        assert_eq!(order, blocks);
        for (facts, tx) in found.iter().zip(&txs) {
            assert_eq!(
                facts.transactions[1].to_string(),
                tx.compute_txid().to_string()
            );
            assert_eq!(facts.credits.len(), 1);
        }
        let by_rpc = fake.state().calls.iter().any(|call| call == "getblock");
        assert_eq!(by_rpc, !rest, "REST is used when it is there");
    }
}

#[tokio::test]
async fn rest_that_goes_away_is_replaced_by_rpc() {
    let fake = node(1);
    fake.state().rest = true;
    let mut source = fake.source_with(Arc::new(TestClock::default()), true);
    source.connect().await.unwrap();
    fake.state().rest = false;
    let tip = fake.state().block_ref(1);
    assert_eq!(source.blocks(&[tip]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_block_that_is_not_what_was_asked_for_stops_the_chain_by_name() {
    let fake = node(2);
    fake.state().tamper = Some(|bytes| bytes[90] ^= 1);
    let tip = fake.state().block_ref(2);
    let said = words(fake.source().blocks(&[tip]).await);
    let start = format!(
        "permanent: btc (memory): what it sent as block 2 ({}) ",
        tip.id.hash
    );
    assert!(said.starts_with(&start), "{said}");
}

#[tokio::test]
async fn unknown_bodiless_and_pruned_blocks_are_told_apart() {
    let fake = node(3);
    let mut source = fake.source();
    let mut unknown = fake.state().block_ref(3);
    unknown.id.hash = NOBODY;
    let said = words(source.blocks(&[unknown]).await);
    assert!(
        said.starts_with("behind: btc (memory) does not know block 3 (0707"),
        "{said}"
    );
    fake.state().pruned_below = 2;
    let first = fake.state().block_ref(1);
    let said = words(source.blocks(&[first]).await);
    assert!(
        said.starts_with("permanent: btc (memory) has pruned block 1 ("),
        "{said}"
    );
    assert!(
        said.contains(&format!("getblockfrompeer {}", first.id.hash)),
        "{said}"
    );
    fake.state().refuse = Some((-1, "Block not found on disk"));
    let said = words(source.blocks(&[first]).await);
    assert!(
        said.starts_with("behind: btc (memory) has no body of block 1 ("),
        "{said}"
    );
}

#[tokio::test]
async fn only_a_block_that_the_node_took_off_its_chain_is_stale() {
    let fake = node(5);
    let mut source = fake.source();
    let [fork, tip] = [3, 5].map(|height| fake.state().block_ref(height).id);
    assert_eq!(source.is_stale(tip).await, Ok(false));
    let unknown = BlockId {
        hash: NOBODY,
        ..tip
    };
    assert_eq!(source.is_stale(unknown).await, Ok(false));
    // A pure rollback: no new block has come.
    fake.state().disconnect(2);
    assert_eq!(source.is_stale(tip).await, Ok(true));
    assert_eq!(source.is_stale(fork).await, Ok(false));
    // The same answers come from a node that has yet to connect what it had before a crash.
    fake.state().headers_ahead = 2;
    assert_eq!(source.is_stale(tip).await, Ok(false));
    // A new branch of the same height.
    fake.state().headers_ahead = 0;
    fake.mine(vec![]);
    fake.mine(vec![]);
    assert_eq!(source.is_stale(tip).await, Ok(true));
}

#[tokio::test]
async fn the_spender_of_an_output_is_named() {
    let fake = node(1);
    let txid = fake.add(spending(1, 3, vec![output(1000, &wpkh(1))]));
    let outpoint = |byte, vout| OutPoint {
        txid: TxId([byte; 32]),
        vout,
    };
    let asked = [outpoint(1, 3), outpoint(1, 4), outpoint(2, 3)];
    let found = fake.source().spenders(&asked).await.unwrap();
    assert_eq!(found, [Some(txid), None, None]);
    let many = vec![outpoint(2, 0); 2500];
    assert_eq!(fake.source().spenders(&many).await, Ok(vec![None; 2500]));
    assert_eq!(fake.source().spenders(&[]).await, Ok(vec![]));
}
