//! An address that is registered again: earlier money stays with the earlier payment.

use super::world::{Tx, World, register_body};
use crate::{
    chain::{Ask, ChainInput},
    domain::{
        amount::Amount,
        asset::ChainKind,
        block::BlockRef,
        payment::Payment,
        status::{Reason, Status},
        transfer::Place,
    },
};

const TOO_LITTLE: u64 = 500_000;

/// Payment `a` got too little in block 101, its watch is over, and `b` has its address.
fn reused(kind: ChainKind) -> (World, BlockRef) {
    let mut world = World::of(kind);
    world.register("a", 0);
    let block = world.mine(&[early()]);
    world.mine(&[]);
    assert_eq!(world.payment("a").judged.reason, Some(Reason::Underpaid));
    world.end_watch();
    assert_eq!(world.watcher.index.len(), 0);
    world.register("b", 0);
    (world, block)
}

/// How many blocks stand from this one to the tip.
fn depth(world: &World, block: BlockRef) -> usize {
    let blocks = world.blocks.iter();
    blocks.skip_while(|known| **known != block).count()
}

fn early() -> Tx {
    Tx::paying(1).of(TOO_LITTLE)
}

fn is_untouched(payment: &Payment) {
    assert_eq!(payment.transfers, []);
    assert_eq!(payment.judged.status, Status::New);
    assert!(!payment.judged.needs_review && payment.history.held.is_none());
}

fn block_of(payment: &Payment) -> Option<BlockRef> {
    assert_eq!(payment.transfers.len(), 1);
    payment.transfers[0]
        .place
        .anchor()
        .map(|anchor| anchor.block)
}

#[test]
fn a_reorg_that_mines_earlier_money_again_moves_it_where_it_belongs() {
    for kind in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        let (mut world, block) = reused(kind);
        world.reorg(depth(&world, block), &[early()]);
        assert_eq!(block_of(&world.payment("a")), Some(world.tip()), "{kind:?}");
        is_untouched(&world.payment("b"));
    }
}

#[test]
fn earlier_money_that_is_mined_again_later_stays_where_it_belongs() {
    for kind in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        let (mut world, block) = reused(kind);
        world.roll_back(depth(&world, block));
        assert_eq!(block_of(&world.payment("a")), None);
        world.mine(&[early()]);
        assert_eq!(block_of(&world.payment("a")), Some(world.tip()), "{kind:?}");
        is_untouched(&world.payment("b"));
    }
}

#[test]
fn money_of_a_payment_that_nobody_watches_any_more_moves_in_a_reorg() {
    let mut world = World::new();
    world.register("a", 0);
    world.mine(&[early()]);
    world.mine(&[]);
    world.end_watch();
    world.reorg(2, &[early(), Tx::paying(2)]);
    assert_eq!(block_of(&world.payment("a")), Some(world.tip()));
}

#[test]
fn money_that_leaves_its_block_after_the_watch_is_looked_out_for_again() {
    for kind in [ChainKind::Bitcoin, ChainKind::Ethereum] {
        let mut world = World::of(kind);
        world.register("a", 0);
        let block = world.mine(&[early()]);
        world.mine(&[]);
        world.end_watch();
        assert_eq!(world.watcher.index.len(), 0);
        world.roll_back(depth(&world, block));
        if kind == ChainKind::Bitcoin {
            world.asks();
            world.snapshot(world.tip().id.hash, &[]);
            world.give(ChainInput::Spenders {
                answers: vec![(early().txid, None)],
            });
        }
        assert_eq!(world.payment("a").transfers[0].place, Place::Orphaned);
        world.mine(&[early()]);
        assert_eq!(block_of(&world.payment("a")), Some(world.tip()), "{kind:?}");
        world.end_watch();
        assert_eq!(world.watcher.index.len(), 0, "{kind:?}");
    }
}

#[test]
fn a_scan_over_earlier_money_gives_it_to_nobody_else() {
    let (mut world, block) = reused(ChainKind::Bitcoin);
    let before = world.payment("a");
    world.ask("rescan", "b", r#"{"scan_from": 100}"#);
    world.find_in_past(&[(block, &[early()])]);
    assert!(world.payment("b").scan.is_complete());
    is_untouched(&world.payment("b"));
    assert_eq!(world.payment("a"), before);
}

#[test]
fn the_first_scan_of_a_new_owner_leaves_earlier_money_alone() {
    let mut world = World::new();
    world.register("a", 0);
    let block = world.mine(&[early()]);
    world.mine(&[]);
    world.end_watch();
    world.ask("register", "b", &register_body(0));
    world.find_in_past(&[(block, &[early()])]);
    assert!(world.payment("b").scan.is_complete());
    is_untouched(&world.payment("b"));
}

/// What would be a thousand rows and more is one, and no less somebody's.
#[test]
fn what_is_summed_up_of_a_transaction_stays_with_its_payment() {
    let many = || Tx {
        pays: vec![(0, 500); 1_001],
        ..Tx::paying(1)
    };
    let mut world = World::of(ChainKind::Ethereum);
    world.register("a", 0);
    let block = world.mine(&[many()]);
    world.mine(&[]);
    let payment = world.payment("a");
    assert_eq!(block_of(&payment), Some(block));
    assert_eq!(payment.transfers[0].position.to_string(), "sum:BTC");
    assert_eq!(payment.judged.reason, Some(Reason::Underpaid));
    world.end_watch();
    world.register("b", 0);
    let depth = depth(&world, block);
    world.reorg(depth, &[many()]);
    let mut world = world.restart();
    assert_eq!(block_of(&world.payment("a")), Some(world.tip()));
    assert_eq!(
        world.payment("a").judged.received,
        Amount::from_u64(500_500)
    );
    is_untouched(&world.payment("b"));
    // Nor does a scan of the past give it to anybody else.
    let tip = world.tip();
    world.ask("rescan", "b", r#"{"scan_from": 100}"#);
    world.find_in_past(&[(tip, &[many()])]);
    is_untouched(&world.payment("b"));
    assert_eq!(block_of(&world.payment("a")), Some(tip));
}

#[test]
fn a_new_credit_of_the_same_transaction_is_the_new_owners() {
    let (mut world, block) = reused(ChainKind::Ethereum);
    world.reorg(depth(&world, block), &[early().and(0, 1_500_000)]);
    assert_eq!(block_of(&world.payment("a")), Some(world.tip()));
    assert_eq!(block_of(&world.payment("b")), Some(world.tip()));
    let amounts = ["a", "b"].map(|id| world.payment(id).judged.received);
    assert_eq!(amounts, [TOO_LITTLE, 1_500_000].map(Amount::from_u64));
}

#[test]
fn an_early_transaction_that_comes_back_to_the_mempool_is_still_the_earlier_payments() {
    let mut world = World::new();
    world.register("a", 0);
    world.arrive(&Tx::paying(1));
    world.snapshot(world.tip().id.hash, &[]);
    world.give(ChainInput::Spenders {
        answers: vec![(Tx::paying(1).txid, None)],
    });
    world.end_watch();
    assert_eq!(world.status_of("a"), Status::Expired);
    world.register("b", 0);
    world.arrive(&Tx::paying(1));
    assert_eq!(world.payment("a").transfers[0].place, Place::Mempool);
    is_untouched(&world.payment("b"));
    world.mine(&[Tx::paying(1)]);
    world.mine(&[]);
    assert_eq!(world.status_of("a"), Status::Paid, "it was on time");
    is_untouched(&world.payment("b"));
    world.mine(&[Tx::paying(2)]);
    assert_eq!(world.payment("a").transfers.len(), 1);
    assert_eq!(world.status_of("b"), Status::Confirming);
}

#[test]
fn unconfirmed_money_of_an_earlier_payment_vanishes_after_a_restart_too() {
    let (mut world, _) = reused(ChainKind::Bitcoin);
    world.roll_back(2);
    let mut world = world.restart();
    world.poll();
    world.asks();
    world.snapshot(world.tip().id.hash, &[]);
    assert!(matches!(&world.asks()[..], [(_, Ask::Spenders(_))]));
    world.give(ChainInput::Spenders {
        answers: vec![(early().txid, None)],
    });
    assert_eq!(world.payment("a").transfers[0].place, Place::Orphaned);
}

#[test]
fn a_contract_that_pays_somebody_else_in_another_block_pays_only_them() {
    let mut world = World::of(ChainKind::Ethereum);
    world.register("a", 0);
    world.register("b", 1);
    world.mine(&[Tx::paying(1).to(1)]);
    world.reorg(1, &[Tx::paying(1).to(0)]);
    assert_eq!(world.payment("b").transfers[0].place, Place::Orphaned);
    assert_eq!(block_of(&world.payment("a")), Some(world.tip()));
    for id in ["a", "b"] {
        assert!(world.payment(id).history.held.is_none(), "{id}");
    }
}

#[test]
fn a_reorg_that_changes_an_amount_ends_at_the_judges_answer() {
    for (sats, verdict) in [
        (1_400_000, (Status::Invalid, Some(Reason::Underpaid))),
        (1_500_000, (Status::Paid, Some(Reason::Exact))),
        (1_600_000, (Status::Paid, Some(Reason::Overpaid))),
    ] {
        let mut world = World::of(ChainKind::Ethereum);
        world.register("a", 0);
        world.mine(&[Tx::paying(1)]);
        world.mine(&[]);
        assert_eq!(world.payment("a").judged.reason, Some(Reason::Exact));
        world.reorg(2, &[Tx::paying(1).of(sats)]);
        assert_eq!(world.status_of("a"), Status::Confirming, "{sats}");
        world.mine(&[]);
        let payment = world.restart().payment("a");
        let judged = &payment.judged;
        assert_eq!((judged.status, judged.reason), verdict, "{sats}");
        assert_eq!(judged.received, Amount::from_u64(sats));
        assert_eq!(payment.transfers.len(), 1);
        assert_eq!(payment.history.held, None, "{sats}");
    }
}
