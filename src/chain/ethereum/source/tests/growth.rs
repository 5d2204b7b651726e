//! What balances grew by: for how long it is waited for.

use super::*;
use crate::chain::rpc::{HttpRequest, HttpResponse, TransportError, Verb};
use tokio::time::Instant;

/// An endpoint that never answers about balances holds up nobody once others have said enough.
#[tokio::test(start_paused = true)]
async fn whoever_is_silent_about_balances_is_not_waited_for_once_enough_have_told() {
    for (names, waits) in [(&["a", "b"][..], false), (&["a"][..], true)] {
        let able = FakeNode::new();
        let block = reference(&able.mine(|block| block));
        able.fault("eth_getBalance", json!("0xa"));
        let node = |name| Mute {
            node: able.transport(),
            is_mute: name == "mute",
        };
        let names_and_mute = names.iter().copied().chain(["mute"]);
        let nodes = names_and_mute.map(|name| (name, node(name)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let source = source_over(nodes, &clock);
        let mut source = source.looking_inside(None);
        source.connect().await.unwrap();
        source.status().await.unwrap();
        let destination = Destination::new(SHOP.as_slice()).unwrap();
        // Whoever is not connected yet gets the time for it once.
        source.growth(block, &[destination]).await.unwrap();
        let since = Instant::now();
        let grown = source.growth(block, &[destination]).await.unwrap();
        assert_eq!(grown[0].len(), names.len());
        let waited = since.elapsed() >= Duration::from_secs(1);
        assert_eq!(waited, waits, "{:?}", since.elapsed());
    }
}

/// A node that may not answer what is asked about balances.
struct Mute {
    node: MemoryTransport,
    is_mute: bool,
}

impl Transport for Mute {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        if self.is_mute && String::from_utf8_lossy(body).contains("eth_getBalance") {
            std::future::pending::<()>().await;
        }
        if self.is_mute {
            tokio::time::sleep(SLOW).await;
        }
        self.node.exchange(request).await
    }

    fn place(&self) -> &'static str {
        "mute"
    }
}

/// Being slow about balances is no reason to be left out of what is said of tips.
#[tokio::test(start_paused = true)]
async fn whoever_is_silent_about_balances_is_waited_for_at_the_next_poll() {
    let node = FakeNode::new();
    let block = reference(&node.mine(|block| block));
    node.fault("eth_getBalance", json!("0xa"));
    let names = ["a", "b", "mute"];
    let nodes = names.map(|name| {
        let (node, is_mute) = (node.transport(), name == "mute");
        (name, Mute { node, is_mute })
    });
    let source = source_over(nodes, &Paused::clock());
    let operators = names.map(str::to_owned).to_vec();
    let mut source = source.with_quorum(2, operators).looking_inside(None);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let destination = Destination::new(SHOP.as_slice()).unwrap();
    for _ in 0..2 {
        source.growth(block, &[destination]).await.unwrap();
    }
    let began = Instant::now();
    source.status().await.unwrap();
    assert_eq!(began.elapsed(), SLOW, "a tenth of a second is not too long");
}

/// How long who is mute about balances takes for anything else.
const SLOW: Duration = Duration::from_millis(100);
