//! Receipts one by one, where a node does not offer those of a block: the same proof for more calls.

use super::{endpoints::asked, *};
use crate::chain::{
    ethereum::fake_node::BatchRefusal,
    rpc::{HttpRequest, HttpResponse, TransportError, Verb},
};
use std::{sync::Mutex, time::Duration};
use tokio::time::{Instant, sleep};

const RECEIPT: &str = "eth_getTransactionReceipt";

/// A block with so many transactions that pay the shop.
fn many(count: u64) -> impl FnOnce(BlockBuilder) -> BlockBuilder {
    move |block| (1..=count).fold(block, |block, wei| block.ether(SHOP, U256::from(wei)))
}

async fn credits(source: &mut Source, built: &Built) -> usize {
    let facts = source.blocks(&[reference(built)]).await.unwrap();
    facts[0].credits.len()
}

#[tokio::test]
async fn where_they_do_not_come_by_the_block_receipts_come_one_by_one() {
    for code in [-32601, -32600, -32004] {
        let node = FakeNode::new();
        node.state().no_block_receipts = Some(code);
        let (built, empty) = (node.mine(paying(5)), node.mine(|block| block));
        let mut source = connected(&node).await;
        assert_eq!(credits(&mut source, &built).await, 2, "{code}");
        assert_eq!(asked(&node, RECEIPT), 3, "with the one that was probed");
        assert_eq!(credits(&mut source, &empty).await, 0);
        assert_eq!(asked(&node, RECEIPT), 3, "an empty block needs none");
        assert_eq!(
            source.receipts_method(),
            "one by one: 0 calls for the latest block"
        );
        node.mine(many(7));
        source.connect().await.unwrap();
        assert_eq!(
            source.receipts_method(),
            "one by one: 7 calls for the latest block"
        );
        node.state().no_block_receipts = None;
        source.connect().await.unwrap();
        assert_eq!(source.receipts_method(), "by block");
    }
}

#[tokio::test]
async fn an_endpoint_without_any_receipts_is_refused() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    node.fault(RECEIPT, error(-32601, "no such method"));
    let said = told(source(&node).connect().await);
    assert!(
        said.starts_with("permanent: local (memory): neither eth_getBlockReceipts"),
        "{said}"
    );
    node.heal();
    node.fault(RECEIPT, error(-32000, "busy"));
    assert!(told(source(&node).connect().await).starts_with("transient"));
}

/// What is withheld or changed, and what is said of it.
#[tokio::test]
async fn single_receipts_are_held_against_the_root_all_the_same() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let (built, other) = (node.mine(paying(5)), node.mine(paying(6)));
    let mut source = connected(&node).await;
    let first = format!("{RECEIPT} [{}", built.receipts[0]["transactionHash"]);
    let first: &str = Box::leak(first.into_boxed_str());
    let (mut failed, mut inflated) = (built.receipts[0].clone(), built.receipts[1].clone());
    failed["status"] = json!("0x0");
    inflated["logs"][0]["data"] = word(7);
    for (answer, said) in [
        (Value::Null, "behind"),
        (failed, "transient"),
        (inflated, "transient"),
        (other.receipts[0].clone(), "ok"),
        (other.receipts[1].clone(), "transient"),
        (json!({}), "transient"),
        (json!([]), "transient"),
        (error(4444, "pruned"), "permanent"),
        (error(-32000, "busy"), "transient"),
    ] {
        node.fault(first, answer.clone());
        let found = source.blocks(&[reference(&built)]).await;
        if said == "ok" {
            // Two plain payments leave the same behind.
            assert_eq!(found.unwrap()[0].credits.len(), 2);
        } else {
            let found = told(found);
            assert!(found.starts_with(said), "{answer}: {found}");
        }
        node.heal();
        source.connect().await.unwrap();
    }
    assert_eq!(credits(&mut source, &built).await, 2);
}

#[tokio::test]
async fn a_block_that_names_a_transaction_twice_or_not_at_all_is_asked_no_further() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let built = node.mine(many(3));
    let mut source = connected(&node).await;
    let mut twice = built.block.clone();
    twice["transactions"][2] = twice["transactions"][0].clone();
    let mut nameless = built.block.clone();
    nameless["transactions"][2]["hash"] = Value::Null;
    for block in [twice, nameless] {
        node.fault("eth_getBlockByHash", block);
        let before = asked(&node, RECEIPT);
        let said = told(source.blocks(&[reference(&built)]).await);
        assert!(
            said.contains("list of transactions cannot be read"),
            "{said}"
        );
        assert_eq!(asked(&node, RECEIPT), before);
        node.heal();
    }
}

#[tokio::test]
async fn a_batch_that_a_node_refuses_is_halved_until_it_is_taken() {
    for (refusal, max, sizes) in [
        (None, 0, &[100, 100, 50][..]),
        (Some(BatchRefusal::Whole), 30, &[100, 50, 25, 25][..]),
        (Some(BatchRefusal::Rest), 30, &[100, 50, 25, 25][..]),
        (
            Some(BatchRefusal::Whole),
            1,
            &[100, 50, 25, 12, 6, 3, 1, 1][..],
        ),
    ] {
        let node = FakeNode::new();
        node.state().no_block_receipts = Some(-32601);
        let built = node.mine(many(250));
        let mut source = connected(&node).await;
        node.state().batches.clear();
        node.state().batch_max = refusal.map(|refusal| (max, refusal));
        assert_eq!(credits(&mut source, &built).await, 250, "{refusal:?}");
        let batches = node.state().batches.clone();
        assert_eq!(batches[..sizes.len()], *sizes, "{refusal:?}");
        assert_eq!(credits(&mut source, &built).await, 250);
        let last = *sizes.last().unwrap();
        let again = node.state().batches[batches.len()];
        assert!(
            again == last || refusal.is_none(),
            "it is remembered: {again}"
        );
    }
}

/// One that has no time for the last few receipts is not one that takes so few only.
#[tokio::test]
async fn a_refusal_of_the_rest_says_nothing_of_a_whole_batch() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let built = node.mine(many(103));
    let mut source = connected(&node).await;
    for sizes in [&[100, 3, 1, 1, 1][..], &[100, 3]] {
        node.state().refuses_once = (sizes.len() > 2).then_some(3);
        node.state().batches.clear();
        assert_eq!(credits(&mut source, &built).await, 103);
        assert_eq!(node.state().batches, *sizes);
    }
}

#[tokio::test]
async fn a_batch_grows_again_once_smaller_ones_were_taken_for_a_while() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let built = node.mine(many(250));
    let mut source = connected(&node).await;
    node.state().batch_max = Some((30, BatchRefusal::Whole));
    credits(&mut source, &built).await;
    node.state().batch_max = None;
    for times in 0..10 {
        node.state().batches.clear();
        assert_eq!(credits(&mut source, &built).await, 250);
        if node.state().batches == [100, 100, 50] {
            assert!(times > 2, "not at once");
            return;
        }
    }
    panic!("{:?}", node.state().batches);
}

/// Whoever invents a block may invent as many transactions as an answer holds, and tell each receipt slowly.
#[tokio::test]
async fn what_is_not_the_block_is_not_asked_for_its_receipts() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let built = node.mine(many(3));
    let mut source = source(&node).on_unverifiable(OnUnverifiable::Degrade);
    source.connect().await.unwrap();
    source.status().await.unwrap();
    let (mut longer, mut other) = (built.block.clone(), built.block.clone());
    let mut invented = built.block["transactions"][0].clone();
    invented["hash"] = json!(SHOP.into_word());
    longer["transactions"]
        .as_array_mut()
        .unwrap()
        .push(invented);
    other["timestamp"] = json!("0x1");
    for (block, times) in [(longer, 1), (other, 12)] {
        node.fault("eth_getBlockByHash", block);
        let before = asked(&node, RECEIPT);
        for _ in 0..times {
            let said = told(source.blocks(&[reference(&built)]).await);
            assert!(said.contains("contradicts its hash"), "{said}");
        }
        assert_eq!(asked(&node, RECEIPT), before);
        node.heal();
    }
    assert_eq!(credits(&mut source, &built).await, 3);
}

/// A node that takes its time for receipts.
struct Slow {
    node: MemoryTransport,
    pause: Duration,
}

impl Transport for Slow {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        if String::from_utf8_lossy(body).contains(RECEIPT) {
            sleep(self.pause).await;
        }
        self.node.exchange(request).await
    }

    fn place(&self) -> &'static str {
        "slow"
    }
}

#[tokio::test(start_paused = true)]
async fn all_receipts_of_a_block_have_one_deadline() {
    for (seconds, comes) in [(30, true), (50, false)] {
        let node = FakeNode::new();
        node.state().no_block_receipts = Some(-32601);
        let built = node.mine(many(250));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let slow = Slow {
            node: node.transport(),
            pause: Duration::from_secs(seconds),
        };
        let mut source = source_over([("slow", slow)], &clock);
        source.connect().await.unwrap();
        let since = Instant::now();
        let found = source.blocks(&[reference(&built)]).await;
        if comes {
            assert_eq!(found.unwrap()[0].credits.len(), 250);
            continue;
        }
        let said = told(found);
        assert!(
            said.starts_with("transient") && said.contains("not all 250 within 120 s"),
            "{said}"
        );
        assert_eq!(since.elapsed().as_secs(), 120);
    }
}

/// A node of a plan that allows so many receipts a second, and says so call by call in answers with HTTP
/// status 200.
struct Throttled {
    node: MemoryTransport,
    a_second: usize,
    /// Since when, and how many are left.
    left: Mutex<(Instant, usize)>,
}

impl Throttled {
    /// How many of so many are answered now.
    fn take(&self, wanted: usize) -> usize {
        let mut left = self.left.lock().unwrap();
        if left.0.elapsed() >= Duration::from_secs(1) {
            *left = (Instant::now(), self.a_second);
        }
        let taken = wanted.min(left.1);
        left.1 -= taken;
        taken
    }
}

impl Transport for Throttled {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let Verb::Post(body) = &request.verb else {
            panic!("only POST")
        };
        let asked: Value = serde_json::from_slice(body).unwrap();
        let calls = asked
            .as_array()
            .filter(|calls| calls[0]["method"] == RECEIPT);
        let Some(calls) = calls else {
            return self.node.exchange(request).await;
        };
        let (taken, rest) = calls.split_at(self.take(calls.len()));
        let mut answers: Vec<Value> = Vec::new();
        if !taken.is_empty() {
            let mut request = request.clone();
            request.verb = Verb::Post(serde_json::to_vec(taken).unwrap());
            let answered = self.node.exchange(&request).await?;
            answers = serde_json::from_slice(&answered.body).unwrap();
        }
        answers.extend(rest.iter().map(|call| {
            json!({"id": call["id"], "error": {"code": -32005, "message": "limit exceeded"}})
        }));
        Ok(HttpResponse::ok(json!(answers).to_string()))
    }

    fn place(&self) -> &'static str {
        "throttled"
    }
}

// shows: P5
#[tokio::test(start_paused = true)]
async fn who_may_ask_for_few_receipts_a_second_still_has_the_whole_block() {
    let node = FakeNode::new();
    node.state().no_block_receipts = Some(-32601);
    let built = node.mine(many(250));
    let throttled = Throttled {
        node: node.transport(),
        a_second: 20,
        left: Mutex::new((Instant::now(), 20)),
    };
    let mut source = source_over([("throttled", throttled)], &Paused::clock());
    source.connect().await.unwrap();
    let (since, before) = (Instant::now(), asked(&node, RECEIPT));
    let found = source.blocks(&[reference(&built)]).await.unwrap();
    assert_eq!(found[0].credits.len(), 250);
    assert_eq!(asked(&node, RECEIPT) - before, 250, "none twice");
    assert!(
        since.elapsed() < Duration::from_secs(20),
        "{:?}",
        since.elapsed()
    );
}
