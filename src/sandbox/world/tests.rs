//! What the world does by itself and when it is told.

use super::*;
use crate::{
    chain::rpc::{Limits, Verb},
    domain::{block::Height, time::SpanMs},
};
use serde_json::{Value, json};

const BEGIN: UnixMs = UnixMs(1_767_225_600_000);

/// Nothing has this script or account.
fn somebody(chain: ChainKind) -> Destination {
    let bytes = match chain {
        ChainKind::Bitcoin => [&[0x00, 0x14][..], &[0x11; 20]].concat(),
        ChainKind::Ethereum => vec![0x11; 20],
    };
    Destination::new(&bytes).unwrap()
}

fn pay(chain: ChainKind) -> Pay {
    Pay {
        chain,
        to: somebody(chain),
        asset: CreditAsset::Native,
        amount: Amount::from_u64(5_000),
    }
}

fn after(seconds: i64) -> UnixMs {
    BEGIN.plus(SpanMs::from_secs(seconds))
}

fn heights(world: &World) -> [u32; 2] {
    [ChainKind::Bitcoin, ChainKind::Ethereum].map(|chain| world.tip(chain).id.height.0)
}

fn ask(world: &World, chain: ChainKind, method: &str, params: &Value) -> Value {
    let call = json!({ "id": 1, "method": method, "params": params });
    let request = HttpRequest {
        verb: Verb::Post(call.to_string().into()),
        path: String::new(),
        authorization: None,
        limits: Limits::ANSWER,
    };
    let response = world.respond(chain, &request);
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(reply) => reply["result"].clone(),
        Err(_) => json!(response.status),
    }
}

/// The height of the block that holds an Ethereum transaction; null in none.
fn mined_in(world: &World, txid: TxId) -> Value {
    let params = json!([format!("0x{txid}")]);
    let receipt = ask(
        world,
        ChainKind::Ethereum,
        "eth_getTransactionReceipt",
        &params,
    );
    receipt["blockNumber"].clone()
}

fn mempool(world: &World) -> Value {
    ask(world, ChainKind::Bitcoin, "getrawmempool", &json!([]))
}

#[test]
fn blocks_come_by_themselves_at_each_chains_pace_and_not_while_it_stalls() {
    let mut world = World::new(BEGIN);
    let [bitcoin, ethereum] = heights(&world);
    for (seconds, more) in [(11, [0, 0]), (12, [0, 1]), (599, [0, 49]), (600, [1, 50])] {
        world.advance(after(seconds));
        assert_eq!(
            heights(&world),
            [bitcoin + more[0], ethereum + more[1]],
            "{seconds}"
        );
    }
    world.stall(ChainKind::Bitcoin, true);
    assert!(world.is_stalled(ChainKind::Bitcoin) && !world.is_stalled(ChainKind::Ethereum));
    world.advance(after(1_800));
    assert_eq!(heights(&world), [bitcoin + 1, ethereum + 150]);
    world.stall(ChainKind::Bitcoin, false);
    world.advance(after(2_400));
    assert_eq!(heights(&world), [bitcoin + 2, ethereum + 200]);
    assert_eq!(world.tip(ChainKind::Bitcoin).time, after(2_400));
}

#[test]
fn a_machine_that_slept_for_long_makes_up_for_some_blocks_only() {
    let mut world = World::new(BEGIN);
    let [bitcoin, ethereum] = heights(&world);
    world.advance(after(400 * 86_400));
    assert_eq!(heights(&world), [bitcoin + 500, ethereum + 500]);
}

#[test]
fn what_is_paid_is_in_the_next_block_and_back_after_a_reorganisation() {
    let mut world = World::new(BEGIN);
    let bitcoin = world.pay(&pay(ChainKind::Bitcoin)).unwrap();
    let ethereum = world.pay(&pay(ChainKind::Ethereum)).unwrap();
    for chain in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        world.mine_empty(chain).unwrap();
    }
    assert_eq!(heights(&world), [101, 101]);
    assert_eq!(mempool(&world), json!([bitcoin.to_string()]));
    assert_eq!(mined_in(&world, ethereum), Value::Null);
    for chain in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        world.mine(&[chain], 2).unwrap();
    }
    assert_eq!(mempool(&world), json!([]));
    assert_eq!(mined_in(&world, ethereum), json!("0x66"));
    let before = heights(&world);
    for chain in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        world.reorg(&[chain], 2).unwrap();
    }
    assert_eq!(heights(&world), before.map(|height| height + 1));
    assert_eq!(mempool(&world), json!([bitcoin.to_string()]));
    assert_eq!(mined_in(&world, ethereum), Value::Null);
    world.mine(&[ChainKind::Ethereum], 1).unwrap();
    assert_eq!(mined_in(&world, ethereum), json!("0x69"));
}

#[test]
fn a_reorganisation_of_younger_blocks_leaves_what_is_below() {
    let mut world = World::new(BEGIN);
    let ethereum = world.pay(&pay(ChainKind::Ethereum)).unwrap();
    world.mine(&[ChainKind::Ethereum], 3).unwrap();
    world.reorg(&[ChainKind::Ethereum], 2).unwrap();
    assert_eq!(mined_in(&world, ethereum), json!("0x65"));
}

#[test]
fn an_unconfirmed_transaction_is_replaced_by_another_of_the_same_coin() {
    let mut world = World::new(BEGIN);
    let to = somebody(ChainKind::Bitcoin);
    let paying = Unconfirmed::Paying(to);
    let nothing = Err(Refused::NothingToReplace);
    assert_eq!(world.replace(paying, None), nothing);
    let first = world.pay(&pay(ChainKind::Bitcoin)).unwrap();
    assert_eq!(
        world.replace(Unconfirmed::Called(TxId([7; 32])), None),
        nothing
    );
    let second = world
        .replace(paying, Some(Amount::from_u64(7_000)))
        .unwrap();
    assert_eq!(second.gone, first);
    assert_eq!(mempool(&world), json!([second.by.to_string()]));
    // Whoever it paid is paid this much more.
    let called = Unconfirmed::Called(second.by);
    let third = world
        .replace(called, Some(Amount::from_u64(9_000)))
        .unwrap();
    assert_eq!(third.gone, second.by);
    let fourth = world.replace(paying, None).unwrap();
    assert_eq!(fourth.gone, third.by);
    assert_eq!(mempool(&world), json!([fourth.by.to_string()]));
    assert_eq!(
        world.replace(paying, None),
        nothing,
        "it pays nobody any more"
    );
    let called = Unconfirmed::Called(fourth.by);
    let amount = Some(Amount::from_u64(1));
    assert_eq!(world.replace(called, amount), Err(Refused::PaysNobody));
    let fifth = world.replace(called, None).unwrap();
    assert_ne!(fifth.by, fourth.by, "a replacement is another transaction");
    assert!(world.waits(fifth.by) && !world.waits(fourth.by));
}

#[test]
fn of_several_transactions_that_pay_the_same_one_is_to_be_named() {
    let mut world = World::new(BEGIN);
    let paying = Unconfirmed::Paying(somebody(ChainKind::Bitcoin));
    let mut sent: Vec<TxId> = (0..2)
        .map(|_| world.pay(&pay(ChainKind::Bitcoin)).unwrap())
        .collect();
    sent.sort_unstable();
    let refused = world.replace(paying, None).unwrap_err();
    assert_eq!(refused, Refused::Several(sent.clone()));
    assert!(
        refused.to_string().contains(&sent[1].to_string()),
        "{refused}"
    );
    let replaced = world.replace(Unconfirmed::Called(sent[1]), None).unwrap();
    assert_eq!(replaced.gone, sent[1]);
}

#[test]
fn final_blocks_and_numbers_out_of_range_are_refused() {
    let mut world = World::new(BEGIN);
    world.mine(&[ChainKind::Bitcoin], 200).unwrap();
    for (chain, most) in [(ChainKind::Bitcoin, 99), (ChainKind::Ethereum, 64)] {
        for blocks in [0, most + 1] {
            assert_eq!(world.reorg(&[chain], blocks), Err(Refused::Blocks { most }));
        }
        world.reorg(&[chain], most).unwrap();
        let refused = Err(Refused::Blocks { most: MAX_BLOCKS });
        assert_eq!(world.mine(&[chain], MAX_BLOCKS + 1), refused);
    }
    let before = heights(&world);
    let both = [ChainKind::Bitcoin, ChainKind::Ethereum];
    assert_eq!(world.reorg(&both, 99), Err(Refused::Blocks { most: 64 }));
    assert_eq!(heights(&world), before, "a refusal does nothing");
    let token = Pay {
        asset: CreditAsset::Token([1; 20]),
        ..pay(ChainKind::Bitcoin)
    };
    assert_eq!(world.pay(&token), Err(Refused::NotOnBitcoin));
    let nobody = Pay {
        to: somebody(ChainKind::Bitcoin),
        ..pay(ChainKind::Ethereum)
    };
    assert_eq!(world.pay(&nobody), Err(Refused::NoAccount));
}

#[test]
fn nodes_are_away_until_their_time_while_blocks_go_on() {
    let mut world = World::new(BEGIN);
    let [bitcoin, _] = heights(&world);
    world.go_away(after(1_500));
    for (seconds, answer) in [(1_499, json!(503)), (1_500, json!(bitcoin + 2))] {
        world.advance(after(seconds));
        let told = ask(&world, ChainKind::Bitcoin, "getblockcount", &json!([]));
        assert_eq!(told, answer, "{seconds}");
    }
}

#[test]
fn a_transfer_waits_for_its_time() {
    let mut world = World::new(BEGIN);
    world.pay_at(after(30), pay(ChainKind::Bitcoin)).unwrap();
    world.advance(after(29));
    assert_eq!(mempool(&world), json!([]));
    world.advance(after(30));
    assert_eq!(mempool(&world).as_array().map(Vec::len), Some(1));
    assert_eq!(world.tip(ChainKind::Bitcoin).id.height, Height(100));
}
