//! Payments in ether on a chain where nobody can tell what contracts move.

use super::world::{Tx, World, destination};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::{BlockRef, Height},
        evidence::Evidence,
        flags::Flag,
        status::Status,
        time::SpanMs,
        view::TracedBy,
    },
};

const KIND: ChainKind = ChainKind::Ethereum;
const PRICE: u64 = 1_500_000;

fn world() -> World {
    by_balance(World::with_ether())
}

fn by_balance(mut world: World) -> World {
    world.give(ChainInput::TracedBy(TracedBy::Balance));
    world
}

/// After which blocks balances are asked for, and of how many addresses.
fn asked(world: &mut World) -> Vec<(Height, usize)> {
    let asks = world.asks().into_iter();
    asks.filter_map(|(_, ask)| match ask {
        Ask::Balances(block, of) => Some((block.id.height, of.len())),
        Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) => None,
    })
    .collect()
}

fn tell(world: &mut World, block: BlockRef, has: &[u64]) {
    let told = has.iter().copied().map(Amount::from_u64).collect();
    let told = vec![(destination(KIND, 0), told)];
    let problem = None;
    world.give(ChainInput::Balances {
        block,
        told,
        problem,
    });
}

fn base(world: &mut World) -> BlockRef {
    world.poll();
    let asked = asked(world);
    assert_eq!(asked.len(), 2, "the base and the tip: {asked:?}");
    let blocks = world.blocks.iter();
    let mut known = blocks.filter(|block| block.id.height == asked[0].0);
    *known.next().expect("a block of ours")
}

/// A payment whose address had this much when it began, as operators say.
fn begun(had: &[u64]) -> World {
    let mut world = world();
    world.register("a", 0);
    world.mine(&[]);
    let since = base(&mut world);
    tell(&mut world, since, had);
    world
}

// shows: T10 T12
#[test]
fn what_a_balance_grew_by_is_recorded_once_also_across_a_restart() {
    let mut world = begun(&[7]);
    world.poll();
    assert_eq!(asked(&mut world), [], "once a block");
    let block = world.mine(&[]);
    world.poll();
    assert_eq!(asked(&mut world), [(block.id.height, 1)]);
    tell(&mut world, block, &[7 + PRICE]);
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::New);
    assert!(payment.judged.needs_review && payment.judged.flags.has(Flag::Degraded));
    let row = &payment.transfers[0];
    assert_eq!(
        row.position.to_string(),
        format!("balance:{}", block.id.height)
    );
    assert_eq!(
        (row.amount.base().to::<u64>(), row.evidence),
        (PRICE, Evidence::Grown)
    );
    // Told again, in another process, and after later blocks.
    let mut world = by_balance(world.restart());
    assert_eq!(world.payment("a"), payment);
    tell(&mut world, block, &[7 + PRICE]);
    let later = world.mine(&[]);
    tell(&mut world, later, &[7 + PRICE]);
    assert_eq!(world.payment("a").transfers, payment.transfers);
    let later = world.mine(&[]);
    tell(&mut world, later, &[7 + PRICE + 5_000]);
    assert_eq!(world.payment("a").transfers.len(), 2);
}

#[test]
fn a_row_without_a_transaction_has_none_for_readers_and_may_be_accepted() {
    let mut world = begun(&[0]);
    let block = world.mine(&[]);
    tell(&mut world, block, &[PRICE]);
    world.mine(&[]);
    world.poll();
    world.ask("accept", "a", "{}");
    world.poll();
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Paid);
    let reader = rusqlite::Connection::open(world.path()).unwrap();
    let sql = "SELECT count(*) FROM v1_transfer AS t, v1_payment AS p
                WHERE t.txid IS NULL AND p.txid IS NULL AND p.status = 'paid'";
    let rows: i64 = reader.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
    let mut world = by_balance(world.restart());
    assert_eq!(world.payment("a"), payment);
    world.mine(&[]);
    assert_eq!(
        world.payment("a").judged.confirmed_at,
        payment.judged.confirmed_at
    );
    // The block leaves: that is told, and nothing is paid.
    world.roll_back(3);
    assert_ne!(world.status_of("a"), Status::Paid);
}

#[test]
fn who_contradict_each_other_say_nothing_and_under_a_quorum_one_alone() {
    let mut world = begun(&[0, 0]);
    let block = world.mine(&[]);
    for has in [&[PRICE, 0][..], &[]] {
        tell(&mut world, block, has);
        assert!(world.payment("a").transfers.is_empty(), "{has:?}");
    }
    tell(&mut world, block, &[PRICE, PRICE]);
    assert_eq!(world.payment("a").transfers.len(), 1);

    let mut world = by_balance(World::with_ether_and_quorum::<2>());
    let agree = |world: &mut World| {
        let block = Some(world.tip());
        world.give(ChainInput::Agreed { block, lost: None });
    };
    agree(&mut world);
    world.register("a", 0);
    world.mine(&[]);
    agree(&mut world);
    let since = base(&mut world);
    tell(&mut world, since, &[0, 0]);
    let block = world.mine(&[]);
    agree(&mut world);
    tell(&mut world, block, &[PRICE]);
    assert!(world.payment("a").transfers.is_empty());
    tell(&mut world, block, &[PRICE, PRICE]);
    assert_eq!(world.payment("a").transfers.len(), 1);
}

// shows: T15
#[test]
fn a_withdrawal_or_a_fee_is_no_payment() {
    let mut world = begun(&[0]);
    let mut facts = world.next_block(&[]);
    facts.earners = vec![destination(KIND, 0)];
    let earned = world.join(facts);
    world.poll();
    assert_eq!(asked(&mut world), [(earned.id.height, 1)]);
    tell(&mut world, earned, &[PRICE]);
    assert!(world.payment("a").transfers.is_empty());
    // What comes later is money again.
    let block = world.mine(&[Tx::paying(9).to(1)]);
    tell(&mut world, block, &[PRICE + 20_000]);
    let payment = world.payment("a");
    assert_eq!(payment.transfers[0].amount.base().to::<u64>(), 20_000);
}

// shows: P9
#[test]
fn nobody_expires_unseen_and_then_at_once() {
    let mut world = begun(&[0]);
    world.wait(SpanMs::from_secs(23 * 60));
    let block = world.mine(&[]);
    world.poll();
    world.tick();
    assert_eq!(world.status_of("a"), Status::New);
    assert_eq!(asked(&mut world), [(block.id.height, 1)]);
    tell(&mut world, block, &[0]);
    assert_eq!(world.status_of("a"), Status::Expired);
    // Where tracing begins to work, nobody waits for balances.
    let mut world = self::world();
    world.register("a", 0);
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    world.poll();
    assert_eq!(world.status_of("a"), Status::New);
    world.give(ChainInput::TracedBy(TracedBy::CallTracer));
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Expired);
    assert!(payment.judged.needs_review, "nobody saw what came before");
    // Who was looked at up to here lacks nothing.
    let mut world = self::world();
    world.wait(SpanMs::from_secs(10 * 60));
    world.mine(&[]);
    world.wait(SpanMs::from_secs(10 * 60));
    world.register("a", 0);
    world.mine(&[]);
    let since = base(&mut world);
    tell(&mut world, since, &[0]);
    world.wait(SpanMs::from_secs(23 * 60));
    let block = world.mine(&[]);
    world.poll();
    tell(&mut world, block, &[0]);
    world.give(ChainInput::TracedBy(TracedBy::CallTracer));
    let payment = world.payment("a");
    assert_eq!(payment.judged.status, Status::Expired);
    assert!(!payment.judged.needs_review);
}

// shows: A4
#[test]
fn a_request_about_a_closed_payment_waits_for_no_look() {
    let mut world = begun(&[0]);
    world.wait(SpanMs::from_secs(23 * 60));
    let block = world.mine(&[]);
    world.poll();
    tell(&mut world, block, &[0]);
    assert_eq!(world.status_of("a"), Status::Expired);
    world.mine(&[]);
    world.ask("cancel", "a", "{}");
    world.poll();
    assert!(world.has_outcome("r2"), "refused, but decided");
}

#[test]
fn two_who_say_the_same_outvote_one_who_does_not() {
    let mut world = begun(&[0, 0, 9]);
    let block = world.mine(&[]);
    tell(&mut world, block, &[0, PRICE]);
    assert!(world.payment("a").transfers.is_empty(), "one against one");
    tell(&mut world, block, &[0, 0, PRICE, PRICE]);
    assert!(world.payment("a").transfers.is_empty(), "two against two");
    tell(&mut world, block, &[0, PRICE, PRICE]);
    assert_eq!(world.payment("a").transfers.len(), 1);
}

// shows: A4
#[test]
fn a_cancel_waits_until_the_balance_is_looked_at() {
    for (has, status) in [(0, Status::Canceled), (PRICE, Status::New)] {
        let mut world = begun(&[0]);
        let block = world.mine(&[]);
        world.ask("cancel", "a", "{}");
        world.poll();
        assert!(!world.has_outcome("r2"));
        tell(&mut world, block, &[has]);
        world.poll();
        assert!(world.has_outcome("r2"));
        assert_eq!(world.status_of("a"), status);
    }
}

/// The branch that a balance was looked at on leaves.
#[test]
fn what_was_looked_at_on_another_branch_is_looked_at_again() {
    let mut world = begun(&[0]);
    let block = world.mine(&[]);
    tell(&mut world, block, &[PRICE]);
    world.reorg(1, &[]);
    let payment = world.payment("a");
    assert!(!payment.transfers[0].place.is_live());
    world.poll();
    let tip = world.tip();
    assert_eq!(asked(&mut world), [(tip.id.height, 1)]);
    tell(&mut world, block, &[PRICE]);
    assert!(
        !world.payment("a").transfers[0].place.is_live(),
        "of a block that left"
    );
    tell(&mut world, tip, &[PRICE]);
    let payment = world.payment("a");
    assert_eq!(payment.transfers.len(), 1);
    assert!(payment.transfers[0].place.is_live());
}

/// Where a payment's own past begins, as if by a registration: the base is the last block before.
fn begun_at(world: &mut World, from: u32) {
    let scan_from = format!(r#"{{"scan_from":{from},"#);
    let body = world.body(0).replacen('{', &scan_from, 1);
    world.ask("register", "a", &body);
    world.scan_past();
}

/// What contracts paid before a payment's own past is not its money, whatever branch it is on.
#[test]
fn a_reorganisation_below_the_own_past_makes_nothing_of_what_was_there_before_grow() {
    let mut world = world();
    world.mine(&[]);
    world.mine(&[]);
    begun_at(&mut world, 102);
    let since = base(&mut world);
    assert_eq!(since.id.height, Height(101));
    tell(&mut world, since, &[0]);
    world.roll_back(3);
    // Two blocks come before its own, and the first is all that is known for a while.
    let first = world.mine(&[]);
    world.poll();
    drop(asked(&mut world));
    tell(&mut world, first, &[0]);
    let before = world.mine(&[]);
    assert_eq!(before.id.height, Height(101));
    let tip = world.mine(&[]);
    world.poll();
    assert_eq!(
        asked(&mut world),
        [(before.id.height, 1), (tip.id.height, 1)]
    );
    // The answers need not come together.
    tell(&mut world, tip, &[PRICE]);
    assert!(world.payment("a").transfers.is_empty());
    tell(&mut world, before, &[PRICE]);
    tell(&mut world, tip, &[PRICE]);
    assert!(world.payment("a").transfers.is_empty());
    let tip = world.mine(&[]);
    tell(&mut world, tip, &[PRICE * 3]);
    let grown = &world.payment("a").transfers[0];
    assert_eq!(grown.amount.base().to::<u64>(), PRICE * 2);
}

/// A base that was not told while its block was remembered is never told: there is another, and a person looks.
#[test]
fn nobody_waits_for_good_for_a_base_that_nobody_can_be_asked_for() {
    let mut world = world();
    world.mine(&[]);
    world.mine(&[]);
    begun_at(&mut world, 102);
    let since = base(&mut world);
    tell(&mut world, since, &[0]);
    world.roll_back(3);
    let forgotten = (0..1030).map(|_| {
        let facts = world.next_block(&[]);
        world.blocks.push(facts.block);
        facts
    });
    let connected = forgotten.collect();
    world.give(ChainInput::Advance {
        disconnect_to: None,
        connected,
    });
    world.wait(SpanMs::from_secs(23 * 60));
    world.mine(&[]);
    // Nodes have the state of the last blocks alone.
    for _ in 0..3 {
        world.poll();
        for (height, _) in asked(&mut world) {
            let blocks = world.blocks.iter();
            let mut known = blocks.rev().filter(|block| block.id.height == height);
            let block = *known.next().unwrap();
            let is_kept = world.tip().id.height.minus(128) <= height;
            tell(&mut world, block, if is_kept { &[7] } else { &[] });
        }
        world.mine(&[]);
    }
    let judged = world.payment("a").judged;
    assert_eq!(judged.status, Status::Expired);
    assert!(judged.flags.has(Flag::Degraded) && judged.needs_review);
}
