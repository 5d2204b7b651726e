//! What balances grew by: who tells it, and for how long it is waited for.

use super::{
    distant::{Distant, SILENT},
    inner::{node, tracing},
    *,
};
use tokio::time::Instant;

/// An endpoint that never answers about balances holds up nobody once others have said enough.
#[tokio::test(start_paused = true)]
async fn whoever_is_silent_about_balances_is_not_waited_for_once_enough_have_told() {
    for (names, waits) in [(&["a", "b"][..], false), (&["a"][..], true)] {
        let able = FakeNode::new();
        let block = reference(&able.mine(|block| block));
        able.fault("eth_getBalance", json!("0xa"));
        let reached = |name| {
            let node = Distant::new(able.clone());
            if name == "mute" {
                node.takes(|asked| {
                    if asked.contains("eth_getBalance") {
                        SILENT
                    } else {
                        Duration::ZERO
                    }
                });
            }
            node
        };
        let names_and_mute = names.iter().copied().chain(["mute"]);
        let nodes = names_and_mute.map(|name| (name, reached(name)));
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

#[tokio::test]
async fn growth_is_told_by_each_operator_who_can_and_harms_nobody_who_cannot() {
    let (able, block) = node();
    let after = format!(
        "eth_getBalance [\"{SHOP:#x}\",{{\"blockHash\":\"0x{}\"",
        block.id.hash
    );
    able.fault(Box::leak(after.into_boxed_str()), json!("0x1e"));
    able.fault("eth_getBalance", json!("0xa"));
    let (unable, _) = node();
    unable.fault("eth_getBalance", error(-32000, "missing trie node"));
    let mut source = tracing(&[("able", &able), ("unable", &unable)]).await;
    let destination = Destination::new(SHOP.as_slice()).unwrap();
    let grown = source.growth(block, &[destination]).await.unwrap();
    assert_eq!(grown, [vec![Amount::from_u64(20)]]);
    assert_eq!(
        source.endpoints.back(),
        [0, 1],
        "nobody is left alone for it"
    );
    // Of one operator, one endpoint has dropped the state and another keeps it.
    let source = source_of(&[("unable", &unable), ("able", &able)]);
    let operators = vec!["one".to_owned(); 2];
    let mut source = source.looking_inside(None).with_quorum(1, operators);
    source.status().await.unwrap();
    let grown = source.growth(block, &[destination; 2]).await.unwrap();
    assert_eq!(grown, vec![vec![Amount::from_u64(20)]; 2]);
    let mut source = tracing(&[("unable", &unable)]).await;
    assert_eq!(source.growth(block, &[destination]).await, Ok(vec![vec![]]));
    // Where balances alone tell anything it matters why.
    let said = told(source.balances(block, &[destination]).await);
    assert!(
        said.starts_with("permanent: ") && said.contains("missing trie node"),
        "{said}"
    );
}

/// Being slow about balances is no reason to be left out of what is said of tips.
#[tokio::test(start_paused = true)]
async fn whoever_is_silent_about_balances_is_waited_for_at_the_next_poll() {
    let node = FakeNode::new();
    let block = reference(&node.mine(|block| block));
    node.fault("eth_getBalance", json!("0xa"));
    let names = ["a", "b", "mute"];
    let nodes = names.map(|name| {
        let node = Distant::new(node.clone());
        if name == "mute" {
            let is_balance = |asked: &str| asked.contains("eth_getBalance");
            node.takes(move |asked| if is_balance(asked) { SILENT } else { SLOW });
        }
        (name, node)
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
