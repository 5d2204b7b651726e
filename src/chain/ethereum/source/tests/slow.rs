//! Endpoints that hang or answer nonsense: how long the others' blocks wait for them, on a paused clock.

use super::{
    distant::{Distant, SILENT},
    endpoints::Told,
    *,
};
use crate::chain::rpc::{HttpResponse, TransportError};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::time::{Instant, sleep};

struct World {
    nodes: Vec<Distant>,
    source: EthereumSource<Distant>,
    blocks: u64,
}

impl World {
    /// So many endpoints, each of an operator of its own, of which so many must agree; these hang.
    fn new(count: usize, quorum: u32, hanging: &[usize]) -> Self {
        let nodes: Vec<Distant> = (0..count).map(|_| Distant::new(FakeNode::new())).collect();
        let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        let by_name = names.iter().map(String::as_str).zip(nodes.iter().cloned());
        let source = source_over(by_name, &Paused::clock());
        let world = Self {
            nodes,
            source: source.with_quorum(quorum, names),
            blocks: 0,
        };
        for at in hanging {
            world.hang(*at, true);
        }
        world
    }

    fn hang(&self, at: usize, hangs: bool) {
        self.nodes[at].takes(move |_| if hangs { SILENT } else { Duration::ZERO });
    }

    fn asked(&self, at: usize) -> usize {
        self.nodes[at].requests()
    }

    /// How long it takes until a new block is here.
    async fn block(&mut self) -> Duration {
        self.blocks += 1;
        let amount = self.blocks;
        let mut built = None;
        for node in &self.nodes {
            built = Some(node.node.mine(paying(amount)));
        }
        let block = reference(&built.unwrap());
        let began = Instant::now();
        let status = self.source.status().await.unwrap();
        assert_eq!(status.tip, block);
        let facts = self.source.blocks(&[block]).await.unwrap();
        assert_eq!(facts[0].block, block);
        began.elapsed()
    }
}

// shows: P5
#[tokio::test(start_paused = true)]
async fn no_block_waits_for_endpoints_that_hang_while_enough_others_answer() {
    let mut world = World::new(5, 3, &[3, 4]);
    world.source.connect().await.unwrap();
    let mut took = Vec::new();
    for _ in 0..100 {
        took.push(world.block().await);
        assert!(world.source.has_agreed_tip());
        sleep(Duration::from_secs(1)).await;
    }
    // Now and then they are given a moment, and most of the time not even that.
    let waited = took.iter().filter(|took| !took.is_zero()).count();
    assert!(
        took.iter().all(|took| *took <= Duration::from_millis(250)),
        "{took:?}"
    );
    assert!(waited <= 20, "{took:?}");
    // Left alone for ever longer, they are asked a few times.
    assert!((1..=40).contains(&world.asked(4)), "{}", world.asked(4));
    // Once they answer, they count: without two others, too.
    world.hang(3, false);
    world.hang(4, false);
    sleep(Duration::from_mins(5)).await;
    world.block().await;
    world.hang(0, true);
    world.hang(1, true);
    let took = world.block().await;
    assert!(world.source.has_agreed_tip());
    assert!(took <= Duration::from_secs(3), "{took:?}");
}

// shows: P5
#[tokio::test(start_paused = true)]
async fn where_one_leads_each_that_hangs_costs_a_second_once() {
    let mut world = World::new(4, 1, &[0, 1, 2]);
    let began = Instant::now();
    world.source.connect().await.unwrap();
    let took = began.elapsed() + world.block().await;
    assert!(took <= Duration::from_secs(3), "{took:?}");
    for _ in 0..30 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.block().await, Duration::ZERO);
    }
    for at in 0..3 {
        world.hang(at, false);
    }
    sleep(Duration::from_mins(1)).await;
    world.hang(3, true);
    let took = world.block().await;
    assert!(took <= Duration::from_secs(2), "{took:?}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.block().await, Duration::ZERO);
}

/// The one that hangs is not waited for once another is back, although it was left alone when the other was asked.
// shows: P5
#[tokio::test(start_paused = true)]
async fn whoever_comes_back_while_another_hangs_is_asked() {
    let mut world = World::new(2, 1, &[]);
    world.source.connect().await.unwrap();
    world.block().await;
    // It fails for a moment, and is left alone for five seconds.
    world.nodes[0].node.fault("eth_", Value::Null);
    world.block().await;
    world.nodes[0].node.heal();
    world.hang(1, true);
    let took = world.block().await;
    assert!(took <= Duration::from_secs(7), "{took:?}");
    assert!(took >= Duration::from_secs(4), "{took:?}");
}

/// Where no quorum is to be had, a poll ends all the same.
// shows: P5 P7
#[tokio::test(start_paused = true)]
async fn a_poll_without_a_quorum_ends_within_seconds() {
    let mut world = World::new(3, 2, &[]);
    world.source.connect().await.unwrap();
    world.block().await;
    world.hang(1, true);
    world.hang(2, true);
    for _ in 0..20 {
        let took = world.block().await;
        assert!(took <= Duration::from_secs(5), "{took:?}");
        assert!(!world.source.has_agreed_tip());
        let began = Instant::now();
        let tip = world.source.status().await.unwrap().tip;
        let agreement = world.source.agreement(&[tip]).await;
        assert_eq!(agreement.held, None);
        assert_eq!(agreement.dissent.len(), 2, "{agreement:?}");
        let took = began.elapsed();
        assert!(took <= Duration::from_secs(7), "{took:?}");
        sleep(Duration::from_secs(1)).await;
    }
    world.hang(1, false);
    world.hang(2, false);
    // Who hung is still waiting for its transport; the second poll at the latest asks anew.
    world.block().await;
    sleep(Duration::from_secs(10)).await;
    world.block().await;
    assert!(world.source.has_agreed_tip());
}

/// What an endpoint answers to everything.
type Answer = fn() -> Result<HttpResponse, TransportError>;

fn answer(status: u16, retry_after_secs: Option<u64>, body: &str) -> HttpResponse {
    HttpResponse {
        status,
        retry_after_secs,
        body: body.into(),
    }
}

const ERROR: &str =
    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"upstream is away"}}"#;

/// Each by its name, and what its endpoint is called.
const CASES: [(&str, Answer, &str); 10] = [
    (
        "429 and for how long",
        || Ok(answer(429, Some(30), "")),
        "rate_limited",
    ),
    ("429", || Ok(answer(429, None, "slow down")), "rate_limited"),
    (
        "503 and for how long",
        || Ok(answer(503, Some(30), "")),
        "rate_limited",
    ),
    ("503", || Ok(answer(503, None, "busy")), "unreachable"),
    ("500", || Ok(answer(500, None, "oops")), "unreachable"),
    (
        "an error with 200",
        || Ok(answer(200, None, ERROR)),
        "unreachable",
    ),
    (
        "HTML with 200",
        || Ok(answer(200, None, "<html>hello</html>")),
        "unreachable",
    ),
    (
        "half a body",
        || Ok(answer(200, None, "[{\"jsonrpc\":\"2.0\",\"id\"")),
        "unreachable",
    ),
    (
        "a body that breaks off or cannot be unpacked",
        || Err(TransportError::Broken("unexpected end".to_owned())),
        "unreachable",
    ),
    ("401", || Ok(answer(401, None, "")), "unfit"),
];

/// Each is handled once: its endpoint is called what it is and left alone, and another is asked the same.
// shows: P5
#[tokio::test]
async fn whatever_one_answers_another_is_asked_at_once_and_it_is_left_alone() {
    for (name, bad, state) in CASES {
        let node = FakeNode::new();
        let built = node.mine(paying(1));
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let transport = MemoryTransport::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            bad()
        });
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let client = |name, transport| {
            Client::new(name, transport, Auth::None, Arc::clone(&clock), silent())
        };
        let clients = vec![client("bad", transport), client("good", node.transport())];
        let network = Network {
            chain_id: 31_337,
            genesis: None,
        };
        let said = Told::new(Mutex::default());
        let tell = Arc::clone(&said);
        let observer = move |name: &str, state: &str, why: &str| {
            assert_eq!(why.is_empty(), state == "untried" || state == "alive");
            tell.lock().unwrap().push(format!("{name} {state}"));
        };
        let source = EthereumSource::over(clients, network, Vec::new(), Arc::clone(&clock));
        let mut source = source.observed(Arc::new(observer));
        source.connect().await.unwrap();
        for _ in 0..3 {
            assert_eq!(
                source.status().await.unwrap().tip,
                reference(&built),
                "{name}"
            );
            source.blocks(&[reference(&built)]).await.unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{name}");
        let said = said.lock().unwrap();
        assert!(said.contains(&format!("bad {state}")), "{name}: {said:?}");
    }
}
