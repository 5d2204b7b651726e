//! Registrations whose past lies in the blocks in memory: what is answered without a scan.

use super::*;

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
        untraced: false,
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
