//! Whose balance is looked at after a block, and what is said while nobody tells any.

use super::world::{World, address};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        amount::Amount,
        asset::{ChainKind, ChainName},
        block::BlockRef,
        facts::Destination,
        time::SpanMs,
        view::TracedBy,
    },
};
use std::collections::{BTreeMap, BTreeSet};

const KIND: ChainKind = ChainKind::Ethereum;
/// What the daemon reads of an inbox at a time.
const PORTION: usize = 500;

fn account(n: usize) -> String {
    format!("0x{:040x}", n + 0xacc0)
}

fn destination(n: usize) -> Destination {
    let account = alloy_primitives::hex::decode(account(n)).unwrap();
    Destination::new(&account).unwrap()
}

/// Registers so many payments, those from `first` on.
fn register(world: &mut World, first: usize, count: usize, terms: &str) {
    let body = world.body(0);
    let rows = (first..first + count).map(|n| {
        let body = body.replace(address(KIND, 0), &account(n));
        let body = body.replacen('{', &format!("{{{terms}"), 1);
        world.row("register", &format!("p{n}"), &body)
    });
    let rows: Vec<_> = rows.collect();
    for portion in rows.chunks(PORTION) {
        world.give_rows(portion.to_vec());
        world.scan_past();
    }
}

fn world_with(payments: usize) -> World {
    let mut world = World::with_ether();
    world.give(ChainInput::TracedBy(TracedBy::Balance));
    register(&mut world, 0, payments, "");
    world
}

fn tell(world: &mut World, block: BlockRef, told: Vec<(Destination, Vec<Amount>)>) {
    let problem = None;
    world.give(ChainInput::Balances {
        block,
        told,
        problem,
    });
}

/// After one more block: who is asked about, none of whom has anything; and how many calls that takes.
fn look(world: &mut World) -> (BTreeSet<Destination>, usize) {
    let head = world.mine(&[]);
    world.poll();
    let (mut asked, mut calls) = (BTreeSet::new(), 0);
    for (_, ask) in world.asks() {
        let Ask::Balances(block, of) = ask else {
            continue;
        };
        calls += of.len();
        let told = of.iter().map(|to| (*to, vec![Amount::ZERO])).collect();
        tell(world, block, told);
        if block.id == head.id {
            asked.extend(of);
        }
    }
    (asked, calls)
}

// shows: T10
#[test]
fn every_open_payment_has_its_turn_however_many_there_are() {
    const OPEN: usize = 2_600;
    let mut world = world_with(OPEN);
    let mut last: BTreeMap<Destination, usize> = BTreeMap::new();
    for n in 0..2 * OPEN.div_ceil(60) {
        let (asked, calls) = look(&mut world);
        assert!(calls <= 200, "{calls}");
        for to in asked {
            last.insert(to, n);
        }
        if n == OPEN.div_ceil(60) {
            assert_eq!(last.len(), OPEN, "everybody once");
        }
    }
    let first = last.values().min().unwrap();
    assert!(*first >= OPEN.div_ceil(60), "and again, long ago {first}");
    // New ones do not wait for the others.
    register(&mut world, OPEN, 2, "");
    let (asked, _) = look(&mut world);
    assert!(asked.contains(&destination(OPEN)) && asked.contains(&destination(OPEN + 1)));
}

#[test]
fn whose_deadline_is_passed_is_looked_at_first() {
    let mut world = world_with(600);
    let soon = world.now().plus(SpanMs::from_secs(60)).0;
    register(&mut world, 600, 1, &format!("\"expires_at\":{soon},"));
    for _ in 0..6 {
        look(&mut world);
    }
    world.wait(SpanMs::from_secs(4 * 60));
    let (asked, _) = look(&mut world);
    assert!(asked.contains(&destination(600)));
    world.poll();
    assert_eq!(world.status_of("p600").as_str(), "expired");
    assert_eq!(world.status_of("p0").as_str(), "new");
}

/// A daemon that was restarted, and where only balances tell.
fn restarted(world: World) -> World {
    let mut world = world.restart();
    world.give(ChainInput::TracedBy(TracedBy::Balance));
    world
}

// shows: T10
#[test]
fn after_a_restart_who_is_new_does_not_wait_for_those_who_are_known() {
    let mut world = world_with(600);
    for _ in 0..15 {
        look(&mut world);
    }
    register(&mut world, 600, 1, "");
    let mut world = restarted(world);
    register(&mut world, 601, 1, "");
    let (asked, _) = look(&mut world);
    assert!(asked.contains(&destination(600)) && asked.contains(&destination(601)));
    // Nor does who comes then.
    register(&mut world, 602, 1, "");
    let (asked, _) = look(&mut world);
    assert!(asked.contains(&destination(602)));
}

/// Those whose deadline is passed are asked about for that reason, and are new ones too as long as nobody answers.
#[test]
fn who_is_new_does_not_wait_for_those_who_are_asked_about_for_another_reason() {
    const LATE: usize = 70;
    let mut world = World::with_ether();
    world.give(ChainInput::TracedBy(TracedBy::Balance));
    let soon = world.now().plus(SpanMs::from_secs(60)).0;
    register(&mut world, 0, LATE, &format!("\"expires_at\":{soon},"));
    register(&mut world, LATE, 600, "");
    let is_late: BTreeSet<Destination> = (0..LATE).map(destination).collect();
    // Everybody is answered for but those.
    let look = |world: &mut World| {
        let head = world.mine(&[]);
        world.poll();
        let mut asked = BTreeSet::new();
        for (_, ask) in world.asks() {
            if let Ask::Balances(block, of) = ask {
                let told = of.iter().filter(|to| !is_late.contains(to));
                let told = told.map(|to| (*to, vec![Amount::ZERO])).collect();
                tell(world, block, told);
                asked.extend(of.into_iter().filter(|_| block.id == head.id));
            }
        }
        asked
    };
    for _ in 0..20 {
        look(&mut world);
    }
    world.wait(SpanMs::from_secs(4 * 60));
    let mut world = restarted(world);
    register(&mut world, 670, 1, "");
    let asked: Vec<BTreeSet<Destination>> = (0..3).map(|_| look(&mut world)).collect();
    assert!(asked[0].contains(&destination(0)), "they are due");
    let first = asked.iter().position(|of| of.contains(&destination(670)));
    assert!(first.is_some(), "not within three blocks");
}

#[test]
fn about_whom_a_request_waits_is_looked_at_first() {
    let mut world = world_with(600);
    for _ in 0..6 {
        look(&mut world);
    }
    for n in [3, 300, 599] {
        let head = world.mine(&[]);
        world.ask("cancel", &format!("p{n}"), "{}");
        world.poll();
        let asks = world.asks();
        let mut asks = asks.iter().filter_map(|(_, ask)| match ask {
            Ask::Balances(block, of) => Some((block.id, of)),
            Ask::Backfill { .. } | Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) => None,
        });
        let at_head = asks.find(|(block, _)| *block == head.id);
        assert!(at_head.unwrap().1.contains(&destination(n)), "{n}");
    }
}

/// A block's worth of work follows from who was looked at there, not from who waits.
#[test]
fn a_reorganisation_concerns_those_alone_who_were_looked_at_on_what_leaves() {
    let mut world = world_with(3);
    look(&mut world);
    let fork = world.mine(&[]);
    // Who gets a block's fees is compared anew from it on.
    let mut facts = world.next_block(&[]);
    facts.earners = vec![destination(2)];
    let above = world.join(facts);
    let name = ChainName::new(KIND.as_str());
    let concerned = |world: &World| world.watcher.store.looked_above(&name, fork.id.height);
    let [one, other] = ["p1", "p2"].map(|id| world.payment(id).key);
    assert_eq!(concerned(&world).unwrap(), [other]);
    tell(
        &mut world,
        above,
        vec![(destination(1), vec![Amount::from_u64(1_500_000)])],
    );
    assert_eq!(concerned(&world).unwrap(), [one, other]);
    world.poll();
    world.asks();
    world.reorg(1, &[]);
    assert!(!world.payment("p1").transfers[0].place.is_live());
    let since = world.payment("p2").history.balance.unwrap().since;
    assert_eq!(since, fork.id.height);
    assert_eq!(concerned(&world).unwrap(), []);
    // What grew there is looked for at once.
    world.poll();
    let asks = world.asks();
    assert!(asks.iter().any(|(_, ask)| {
        matches!(ask, Ask::Balances(block, of) if block.id == world.tip().id && of.contains(&destination(1)))
    }));
}

// shows: T12
#[test]
fn who_tells_no_balances_is_told_of() {
    let mut world = world_with(1);
    look(&mut world);
    let remark = |world: &World| {
        let watcher = &world.watcher;
        watcher.chain(0).remark(watcher.clock.now())
    };
    assert_eq!(remark(&world), None);
    let metric = |world: &World| world.watcher.metrics.render().unwrap();
    let head = world.mine(&[]);
    let untold = || vec![(destination(0), Vec::new())];
    let problem = Some("missing trie node".to_owned());
    world.give(ChainInput::Balances {
        block: head,
        told: untold(),
        problem,
    });
    world.tick();
    let said = remark(&world).unwrap();
    assert!(said.contains("missing trie node"), "{said}");
    assert!(metric(&world).contains("confirmd_chain_balances_told{chain=\"ethereum\"} 0"));
    look(&mut world);
    world.tick();
    assert_eq!(remark(&world), None);
    assert!(metric(&world).contains("confirmd_chain_balances_told{chain=\"ethereum\"} 1"));
    // One who is not asked alone and says nothing, and nobody who says anything at all.
    let head = world.mine(&[]);
    tell(&mut world, head, untold());
    assert!(remark(&world).unwrap().contains("too few"));
    world.give(ChainInput::TracedBy(TracedBy::CallTracer));
    assert_eq!(remark(&world), None, "nobody needs them any more");
}

/// So few that a block has calls for all of them.
#[test]
fn after_a_restart_the_first_block_goes_round_all_who_are_few() {
    for open in [1, 101, 199, 200] {
        let mut world = world_with(open);
        for _ in 0..6 {
            look(&mut world);
        }
        let mut world = restarted(world);
        for n in 0..4 {
            let (asked, _) = look(&mut world);
            assert_eq!(asked.len(), open, "{open} {n}");
        }
    }
}
