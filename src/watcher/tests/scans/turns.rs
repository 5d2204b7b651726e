//! Scans that take turns, and those that look for what contracts moved beside the others.

use super::*;
use crate::{
    domain::{
        asset::{AssetCode, AssetKind},
        flags::Flag,
    },
    watcher::{Settings, tests::world::open},
};

/// The next portion of a scan that is under way, up to there.
fn portion(world: &mut World, batch: u64, to: u32) {
    world.give(ChainInput::Backfill {
        batch,
        blocks: Vec::new(),
        to: Height(to),
        untraced: false,
    });
}

/// No block is in memory any more, so that every past needs a scan.
fn forgetful(world: World) -> World {
    let mut world = world.restart();
    world.poll();
    world
}

/// A world where a scan from block 1 to 300 is under way, and its name.
fn long_scan() -> (World, u64) {
    let mut world = World::new();
    mine_to(&mut world, 300, MINUTE);
    let mut world = forgetful(world);
    register_from(&mut world, 1, &[Some(1)]);
    let (batch, start, to) = scan(&mut world).expect("a scan");
    assert_eq!((start, to), (from(1), 300));
    (world, batch)
}

// shows: A5
#[test]
fn a_new_registration_waits_for_a_turn_of_a_long_scan_and_not_for_its_end() {
    for restarts in [false, true] {
        let (mut world, batch) = long_scan();
        portion(&mut world, batch, 16);
        register_from(&mut world, 2, &[Some(295)]);
        assert_eq!(scan(&mut world), None, "the long one has its turn");
        portion(&mut world, batch, 32);
        portion(&mut world, batch, 64);
        if restarts {
            world = forgetful(world);
        }
        assert_eq!(answer(&mut world, Vec::new()), from(295));
        assert!(is_scanned(&world, "p2") && !is_scanned(&world, "p1"));
        // What the replaced scan still brings counts for nobody.
        portion(&mut world, batch, 300);
        assert!(!is_scanned(&world, "p1"));
        assert_eq!(answer(&mut world, Vec::new()), from(65), "where it was");
        assert!(is_scanned(&world, "p1"));
        assert_eq!(scan(&mut world), None);
    }
}

#[test]
fn a_long_scan_that_nobody_waits_behind_is_asked_for_once() {
    let (mut world, batch) = long_scan();
    for to in [16, 64, 80, 128, 299] {
        portion(&mut world, batch, to);
        world.tick();
        assert_eq!(scan(&mut world), None, "{to}");
    }
    portion(&mut world, batch, 300);
    assert!(is_scanned(&world, "p1"));
}

/// The scan of who lacks little says nothing of what another lacks below it.
#[test]
fn a_short_scan_leaves_the_long_past_where_it_is() {
    let (mut world, batch) = long_scan();
    portion(&mut world, batch, 64);
    register_from(&mut world, 2, &[Some(295)]);
    let mut world = forgetful(world);
    let mut block = world.next_block(&[Tx::paying(1)]);
    block.block = world.tip();
    let destination = world.payment("p1").destination;
    let to_it = |credit| Candidate {
        destination,
        ..credit
    };
    block.credits = block.credits.iter().map(to_it).collect();
    assert_eq!(answer(&mut world, vec![block]), from(295));
    let long = world.payment("p1");
    assert_eq!(long.transfers.len(), 1, "money is money");
    assert_eq!(long.scan.scanned_to, Some(Height(64)));
    assert_eq!(answer(&mut world, Vec::new()), from(65));
    assert!(is_scanned(&world, "p1"));
}

/// Ether, and a token on the same chain.
fn settings(kind: ChainKind) -> Settings {
    let mut settings = open::settings(kind);
    let assets = &mut settings.chains[0].assets;
    let mut ether = assets[0].clone();
    ether.code = AssetCode::new("ETH");
    ether.kind = AssetKind::Native;
    assets.push(ether);
    settings
}

/// Asks for money at the n-th address, whose past counts from a height on.
fn ask_for(world: &mut World, asset: &str, id: &str, n: usize, from: u32) {
    let address = format!("0x{:040x}", 0x1000 + n);
    let body = format!(
        r#"{{"asset": "{asset}", "address": "{address}", "amount": "0.015", "scan_from": {from}}}"#
    );
    world.ask("register", id, &body);
}

/// The scans that are asked for: name, start, and whether they look for traces.
fn scans(world: &mut World) -> Vec<(u64, ScanFrom, bool)> {
    let asks = world.asks().into_iter();
    let scans = asks.filter_map(|(_, ask)| match ask {
        Ask::Backfill {
            batch,
            from,
            traces,
            ..
        } => Some((batch, from, traces)),
        Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
    });
    scans.collect()
}

// shows: T12
#[test]
fn tokens_wait_for_no_scan_that_looks_for_traces() {
    let mut world = World::with(ChainKind::Ethereum, settings);
    ask_for(&mut world, "ETH", "a", 0, 90);
    let traced = scans(&mut world);
    assert_eq!(traced, [(1, from(90), true)]);
    ask_for(&mut world, "BTC", "b", 1, 95);
    ask_for(&mut world, "BTC", "c", 2, 94);
    assert_eq!(scans(&mut world), [(2, from(95), false)]);
    portion(&mut world, 2, 100);
    assert!(is_scanned(&world, "b") && !is_scanned(&world, "a"));
    assert_eq!(scans(&mut world), [(3, from(94), false)]);
    portion(&mut world, 3, 100);
    assert!(is_scanned(&world, "c"));
    assert!(!is_scanned(&world, "a"), "only a scan with traces ends it");
    portion(&mut world, 1, 100);
    assert!(is_scanned(&world, "a"));
    assert_eq!(scans(&mut world), []);
}

/// A block of which nobody tells what contracts moved flags whose past holds it, and holds up nobody.
// shows: T12
#[test]
fn without_traces_a_scan_that_several_share_goes_on_and_flags_whom_it_concerns() {
    let mut world = World::with(ChainKind::Ethereum, settings);
    let mut facts = world.next_block(&[]);
    facts.awaits_trace = true;
    let block = world.join(facts.clone());
    for _ in 0..3 {
        world.mine(&[]);
    }
    let mut world = forgetful(world);
    let height = block.id.height.0;
    // Asked for while one is under way, so that the others share the next.
    ask_for(&mut world, "ETH", "first", 0, height);
    let first = scans(&mut world);
    ask_for(&mut world, "ETH", "a", 1, height - 1);
    ask_for(&mut world, "ETH", "b", 2, height);
    ask_for(&mut world, "ETH", "c", 3, height + 1);
    ask_for(&mut world, "BTC", "d", 4, height);
    portion(&mut world, first[0].0, height + 3);
    let next = scans(&mut world);
    let traced = next.iter().find(|(.., traced)| *traced).expect("a scan");
    assert_eq!(traced.1, from(height - 1), "all share it");
    world.give(ChainInput::Backfill {
        batch: traced.0,
        blocks: vec![facts],
        to: Height(height + 1),
        untraced: true,
    });
    let mut told = Vec::new();
    for id in ["first", "a", "b", "c", "d"] {
        let payment = world.payment(id);
        let is_flagged = payment.judged.flags.has(Flag::Degraded);
        told.push((id, is_flagged, payment.scan.scanned_to));
    }
    let to = |more| Some(Height(height + more));
    let expected = [
        ("first", false, to(3)),
        ("a", true, to(1)),
        ("b", true, to(1)),
        ("c", false, to(1)),
        ("d", false, None),
    ];
    assert_eq!(told, expected);
}
