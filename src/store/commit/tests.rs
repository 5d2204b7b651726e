//! Steps that are committed, refused and interrupted.

use crate::domain::{
    amount::Amount,
    asset::{AssetCode, ChainKind, ChainName},
    block::{Height, TxId},
    event::EventKind,
    facts::Destination,
    flags::{Flag, Flags},
    payment::{Acceptance, Closed, Due, History, Payment, PaymentKey, Refund, ScanFrom},
    status::{Reason, Status},
    step::{InboxPosition, Outcome, RequestOutcome, ScanStep, Step},
    time::UnixMs,
    transfer::{Disposition, Place, Position},
    view::FreezeReason,
};
use crate::store::{Store, StoreError, testing::*};

fn reloaded(store: &Store, payment: &Payment) -> Payment {
    let loaded = store.load(&[payment.key]).unwrap();
    assert_eq!(store.find(&payment.id).unwrap().as_ref(), loaded.first());
    loaded.into_iter().next().expect("it is there")
}

/// A payment in which nothing is left out.
fn full() -> Payment {
    let mut payment = payment(1, "full");
    payment.history = History {
        sticky: Flags::NONE.with(Flag::Reorged),
        ever_paid: true,
        paid_at: Some(UnixMs(5)),
        closed: Some(Closed {
            status: Status::Expired,
            reason: Reason::Deadline,
            at: UnixMs(6),
        }),
        accepted: Some(Acceptance {
            at: UnixMs(7),
            txids: vec!["ab".into()],
        }),
        rejected: true,
        refunded: Some(Refund {
            at: UnixMs(8),
            reason: Reason::Gateway,
        }),
        reversals: 3,
        acked: Some("cause".into()),
        is_final: true,
        status_at: Some(UnixMs(9)),
        money_at: Some(UnixMs(10)),
    };
    payment.transfers = vec![
        transfer(1, in_block(1001)),
        transfer(2, Place::Mempool),
        transfer(3, Place::Evicted),
        transfer(4, Place::Orphaned),
        transfer(
            5,
            Place::Replaced {
                by: TxId([9; 32]),
                confirmed_in: None,
            },
        ),
        transfer(
            6,
            Place::Replaced {
                by: TxId([9; 32]),
                confirmed_in: Some(block(1002)),
            },
        ),
    ];
    payment.transfers[1].inputs = vec![outpoint(1), outpoint(2)];
    payment.transfers[2].first_block_at = Some(UnixMs(4));
    payment.transfers[3].coinbase = true;
    payment.transfers[4].position = Position::Dust;
    payment.transfers[4].disposition = Disposition::Dust;
    payment.judged.reason = Some(Reason::Reorged);
    payment.judged.flags = Flags::NONE.with(Flag::Late).with(Flag::Duplicate);
    payment.judged.needs_review = true;
    payment.judged.is_final = true;
    payment.judged.received = Amount::from_u64(3);
    payment.judged.counted = Amount::from_u64(2);
    payment.judged.surplus = Amount::from_u64(1);
    payment.judged.txid = Some(TxId([1; 32]));
    payment.judged.block = Some(block(1001));
    payment.judged.first_seen_at = Some(UnixMs(11));
    payment.judged.confirmed_at = Some(UnixMs(12));
    payment.judged.paid_at = Some(UnixMs(13));
    payment.judged.closed_at = Some(UnixMs(14));
    payment.judged.watch_until_at = Some(UnixMs(NOW.0 + 15));
    payment.judged.due = Due {
        height: Some(Height(16)),
        final_height: Some(Height(17)),
        at: Some(UnixMs(18)),
    };
    payment.scan.from = ScanFrom::Time(UnixMs(19));
    payment
}

#[test]
fn a_payment_is_loaded_as_it_was_committed() {
    let (_dir, mut store) = store();
    let plain = payment(2, "plain");
    register(&mut store, vec![full(), plain.clone()]);
    assert_eq!(reloaded(&store, &full()), full());
    assert_eq!(reloaded(&store, &plain), plain);
    let keys = [PaymentKey(2), PaymentKey(77), PaymentKey(1)];
    assert_eq!(store.load(&keys).unwrap(), [plain, full()]);
    assert_eq!(store.next_payment_key().unwrap(), PaymentKey(3));
}
