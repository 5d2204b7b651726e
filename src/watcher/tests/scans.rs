//! Scans of the past: which are asked for, whom a refusal concerns, what memory answers.

use super::{
    MINUTE,
    world::{START, Tx, World, bitcoin, register_body, tx::facts},
};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        asset::ChainKind,
        block::{BlockHash, BlockId, BlockRef, Height},
        facts::BlockFacts,
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
        Ask::Backfill { batch, from, to } => Some((batch, from, to.0)),
        Ask::Spenders(_) | Ask::Unconfirmed(_) => None,
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
    world.give(ChainInput::Backfill { batch, blocks, to });
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
    assert_eq!(answer(&mut world, Vec::new()), from(95));
    assert_eq!(answer(&mut world, Vec::new()), from(96));
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
    for start in [50, 50, 51, 52] {
        assert_eq!(refuse(&mut world), from(start));
    }
    for start in [50, 51] {
        world.wait(MINUTE);
        world.tick();
        assert_eq!(refuse(&mut world), from(start));
    }
    world.wait(MINUTE);
    world.tick();
    for start in [52, 50, 51] {
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
    block.credits[0].destination = payment.destination;
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

/// Twenty blocks, ten minutes apart, of which each pays the first address but for the last
/// `quiet`.
fn twenty_blocks(quiet: usize) -> (World, Vec<BlockFacts>) {
    let mut world = World::new();
    let mut all = Vec::new();
    for n in 0..20 {
        world.wait(SpanMs(MINUTE.0 * 10));
        let pays = n + quiet < 20;
        let transactions = [Tx::paying(u8::try_from(n).unwrap())];
        let facts = world.next_block(if pays { &transactions } else { &[] });
        all.push(facts.clone());
        world.mine(if pays { &transactions } else { &[] });
    }
    world.poll();
    (world, all)
}

#[test]
fn fresh_registrations_cost_no_block() {
    let (mut world, _) = twenty_blocks(0);
    register_from(&mut world, 1, &[None; 500]);
    register_from(&mut world, 501, &[None; 500]);
    assert_eq!(scan(&mut world), None);
    assert!(is_scanned(&world, "p1") && is_scanned(&world, "p1000"));
    assert_eq!(world.watcher.index.len(), 1000);
    world.wait(SpanMs(MINUTE.0 * 23));
    world.poll();
    world.tick();
    assert_eq!(
        world.status_of("p1"),
        Status::Expired,
        "nothing is left to do"
    );
}

#[test]
fn money_in_a_block_in_memory_is_found_by_a_scan() {
    // From the last block on, from the first of the look-back on, and only before that.
    let cases = [
        (0, 13, Status::Paid),
        (12, 1, Status::Paid),
        (13, 0, Status::New),
    ];
    for (quiet, transfers, status) in cases {
        let (mut world, blocks) = twenty_blocks(quiet);
        world.ask("register", "a", &register_body(0));
        assert_eq!(is_scanned(&world, "a"), transfers == 0, "{quiet}");
        if transfers > 0 {
            let start = START.plus(SpanMs(MINUTE.0 * 10 * 8));
            let looked_at = blocks[7..].to_vec();
            assert_eq!(answer(&mut world, looked_at), ScanFrom::Time(start));
        }
        let payment = world.payment("a");
        assert!(payment.scan.is_complete());
        assert_eq!(payment.transfers.len(), transfers);
        assert_eq!(payment.judged.status, status);
        assert_eq!(scan(&mut world), None);
    }
}

#[test]
fn a_restart_forgets_the_blocks_and_the_next_scan_brings_them_back() {
    let (world, blocks) = twenty_blocks(20);
    let mut world = world.restart();
    world.poll();
    register_from(&mut world, 1, &[None]);
    assert!(!is_scanned(&world, "p1"));
    answer(&mut world, blocks[7..].to_vec());
    assert!(is_scanned(&world, "p1"));
    register_from(&mut world, 2, &[None]);
    assert_eq!((is_scanned(&world, "p2"), scan(&mut world)), (true, None));
    world.mine(&[]);
    register_from(&mut world, 3, &[None]);
    assert_eq!((is_scanned(&world, "p3"), scan(&mut world)), (true, None));
}

#[test]
fn after_a_reorg_memory_answers_by_the_new_branch() {
    for (old, new) in [(true, false), (false, true)] {
        let (mut world, _) = twenty_blocks(20);
        let transactions = [Tx::paying(99)];
        let pays = |yes: bool| if yes { &transactions[..] } else { &[] };
        world.mine(pays(old));
        world.reorg(1, pays(new));
        world.poll();
        world.ask("register", "a", &register_body(0));
        assert_eq!(is_scanned(&world, "a"), old);
        assert_eq!(scan(&mut world).is_some(), new);
    }
}

#[test]
fn a_scan_that_a_reorg_overtakes_does_not_fill_memory_with_lost_blocks() {
    let (world, mut blocks) = twenty_blocks(20);
    let mut world = world.restart();
    world.poll();
    register_from(&mut world, 1, &[None]);
    let (batch, _, to) = scan(&mut world).unwrap();
    world.reorg(1, &[Tx::paying(1)]);
    let to = Height(to);
    let stale = blocks.split_off(7);
    world.give(ChainInput::Backfill {
        batch,
        blocks: stale,
        to,
    });
    world.asks();
    world.ask("register", "a", &register_body(0));
    assert!(!is_scanned(&world, "a"), "its money is in the new block");
}

#[test]
fn a_start_by_height_is_answered_from_memory_too() {
    let (mut world, _) = twenty_blocks(20);
    let tip: BlockRef = world.tip();
    register_from(&mut world, 1, &[Some(tip.id.height.0 - 5), Some(99)]);
    assert!(is_scanned(&world, "p1"));
    assert!(!is_scanned(&world, "p2"), "block 99 was never seen");
    assert_eq!(
        world
            .asks()
            .iter()
            .filter(|(name, _)| *name == bitcoin())
            .count(),
        2
    );
}

#[test]
fn a_scan_for_one_payment_brings_another_nothing_from_before_its_own_start() {
    let mut world = World::new();
    world.register("a", 0);
    world.register("b", 1);
    let block = BlockRef {
        id: BlockId {
            height: Height(60),
            hash: BlockHash([60; 32]),
        },
        parent: BlockHash([59; 32]),
        time: world.now(),
    };
    world.ask("rescan", "b", r#"{"scan_from": 50}"#);
    let paid = [Tx::paying(1), Tx::paying(2).to(1)];
    answer(&mut world, vec![facts(ChainKind::Bitcoin, block, &paid)]);
    assert_eq!(world.payment("a").transfers, []);
    assert_eq!(world.payment("b").transfers.len(), 1);
}
