//! Scans of the past: which are asked for, whom a refusal concerns, what memory answers.

mod memory;
mod turns;

use super::{
    MINUTE,
    world::{START, Tx, World, bitcoin, register_body, tx::facts},
};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        asset::ChainKind,
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::{BlockFacts, Candidate},
        payment::ScanFrom,
        request::Request,
        status::Status,
        time::{SpanMs, UnixMs},
    },
    store::reader::Reader,
};

const DAY: SpanMs = SpanMs::from_secs(86_400);

/// The n-th address of a family that nobody pays.
fn address(n: u32) -> String {
    use ::bitcoin::{Address, Network, ScriptBuf, WPubkeyHash, hashes::Hash as _};
    let mut hash = [7; 20];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    let script = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(hash));
    let address = Address::from_script(&script, Network::Regtest).unwrap();
    address.to_string()
}

fn body(address: &str, scan_from: Option<u32>) -> String {
    let from = scan_from.map_or_else(String::new, |from| format!(r#", "scan_from": {from}"#));
    format!(r#"{{"asset": "BTC", "address": "{address}", "amount": "0.015"{from}}}"#)
}

/// Registers in one portion, each its own address, from these heights on.
fn register_from(world: &mut World, first_seq: i64, heights: &[Option<u32>]) {
    let rows = (first_seq..).zip(heights).map(|(seq, from)| Request {
        seq,
        request_id: format!("s{seq}"),
        kind: "register".to_owned(),
        payment_id: format!("p{seq}"),
        body: body(&address(u32::try_from(seq).unwrap()), *from),
        actor: None,
        created_at: world.now(),
    });
    let rows = rows.collect();
    world.give_rows(rows);
}

/// The scan that is asked for: its name, start and end.
fn scan(world: &mut World) -> Option<(u64, ScanFrom, u32)> {
    let asks = world.asks().into_iter();
    let mut scans = asks.filter_map(|(_, ask)| match ask {
        Ask::Backfill {
            batch, from, to, ..
        } => Some((batch, from, to.0)),
        Ask::Spenders(_) | Ask::Unconfirmed(_) | Ask::Growth(..) | Ask::Balances(..) => None,
    });
    let scan = scans.next();
    assert_eq!(scans.next(), None, "one scan at a time");
    scan
}

/// The start of the scan that is asked for, which is then refused.
fn refuse(world: &mut World) -> ScanFrom {
    let (batch, from, _) = scan(world).expect("a scan");
    let message = "block 50: pruned".to_owned();
    world.give(ChainInput::BackfillRefused { batch, message });
    from
}

/// The start of the scan that is asked for, which then brings these blocks.
fn answer(world: &mut World, blocks: Vec<BlockFacts>) -> ScanFrom {
    let (batch, from, to) = scan(world).expect("a scan");
    let to = Height(to);
    world.give(ChainInput::Backfill {
        batch,
        blocks,
        to,
        untraced: false,
    });
    from
}

fn is_scanned(world: &World, id: &str) -> bool {
    world.payment(id).scan.is_complete()
}

const fn from(height: u32) -> ScanFrom {
    ScanFrom::Height(Height(height))
}

/// How often a payment's journal says that its scan was refused.
fn told_refused(world: &World, id: &str) -> usize {
    let reader = Reader::open(&world.path()).unwrap();
    let events = reader.events_of(id).unwrap().to_json();
    let is_refusal = |event: &&serde_json::Value| event.to_string().contains("scan_refused");
    events.iter().filter(is_refusal).count()
}

fn code(world: &World, request: &str) -> String {
    let reader = Reader::open(&world.path()).unwrap();
    reader.request(request).unwrap().to_json()[0]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A world in which the scan of `p1` was refused and `p2` and `p3` were scanned.
fn one_refused() -> World {
    let mut world = World::new();
    register_from(&mut world, 1, &[Some(50), Some(95), Some(96)]);
    assert_eq!(refuse(&mut world), from(50), "for all three");
    assert_eq!(refuse(&mut world), from(50), "for the first alone");
    assert_eq!(answer(&mut world, Vec::new()), from(96));
    assert_eq!(answer(&mut world, Vec::new()), from(95));
    world
}

#[test]
fn a_past_that_cannot_be_scanned_concerns_its_payment_alone() {
    let mut world = one_refused();
    assert!(is_scanned(&world, "p2") && is_scanned(&world, "p3"));
    let refused = world.payment("p1");
    assert_eq!(refused.scan_refusal(), Some("block 50: pruned"));
    assert!(refused.judged.needs_review);
    assert_eq!(told_refused(&world, "p1"), 1);
    register_from(&mut world, 4, &[Some(97)]);
    assert_eq!(answer(&mut world, Vec::new()), from(97));
    assert!(is_scanned(&world, "p4"));
    assert!(!is_scanned(&world, "p1"));
}

#[test]
fn a_refused_scan_is_tried_again_after_a_while_and_told_of_once() {
    let mut world = one_refused();
    world.tick();
    assert_eq!(scan(&mut world), None);
    for _ in 0..2 {
        world.wait(MINUTE);
        world.tick();
        assert_eq!(refuse(&mut world), from(50));
        assert_eq!(scan(&mut world), None);
    }
    assert_eq!(told_refused(&world, "p1"), 1);
    world.wait(MINUTE);
    world.tick();
    answer(&mut world, Vec::new());
    let payment = world.payment("p1");
    assert_eq!(
        (payment.scan_refusal(), is_scanned(&world, "p1")),
        (None, true)
    );
    assert!(!payment.judged.needs_review);
}

#[test]
fn every_refused_payment_is_tried_in_its_turn_and_at_once_when_one_works() {
    let mut world = World::new();
    register_from(&mut world, 1, &[Some(50), Some(51), Some(52)]);
    for start in [50, 50, 52, 51] {
        assert_eq!(refuse(&mut world), from(start));
    }
    for start in [52, 50] {
        world.wait(MINUTE);
        world.tick();
        assert_eq!(refuse(&mut world), from(start));
    }
    world.wait(MINUTE);
    world.tick();
    for start in [51, 52, 50] {
        assert_eq!(answer(&mut world, Vec::new()), from(start));
    }
    assert_eq!(scan(&mut world), None);
}

#[test]
fn a_refused_scan_is_tried_at_once_after_a_restart() {
    let mut world = one_refused().restart();
    world.poll();
    assert_eq!(answer(&mut world, Vec::new()), from(50));
    assert!(is_scanned(&world, "p1"));
}

#[test]
fn the_scan_of_others_says_nothing_of_a_refused_payment() {
    let mut world = one_refused();
    register_from(&mut world, 4, &[Some(98), Some(99)]);
    let payment = world.payment("p1");
    let mut block = world.next_block(&[Tx::paying(1)]);
    block.block = world.tip();
    let to_it = |credit| Candidate {
        destination: payment.destination,
        ..credit
    };
    block.credits = block.credits.iter().map(to_it).collect();
    answer(&mut world, vec![block]);
    assert!(is_scanned(&world, "p4") && is_scanned(&world, "p5"));
    assert_eq!(world.payment("p1").transfers.len(), 1);
    assert!(!is_scanned(&world, "p1"));
}

#[test]
fn a_later_start_ends_a_refusal_and_the_registered_terms_stay() {
    let mut world = one_refused();
    world.ask("rescan", "p1", r#"{"scan_from": 90}"#);
    assert_eq!(answer(&mut world, Vec::new()), from(90));
    assert!(is_scanned(&world, "p1"));
    assert!(!world.payment("p1").judged.needs_review);
    for (scan_from, outcome) in [(50, ""), (90, "known_id_other_terms")] {
        let rows = vec![Request {
            seq: 100 + i64::from(scan_from),
            request_id: format!("again{scan_from}"),
            kind: "register".to_owned(),
            payment_id: "p1".to_owned(),
            body: body(&address(1), Some(scan_from)),
            actor: None,
            created_at: world.now(),
        }];
        world.give_rows(rows);
        assert_eq!(code(&world, &format!("again{scan_from}")), outcome);
    }
}

#[test]
fn a_person_may_decide_about_a_payment_that_cannot_be_scanned() {
    let mut world = one_refused();
    world.ask("cancel", "p1", "{}");
    world.poll();
    assert_eq!(world.status_of("p1"), Status::Canceled);
}

/// Blocks at this distance, up to this height.
fn mine_to(world: &mut World, height: u32, apart: SpanMs) {
    while world.tip().id.height.0 < height {
        world.wait(apart);
        world.mine(&[]);
    }
}

#[test]
fn a_past_beyond_the_limit_is_refused_when_it_is_registered() {
    let mut world = World::new();
    // 10 s a block: two hours are 720 blocks, and 1,000 may be scanned.
    mine_to(&mut world, 1_300, SpanMs::from_secs(10));
    let minutes_ago = |minutes: i64| world.now().plus(SpanMs(-MINUTE.0 * minutes));
    let cases: [(Option<UnixMs>, &str); 4] = [
        (None, ""),
        (Some(minutes_ago(40)), ""),
        (Some(minutes_ago(60)), "scan_too_far"),
        (Some(world.now().plus(SpanMs(-DAY.0 * 6))), "scan_too_far"),
    ];
    for (seq, (created_at, wanted)) in (1..).zip(cases) {
        world.give_rows(vec![Request {
            seq,
            request_id: format!("s{seq}"),
            kind: "register".to_owned(),
            payment_id: format!("p{seq}"),
            body: body(&address(u32::try_from(seq).unwrap()), None),
            actor: None,
            created_at: created_at.unwrap_or(world.now()),
        }]);
        assert_eq!(code(&world, &format!("s{seq}")), wanted, "{created_at:?}");
    }
}

#[test]
fn a_few_blocks_in_a_burst_say_nothing_of_how_far_two_hours_are() {
    let mut world = World::new();
    mine_to(&mut world, 110, SpanMs(1));
    register_from(&mut world, 1, &[None]);
    assert_eq!(code(&world, "s1"), "");
}
