//! What a token's administration does, and who is told of it.

use super::{
    MINUTE,
    world::{Tx, World, destination, tx},
};
use crate::{
    chain::ChainInput,
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::{BlockRef, TxId},
        facts::BlockFacts,
        status::Status,
        time::SpanMs,
        token::{TokenAct, TokenEvent},
        transfer::Position,
    },
};
use serde_json::Value;

const KIND: ChainKind = ChainKind::Ethereum;

fn world() -> World {
    World::of(KIND)
}

/// The n-th watched address as an account.
fn account(n: usize) -> Option<[u8; 20]> {
    destination(KIND, n).as_bytes().try_into().ok()
}

/// A log of the token in the block's first transaction.
fn log(act: TokenAct, ordinal: u32, account: Option<[u8; 20]>) -> TokenEvent {
    TokenEvent {
        contract: tx::WRAPPED,
        act,
        tx_index: 0,
        position: Position::Log(ordinal),
        account,
        figures: vec![Amount::from_u64(7)],
    }
}

/// A block whose only transaction has these logs.
fn with_logs(mut facts: BlockFacts, txid: u8, logs: Vec<TokenEvent>) -> BlockFacts {
    facts.transactions = vec![TxId([txid; 32])];
    facts.token_events = logs;
    facts
}

/// A block with these acts joins the chain.
fn act(world: &mut World, txid: u8, logs: Vec<TokenEvent>) -> BlockRef {
    let facts = with_logs(world.next_block(&[]), txid, logs);
    world.join(facts)
}

/// The last block leaves, and one with these acts joins.
fn reorg(world: &mut World, txid: u8, logs: Vec<TokenEvent>) {
    world.roll_back(1);
    act(world, txid, logs);
}

fn pause(ordinal: u32) -> TokenEvent {
    log(TokenAct::Paused, ordinal, None)
}

/// What was told, oldest first: of whom (`-` is the chain), and the word.
fn told(world: &World) -> Vec<String> {
    let sql = "SELECT coalesce(payment_id, '-') || ' ' ||
                      coalesce(json_extract(data, '$.attention.code'),
                               json_extract(data, '$.token.code'))
                 FROM v1_event WHERE kind = 'attention' ORDER BY seq";
    let reader = rusqlite::Connection::open(world.path()).unwrap();
    let mut statement = reader.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// The data of the entries about the chain.
fn chain_wide(world: &World) -> Vec<Value> {
    let sql = "SELECT data FROM v1_event WHERE payment_id IS NULL ORDER BY seq";
    let reader = rusqlite::Connection::open(world.path()).unwrap();
    let mut statement = reader.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0));
    let rows = rows.unwrap().map(Result::unwrap);
    rows.map(|data| serde_json::from_str(&data).unwrap())
        .collect()
}

#[test]
fn an_act_on_the_whole_token_is_told_to_open_payments_and_once_of_the_chain() {
    let mut world = world();
    world.register("open", 0);
    world.register("closed", 1);
    world.ask("cancel", "closed", "{}");
    let paused = act(&mut world, 1, vec![pause(3)]);
    assert_eq!(told(&world), ["open token_paused", "- token_paused"]);
    let data = &chain_wide(&world)[0];
    assert_eq!(data["chain"], "ethereum");
    let token = &data["token"];
    assert_eq!(
        (&token["asset"], &token["count"]),
        (&"BTC".into(), &1.into())
    );
    assert_eq!(token["block_height"], paused.id.height.0);
    assert_eq!(token["logs"][0]["position"], "log:3");
    let txid = format!("0x{}", TxId([1; 32]));
    assert_eq!(token["logs"][0]["txid"], txid);
    assert_eq!(
        (&token["open_payments"], &token["told_payments"]),
        (&1.into(), &1.into())
    );
    let judged = world.payment("open").judged;
    assert!(judged.status == Status::New && !judged.needs_review);
}

#[test]
fn a_payment_with_money_on_its_way_is_told_too_and_is_paid_all_the_same() {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[Tx::paying(9)]);
    act(&mut world, 1, vec![pause(0)]);
    world.poll();
    assert_eq!(told(&world), ["a token_paused", "- token_paused"]);
    assert_eq!(world.status_of("a"), Status::Paid);
    act(&mut world, 2, vec![log(TokenAct::Unpaused, 0, None)]);
    assert_eq!(told(&world)[2..], ["- token_unpaused"]);
}

#[test]
fn every_act_has_its_word() {
    let mut world = world();
    world.register("a", 0);
    for (at, act_of_token) in (1..).zip(TokenAct::ALL) {
        let before = told(&world).len();
        act(&mut world, at, vec![log(*act_of_token, 0, account(0))]);
        let expected = [format!("a {act_of_token}"), format!("- {act_of_token}")];
        assert_eq!(told(&world)[before..], expected);
    }
}

#[test]
fn an_act_that_names_an_account_touches_its_owner_alone_whatever_its_status() {
    let mut world = world();
    world.register("named", 0);
    world.register("other", 1);
    world.mine(&[Tx::paying(9)]);
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("named"), Status::Paid);
    act(
        &mut world,
        1,
        vec![log(TokenAct::Blacklisted, 0, account(0))],
    );
    assert_eq!(
        told(&world),
        ["named token_blacklisted", "- token_blacklisted"]
    );
    let judged = world.payment("named").judged;
    assert!(judged.status == Status::Paid && judged.needs_review);
    assert!(!world.payment("other").judged.needs_review);
    let token = &chain_wide(&world)[0]["token"];
    assert_eq!(
        token["logs"][0]["account"],
        "0x00000000000000000000000000000000000000A1"
    );
    assert_eq!(token["open_payments"], Value::Null);
}

#[test]
fn a_blacklisting_is_looked_at_until_it_is_taken_back_or_acknowledged() {
    let mut world = world();
    let needs_review = |world: &World| world.payment("a").judged.needs_review;
    world.register("a", 0);
    act(
        &mut world,
        1,
        vec![log(TokenAct::Blacklisted, 0, account(0))],
    );
    assert!(needs_review(&world));
    act(
        &mut world,
        2,
        vec![log(TokenAct::Unblacklisted, 0, account(0))],
    );
    assert!(!needs_review(&world));
    act(
        &mut world,
        3,
        vec![log(TokenAct::Blacklisted, 0, account(0))],
    );
    assert!(needs_review(&world));
    world.ask("ack", "a", "{\"note\": \"seen\"}");
    assert!(!needs_review(&world));
    act(
        &mut world,
        4,
        vec![log(TokenAct::FundsDestroyed, 0, account(0))],
    );
    assert!(needs_review(&world));
    act(
        &mut world,
        5,
        vec![log(TokenAct::Unblacklisted, 0, account(0))],
    );
    assert!(
        needs_review(&world),
        "what was destroyed does not come back"
    );
}

#[test]
fn strangers_on_a_blacklist_concern_nobody() {
    let mut world = world();
    world.register("a", 0);
    let stranger = Some([0x77; 20]);
    let logs = vec![
        log(TokenAct::Blacklisted, 0, stranger),
        log(TokenAct::FundsDestroyed, 1, stranger),
    ];
    act(&mut world, 1, logs);
    assert_eq!(told(&world), [""; 0]);
    // An account that cannot be read may be anybody's.
    act(&mut world, 2, vec![log(TokenAct::Blacklisted, 0, None)]);
    assert_eq!(told(&world), ["- token_blacklisted"]);
}

#[test]
fn a_payment_whose_watch_is_over_is_not_touched() {
    let mut world = world();
    world.register("a", 0);
    world.end_watch();
    let logs = vec![pause(0), log(TokenAct::Blacklisted, 1, account(0))];
    act(&mut world, 1, logs);
    assert_eq!(told(&world), ["- token_paused"]);
}

#[test]
fn ten_thousand_logs_of_a_block_are_told_once() {
    let mut world = world();
    world.register("a", 0);
    let logs = || {
        let pauses = (0..10_000).map(pause);
        let listed = (10_000..20_000).map(|n| log(TokenAct::Blacklisted, n, account(0)));
        pauses.chain(listed).collect()
    };
    act(&mut world, 1, logs());
    let expected = [
        "a token_blacklisted",
        "a token_paused",
        "- token_paused",
        "- token_blacklisted",
    ];
    assert_eq!(told(&world), expected);
    for data in chain_wide(&world) {
        let token = &data["token"];
        assert_eq!(token["count"], 10_000);
        assert_eq!(token["logs"].as_array().unwrap().len(), 20);
    }
    reorg(&mut world, 1, logs());
    assert_eq!(told(&world), expected);
}

#[test]
fn a_block_that_comes_back_tells_nothing_again_not_even_after_a_restart() {
    let mut world = world();
    world.register("a", 0);
    let logs = || vec![pause(0), log(TokenAct::Blacklisted, 1, account(0))];
    act(&mut world, 1, logs());
    let once = told(&world);
    assert_eq!(once.len(), 4);
    reorg(&mut world, 1, logs());
    reorg(&mut world, 8, Vec::new());
    reorg(&mut world, 1, logs());
    let mut world = world.restart();
    world.poll();
    reorg(&mut world, 1, logs());
    assert_eq!(told(&world), once);
    assert!(world.payment("a").judged.needs_review);
    // What stands in the other branch alone is news.
    reorg(&mut world, 2, vec![pause(0)]);
    assert_eq!(told(&world)[4..], ["a token_paused", "- token_paused"]);
}

#[test]
fn the_same_blocks_lead_to_the_same_journal_whether_or_not_the_daemon_restarts() {
    let story = |restarts: bool| {
        let mut world = world();
        world.register("a", 0);
        for (at, act_of_token) in (1..).zip(TokenAct::ALL) {
            act(&mut world, at, vec![log(*act_of_token, 0, account(0))]);
            if restarts {
                world = world.restart();
                world.poll();
            }
        }
        told(&world)
    };
    assert_eq!(story(false), story(true));
}

#[test]
fn a_late_registration_learns_what_named_its_address_and_raises_nothing_about_the_chain() {
    let mut world = world();
    let logs = || vec![pause(0), log(TokenAct::Blacklisted, 1, account(0))];
    let block = act(&mut world, 1, logs());
    assert_eq!(
        told(&world),
        ["- token_paused"],
        "nobody has the address yet"
    );
    world.wait(SpanMs::from_secs(30));
    world.mine(&[]);
    world.ask("register", "a", &world.body(0));
    for (_, ask) in world.asks() {
        if let crate::chain::Ask::Backfill { batch, to, .. } = ask {
            let facts = tx::facts(KIND, block, &[]);
            world.give(ChainInput::Backfill {
                batch,
                blocks: vec![with_logs(facts, 1, logs())],
                to,
                untraced: false,
            });
        }
    }
    assert_eq!(told(&world), ["- token_paused", "a token_blacklisted"]);
    assert!(world.payment("a").judged.needs_review);
}

#[test]
fn a_token_that_is_not_configured_touches_nobody() {
    let mut world = world();
    world.register("a", 0);
    let fake = TokenEvent {
        contract: [0xfa; 20],
        ..log(TokenAct::Blacklisted, 0, account(0))
    };
    act(&mut world, 1, vec![fake]);
    assert_eq!(told(&world), [""; 0]);
}

#[test]
fn deadlines_are_judged_whatever_the_token_does() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs(23 * MINUTE.0));
    act(&mut world, 1, vec![pause(0)]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
}
