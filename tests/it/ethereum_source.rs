//! The Ethereum source against a real anvil: what it verifies, credits, refuses and follows.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use confirmd::{
    chain::{
        ChainSource, NodeStatus, SourceError,
        ethereum::{EthereumSource, TokenSpec},
        rpc::{HttpTransport, silent},
    },
    clock::{Clock, SystemClock},
    config::{Endpoint, EthereumNode, OnUnverifiable, SecretUrl},
    domain::{
        asset::AssetCode,
        block::{BlockHash, BlockRef, Height, TxId},
        facts::{BlockFacts, CreditAsset, IgnoredReason},
        transfer::Position,
    },
};

use crate::nodes::anvil::{Anvil, ETHER};
use crate::nodes::tokens::{self, Tokens};

const SHOP: Address = Address::repeat_byte(0x11);

type Source = EthereumSource<HttpTransport>;

fn config(anvil: &Anvil) -> EthereumNode {
    EthereumNode {
        block_time: None,
        chain_id: 31_337,
        genesis: None,
        quorum: 1,
        on_unverifiable: OnUnverifiable::Stop,
        endpoints: vec![Endpoint {
            operator: None,
            name: "anvil".to_owned(),
            ws_url: None,
            url: SecretUrl(anvil.url().parse().expect("a URL")),
        }],
    }
}

fn token(asset: &str, contract: Address, decimals: u8) -> TokenSpec {
    TokenSpec {
        asset: AssetCode::new(asset),
        contract: contract.into_array(),
        decimals,
    }
}

fn source(node: &EthereumNode, tokens: Vec<TokenSpec>) -> Source {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    EthereumSource::new(node, tokens, &clock, |_| silent()).expect("a source")
}

async fn connected(anvil: &Anvil, tokens: &Tokens) -> Source {
    let tokens = vec![token("USDT", tokens.usdt, 6), token("USDC", tokens.usdc, 6)];
    let mut source = source(&config(anvil), tokens);
    source.connect().await.expect("a connection");
    source
}

async fn tip(source: &mut Source) -> NodeStatus {
    source.status().await.expect("a status")
}

/// Mines what waits and reads that block.
async fn mined(anvil: &Anvil, source: &mut Source) -> BlockFacts {
    anvil.mine(1);
    let tip = tip(source).await.tip;
    let mut facts = source.blocks(&[tip]).await.expect("a verified block");
    assert_eq!(facts[0].block, tip);
    facts.remove(0)
}

/// The shop's credits as position, asset and amount.
fn credits(facts: &BlockFacts, tokens: &Tokens) -> Vec<(B256, Position, &'static str, u64)> {
    let to_shop = |credit: &_| credit_to(credit, SHOP);
    let one = |credit: confirmd::domain::facts::Candidate| {
        let asset = match credit.asset {
            CreditAsset::Native => "ETH",
            CreditAsset::Token(contract) if tokens.usdt == contract => "USDT",
            CreditAsset::Token(contract) if tokens.usdc == contract => "USDC",
            CreditAsset::Token(other) => panic!("no configured token: {other:?}"),
        };
        let TxId(txid) = facts.transactions[usize::try_from(credit.tx_index).expect("an index")];
        let amount = credit.amount.base().to::<u64>();
        (txid.into(), credit.position, asset, amount)
    };
    facts.credits.iter().filter(to_shop).map(one).collect()
}

fn credit_to(credit: &confirmd::domain::facts::Candidate, account: Address) -> bool {
    credit.destination.as_bytes() == account.as_slice()
}

fn permanent<T: std::fmt::Debug>(result: Result<T, SourceError>) -> String {
    match result {
        Err(SourceError::Permanent(text)) => text,
        other => panic!("expected a permanent error, got {other:?}"),
    }
}

#[tokio::test]
async fn payments_are_credited_and_look_alikes_are_not() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let mut source = connected(&anvil, &deployed).await;
    let Tokens {
        usdt,
        usdc,
        fake_usdt,
        mischief,
    } = deployed;

    let ether = anvil.send_eth(SHOP, ETHER);
    let calldata = anvil.call_contract(anvil.account(1), SHOP, 7, &[1, 2, 3, 4]);
    let dollars = tokens::transfer(&anvil, usdt, SHOP, 25_000_000);
    let other_dollars = tokens::transfer(&anvil, usdc, SHOP, 3_000_000);
    tokens::transfer(&anvil, fake_usdt, SHOP, 99_000_000);
    let shops: &[Address] = &[SHOP, SHOP];
    let amounts: &[u64] = &[1_000_000, 2_000_000];
    let batch = "batch(address,address[],uint256[])";
    let batch = anvil.invoke(
        mischief,
        batch,
        &[usdt.into(), shops.into(), amounts.into()],
    );
    let both = tokens::log_and_transfer(&anvil, &deployed, SHOP, 999, 7_000_000);
    anvil.invoke_paying(mischief, ETHER, "forwardAndRevert(address)", &[SHOP.into()]);
    let reverted = "transferAndRevert(address,address,uint256)";
    anvil.invoke(
        mischief,
        reverted,
        &[usdt.into(), SHOP.into(), 5_u64.into()],
    );
    let caught = "transferInRevertedCall(address,address,uint256)";
    anvil.invoke(mischief, caught, &[usdt.into(), SHOP.into(), 5_u64.into()]);
    let poison = "poison(address,address,address[])";
    anvil.invoke(
        mischief,
        poison,
        &[usdt.into(), anvil.account(3).into(), shops.into()],
    );

    let facts = mined(&anvil, &mut source).await;
    let log = Position::Log;
    let expected = [
        (ether, Position::Transaction, "ETH", ETHER),
        (calldata, Position::Transaction, "ETH", 7),
        (dollars, log(0), "USDT", 25_000_000),
        (other_dollars, log(0), "USDC", 3_000_000),
        (batch, log(0), "USDT", 1_000_000),
        (batch, log(1), "USDT", 2_000_000),
        (both, log(1), "USDT", 7_000_000),
    ];
    let mut found = credits(&facts, &deployed);
    found.sort_by_key(|(txid, ..)| expected.iter().position(|(known, ..)| known == txid));
    assert_eq!(found, expected);
    let refused = [
        (IgnoredReason::UnknownToken, 2),
        (IgnoredReason::ZeroValue, 2),
        (IgnoredReason::Failed, 1),
    ];
    assert_eq!(facts.ignored, refused);
    assert_eq!(facts.transactions.len(), 11);
}

#[tokio::test]
async fn malformed_logs_of_a_configured_contract_credit_nothing() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let odd = token("ODD", deployed.mischief, 6);
    let mut source = source(&config(&anvil), vec![odd]);
    source.connect().await.expect("a connection");
    // It has no decimals(), so its status would be refused; its blocks are read all the same.
    tokens::log_look_alikes(&anvil, &deployed, SHOP, 5);
    anvil.mine(1);
    let height = Height(u32::try_from(anvil.block_number()).expect("a height"));
    let headers = source.headers(height, 1).await.expect("a header");
    let facts = source.blocks(&headers).await.expect("a verified block");
    assert_eq!(facts[0].credits.len(), 1, "only the clean one");
    assert_eq!(facts[0].ignored, [(IgnoredReason::MalformedLog, 6)]);
}

#[tokio::test]
async fn a_fee_leaves_the_net_amount_as_the_credit() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let mut source = connected(&anvil, &deployed).await;
    tokens::set_fee(&anvil, deployed.usdt, 10, 5);
    anvil.mine(1);
    let payer = anvil.account(1);
    tokens::transfer(&anvil, deployed.usdt, payer, 100_000_000);
    anvil.mine(1);
    let call = crate::nodes::abi::encode_call(
        "transfer(address,uint256)",
        &[SHOP.into(), 50_000_000_u64.into()],
    );
    let paid = anvil.call_contract(payer, deployed.usdt, 0, &call);
    let facts = mined(&anvil, &mut source).await;
    let found = credits(&facts, &deployed);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0, found[0].3), (paid, 49_950_000));
}

// shows: T11
#[tokio::test]
async fn accounts_with_delegated_code_pay_and_are_paid() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let mut source = connected(&anvil, &deployed).await;
    // Code 0xef0100 and an address: an account that delegates to it (EIP-7702). The contract
    // accepts ether without a word.
    let code = format!(
        "0xef0100{}",
        alloy_primitives::hex::encode(deployed.mischief)
    );
    for account in [SHOP, anvil.account(2)] {
        anvil
            .rpc()
            .call("anvil_setCode", serde_json::json!([account, code]));
    }
    let paid = anvil.call_contract(anvil.account(2), SHOP, 9, &[]);
    let facts = mined(&anvil, &mut source).await;
    assert_eq!(
        credits(&facts, &deployed),
        [(paid, Position::Transaction, "ETH", 9)]
    );
    let payer = confirmd::chain::ethereum::sender::payer(&facts.credits.iter().next().unwrap());
    assert_eq!(payer, Some(anvil.account(2).into_array()));
}

#[tokio::test]
async fn an_amount_beyond_128_bits_is_read_as_it_is() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let mut source = connected(&anvil, &deployed).await;
    let mint = "mint(address,uint256)";
    let huge = U256::from(u128::MAX) + U256::from(1_u64);
    anvil.invoke(deployed.usdc, mint, &[SHOP.into(), huge.into()]);
    let facts = mined(&anvil, &mut source).await;
    let amounts: Vec<U256> = facts.credits.iter().map(|c| c.amount.base()).collect();
    assert_eq!(amounts, [huge]);
}

#[tokio::test]
async fn headers_tags_and_reorgs_are_followed() {
    let anvil = Anvil::start_with(&["--slots-in-an-epoch", "2"]);
    let deployed = Tokens::deploy(&anvil);
    let mut source = connected(&anvil, &deployed).await;
    anvil.mine(9);
    let status = tip(&mut source).await;
    let chain = source.headers(Height(0), 100).await.expect("headers");
    assert_eq!(chain.len(), 11);
    assert!(
        chain
            .windows(2)
            .all(|pair| pair[1].parent == pair[0].id.hash)
    );
    for (height, header) in (0..).zip(&chain) {
        assert_eq!(header.id.hash, BlockHash(anvil.hash_at(height).0));
    }
    assert_eq!(status.tip, chain[10]);
    assert_eq!(status.safe, Some(chain[8].id));
    assert_eq!(status.finalized, Some(chain[6].id));
    assert!(!status.syncing);
    source
        .blocks(&chain)
        .await
        .expect("every block, also empty ones and the genesis");

    assert!(!source.is_stale(chain[10].id).await.expect("an answer"));
    anvil.reorg(2);
    assert!(source.is_stale(chain[10].id).await.expect("an answer"));
    assert!(!source.is_stale(chain[8].id).await.expect("an answer"));
    gone(&mut source, chain[10]).await;
    anvil.rollback(3);
    assert!(
        !source.is_stale(chain[10].id).await.expect("an answer"),
        "the head is lower"
    );
    assert!(source.headers(Height(8), 5).await.expect("none").is_empty());
}

/// A block that the node has forgotten is not there, rather than empty.
async fn gone(source: &mut Source, block: BlockRef) {
    let answer = source.blocks(&[block]).await;
    assert!(matches!(answer, Err(SourceError::Behind(_))), "{answer:?}");
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_words() {
    let anvil = Anvil::start();
    let deployed = Tokens::deploy(&anvil);
    let other_chain = EthereumNode {
        chain_id: 1,
        ..config(&anvil)
    };
    let said = permanent(source(&other_chain, vec![]).connect().await);
    assert!(
        said.contains("chain id: expected 1, found 31337; correct chain_id"),
        "{said}"
    );
    let other_genesis = EthereumNode {
        genesis: Some(BlockHash([7; 32])),
        ..config(&anvil)
    };
    let said = permanent(source(&other_genesis, vec![]).connect().await);
    assert!(said.contains("genesis: expected 0x0707"), "{said}");

    let wrong = vec![
        token("USDT", deployed.usdt, 18),
        token("EMPTY", SHOP, 6),
        token("ODD", deployed.mischief, 6),
        token("USDC", deployed.usdc, 6),
    ];
    let mut source = source(&config(&anvil), wrong);
    source.connect().await.expect("the network is right");
    let problems = source.token_problems().await.expect("answers");
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, said) in problems.iter().zip([
        "expected 18 decimals, found 6",
        "expected a contract, found no code there",
        "expected 6 decimals, found no answer to decimals()",
    ]) {
        assert!(problem.contains(said), "{problem}");
    }
    permanent(source.status().await);
}
