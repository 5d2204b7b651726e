//! What contracts moved, as a follower tells it behind the blocks.

use super::world::{Tx, World, destination, tx};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::{BlockRef, Height, TxId},
        evidence::Evidence,
        facts::{BlockFacts, Candidate, CreditAsset},
        flags::Flag,
        status::Status,
        time::SpanMs,
        transfer::Position,
    },
};
use rusqlite::Connection;

const KIND: ChainKind = ChainKind::Ethereum;
const PRICE: u64 = 1_500_000;

/// An Ethereum chain where ether is paid with.
fn world() -> World {
    World::with_ether()
}

/// A block that awaits its traces joins the chain.
fn mine(world: &mut World) -> BlockRef {
    let mut facts = world.next_block(&[Tx::paying(9).to(1)]);
    facts.awaits_trace = true;
    world.join(facts)
}

/// What contracts moved in a block: the first address got so much.
fn inner(block: BlockRef, evidence: Evidence) -> BlockFacts {
    let paying = Tx::paying(9).of(PRICE);
    let facts = tx::facts(KIND, block, &[paying]);
    in_ether(facts, &Position::Trace(vec![0, 2]), evidence)
}

/// The same credits in ether.
fn in_ether(facts: BlockFacts, position: &Position, evidence: Evidence) -> BlockFacts {
    let credit = |credit: Candidate| Candidate {
        asset: CreditAsset::Native,
        position: position.clone(),
        evidence,
        ..credit
    };
    BlockFacts {
        credits: facts.credits.iter().map(credit).collect(),
        ..facts
    }
}

fn trace(world: &mut World, blocks: Vec<BlockFacts>, to: BlockRef) {
    world.give(ChainInput::Traced {
        blocks,
        to: to.id.height,
        given_up: Vec::new(),
        problem: None,
    });
}

fn traced(world: &World) -> Option<Height> {
    world.watcher.chain(0).view.traced
}

fn grown(world: &mut World, block: BlockRef, growth: &[u64]) {
    let growth = growth.iter().copied().map(Amount::from_u64).collect();
    world.give(ChainInput::Grown {
        block,
        growth: vec![(destination(KIND, 0), growth)],
    });
}

/// The blocks that it asks about.
fn growth_asked(world: &mut World) -> Vec<Height> {
    let asks = world.asks().into_iter();
    asks.filter_map(|(_, ask)| match ask {
        Ask::Growth(block, of) => {
            assert_eq!(of, [destination(KIND, 0)]);
            Some(block.id.height)
        }
        Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Balances(..) => None,
    })
    .collect()
}

// shows: T10
#[test]
fn what_two_operators_tell_alike_pays_and_survives_a_restart() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    assert_eq!(world.status_of("a"), Status::New);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(world.status_of("a"), Status::Confirming);
    world.mine(&[]);
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    assert!(!payment.judged.flags.has(Flag::Degraded));
    assert_eq!(payment.transfers[0].position.to_string(), "trace:0.2");
    let world = world.restart();
    assert_eq!(world.payment("a"), payment);
}

// shows: T10
#[test]
fn what_one_operator_claims_pays_once_the_balance_grew_by_it() {
    for (growth, status, evidence, flagged, review) in [
        (
            &[PRICE, PRICE][..],
            Status::Paid,
            Evidence::Witnessed,
            false,
            false,
        ),
        (
            &[PRICE + 1][..],
            Status::Paid,
            Evidence::Weighed,
            true,
            false,
        ),
        (
            &[PRICE - 1][..],
            Status::New,
            Evidence::Doubted,
            false,
            true,
        ),
        (&[0, 0][..], Status::New, Evidence::Doubted, false, true),
        // As many as must settle it whatever one other says.
        (
            &[PRICE, 0, PRICE][..],
            Status::Paid,
            Evidence::Witnessed,
            false,
            false,
        ),
        (
            &[PRICE, 0, 0][..],
            Status::New,
            Evidence::Doubted,
            false,
            true,
        ),
        (
            &[PRICE, PRICE, 0, 0][..],
            Status::New,
            Evidence::Claimed,
            false,
            false,
        ),
        // Who contradicts each other decides nothing, and neither does nobody.
        (
            &[PRICE, 0][..],
            Status::New,
            Evidence::Claimed,
            false,
            false,
        ),
        (&[][..], Status::New, Evidence::Claimed, false, false),
    ] {
        let mut world = world();
        world.register("a", 0);
        let block = mine(&mut world);
        trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
        world.mine(&[]);
        world.poll();
        assert_eq!(world.status_of("a"), Status::New, "{growth:?}");
        assert_eq!(growth_asked(&mut world), [block.id.height]);
        grown(&mut world, block, growth);
        world.poll();
        let payment = world.payment("a");
        assert_eq!(payment.judged.status, status, "{growth:?}");
        assert_eq!(payment.transfers[0].evidence, evidence, "{growth:?}");
        let judged = &payment.judged;
        let marks = (judged.flags.has(Flag::Degraded), judged.needs_review);
        assert_eq!(marks, (flagged, review), "{growth:?}");
        let asked_again = evidence == Evidence::Claimed;
        assert_eq!(
            growth_asked(&mut world).is_empty(),
            !asked_again,
            "{growth:?}"
        );
    }
}

/// Two balances say that the money came, and nothing that the block did as it is told.
#[test]
fn what_one_operator_claims_in_a_block_that_is_only_told_stays_flagged_whoever_saw_the_balance_grow()
 {
    let mut world = world();
    world.register("a", 0);
    let mut facts = world.next_block(&[Tx::paying(9).to(1)]);
    facts.awaits_trace = true;
    facts.unproven = Some("unknown".to_owned());
    let block = world.join(facts);
    let claim = BlockFacts {
        unproven: Some("unknown".to_owned()),
        ..inner(block, Evidence::Claimed)
    };
    trace(&mut world, vec![claim], block);
    let mut world = world.restart();
    world.mine(&[]);
    world.poll();
    grown(&mut world, block, &[PRICE, PRICE]);
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    assert_eq!(payment.transfers[0].evidence, Evidence::Witnessed);
    assert!(payment.judged.flags.has(Flag::Degraded));
}

#[test]
fn a_claim_is_compared_with_all_that_came_in_its_block() {
    let mut world = world();
    world.register("a", 0);
    let facts = world.next_block(&[Tx::paying(3).of(PRICE)]);
    let mut facts = in_ether(facts, &Position::Transaction, Evidence::Proven);
    facts.awaits_trace = true;
    let block = world.join(facts);
    let mut invented = inner(block, Evidence::Claimed);
    invented.transactions = vec![Tx::paying(3).txid];
    trace(&mut world, vec![invented], block);
    world.poll();
    // The direct payment alone explains the growth.
    grown(&mut world, block, &[PRICE]);
    world.mine(&[]);
    world.poll();
    let payment = world.payment("a");
    let evidence: Vec<Evidence> = payment.transfers.iter().map(|t| t.evidence).collect();
    assert_eq!(evidence, [Evidence::Proven, Evidence::Doubted]);
    assert_eq!(payment.judged.status, Status::Paid);
    assert!(payment.judged.surplus.is_zero());
}

#[test]
fn the_second_cursor_follows_the_first_and_never_runs_ahead() {
    let mut world = world();
    assert_eq!(traced(&world), None, "nothing awaited a trace yet");
    world.mine(&[]);
    assert_eq!(traced(&world), None);
    let first = mine(&mut world);
    assert_eq!(traced(&world), Some(first.id.height.minus(1)));
    world.mine(&[]);
    let second = mine(&mut world);
    let below = world.blocks[3];
    assert_eq!(traced(&world), Some(first.id.height.minus(1)));
    trace(&mut world, vec![inner(second, Evidence::Witnessed)], below);
    assert_eq!(
        traced(&world),
        Some(first.id.height.minus(1)),
        "one below is missing"
    );
    trace(&mut world, vec![inner(first, Evidence::Witnessed)], second);
    assert_eq!(traced(&world), Some(second.id.height));
    let plain = world.mine(&[]);
    assert_eq!(traced(&world), Some(plain.id.height));
    world.roll_back(2);
    assert_eq!(traced(&world), Some(second.id.height.minus(1)));
    let world = world.restart();
    assert_eq!(traced(&world), Some(second.id.height.minus(1)));
}

#[test]
fn nobody_expires_before_the_blocks_are_traced_and_then_at_once() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(23 * 60));
    let block = mine(&mut world);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    trace(&mut world, Vec::new(), block);
    assert_eq!(world.status_of("a"), Status::Expired);
}

// shows: T12
#[test]
fn blocks_that_are_given_up_are_told_and_flag_who_expires_after_them() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.give(ChainInput::Traced {
        blocks: Vec::new(),
        to: block.id.height,
        given_up: vec![block],
        problem: Some("state is gone".to_owned()),
    });
    let reader = Connection::open(world.path()).unwrap();
    let sql = "SELECT data FROM v1_event WHERE kind = 'attention'";
    let told: String = reader.query_row(sql, [], |row| row.get(0)).unwrap();
    let height = block.id.height;
    assert!(
        told.contains(&format!("\"from_height\":{height}")),
        "{told}"
    );
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    let judged = world.payment("a").judged;
    assert_eq!(judged.status, Status::Expired);
    assert!(judged.flags.has(Flag::Degraded) && judged.needs_review);
    // Who is registered later is not concerned.
    let mut world = world.restart();
    world.wait(SpanMs::from_secs(60));
    world.poll();
    world.register("b", 1);
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    let judged = world.payment("b").judged;
    assert_eq!(judged.status, Status::Expired);
    assert!(!judged.flags.has(Flag::Degraded) && !judged.needs_review);
}

#[test]
fn traces_of_a_block_that_left_credit_nobody() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.reorg(1, &[]);
    let tip = world.tip();
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], tip);
    assert!(world.payment("a").transfers.is_empty());
}

#[test]
fn a_registration_whose_past_is_not_traced_yet_is_scanned_for() {
    let mut world = world();
    let block = mine(&mut world);
    world.ask("register", "a", &world.body(0));
    let asks = |world: &mut World| {
        let asks = world.asks().into_iter();
        asks.filter(|(_, ask)| matches!(ask, Ask::Backfill { .. }))
            .count()
    };
    assert_eq!(asks(&mut world), 1);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    // Now it is known whom contracts paid in it: not the second address, but the first.
    let mut world = world.restart();
    world.poll();
    let block = mine(&mut world);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    let from = block.id.height.0;
    let body = |world: &World, n| {
        let scan_from = format!("{{\"scan_from\":{from},");
        world.body(n).replacen('{', &scan_from, 1)
    };
    drop(world.asks());
    world.ask("register", "b", &body(&world, 1));
    assert_eq!(asks(&mut world), 0, "nothing came to it");
}

/// A claim that nobody can weigh any more is doubted, and not before somebody was asked.
#[test]
fn an_old_claim_is_weighed_where_somebody_keeps_the_state_and_doubted_where_nobody_does() {
    for (growth, evidence) in [
        (&[PRICE][..], Evidence::Weighed),
        (&[][..], Evidence::Doubted),
        (&[PRICE, 0][..], Evidence::Doubted),
    ] {
        let mut world = world();
        world.register("a", 0);
        let block = mine(&mut world);
        trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
        for _ in 0..129 {
            world.mine(&[]);
        }
        world.poll();
        assert_eq!(growth_asked(&mut world), [block.id.height]);
        grown(&mut world, block, growth);
        assert_eq!(world.payment("a").transfers[0].evidence, evidence);
    }
}

/// Those who do not answer may be those who would settle it.
#[test]
fn an_old_claim_that_is_not_settled_waits_while_the_chain_is_in_trouble() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
    for _ in 0..129 {
        world.mine(&[]);
    }
    world.wait(SpanMs::from_secs(60));
    world.tick();
    let evidence = |world: &World| world.payment("a").transfers[0].evidence;
    grown(&mut world, block, &[PRICE, 0]);
    assert_eq!(evidence(&world), Evidence::Claimed);
    world.poll();
    world.ask("cancel", "a", "{}");
    world.poll();
    assert!(!world.has_outcome("r2"));
    grown(&mut world, block, &[PRICE, 0]);
    world.poll();
    assert_eq!(evidence(&world), Evidence::Doubted);
    assert!(world.payment("a").judged.needs_review);
    assert!(world.has_outcome("r2"), "what waited for it is decided");
}

// shows: A4
#[test]
fn a_cancel_waits_until_it_is_known_what_contracts_paid() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    world.ask("cancel", "a", "{}");
    world.poll();
    assert!(!world.has_outcome("r2"), "one block is not traced");
    trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
    world.poll();
    assert!(!world.has_outcome("r2"), "it may have been paid");
    grown(&mut world, block, &[PRICE]);
    world.poll();
    assert_eq!(world.code_of("r2"), "not_new");
}

/// Enough of those who hold the chain hold its tip.
fn agree(world: &mut World) {
    let block = Some(world.tip());
    world.give(ChainInput::Agreed { block, lost: None });
}

#[test]
fn where_a_quorum_is_asked_one_balance_is_not_enough() {
    let mut world = World::with_ether_and_quorum::<2>();
    agree(&mut world);
    world.register("a", 0);
    let block = mine(&mut world);
    trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
    world.mine(&[]);
    agree(&mut world);
    world.poll();
    grown(&mut world, block, &[PRICE]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::New);
    grown(&mut world, block, &[PRICE, PRICE]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Paid);
}

/// As many balances settle a claim as operators must hold a block, for it and against it.
#[test]
fn a_claim_needs_as_many_balances_as_the_quorum() {
    type Case<'a> = (fn() -> World, &'a [u64], Evidence);
    let two: fn() -> World = World::with_ether_and_quorum::<2>;
    let three: fn() -> World = World::with_ether_and_quorum::<3>;
    let cases: [Case<'_>; 8] = [
        (two, &[0], Evidence::Claimed),
        (two, &[0, 0], Evidence::Doubted),
        (two, &[PRICE, 0], Evidence::Claimed),
        (two, &[0, PRICE, PRICE], Evidence::Witnessed),
        (three, &[PRICE, PRICE], Evidence::Claimed),
        (three, &[PRICE, PRICE, PRICE, 0, 0], Evidence::Witnessed),
        (three, &[0, 0, PRICE, PRICE], Evidence::Claimed),
        (three, &[0, 0, 0, PRICE, PRICE], Evidence::Doubted),
    ];
    for (world, growth, evidence) in cases {
        let mut world = world();
        agree(&mut world);
        world.register("a", 0);
        let block = mine(&mut world);
        trace(&mut world, vec![inner(block, Evidence::Claimed)], block);
        agree(&mut world);
        world.poll();
        grown(&mut world, block, growth);
        assert_eq!(
            world.payment("a").transfers[0].evidence,
            evidence,
            "{growth:?}"
        );
    }
}

/// Ether for an address, claimed to be moved by so many calls of a transaction.
fn claims(block: BlockRef, address: usize, calls: u32) -> BlockFacts {
    let paying = Tx {
        txid: TxId(block.id.hash.0),
        ..Tx::paying(9).to(address)
    };
    let facts = tx::facts(KIND, block, &[paying]);
    let claims = (0..calls).flat_map(|call| {
        let position = Position::Trace(vec![0, call]);
        let told = in_ether(facts.clone(), &position, Evidence::Claimed);
        told.credits.iter().collect::<Vec<Candidate>>()
    });
    BlockFacts {
        credits: claims.collect(),
        ..facts
    }
}

/// Which addresses are asked about, and in how many blocks, after one poll.
fn asked_about(world: &mut World) -> (Vec<usize>, usize) {
    world.poll();
    let asks = world.asks().into_iter().filter_map(|(_, ask)| match ask {
        Ask::Growth(_, of) => Some(of),
        Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Balances(..) => None,
    });
    let asks: Vec<_> = asks.collect();
    let is_asked = |n: &usize| asks.iter().flatten().any(|of| *of == destination(KIND, *n));
    ((0..2).filter(is_asked).collect(), asks.len())
}

#[test]
fn whoever_is_sent_much_that_nobody_settles_holds_up_nobody_else() {
    let mut world = world();
    world.register("a", 0);
    world.register("b", 1);
    // In one block, and in more of them than are asked about at once.
    let block = mine(&mut world);
    trace(&mut world, vec![claims(block, 0, 250)], block);
    let last = mine(&mut world);
    trace(&mut world, vec![claims(last, 1, 1)], last);
    assert_eq!(asked_about(&mut world), (vec![0, 1], 2));
    for _ in 0..199 {
        let block = mine(&mut world);
        trace(&mut world, vec![claims(block, 0, 1)], block);
    }
    let last = mine(&mut world);
    trace(&mut world, vec![claims(last, 1, 1)], last);
    let turns: Vec<_> = (0..3).map(|_| asked_about(&mut world)).collect();
    let (first, rest) = ((vec![0, 1], 200), (vec![0, 1], 2));
    assert_eq!(turns, [first.clone(), rest, first]);
}

#[test]
fn the_owner_of_an_address_is_its_owner_until_what_came_is_traced() {
    let mut world = world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::Expired);
    let block = mine(&mut world);
    world.end_watch();
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(
        world.payment("a").transfers.len(),
        1,
        "late money, and recorded"
    );
}

/// A block below where it was registered leaves, and what takes its place pays.
#[test]
fn a_branch_below_the_registration_is_traced_for_it_too() {
    let mut world = world();
    mine(&mut world);
    let replaced = mine(&mut world);
    trace(&mut world, Vec::new(), replaced);
    world.poll();
    world.register("a", 0);
    world.roll_back(1);
    let block = mine(&mut world);
    assert_eq!(block.id.height, replaced.id.height);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(world.payment("a").transfers.len(), 1);
}
