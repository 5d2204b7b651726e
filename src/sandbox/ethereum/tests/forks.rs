//! Branches, and views of them.

use super::*;
use crate::{
    chain::NodeStatus,
    sandbox::json_rpc::{INVALID_PARAMS, METHOD_NOT_FOUND},
};

#[tokio::test]
async fn one_transaction_ends_differently_on_two_branches() {
    let mut rig = Rig::new().await;
    let root = rig.mine(Vec::new()).id.hash;
    let mut sender = Sender::new(CHAIN_ID, 1);
    let mut operator = Sender::new(CHAIN_ID, 2);
    let payment = sender.sign(Intent::token(USDT, SHOP, units(10_000)));
    let fee = Change::Fee {
        basis_points: 100,
        maximum: units(1_000),
    };
    let fee = operator.sign(Intent::administer(USDT, fee));
    let pause = operator.sign(Intent::administer(USDT, Change::Pause));
    let full = "token 0 log:0 USDT shop 10000";
    let net = "token 1 log:0 USDT shop 9900";
    let taken = "token 1 log:1 USDT 0x0f 100";
    for (name, transactions, expected) in [
        ("as asked", vec![payment.clone()], vec![full]),
        ("again elsewhere", vec![payment.clone()], vec![full]),
        ("with a fee", vec![fee, payment.clone()], vec![net, taken]),
        ("paused", vec![pause, payment.clone()], vec![]),
        ("failing", vec![payment.failing()], vec![]),
        ("not at all", vec![], vec![]),
    ] {
        let block = rig.mine_on(root, transactions);
        assert_eq!(rig.agrees(block, name).await, expected, "{name}");
        let facts = rig.facts(block).await;
        let holds = facts.transactions.contains(&payment.id());
        assert_eq!(holds, name != "not at all", "{name}");
        // The rules of a branch are not those of another one.
        let after = rig.mine(Vec::new());
        assert!(rig.agrees(after, name).await.is_empty());
    }
}

#[tokio::test]
async fn a_replacement_has_the_nonce_and_is_another_transaction() {
    let mut sender = Sender::new(CHAIN_ID, 1);
    let first = sender.sign(Intent::ether(SHOP, units(1)));
    let same = sender.sign_instead(&first, Intent::ether(SHOP, units(1)));
    let instead = sender.sign_instead(&first, Intent::ether(OTHER, units(1)));
    let next = sender.sign(Intent::ether(SHOP, units(1)));
    assert_eq!(same.id(), first.id());
    assert_ne!(instead.id(), first.id());
    assert_ne!(next.id(), first.id());
    assert_eq!([instead.nonce(), next.nonce()], [0, 1]);
    assert_eq!(first.from(), sender.address());
}

#[tokio::test]
async fn the_signer_that_the_source_recovers_is_the_sender() {
    let mut rig = Rig::new().await;
    let mut types = Vec::new();
    for kind in Kind::ALL {
        let mut sender = Sender::new(CHAIN_ID, 3);
        let tx = sender.sign(Intent::ether(SHOP, units(1)).of_kind(kind));
        let block = rig.mine(vec![tx]);
        let facts = rig.facts(block).await;
        let payer = crate::chain::ethereum::sender::payer(&facts.credits.iter().next().unwrap());
        assert_eq!(payer, Some(sender.address()), "{kind:?}");
        let hash = serde_json::json!([format!("0x{}", block.id.hash), true]);
        let whole = rig.world().call("eth_getBlockByHash", hash).unwrap();
        let tx = &whole["transactions"][0];
        types.push((tx["type"].clone(), tx["chainId"].is_string()));
    }
    let expected = [
        ("0x0", false),
        ("0x0", true),
        ("0x1", true),
        ("0x2", true),
        ("0x3", true),
        ("0x4", true),
    ];
    assert_eq!(types, expected.map(|(kind, chain)| (kind.into(), chain)));
}

fn id(status: &NodeStatus) -> (Height, Option<Height>, Option<Height>, bool) {
    let height = |id: crate::domain::block::BlockId| id.height;
    (
        status.tip.id.height,
        status.safe.map(height),
        status.finalized.map(height),
        status.syncing,
    )
}

#[tokio::test]
async fn tags_and_heads_are_those_of_the_view() {
    let mut rig = Rig::new().await;
    let blocks: Vec<BlockRef> = (0..5).map(|_| rig.mine(Vec::new())).collect();
    let status = rig.source.status().await.unwrap();
    assert_eq!(id(&status), (Height(5), None, None, false));
    assert_eq!(status.tip, blocks[4]);
    {
        let World { chain, view } = &mut *rig.world();
        *view = View::new(chain);
        view.finalize_to(Some(Height(2)));
        view.make_safe_to(Some(Height(3)));
        view.syncing = true;
        view.lag_behind(chain, blocks[4].id.hash, 1);
    }
    let status = rig.source.status().await.unwrap();
    let expected = (Height(4), Some(Height(3)), Some(Height(2)), true);
    assert_eq!(id(&status), expected);
    // Above its head there is nothing, by number or by hash.
    let headers = rig.source.headers(Height(3), 4).await.unwrap();
    assert_eq!(headers, blocks[2..4]);
    let missing = rig.source.blocks(&blocks[4..]).await;
    assert!(
        matches!(missing, Err(SourceError::Behind(_))),
        "{missing:?}"
    );
    rig.world().view.finalize_to(None);
    let status = rig.source.status().await.unwrap();
    assert_eq!(id(&status), (Height(4), None, None, true));
}

#[tokio::test]
async fn a_block_that_left_the_branch_is_remembered_unless_the_node_forgets() {
    let mut rig = Rig::new().await;
    let root = rig.mine(Vec::new());
    let left = rig.mine(Vec::new());
    assert!(!rig.source.is_stale(left.id).await.unwrap());
    rig.mine_on(root.id.hash, Vec::new());
    assert!(rig.source.is_stale(left.id).await.unwrap());
    assert_eq!(rig.facts(left).await.block, left);
    rig.world().view.forgetful = true;
    let gone = rig.source.blocks(&[left]).await;
    assert!(matches!(gone, Err(SourceError::Behind(_))), "{gone:?}");
    // Back to it: the other one is aside now, and this one's again whatever the node forgets.
    {
        let World { chain, view } = &mut *rig.world();
        view.set_head(chain, left.id.hash);
    }
    assert_eq!(rig.facts(left).await.block, left);
}

#[tokio::test]
async fn views_of_one_chain_differ() {
    let mut chain = chain();
    let root = chain.genesis().id.hash;
    let at = |seconds| START.plus(SpanMs::from_secs(seconds));
    let [one, other] = [1, 1].map(|s| chain.extend(root, at(12 * s), Vec::new()).unwrap());
    assert_ne!(one, other, "no two blocks are equal");
    let known = [one, other].map(|block| {
        let mut view = View::new(&chain);
        view.set_head(&chain, block.id.hash);
        [one, other].map(|which| view.known(&chain, which.id.hash).is_some())
    });
    assert_eq!(known, [[true, false], [false, true]]);
}

#[tokio::test]
async fn receipts_come_by_number_or_one_by_one_where_hashes_are_not_taken() {
    let mut rig = Rig::new().await;
    rig.world().view.receipts = Receipts::ByNumber;
    rig.source.connect().await.unwrap();
    let mut sender = Sender::new(CHAIN_ID, 1);
    let block = rig.mine(vec![sender.sign(Intent::token(USDC, SHOP, units(4)))]);
    let found = rig.agrees(block, "by number").await;
    assert_eq!(found, ["token 0 log:0 USDC shop 4"]);
    let by_hash = serde_json::json!([format!("0x{}", block.id.hash)]);
    let asked = || rig.world().call("eth_getBlockReceipts", by_hash.clone());
    assert!(asked().unwrap_err().contains(&INVALID_PARAMS.to_string()));
    rig.world().view.receipts = Receipts::NotOffered;
    assert!(asked().unwrap_err().contains(&METHOD_NOT_FOUND.to_string()));
    rig.source.connect().await.unwrap();
    let found = rig.agrees(block, "one by one").await;
    assert_eq!(found, ["token 0 log:0 USDC shop 4"]);
}

#[tokio::test]
async fn a_token_that_is_not_as_configured_is_noticed() {
    let mut tokens = vec![token(USDT, "USDT", TokenKind::Tether)];
    tokens[0].decimals = 18;
    let mut rig = Rig::on(Chain::new(CHAIN_ID, START, tokens)).await;
    let problem = rig.source.status().await.unwrap_err().to_string();
    assert!(
        problem.contains("expected 6 decimals, found 18"),
        "{problem}"
    );
    assert!(problem.contains("found no code there"), "{problem}");
}

#[tokio::test]
async fn pruned_blocks_keep_header_and_credits_and_refuse_the_rest() {
    let mut rig = Rig::new().await;
    let mut sender = Sender::new(CHAIN_ID, 1);
    let old = rig.mine(vec![sender.sign(Intent::ether(SHOP, units(1)))]);
    let kept = rig.mine(vec![sender.sign(Intent::ether(SHOP, units(2)))]);
    rig.world().chain.prune_below(Height(2));
    let gone = rig.source.blocks(&[old]).await;
    assert!(matches!(gone, Err(SourceError::Permanent(_))), "{gone:?}");
    assert_eq!(rig.truth(old).len(), 1);
    assert_eq!(rig.source.headers(Height(1), 2).await.unwrap(), [old, kept]);
    assert_eq!(rig.agrees(kept, "kept").await.len(), 1);
}

#[test]
fn nothing_is_built_on_an_unknown_block() {
    let unknown = BlockHash([7; 32]);
    let refused = chain().extend(unknown, START, Vec::new());
    assert_eq!(refused, Err(UnknownParent(unknown)));
}

#[test]
fn time_never_goes_back_within_a_branch() {
    let mut chain = chain();
    let root = chain.genesis();
    let block = chain.extend(root.id.hash, UnixMs(-5), Vec::new()).unwrap();
    assert_eq!(block.time, root.time.plus(SpanMs(1_000)));
}
