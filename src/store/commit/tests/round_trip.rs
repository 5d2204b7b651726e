//! What is committed is what is loaded and what the views show.

use crate::{
    domain::{
        amount::Amount,
        asset::{AssetCode, ChainKind, ChainName},
        balance::{Balance, Checked},
        block::{Height, TxId},
        event::EventKind,
        facts::Destination,
        flags::{Flag, Flags},
        payment::{
            Acceptance, Closed, Due, History, Hold, Judgement, Payment, PaymentKey, Refund,
            ScanFrom,
        },
        status::{Reason, Status},
        time::UnixMs,
        token::{TokenAct, TokenNotice},
        transfer::{Disposition, Place, Position, Transfer},
    },
    store::{Store, testing::*},
};

fn reloaded(store: &Store, payment: &Payment) -> Payment {
    let loaded = store.load(&[payment.key]).unwrap();
    assert_eq!(store.find(&payment.id).unwrap().as_ref(), loaded.first());
    loaded.into_iter().next().expect("it is there")
}

/// A transfer in every place.
fn everywhere() -> Vec<Transfer> {
    let mut transfers = vec![
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
    transfers[1].inputs = vec![outpoint(1), outpoint(2)];
    transfers[2].first_block_at = Some(UnixMs(4));
    transfers[3].coinbase = true;
    transfers[4].position = Position::Dust;
    transfers[4].disposition = Disposition::Dust;
    transfers
}

/// A payment in which nothing is left out.
fn full() -> Payment {
    let mut payment = payment(1, "full");
    payment.history = History {
        grown: std::collections::BTreeMap::from([(Height(9), Height(7))]),
        forced: Some(Status::Confirming),
        registered_at: Some(NOW),
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
        acked: ["cause".to_owned()].into(),
        impossible: Some(Status::Refunded),
        held: Some(Hold {
            at: UnixMs(11),
            status: Status::Paid,
            problem: "refused".to_owned(),
        }),
        needs_traces: true,
        balance: Some(Balance {
            since: Height(990),
            base: Some(Amount::MAX),
            checked: Some(Checked {
                height: Height(991),
                at: UnixMs(7),
            }),
        }),
        scan_refused: Some("pruned".to_owned()),
        token_notices: vec![TokenNotice {
            act: TokenAct::Blacklisted,
            asset: "USDT".to_owned(),
            txid: "cd".repeat(32),
            position: "log:3".to_owned(),
            height: 21,
        }],
        registered_from: Some(ScanFrom::Height(Height(20))),
        is_final: true,
        status_at: Some(UnixMs(9)),
        money_at: Some(UnixMs(10)),
    };
    payment.transfers = everywhere();
    payment.judged = judged(payment.judged);
    payment.scan.from = ScanFrom::Time(UnixMs(19));
    payment
}

fn judged(plain: Judgement) -> Judgement {
    let mut judged = plain;
    judged.reason = Some(Reason::Reorged);
    judged.flags = Flags::NONE.with(Flag::Late).with(Flag::Duplicate);
    judged.needs_review = true;
    judged.is_final = true;
    judged.received = Amount::from_u64(3);
    judged.counted = Amount::from_u64(2);
    judged.surplus = Amount::from_u64(1);
    judged.txid = Some(TxId([1; 32]));
    judged.block = Some(block(1001));
    judged.first_seen_at = Some(UnixMs(11));
    judged.confirmed_at = Some(UnixMs(12));
    judged.paid_at = Some(UnixMs(13));
    judged.closed_at = Some(UnixMs(14));
    judged.watch_until_at = Some(UnixMs(NOW.0 + 15));
    judged.due = Due {
        height: Some(Height(16)),
        safe_height: Some(Height(16)),
        final_height: Some(Height(17)),
        traced_height: Some(Height(15)),
        at: Some(UnixMs(18)),
    };
    judged
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

/// A payment of an amount that needs 256 bits, on the other chain.
fn huge(key: i64, asset: &str, decimals: u8) -> Payment {
    let mut payment = payment(key, asset);
    payment.chain = ChainName::new("ethereum");
    payment.kind = ChainKind::Ethereum;
    payment.destination = Destination::new(&[u8::try_from(key).unwrap(); 20]).unwrap();
    payment.terms.asset = AssetCode::new(asset);
    payment.terms.decimals = decimals;
    payment.terms.amount_expected = Amount::MAX;
    payment.judged.shortfall = Amount::MAX.saturating_sub(Amount::from_u64(1));
    payment.judged.counted = Amount::from_u64(1);
    payment.judged.txid = Some(TxId([0xab; 32]));
    let mut money = transfer(u8::try_from(key).unwrap(), in_block(1001));
    money.asset = payment.terms.asset.clone();
    money.decimals = decimals;
    money.amount = Amount::MAX;
    money.position = Position::Trace(vec![0, 2]);
    money.from_address = Some("0xAb".into());
    payment.transfers = vec![money];
    payment
}

// shows: T13
#[test]
fn amounts_of_256_bits_keep_every_digit() {
    let (_dir, mut store) = store();
    let payments = [huge(1, "ETH", 18), huge(2, "USDT", 6)];
    register(&mut store, payments.to_vec());
    for payment in &payments {
        assert_eq!(&reloaded(&store, payment), payment);
    }
    assert_eq!(
        ask(
            &store,
            "SELECT amount_expected, amount_counted FROM v1_payment ORDER BY asset"
        ),
        "115792089237316195423570985008687907853269984665640564039457.584007913129639935|\
         0.000000000000000001\n\
         115792089237316195423570985008687907853269984665640564039457584007913129.639935|\
         0.000001"
    );
}

#[test]
fn the_views_show_hashes_with_the_chains_prefix() {
    let (_dir, mut store) = store();
    let mut bitcoin = payment(2, "bitcoin");
    bitcoin.transfers = vec![transfer(7, in_block(1001))];
    register(&mut store, vec![huge(1, "ETH", 18), bitcoin]);
    let shown = ask(
        &store,
        "SELECT substr(txid, 1, 4), length(txid), length(block_hash) FROM v1_transfer
          ORDER BY chain",
    );
    assert_eq!(shown, "0707|64|64\n0x01|66|66");
}

#[test]
fn confirmations_are_counted_from_the_cursor_when_read() {
    let (_dir, mut store) = store();
    let mut paid = payment(1, "p");
    paid.transfers = vec![transfer(1, in_block(1001)), transfer(2, Place::Mempool)];
    paid.judged.txid = Some(TxId([1; 32]));
    paid.judged.block = Some(block(1001));
    register(&mut store, vec![paid]);
    let shown = |store: &Store| {
        let sql = "SELECT p.confirmations, t.confirmations FROM v1_payment AS p
                     JOIN v1_transfer AS t USING (payment_id) ORDER BY t.position";
        ask(store, sql)
    };
    assert_eq!(shown(&store), "0|0\n0|0", "without a cursor");
    for (disconnect, height, wanted) in [
        (None, 1000, "0|0\n0|0"),
        (None, 1001, "1|1\n1|0"),
        (None, 1002, "2|2\n2|0"),
        (Some(1000), 1001, "1|1\n1|0"),
    ] {
        let connected = [branch(height, u8::from(disconnect.is_some()))];
        store.commit(&advance(disconnect, &connected)).unwrap();
        assert_eq!(shown(&store), wanted, "{height}");
    }
}

#[test]
fn an_entry_moves_its_payment_and_the_journal_is_dense() {
    let (_dir, mut store) = store();
    let payments: Vec<_> = (1..=3).map(|n| payment(n, &format!("p{n}"))).collect();
    register(&mut store, payments.clone());
    let mut steps = step(
        payments
            .iter()
            .map(|payment| moved(payment.clone(), Status::Paid, Some(Reason::Exact)))
            .collect(),
    );
    let mut chain_wide = entry(&payments[0], EventKind::Attention);
    chain_wide.payment = None;
    steps.entries.push(chain_wide);
    let committed = store.commit(&steps).unwrap();
    assert_eq!((committed.first_seq, committed.last_seq), (Some(4), 7));
    assert_eq!(store.last_seq().unwrap(), 7);
    let shown = "SELECT seq, payment_id, version, kind, from_status, to_status, reason
                   FROM v1_event ORDER BY seq";
    assert_eq!(
        ask(&store, shown),
        "1|p1|1|registered||new|\n2|p2|1|registered||new|\n3|p3|1|registered||new|\n\
         4|p1|2|status|new|paid|exact\n5|p2|2|status|new|paid|exact\n\
         6|p3|2|status|new|paid|exact\n7|||attention|||"
    );
    assert_eq!(
        ask(
            &store,
            "SELECT payment_id, status, version, last_seq FROM v1_payment"
        ),
        "p1|paid|2|4\np2|paid|2|5\np3|paid|2|6"
    );
    let quiet = store.commit(&advance(None, &[block(1000)])).unwrap();
    assert_eq!((quiet.first_seq, quiet.last_seq), (None, 7));
}

#[test]
fn several_entries_of_one_step_follow_one_another() {
    let (_dir, mut store) = store();
    register(&mut store, vec![payment(1, "p")]);
    let expired = moved(payment(1, "p"), Status::Expired, Some(Reason::Deadline));
    store.commit(&step(vec![expired.clone()])).unwrap();
    // Extended, and its money is in the mempool: expired -> pending is no step, this path is.
    let first = moved(expired.payment, Status::New, None);
    let mut both = moved(first.payment, Status::Pending, None);
    both.entries.insert(0, first.entries[0].clone());
    let committed = store.commit(&step(vec![both])).unwrap();
    assert_eq!(committed.kept, []);
    assert_eq!(
        ask(&store, "SELECT status, version FROM v1_payment"),
        "pending|4"
    );
}

#[test]
fn a_dust_row_may_grow_and_an_absent_transaction_is_null() {
    let (_dir, mut store) = store();
    let mut dusty = payment(1, "p");
    let mut sum = transfer(0, Place::Mempool);
    sum.position = Position::Dust;
    dusty.transfers = vec![sum];
    register(&mut store, vec![dusty.clone()]);
    assert_eq!(ask(&store, "SELECT txid FROM v1_transfer"), "");
    dusty.transfers[0].amount = Amount::from_u64(9);
    dusty.transfers[0].txid = TxId([4; 32]);
    let mut more = moved(dusty.clone(), Status::Pending, None);
    more.payment.updated_at = UnixMs(77);
    assert_eq!(store.commit(&step(vec![more.clone()])).unwrap().kept, []);
    assert_eq!(reloaded(&store, &dusty), more.payment);
}
