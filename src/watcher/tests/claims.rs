//! What one operator claims that contracts moved, and what balances say of it.

use super::{
    traces::{KIND, PRICE, in_ether, inner, inner_of, mine, trace, world},
    world::{Tx, World, destination, tx},
};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        amount::Amount,
        block::{BlockRef, Height, TxId},
        evidence::Evidence,
        facts::{BlockFacts, Candidate},
        flags::Flag,
        status::Status,
        time::SpanMs,
        transfer::Position,
    },
};

pub(super) fn grown(world: &mut World, block: BlockRef, growth: &[u64]) {
    let growth = growth.iter().copied().map(Amount::from_u64).collect();
    world.give(ChainInput::Grown {
        block,
        growth: vec![(destination(KIND, 0), growth)],
        is_last: true,
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

/// What balances grew by, and what comes of it: status, evidence, `degraded`, `needs_review`.
type Word = (&'static [u64], Status, Evidence, bool, bool);

const WORDS: [Word; 9] = [
    (
        &[PRICE, PRICE],
        Status::Paid,
        Evidence::Witnessed,
        false,
        false,
    ),
    (&[PRICE + 1], Status::Paid, Evidence::Weighed, true, false),
    (&[PRICE - 1], Status::New, Evidence::Doubted, false, true),
    (&[0, 0], Status::New, Evidence::Doubted, false, true),
    // As many as must settle it whatever one other says.
    (
        &[PRICE, 0, PRICE],
        Status::Paid,
        Evidence::Witnessed,
        false,
        false,
    ),
    (&[PRICE, 0, 0], Status::New, Evidence::Doubted, false, true),
    (
        &[PRICE, PRICE, 0, 0],
        Status::New,
        Evidence::Claimed,
        false,
        false,
    ),
    // Who contradicts each other decides nothing, and neither does nobody.
    (&[PRICE, 0], Status::New, Evidence::Claimed, false, false),
    (&[], Status::New, Evidence::Claimed, false, false),
];

// shows: T10
#[test]
fn what_one_operator_claims_pays_once_the_balance_grew_by_it() {
    for (growth, status, evidence, flagged, review) in WORDS {
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

/// The same move of a contract under the same number: one operator claims this much.
fn claimed(world: &mut World, block: BlockRef, sats: u64) {
    let claim = inner_of(block, sats, Evidence::Claimed);
    trace(world, vec![claim], block);
}

/// Whoever tells it later and better is believed, and whoever tells it worse is not.
// shows: T10
#[test]
fn a_claim_of_another_amount_than_was_witnessed_later_holds_nobody() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    claimed(&mut world, block, PRICE / 3);
    claimed(&mut world, block, PRICE / 2);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    claimed(&mut world, block, PRICE / 2);
    world.mine(&[]);
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.history.held, None);
    assert_eq!(payment.judged.status, Status::Paid);
    assert_eq!(payment.transfers.len(), 1);
    assert_eq!(payment.transfers[0].evidence, Evidence::Witnessed);
    // What a balance contradicts is only a claim, too.
    let mut world = self::world();
    world.register("a", 0);
    let block = mine(&mut world);
    claimed(&mut world, block, PRICE * 2);
    grown(&mut world, block, &[PRICE, PRICE]);
    assert_eq!(world.payment("a").transfers[0].evidence, Evidence::Doubted);
    trace(&mut world, vec![inner(block, Evidence::Witnessed)], block);
    assert_eq!(world.payment("a").history.held, None);
    assert_eq!(world.status_of("a"), Status::Confirming);
}

/// No command counts what the balance contradicts, but another look may: two operators by now tell the same.
#[test]
fn what_is_doubted_is_money_once_a_rescan_finds_witnesses() {
    let mut world = world();
    world.register("a", 0);
    let block = mine(&mut world);
    claimed(&mut world, block, PRICE);
    grown(&mut world, block, &[0, 0]);
    world.mine(&[]);
    world.poll();
    world.ask("accept", "a", "{}");
    world.poll();
    assert_eq!(world.code_of("r2"), "nothing_at_depth");
    let body = format!(r#"{{"scan_from": {}}}"#, block.id.height);
    world.ask("rescan", "a", &body);
    for (_, ask) in world.asks() {
        if let Ask::Backfill { batch, to, .. } = ask {
            world.give(ChainInput::Backfill {
                batch,
                blocks: vec![inner(block, Evidence::Witnessed)],
                to,
                untraced: false,
            });
        }
    }
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    assert_eq!(payment.transfers.len(), 1);
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
