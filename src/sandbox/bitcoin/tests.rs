//! The real Bitcoin source reads the simulated node: what it finds is what was put there.

use super::{Chain, Coins, Node, Rejected, TrueCredit, Tx, View};
use crate::{
    chain::{
        ChainSource,
        bitcoin::BitcoinSource,
        rpc::{Auth, Client, MemoryTransport, silent},
    },
    clock::{Clock, SystemClock},
    domain::{
        block::{BlockRef, Height, TxId},
        facts::{Candidate, CreditAsset, Destination},
        time::UnixMs,
    },
    random::Random,
    sandbox::json_rpc,
};
use bitcoin::Network;
use std::sync::{Arc, Mutex};

/// A chain with one node, shared with the source that reads it.
#[derive(Clone)]
struct World(Arc<Mutex<(Chain, View)>>);

impl World {
    fn new() -> Self {
        let chain = Chain::new();
        let view = View::new(&chain);
        Self(Arc::new(Mutex::new((chain, view))))
    }

    fn with<R>(&self, change: impl FnOnce(&mut Chain, &mut View) -> R) -> R {
        let mut world = self.0.lock().unwrap();
        let (chain, view) = &mut *world;
        change(chain, view)
    }

    fn source(&self) -> BitcoinSource<MemoryTransport> {
        let world = self.clone();
        let transport = MemoryTransport::new(move |request| {
            world.with(|chain, view| Ok(json_rpc::respond(&Node { chain, view }, request)))
        });
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let client = Client::new("btc", transport, Auth::None, Arc::clone(&clock), silent());
        let rest = self.with(|_, view| view.rest);
        BitcoinSource::over(client, Network::Regtest, rest, clock)
    }

    /// Mines on the node's best block.
    fn mine(&self, transactions: Vec<Tx>) -> BlockRef {
        self.with(|chain, view| {
            let parent = view.head(chain);
            let below = view.branch().height().0;
            let at = UnixMs::from_secs(1_800_000_000 + 600 * i64::from(below));
            let block = chain.extend(parent, at, transactions).unwrap();
            view.adopt(chain, block.id.hash);
            block
        })
    }
}

fn script(byte: u8) -> Destination {
    let program = [&[0x00, 0x14][..], &[byte; 20]].concat();
    Destination::new(&program).unwrap()
}

fn pay(coins: &mut Coins, byte: u8, sats: u64) -> Tx {
    Tx::new(&[coins.fresh()], &[(script(byte), sats)])
}

fn as_true(found: &Candidate) -> TrueCredit {
    assert_eq!(found.asset, CreditAsset::Native);
    TrueCredit {
        position: found.position.clone(),
        asset: found.asset,
        to: found.destination,
        amount: found.amount,
    }
}

#[tokio::test]
async fn the_source_finds_every_true_credit_of_random_blocks_over_rpc_and_rest() {
    for rest in [false, true] {
        let world = World::new();
        world.with(|_, view| view.rest = rest);
        let (mut coins, mut random) = (Coins::default(), Random::new(7));
        let mut blocks = Vec::new();
        for _ in 0..40 {
            let mut transactions: Vec<Tx> = Vec::new();
            for _ in 0..random.below(6) {
                let outputs: Vec<_> = (0..random.between(1, 4))
                    .map(|_| (script(random.bytes::<1>()[0]), random.below(3) * 777))
                    .collect();
                let input = match transactions.last() {
                    Some(last) if random.chance(300) => last.out_point(0),
                    Some(_) | None => coins.fresh(),
                };
                transactions.push(Tx::new(&[input], &outputs));
            }
            blocks.push((world.mine(transactions.clone()), transactions));
        }
        let mut source = world.source();
        source.connect().await.unwrap();
        let tip = source.status().await.unwrap().tip;
        assert_eq!(tip, blocks.last().unwrap().0);
        let headers = source.headers(Height(1), 100).await.unwrap();
        assert_eq!(
            headers,
            blocks.iter().map(|(block, _)| *block).collect::<Vec<_>>()
        );
        for (facts, (_, made)) in source
            .blocks(&headers[..16])
            .await
            .unwrap()
            .iter()
            .zip(&blocks)
        {
            let found: Vec<TrueCredit> =
                facts.credits.iter().map(|found| as_true(&found)).collect();
            let truth: Vec<TrueCredit> = made.iter().flat_map(|tx| tx.credits.clone()).collect();
            assert_eq!(found, truth);
            let txids: Vec<TxId> = made.iter().map(|tx| tx.txid).collect();
            assert_eq!(facts.transactions[1..], txids);
        }
    }
}

#[tokio::test]
async fn a_replacement_takes_its_victims_descendants_along_and_is_named_as_spender() {
    let world = World::new();
    let mut coins = Coins::default();
    let first = pay(&mut coins, 1, 1_000);
    let child = Tx::new(&[first.out_point(0)], &[(script(2), 900)]);
    let second = Tx::new(&first.inputs, &[(script(3), 990)]);
    world.mine(Vec::new());
    for tx in [&first, &child] {
        world.with(|_, view| view.receive(tx.clone())).unwrap();
    }
    let mut source = world.source();
    source.connect().await.unwrap();
    let seen = source.mempool().await.unwrap();
    assert_eq!(seen.arrived.len(), 2);
    world.with(|_, view| view.receive(second.clone())).unwrap();
    let news = source.mempool().await.unwrap();
    assert_eq!(*news.snapshot.unwrap().txids, [second.txid]);
    let inputs = &seen
        .arrived
        .iter()
        .find(|tx| tx.txid == first.txid)
        .unwrap()
        .inputs;
    assert_eq!(source.spenders(inputs).await.unwrap(), [Some(second.txid)]);
}

#[tokio::test]
async fn what_a_publisher_names_is_found_while_it_is_unconfirmed() {
    let world = World::new();
    let mut coins = Coins::default();
    let [mined, waiting, unknown] = [1, 2, 3].map(|byte| pay(&mut coins, byte, 1_000));
    world.mine(vec![mined.clone()]);
    world.with(|_, view| view.receive(waiting.clone())).unwrap();
    let mut source = world.source();
    source.connect().await.unwrap();
    for txid in [mined.txid, waiting.txid, unknown.txid] {
        source.named().add(txid);
    }
    let found = ChainSource::named(&mut source).await.unwrap().arrived;
    let found: Vec<TxId> = found.iter().map(|tx| tx.txid).collect();
    assert_eq!(found, [waiting.txid]);
}

#[test]
fn transactions_of_lost_blocks_come_back_unless_the_new_chain_conflicts() {
    let world = World::new();
    let mut coins = Coins::default();
    let [kept, moved, doomed] = [1, 2, 3].map(|byte| pay(&mut coins, byte, 1_000));
    let rival = Tx::new(&doomed.inputs, &[(script(9), 5)]);
    let fork = world.mine(Vec::new());
    world.mine(vec![kept.clone(), moved.clone(), doomed.clone()]);
    world.with(|chain, view| {
        let block = chain
            .extend(fork.id.hash, fork.time, vec![moved.clone(), rival])
            .unwrap();
        view.adopt(chain, block.id.hash);
        let left: Vec<TxId> = view.unconfirmed().map(|tx| tx.txid).collect();
        assert_eq!(left, [kept.txid]);
        assert_eq!(view.receive(moved.clone()), Err(Rejected::Confirmed));
        assert_eq!(view.receive(doomed.clone()), Err(Rejected::Conflict));
        view.adopt(chain, fork.id.hash);
        assert!(view.has_unconfirmed(moved.txid), "a pure rollback");
        view.evict(kept.txid);
        assert!(!view.has_unconfirmed(kept.txid));
        assert_eq!(view.receive(kept.clone()), Ok(()));
    });
}

#[tokio::test]
async fn a_node_knows_no_block_that_it_never_adopted_and_says_which_are_stale() {
    let world = World::new();
    let fork = world.mine(Vec::new());
    let stale = world.mine(Vec::new());
    let unheard = world.with(|chain, _| chain.extend(stale.id.hash, stale.time, Vec::new()));
    world.with(|chain, view| {
        let other = chain.extend(fork.id.hash, fork.time, Vec::new()).unwrap();
        view.adopt(chain, other.id.hash);
    });
    let mut source = world.source();
    source.connect().await.unwrap();
    assert!(source.is_stale(stale.id).await.unwrap());
    assert!(!source.is_stale(fork.id).await.unwrap());
    assert!(!source.is_stale(unheard.unwrap().id).await.unwrap());
    assert!(source.blocks(&[unheard.unwrap()]).await.is_err());
    assert_eq!(source.blocks(&[stale]).await.unwrap().len(), 1);
}

#[test]
fn the_same_calls_mine_the_same_blocks() {
    let run = || {
        let world = World::new();
        let mut coins = Coins::default();
        (0..5)
            .map(|n| world.mine(vec![pay(&mut coins, n, 5)]))
            .last()
    };
    assert_eq!(run(), run());
}
